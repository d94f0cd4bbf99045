//! Policies.

use std::collections::BTreeMap;
use std::time::Duration;

use godwit_common::ClusterName;
use godwit_hub_core::Policy;
use godwit_planner as planner;
use godwit_planner::{Rebalance, Rule, Strategy, Tiers};
use godwit_proto::store::v1 as wire;

use super::Invalid;
use super::parts::{known, name, unknown};

pub(super) fn to_wire(policy: &Policy) -> wire::Policy {
    let Policy { name, placement, lost_after, max_unavailable } = policy;
    let planner::Policy { strategy, default, clusters, rebalance, priority } = placement;
    let rebalance = match rebalance {
        Rebalance::Never => wire::Rebalance::Never,
        Rebalance::Gradual => wire::Rebalance::Gradual,
        Rebalance::Always => wire::Rebalance::Always,
    };
    let clusters = clusters.iter();
    let (kind, max_skew) = match strategy {
        Strategy::Weighted => (wire::Strategy::Weighted, None),
        Strategy::Capacity => (wire::Strategy::Capacity, None),
        Strategy::Spread { max_skew } => (wire::Strategy::Spread, *max_skew),
        Strategy::Pack => (wire::Strategy::Pack, None),
        Strategy::Ordered(_) => (wire::Strategy::Ordered, None),
        Strategy::Duplicate => (wire::Strategy::Duplicate, None),
    };
    let tiers = strategy
        .tiers()
        .map_or_else(Vec::new, |tiers| tiers.lists().iter().map(|tier| tier_to_wire(tier)).collect());
    wire::Policy {
        strategy: kind.into(),
        tiers,
        max_skew,
        name: name.to_string(),
        default: default.map(rule_to_wire),
        clusters: clusters.map(|(cluster, rule)| (cluster.to_string(), rule_to_wire(*rule))).collect(),
        rebalance: rebalance.into(),
        priority: *priority,
        lost_after_ms: u64::try_from(lost_after.as_millis()).unwrap_or(u64::MAX),
        max_unavailable: *max_unavailable,
    }
}

pub(super) fn from_wire(policy: wire::Policy) -> Result<Policy, Invalid> {
    let rebalance = match known("rebalance", policy.rebalance)? {
        wire::Rebalance::Never => Rebalance::Never,
        wire::Rebalance::Gradual => Rebalance::Gradual,
        wire::Rebalance::Always => Rebalance::Always,
        wire::Rebalance::Unspecified => return Err(unknown("rebalance", policy.rebalance)),
    };
    let mut clusters = BTreeMap::new();
    for (cluster, rule) in policy.clusters {
        clusters.insert(name("clusters", &cluster)?, rule_from_wire("clusters", rule)?);
    }
    let strategy = match known("strategy", policy.strategy)? {
        wire::Strategy::Unspecified | wire::Strategy::Weighted => Strategy::Weighted,
        wire::Strategy::Capacity => Strategy::Capacity,
        wire::Strategy::Spread => Strategy::Spread { max_skew: policy.max_skew },
        wire::Strategy::Pack => Strategy::Pack,
        wire::Strategy::Ordered => Strategy::Ordered(tiers_from_wire(policy.tiers)?),
        wire::Strategy::Duplicate => Strategy::Duplicate,
    };
    let default = policy.default.map(|rule| rule_from_wire("default", rule));
    Ok(Policy {
        name: name("name", &policy.name)?,
        placement: planner::Policy {
            strategy,
            default: default.transpose()?,
            clusters,
            rebalance,
            priority: policy.priority,
        },
        lost_after: Duration::from_millis(policy.lost_after_ms),
        max_unavailable: policy.max_unavailable,
    })
}

fn tier_to_wire(clusters: &[ClusterName]) -> wire::Tier {
    wire::Tier { clusters: clusters.iter().map(ToString::to_string).collect() }
}

fn tiers_from_wire(tiers: Vec<wire::Tier>) -> Result<Tiers, Invalid> {
    let tier = |tier: wire::Tier| tier.clusters.iter().map(|cluster| name("tiers", cluster)).collect();
    let lists = tiers.into_iter().map(tier).collect::<Result<_, _>>()?;
    Tiers::new(lists).map_err(|error| Invalid::new("tiers", error))
}

fn rule_to_wire(rule: Rule) -> wire::Rule {
    wire::Rule { weight: rule.weight(), min: rule.min(), max: rule.max() }
}

fn rule_from_wire(field: &str, rule: wire::Rule) -> Result<Rule, Invalid> {
    Rule::new(rule.weight, rule.min, rule.max).map_err(|error| Invalid::new(field, error))
}
