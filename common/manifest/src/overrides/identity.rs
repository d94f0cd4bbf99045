//! What of an object is the same in every cluster: who it is, how many of it there are, and what the hub decides by.

use std::collections::BTreeMap;

use godwit_common::bounds::Bounds;
use godwit_common::{ObjectKey, WorkloadKind};
use serde_json::{Map, Value};

use super::fields;

/// What names an object, what an API server writes there, and whose end would be its own: what an owner takes along was removed
/// by no tombstone (S27).
const OF_EVERY: [&str; 13] = [
    "/apiVersion",
    "/kind",
    "/metadata/name",
    "/metadata/namespace",
    "/metadata/uid",
    "/metadata/resourceVersion",
    "/metadata/generation",
    "/metadata/creationTimestamp",
    "/metadata/deletionTimestamp",
    "/metadata/managedFields",
    "/metadata/ownerReferences",
    "/metadata/selfLink",
    "/status",
];
/// The count of a workload and which pods are its own (S8); how it replaces them, and when it says that it has, or gives up, by
/// which revisions go from cluster to cluster (S31); what its replicas are called, and whether their volumes outlive a move (S32).
const OF_WORKLOADS: [&str; 10] = [
    "/spec/replicas",
    "/spec/suspend",
    "/spec/selector",
    "/spec/strategy",
    "/spec/updateStrategy",
    "/spec/paused",
    "/spec/minReadySeconds",
    "/spec/progressDeadlineSeconds",
    "/spec/ordinals",
    "/spec/persistentVolumeClaimRetentionPolicy",
];
/// Labels and annotations of this sort are Godwit's.
const RESERVED: &str = "godwit.dev/";

/// By where it stands.
pub(super) type Identity = BTreeMap<String, Value>;

/// What must not change of an object.
pub(super) fn of(key: &ObjectKey, object: &Value) -> Identity {
    let template = fields::template(object);
    let mut paths: Vec<String> = OF_EVERY.iter().map(|path| (*path).to_owned()).collect();
    if template.is_some() || WorkloadKind::of_name(&key.kind).is_some() {
        paths.extend(OF_WORKLOADS.iter().map(|path| (*path).to_owned()));
    }
    paths.extend(Bounds::fields(&key.kind).into_iter().flatten().map(|field| format!("/spec/{field}")));
    if Bounds::fields(&key.kind).is_some() {
        // Whose replicas its shares follow (S29).
        paths.extend(["/spec/scaleTargetRef", "/spec/selector"].map(str::to_owned));
    }
    paths.extend(template.map(|path| format!("{path}/spec/terminationGracePeriodSeconds")));
    let mut identity: Identity =
        paths.into_iter().filter_map(|path| Some((path.clone(), object.pointer(&path)?.clone()))).collect();
    for at in std::iter::once("").chain(template) {
        for field in ["labels", "annotations"] {
            let path = format!("{at}/metadata/{field}");
            let entries = object.pointer(&path).and_then(Value::as_object).into_iter().flatten();
            let own = entries.filter(|(name, _)| name.starts_with(RESERVED));
            identity.extend(own.map(|(name, value)| (format!("{path}/{name}"), value.clone())));
        }
    }
    if let Some(claims) = claims(object, template) {
        identity.insert("its volume claims".to_owned(), claims);
    }
    identity
}

/// The first thing that is not as it was.
pub(super) fn first_change<'a>(before: &'a Identity, after: &'a Identity) -> Option<&'a str> {
    let lost = before.iter().find(|(path, value)| after.get(*path) != Some(value));
    let new = after.keys().find(|path| !before.contains_key(*path));
    lost.map(|(path, _)| path.as_str()).or(new.map(String::as_str))
}

/// The names of the claims that pods hold: whoever has any stays with its data (S32).
fn claims(object: &Value, template: Option<&str>) -> Option<Value> {
    let made = object.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array).into_iter().flatten();
    let made = made.filter_map(|claim| claim.pointer("/metadata/name"));
    let volumes = template.and_then(|path| object.pointer(&format!("{path}/spec/volumes")));
    let volumes = volumes.and_then(Value::as_array).into_iter().flatten();
    let named = volumes.filter_map(|volume| volume.pointer("/persistentVolumeClaim/claimName"));
    let all: Vec<Value> = made.chain(named).cloned().collect();
    (!all.is_empty()).then(|| Value::Array(all))
}

/// Whether all labels, and all annotations, are texts, as an API server wants them.
pub(super) fn texts_are_texts(object: &Value) -> bool {
    ["labels", "annotations"].iter().all(|field| {
        let entries = object.pointer(&format!("/metadata/{field}"));
        entries.is_none_or(|entries| {
            entries.is_null()
                || entries
                    .as_object()
                    .is_some_and(|entries: &Map<_, _>| entries.values().all(Value::is_string))
        })
    })
}
