//! The pods: which workload each counts for, and the sums that follow when one changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use godwit_common::selector::LabelSelector;
use godwit_common::{Time, WorkloadId};

use super::tally::Since;
use super::unmanaged::SYSTEM;
use super::{Touched, View};
use crate::capacity::Nodes;
use crate::{PodPhase, PodSeen};

/// Its namespace and its name.
pub(super) type PodKey = (Arc<str>, Arc<str>);

#[derive(Debug)]
pub(super) struct Pod {
    /// But for how long it had been ready then.
    pub(super) seen: PodSeen,
    /// The workload that it counts for.
    owner: Option<WorkloadId>,
    pub(super) ready_since: Since,
    pub(super) list: u64,
}

impl View {
    pub(super) fn put_pod(&mut self, now: Time, mut seen: PodSeen, list: u64, touched: &mut Touched) {
        let key = (seen.namespace.clone(), seen.name.clone());
        let ready_since = Since::ago(std::mem::take(&mut seen.ready_for), now);
        // The same pod is seen a little older each time: what it was first taken for stays.
        if let Some(pod) = self.pods.get_mut(&key)
            && pod.seen == seen
        {
            pod.list = list;
            return;
        }
        let old = self.pods.remove(&key);
        let still_ready = old.as_ref().filter(|old| old.seen.ready && seen.ready);
        let ready_since = still_ready.map_or(ready_since, |old| old.ready_since);
        seen.labels = self.labels.shared(seen.labels);
        let owner = self.owner_of(&seen);
        let new = Pod { seen, owner, ready_since, list };
        self.count_pod(old.as_ref(), Some(&new), touched);
        self.pods.insert(key, new);
    }

    pub(super) fn remove_pod(&mut self, key: &PodKey, touched: &mut Touched) {
        if let Some(pod) = self.pods.remove(key) {
            self.count_pod(Some(&pod), None, touched);
        }
    }

    /// The workload that a pod counts for: the one that chooses it by its labels, or else its controller.
    fn owner_of(&self, pod: &PodSeen) -> Option<WorkloadId> {
        let label = |key: &str| pod.labels.get(key).map(AsRef::as_ref);
        let mut choosing = of_namespace(&self.selectors, &pod.namespace);
        let chosen = choosing.find(|(_, selector)| selector.matches(label));
        chosen.map(|(id, _)| id.clone()).or_else(|| pod.owner.clone())
    }

    /// A workload chooses its pods by these labels from now on.
    pub(super) fn select(
        &mut self,
        id: &WorkloadId,
        selector: Option<Arc<LabelSelector>>,
        touched: &mut Touched,
    ) {
        // What chooses everything has not said yet what it means.
        let selector = selector.filter(|selector| !selector.is_empty());
        if self.selectors.get(id) == selector.as_ref() {
            return;
        }
        match selector {
            Some(selector) => self.selectors.insert(id.clone(), selector),
            None => self.selectors.remove(id),
        };
        let first = (id.namespace.clone(), Arc::from(""));
        let pods = self.pods.range(first..).take_while(|((namespace, _), _)| *namespace == id.namespace);
        let keys: Vec<PodKey> = pods.map(|(key, _)| key.clone()).collect();
        for key in keys {
            let Some(old) = self.pods.remove(&key) else { continue };
            let owner = self.owner_of(&old.seen);
            let same = owner == old.owner;
            let new = Pod { owner, seen: old.seen.clone(), ..old };
            if !same {
                self.count_pod(Some(&old), Some(&new), touched);
            }
            self.pods.insert(key, new);
        }
    }

    /// A node changes: what is not ready on it is its fault from now on, or no longer.
    pub(super) fn change_node(
        &mut self,
        name: &Arc<str>,
        touched: &mut Touched,
        change: impl FnOnce(&mut Nodes) -> bool,
    ) {
        let was_down = self.nodes.is_down(name);
        touched.capacity |= change(&mut self.nodes);
        if self.nodes.is_down(name) == was_down {
            return;
        }
        let keys = self.on_node.get(name).into_iter().flatten();
        for pod in keys.filter_map(|key| self.pods.get(key)) {
            let Some(owner) = &pod.owner else { continue };
            if let Some(tally) = self.tallies.get_mut(owner) {
                tally.count(pod, was_down, -1);
                tally.count(pod, !was_down, 1);
                touched.workloads.insert(owner.clone());
            }
        }
    }

    /// Moves the sums from the old state of a pod to the new one.
    fn count_pod(&mut self, old: Option<&Pod>, new: Option<&Pod>, touched: &mut Touched) {
        let owners = [old, new].map(|pod| pod.and_then(|pod| pod.owner.clone()));
        let ready_before = owners.clone().map(|owner| self.ready(owner.as_ref()));
        for (pod, sign) in [(old, -1), (new, 1)] {
            let Some(counted) = pod else { continue };
            let pod = &counted.seen;
            let down = pod.node.as_ref().is_some_and(|node| self.nodes.is_down(node));
            self.note_place(pod, sign);
            if let Some(owner) = &counted.owner {
                self.tallies.entry(owner.clone()).or_default().count(counted, down, sign);
                touched.workloads.insert(owner.clone());
            } else if pod.phase != PodPhase::Ended && !SYSTEM.contains(&&*pod.namespace) {
                let key = (pod.namespace.clone(), pod.name.clone());
                match sign {
                    1 => self.bare.insert(key),
                    _ => self.bare.remove(&key),
                };
                touched.capacity = true;
            }
            let running = if pod.phase == PodPhase::Running { sign } else { 0 };
            self.running = self.running.saturating_add_signed(running);
            touched.capacity |= running != 0;
            if let Some(node) = pod.node.as_ref().filter(|_| pod.phase != PodPhase::Ended) {
                touched.capacity = true;
                match sign {
                    1 => self.nodes.bind(node, &pod.requests),
                    _ => self.nodes.unbind(node, &pod.requests),
                }
            }
        }
        let ready_after = owners.clone().map(|owner| self.ready(owner.as_ref()));
        let managed =
            |owner: &Option<WorkloadId>| owner.as_ref().is_some_and(|id| self.workloads.contains_key(id));
        touched.readiness |= ready_before != ready_after && owners.iter().any(managed);
        for owner in owners.into_iter().flatten() {
            if self.tallies.get(&owner).is_some_and(|tally| tally.exist == 0) {
                self.tallies.remove(&owner);
            }
        }
    }

    /// Remembers which node a pod is on, or that it is not there any more.
    fn note_place(&mut self, pod: &PodSeen, sign: i32) {
        let Some(node) = &pod.node else { return };
        let key = (pod.namespace.clone(), pod.name.clone());
        if sign > 0 {
            self.on_node.entry(node.clone()).or_default().insert(key);
        } else if let Some(pods) = self.on_node.get_mut(node) {
            pods.remove(&key);
            if pods.is_empty() {
                self.on_node.remove(node);
            }
        }
    }

    fn ready(&self, owner: Option<&WorkloadId>) -> u32 {
        let tally = owner.and_then(|owner| self.tallies.get(owner));
        tally.map_or(0, |tally| tally.ready)
    }
}

/// What is known of the workloads of a namespace.
fn of_namespace<'a, T>(
    all: &'a BTreeMap<WorkloadId, T>,
    namespace: &'a Arc<str>,
) -> impl Iterator<Item = (&'a WorkloadId, &'a T)> {
    let first = WorkloadId { namespace: namespace.clone(), kind: "".into(), name: "".into() };
    all.range(first..).take_while(move |(id, _)| id.namespace == *namespace)
}
