//! Policies.

use std::collections::BTreeMap;
use std::time::Duration;

use godwit_hub_core::Policy;
use godwit_planner as planner;
use godwit_planner::{Rebalance, Rule};
use godwit_proto::store::v1 as wire;

use super::Invalid;
use super::parts::{known, name, unknown};

pub(super) fn to_wire(policy: &Policy) -> wire::Policy {
    let Policy { name, placement, lost_after, max_unavailable } = policy;
    let planner::Policy { default, clusters, rebalance, priority } = placement;
    let rebalance = match rebalance {
        Rebalance::Never => wire::Rebalance::Never,
        Rebalance::Gradual => wire::Rebalance::Gradual,
        Rebalance::Always => wire::Rebalance::Always,
    };
    let clusters = clusters.iter();
    wire::Policy {
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
    let default = policy.default.map(|rule| rule_from_wire("default", rule));
    Ok(Policy {
        name: name("name", &policy.name)?,
        placement: planner::Policy {
            default: default.transpose()?,
            clusters,
            rebalance,
            priority: policy.priority,
        },
        lost_after: Duration::from_millis(policy.lost_after_ms),
        max_unavailable: policy.max_unavailable,
    })
}

fn rule_to_wire(rule: Rule) -> wire::Rule {
    wire::Rule { weight: rule.weight(), min: rule.min(), max: rule.max() }
}

fn rule_from_wire(field: &str, rule: wire::Rule) -> Result<Rule, Invalid> {
    Rule::new(rule.weight, rule.min, rule.max).map_err(|error| Invalid::new(field, error))
}
