//! Policies: the one conversion between the message and the value that everyone plans by. Operators' requests, the hub's
//! store and the command line all use it, so that a policy means the same to each of them.
//!
//! Outward nothing can fail. Inward everything is checked: a policy is taken whole or refused whole, and a
//! [`FieldError`] says which field is wrong, with the value and the remedy. Here is only what the form of the message
//! leaves open; what no policy may say is checked by [`Policy::check`], as it is for manifests.

mod check;
mod gate;
mod mistake;
mod motion;
mod overrides;
mod rollout;
mod rules;
mod selector;
mod strategy;
#[cfg(test)]
mod tests;
mod toleration;

use std::time::Duration;

use godwit_common::policy::limits::{AFFINITY_MAX, FALLBACK_MAX, OVERRIDES_MAX, TOLERATIONS_MAX};
use godwit_common::policy::{Affinity, ClusterSelector, Data, Policy, Prestage, Rebalance, Rollout};

use crate::field::FieldError;
use crate::v1;
use check::{list, one_of};
pub use overrides::{from_wire as override_from_wire, to_wire as override_to_wire};
pub use selector::labels_from_wire;

/// All that a policy says, but for its name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// How replicas are divided, and moved.
    pub placement: Policy,
    /// When silence counts as a loss (S1); none if the policy does not say.
    pub lost_after: Option<Duration>,
}

/// A selector of clusters that stands for itself, outside of a policy.
pub fn selector_to_wire(selector: &ClusterSelector) -> v1::ClusterSelector {
    selector::to_wire(selector)
}

/// What it says. `at` is where it stands: errors put it before the field.
pub fn selector_from_wire(at: &str, wire: &v1::ClusterSelector) -> Result<ClusterSelector, FieldError> {
    let selector = selector_from_store(at, wire)?;
    if selector.is_empty() {
        return Err(FieldError::new(at, "it chooses every cluster: name some, or leave it out"));
    }
    // The same rules as in a policy; where it stands there is not where it stands here.
    let within = Policy { selector: selector.clone(), ..Policy::default() };
    match within.check_parts().into_iter().next().map(FieldError::from) {
        None => Ok(selector),
        Some(mistake) => {
            let field = mistake.field.strip_prefix("cluster_selector").unwrap_or(&mistake.field);
            Err(FieldError::new(field.trim_start_matches('.'), mistake.problem).within(at))
        }
    }
}

/// The same of one that was checked when it was taken.
pub fn selector_from_store(at: &str, wire: &v1::ClusterSelector) -> Result<ClusterSelector, FieldError> {
    selector::from_wire(wire).map_err(|error| error.within(at))
}

/// The message, with every default filled in.
pub fn to_wire(placement: &Policy, lost_after: Option<Duration>) -> v1::PolicySpec {
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
        motion,
        rollout,
        data,
        divide,
        prestage,
        export_services,
        overrides,
    } = placement;
    let mut spec = v1::PolicySpec {
        default: default.map(rules::rule_to_wire),
        clusters: rules::entries_to_wire(clusters),
        rebalance: rebalance.name().to_owned(),
        lost_after: lost_after.map(duration_to_wire),
        priority: *priority,
        cluster_selector: Some(selector).filter(|one| !one.is_empty()).map(selector::to_wire),
        rules: rules.iter().map(rules::selected_to_wire).collect(),
        fallback: fallback.iter().map(selector::to_wire).collect(),
        tolerations: tolerations.iter().map(toleration::to_wire).collect(),
        affinity: with.iter().map(selector::workloads_to_wire).collect(),
        anti_affinity: without.iter().map(selector::workloads_to_wire).collect(),
        colocate: *colocate,
        preemptible: *preemptible,
        rollout: Some(rollout).filter(|one| **one != Rollout::default()).map(rollout::to_wire),
        data: data.name().to_owned(),
        divide: *divide,
        prestage: prestage.name().to_owned(),
        export_services: *export_services,
        overrides: overrides.iter().map(overrides::to_wire).collect(),
        ..v1::PolicySpec::default()
    };
    strategy::to_wire(strategy, &mut spec);
    motion::to_wire(motion, &mut spec);
    spec
}

