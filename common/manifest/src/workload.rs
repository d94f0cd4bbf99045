//! Workloads: Deployments, StatefulSets, DaemonSets, Jobs and CronJobs.

use std::sync::Arc;

use godwit_common::{Need, WorkloadId, WorkloadKind};

use crate::MAX_REPLICAS;
use crate::catalog::Scope;
use crate::field::{Field, Object};
use crate::metadata::{self, Metadata, Role};
use crate::model::Workload;
use crate::pod::{self, Template};
use crate::{canonical, references, scale_only, selector, supervisor};

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
const DAEMON_SET_SPEC: &[&str] =
    &["minReadySeconds", "revisionHistoryLimit", "selector", "template", "updateStrategy"];
const JOB_SPEC: &[&str] = &[
    "activeDeadlineSeconds",
    "backoffLimit",
    "backoffLimitPerIndex",
    "completionMode",
    "completions",
    "maxFailedIndexes",
    "parallelism",
    "podFailurePolicy",
    "podReplacementPolicy",
    "successPolicy",
    "suspend",
    "template",
    "ttlSecondsAfterFinished",
];
const CRON_JOB_SPEC: &[&str] = &[
    "concurrencyPolicy",
    "failedJobsHistoryLimit",
    "jobTemplate",
    "schedule",
    "startingDeadlineSeconds",
    "successfulJobsHistoryLimit",
    "suspend",
    "timeZone",
];

/// Reads and checks a workload; `None` after a mistake, which is reported. Its needs are all that it names, whether the
/// application brings it or not.
pub(crate) fn read(object: &Object<'_>, api_version: &str, kind: WorkloadKind) -> Option<Workload> {
    object.only(TOP_LEVEL);
    let metadata = metadata::read(object, (api_version, kind.name()), Scope::Namespaced, Role::Workload);
    let spec = object.require("spec", "describe the workload there")?.object()?;
    refuse_fields(&spec, kind);
    let replicas = total(&spec, kind);
    let min_ready_seconds = match spec.get("minReadySeconds") {
        None => Some(0),
        Some(field) => field.count(MIN_READY_SECONDS_MAX),
    };
    let namespace = metadata.as_ref().map_or("", |metadata| &*metadata.key.namespace);
    let template = template(&spec, kind, namespace);
    let claims = spec.get("volumeClaimTemplates").map(|claims| claims.items()).unwrap_or_default();
    let of_claims: Vec<Need> = claims.iter().filter_map(references::of_claim).collect();
    let (Metadata { key, labels, policy, scale_only }, template) = (metadata?, template?);
    let value = object.at.node.to_value();
    let read = Workload {
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
        obstacle: supervisor::obstacle(kind, &value).map(Into::into),
        has_volume_claims: !claims.is_empty() || template.has_claims,
        manifest: canonical::workload_manifest(value, kind, &key.namespace).into(),
        scale_only: false,
        object: key,
    };
    if scale_only { scale_only::reduced(object, read) } else { Some(read) }
}

/// Reports the fields of a spec that its kind does not have, and those that would work against the hub.
fn refuse_fields(spec: &Object<'_>, kind: WorkloadKind) {
    match kind {
        WorkloadKind::Deployment => spec.only(DEPLOYMENT_SPEC),
        WorkloadKind::StatefulSet => {
            spec.only(STATEFUL_SET_SPEC);
            refuse_deleted_claims(spec);
        }
        WorkloadKind::DaemonSet => spec.only(DAEMON_SET_SPEC),
        WorkloadKind::Job => refuse_job_fields(spec, true),
        WorkloadKind::CronJob => {
            spec.only(CRON_JOB_SPEC);
            if let Some(schedule) = spec.require("schedule", "write when it runs, such as \"0 3 * * *\"") {
                schedule.text();
            }
        }
    }
}

/// Claims are never deleted (S32), and a move is nothing else than a scale to zero in one cluster.
fn refuse_deleted_claims(spec: &Object<'_>) {
    let Some(retention) = spec.mapping("persistentVolumeClaimRetentionPolicy") else { return };
    retention.only(&["whenDeleted", "whenScaled"]);
    for field in ["whenDeleted", "whenScaled"].iter().filter_map(|field| retention.get(field)) {
        if field.text().is_some_and(|value| value != "Retain") {
            field.refuse(
                "a move would delete the claims where it stops, and with them the data",
                "write Retain, or remove it",
            );
        }
    }
}

/// The same of a Job; by itself, or of a CronJob.
fn refuse_job_fields(spec: &Object<'_>, alone: bool) {
    const OWN: [&str; 2] = ["manualSelector", "selector"];
    const MANAGER: &str = "managedBy";
    spec.only_or(JOB_SPEC, &[OWN[0], OWN[1], MANAGER]);
    for field in OWN.iter().filter_map(|field| spec.get(field)) {
        field.refuse("Kubernetes gives each Job a selector of its own", "remove it");
    }
    if let Some(manager) = spec.get(MANAGER) {
        manager.refuse("the clusters' own Job controllers are to run it", "remove it");
    }
    if let Some(field) = spec.get("ttlSecondsAfterFinished").filter(|_| alone) {
        field.refuse(
            "a Job that is gone before its end is known would run again",
            "remove it: `godwit delete` removes the Job everywhere",
        );
    }
}

/// How often it runs, over all clusters together.
fn total(spec: &Object<'_>, kind: WorkloadKind) -> Option<u32> {
    if kind.everywhere() {
        return Some(0);
    }
    if kind.single() {
        return match spec.get("suspend") {
            None => Some(1),
            Some(field) => field.boolean().map(|suspended| u32::from(!suspended)),
        };
    }
    match spec.get("replicas") {
        None => Some(1),
        Some(field) => field.count(MAX_REPLICAS),
    }
}

/// The template of the pods, with the selector that finds them.
fn template<'a>(spec: &Object<'a>, kind: WorkloadKind, namespace: &str) -> Option<Template<'a>> {
    let read = |field: &Field<'a>| pod::read(field, kind, namespace);
    match kind {
        WorkloadKind::Deployment | WorkloadKind::StatefulSet | WorkloadKind::DaemonSet => {
            let template = spec.require("template", "describe the pods there").and_then(|field| read(&field));
            let selector = spec.require("selector", "write matchLabels with the template's labels");
            if let (Some(selector), Some(template)) = (selector, &template) {
                selector::check(&selector, &template.labels);
            }
            template
        }
        WorkloadKind::Job => read(&spec.require("template", "describe the pods there")?),
        WorkloadKind::CronJob => {
            let job = spec.require("jobTemplate", "describe the Job there")?.object()?;
            job.only(&["metadata", "spec"]);
            if let Some(labels) = job.mapping("metadata").and_then(|metadata| metadata.mapping("labels")) {
                metadata::refuse_reserved(&labels, &[]);
            }
            let spec = job.require("spec", "describe the Job there")?.object()?;
            refuse_job_fields(&spec, false);
            if let Some(suspend) = spec.get("suspend") {
                suspend.refuse("nobody would let the Jobs begin", "remove it, or write it as spec.suspend");
            }
            read(&spec.require("template", "describe the pods there")?)
        }
    }
}

/// Whether its own rolling update runs more pods than wanted for a while: Kubernetes' default is a quarter more. What the
/// fields say is for the member to judge; here only nothing at all counts as none.
fn surges(spec: &Object<'_>, kind: WorkloadKind) -> bool {
    if kind != WorkloadKind::Deployment {
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
