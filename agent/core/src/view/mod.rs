//! What the watches show: the member cluster as this agent sees it, and for each workload the sum of its pods.
//! An event costs what it names; nothing is ever scanned but at the end of a new listing.

mod label_sets;
mod pods;
mod tally;
mod unmanaged;
mod watches;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::link::Capacity;
use godwit_common::selector::LabelSelector;
use godwit_common::{ObjectKey, Time, WorkloadId};

use crate::capacity::Nodes;
use crate::rows::workload_of;
use crate::{Change, Kind, ObjectSeen, Scope, WatchId};

use label_sets::LabelSets;
use pods::{Pod, PodKey};
pub(crate) use tally::Tally;
use watches::{State, Watch};

#[derive(Debug, Default)]
pub(crate) struct View {
    last: u64,
    watches: BTreeMap<WatchId, Watch>,
    scopes: BTreeMap<Scope, WatchId>,
    objects: BTreeMap<ObjectKey, Object>,
    workloads: BTreeMap<WorkloadId, ObjectKey>,
    pods: BTreeMap<PodKey, Pod>,
    /// The pods on each node, also on nodes that are not known (yet).
    on_node: BTreeMap<Arc<str>, BTreeSet<PodKey>>,
    tallies: BTreeMap<WorkloadId, Tally>,
    /// Of workloads that say by labels which pods are their own.
    selectors: BTreeMap<WorkloadId, Arc<LabelSelector>>,
    /// The labels of pods, each set once.
    labels: LabelSets,
    /// What is looked for like the usual kinds.
    required: BTreeSet<Scope>,
    /// Pods without an owner that are not of the system and have not ended.
    bare: BTreeSet<PodKey>,
    nodes: Nodes,
    running: u32,
}

/// What a change has touched.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    pub(crate) objects: Vec<ObjectKey>,
    pub(crate) workloads: BTreeSet<WorkloadId>,
    /// The readiness of a managed workload changed.
    pub(crate) readiness: bool,
    pub(crate) capacity: bool,
    /// A watch has become complete, or cannot be had.
    pub(crate) settled: Option<Scope>,
}

#[derive(Debug)]
struct Object {
    seen: ObjectSeen,
    watch: WatchId,
    list: u64,
}

impl View {
    pub(crate) fn object(&self, key: &ObjectKey) -> Option<&ObjectSeen> {
        self.objects.get(key).map(|object| &object.seen)
    }

    pub(crate) fn workload(&self, id: &WorkloadId) -> Option<&ObjectSeen> {
        self.object(self.workloads.get(id)?)
    }

    pub(crate) fn workload_ids(&self) -> impl Iterator<Item = &WorkloadId> {
        self.workloads.keys()
    }

    pub(crate) fn tally(&self, id: &WorkloadId) -> Option<&Tally> {
        self.tallies.get(id)
    }

    pub(crate) fn capacity(&self) -> Capacity {
        self.nodes.capacity(self.running, self.unmanaged())
    }

    /// Takes in what a watch says.
    pub(crate) fn apply(&mut self, now: Time, id: WatchId, change: Change) -> Touched {
        let mut touched = Touched::default();
        let Some(watch) = self.watches.get_mut(&id) else {
            return touched;
        };
        let list = watch.list;
        match change {
            Change::Restarted => watch.list += 1,
            // No watch of this view shows it.
            Change::Summoned(_) => {}
            Change::Synced => {
                watch.state = State::Synced;
                touched.settled = Some(watch.scope.clone());
                self.sweep(id, list, &mut touched);
            }
            Change::Failed { reason, lasting } => {
                if !matches!(watch.state, State::Synced) {
                    watch.state = State::Failed { reason, lasting };
                    touched.settled = Some(watch.scope.clone());
                }
            }
            Change::Node(node) => {
                let name = node.name.clone();
                self.change_node(&name, &mut touched, |nodes| nodes.put(node, list));
            }
            Change::NodeGone(name) => {
                self.change_node(&name, &mut touched, |nodes| nodes.remove(&name));
            }
            Change::Pod(pod) => self.put_pod(now, pod, list, &mut touched),
            Change::PodGone { namespace, name } => self.remove_pod(&(namespace, name), &mut touched),
            Change::Object(seen) => {
                let workload = matches!(watch.scope, Scope::Workloads(_) | Scope::Scaled(_));
                self.put_object(seen, workload, id, list, &mut touched);
            }
            Change::ObjectGone(key) => self.remove_object(key, &mut touched),
        }
        touched
    }

    fn put_object(
        &mut self,
        seen: ObjectSeen,
        workload: bool,
        watch: WatchId,
        list: u64,
        touched: &mut Touched,
    ) {
        let key = seen.key.clone();
        if workload {
            let id = workload_of(&key);
            touched.workloads.insert(id.clone());
            self.select(&id, seen.selector.clone(), touched);
            // Its pods are ours from now on.
            touched.capacity |= self.workloads.insert(id, key.clone()).is_none();
        }
        self.objects.insert(key.clone(), Object { seen, watch, list });
        touched.objects.push(key);
    }

    fn remove_object(&mut self, key: ObjectKey, touched: &mut Touched) {
        if self.objects.remove(&key).is_some() {
            let id = workload_of(&key);
            if self.workloads.get(&id) == Some(&key) {
                self.workloads.remove(&id);
                self.select(&id, None, touched);
                touched.workloads.insert(id);
                touched.capacity = true;
            }
            touched.objects.push(key);
        }
    }

    /// Drops what the listing that has just ended did not name.
    fn sweep(&mut self, id: WatchId, list: u64, touched: &mut Touched) {
        match &touched.settled {
            Some(Scope::Nodes) => {
                for name in self.nodes.unlisted(list) {
                    self.change_node(&name, touched, |nodes| nodes.remove(&name));
                }
            }
            Some(Scope::Pods) => {
                let stale = self.pods.iter().filter(|(_, pod)| pod.list != list);
                let gone: Vec<_> = stale.map(|(key, _)| key.clone()).collect();
                gone.iter().for_each(|key| self.remove_pod(key, touched));
            }
            Some(Scope::Workloads(kind) | Scope::Scaled(kind) | Scope::Objects(kind)) => {
                let kind = kind.clone();
                // What another watch has shown is that one's to miss, as long as it goes on.
                let missed = |object: &Object| match object.watch == id {
                    true => object.list != list,
                    false => !self.watches.contains_key(&object.watch),
                };
                let stale =
                    self.objects.iter().filter(|(key, object)| Kind::of(key) == kind && missed(object));
                let gone: Vec<ObjectKey> = stale.map(|(key, _)| key.clone()).collect();
                gone.into_iter().for_each(|key| self.remove_object(key, touched));
            }
            Some(Scope::Summons) | None => {}
        }
    }
}
