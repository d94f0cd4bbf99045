//! Reading what one cluster may get: the rules of a policy.

use std::collections::BTreeMap;

use godwit_common::ClusterName;
use godwit_common::policy::limits::{CLUSTERS_MAX, RULES_MAX};
use godwit_common::policy::{ClusterSelector, REPLICAS_MAX, Rule, WEIGHT_MAX};

use super::{mistakes, selector};
use crate::field::{Field, Object};

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
    for (name, field) in object.fields_up_to(CLUSTERS_MAX) {
        match name.parse::<ClusterName>() {
            Ok(name) => {
                clusters.insert(name, read(&field));
            }
            Err(error) => field.refuse(error.to_string(), "write the name of a cluster"),
        }
    }
    clusters
}

/// The rules under `rules`.
pub(super) fn by_selector(spec: &Object<'_>) -> Vec<(ClusterSelector, Rule)> {
    let items = spec.get("rules").map(|field| field.items_up_to(RULES_MAX)).unwrap_or_default();
    items.iter().filter_map(with_selector).collect()
}

fn with_selector(field: &Field<'_>) -> Option<(ClusterSelector, Rule)> {
    let object = field.object()?;
    object.only(&["clusterSelector", "weight", "min", "max"]);
    let rule = numbers(&object);
    let remedy = "say which clusters it is for (a rule for all others is the policy's default)";
    let selector = selector::read(&object.require("clusterSelector", remedy)?)?;
    Some((selector, rule))
}

fn numbers(object: &Object<'_>) -> Rule {
    let number = |key, max| object.get(key).and_then(|field| field.count(max));
    let weight = number("weight", WEIGHT_MAX).unwrap_or(Rule::default().weight());
    let min = number("min", REPLICAS_MAX).unwrap_or(Rule::default().min());
    let max = number("max", REPLICAS_MAX);
    let rule = Rule::new(weight, min, max);
    rule.map_err(|mistake| mistakes::refuse(object, vec![mistake])).unwrap_or_default()
}
