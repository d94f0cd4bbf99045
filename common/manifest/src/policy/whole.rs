//! What no single field of a policy shows.

use std::collections::BTreeMap;

use godwit_common::ClusterName;
use godwit_common::policy::{ClusterSelector, Mismatch, Place, Policy, Rule};

use crate::error::MAX_ERRORS;
use crate::field::{Field, Object};

/// What a strategy does not heed, it refuses: every rule of the kind is reported.
pub(super) fn check(spec: &Object<'_>, placement: &Policy) {
    let mut left = placement.clone();
    // Errors that nobody will see are not worth their time.
    for _ in 0..=MAX_ERRORS {
        let Err(Mismatch { place, problem }) = left.check() else {
            return;
        };
        refuse(&at(spec, &place).unwrap_or_else(|| spec.at.clone()), problem);
        match place {
            Place::Default => left.default = None,
            Place::Cluster(name) => {
                left.clusters.remove(&name);
            }
            // The others keep their numbers.
            Place::Rule(index) => match left.rules.get_mut(index) {
                Some((_, rule)) => *rule = Rule::default(),
                None => return,
            },
        }
    }
}

/// That replicas can be placed at all.
pub(crate) fn check_reach(spec: &Object<'_>, placement: &Policy) {
    let Policy { default, clusters, rules, .. } = placement;
    let is_alike = match placement.strategy.tiers() {
        _ if default.is_some() => false,
        // In a tier, a cluster without a rule of its own has the common one.
        Some(tiers) => tiers.selectors().iter().any(|tier| holds_others(tier, clusters)),
        None => clusters.is_empty() && rules.is_empty(),
    };
    let by_selector = rules.iter().map(|(_, rule)| rule);
    let mut all = clusters.values().chain(by_selector).chain(default).copied();
    if !is_alike && !all.any(|rule: Rule| (rule.weight() > 0 || rule.min() > 0) && rule.max() != Some(0)) {
        spec.at.refuse(
            "no cluster can ever get a replica: every weight is 0",
            "give the default or one of the clusters a weight above 0",
        );
    }
}

/// Whether a tier may hold clusters that have no entry.
fn holds_others(tier: &ClusterSelector, entries: &BTreeMap<ClusterName, Rule>) -> bool {
    tier.names.is_empty() || tier.names.iter().any(|name| !entries.contains_key(name))
}

/// Where a rule stands.
fn at<'a>(spec: &Object<'a>, place: &Place) -> Option<Field<'a>> {
    match place {
        Place::Default => spec.get("default"),
        Place::Cluster(name) => spec.get("clusters")?.object()?.get(name.as_str()),
        Place::Rule(index) => spec.get("rules")?.items().into_iter().nth(*index),
    }
}

/// Reports a rule, under its own field where the problem begins with the name of one.
fn refuse(rule: &Field<'_>, problem: &str) {
    let (part, reason) = problem.split_once(": ").unwrap_or(("", problem));
    match rule.object().and_then(|rule| rule.get(part)) {
        Some(field) => {
            field.refuse_as_said(&format!("{} is not valid here: {reason}", field.node.describe()));
        }
        None => rule.refuse_as_said(problem),
    }
}
