//! What the watches show: the member cluster as this agent sees it, and for each workload the sum of its pods.
//! An event costs what it names; nothing is ever scanned but at the end of a new listing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use godwit_common::link::{COUNT_MAX, Capacity, UNMANAGED_MAX, Unmanaged};
use godwit_common::selector::{LabelSelector, Labels};
use godwit_common::{ObjectKey, Time, WorkloadId, WorkloadKind};

use crate::capacity::Nodes;
use crate::cx::Cx;
use crate::rows::{Sight, workload_of};
use crate::{Change, Effect, Fault, Kind, ObjectSeen, PodPhase, PodSeen, Scope, WatchId};

/// Namespaces of the cluster itself, and the agents' own.
const SYSTEM: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", "godwit-system"];
/// Owners whose pods belong to their nodes, and go with these.
const OF_NODES: [&str; 2] = ["DaemonSet", "Node"];

/// So many sets of labels are kept, whether anybody has them or not.
const SETS_MIN: usize = 100;

/// Its namespace and its name.
type PodKey = (Arc<str>, Arc<str>);

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
    bare: BTreeSet<(Arc<str>, Arc<str>)>,
    nodes: Nodes,
    running: u32,
}

#[derive(Debug)]
struct Watch {
    scope: Scope,
    /// Which listing of this watch this is: what an older one named and this one does not is gone.
    list: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Starting,
    Synced,
    Failed { reason: Arc<str>, lasting: bool },
}

#[derive(Debug)]
struct Object {
    seen: ObjectSeen,
    watch: WatchId,
    list: u64,
}

#[derive(Debug)]
struct Pod {
    /// But for how long it had been ready then.
    seen: PodSeen,
    /// The workload that it counts for.
    owner: Option<WorkloadId>,
    ready_since: Since,
    list: u64,
}

/// A moment on the agent's own clock, in milliseconds. Below zero it is before the clock began: pods outlive agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Since(i64);

impl Since {
    fn ago(duration: Duration, now: Time) -> Self {
        let millis = |millis: u128| i64::try_from(millis).unwrap_or(i64::MAX);
        Self(millis(now.0.into()).saturating_sub(millis(duration.as_millis())))
    }

    fn until(self, now: Time) -> Duration {
        let now = i64::try_from(now.0).unwrap_or(i64::MAX);
        Duration::from_millis(u64::try_from(now.saturating_sub(self.0)).unwrap_or(0))
    }
}

/// The pods of one workload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    /// All, ended ones included: what a removal waits for.
    pub(crate) exist: u32,
    /// Not ended.
    pub(crate) pods: u32,
    pub(crate) bound: u32,
    pub(crate) ready: u32,
    pub(crate) unschedulable: u32,
    /// Not ready through a fault of the application (S3).
    pub(crate) failing: u32,
    /// Not ready through a fault of their node or of the cluster (S3).
    pub(crate) stranded: u32,
    pub(crate) terminating: u32,
    /// Since when the ready ones are, and how many of them since the same moment.
    ready_since: BTreeMap<Since, u32>,
    pub(crate) supervised: u32,
    problems: BTreeMap<Arc<str>, u32>,
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

impl Tally {
    pub(crate) fn problem(&self) -> Option<&Arc<str>> {
        self.problems.keys().next()
    }

    /// For how long the youngest of the ready ones has been ready.
    pub(crate) fn ready_for(&self, now: Time) -> Duration {
        self.ready_since.last_key_value().map_or(Duration::ZERO, |(since, _)| since.until(now))
    }

