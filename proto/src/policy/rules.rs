//! What clusters may get: by name, by selector, by default.

use std::collections::BTreeMap;

use godwit_common::ClusterName;
use godwit_common::policy::limits::{CLUSTERS_MAX, RULES_MAX};
use godwit_common::policy::{ClusterSelector, Rule};

use super::check::list;
use super::selector;
use crate::field::{FieldError, bounded_len};
use crate::v1;

/// What is not said of a rule has the rule's own default.
const DEFAULT_WEIGHT: u32 = 1;

pub(super) fn rule_to_wire(rule: Rule) -> v1::ClusterRule {
    v1::ClusterRule { weight: Some(rule.weight()), min: Some(rule.min()), max: rule.max() }
}

pub(super) fn rule_from_wire(wire: &v1::ClusterRule) -> Result<Rule, FieldError> {
    let rule = Rule::new(wire.weight.unwrap_or(DEFAULT_WEIGHT), wire.min.unwrap_or(0), wire.max);
    rule.map_err(FieldError::from)
}

pub(super) fn entries_to_wire(entries: &BTreeMap<ClusterName, Rule>) -> BTreeMap<String, v1::ClusterRule> {
    entries.iter().map(|(cluster, rule)| (cluster.to_string(), rule_to_wire(*rule))).collect()
}

pub(super) fn entries_from_wire(
    wire: &BTreeMap<String, v1::ClusterRule>,
) -> Result<BTreeMap<ClusterName, Rule>, FieldError> {
    bounded_len("clusters", wire.len(), CLUSTERS_MAX)?;
    let entry = |(cluster, rule): (&String, &v1::ClusterRule)| {
        let name: ClusterName = cluster.parse().map_err(|error| FieldError::new("clusters", error))?;
        let rule = rule_from_wire(rule).map_err(|error| error.within(&format!("clusters[{name}]")))?;
        Ok((name, rule))
    };
    wire.iter().map(entry).collect()
}

pub(super) fn selected_to_wire((selector, rule): &(ClusterSelector, Rule)) -> v1::SelectedRule {
    v1::SelectedRule { cluster_selector: Some(selector::to_wire(selector)), rule: Some(rule_to_wire(*rule)) }
}

pub(super) fn selected_from_wire(
    wire: &[v1::SelectedRule],
) -> Result<Vec<(ClusterSelector, Rule)>, FieldError> {
    list("rules", wire, RULES_MAX, |one| {
        let chosen = one.cluster_selector.as_ref().map(selector::from_wire).transpose();
        let rule = one.rule.as_ref().map(rule_from_wire).transpose();
        Ok((
            chosen.map_err(|error| error.within("cluster_selector"))?.unwrap_or_default(),
            rule.map_err(|error| error.within("rule"))?.unwrap_or_default(),
        ))
    })
}
