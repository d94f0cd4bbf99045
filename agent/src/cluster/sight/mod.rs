//! From Kubernetes' objects to what decisions need of them. Everything else is dropped here, so that a large cluster
//! costs the agent little memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use godwit_agent_core::{Fault, Kind, NodeSeen, ObjectSeen, PodPhase, PodSeen, Progress, Stamp, labels};
use godwit_common::bounds::Bounds;
use godwit_common::link::{Finished, LeaderTerm};
use godwit_common::policy::overrides::mark;
use godwit_common::selector::Labels;
use godwit_common::{
    Epoch, Fence, Generation, ObjectKey, Taint, TaintEffect, Term, Uid, WorkloadId, WorkloadKind,
};
use godwit_manifest::supervisor;
use k8s_openapi::api::core::v1::{ContainerStatus, Node, Pod, PodCondition, PodSpec, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    FieldsV1, ManagedFieldsEntry, ObjectMeta, Time as MetaTime,
};
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::scale::ScalePaths;
use super::{altered, charter, requests};

/// Problems are shown to people: the reason and the container, and no more.
const PROBLEM_MAX: usize = 200;
/// Who scales for a HorizontalPodAutoscaler, as managed fields name it.
const AUTOSCALER: &str = "kube-controller-manager";
/// The condition of a pod that its volumes are mounted and its network is there.
const NETWORKED: &str = "PodReadyToStartContainers";

/// Labels that name a single pod.
const LABELS_OF_ONE: [&str; 3] = [
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/job-completion-index",
];

/// The counts of a status, as its kind calls them: all, those of the present template, those available.
const POD_COUNTS: [&str; 3] = ["replicas", "updatedReplicas", "availableReplicas"];
const NODE_COUNTS: [&str; 3] = ["currentNumberScheduled", "updatedNumberScheduled", "numberAvailable"];

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

/// Whether an entry of the managed fields says that the autoscaler set the count. Who changes a field takes it from others
/// that had it: so this is gone when somebody else scales.
fn is_autoscaler(entry: &ManagedFieldsEntry, scale: Option<&ScalePaths>) -> bool {
    let steps = scale.map_or_else(|| vec!["spec", "replicas"], |scale| scale.steps().collect());
    let below = |fields: &'_ Value, step: &&str| fields.get(format!("f:{step}")).cloned();
    let counts = |fields: &FieldsV1| {
        let found = steps.iter().try_fold(fields.0.clone(), |fields, step| below(&fields, step));
        found.is_some()
    };
    entry.manager.as_deref() == Some(AUTOSCALER)
        && entry.subresource.as_deref() == Some("scale")
        && entry.fields_v1.as_ref().is_some_and(counts)
}

/// How often a workload runs: its replicas, whether it may run at all, or on how many nodes (S33).
fn number(kind: &Kind, data: &Value) -> Option<u64> {
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

fn is_suspended(data: &Value) -> bool {
    data.pointer("/spec/suspend").and_then(Value::as_bool).unwrap_or(false)
}

/// How far a workload is. None as long as its status is about an older template.
fn progress(kind: &Kind, metadata: &ObjectMeta, data: &Value) -> Option<Progress> {
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

/// The same of a custom resource, of which nobody has agreed what its status says but for its scale. One that counts neither
/// its present template nor what is available is taken at its word that all it has is so.
fn progress_of_scaled(scale: &ScalePaths, metadata: &ObjectMeta, data: &Value) -> Option<Progress> {
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

pub(crate) fn key(kind: &Kind, metadata: &ObjectMeta) -> ObjectKey {
    ObjectKey {
        api_version: kind.api_version.clone(),
        kind: kind.kind.clone(),
        namespace: text(&metadata.namespace),
        name: text(&metadata.name),
    }
}

pub(crate) fn node(node: Node) -> NodeSeen {
    let (spec, status) = (node.spec.unwrap_or_default(), node.status.unwrap_or_default());
    let conditions = status.conditions.unwrap_or_default();
    let ready = conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let taint = |taint: k8s_openapi::api::core::v1::Taint| {
        // An effect of the future is taken for the usual one: nothing is placed there.
        let effect = TaintEffect::of_name(&taint.effect).unwrap_or(TaintEffect::NoSchedule);
        Taint { key: taint.key.into(), value: taint.value.unwrap_or_default().into(), effect }
    };
    let labels = node.metadata.labels.unwrap_or_default();
    NodeSeen {
        name: text(&node.metadata.name),
        labels: labels.into_iter().map(|(key, value)| (key.into(), value.into())).collect(),
        taints: spec.taints.unwrap_or_default().into_iter().map(taint).collect(),
        allocatable: status.allocatable.as_ref().map(requests::of_node).unwrap_or_default(),
        ready,
        schedulable: !spec.unschedulable.unwrap_or(false),
    }
}

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

/// The workload that a pod belongs to. The pods of a CronJob's Jobs carry its name as a label of ours. A Deployment names its ReplicaSets after itself and the hash that their pods
/// carry as a label, so that the Deployment is known without watching ReplicaSets, and even when they are gone.
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

/// The labels of a pod that others of its workload may have, too.
fn labels(metadata: &ObjectMeta) -> Labels {
    let all = metadata.labels.iter().flatten();
    let shared = all.filter(|(key, _)| !LABELS_OF_ONE.contains(&key.as_str()));
    shared.map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect()
}

/// The UUID of an object of Kubernetes.
pub(crate) fn uid(metadata: &ObjectMeta) -> Option<Uid> {
    metadata.uid.as_deref()?.parse().ok()
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

fn stamp(metadata: &ObjectMeta) -> Stamp {
    let uid = |texts: &Option<Texts>, name: &str| get(texts, name).parse::<Uid>().unwrap_or_default();
    let number = |name: &str| get(&metadata.annotations, name).parse().unwrap_or(0);
    let (lease, transitions) = get(&metadata.annotations, labels::TERM).split_once('/').unwrap_or_default();
    Stamp {
        uid: uid(&metadata.labels, labels::UID),
        revision: number(labels::REVISION),
        ordinals: u32::try_from(number(labels::ORDINALS)).unwrap_or(u32::MAX),
        bounds: bounds(get(&metadata.annotations, labels::BOUNDS)),
        overrides: mark(get(&metadata.annotations, labels::OVERRIDES)),
        fence: Fence {
            federation: uid(&metadata.annotations, labels::FEDERATION),
            epoch: Epoch(number(labels::EPOCH)),
            generation: Generation(number(labels::GENERATION)),
        },
        term: LeaderTerm {
            lease: lease.parse().unwrap_or_default(),
            transitions: Term(transitions.parse().unwrap_or(0)),
        },
    }
}

/// What cannot be read is none.
fn bounds(text: &str) -> Bounds {
    let (min, max) = text.split_once('/').unwrap_or_default();
    Bounds { min: min.parse().ok(), max: max.parse().ok() }
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

    #[test]
    fn a_node_shows_its_room_and_its_taints() {
        let node: Node = serde_json::from_value(json!({
            "metadata": {"name": "n1", "labels": {"zone": "a"}},
            "spec": {"unschedulable": true, "taints": [{"key": "gpu", "effect": "NoExecute"}]},
            "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"},
                "conditions": [{"type": "Ready", "status": "True"}]}}))
        .unwrap();
        let node = super::node(node);
        assert!(node.ready && !node.schedulable);
        assert_eq!((node.allocatable.cpu_millis, node.allocatable.pods), (4000, 110));
        assert_eq!(node.taints[0].effect, TaintEffect::NoExecute);
    }
}
