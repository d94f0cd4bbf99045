//! Tolerations: of nodes' taints in pods, of clusters' taints in policies.

use std::sync::Arc;

use godwit_common::policy::ClusterToleration;
use godwit_common::policy::limits::{TOLERATION_SECONDS_MAX, TOLERATIONS_MAX};
use godwit_common::{TaintEffect, Toleration};

use crate::field::{Field, Object};
use crate::labels;

/// The tolerations of a pod, sorted. For how long is the scheduler's business.
pub(crate) fn of_pod(spec: &Object<'_>) -> Vec<Toleration> {
    let Some(field) = spec.get("tolerations") else {
        return Vec::new();
    };
    let read = |field: &Field<'_>| toleration(field, &field.object()?);
    let mut tolerations: Vec<Toleration> = field.items().iter().filter_map(read).collect();
    tolerations.sort();
    tolerations.dedup();
    tolerations
}

/// The tolerations of a policy, in their order.
pub(crate) fn of_policy(spec: &Object<'_>) -> Vec<ClusterToleration> {
    let Some(field) = spec.get("tolerations") else {
        return Vec::new();
    };
    let read = |field: &Field<'_>| {
        let object = field.object()?;
        let taints = toleration(field, &object)?;
        let seconds = object.get("tolerationSeconds");
        let seconds = seconds.and_then(|seconds| seconds.count(TOLERATION_SECONDS_MAX));
        Some(ClusterToleration { taints, seconds })
    };
    field.items_up_to(TOLERATIONS_MAX).iter().filter_map(read).collect()
}

/// The effect of a taint.
pub(crate) fn effect(field: &Field<'_>) -> Option<TaintEffect> {
    field.choice(&TaintEffect::ALL.map(|effect| (effect.name(), effect)))
}

fn toleration(field: &Field<'_>, toleration: &Object<'_>) -> Option<Toleration> {
    toleration.only(&["key", "operator", "value", "effect", "tolerationSeconds"]);
    let checked = |name, check: fn(&Field<'_>, &str) -> bool| match toleration.get(name) {
        None => Some(""),
        Some(field) => field.text().filter(|text| text.is_empty() || check(&field, text)),
    };
    let exists = match toleration.get("operator") {
        None => false,
        Some(operator) => operator.choice(&[("Equal", false), ("Exists", true)])?,
    };
    let key = checked("key", labels::check_key)?;
    if key.is_empty() && !exists {
        field.refuse("it names no key", "name the taint's key, or write operator: Exists for every taint");
        return None;
    }
    let value = checked("value", labels::check_value)?;
    if exists && !value.is_empty() {
        field.refuse("with operator Exists there is no value", "remove the value, or write operator: Equal");
        return None;
    }
    let effect = match toleration.get("effect") {
        None => None,
        Some(field) if field.node.as_text() == Some("") => None,
        Some(field) => Some(effect(&field)?),
    };
    let key = Some(key).filter(|key| !key.is_empty());
    Some(Toleration { key: key.map(Arc::from), value: (!exists).then(|| value.into()), effect })
}
