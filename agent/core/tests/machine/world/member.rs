//! A member cluster in memory: enough of a Kubernetes API server for the agent's calls and watches. Writes can be made
//! to fail, and what the watches say can be held back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use godwit_agent_core::{
    Apply, Call, CallError, Change, Event, FenceRecord, FenceSeen, Identity, Kind, LeaseSeen, LeaseWrite,
    NeedSeen, NodeSeen, ObjectSeen, OpId, PodPhase, PodSeen, Progress, Reply, Scope, SummonsSeen, WatchId,
};
use godwit_common::link::Summons;
use godwit_common::rng::Rng;
use godwit_common::{Need, ObjectKey, Resources, Uid, WorkloadId};

pub(crate) struct Member {
    version: u64,
    pub(crate) lease: Option<LeaseSeen>,
    pub(crate) fence: Option<FenceSeen>,
    pub(crate) summons: Option<SummonsSeen>,
    pub(crate) objects: BTreeMap<ObjectKey, ObjectSeen>,
    /// The manifests that are kept on them.
    pub(crate) manifests: BTreeMap<ObjectKey, Arc<str>>,
    /// What an apply leaves altered: what the API server does not keep.
    pub(crate) unkept: BTreeMap<ObjectKey, Arc<str>>,
    /// Fields of objects that another manager owns.
    pub(crate) foreign_fields: BTreeMap<ObjectKey, Vec<Arc<str>>>,
    pub(crate) namespaces: BTreeSet<Arc<str>>,
    pub(crate) nodes: BTreeMap<Arc<str>, NodeSeen>,
    pub(crate) pods: BTreeMap<(Arc<str>, Arc<str>), PodSeen>,
    /// What the cluster does not have, and what the agent may not look at, of all that workloads may need.
    pub(crate) lacks: BTreeSet<Need>,
    pub(crate) hidden: BTreeSet<Need>,
    /// Kinds whose watches the API server refuses.
    pub(crate) unserved: BTreeSet<Kind>,
    /// Every call that was made, in order.
    pub(crate) calls: Vec<Call>,
    /// Calls that are answered with this error instead.
    pub(crate) fail: Option<fn(&Call) -> Option<CallError>>,
    /// Calls are not answered while this is set.
    pub(crate) mute: bool,
    pub(crate) muted: Vec<(OpId, Call)>,
    /// Applies take place, but the answer says that nobody knows.
    pub(crate) lose_answers: bool,
    /// The lives whose objects the agent has deleted.
    pub(crate) deleted: Vec<Uid>,
    /// Calls fail at random, some of them after they took place.
    pub(crate) unreliable: Option<Rng>,
    /// The watches say nothing while this is set.
    pub(crate) blind: bool,
    watches: BTreeMap<WatchId, Scope>,
    events: VecDeque<Event>,
    unseen: VecDeque<Event>,
}

impl Default for Member {
    fn default() -> Self {
        let mut member = Self {
            version: 100,
            lease: None,
            fence: None,
            summons: None,
            objects: BTreeMap::new(),
            manifests: BTreeMap::new(),
            unkept: BTreeMap::new(),
            foreign_fields: BTreeMap::new(),
            namespaces: ["shop".into()].into(),
            nodes: BTreeMap::new(),
            pods: BTreeMap::new(),
            lacks: BTreeSet::new(),
            hidden: BTreeSet::new(),
            unserved: BTreeSet::new(),
            calls: Vec::new(),
            fail: None,
            mute: false,
            muted: Vec::new(),
            lose_answers: false,
            unreliable: None,
            deleted: Vec::new(),
            blind: false,
            watches: BTreeMap::new(),
            events: VecDeque::new(),
            unseen: VecDeque::new(),
        };
        member.node("n1", 8000);
        member
    }
}

impl Member {
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The agent has died; the cluster has not.
    pub(crate) fn forget_agent(&mut self) {
        self.watches.clear();
        self.events.clear();
        self.unseen.clear();
        self.muted.clear();
        self.calls.clear();
    }

    pub(crate) fn call(&mut self, op: OpId, call: Call) {
        if self.mute {
            self.muted.push((op, call));
            return;
        }
        self.calls.push(call.clone());
        let failed = self.fail.and_then(|fail| fail(&call));
        let chance = self.unreliable.as_mut().map(|rng| rng.below(12));
        let failed = failed.or_else(|| (chance == Some(0)).then(|| CallError::Unavailable("503".into())));
        let failed = failed.or_else(|| (chance == Some(1)).then_some(CallError::Outdated));
        let lost = chance == Some(2) || (self.lose_answers && matches!(call, Call::Apply(_)));
        let result = failed.map_or_else(|| self.answer(call), Err);
        let result = if lost { Err(CallError::Unavailable("timeout".into())) } else { result };
        self.events.push_back(Event::Done { op, result });
    }

