//! Nodes: what happens when they fail, are tainted, cordoned or removed.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::engine::{Controller, Queue};
use super::{Cluster, unless_gone};
use crate::error::ApiError;
use crate::kubelet::is_failing;
use crate::object::{self, Key, int, items, set, text, unset};
use crate::scheduler::fit;
use crate::store::{Change, DeleteOptions, PODS, Part};

/// The resource.
pub(crate) const RESOURCE: &str = "nodes";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// The controller of nodes.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    /// Since when pods are told to leave, by node and by taint.
    told: BTreeMap<(Key, String), Instant>,
}

impl Controller for Nodes {
    type Item = Key;

    fn resources(&self) -> &'static [&'static str] {
        &[RESOURCE]
    }

    fn observe(&mut self, _: &Cluster, change: &Change, queue: &mut Queue<Key>) {
        queue.add(change.key.clone());
    }

    fn reconcile(&mut self, cluster: &Cluster, key: &Key) -> Result<Option<Duration>, ApiError> {
        let kind = cluster.kind(RESOURCE)?;
        if cluster.store.get(RESOURCE, key).is_none() {
            self.told.retain(|(node, _), _| node != key);
            return remove_orphans(cluster, key).map(|()| None);
        }
        let written = cluster.store.modify(&kind, key, Part::All, false, |node| {
            let mut new = node.clone();
            report(&mut new);
            taint(&mut new);
            Ok(new)
        });
        let node = match written {
            Ok(node) => node,
            Err(error) if error.code == 404 => return Ok(None),
            Err(error) => return Err(error),
        };
        if is_failing(&node) {
            mark_pods(cluster, key)?;
        }
        self.evict(cluster, key, &node)
    }
}

impl Nodes {
    /// Tells pods to leave that do not tolerate the node's taints, each when its patience ends.
    fn evict(&mut self, cluster: &Cluster, key: &Key, node: &Value) -> Result<Option<Duration>, ApiError> {
        let now = Instant::now();
        let leaving: Vec<&Value> =
            items(&node["spec"]["taints"]).iter().filter(|taint| taint["effect"] == "NoExecute").collect();
        self.told
            .retain(|(on, told), _| on != key || leaving.iter().any(|taint| text(&taint["key"]) == told));
        let mut next: Option<Duration> = None;
        for taint in leaving {
            let told = self.told.entry((key.clone(), text(&taint["key"]).to_owned())).or_insert(now);
            let waited = now.saturating_duration_since(*told);
            for pod in cluster.store.pods_on(&key.name) {
                if object::deleting(&pod) {
                    continue;
                }
                let patience = match fit::toleration(&pod, taint) {
                    None => Duration::ZERO,
                    Some(toleration) if toleration["tolerationSeconds"].is_null() => continue,
                    Some(toleration) => {
                        let seconds = int(&toleration["tolerationSeconds"], 0).max(0);
                        Duration::from_secs(seconds.unsigned_abs()).min(cluster.timing.eviction)
                    }
                };
                if waited >= patience {
                    let pods = cluster.kind(PODS)?;
                    unless_gone(cluster.store.delete(&pods, &Key::of(&pod), &DeleteOptions::default()))?;
                    cluster.event(
                        &pod,
                        "Normal",
                        "TaintManagerEviction",
                        "Marking for deletion Pod",
                        "taint-eviction-controller",
                    );
                } else {
                    let left = patience - waited;
                    next = Some(next.map_or(left, |next| next.min(left)));
                }
            }
        }
        Ok(next)
    }
}

/// The pods of a node that is gone go without grace.
fn remove_orphans(cluster: &Cluster, key: &Key) -> Result<(), ApiError> {
    let kind = cluster.kind(PODS)?;
    for pod in cluster.store.pods_on(&key.name) {
        unless_gone(cluster.store.delete(&kind, &Key::of(&pod), &DeleteOptions::now()))?;
    }
    Ok(())
}

fn report(node: &mut Value) {
    let failing = is_failing(node);
    let pressures = [
        ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ];
    let silent = ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.");
    for (kind, reason, message) in pressures {
        let (status, reason, message) = if failing { silent } else { ("False", reason, message) };
        object::set_condition(node, kind, status, reason, message);
    }
    let ready = ("True", "KubeletReady", "kubelet is posting ready status");
    let (status, reason, message) = if failing { silent } else { ready };
    object::set_condition(node, "Ready", status, reason, message);
}

/// The taints that follow from a node's state; those of others stay.
fn taint(node: &mut Value) {
    let failing = is_failing(node);
    let cordoned = node["spec"]["unschedulable"] == json!(true);
    let wanted = [
        (UNREACHABLE, "NoSchedule", failing),
        (UNREACHABLE, "NoExecute", failing),
        (UNSCHEDULABLE, "NoSchedule", cordoned),
    ];
    let mut taints = items(&node["spec"]["taints"]).to_vec();
    for (key, effect, wanted) in wanted {
        let found = taints.iter().position(|taint| taint["key"] == key && taint["effect"] == effect);
        match (found, wanted) {
            (Some(index), false) => drop(taints.remove(index)),
            (None, true) => {
                taints.push(json!({"key": key, "effect": effect, "timeAdded": object::now_text()}))
            }
            (Some(_), true) | (None, false) => {}
        }
    }
    if taints.is_empty() {
        unset(node, &["spec", "taints"]);
    } else {
        set(node, &["spec", "taints"], Value::Array(taints));
    }
}

/// Nobody knows whether pods on a silent node are ready: so they are not.
fn mark_pods(cluster: &Cluster, key: &Key) -> Result<(), ApiError> {
    let kind = cluster.kind(PODS)?;
    for pod in cluster.store.pods_on(&key.name) {
        if !object::condition_true(&pod, "Ready") {
            continue;
        }
        unless_gone(cluster.store.modify(&kind, &Key::of(&pod), Part::Status, false, |pod| {
            let mut new = pod.clone();
            object::set_condition(&mut new, "Ready", "False", "NodeNotReady", "");
            Ok(new)
        }))?;
    }
    Ok(())
}
