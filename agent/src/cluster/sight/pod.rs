//! A pod: whose it is, where it is in its life, and whose fault it is if it is not ready.

use std::sync::Arc;
use std::time::Duration;

use godwit_agent_core::{Fault, PodPhase, PodSeen, labels};
use godwit_common::selector::Labels;
use godwit_common::{WorkloadId, WorkloadKind};
use godwit_manifest::supervisor;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition, PodSpec, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time as MetaTime};
use k8s_openapi::jiff::Timestamp;

use super::text;
use crate::cluster::requests;

/// Problems are shown to people: the reason and the container, and no more.
const PROBLEM_MAX: usize = 200;
/// The condition of a pod that its volumes are mounted and its network is there.
const NETWORKED: &str = "PodReadyToStartContainers";

/// Labels that name a single pod.
const LABELS_OF_ONE: [&str; 3] = [
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/job-completion-index",
];

/// A pod as it is at a moment of this cluster's own time.
pub(crate) fn pod(pod: &Pod, now: Timestamp) -> PodSeen {
    let (spec, status) = (pod.spec.as_ref(), pod.status.as_ref());
    let phase = match status.and_then(|status| status.phase.as_deref()) {
        Some("Running") => PodPhase::Running,
        Some("Succeeded" | "Failed") => PodPhase::Ended,
        Some(_) | None => PodPhase::Pending,
    };
    let condition = |wanted: &str| {
        let conditions = status.and_then(|status| status.conditions.as_ref());
        conditions.into_iter().flatten().find(|condition| condition.type_ == wanted)
    };
    let scheduled = condition("PodScheduled");
    let trouble = status.and_then(|status| trouble(status, condition(NETWORKED)));
    let ready = condition("Ready").filter(|condition| condition.status == "True");
    let is_refused = |reason: Option<&str>| reason == Some("Unschedulable");
    PodSeen {
        namespace: text(&pod.metadata.namespace),
        name: text(&pod.metadata.name),
        owner: owner(&pod.metadata),
        labels: Arc::new(labels(&pod.metadata)),
        node: spec.and_then(|spec| spec.node_name.as_deref()).filter(|name| !name.is_empty()).map(Arc::from),
        phase,
        terminating: pod.metadata.deletion_timestamp.is_some(),
        ready: ready.is_some(),
        ready_for: ready.and_then(|ready| age(ready.last_transition_time.as_ref()?, now)).unwrap_or_default(),
        supervised: spec.is_some_and(is_supervised),
        unschedulable: scheduled
            .is_some_and(|condition| condition.status == "False" && is_refused(condition.reason.as_deref())),
        requests: spec.map(requests::of_pod).unwrap_or_default(),
        fault: trouble.as_ref().map(|(fault, _)| *fault),
        problem: trouble.and_then(|(_, problem)| problem).unwrap_or_default(),
    }
}

/// The workload that a pod belongs to. The pods of a CronJob's Jobs carry its name as a label of ours. A Deployment names
/// its ReplicaSets after itself and the hash that their pods carry as a label, so that the Deployment is known without
/// watching ReplicaSets, and even when they are gone.
pub(crate) fn owner(metadata: &ObjectMeta) -> Option<WorkloadId> {
    let owners = metadata.owner_references.as_ref()?;
    let controller = owners.iter().find(|owner| owner.controller == Some(true))?;
    let (mut kind, mut name) = (controller.kind.as_str(), controller.name.as_str());
    let label = |label: &str| metadata.labels.as_ref().and_then(|labels| labels.get(label));
    if let ("Job", Some(cron_job)) = (kind, label(labels::CRON_JOB)) {
        (kind, name) = (WorkloadKind::CronJob.name(), cron_job);
    } else if kind == "ReplicaSet" {
        let hash = label("pod-template-hash");
        let deployment = hash.and_then(|hash| name.strip_suffix(hash.as_str())?.strip_suffix('-'));
        if let Some(deployment) = deployment {
            (kind, name) = ("Deployment", deployment);
        }
    }
    Some(WorkloadId { namespace: text(&metadata.namespace), kind: kind.into(), name: name.into() })
}

