//! Policies: the one conversion between the message and the value that everyone plans by. Operators' requests, the hub's
//! store and the command line all use it, so that a policy means the same to each of them.
//!
//! Outward nothing can fail. Inward everything is checked: a policy is taken whole or refused whole, and a
//! [`FieldError`] says which field is wrong, with the value and the remedy.

mod check;
mod rules;
mod selector;
mod strategy;
#[cfg(test)]
mod tests;
mod toleration;

use std::collections::BTreeSet;
use std::time::Duration;

use godwit_common::policy::{Affinity, ClusterSelector, Policy, Rebalance};

use crate::field::FieldError;
use crate::v1;
use check::{bounded, list, one_of};

/// The most entries by cluster, and the most names in one selector: as many as a federation has clusters.
pub const CLUSTERS_MAX: usize = 10_000;
/// The most rules by selector: each is looked at for every cluster.
pub const RULES_MAX: usize = 1_000;
/// The most tiers; more than anyone can order by hand.
pub const TIERS_MAX: usize = 64;
/// The most fallback groups; likewise.
pub const FALLBACK_MAX: usize = 64;
/// The most constraints of a spread: there are no more kinds of groups to nest.
pub const SPREAD_MAX: usize = 4;
/// The most tolerations: as many as a cluster has taints.
pub const TOLERATIONS_MAX: usize = 64;
/// The most selectors of workloads to be near, and to be away from: each is looked up for every placement.
pub const AFFINITY_MAX: usize = 16;
/// The most values of any other list.
pub const VALUES_MAX: usize = 1_000;
/// The longest text, in bytes: the key of a Kubernetes label, a prefix of 253, a slash and a name of 63.
pub const TEXT_MAX: usize = 253 + 1 + 63;
/// The highest priority; the lowest is as far below zero.
pub const PRIORITY_MAX: i32 = 1_000;
/// The most ready replicas that a planned step may go below the total: as many as a workload may have.
pub const UNAVAILABLE_MAX: u32 = 1_000_000;

/// All that a policy says, but for its name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// How replicas are divided.
    pub placement: Policy,
    /// When silence counts as a loss (S1); none if the policy does not say.
    pub lost_after: Option<Duration>,
    /// How many ready replicas below the total a planned step may go (S20).
    pub max_unavailable: u32,
}

/// The message, with every default filled in.
pub fn to_wire(placement: &Policy, lost_after: Option<Duration>, max_unavailable: u32) -> v1::PolicySpec {
    let Policy {
        strategy,
        selector,
        fallback,
        tolerations,
        affinity: Affinity { with, without, colocate },
        default,
        clusters,
        rules,
        rebalance,
        priority,
        preemptible,
    } = placement;
    let rebalance = match rebalance {
        Rebalance::Never => "never",
        Rebalance::Gradual => "gradual",
        Rebalance::Always => "always",
    };
    let mut spec = v1::PolicySpec {
        default: default.map(rules::rule_to_wire),
        clusters: rules::entries_to_wire(clusters),
        rebalance: rebalance.to_owned(),
        lost_after: lost_after.map(duration_to_wire),
        mode: "available".to_owned(),
        priority: *priority,
        max_unavailable,
        cluster_selector: Some(selector).filter(|one| !one.is_empty()).map(selector::to_wire),
        rules: rules.iter().map(rules::selected_to_wire).collect(),
        fallback: fallback.iter().map(selector::to_wire).collect(),
        tolerations: tolerations.iter().map(toleration::to_wire).collect(),
        affinity: with.iter().map(selector::workloads_to_wire).collect(),
        anti_affinity: without.iter().map(selector::workloads_to_wire).collect(),
        colocate: *colocate,
        preemptible: *preemptible,
        ..v1::PolicySpec::default()
    };
    strategy::to_wire(strategy, &mut spec);
    spec
}

/// What the message says. `at` is where it stands, such as `policy.spec`: errors put it before the field.
pub fn from_wire(at: &str, spec: &v1::PolicySpec) -> Result<Terms, FieldError> {
    read(spec).map_err(|error| error.within(at))
}

fn read(spec: &v1::PolicySpec) -> Result<Terms, FieldError> {
    one_of("mode", &spec.mode, &["available"])?;
    let strategy = strategy::from_wire(spec)?;
    let selector = spec.cluster_selector.as_ref().map(selector::from_wire).transpose();
    let default = spec.default.as_ref().map(rules::rule_from_wire).transpose();
    let placement = Policy {
        strategy,
        selector: selector.map_err(|error| error.within("cluster_selector"))?.unwrap_or_default(),
        fallback: fallback(&spec.fallback)?,
        tolerations: list("tolerations", &spec.tolerations, TOLERATIONS_MAX, toleration::from_wire)?,
        affinity: affinity(spec)?,
        default: default.map_err(|error| error.within("default"))?,
        clusters: rules::entries_from_wire(&spec.clusters)?,
        rules: rules::selected_from_wire(&spec.rules)?,
        rebalance: match one_of("rebalance", &spec.rebalance, &["never", "gradual", "always"])? {
            "gradual" => Rebalance::Gradual,
            "always" => Rebalance::Always,
            _ => Rebalance::Never,
        },
        priority: priority(spec.priority)?,
        preemptible: spec.preemptible,
    };
    rules::check(&placement)?;
    Ok(Terms {
        placement,
        lost_after: spec.lost_after.as_ref().map(duration).transpose()?,
        max_unavailable: bounded("max_unavailable", spec.max_unavailable, UNAVAILABLE_MAX)?,
    })
}

/// A group that is there twice is a mistake: the second would never be used.
fn fallback(wire: &[v1::ClusterSelector]) -> Result<Vec<ClusterSelector>, FieldError> {
    let groups = list("fallback", wire, FALLBACK_MAX, selector::from_wire)?;
    let mut seen = BTreeSet::new();
    match groups.iter().position(|group| !seen.insert(group)) {
        None => Ok(groups),
        Some(index) => {
            let field = format!("fallback[{index}]");
            Err(FieldError::new(field, "it is there already: leave out one of the two"))
        }
    }
}

fn affinity(spec: &v1::PolicySpec) -> Result<Affinity, FieldError> {
    let selectors = |field, wire| list(field, wire, AFFINITY_MAX, selector::workloads_from_wire);
    Ok(Affinity {
        with: selectors("affinity", &spec.affinity)?,
        without: selectors("anti_affinity", &spec.anti_affinity)?,
        colocate: spec.colocate,
    })
}

fn priority(value: i32) -> Result<i32, FieldError> {
    if (-PRIORITY_MAX..=PRIORITY_MAX).contains(&value) {
        return Ok(value);
    }
    let problem = format!("{value} is out of range: it must be from -{PRIORITY_MAX} to {PRIORITY_MAX}");
    Err(FieldError::new("priority", problem))
}

/// Any length that is one: how long it may be is for those to say who set it.
fn duration(wire: &prost_types::Duration) -> Result<Duration, FieldError> {
    let wrong = || format!("{wire} is out of range: it must not be below 0s");
    Duration::try_from(*wire).map_err(|_| FieldError::new("lost_after", wrong()))
}

/// A duration beyond what the message holds is as good as endless.
fn duration_to_wire(duration: Duration) -> prost_types::Duration {
    let most = prost_types::Duration { seconds: i64::MAX, nanos: 0 };
    prost_types::Duration::try_from(duration).unwrap_or(most)
}
