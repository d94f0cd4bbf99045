//! The file of `godwit plan`.

use std::collections::BTreeMap;

use godwit_common::ClusterName;
use godwit_planner::scenario::{Cluster, Scenario};
use godwit_planner::{Policy, REPLICAS_MAX, Rebalance, Rule, Strategy, Tiers};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

/// How much of a wrong value is shown.
const SHOWN_MAX: usize = 80;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    replicas: Value,
    #[serde(default)]
    policy: PolicyFields,
    #[serde(default)]
    clusters: Vec<ClusterFields>,
}

/// The fields of a Policy's spec. Those that say nothing about a division are taken, so that a spec can be pasted here.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
struct PolicyFields {
    strategy: StrategyField,
    tiers: Option<Vec<Vec<String>>>,
    max_skew: Option<Value>,
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
enum StrategyField {
    #[default]
    Weighted,
    Capacity,
    Spread,
    Pack,
    Ordered,
    Duplicate,
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
    weight: Option<Value>,
    min: Option<Value>,
    max: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClusterFields {
    name: String,
    #[serde(default, rename = "labels")]
    _labels: BTreeMap<String, String>,
    #[serde(default)]
    running: Option<Value>,
    #[serde(default)]
    room: Option<Value>,
}

/// Reads a scenario from YAML or JSON.
pub(super) fn parse(text: &str) -> Result<Scenario, String> {
    // JSON may be indented by tabs, which YAML takes for a mistake.
    let file: File = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| error.to_string())?
    } else {
        serde_saphyr::from_str(text).map_err(|error| error.without_snippet().to_string())?
    };
    let strategy = strategy(&file.policy)?;
    let default = file.policy.default.as_ref().map(|fields| rule("policy.default", fields)).transpose()?;
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
        replicas: number("replicas", Some(&file.replicas))?.ok_or("replicas: give the total")?,
        policy: Policy { strategy, default, clusters: rules, rebalance, priority: file.policy.priority },
        clusters: clusters?,
    })
}

fn strategy(policy: &PolicyFields) -> Result<Strategy, String> {
    let max_skew = number("policy.maxSkew", policy.max_skew.as_ref())?;
    let strategy = match policy.strategy {
        StrategyField::Weighted => Strategy::Weighted,
        StrategyField::Capacity => Strategy::Capacity,
        StrategyField::Spread => Strategy::Spread { max_skew },
        StrategyField::Pack => Strategy::Pack,
        StrategyField::Ordered => Strategy::Ordered(tiers(policy.tiers.as_deref().unwrap_or_default())?),
        StrategyField::Duplicate => Strategy::Duplicate,
    };
    if strategy.tiers().is_none() && policy.tiers.is_some() {
        return Err("policy.tiers: only the strategy ordered has tiers; remove them".to_owned());
    }
    match (&strategy, max_skew) {
        (Strategy::Spread { .. }, Some(0)) => {
            Err("policy.maxSkew: 0 is too small; give at least 1".to_owned())
        }
        (Strategy::Spread { .. }, _) | (_, None) => Ok(strategy),
        (_, Some(_)) => Err("policy.maxSkew: only the strategy spread has a skew; remove it".to_owned()),
    }
}

fn tiers(lists: &[Vec<String>]) -> Result<Tiers, String> {
    let tier = |names: &Vec<String>| names.iter().map(|name| name.parse()).collect();
    let lists = lists.iter().map(tier).collect::<Result<_, _>>();
    let lists = lists.map_err(|error: godwit_common::NameError| format!("policy.tiers: {error}"))?;
    Tiers::new(lists).map_err(|error| format!("policy.tiers: {error}"))
}

fn rule(field: &str, fields: &RuleFields) -> Result<Rule, String> {
    let part = |name: &str, value: &Option<Value>| number(&format!("{field}.{name}"), value.as_ref());
    let weight = part("weight", &fields.weight)?.unwrap_or(1);
    let min = part("min", &fields.min)?.unwrap_or(0);
    Rule::new(weight, min, part("max", &fields.max)?).map_err(|error| format!("{field}: {error}"))
}

fn cluster((index, fields): (usize, ClusterFields)) -> Result<Cluster, String> {
    let field = |name: &str| format!("clusters[{index}].{name}");
    let name = fields.name.parse();
    Ok(Cluster {
        name: name.map_err(|error| format!("{}: {error}", field("name")))?,
        running: number(&field("running"), fields.running.as_ref())?.unwrap_or(0),
        room: number(&field("room"), fields.room.as_ref())?,
    })
}

/// A count; absent like null. Read from a value of any type, so that the mistake can be named.
fn number(field: &str, value: Option<&Value>) -> Result<Option<u32>, String> {
    let wrong = |value: &Value| {
        let shown: String = value.to_string().chars().take(SHOWN_MAX).collect();
        format!("{field}: {shown} is not valid; write a whole number from 0 to {REPLICAS_MAX}")
    };
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let count = value.as_u64().and_then(|count| u32::try_from(count).ok());
            count.filter(|count| *count <= REPLICAS_MAX).map(Some).ok_or_else(|| wrong(value))
        }
    }
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
            let expected = [("a".to_owned(), a), ("b".to_owned(), b)];
            assert_eq!(placed(&format!("replicas: 4\npolicy: {policy}\n{clusters}")), expected, "{policy}");
        }
        let skewed =
            "replicas: 9\npolicy: {strategy: spread, maxSkew: 1}\nclusters: [{name: a, room: 2}, {name: b}]";
        assert_eq!(placed(skewed), [("a".to_owned(), 2), ("b".to_owned(), 3)]);
    }

    #[test]
    fn what_does_not_go_with_a_strategy_is_refused() {
        for (policy, word) in [
            ("{strategy: pack, tiers: [[a]]}", "policy.tiers: only the strategy ordered"),
            ("{maxSkew: 1}", "policy.maxSkew: only the strategy spread"),
            ("{strategy: spread, maxSkew: 0}", "policy.maxSkew: 0"),
            ("{strategy: ordered}", "policy.tiers: there are none"),
            ("{strategy: ordered, tiers: [[a, a]]}", "policy.tiers: a is named twice"),
            ("{strategy: ordered, tiers: [[A]]}", "policy.tiers: cluster name \"A\""),
            ("{strategy: pack, clusters: {a: {weight: 2}}}", "policy.clusters.a: weight: only"),
            ("{strategy: duplicate, default: {max: 2}}", "policy.default: min, max: with duplicate"),
            ("{strategy: ordered, tiers: [[a]], clusters: {b: {}}}", "policy.clusters.b: it is in no tier"),
        ] {
            let text = format!("replicas: 1\npolicy: {policy}");
            let error = parse(&text).and_then(|scenario| plan(&scenario).map_err(|error| error.to_string()));
            let error = error.map(|_| ()).expect_err(policy);
            assert!(error.contains(word), "{policy}: {error}");
        }
    }

    #[test]
    fn mistakes_name_the_field() {
        for (text, word) in [
            ("", "unexpected end of input"),
            ("{}", "replicas"),
            ("clusters: []", "replicas"),
            ("replicas: ~", "replicas"),
            ("replicas: -1", "replicas: -1 is not valid; write a whole number from 0 to 2147483647"),
            ("replicas: many", "replicas: \"many\""),
            ("replicas: 1.5", "replicas: 1.5"),
            ("replicas: 1\npolicy: {clusters: {a: {weight: -1}}}", "policy.clusters.a.weight: -1"),
            ("replicas: 1\nclusters: [{name: a, room: [1]}]", "clusters[0].room: [1]"),
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
