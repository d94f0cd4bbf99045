//! The file of `godwit plan`.

use std::collections::BTreeMap;

use godwit_common::ClusterName;
use godwit_planner::scenario::{Cluster, Scenario};
use godwit_planner::{Policy, Rebalance, Rule};
use serde::Deserialize;
use serde::de::IgnoredAny;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    replicas: u32,
    #[serde(default)]
    policy: PolicyFields,
    #[serde(default)]
    clusters: Vec<ClusterFields>,
}

/// The fields of a Policy's spec. Those that say nothing about a division are taken, so that a spec can be pasted here.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
struct PolicyFields {
    strategy: Strategy,
    default: Option<RuleFields>,
    clusters: BTreeMap<String, RuleFields>,
    rebalance: RebalanceField,
    priority: i32,
    #[serde(rename = "lostAfter")]
    _lost_after: IgnoredAny,
    #[serde(rename = "mode")]
    _mode: IgnoredAny,
    #[serde(rename = "maxSurge")]
    _max_surge: IgnoredAny,
    #[serde(rename = "maxUnavailable")]
    _max_unavailable: IgnoredAny,
    #[serde(rename = "onReturn")]
    _on_return: IgnoredAny,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Strategy {
    #[default]
    Weighted,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
enum RebalanceField {
    #[default]
    Never,
    Gradual,
    Always,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RuleFields {
    weight: Option<u32>,
    min: Option<u32>,
    max: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClusterFields {
    name: String,
    #[serde(default, rename = "labels")]
    _labels: BTreeMap<String, String>,
    #[serde(default)]
    running: u32,
    #[serde(default)]
    room: Option<u32>,
}

/// Reads a scenario from YAML or JSON.
pub(super) fn parse(text: &str) -> Result<Scenario, String> {
    // JSON may be indented by tabs, which YAML takes for a mistake.
    let file: File = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| error.to_string())?
    } else {
        serde_saphyr::from_str(text).map_err(|error| error.to_string())?
    };
    let Strategy::Weighted = file.policy.strategy;
    let default = match (&file.policy.default, file.policy.clusters.is_empty()) {
        (Some(fields), _) => Some(rule("policy.default", fields)?),
        (None, true) => Some(Rule::default()),
        (None, false) => None,
    };
    let mut rules = BTreeMap::new();
    for (name, fields) in &file.policy.clusters {
        let field = format!("policy.clusters.{name}");
        let name: ClusterName = name.parse().map_err(|error| format!("{field}: {error}"))?;
        rules.insert(name, rule(&field, fields)?);
    }
    let rebalance = match file.policy.rebalance {
        RebalanceField::Never => Rebalance::Never,
        RebalanceField::Gradual => Rebalance::Gradual,
        RebalanceField::Always => Rebalance::Always,
    };
    let clusters: Result<Vec<Cluster>, String> = file.clusters.into_iter().enumerate().map(cluster).collect();
    Ok(Scenario {
        replicas: file.replicas,
        policy: Policy { default, clusters: rules, rebalance, priority: file.policy.priority },
        clusters: clusters?,
    })
}

fn rule(field: &str, fields: &RuleFields) -> Result<Rule, String> {
    let rule = Rule::new(fields.weight.unwrap_or(1), fields.min.unwrap_or(0), fields.max);
    rule.map_err(|error| format!("{field}: {error}"))
}

fn cluster((index, fields): (usize, ClusterFields)) -> Result<Cluster, String> {
    let name = fields.name.parse();
    Ok(Cluster {
        name: name.map_err(|error| format!("clusters[{index}].name: {error}"))?,
        running: fields.running,
        room: fields.room,
    })
}

#[cfg(test)]
mod tests {
    use godwit_planner::scenario::plan;

    use super::*;

    fn placed(text: &str) -> Vec<(String, u32)> {
        let answer = plan(&parse(text).expect(text)).expect(text);
        let placements = answer.placements.into_iter();
        placements.map(|placement| (placement.cluster.to_string(), placement.replicas)).collect()
    }

    #[test]
    fn a_division_by_weight() {
        let text = "
replicas: 100
policy: {clusters: {alpha: {weight: 1}, bravo: {weight: 2}, charlie: {weight: 2}}}
clusters: [{name: charlie}, {name: alpha, labels: {zone: a}}, {name: bravo}, {name: delta}]
";
        let expected = [("alpha", 20), ("bravo", 40), ("charlie", 40)].map(|(name, n)| (name.to_owned(), n));
        assert_eq!(placed(text), expected);
    }

    #[test]
    fn without_a_policy_all_clusters_are_alike() {
        let json = "{\n\t\"replicas\": 4,\n\t\"clusters\": [{\"name\": \"b\"}, {\"name\": \"a\"}]\n}";
        assert_eq!(placed(json), [("a".to_owned(), 2), ("b".to_owned(), 2)]);
    }

    #[test]
    fn a_whole_spec_can_be_pasted() {
        let text = "
replicas: 1
policy: {strategy: weighted, default: {weight: 0}, clusters: {a: {min: 1}}, rebalance: always, lostAfter: 10s,
         mode: available, priority: 3, maxSurge: 25%, maxUnavailable: 0, onReturn: keepReplacement}
clusters: [{name: a}, {name: b}]
";
        assert_eq!(placed(text), [("a".to_owned(), 1), ("b".to_owned(), 0)]);
    }

    #[test]
    fn mistakes_name_the_field() {
        for (text, word) in [
            ("", "unexpected end of input"),
            ("{}", "replicas"),
            ("clusters: []", "replicas"),
            ("replicas: -1", "-1"),
            ("replicas: 5000000000", "5000000000"),
            ("replicas: 1\nreplica: 2", "replica"),
            ("replicas: 1\npolicy: {strategy: magic}", "magic"),
            ("replicas: 1\npolicy: {clusters: {a: {min: 3, max: 2}}}", "policy.clusters.a"),
            ("replicas: 1\npolicy: {clusters: {A_: {}}}", "policy.clusters.A_"),
            ("replicas: 1\nclusters: [{name: a}, {name: ''}]", "clusters[1].name"),
            ("{\"replicas\": 1,}", "line 1"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(word), "{text:?}: {error}");
        }
    }
}
