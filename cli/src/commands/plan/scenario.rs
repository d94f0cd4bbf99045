//! Scenarios as they are written, and what the planner makes of them.

use godwit_manifest::parse_scenario;
use godwit_planner::scenario::plan;

fn placed(text: &str) -> Vec<(String, u32)> {
    let answer = plan(&parse_scenario(text).expect(text)).expect(text);
    let placements = answer.placements.into_iter();
    placements.map(|placement| (placement.cluster.to_string(), placement.replicas)).collect()
}

fn expected<const N: usize>(counts: [(&str, u32); N]) -> Vec<(String, u32)> {
    counts.map(|(name, replicas)| (name.to_owned(), replicas)).into()
}

#[test]
fn a_division_by_weight() {
    let text = "
replicas: 100
policy: {clusters: {alpha: {weight: 1}, bravo: {weight: 2}, charlie: {weight: 2}}}
clusters: [{name: charlie}, {name: alpha, labels: {zone: a}}, {name: bravo}, {name: delta}]
";
    assert_eq!(placed(text), expected([("alpha", 20), ("bravo", 40), ("charlie", 40)]));
}

#[test]
fn without_a_policy_all_clusters_are_alike() {
    let json = "{\n\t\"replicas\": 4,\n\t\"clusters\": [{\"name\": \"b\"}, {\"name\": \"a\"}]\n}";
    assert_eq!(placed(json), expected([("a", 2), ("b", 2)]));
}

#[test]
fn a_whole_spec_can_be_pasted() {
    let text = "
replicas: 1
policy: {strategy: weighted, default: {weight: 0}, clusters: {a: {min: 1}}, rebalance: always, lostAfter: 10s,
     mode: available, priority: 3, maxUnavailable: 0}
clusters: [{name: a}, {name: b}]
";
    assert_eq!(placed(text), expected([("a", 1), ("b", 0)]));
}

#[test]
fn strategies_divide_each_in_their_way() {
    let clusters = "clusters: [{name: a, room: 2}, {name: b, room: 8}]";
    for (policy, a, b) in [
        ("{strategy: weighted, clusters: {a: {weight: 1}, b: {weight: 3}}}", 1, 3),
        ("{strategy: capacity}", 1, 3),
        ("{strategy: spread}", 2, 2),
        ("{strategy: pack}", 0, 4),
        ("{strategy: ordered, tiers: [[a], [b]]}", 2, 2),
        ("{strategy: duplicate}", 2, 4),
    ] {
        let text = format!("replicas: 4\npolicy: {policy}\n{clusters}");
        assert_eq!(placed(&text), expected([("a", a), ("b", b)]), "{policy}");
    }
    let skewed = "
replicas: 9
policy: {strategy: spread, spread: [{by: cluster, maxSkew: 1}]}
clusters: [{name: a, room: 2}, {name: b}]
";
    assert_eq!(placed(skewed), expected([("a", 2), ("b", 3)]));
}

#[test]
fn what_clusters_are_like_decides_who_is_chosen() {
    let text = "
replicas: 6
policy: {rules: [{clusterSelector: {regions: [eu]}, weight: 2}, {clusterSelector: {matchLabels: {tier: spare}}}]}
clusters: [{name: a, region: eu}, {name: b, labels: {tier: spare}}, {name: c, region: us},
       {name: d, region: eu, taints: [{key: gone, effect: NoExecute}]}]
";
    assert_eq!(placed(text), expected([("a", 4), ("b", 2), ("d", 0)]));
}

#[test]
fn a_cluster_given_twice_is_refused_by_name() {
    let twice = parse_scenario("replicas: 1\nclusters: [{name: a}, {name: a}]").unwrap();
    let error = plan(&twice).unwrap_err().to_string();
    assert_eq!(error, "clusters: a is given twice; give each cluster once");
}
