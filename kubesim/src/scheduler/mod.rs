//! The scheduler: binds pods to the least loaded node that takes them, and says why when none does.

pub(crate) mod fit;
pub(crate) mod quantity;
mod request;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::controllers::engine::{Controller, Queue};
use crate::controllers::{Cluster, unless_gone};
use crate::error::ApiError;
use crate::object::{self, Key, set, text};
use crate::store::{Change, PODS, Part};
use fit::Node;
pub(crate) use request::{Amounts, pod_request};

const SOURCE: &str = "default-scheduler";

/// The scheduler. It keeps what each node has left up to date, change by change.
#[derive(Debug, Default)]
pub(crate) struct Scheduler {
    nodes: BTreeMap<Arc<str>, Node>,
    /// What each bound pod takes, and where.
    bound: BTreeMap<Key, (Arc<str>, Amounts)>,
    /// The pods that found no node.
    unschedulable: BTreeSet<Key>,
}

impl Controller for Scheduler {
    type Item = Key;

    fn resources(&self) -> &'static [&'static str] {
        &["nodes", PODS]
    }

    fn observe(&mut self, _: &Cluster, change: &Change, queue: &mut Queue<Key>) {
        let freed = if *change.resource == *PODS {
            self.observe_pod(change, queue)
        } else {
            self.observe_node(change)
        };
        if freed {
            for key in std::mem::take(&mut self.unschedulable) {
                queue.add(key);
            }
        }
    }

    fn reconcile(&mut self, cluster: &Cluster, key: &Key) -> Result<Option<Duration>, ApiError> {
        let Some(pod) = cluster.store.get(PODS, key) else {
            return Ok(None);
        };
        if !waits(&pod) {
            return Ok(None);
        }
        let request = pod_request(&pod["spec"]);
        match fit::choose(self.nodes.values(), &pod, &request) {
            Ok(node) => {
                let node = node.name.clone();
                bind(cluster, key, &node)?;
                self.take(key.clone(), node.clone(), request);
                let message = format!("Successfully assigned {key} to {node}");
                cluster.event(&pod, "Normal", "Scheduled", &message, SOURCE);
            }
            Err(refusals) => {
                self.unschedulable.insert(key.clone());
                refuse(cluster, &pod, &refusals.to_string())?;
            }
        }
        Ok(None)
    }
}

impl Scheduler {
    /// Returns whether room came free.
    fn observe_pod(&mut self, change: &Change, queue: &mut Queue<Key>) -> bool {
        let pod = &change.after;
        let node = text(&pod["spec"]["nodeName"]);
        if change.removed
            || crate::object::text(&pod["status"]["phase"]) == "Succeeded"
            || text(&pod["status"]["phase"]) == "Failed"
        {
            self.unschedulable.remove(&change.key);
            return self.release(&change.key);
        }
        if !node.is_empty() {
            if !self.bound.contains_key(&change.key) {
                self.take(change.key.clone(), node.into(), pod_request(&pod["spec"]));
            }
        } else if waits(pod) && !self.unschedulable.contains(&change.key) {
            queue.add(change.key.clone());
        }
        false
    }

    /// Returns whether the node may take pods that it did not take before.
    fn observe_node(&mut self, change: &Change) -> bool {
        let name = change.key.name.clone();
        if change.removed {
            self.nodes.remove(&name);
            return false;
        }
        let mut node = Node::read(&change.after);
        for (_, request) in self.bound.values().filter(|(on, _)| *on == name) {
            node.used.add(request);
        }
        let old = self.nodes.insert(name.clone(), node);
        old.as_ref() != self.nodes.get(&name)
    }

    fn take(&mut self, key: Key, node: Arc<str>, request: Amounts) {
        if let Some(node) = self.nodes.get_mut(&node) {
            node.used.add(&request);
        }
        self.bound.insert(key, (node, request));
    }

    fn release(&mut self, key: &Key) -> bool {
        let Some((node, request)) = self.bound.remove(key) else {
            return false;
        };
        if let Some(node) = self.nodes.get_mut(&node) {
            node.used.subtract(&request);
        }
        true
    }
}

fn waits(pod: &Value) -> bool {
    text(&pod["spec"]["nodeName"]).is_empty()
        && !object::deleting(pod)
        && text(&pod["spec"]["schedulerName"]) == SOURCE
        && object::items(&pod["spec"]["schedulingGates"]).is_empty()
}

fn bind(cluster: &Cluster, key: &Key, node: &str) -> Result<(), ApiError> {
    let kind = cluster.kind(PODS)?;
    unless_gone(cluster.store.modify(&kind, key, Part::All, false, |pod| {
        let mut bound = pod.clone();
        set(&mut bound, &["spec", "nodeName"], json!(node));
        object::set_condition(&mut bound, "PodScheduled", "True", "", "");
        Ok(bound)
    }))
}

fn refuse(cluster: &Cluster, pod: &Value, why: &str) -> Result<(), ApiError> {
    let known = object::condition(pod, "PodScheduled").is_some_and(|condition| condition["message"] == why);
    if known {
        return Ok(());
    }
    cluster.event(pod, "Warning", "FailedScheduling", why, SOURCE);
    let kind = cluster.kind(PODS)?;
    unless_gone(cluster.store.modify(&kind, &Key::of(pod), Part::All, false, |pod| {
        let mut told = pod.clone();
        object::set_condition(&mut told, "PodScheduled", "False", "Unschedulable", why);
        Ok(told)
    }))
}