    /// Answers the newest of the calls that are held back, and goes on holding back.
    pub(crate) fn answer_one(&mut self) {
        if let Some((op, call)) = self.muted.pop() {
            self.mute = false;
            self.call(op, call);
            self.mute = true;
        }
    }

    /// Answers what was held back.
    pub(crate) fn unmute(&mut self) {
        self.mute = false;
        for (op, call) in std::mem::take(&mut self.muted) {
            self.call(op, call);
        }
    }

    pub(crate) fn unblind(&mut self) {
        self.blind = false;
        self.events.append(&mut self.unseen);
    }

    pub(crate) fn applies(&self) -> Vec<&Apply> {
        let mut applies = Vec::new();
        for call in &self.calls {
            if let Call::Apply(apply) = call {
                applies.push(apply);
            }
        }
        applies
    }

    /// How often it was asked for a need.
    pub(crate) fn checks(&self, wanted: &Need) -> usize {
        self.calls.iter().filter(|call| matches!(call, Call::CheckNeed { need } if need == wanted)).count()
    }

    pub(crate) fn deletes(&self) -> usize {
        self.calls.iter().filter(|call| matches!(call, Call::Delete { .. })).count()
    }

    pub(crate) fn node(&mut self, name: &str, cpu_millis: u64) {
        let node = NodeSeen {
            name: name.into(),
            allocatable: resources(cpu_millis, 110),
            ready: true,
            schedulable: true,
            ..NodeSeen::default()
        };
        self.nodes.insert(name.into(), node.clone());
        self.tell(|scope| *scope == Scope::Nodes, Change::Node(node));
    }

    pub(crate) fn edit_node(&mut self, name: &str, edit: impl FnOnce(&mut NodeSeen)) {
        let node = self.nodes.get_mut(name).expect("the node exists");
        edit(node);
        let node = node.clone();
        self.tell(|scope| *scope == Scope::Nodes, Change::Node(node));
    }

    /// A pod of a workload: running and ready on `n1` unless changed.
    pub(crate) fn pod(&mut self, owner: &WorkloadId, name: &str, edit: impl FnOnce(&mut PodSeen)) {
        let mut pod = PodSeen {
            namespace: owner.namespace.clone(),
            name: name.into(),
            owner: Some(owner.clone()),
            labels: Arc::default(),
            node: Some("n1".into()),
            phase: PodPhase::Running,
            terminating: false,
            supervised: false,
            ready: true,
            ready_for: std::time::Duration::ZERO,
            unschedulable: false,
            requests: resources(100, 1),
            fault: None,
            problem: "".into(),
        };
        edit(&mut pod);
        self.pods.insert((pod.namespace.clone(), pod.name.clone()), pod.clone());
        self.tell(|scope| *scope == Scope::Pods, Change::Pod(pod));
    }

    pub(crate) fn pod_gone(&mut self, namespace: &str, name: &str) {
        let (namespace, name): (Arc<str>, Arc<str>) = (namespace.into(), name.into());
        self.pods.remove(&(namespace.clone(), name.clone()));
        self.tell(|scope| *scope == Scope::Pods, Change::PodGone { namespace, name });
    }

    /// Somebody changes an object by hand.
    pub(crate) fn edit(&mut self, key: &ObjectKey, edit: impl FnOnce(&mut ObjectSeen)) {
        let version = self.next_version();
        let object = self.objects.get_mut(key).expect("the object exists");
        object.version = version;
        edit(object);
        let object = object.clone();
        self.show(object);
    }

    /// A witness has written down who is called.
    pub(crate) fn summon(&mut self, summons: Summons) {
        let version = self.next_version();
        self.summons = Some(SummonsSeen { summons: summons.clone(), version });
        self.tell(|scope| *scope == Scope::Summons, Change::Summoned(summons));
    }

    /// Somebody makes an object by hand.
    pub(crate) fn create(&mut self, key: &ObjectKey) {
        let version = self.next_version();
        let object = ObjectSeen {
            key: key.clone(),
            uid: format!("own-{version}").into(),
            version,
            stamp: None,
            charter: None,
            content: 0,
            adopt: false,
            scaled: false,
            replicas: Some(1),
            selector: None,
            autoscaled: false,
            altered: Arc::default(),
            deleting: false,
            progress: Progress::default(),
        };
        self.objects.insert(key.clone(), object);
    }

