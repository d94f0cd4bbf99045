//! How often a workload runs, and how far it is: what each kind has of a count and of a status.

use godwit_agent_core::{Kind, Progress};
use godwit_common::WorkloadKind;
use godwit_common::link::Finished;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use crate::cluster::scale::ScalePaths;

/// The counts of a status, as its kind calls them: all, those of the present template, those available.
const POD_COUNTS: [&str; 3] = ["replicas", "updatedReplicas", "availableReplicas"];
const NODE_COUNTS: [&str; 3] = ["currentNumberScheduled", "updatedNumberScheduled", "numberAvailable"];

/// How often a workload runs: its replicas, whether it may run at all, or on how many nodes (S33).
pub(super) fn number(kind: &Kind, data: &Value) -> Option<u64> {
    match WorkloadKind::of_name(&kind.kind) {
        Some(WorkloadKind::Job | WorkloadKind::CronJob) => Some(u64::from(!is_suspended(data))),
        Some(WorkloadKind::DaemonSet) => {
            Some(data.pointer("/status/desiredNumberScheduled").and_then(Value::as_u64).unwrap_or(0))
        }
        Some(WorkloadKind::Deployment | WorkloadKind::StatefulSet) | None => {
            data.pointer("/spec/replicas").and_then(Value::as_u64)
        }
    }
}

/// How far a workload is. None as long as its status is about an older template.
pub(super) fn progress(kind: &Kind, metadata: &ObjectMeta, data: &Value) -> Option<Progress> {
    match WorkloadKind::of_name(&kind.kind) {
        Some(WorkloadKind::Job) => Some(progress_of_job(data)),
        Some(WorkloadKind::CronJob) => {
            let runs = u32::from(!is_suspended(data));
            Some(Progress { updated: runs, available: runs, ..Progress::default() })
        }
        Some(WorkloadKind::DaemonSet) => progress_of_pods(NODE_COUNTS, true, metadata, data),
        Some(WorkloadKind::Deployment) => progress_of_pods(POD_COUNTS, true, metadata, data),
        Some(WorkloadKind::StatefulSet) | None => progress_of_pods(POD_COUNTS, false, metadata, data),
    }
}

/// The same of a custom resource, of which nobody has agreed what its status says but for its scale. One that counts neither
/// its present template nor what is available is taken at its word that all it has is so.
pub(super) fn progress_of_scaled(
    scale: &ScalePaths,
    metadata: &ObjectMeta,
    data: &Value,
) -> Option<Progress> {
    let status = data.get("status")?;
    // Some write it as a text, and some not at all.
    let observed = status.get("observedGeneration");
    let observed = observed.and_then(|value| value.as_i64().or_else(|| value.as_str()?.parse().ok()));
    if observed.zip(metadata.generation).is_some_and(|(observed, generation)| observed < generation) {
        return None;
    }
    let clamp = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    let count = |field: &str| status.get(field).and_then(Value::as_u64).map(clamp);
    let all = clamp(scale.present(data).unwrap_or(0));
    let updated = count("updatedReplicas").unwrap_or(all).min(all);
    let available = count("availableReplicas").or(count("readyReplicas")).unwrap_or(all);
    let available = available.saturating_sub(all - updated).min(updated);
    Some(Progress { updated, available, stalled: false, finished: None })
}

/// How far a Job is, and how it has ended.
fn progress_of_job(data: &Value) -> Progress {
    let conditions = data.pointer("/status/conditions").and_then(Value::as_array);
    let is = |condition: &Value, field: &str, text: &str| {
        condition.get(field).and_then(Value::as_str) == Some(text)
    };
    let holds = |end: &Finished| {
        let mut all = conditions.into_iter().flatten();
        all.any(|condition| is(condition, "type", end.name()) && is(condition, "status", "True"))
    };
    let finished = Finished::ALL.into_iter().find(holds);
    let ready = data.pointer("/status/ready").and_then(Value::as_u64).unwrap_or(0) > 0;
    let updated = u32::from(!is_suspended(data));
    let available = updated.min(u32::from(ready || finished.is_some()));
    Progress { updated, available, stalled: false, finished }
}

/// What the status of a workload says of its present template; none as long as it is about an older one. Older StatefulSets
/// do not count what is available, so that what is missing is not always zero.
fn progress_of_pods(
    [all, updated, available]: [&str; 3],
    leaves_out_zeros: bool,
    metadata: &ObjectMeta,
    data: &Value,
) -> Option<Progress> {
    let status = data.get("status")?;
    let observed = status.get("observedGeneration").and_then(Value::as_i64)?;
    if metadata.generation.is_none_or(|generation| observed < generation) {
        return None;
    }
    let count = |field: &str| {
        let count = status.get(field).and_then(Value::as_u64)?;
        Some(u32::try_from(count).unwrap_or(u32::MAX))
    };
    let updated = count(updated).unwrap_or(0);
    let available = count(available);
    let available = if leaves_out_zeros { available } else { available.or(count("readyReplicas")) };
    // It is not said which of them are available: at worst all others are.
    let old = count(all).unwrap_or(0).saturating_sub(updated);
    let available = available.unwrap_or(0).saturating_sub(old).min(updated);
    let given_up = |condition: &Value| {
        let is = |field: &str, text: &str| condition.get(field).and_then(Value::as_str) == Some(text);
        is("type", "Progressing") && is("status", "False")
    };
    let conditions = status.get("conditions").and_then(Value::as_array);
    let stalled = conditions.is_some_and(|conditions| conditions.iter().any(given_up));
    Some(Progress { updated, available, stalled, finished: None })
}

fn is_suspended(data: &Value) -> bool {
    data.pointer("/spec/suspend").and_then(Value::as_bool).unwrap_or(false)
}
