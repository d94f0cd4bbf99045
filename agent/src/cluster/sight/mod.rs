//! From Kubernetes' objects to what decisions need of them. Everything else is dropped here, so that a large cluster
//! costs the agent little memory.

mod node;
mod pod;
mod progress;
mod stamp;

use std::collections::BTreeMap;
use std::sync::Arc;

use godwit_agent_core::{Kind, ObjectSeen, labels};
use godwit_common::{ObjectKey, Uid};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry, ObjectMeta};
use serde_json::Value;

use super::scale::ScalePaths;
use super::{altered, charter};

pub(crate) use node::node;
pub(crate) use pod::{owner, pod};

use progress::{number, progress, progress_of_scaled};
use stamp::stamp;

/// Who scales for a HorizontalPodAutoscaler, as managed fields name it.
const AUTOSCALER: &str = "kube-controller-manager";

type Texts = BTreeMap<String, String>;

/// An object; `scale` if it is a custom resource that is a workload.
pub(crate) fn object(
    kind: &Kind,
    metadata: &ObjectMeta,
    data: Option<&Value>,
    scale: Option<&ScalePaths>,
) -> ObjectSeen {
    let replicas = data.and_then(|data| match scale {
        Some(scale) => scale.wanted(data),
        None => number(kind, data),
    });
    let selector = scale.zip(data).and_then(|(scale, data)| scale.selector(data));
    let adopt =
        flag(&metadata.annotations, labels::ADOPT) || flag(&metadata.labels, labels::MANAGED_NAMESPACE);
    ObjectSeen {
        key: key(kind, metadata),
        uid: text(&metadata.uid),
        version: text(&metadata.resource_version),
        stamp: flag(&metadata.labels, labels::MANAGED).then(|| stamp(metadata)),
        charter: charter::read(metadata),
        content: 0,
        adopt,
        scaled: get(&metadata.labels, labels::MODE) == labels::SCALE_ONLY,
        replicas: replicas.map(|replicas| u32::try_from(replicas).unwrap_or(u32::MAX)),
        selector: selector.map(Arc::new),
        autoscaled: metadata.managed_fields.iter().flatten().any(|entry| is_autoscaler(entry, scale)),
        altered: altered::altered(kind, metadata, scale),
        deleting: metadata.deletion_timestamp.is_some(),
        progress: data
            .and_then(|data| match scale {
                Some(scale) => progress_of_scaled(scale, metadata, data),
                None => progress(kind, metadata, data),
            })
            .unwrap_or_default(),
    }
}

pub(crate) fn key(kind: &Kind, metadata: &ObjectMeta) -> ObjectKey {
    ObjectKey {
        api_version: kind.api_version.clone(),
        kind: kind.kind.clone(),
        namespace: text(&metadata.namespace),
        name: text(&metadata.name),
    }
}

/// The UUID of an object of Kubernetes.
pub(crate) fn uid(metadata: &ObjectMeta) -> Option<Uid> {
    metadata.uid.as_deref()?.parse().ok()
}

/// Whether an entry of the managed fields says that the autoscaler set the count. Who changes a field takes it from others
/// that had it: so this is gone when somebody else scales.
fn is_autoscaler(entry: &ManagedFieldsEntry, scale: Option<&ScalePaths>) -> bool {
    let steps = scale.map_or_else(|| vec!["spec", "replicas"], |scale| scale.steps().collect());
    let counts = |FieldsV1(fields): &FieldsV1| {
        steps.iter().try_fold(fields, |below, step| below.get(format!("f:{step}"))).is_some()
    };
    entry.manager.as_deref() == Some(AUTOSCALER)
        && entry.subresource.as_deref() == Some("scale")
        && entry.fields_v1.as_ref().is_some_and(counts)
}

fn flag(texts: &Option<Texts>, name: &str) -> bool {
    get(texts, name) == labels::TRUE
}

fn get<'a>(texts: &'a Option<Texts>, name: &str) -> &'a str {
    texts.as_ref().and_then(|texts| texts.get(name)).map_or("", String::as_str)
}

fn text(text: &Option<String>) -> Arc<str> {
    text.as_deref().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_our_label_makes_an_object_ours() {
        let kind = Kind { api_version: "apps/v1".into(), kind: "Deployment".into() };
        let seen = |metadata: Value| {
            let metadata: ObjectMeta = serde_json::from_value(metadata).unwrap();
            object(&kind, &metadata, Some(&json!({"spec": {"replicas": 3}})), None)
        };
        let ours = seen(json!({"name": "web", "namespace": "shop", "uid": "u", "resourceVersion": "7",
            "labels": {"godwit.dev/managed": "true", "godwit.dev/uid": "00000000-0000-0000-0000-00000000002a"},
            "annotations": {"godwit.dev/revision": "4", "godwit.dev/epoch": "2", "godwit.dev/generation": "9",
                "godwit.dev/term": "00000000-0000-0000-0000-000000000007/3"}}));
        let stamp = ours.stamp.unwrap();
        assert_eq!(
            (stamp.uid, stamp.revision, stamp.fence.epoch.0, stamp.fence.generation.0),
            (Uid(42), 4, 2, 9)
        );
        assert_eq!((stamp.term.lease, stamp.term.transitions.0, ours.replicas), (Uid(7), 3, Some(3)));
        let foreign = seen(json!({"name": "web", "annotations": {"godwit.dev/adopt": "true"}}));
        assert!(foreign.stamp.is_none() && foreign.adopt);
        assert!(!seen(json!({"name": "web"})).adopt);
    }
}
