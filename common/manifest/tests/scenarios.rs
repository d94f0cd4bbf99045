//! Scenarios: what `godwit plan` is asked.

use godwit_common::policy::{Policy, Rule, Strategy};
use godwit_common::scenario::{CLUSTERS_MAX, Scenario};
use godwit_common::{Taint, TaintEffect};
use godwit_manifest::parse_scenario;

fn read(text: &str) -> Scenario {
    parse_scenario(text).unwrap_or_else(|errors| panic!("{text}: {errors}"))
}

#[test]
fn what_is_left_out_has_its_default() {
    let scenario = read("replicas: 7\nclusters: [{name: b}, {name: a, running: ~, room: null}]\npolicy:\n");
    assert_eq!((scenario.replicas, scenario.policy), (7, Policy::default()));
    let names: Vec<&str> = scenario.clusters.iter().map(|cluster| cluster.name.as_str()).collect();
    assert_eq!(names, ["b", "a"]);
    assert!(scenario.clusters.iter().all(|cluster| (cluster.running, cluster.room) == (0, None)));
    assert_eq!(read("{\n\t\"replicas\": 4,\n\t\"clusters\": [{\"name\": \"b\"}]\n}").clusters.len(), 1);
    assert_eq!(read("{replicas: 0}").clusters.len(), 0);
}