    /// Adds or takes away a pod, whose node is down or is not.
    fn count(&mut self, Pod { seen: pod, ready_since, .. }: &Pod, down: bool, sign: i32) {
        let add =
            |count: &mut u32, yes: bool| *count = count.saturating_add_signed(if yes { sign } else { 0 });
        let lives = pod.phase != PodPhase::Ended;
        add(&mut self.exist, true);
        add(&mut self.pods, lives);
        add(&mut self.bound, lives && pod.node.is_some());
        if lives && pod.ready && !pod.terminating {
            add(&mut self.ready, true);
            let count = self.ready_since.entry(*ready_since).or_default();
            add(count, true);
            if *count == 0 {
                self.ready_since.remove(ready_since);
            }
        }
        add(&mut self.unschedulable, lives && pod.unschedulable && !pod.terminating);
        let sick = lives && !pod.ready && !pod.terminating;
        let stranded = down || pod.fault == Some(Fault::Cluster);
        add(&mut self.stranded, sick && stranded);
        add(&mut self.failing, sick && !stranded && pod.fault == Some(Fault::Application));
        add(&mut self.terminating, lives && pod.terminating);
        add(&mut self.supervised, lives && pod.supervised);
        if lives && !pod.terminating && !pod.problem.is_empty() {
            let count = self.problems.entry(pod.problem.clone()).or_default();
            add(count, true);
            if *count == 0 {
                self.problems.remove(&pod.problem);
            }
        }
    }
}

impl View {
    /// Watches what every leader needs.
    pub(crate) fn start(&mut self, cx: &mut Cx) {
        self.watch(cx, Scope::Nodes);
        self.watch(cx, Scope::Pods);
        // Even when no row names them, so that orphans are seen.
        for kind in WorkloadKind::ALL {
            self.watch(cx, Scope::Workloads(Kind::of_workload(kind)));
        }
    }

    /// Watches the objects of a kind; as workloads, with their number of replicas.
    pub(crate) fn ensure(&mut self, cx: &mut Cx, kind: Kind, sight: Sight) {
        let objects = Scope::Objects(kind.clone());
        let workloads = match sight {
            Sight::Object | Sight::Workload => Scope::Workloads(kind),
            Sight::Scaled => return self.watch(cx, Scope::Scaled(kind)),
        };
        if self.scopes.contains_key(&workloads) {
            return;
        }
        if sight == Sight::Object {
            self.watch(cx, objects);
            return;
        }
        if let Some(watch) = self.scopes.remove(&objects) {
            self.watches.remove(&watch);
            cx.effects.push(Effect::Unwatch { watch });
        }
        self.watch(cx, workloads);
    }

    /// Watches the objects of these kinds as workloads, and of those their counts, and calls nothing complete before they have
    /// been seen.
    pub(crate) fn require(&mut self, cx: &mut Cx, kinds: BTreeSet<Kind>, scaled: BTreeSet<Kind>) {
        for kind in &kinds {
            self.ensure(cx, kind.clone(), Sight::Workload);
        }
        for kind in &scaled {
            self.ensure(cx, kind.clone(), Sight::Scaled);
        }
        let kinds = kinds.into_iter().map(Scope::Workloads);
        self.required = kinds.chain(scaled.into_iter().map(Scope::Scaled)).collect();
    }

    /// Ends all watches and forgets what they showed.
    pub(crate) fn stop(&mut self, cx: &mut Cx) {
        let ends = self.watches.keys().map(|watch| Effect::Unwatch { watch: *watch });
        cx.effects.extend(ends);
        *self = Self { last: self.last, ..Self::default() };
    }

    /// True when nodes, pods and the usual workloads have been seen completely: what is reported then is a cut.
    pub(crate) fn is_synced(&self) -> bool {
        let synced = |scope: &Scope| {
            let watch = self.scopes.get(scope).and_then(|watch| self.watches.get(watch));
            watch.is_some_and(|watch| matches!(watch.state, State::Synced))
        };
        // Of a kind that is not served any more there are no objects, and for one that may not be seen nobody waits.
        let none = |scope: &Scope| {
            let watch = self.scopes.get(scope).and_then(|watch| self.watches.get(watch));
            watch.is_some_and(|watch| matches!(watch.state, State::Failed { lasting: true, .. }))
        };
        let usual =
            WorkloadKind::ALL.into_iter().all(|kind| synced(&Scope::Workloads(Kind::of_workload(kind))));
        let custom = self.required.iter().all(|scope| synced(scope) || none(scope));
        usual && custom && synced(&Scope::Nodes) && synced(&Scope::Pods)
    }

