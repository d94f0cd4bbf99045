//! Deployments and StatefulSets.

use std::sync::Arc;

use godwit_common::{Need, WorkloadId};

use crate::MAX_REPLICAS;
use crate::catalog::Scope;
use crate::field::Object;
use crate::metadata::{self, Metadata, Role};
use crate::model::Workload;
use crate::{canonical, pod, references, selector};

/// A day: what waits longer than that to count as ready never does.
const MIN_READY_SECONDS_MAX: u32 = 86_400;

const TOP_LEVEL: &[&str] = &["apiVersion", "kind", "metadata", "spec", "status"];
const DEPLOYMENT_SPEC: &[&str] = &[
    "minReadySeconds",
    "paused",
    "progressDeadlineSeconds",
    "replicas",
    "revisionHistoryLimit",
    "selector",
    "strategy",
    "template",
];
const STATEFUL_SET_SPEC: &[&str] = &[
    "minReadySeconds",
    "ordinals",
    "persistentVolumeClaimRetentionPolicy",
    "podManagementPolicy",
    "replicas",
    "revisionHistoryLimit",
    "selector",
    "serviceName",
    "template",
    "updateStrategy",
    "volumeClaimTemplates",
];

/// Reads and checks a workload; `None` after a mistake, which is reported. Its needs are all that it names, whether the
/// application brings it or not.
pub(crate) fn read(object: &Object<'_>, (api_version, kind): (&str, &str)) -> Option<Workload> {
    object.only(TOP_LEVEL);
    let metadata = metadata::read(object, (api_version, kind), Scope::Namespaced, Role::Workload);
    let spec = object.require("spec", "describe the workload there")?.object()?;
    spec.only(match kind {
        "StatefulSet" => STATEFUL_SET_SPEC,
        _ => DEPLOYMENT_SPEC,
    });
    let replicas = match spec.get("replicas") {
        None => Some(1),
        Some(field) => field.count(MAX_REPLICAS),
    };
    let min_ready_seconds = match spec.get("minReadySeconds") {
        None => Some(0),
        Some(field) => field.count(MIN_READY_SECONDS_MAX),
    };
    let namespace = metadata.as_ref().map_or("", |metadata| &*metadata.key.namespace);
    let template = spec.require("template", "describe the pods there");
    let template = template.and_then(|field| pod::read(&field, namespace));
    let selector = spec.require("selector", "write matchLabels with the template's labels");
    if let (Some(selector), Some(template)) = (selector, &template) {
        selector::check(&selector, &template.labels);
    }
    let claims = spec.get("volumeClaimTemplates").map(|claims| claims.items()).unwrap_or_default();
    let of_claims: Vec<Need> = claims.iter().filter_map(references::of_claim).collect();
    let (Metadata { key, labels, policy }, template) = (metadata?, template?);
    let value = object.at.node.to_value();
    Some(Workload {
        id: WorkloadId {
            namespace: Arc::clone(&key.namespace),
            kind: Arc::clone(&key.kind),
            name: Arc::clone(&key.name),
        },
        labels,
        replicas: replicas?,
        policy,
        pod: template.pod,
        needs: template.needs.into_iter().chain(of_claims).collect(),
        min_ready_seconds: min_ready_seconds?,
        grace: template.grace,
        surges: surges(&spec, kind),
        has_volume_claims: !claims.is_empty() || template.has_claims,
        manifest: canonical::workload_manifest(value, &key.namespace).into(),
        object: key,
    })
}

/// Whether its own rolling update runs more pods than wanted for a while: Kubernetes' default is a quarter more. What the
/// fields say is for the member to judge; here only nothing at all counts as none.
fn surges(spec: &Object<'_>, kind: &str) -> bool {
    if kind != "Deployment" {
        return false;
    }
    let Some(strategy) = spec.at.entry("strategy") else { return true };
    if strategy.entry("type").is_some_and(|kind| kind.node.as_text() == Some("Recreate")) {
        return false;
    }
    let surge = strategy.entry("rollingUpdate").and_then(|rolling| rolling.entry("maxSurge"));
    surge.is_none_or(|surge| {
        let value = surge.node.to_value();
        value != 0 && value != "0%"
    })
}