/// Whether all that runs in the pod does so under a supervisor (S9).
fn is_supervised(spec: &PodSpec) -> bool {
    let first = spec.init_containers.iter().flatten().next();
    let may_be = first.is_some_and(|first| supervisor::first_is(&first.name));
    may_be && serde_json::to_value(spec).is_ok_and(|spec| supervisor::is_supervised(&spec))
}

/// For how long something has been so; none where clocks say that it is yet to come.
fn age(since: &MetaTime, now: Timestamp) -> Option<Duration> {
    Duration::try_from(now.duration_since(since.0)).ok()
}

/// The labels of a pod that others of its workload may have, too.
fn labels(metadata: &ObjectMeta) -> Labels {
    let all = metadata.labels.iter().flatten();
    let shared = all.filter(|(key, _)| !LABELS_OF_ONE.contains(&key.as_str()));
    shared.map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect()
}

/// Whose fault it is that a pod is not ready, and what its first troubled container waits for, or ended with. The usual
/// steps of a start are no trouble, and nor is a probe that does not succeed yet: how long that lasts is another question.
fn trouble(status: &PodStatus, networked: Option<&PodCondition>) -> Option<(Fault, Option<Arc<str>>)> {
    let init = status.init_container_statuses.iter().flatten();
    let mut all = init.chain(status.container_statuses.iter().flatten());
    if let Some((fault, text)) = all.find_map(trouble_of) {
        return Some((fault, Some(text)));
    }
    // Before any container there are volumes and the pod's network: both are the cluster's business. Every start passes
    // through this, so it has no words until it lasts.
    let pending = status.phase.as_deref() == Some("Pending");
    (pending && networked.is_some_and(|condition| condition.status == "False"))
        .then_some((Fault::Cluster, None))
}