/// What the message says. `at` is where it stands, such as `policy.spec`: errors put it before the field.
pub fn from_wire(at: &str, spec: &v1::PolicySpec) -> Result<Terms, FieldError> {
    let terms = from_store(at, spec)?;
    match terms.placement.check().into_iter().next() {
        None => Ok(terms),
        Some(mistake) => Err(FieldError::from(mistake).within(at)),
    }
}

/// The same of a policy that was checked when it was taken. What is refused today was not always refused, and must not
/// keep a hub from its own store.
pub fn from_store(at: &str, spec: &v1::PolicySpec) -> Result<Terms, FieldError> {
    read(spec).map_err(|error| error.within(at))
}

fn read(spec: &v1::PolicySpec) -> Result<Terms, FieldError> {
    let strategy = strategy::from_wire(spec)?;
    let selector = spec.cluster_selector.as_ref().map(selector::from_wire).transpose();
    let default = spec.default.as_ref().map(rules::rule_from_wire).transpose();
    let rebalance = Rebalance::ALL.map(|choice| (choice.name(), choice));
    let rollout = spec.rollout.as_ref().map(rollout::from_wire).transpose();
    let data = Data::ALL.map(|choice| (choice.name(), choice));
    let prestage = Prestage::ALL.map(|choice| (choice.name(), choice));
    let placement = Policy {
        strategy,
        selector: selector.map_err(|error| error.within("cluster_selector"))?.unwrap_or_default(),
        fallback: list("fallback", &spec.fallback, FALLBACK_MAX, selector::from_wire)?,
        tolerations: list("tolerations", &spec.tolerations, TOLERATIONS_MAX, toleration::from_wire)?,
        affinity: affinity(spec)?,
        default: default.map_err(|error| error.within("default"))?,
        clusters: rules::entries_from_wire(&spec.clusters)?,
        rules: rules::selected_from_wire(&spec.rules)?,
        rebalance: one_of("rebalance", &spec.rebalance, &rebalance)?,
        priority: spec.priority,
        preemptible: spec.preemptible,
        motion: motion::from_wire(spec)?,
        rollout: rollout.map_err(|error| error.within("rollout"))?.unwrap_or_default(),
        data: one_of("data", &spec.data, &data)?,
        divide: spec.divide,
        prestage: one_of("prestage", &spec.prestage, &prestage)?,
        export_services: spec.export_services,
        overrides: list("overrides", &spec.overrides, OVERRIDES_MAX, overrides::from_wire)?,
    };
    Ok(Terms {
        placement,
        lost_after: spec.lost_after.as_ref().map(|wire| duration("lost_after", wire)).transpose()?,
    })
}

fn affinity(spec: &v1::PolicySpec) -> Result<Affinity, FieldError> {
    let selectors = |field, wire| list(field, wire, AFFINITY_MAX, selector::workloads_from_wire);
    Ok(Affinity {
        with: selectors("affinity", &spec.affinity)?,
        without: selectors("anti_affinity", &spec.anti_affinity)?,
        colocate: spec.colocate,
    })
}

/// Any length that is one: how long it may be is for those to say who set it.
fn duration(field: &str, wire: &prost_types::Duration) -> Result<Duration, FieldError> {
    let wrong = || format!("{wire} is out of range: it must not be below 0s");
    Duration::try_from(*wire).map_err(|_| FieldError::new(field, wrong()))
}

/// A duration beyond what the message holds is as good as endless.
fn duration_to_wire(duration: Duration) -> prost_types::Duration {
    let most = prost_types::Duration { seconds: i64::MAX, nanos: 0 };
    prost_types::Duration::try_from(duration).unwrap_or(most)
}
