//! Nodes that fail, vanish and come back.

use std::sync::Arc;

use godwit_agent_core::{Change, NodeSeen, PodPhase};

use super::Member;
use crate::clock::Cx;
use crate::happening::Happening;

/// How long a node has to be away before its pods are evicted.
const EVICTS: (u64, u64) = (5_000, 40_000);

/// The name of a node.
pub(super) fn name_of(number: u32) -> Arc<str> {
    format!("node-{number}").into()
}

impl Member {
    /// The names of all pods.
    pub fn pod_names(&self) -> Vec<Arc<str>> {
        self.pods.keys().cloned().collect()
    }

    /// A node is heard no more.
    pub(crate) fn stop_node(&mut self, cx: &mut Cx<Happening>, name: &Arc<str>) {
        let Some(node) = self.nodes.get_mut(name) else { return };
        node.ready = false;
        let seen = node.clone();
        self.show_nodes(cx, Change::Node(seen));
        for pod in self.pods_on(name) {
            self.set_ready(cx, &pod, false);
        }
        cx.after(EVICTS, Happening::NodeEvicts { cluster: self.index, node: name.clone() });
    }

    /// A node is deleted, and its pods with it.
    pub(crate) fn remove_node(&mut self, cx: &mut Cx<Happening>, name: &Arc<str>) {
        let pods = self.pods_on(name);
        if self.nodes.remove(name).is_none() {
            return;
        }
        self.disturb_pods(&pods);
        self.show_nodes(cx, Change::NodeGone(name.clone()));
        for pod in pods {
            let Some(seen) = self.pods.get(&pod).map(|pod| pod.seen.clone()) else { continue };
            self.pod_ends(cx, &pod);
            self.owner_looks(cx, &seen);
        }
    }

    /// All nodes are there, and ready.
    pub(crate) fn mend_nodes(&mut self, cx: &mut Cx<Happening>) {
        let (like, count) = self.size.clone();
        for name in (0..count).map(name_of) {
            if self.nodes.get(&name).is_some_and(|node| node.ready) {
                continue;
            }
            self.wake_node(cx, &name);
            let seen = NodeSeen { name: name.clone(), ..like.clone() };
            self.nodes.insert(name.clone(), seen.clone());
            self.show_nodes(cx, Change::Node(seen));
            for pod in self.pods_on(&name) {
                match self.pods[&pod].seen.phase {
                    PodPhase::Running => self.set_ready(cx, &pod, true),
                    PodPhase::Pending => self.pod_starts(cx, &pod),
                    PodPhase::Ended => {}
                }
            }
        }
        cx.after((1, 200), Happening::Schedule { cluster: self.index });
    }

    /// A node has been away for long, unless it is back: its pods are to end, and others are made.
    pub(crate) fn evict(&mut self, cx: &mut Cx<Happening>, name: &Arc<str>) {
        if self.dead || self.nodes.get(name).is_none_or(|node| node.ready) {
            return;
        }
        self.disturb_pods(&self.pods_on(name));
        for pod in self.pods_on(name) {
            self.end_pod(cx, &pod);
            if let Some(pod) = self.pods.get_mut(&pod) {
                pod.of_its_own = true;
                self.crowded = true;
            }
            if let Some(seen) = self.pods.get(&pod).map(|pod| pod.seen.clone()) {
                self.owner_looks(cx, &seen);
            }
        }
    }

    pub(super) fn has_failed_node(&self, pod: &Arc<str>) -> bool {
        let node = self.pods.get(pod).and_then(|pod| pod.seen.node.as_ref());
        node.and_then(|node| self.nodes.get(node)).is_some_and(|node| !node.ready)
    }

    pub(super) fn pods_on(&self, node: &Arc<str>) -> Vec<Arc<str>> {
        let on = self.pods.iter().filter(|(_, pod)| pod.seen.node.as_ref() == Some(node));
        on.map(|(name, _)| name.clone()).collect()
    }
}
