//! Daemon sets: one pod on every node that takes it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::engine::{Controller, Queue};
use super::replicaset::queue_controller;
use super::{Cluster, pods, template, unless_gone};
use crate::error::ApiError;
use crate::object::{self, Key, int, items, set, text};
use crate::scheduler::{Amounts, fit};
use crate::store::{Change, PODS, Part};

/// The resource.
pub(crate) const RESOURCE: &str = "daemonsets.apps";
const HASH_LABEL: &str = "controller-revision-hash";
const SOURCE: &str = "daemonset-controller";

/// What daemons stay through, as the real controller says.
const TOLERATED: &[(&str, &str)] = &[
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];

/// The controller of daemon sets.
#[derive(Debug, Default)]
pub(crate) struct DaemonSets;

impl Controller for DaemonSets {
    type Item = Key;

    fn resources(&self) -> &'static [&'static str] {
        &[RESOURCE, PODS, "nodes"]
    }

    fn observe(&mut self, cluster: &Cluster, change: &Change, queue: &mut Queue<Key>) {
        match &*change.resource {
            RESOURCE => queue.add(change.key.clone()),
            "nodes" => {
                for set in cluster.store.all(RESOURCE, None) {
                    queue.add(Key::of(&set));
                }
            }
            _ => queue_controller(change, "DaemonSet", queue),
        }
    }

    fn reconcile(&mut self, cluster: &Cluster, key: &Key) -> Result<Option<Duration>, ApiError> {
        let Some(owner) = cluster.store.get(RESOURCE, key) else {
            return Ok(None);
        };
        if !object::deleting(&owner) {
            step(cluster, &owner)?;
        }
        status(cluster, &owner)
    }
}

/// The pod that the set wants on a node.
fn pod_for(owner: &Value, node: &str) -> Value {
    let mut pod = pods::from_template(owner, &owner["spec"]["template"]);
    let hash = template::hash(&owner["spec"]["template"], 0);
    set(&mut pod, &["metadata", "labels", HASH_LABEL], json!(hash));
    let own = json!({"key": "metadata.name", "operator": "In", "values": [node]});
    let required = [
        "spec",
        "affinity",
        "nodeAffinity",
        "requiredDuringSchedulingIgnoredDuringExecution",
        "nodeSelectorTerms",
    ];
    let given = required.iter().fold(&pod, |value, step| &value[*step]);
    let mut terms = items(given).to_vec();
    if terms.is_empty() {
        terms.push(json!({}));
    }
    for term in &mut terms {
        set(term, &["matchFields"], json!([own]));
    }
    set(&mut pod, &required, Value::Array(terms));
    let mut tolerations = items(&pod["spec"]["tolerations"]).to_vec();
    for (key, effect) in TOLERATED {
        tolerations.push(json!({"key": key, "operator": "Exists", "effect": effect}));
    }
    set(&mut pod, &["spec", "tolerations"], Value::Array(tolerations));
    pod
}

/// The nodes that should run a pod of the set. Room does not matter: a pod without room waits.
fn wanted_nodes(cluster: &Cluster, owner: &Value) -> Vec<Arc<Value>> {
    let mut nodes = cluster.store.all("nodes", None);
    nodes.retain(|node| {
        let pod = pod_for(owner, object::name(node));
        fit::Node::read(node).refusals(&pod, &Amounts::default()).is_empty()
    });
    nodes
}

/// The node that a pod of the set is bound to or waits for.
fn node_of(pod: &Value) -> &str {
    let bound = text(&pod["spec"]["nodeName"]);
    if !bound.is_empty() {
        return bound;
    }
    let required = &pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    text(&required["nodeSelectorTerms"][0]["matchFields"][0]["values"][0])
}

fn step(cluster: &Cluster, owner: &Value) -> Result<(), ApiError> {
    let mut there: BTreeMap<String, Vec<Arc<Value>>> = BTreeMap::new();
    for pod in pods::controlled(cluster, owner) {
        there.entry(node_of(&pod).to_owned()).or_default().push(pod);
    }
    let hash = template::hash(&owner["spec"]["template"], 0);
    let wanted = wanted_nodes(cluster, owner);
    let rolling = &owner["spec"]["updateStrategy"];
    let bound = pods::scaled(
        &rolling["rollingUpdate"]["maxUnavailable"],
        i64::try_from(wanted.len()).unwrap_or(0),
        true,
    );
    let mut down = wanted
        .iter()
        .filter(|node| !there.get(object::name(node)).is_some_and(|pods| pods.iter().any(|pod| is_up(pod))))
        .count();
    for node in &wanted {
        let found = there.remove(object::name(node)).unwrap_or_default();
        match found.as_slice() {
            [] => pods::create(cluster, owner, pod_for(owner, object::name(node)), SOURCE)?,
            [pod, ..] if pods::is_finished(pod) && !object::deleting(pod) => {
                pods::delete(cluster, owner, pod, SOURCE)?
            }
            [pod, ..] => {
                let old = text(&pod["metadata"]["labels"][HASH_LABEL]) != hash;
                let may_go = !is_up(pod) || i64::try_from(down).is_ok_and(|down| down < bound.max(1));
                if old && may_go && rolling["type"] != "OnDelete" && !object::deleting(pod) {
                    down += usize::from(is_up(pod));
                    pods::delete(cluster, owner, pod, SOURCE)?;
                }
            }
        }
    }
    // What is left stands where nothing is wanted.
    for pod in there.values().flatten().filter(|pod| !object::deleting(pod)) {
        pods::delete(cluster, owner, pod, SOURCE)?;
    }
    Ok(())
}

fn is_up(pod: &Value) -> bool {
    pods::is_ready(pod) && !object::deleting(pod)
}

fn status(cluster: &Cluster, owner: &Value) -> Result<Option<Duration>, ApiError> {
    let hash = template::hash(&owner["spec"]["template"], 0);
    let mut active = pods::controlled(cluster, owner);
    active.retain(|pod| pods::is_active(pod));
    let wanted = wanted_nodes(cluster, owner).len();
    let counts = pods::count(&active, int(&owner["spec"]["minReadySeconds"], 0));
    let updated = active.iter().filter(|pod| text(&pod["metadata"]["labels"][HASH_LABEL]) == hash).count();
    let missing = i64::try_from(wanted).unwrap_or(i64::MAX) - counts.available;
    let mut status = json!({
        "observedGeneration": owner["metadata"]["generation"],
        "desiredNumberScheduled": wanted,
        "currentNumberScheduled": active.len().min(wanted),
        "numberMisscheduled": active.len().saturating_sub(wanted),
        "numberReady": counts.ready,
        "numberAvailable": counts.available,
        "updatedNumberScheduled": updated,
    });
    if missing > 0 {
        set(&mut status, &["numberUnavailable"], json!(missing));
    }
    let kind = cluster.kind(RESOURCE)?;
    unless_gone(cluster.store.modify(&kind, &Key::of(owner), Part::Status, false, |current| {
        let mut new = current.clone();
        set(&mut new, &["status"], status);
        Ok(new)
    }))?;
    Ok(counts.next)
}
