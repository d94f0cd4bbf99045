//! One spelling for one meaning, so that equal manifests are equal bytes.

use godwit_common::WorkloadKind;
use serde_json::{Map, Value};

use crate::{POLICY_ANNOTATION, REPLICAS_ANNOTATION};

/// What a cluster writes into an object's metadata. A manifest taken from a cluster carries it; another cluster must
/// not get it.
const WRITTEN_BY_CLUSTERS: &[&str] = &[
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];
/// Annotations of the same sort.
const ANNOTATIONS_OF_CLUSTERS: &[&str] =
    &["deployment.kubernetes.io/revision", "kubectl.kubernetes.io/last-applied-configuration"];

/// The value as JSON without white space, the keys sorted at every level.
pub fn canonical_json(mut value: Value) -> String {
    value.sort_all_objects();
    value.to_string()
}

/// An object of a cluster as its manifest would be, unchecked: without its count, and without what the cluster writes.
pub fn as_manifest(object: Value, kind: &str, namespace: &str) -> String {
    match WorkloadKind::of_name(kind) {
        Some(kind) => workload_manifest(object, kind, namespace),
        None => manifest(object, namespace),
    }
}

/// An object as clusters get it: the namespace explicit, and without what a cluster writes or the hub decides.
pub(crate) fn manifest(mut object: Value, namespace: &str) -> String {
    if let Some(object) = object.as_object_mut() {
        object.remove("status");
        if let Some(metadata) = child(object, "metadata") {
            prune_metadata(metadata);
            if !namespace.is_empty() {
                metadata.insert("namespace".to_owned(), namespace.into());
            }
        }
    }
    canonical_json(object)
}

/// A workload as clusters get it: its count comes from the hub, and of what runs in one cluster only whether it may run.
pub(crate) fn workload_manifest(mut object: Value, kind: WorkloadKind, namespace: &str) -> String {
    let spec = object.as_object_mut().and_then(|object| child(object, "spec"));
    if let Some(spec) = spec {
        spec.remove(if kind.single() { "suspend" } else { "replicas" });
        let template = child(spec, "template").and_then(|template| child(template, "metadata"));
        if let Some(metadata) = template {
            prune_metadata(metadata);
        }
    }
    manifest(object, namespace)
}

/// A custom resource that is a workload, as clusters get it: without `spec.replicas` if that is its count.
pub(crate) fn custom_manifest(mut object: Value, counts_in_spec: bool, namespace: &str) -> String {
    let spec = object.as_object_mut().and_then(|object| child(object, "spec"));
    if let Some(spec) = spec.filter(|_| counts_in_spec) {
        spec.remove("replicas");
    }
    manifest(object, namespace)
}

fn prune_metadata(metadata: &mut Map<String, Value>) {
    metadata.retain(|key, _| !WRITTEN_BY_CLUSTERS.contains(&key.as_str()));
    if let Some(annotations) = child(metadata, "annotations") {
        let is_choice = |key: &str| key == POLICY_ANNOTATION || key == REPLICAS_ANNOTATION;
        annotations.retain(|key, _| !is_choice(key) && !ANNOTATIONS_OF_CLUSTERS.contains(&key.as_str()));
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
}

fn child<'a>(object: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Map<String, Value>> {
    object.get_mut(key).and_then(Value::as_object_mut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_at_every_level() {
        let value = json!({"b": [{"z": 1, "a": null}], "a": {"y": "ü", "x": 1.5}});
        assert_eq!(canonical_json(value), r#"{"a":{"x":1.5,"y":"ü"},"b":[{"a":null,"z":1}]}"#);
    }

    #[test]
    fn what_a_cluster_wrote_and_the_count_are_left_out() {
        let object = json!({
            "status": {"replicas": 3},
            "spec": {"replicas": 3, "template": {"metadata": {"creationTimestamp": null, "labels": {"a": "b"}}}},
            "metadata": {
                "name": "web", "uid": "1", "resourceVersion": "2", "generation": 3, "managedFields": [],
                "annotations": {"godwit.dev/policy": "even", "deployment.kubernetes.io/revision": "4"},
            },
        });
        assert_eq!(
            workload_manifest(object, WorkloadKind::Deployment, "shop"),
            r#"{"metadata":{"name":"web","namespace":"shop"},"spec":{"template":{"metadata":{"labels":{"a":"b"}}}}}"#
        );
    }

    #[test]
    fn other_annotations_stay() {
        let object = json!({"metadata": {"annotations": {"godwit.dev/policy": "even", "team": "shop"}}});
        assert_eq!(manifest(object, ""), r#"{"metadata":{"annotations":{"team":"shop"}}}"#);
    }
}