fn trouble_of(container: &ContainerStatus) -> Option<(Fault, Arc<str>)> {
    let state = container.state.as_ref()?;
    let last = || container.last_state.as_ref()?.terminated.as_ref()?.reason.as_deref();
    let (reason, detail) = if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.as_deref()?;
        if matches!(reason, "ContainerCreating" | "PodInitializing") {
            return None;
        }
        let detail = if reason.contains("Image") { Some(container.image.as_str()) } else { last() };
        (reason, detail.filter(|detail| *detail != "Error"))
    } else {
        let ended = state.terminated.as_ref().filter(|ended| ended.exit_code != 0)?;
        (ended.reason.as_deref().unwrap_or("Error"), None)
    };
    let fault = match reason {
        // The container runtime, the registry or the node failed, and not what was to run.
        "ImageInspectError" | "RegistryUnavailable" | "ContainerStatusUnknown" => Fault::Cluster,
        _ => Fault::Application,
    };
    let mut text = format!("container {}: {reason}", container.name);
    if let Some(detail) = detail {
        text.push_str(&format!(" ({detail})"));
    }
    Some((fault, text.chars().take(PROBLEM_MAX).collect::<String>().into()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(pod: Value) -> PodSeen {
        super::pod(&serde_json::from_value(pod).unwrap(), "2026-01-02T03:04:05Z".parse().unwrap())
    }

    #[test]
    fn a_pod_is_its_deployments() {
        let owned = |kind: &str, name: &str, hash: Option<&str>| {
            let mut metadata = json!({"name": "p", "namespace": "shop", "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "u", "controller": true}]});
            if let Some(hash) = hash {
                metadata["labels"] = json!({"pod-template-hash": hash});
            }
            read(json!({"metadata": metadata})).owner.map(|owner| owner.to_string())
        };
        assert_eq!(owned("ReplicaSet", "web-5d9c", Some("5d9c")).unwrap(), "Deployment shop/web");
        assert_eq!(owned("ReplicaSet", "web", None).unwrap(), "ReplicaSet shop/web");
        assert_eq!(owned("ReplicaSet", "web-1", Some("2")).unwrap(), "ReplicaSet shop/web-1");
        assert_eq!(owned("StatefulSet", "db", None).unwrap(), "StatefulSet shop/db");
        assert_eq!(read(json!({"metadata": {"name": "bare"}})).owner, None);
    }

    #[test]
    fn a_pod_shows_where_it_is_in_its_life() {
        let pod = read(json!({"metadata": {"name": "p"}, "status": {"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}}));
        assert!(pod.unschedulable && pod.node.is_none() && pod.phase == PodPhase::Pending);
        let pod = read(json!({"metadata": {"name": "p"}, "spec": {"nodeName": "n1", "containers": []},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}));
        assert!(pod.ready && !pod.unschedulable && pod.node.as_deref() == Some("n1"));
        assert_eq!(pod.ready_for, Duration::ZERO, "it does not say since when");
        for (since, seconds) in [("2026-01-02T03:03:00Z", 65), ("2026-01-02T03:04:06Z", 0)] {
            let ready = json!({"type": "Ready", "status": "True", "lastTransitionTime": since});
            let pod = read(json!({"metadata": {"name": "p"}, "status": {"conditions": [ready]}}));
            assert_eq!((pod.ready, pod.ready_for), (true, Duration::from_secs(seconds)));
        }
        let pod = read(json!({"metadata": {"name": "p"}, "status": {"phase": "Failed"}}));
        assert_eq!(pod.phase, PodPhase::Ended);
    }

    #[test]
    fn a_container_that_cannot_run_says_why_without_the_pods_name() {
        let waiting = |reason: &str| {
            let state = json!({"waiting": {"reason": reason, "message": "back-off in pod p-1"}});
            let container = json!({"name": "web", "image": "web:9", "imageID": "", "ready": false, "restartCount": 3,
                "state": state});
            read(json!({"metadata": {"name": "p-1"}, "status": {"containerStatuses": [container]}}))
                .problem
                .to_string()
        };
        assert_eq!(waiting("CrashLoopBackOff"), "container web: CrashLoopBackOff");
        assert_eq!(waiting("ImagePullBackOff"), "container web: ImagePullBackOff (web:9)");
        assert_eq!(waiting("ContainerCreating"), "");
    }

    #[test]
    fn a_pod_says_whose_fault_it_is() {
        let container = |state: Value| {
            json!({"name": "web", "image": "web:9", "imageID": "", "ready": false, "restartCount": 1, "state": state,
                "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}})
        };
        let seen = |state: Value, networked: &str| {
            let status = json!({"phase": "Pending", "containerStatuses": [container(state)],
                "conditions": [{"type": "PodReadyToStartContainers", "status": networked}]});
            let pod = read(json!({"metadata": {"name": "p"}, "status": status}));
            (pod.fault, pod.problem.to_string())
        };
        let waiting = |reason: &str| json!({"waiting": {"reason": reason}});
        for reason in ["CrashLoopBackOff", "ErrImagePull", "CreateContainerConfigError"] {
            assert_eq!(seen(waiting(reason), "True").0, Some(Fault::Application), "{reason}");
        }
        assert_eq!(
            seen(waiting("CrashLoopBackOff"), "True").1,
            "container web: CrashLoopBackOff (OOMKilled)"
        );
        let ended = |code: i32| json!({"terminated": {"exitCode": code, "reason": "OOMKilled"}});
        let killed = (Some(Fault::Application), "container web: OOMKilled".to_owned());
        assert_eq!(seen(ended(137), "True"), killed);
        assert_eq!(seen(ended(0), "True").0, None, "an init container that is done is no fault");
        assert_eq!(seen(waiting("ImageInspectError"), "True").0, Some(Fault::Cluster));
        assert_eq!(seen(waiting("ContainerCreating"), "False"), (Some(Fault::Cluster), String::new()));
        assert_eq!(seen(waiting("ContainerCreating"), "True").0, None, "it may be pulling its image");
        assert_eq!(seen(json!({"running": {}}), "True").0, None, "its probe may succeed yet");
    }
}
