//! The status that a kubelet reports of a pod.

use serde_json::{Value, json};

use super::Stage;
use super::behaviour::Behaviour;
use crate::object::{condition_true, items, now_text, set, set_condition, set_default, text, unset};

/// What there is to report.
pub(super) struct View<'a> {
    pub(super) stage: Stage,
    pub(super) attempts: u32,
    pub(super) address: &'a str,
    pub(super) host: &'a str,
}

/// The pod with its new status.
pub(super) fn write(pod: &Value, view: &View) -> Value {
    let mut new = pod.clone();
    let failed = Behaviour::of(pod) == Behaviour::CrashLoop;
    let phase = match view.stage {
        Stage::Accepted | Stage::Creating | Stage::PullFailed | Stage::PullWaits => "Pending",
        Stage::Running | Stage::Ready | Stage::CrashWaits => "Running",
        Stage::Ended if failed => "Failed",
        Stage::Ended => "Succeeded",
    };
    set(&mut new, &["status", "phase"], json!(phase));
    set_default(&mut new, &["status", "startTime"], json!(now_text()));
    set(&mut new, &["status", "hostIP"], json!(view.host));
    set(&mut new, &["status", "hostIPs"], json!([{"ip": view.host}]));
    if phase != "Pending" {
        set(&mut new, &["status", "podIP"], json!(view.address));
        set(&mut new, &["status", "podIPs"], json!([{"ip": view.address}]));
    }
    conditions(&mut new, view.stage);
    let statuses: Vec<Value> = items(&pod["spec"]["containers"])
        .iter()
        .map(|container| container_status(pod, container, view))
        .collect();
    set(&mut new, &["status", "containerStatuses"], Value::Array(statuses));
    let inits: Vec<Value> = items(&pod["spec"]["initContainers"])
        .iter()
        .map(|container| init_status(pod, container, phase))
        .collect();
    if inits.is_empty() {
        unset(&mut new, &["status", "initContainerStatuses"]);
    } else {
        set(&mut new, &["status", "initContainerStatuses"], Value::Array(inits));
    }
    new
}

fn conditions(pod: &mut Value, stage: Stage) {
    let (ready, reason) = match stage {
        Stage::Ready => ("True", ""),
        Stage::Ended => ("False", "PodCompleted"),
        Stage::Accepted
        | Stage::Creating
        | Stage::Running
        | Stage::PullFailed
        | Stage::PullWaits
        | Stage::CrashWaits => ("False", "ContainersNotReady"),
    };
    let message = if reason == "ContainersNotReady" { "containers with unready status" } else { "" };
    set_condition(pod, "PodReadyToStartContainers", "True", "", "");
    set_condition(pod, "Initialized", "True", "", "");
    match closed_gate(pod).filter(|_| ready == "True") {
        None => set_condition(pod, "Ready", ready, reason, message),
        Some(gate) => {
            let message = format!("the condition {gate:?} of a readiness gate is not \"True\"");
            set_condition(pod, "Ready", "False", "ReadinessGatesNotReady", &message)
        }
    };
    set_condition(pod, "ContainersReady", ready, reason, message);
    set_condition(pod, "PodScheduled", "True", "", "");
}

/// The first readiness gate of a pod whose condition nobody has set.
fn closed_gate(pod: &Value) -> Option<String> {
    let gates = items(&pod["spec"]["readinessGates"]).iter().map(|gate| text(&gate["conditionType"]));
    gates.filter(|gate| !condition_true(pod, gate)).map(str::to_owned).next()
}

fn container_status(pod: &Value, container: &Value, view: &View) -> Value {
    let old = old_status(pod, "containerStatuses", container);
    let image = text(&container["image"]);
    let own = Behaviour::of_image(image);
    let crashed = own == Behaviour::CrashLoop;
    let waiting = |reason: &str, message: String| json!({"waiting": {"reason": reason, "message": message}});
    let since = &old["state"]["running"]["startedAt"];
    let started = if since.is_string() { since.clone() } else { json!(now_text()) };
    let running = || json!({"running": {"startedAt": started}});
    let ended = |reason: &str, code: i64| json!({"terminated": {"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": now_text(), "containerID": container_id(pod, container)}});
    let state = match view.stage {
        Stage::Accepted | Stage::Creating => json!({"waiting": {"reason": "ContainerCreating"}}),
        Stage::PullFailed | Stage::PullWaits if own != Behaviour::BadImage => {
            json!({"waiting": {"reason": "ContainerCreating"}})
        }
        Stage::PullFailed => {
            waiting("ErrImagePull", format!("failed to pull and unpack image {image:?}: not found"))
        }
        Stage::PullWaits => waiting("ImagePullBackOff", format!("Back-off pulling image {image:?}")),
        Stage::CrashWaits if crashed => {
            let name = text(&container["name"]);
            waiting("CrashLoopBackOff", format!("back-off restarting failed container={name}"))
        }
        Stage::Ended if crashed => ended("Error", 1),
        Stage::Ended => ended("Completed", 0),
        Stage::Running | Stage::Ready | Stage::CrashWaits => running(),
    };
    let is_running = state["running"].is_object();
    let crashes = if crashed && view.stage == Stage::Running { view.attempts } else { 0 };
    let restarts =
        if crashed && view.stage == Stage::CrashWaits { view.attempts.saturating_sub(1) } else { crashes };
    let last =
        if view.stage == Stage::CrashWaits && crashed { ended("Error", 1) } else { old["lastState"].clone() };
    let mut status = json!({
        "name": container["name"],
        "image": image,
        "imageID": "",
        "ready": is_running && view.stage == Stage::Ready,
        "started": is_running,
        "restartCount": restarts,
        "state": state,
        "lastState": if last.is_object() { last } else { json!({}) },
    });
    if is_running || view.stage == Stage::Ended {
        set(&mut status, &["containerID"], json!(container_id(pod, container)));
        set(&mut status, &["imageID"], json!(format!("{image}@sha256:{}", digest(image).repeat(4))));
    }
    status
}

fn init_status(pod: &Value, container: &Value, phase: &str) -> Value {
    let old = old_status(pod, "initContainerStatuses", container);
    if phase != "Pending" && (old["state"]["terminated"].is_object() || old["state"]["running"].is_object()) {
        return old.clone();
    }
    let sidecar = container["restartPolicy"] == "Always";
    let now = now_text();
    let state = match (phase, sidecar) {
        ("Pending", _) => json!({"waiting": {"reason": "PodInitializing"}}),
        (_, true) => json!({"running": {"startedAt": now}}),
        (_, false) => {
            json!({"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now}})
        }
    };
    json!({
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "ready": phase != "Pending",
        "restartCount": 0,
        "state": state,
        "lastState": {},
    })
}

fn old_status<'a>(pod: &'a Value, list: &str, container: &Value) -> &'a Value {
    items(&pod["status"][list])
        .iter()
        .find(|status| status["name"] == container["name"])
        .unwrap_or(&Value::Null)
}

fn container_id(pod: &Value, container: &Value) -> String {
    let seed = format!("{}/{}", crate::object::uid(pod), text(&container["name"]));
    format!("kubesim://{}", digest(&seed).repeat(4))
}

fn digest(text: &str) -> String {
    format!("{:016x}", godwit_common::stable_hash([text.as_bytes()]))
}
