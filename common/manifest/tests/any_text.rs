//! Any text at all gets an answer: a value or errors, and never a panic.

use godwit_manifest::{Quantity, parse_application, parse_policies, parse_quotas, parse_scenario, separate};
use proptest::prelude::*;

const SEEDS: &[&str] = &[
    include_str!("../../../examples/web.yaml"),
    include_str!("../../../examples/api-and-batch.yaml"),
    include_str!("../../../examples/store.yaml"),
    include_str!("../../../examples/policies/capped.yaml"),
    POLICY,
    "apiVersion: godwit.dev/v1\nkind: Quota\nmetadata: {name: shop}\nspec: {hard: {replicas: 9, requests.cpu: 500m}}\n",
    "replicas: 9\npolicy: {strategy: ordered, tiers: [[a], {regions: [eu]}]}\nclusters: [{name: a, taints: [{key: k, effect: NoExecute}]}]\n",
];

/// A policy with something of everything.
const POLICY: &str = "\
apiVersion: godwit.dev/v1
kind: Policy
metadata: {name: p}
spec:
  strategy: spread
  spread: [{by: zone, minGroups: 2}, {by: cluster, maxSkew: 1, whenUnsatisfiable: ScheduleAnyway}]
  clusterSelector: {matchExpressions: [{key: tier, operator: In, values: [prod]}]}
  rules: [{clusterSelector: {providers: [aws]}, weight: 0}, {clusterSelector: {names: [a]}, max: 3}]
  fallback: [[a, b], {regions: [eu]}, {}]
  tolerations: [{key: spot, operator: Exists, tolerationSeconds: 30}]
  antiAffinity: [{namespaces: [\"*\"], matchLabels: {noisy: \"true\"}}]
";

/// Pieces that mean something to a parser of YAML, JSON or Kubernetes.
fn piece() -> impl Strategy<Value = String> {
    let words = [
        "---\n",
        "...\n",
        "- ",
        ": ",
        "\n  ",
        "\n",
        "{",
        "}",
        "[",
        "]",
        ",",
        "&a ",
        "*a",
        "<<: ",
        "!!int ",
        "|\n",
        ">-\n",
        "'",
        "\"",
        "# ",
        "%YAML 1.1\n",
        "apiVersion: apps/v1\n",
        "kind: Deployment\n",
        "kind: List\n",
        "items:\n",
        "metadata:\n",
        "name: x\n",
        "spec:\n",
        "replicas: 3\n",
        "selector",
        "template",
        "containers",
        "resources",
        "requests",
        "cpu",
        "0x",
        "1e400",
        "-1",
        "null",
        "~",
        "\u{feff}",
        "\0",
        "ü",
        "\t",
        "\r\n",
    ];
    prop::sample::select(words.to_vec()).prop_map(str::to_owned)
}

/// Each part of a text answers as the whole would, and what is accepted can be read again as it was written.
fn answer(text: &str) {
    let _ = parse_policies(text);
    let _ = parse_quotas(text);
    let _ = parse_scenario(text);
    let _ = text.parse::<Quantity>();
    if let Ok(application) = parse_application(text) {
        for workload in &application.workloads {
            let again = parse_application(&workload.manifest).expect("a manifest of ours is valid");
            assert_eq!(again.workloads[0].manifest, workload.manifest);
        }
    }
    if let Ok(separated) = separate(text) {
        for part in [separated.policies, separated.quotas, separated.application].into_iter().flatten() {
            assert_eq!(part.lines().count(), text.lines().count());
        }
    }
}

proptest! {
    #[test]
    fn any_characters(text in any::<String>()) {
        answer(&text);
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        answer(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_pieces(pieces in prop::collection::vec(piece(), 0..64)) {
        answer(&pieces.concat());
    }

    #[test]
    fn any_change_in_a_valid_text(
        seed in prop::sample::select(SEEDS.to_vec()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0usize..8, piece()), 1..6),
    ) {
        let mut text: Vec<char> = seed.chars().collect();
        for (index, removed, piece) in changes {
            let at = index.index(text.len());
            let end = (at + removed).min(text.len());
            text.splice(at..end, piece.chars());
        }
        answer(&text.into_iter().collect::<String>());
    }
}
