//! Reading what one cluster may get: the rules of a policy.

use std::collections::BTreeMap;

use godwit_common::ClusterName;
use godwit_common::policy::{ClusterSelector, REPLICAS_MAX, Rule, WEIGHT_MAX};

use super::{CLUSTERS_MAX, selector};
use crate::field::{Field, Object};

/// The most rules by selector: each cluster is tried against one after the other.
const RULES_MAX: usize = 1_000;

/// A rule; what it leaves out has the default's value.
pub(super) fn read(field: &Field<'_>) -> Rule {
    let Some(object) = field.object() else {
        return Rule::default();
    };
    object.only(&["weight", "min", "max"]);
    numbers(&object)
}

/// The rules under `clusters`.
pub(super) fn by_name(spec: &Object<'_>) -> BTreeMap<ClusterName, Rule> {
    let Some(object) = spec.mapping("clusters") else {
        return BTreeMap::new();
    };
    let mut clusters = BTreeMap::new();
    for (name, field) in object.fields() {
        match name.parse::<ClusterName>() {
            Ok(name) => {
                clusters.insert(name, read(&field));
            }
            Err(error) => field.refuse(error.to_string(), "write the name of a cluster"),
        }
        if clusters.len() > CLUSTERS_MAX {
            let problem = format!("there are more than {CLUSTERS_MAX} clusters");
            object.at.refuse(problem, "name only those that differ from the default");
            break;
        }
    }
    clusters
}

/// The rules under `rules`, one for each item even after a mistake: the place of a rule is its number.
pub(super) fn by_selector(spec: &Object<'_>) -> Vec<(ClusterSelector, Rule)> {
    let Some(field) = spec.get("rules") else {
        return Vec::new();
    };
    field.items_up_to(RULES_MAX).iter().map(|item| with_selector(item).unwrap_or_default()).collect()
}

fn with_selector(field: &Field<'_>) -> Option<(ClusterSelector, Rule)> {
    let object = field.object()?;
    object.only(&["clusterSelector", "weight", "min", "max"]);
    let rule = numbers(&object);
    let chooses_all = "say which clusters it is for (a rule for all others is spec.default)";
    let at = object.require("clusterSelector", chooses_all)?;
    let before = at.mistakes();
    let selector = selector::read(&at)?;
    if selector.is_empty() && at.mistakes() == before {
        at.refuse("it chooses all clusters", chooses_all);
    }
    Some((selector, rule))
}

fn numbers(object: &Object<'_>) -> Rule {
    let number = |key, max| object.get(key).and_then(|field| field.count(max));
    let weight = number("weight", WEIGHT_MAX).unwrap_or(Rule::default().weight());
    let min = number("min", REPLICAS_MAX).unwrap_or(Rule::default().min());
    let max = number("max", REPLICAS_MAX);
    if let Some(max) = max.filter(|max| *max < min) {
        object.at.refuse(format!("min {min} is larger than max {max}"), "lower min or raise max");
    }
    // What the type refuses was refused above, with its place.
    Rule::new(weight, min, max).unwrap_or_default()
}