    /// An object is gone, whoever did it.
    pub(crate) fn vanish(&mut self, key: &ObjectKey) {
        self.next_version();
        self.objects.remove(key);
        self.tell(shows(key), Change::ObjectGone(key.clone()));
    }

    pub(crate) fn watch(&mut self, watch: WatchId, scope: Scope) {
        let say = |change| Event::Watched { watch, change };
        if let Scope::Workloads(kind) | Scope::Scaled(kind) | Scope::Objects(kind) = &scope
            && self.unserved.contains(kind)
        {
            let failed = Change::Failed { reason: "it is not served".into(), lasting: true };
            self.events.push_back(say(failed));
            return;
        }
        let mut changes = vec![Change::Restarted];
        match &scope {
            Scope::Summons => {
                changes.extend(self.summons.iter().map(|seen| Change::Summoned(seen.summons.clone())))
            }
            Scope::Nodes => changes.extend(self.nodes.values().cloned().map(Change::Node)),
            Scope::Pods => changes.extend(self.pods.values().cloned().map(Change::Pod)),
            Scope::Workloads(_) | Scope::Scaled(_) | Scope::Objects(_) => {
                let shown = self.objects.values().filter(|object| is_shown(object, &scope));
                changes.extend(shown.cloned().map(Change::Object));
            }
        }
        changes.push(Change::Synced);
        self.watches.insert(watch, scope);
        self.events.extend(changes.into_iter().map(say));
    }

    pub(crate) fn unwatch(&mut self, watch: WatchId) {
        self.watches.remove(&watch);
    }

    pub(crate) fn is_watched(&self) -> bool {
        !self.watches.is_empty()
    }

    /// Every watch loses its place and lists anew.
    pub(crate) fn relist(&mut self) {
        for (watch, scope) in self.watches.clone() {
            self.watch(watch, scope);
        }
    }

    fn answer(&mut self, call: Call) -> Result<Reply, CallError> {
        match call {
            Call::ReadIdentity => {
                Ok(Reply::Identity(Identity { cluster_uid: Uid(0xc1), ..Identity::default() }))
            }
            Call::ReadLease => Ok(Reply::Lease(self.lease.clone())),
            Call::WriteLease(write) => self.write_lease(write),
            Call::ReadSummons => Ok(Reply::Summons(self.summons.clone())),
            Call::WriteSummons { summons, version } => {
                if self.summons.as_ref().map(|seen| seen.version.clone()) != version {
                    return Err(CallError::Outdated);
                }
                self.summon(summons);
                Ok(Reply::Summons(self.summons.clone()))
            }
            Call::ReadFence => Ok(Reply::Fence(self.fence.clone())),
            Call::WriteFence { record, version } => self.write_fence(record, version),
            Call::Read { key, pods } => {
                let owned = |pod: &&PodSeen| pod.owner.as_ref().is_some_and(|owner| *owner == id_of(&key));
                let count = self.pods.values().filter(owned).count();
                Ok(Reply::Object {
                    object: self.objects.get(&key).cloned(),
                    pods: if pods { count.try_into().expect("few") } else { 0 },
                    manifest: self.manifests.get(&key).cloned(),
                })
            }
            Call::Apply(apply) => self.apply(apply),
            Call::Delete { key, uid, version, foreground: _ } => {
                let Some(object) = self.objects.get(&key) else {
                    return Ok(Reply::Deleted);
                };
                if object.uid != uid || object.version != version {
                    return Err(CallError::Outdated);
                }
                self.deleted.extend(object.stamp.map(|stamp| stamp.uid));
                self.vanish(&key);
                Ok(Reply::Deleted)
            }
            Call::CreateNamespace { name } => {
                self.namespaces.insert(name);
                Ok(Reply::NamespaceReady)
            }
            Call::CheckNeed { need } if self.hidden.contains(&need) => {
                Ok(Reply::Need(NeedSeen::Unreadable("secrets is forbidden".into())))
            }
            Call::CheckNeed { need } if self.lacks.contains(&need) => Ok(Reply::Need(NeedSeen::Missing)),
            Call::CheckNeed { .. } => Ok(Reply::Need(NeedSeen::Met)),
        }
    }

    fn write_lease(&mut self, write: LeaseWrite) -> Result<Reply, CallError> {
        if self.lease.as_ref().map(|lease| lease.version.clone()) != write.version {
            return Err(CallError::Outdated);
        }
        let version = self.next_version();
        let uid = self.lease.as_ref().map_or(Uid(0x1ea5e), |lease| lease.uid);
        self.lease = Some(LeaseSeen {
            uid,
            version,
            holder: write.holder,
            transitions: write.transitions,
            duration: write.duration,
        });
        Ok(Reply::Lease(self.lease.clone()))
    }

