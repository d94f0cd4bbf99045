//! What all controllers of pods need: which pods count, and how they are made and chosen.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{Cluster, unless_gone};
use crate::error::ApiError;
use crate::object::{self, Key, condition, condition_true, controller_of, int, set, text};
use crate::store::{DeleteOptions, PODS};

/// The pods that `owner` controls.
pub(super) fn controlled(cluster: &Cluster, owner: &Value) -> Vec<Arc<Value>> {
    let uid = object::uid(owner);
    let mut pods = cluster.store.owned(uid, PODS);
    pods.retain(|pod| controller_of(pod).is_some_and(|controller| text(&controller["uid"]) == uid));
    pods
}

/// Whether a pod runs or will run.
pub(super) fn is_active(pod: &Value) -> bool {
    !object::deleting(pod) && !is_finished(pod)
}

/// Whether all containers of a pod ended for good.
pub(super) fn is_finished(pod: &Value) -> bool {
    matches!(text(&pod["status"]["phase"]), "Succeeded" | "Failed")
}

/// Whether a pod is ready.
pub(super) fn is_ready(pod: &Value) -> bool {
    condition_true(pod, "Ready")
}

/// How long until a pod counts as available; zero when it does, `None` while it is not ready.
pub(super) fn until_available(pod: &Value, min_ready_seconds: i64) -> Option<Duration> {
    if !is_ready(pod) {
        return None;
    }
    let since = condition(pod, "Ready").map(|ready| text(&ready["lastTransitionTime"]))?;
    let ready_for = OffsetDateTime::now_utc() - object::parse_time(since)?;
    let missing = time::Duration::seconds(min_ready_seconds) - ready_for;
    if min_ready_seconds <= 0 || !missing.is_positive() {
        return Some(Duration::ZERO);
    }
    Some(missing.try_into().unwrap_or_default())
}

/// The counts that a workload's status shows of its pods.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) ready: i64,
    pub(super) available: i64,
    /// When the next pod becomes available by time alone.
    pub(super) next: Option<Duration>,
}

/// Counts `pods`.
pub(super) fn count<'a>(pods: impl IntoIterator<Item = &'a Arc<Value>>, min_ready_seconds: i64) -> Counts {
    let mut counts = Counts::default();
    for pod in pods {
        counts.ready += i64::from(is_ready(pod));
        match until_available(pod, min_ready_seconds) {
            Some(Duration::ZERO) => counts.available += 1,
            Some(later) => counts.next = Some(counts.next.map_or(later, |next| next.min(later))),
            None => {}
        }
    }
    counts
}

/// A pod of `template` that `owner` controls. The caller names it.
pub(super) fn from_template(owner: &Value, template: &Value) -> Value {
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": object::namespace(owner),
            "generateName": format!("{}-", object::name(owner)),
            "ownerReferences": [object::controller_ref(owner)],
        },
        "spec": template["spec"],
    });
    for field in ["labels", "annotations", "finalizers"] {
        let value = &template["metadata"][field];
        if !value.is_null() {
            set(&mut pod, &["metadata", field], value.clone());
        }
    }
    pod
}

/// Creates `pod` and says so in an event of `owner`.
pub(super) fn create(cluster: &Cluster, owner: &Value, pod: Value, source: &str) -> Result<(), ApiError> {
    let kind = cluster.kind(PODS)?;
    let made = cluster.store.create(&kind, pod, false)?;
    let message = format!("Created pod: {}", object::name(&made));
    cluster.event(owner, "Normal", "SuccessfulCreate", &message, source);
    Ok(())
}

/// Deletes `pod` with its grace and says so in an event of `owner`.
pub(super) fn delete(cluster: &Cluster, owner: &Value, pod: &Value, source: &str) -> Result<(), ApiError> {
    let kind = cluster.kind(PODS)?;
    let options = DeleteOptions { uid: Some(object::uid(pod).to_owned()), ..DeleteOptions::default() };
    match cluster.store.delete(&kind, &Key::of(pod), &options) {
        // Another pod took the name: the one that was meant is gone.
        Err(error) if error.code == 409 => Ok(()),
        result => {
            let message = format!("Deleted pod: {}", object::name(pod));
            cluster.event(owner, "Normal", "SuccessfulDelete", &message, source);
            unless_gone(result)
        }
    }
}

/// Sorts pods so that those which are missed least come first, as the real controller ranks them: not bound, not
/// running, not ready, then the youngest.
pub(super) fn sort_for_deletion(pods: &mut [Arc<Value>]) {
    pods.sort_by_cached_key(|pod| {
        let cost = text(&pod["metadata"]["annotations"]["controller.kubernetes.io/pod-deletion-cost"])
            .parse::<i32>()
            .unwrap_or(0);
        (
            !text(&pod["spec"]["nodeName"]).is_empty(),
            text(&pod["status"]["phase"]) == "Running",
            is_ready(pod),
            cost,
            std::cmp::Reverse(object::meta(pod, "creationTimestamp").to_owned()),
            object::name(pod).to_owned(),
        )
    });
}

/// A count or a percentage of `total`, as `maxSurge` and its kin are written.
pub(super) fn scaled(value: &Value, total: i64, round_up: bool) -> i64 {
    match value {
        Value::String(text) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
            let hundredfold = total.saturating_mul(percent);
            if round_up { hundredfold.saturating_add(99) / 100 } else { hundredfold / 100 }
        }
        other => int(other, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_round_as_asked() {
        assert_eq!(scaled(&json!("25%"), 10, true), 3);
        assert_eq!(scaled(&json!("25%"), 10, false), 2);
        assert_eq!(scaled(&json!(4), 10, false), 4);
        assert_eq!(scaled(&Value::Null, 10, true), 0);
    }

    #[test]
    fn pods_that_run_nowhere_go_first() {
        let pod = |name: &str, node: &str, ready: &str| {
            Arc::new(json!({
                "metadata": {"name": name},
                "spec": {"nodeName": node},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]},
            }))
        };
        let mut pods = vec![pod("a", "n", "True"), pod("b", "n", "False"), pod("c", "", "False")];
        sort_for_deletion(&mut pods);
        let names: Vec<&str> = pods.iter().map(|pod| object::name(pod)).collect();
        assert_eq!(names, ["c", "b", "a"]);
    }
}