#[test]
fn everything_that_is_said_of_a_cluster_is_read() {
    let text = "
replicas: 2147483647
policy: {clusters: {a: {weight: 2147483647, min: 2147483647, max: 2147483647}, b: {weight: 0}}}
clusters:
  - name: a
    labels: {tier: prod}
    provider: aws
    region: eu-central-1
    zones: [eu-central-1a, eu-central-1b]
    taints: [{key: spot, value: \"yes\", effect: NoSchedule}, {key: old, effect: PreferNoSchedule}]
    running: 2147483647
    room: 0
  - {name: b, region: \"\", zones: [], taints: []}
";
    let scenario = read(text);
    let most = i32::MAX as u32;
    assert_eq!(scenario.replicas, most);
    let weights: Vec<Rule> = scenario.policy.clusters.values().copied().collect();
    assert_eq!(weights, [Rule::new(most, most, Some(most)).unwrap(), Rule::new(0, 0, None).unwrap()]);
    let [a, b] = scenario.clusters.as_slice() else {
        panic!("two clusters, but {}", scenario.clusters.len());
    };
    assert_eq!((a.running, a.room), (most, Some(0)));
    assert_eq!((a.traits.region(), a.traits.provider()), (Some("eu-central-1"), Some("aws")));
    assert_eq!((a.traits.zones.len(), a.traits.label("tier")), (2, Some("prod")));
    let taint = |key: &str, value: &str, effect| Taint { key: key.into(), value: value.into(), effect };
    let expected =
        [taint("spot", "yes", TaintEffect::NoSchedule), taint("old", "", TaintEffect::PreferNoSchedule)];
    assert_eq!(a.taints, expected);
    assert_eq!((b.traits.region(), b.traits.zones.len(), b.taints.len()), (None, 0, 0));
}

#[test]
fn a_whole_spec_can_be_pasted() {
    let text = "
replicas: 1
policy: {strategy: weighted, default: {weight: 0}, clusters: {a: {min: 1}}, rebalance: always, lostAfter: 10s,
         mode: available, priority: 3, maxUnavailable: 0,
         affinity: [{names: [db]}], antiAffinity: [{names: [web]}], colocate: true, preemptible: true,
         tolerations: [{operator: Exists}], fallback: [[a], {}], clusterSelector: {exclude: [c]},
         rules: [{clusterSelector: {regions: [eu]}, weight: 2}]}
clusters: [{name: a}, {name: b}]
";
    let policy = read(text).policy;
    assert_eq!((policy.priority, policy.fallback.len(), policy.rules.len()), (3, 2, 1));
    assert!(policy.preemptible && policy.affinity.colocate);
}

#[test]
fn a_preview_may_ask_what_no_policy_may_say() {
    // Nothing can be placed: the answer is worth having, while the policy itself would be refused.
    let text = "replicas: 1\npolicy: {clusters: {a: {weight: 0}}}\nclusters: [{name: a}]";
    assert_eq!(read(text).policy.clusters.len(), 1);
    let twice = read("replicas: 1\nclusters: [{name: a}, {name: a}]");
    assert_eq!(twice.clusters.len(), 2, "it is the planner that refuses this");
}

#[test]
fn strategies_are_those_of_policies() {
    let tiers = read("replicas: 1\npolicy: {strategy: ordered, tiers: [[a], {regions: [eu]}]}").policy;
    assert_eq!(tiers.strategy.tiers().map(|tiers| tiers.selectors().len()), Some(2));
    let spread = "replicas: 1\npolicy: {strategy: spread, spread: [{by: zone, maxSkew: 1}]}";
    assert_eq!(read(spread).policy.strategy.constraints().len(), 1);
    assert_eq!(read("replicas: 1\npolicy: {strategy: pack}").policy.strategy, Strategy::Pack);
    for (policy, word) in [
        ("{strategy: pack, tiers: [[a]]}", "policy.tiers: only the strategy ordered"),
        (
            "{maxSkew: 1}",
            "policy.maxSkew: a skew is part of a constraint of the strategy spread; write spread: [{by: cluster, maxSkew: 1}]",
        ),
        ("{strategy: spread, spread: [{by: cluster, maxSkew: 0}]}", "policy.spread[0].maxSkew: 0"),
        ("{strategy: ordered}", "policy.tiers: it is missing; list the clusters"),
        ("{strategy: ordered, tiers: []}", "policy.tiers: there are no tiers"),
        ("{strategy: ordered, tiers: [[a, a]]}", "policy.tiers[0][1]: a is listed twice"),
        ("{strategy: ordered, tiers: [[A]]}", "policy.tiers[0][0]: cluster name \"A\""),
        (
            "{strategy: pack, clusters: {a: {weight: 2}}}",
            "policy.clusters.a.weight: 2 is not valid here: only",
        ),
        ("{strategy: duplicate, default: {max: 2}}", "policy.default: min, max: with duplicate"),
        ("{strategy: ordered, tiers: [[a]], clusters: {b: {}}}", "policy.clusters.b: it is in no tier"),
    ] {
        let error = parse_scenario(&format!("replicas: 1\npolicy: {policy}")).expect_err(policy).to_string();
        assert!(error.contains(word), "{policy}: {error}");
    }
}

#[test]
fn mistakes_name_the_field() {
    for (text, word) in [
        ("", "the text is empty; write replicas"),
        ("{}", "replicas: it is missing; write the total to divide"),
        ("clusters: []", "replicas: it is missing"),
        ("replicas: ~", "replicas: it is missing"),
        (
            "replicas: -1",
            "(line 1, column 11): replicas: -1 is not valid here; write a whole number from 0 to 2147483647",
        ),
        ("replicas: many", "replicas: \"many\""),
        ("replicas: 1.5", "replicas: 1.5"),
        ("replicas: 2147483648", "replicas: 2147483648 is not valid here"),
        ("replicas: 5000000000", "5000000000"),
        ("{\"replicas\": -1}", "document 1: replicas: -1 is not valid here"),
        ("replicas: 1\npolicy: {clusters: {a: {weight: -1}}}", "policy.clusters.a.weight: -1"),
        (
            "replicas: 1\npolicy: {clusters: {a: {weight: 2147483648}}}",
            "policy.clusters.a.weight: 2147483648",
        ),
        ("replicas: 1\nclusters: [{name: a, room: [1]}]", "clusters[0].room: a list is not valid here"),
        ("replicas: 1\nclusters: [{name: a, running: -1}]", "clusters[0].running: -1"),
        ("replicas: 1\nreplica: 2", "replica: this field is unknown; did you mean \"replicas\"?"),
        (
            "replicas: 1\nclusters: [{name: a, rom: 2}]",
            "clusters[0].rom: this field is unknown; did you mean \"room\"?",
        ),
        ("replicas: 1\npolicy: {strategy: magic}", "policy.strategy: \"magic\" is not known"),
        ("replicas: 1\npolicy: {clusters: {a: {min: 3, max: 2}}}", "policy.clusters.a.max: 2 is below min 3"),
        ("replicas: 1\npolicy: {clusters: {A_: {}}}", "policy.clusters.A_: cluster name \"A_\""),
        ("replicas: 1\npolicy: {priority: 1001}", "policy.priority: 1001"),
        // What is no field of a policy is none here either.
        ("replicas: 1\npolicy: {surge: 25%}", "policy.surge: this field is unknown"),
        ("replicas: 1\npolicy: {onReturn: keepReplacement}", "policy.onReturn: this field is unknown"),
        ("replicas: 1\nclusters: [{name: a}, {name: ''}]", "clusters[1].name: cluster name \"\""),
        ("replicas: 1\nclusters: [{}]", "clusters[0].name: it is missing"),
        ("replicas: 1\nclusters: [{name: a, region: a b}]", "clusters[0].region: \"a b\" is not a value"),
        (
            "replicas: 1\nclusters: [{name: a, taints: [{key: a}]}]",
            "clusters[0].taints[0].effect: it is missing",
        ),
        ("{\"replicas\": 1,, }", "line 1"),
        ("{\"replicas\": 1", "line 1"),
        ("replicas: 1\n---\nreplicas: 2", "document 2 (line 3, column 1): there is more than one scenario"),
        ("replicas: 1\nreplicas: 2", "the key \"replicas\" appears twice"),
    ] {
        let error = parse_scenario(text).expect_err(text).to_string();
        assert!(error.contains(word), "{text:?}: {error}");
    }
}

#[test]
fn several_mistakes_are_reported_at_once() {
    let text = "replicas: -1\npolicy: {strategy: magic}\nclusters: [{name: A}, {name: b, room: x}]";
    assert_eq!(parse_scenario(text).unwrap_err().errors().len(), 4);
}

#[test]
fn as_many_clusters_as_a_federation_has_are_read() {
    let scenario = |count: usize| {
        let clusters = (0..count).map(|index| {
            format!("- {{name: c{index}, labels: {{tier: prod}}, region: eu, zones: [a, b], running: 3, room: 9}}\n")
        });
        format!("replicas: 5\nclusters:\n{}", clusters.collect::<String>())
    };
    assert_eq!(read(&scenario(CLUSTERS_MAX)).clusters.len(), CLUSTERS_MAX);
    let error = parse_scenario(&scenario(CLUSTERS_MAX + 1)).unwrap_err().to_string();
    assert!(error.ends_with("clusters: 10001 are too many; give at most 10000"), "{error}");
}