    fn write_fence(&mut self, record: FenceRecord, version: Option<Arc<str>>) -> Result<Reply, CallError> {
        if self.fence.as_ref().map(|fence| fence.version.clone()) != version {
            return Err(CallError::Outdated);
        }
        let version = self.next_version();
        self.fence = Some(FenceSeen { record, version });
        Ok(Reply::Fence(self.fence.clone()))
    }

    fn apply(&mut self, apply: Apply) -> Result<Reply, CallError> {
        let key = apply.key;
        if !key.namespace.is_empty() && !self.namespaces.contains(&key.namespace) {
            return Err(CallError::NamespaceMissing);
        }
        let old = self.objects.get(&key);
        if apply.version.is_some() && old.map(|object| object.version.clone()) != apply.version {
            return Err(CallError::Outdated);
        }
        if let Some(fields) = self.foreign_fields.get(&key).filter(|_| !apply.force) {
            return Err(CallError::FieldConflict {
                fields: fields.clone(),
                message: "conflict with \"kubectl\"".into(),
            });
        }
        if apply.scale_only {
            return self.scale(&key, apply.replicas);
        }
        let altered = self.unkept.get(&key).cloned().unwrap_or_default();
        if apply.dry_run {
            let object = old.cloned().map(|object| ObjectSeen { altered, ..object });
            return object.map(Reply::Applied).ok_or(CallError::Outdated);
        }
        self.foreign_fields.remove(&key);
        if &*key.kind == "Namespace" {
            self.namespaces.insert(key.name.clone());
        }
        let uid = old.map(|object| object.uid.clone());
        let selector = old.and_then(|object| object.selector.clone());
        let autoscaled = old.is_some_and(|object| object.autoscaled && object.replicas == apply.replicas);
        let version = self.next_version();
        let object = ObjectSeen {
            key: key.clone(),
            uid: uid.unwrap_or_else(|| format!("own-{version}").into()),
            version,
            stamp: Some(apply.stamp),
            charter: apply.charter,
            content: 0,
            adopt: false,
            scaled: false,
            replicas: apply.replicas,
            selector,
            autoscaled,
            altered,
            deleting: false,
            progress: Progress::default(),
        };
        self.manifests.insert(key.clone(), apply.manifest);
        self.objects.insert(key, object.clone());
        self.show(object.clone());
        Ok(Reply::Applied(object))
    }

    /// The count is written, and nothing else.
    fn scale(&mut self, key: &ObjectKey, replicas: Option<u32>) -> Result<Reply, CallError> {
        let version = self.next_version();
        let object = self.objects.get_mut(key).ok_or(CallError::Refused("not found".into()))?;
        (object.version, object.replicas, object.autoscaled) = (version, replicas, false);
        let object = object.clone();
        self.show(object.clone());
        Ok(Reply::Applied(object))
    }

    fn show(&mut self, object: ObjectSeen) {
        self.tell(|scope| is_shown(&object, scope), Change::Object(object.clone()));
    }

    fn tell(&mut self, to: impl Fn(&Scope) -> bool, change: Change) {
        let listeners = self.watches.iter().filter(|(_, scope)| to(scope));
        let events = listeners.map(|(watch, _)| Event::Watched { watch: *watch, change: change.clone() });
        if self.blind {
            self.unseen.extend(events);
        } else {
            self.events.extend(events);
        }
    }

    fn next_version(&mut self) -> Arc<str> {
        self.version += 1;
        self.version.to_string().into()
    }
}

pub(crate) fn resources(cpu_millis: u64, pods: u64) -> Resources {
    Resources { cpu_millis, pods, ..Resources::default() }
}

fn shows(key: &ObjectKey) -> impl Fn(&Scope) -> bool {
    let kind = godwit_agent_core::Kind::of(key);
    move |scope| match scope {
        Scope::Workloads(shown) | Scope::Scaled(shown) | Scope::Objects(shown) => *shown == kind,
        Scope::Nodes | Scope::Pods | Scope::Summons => false,
    }
}

/// Whether a watch chooses an object by its labels.
fn is_shown(object: &ObjectSeen, scope: &Scope) -> bool {
    let labelled = match scope {
        Scope::Scaled(_) => object.scaled,
        Scope::Workloads(_) | Scope::Objects(_) => object.stamp.is_some(),
        Scope::Nodes | Scope::Pods | Scope::Summons => false,
    };
    labelled && shows(&object.key)(scope)
}

fn id_of(key: &ObjectKey) -> WorkloadId {
    WorkloadId { namespace: key.namespace.clone(), kind: key.kind.clone(), name: key.name.clone() }
}