    /// `None` as long as the kind's objects are not known; an error if they cannot be watched.
    pub(crate) fn readiness(&self, kind: &Kind, sight: Sight) -> Option<Result<(), Arc<str>>> {
        let watch = match sight {
            Sight::Scaled => self.scopes.get(&Scope::Scaled(kind.clone()))?,
            Sight::Workload | Sight::Object => {
                let workloads = self.scopes.get(&Scope::Workloads(kind.clone()));
                workloads.or_else(|| self.scopes.get(&Scope::Objects(kind.clone())))?
            }
        };
        match &self.watches.get(watch)?.state {
            State::Starting => None,
            State::Synced => Some(Ok(())),
            State::Failed { reason, .. } => Some(Err(reason.clone())),
        }
    }

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

    /// What stays when everything managed is gone (S21).
    fn unmanaged(&self) -> Unmanaged {
        let foreign = |(id, tally): &(&WorkloadId, &Tally)| {
            tally.pods > 0
                && !self.workloads.contains_key(*id)
                && !OF_NODES.contains(&&*id.kind)
                && !SYSTEM.contains(&&*id.namespace)
        };
        let owned = self.tallies.iter().filter(foreign).map(|(id, tally)| (id.clone(), tally.pods));
        let bare = self.bare.iter().map(|(namespace, name)| {
            let (namespace, name) = (namespace.clone(), name.clone());
            (WorkloadId { namespace, kind: "Pod".into(), name }, 1)
        });
        let mut unmanaged = Unmanaged::default();
        for (id, pods) in owned.chain(bare) {
            unmanaged.pods = unmanaged.pods.saturating_add(pods).min(COUNT_MAX);
            unmanaged.owners = unmanaged.owners.saturating_add(1).min(COUNT_MAX);
            if unmanaged.first.len() < UNMANAGED_MAX {
                unmanaged.first.push((id, pods.min(COUNT_MAX)));
            }
        }
        unmanaged
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

    /// A name for a watch that no other has.
    pub(crate) fn name_watch(&mut self) -> WatchId {
        self.last += 1;
        WatchId(self.last)
    }

    fn watch(&mut self, cx: &mut Cx, scope: Scope) {
        if self.scopes.contains_key(&scope) {
            return;
        }
        let watch = self.name_watch();
        self.scopes.insert(scope.clone(), watch);
        let state = State::Starting;
        self.watches.insert(watch, Watch { scope: scope.clone(), list: 0, state });
        cx.effects.push(Effect::Watch { watch, scope });
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

    fn put_pod(&mut self, now: Time, mut seen: PodSeen, list: u64, touched: &mut Touched) {
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

    fn remove_pod(&mut self, key: &(Arc<str>, Arc<str>), touched: &mut Touched) {
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
    fn select(&mut self, id: &WorkloadId, selector: Option<Arc<LabelSelector>>, touched: &mut Touched) {
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
    fn change_node(
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

/// Sets of labels, of which equal ones are kept once: the pods of a workload have the same.
#[derive(Debug, Default)]
struct LabelSets {
    sets: BTreeSet<Arc<Labels>>,
    /// How many there were when those were dropped that nobody has any more.
    kept: usize,
}

impl LabelSets {
    fn shared(&mut self, labels: Arc<Labels>) -> Arc<Labels> {
        if let Some(known) = self.sets.get(&labels) {
            return known.clone();
        }
        if self.sets.len() > 2 * self.kept + SETS_MIN {
            self.sets.retain(|labels| Arc::strong_count(labels) > 1);
            self.kept = self.sets.len();
        }
        self.sets.insert(labels.clone());
        labels
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
