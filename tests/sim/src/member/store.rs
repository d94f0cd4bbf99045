//! The API server: reads, and writes under their preconditions.

use std::sync::Arc;

use godwit_agent_core::{
    Apply, Call, CallError, Change, FenceRecord, FenceSeen, LeaseSeen, LeaseWrite, NeedSeen, ObjectSeen,
    Progress, Reply, Stamp, SummonsSeen,
};
use godwit_common::link::Summons;
use godwit_common::{ObjectKey, Uid, WorkloadKind};

use super::{Member, Object, Taken, id_of, requests};
use crate::clock::Cx;
use crate::happening::Happening;

/// How long controllers take to notice a change.
const CONTROLLER_DELAY: (u64, u64) = (20, 400);

/// What a person changes of an object, as the API server's books have it.
const BY_HAND: &str = ".metadata.labels (by a person)";

/// What a call has changed in the store, for those who watch over it.
#[derive(Debug, Clone)]
pub enum Deed {
    /// The fence was written.
    Fence {
        /// What it said before.
        before: Option<FenceRecord>,
        /// What it says now.
        after: FenceRecord,
    },
    /// An object was written.
    Applied {
        /// Which.
        key: ObjectKey,
        /// The stamp before; none if it was not there, or not ours.
        before: Option<Stamp>,
        /// The stamp now.
        after: Stamp,
        /// What it was, if it was there and nobody's.
        took: Option<Box<Taken>>,
    },
    /// An object was deleted.
    Deleted {
        /// Which.
        key: ObjectKey,
        /// Its stamp.
        stamp: Option<Stamp>,
    },
}

impl Member {
    /// Carries a call out.
    pub(crate) fn call(
        &mut self,
        cx: &mut Cx<Happening>,
        call: Call,
        zone: &str,
    ) -> (Result<Reply, CallError>, Option<Deed>) {
        if !self.api || self.dead {
            return (Err(CallError::Unavailable("connection refused".into())), None);
        }
        match call {
            Call::ReadIdentity => (Ok(Reply::Identity(self.identity(zone))), None),
            Call::ReadLease => (Ok(Reply::Lease(self.lease.clone())), None),
            Call::WriteLease(write) => (self.write_lease(cx, write), None),
            Call::ReadSummons => (Ok(Reply::Summons(self.summons.clone())), None),
            Call::WriteSummons { summons, version } => (self.write_summons(cx, summons, version), None),
            Call::ReadFence => (Ok(Reply::Fence(self.fence.clone())), None),
            Call::WriteFence { record, version } => self.write_fence(record, version),
            Call::Read { key, pods } => {
                let count = if pods { self.pods_of(&id_of(&key)).count() } else { 0 };
                let manifest = self.objects.get(&key).map(|object| object.manifest.clone());
                let object = self.objects.get(&key).map(|object| object.seen.clone());
                let pods = u32::try_from(count).unwrap_or(u32::MAX);
                (Ok(Reply::Object { object, pods, manifest }), None)
            }
            Call::Apply(apply) => self.apply(cx, apply),
            Call::Delete { key, uid, version, foreground: _ } => self.delete(cx, &key, &uid, &version),
            Call::CreateNamespace { name } => {
                self.namespaces.insert(name);
                (Ok(Reply::NamespaceReady), None)
            }
            Call::CheckNeed { need } => {
                let seen = if self.lacks.contains(&need) { NeedSeen::Missing } else { NeedSeen::Met };
                (Ok(Reply::Need(seen)), None)
            }
        }
    }

    fn write_lease(&mut self, cx: &mut Cx<Happening>, write: LeaseWrite) -> Result<Reply, CallError> {
        if self.lease.as_ref().map(|lease| lease.version.clone()) != write.version {
            return Err(CallError::Outdated);
        }
        let uid = self.lease.as_ref().map_or_else(|| cx.rng.uid(), |lease| lease.uid);
        self.lease = Some(LeaseSeen {
            uid,
            version: self.next_version().to_string().into(),
            holder: write.holder,
            transitions: write.transitions,
            duration: write.duration,
        });
        Ok(Reply::Lease(self.lease.clone()))
    }

    fn write_summons(
        &mut self,
        cx: &mut Cx<Happening>,
        summons: Summons,
        version: Option<Arc<str>>,
    ) -> Result<Reply, CallError> {
        if self.summons.as_ref().map(|seen| seen.version.clone()) != version {
            return Err(CallError::Outdated);
        }
        let version = self.next_version().to_string().into();
        self.summons = Some(SummonsSeen { summons: summons.clone(), version });
        self.show_summons(cx, Change::Summoned(summons));
        Ok(Reply::Summons(self.summons.clone()))
    }

    fn write_fence(
        &mut self,
        record: FenceRecord,
        version: Option<Arc<str>>,
    ) -> (Result<Reply, CallError>, Option<Deed>) {
        if self.fence.as_ref().map(|fence| fence.version.clone()) != version {
            return (Err(CallError::Outdated), None);
        }
        let before = self.fence.as_ref().map(|fence| fence.record.clone());
        let version = self.next_version().to_string().into();
        self.fence = Some(FenceSeen { record: record.clone(), version });
        let deed = Deed::Fence { before, after: record };
        (Ok(Reply::Fence(self.fence.clone())), Some(deed))
    }

    fn apply(&mut self, cx: &mut Cx<Happening>, apply: Apply) -> (Result<Reply, CallError>, Option<Deed>) {
        let key = apply.key.clone();
        if !key.namespace.is_empty() && !self.namespaces.contains(&key.namespace) {
            return (Err(CallError::NamespaceMissing), None);
        }
        let old = self.objects.get(&key).cloned();
        if old.as_ref().map(|object| object.seen.version.clone()) != apply.version {
            return (Err(CallError::Outdated), None);
        }
        let changed = old.as_ref().is_some_and(|old| old.seen.replicas != apply.replicas);
        if old.as_ref().is_some_and(|old| old.scaled_by_hand) && changed && !apply.force {
            let conflict = CallError::FieldConflict {
                fields: vec![".spec.replicas".into()],
                message: "conflict with \"kubectl\"".into(),
            };
            return (Err(conflict), None);
        }
        if apply.dry_run {
            let seen = old.map(|old| ObjectSeen { altered: Arc::default(), ..old.seen });
            return (seen.map(Reply::Applied).ok_or(CallError::Outdated), None);
        }
        let before = old.as_ref().and_then(|old| old.seen.stamp);
        let took = Self::taken(old.as_ref(), (apply.manifest.clone(), apply.replicas)).map(Box::new);
        if let Some(taken) = old.as_ref().filter(|_| took.is_some()) {
            self.pods_join(&taken.seen.uid, apply.stamp.uid);
        }
        let autoscaled = old.as_ref().is_some_and(|old| old.seen.autoscaled) && !changed;
        let uid = old.map_or_else(|| cx.rng.uid().to_string().into(), |old| old.seen.uid);
        let seen = ObjectSeen {
            key: key.clone(),
            uid,
            version: self.next_version().to_string().into(),
            stamp: Some(apply.stamp),
            charter: apply.charter,
            content: 0,
            adopt: false,
            scaled: false,
            replicas: match WorkloadKind::of_name(&key.kind) {
                Some(WorkloadKind::DaemonSet) => Some(self.size.1),
                Some(_) | None => apply.replicas,
            },
            selector: None,
            autoscaled,
            altered: Arc::default(),
            deleting: false,
            progress: Progress::default(),
        };
        let deed = Deed::Applied { key: key.clone(), before, after: apply.stamp, took };
        self.put(cx, seen.clone(), (apply.manifest, apply.supervised), false);
        (Ok(Reply::Applied(seen)), Some(deed))
    }

    fn delete(
        &mut self,
        cx: &mut Cx<Happening>,
        key: &ObjectKey,
        uid: &str,
        version: &str,
    ) -> (Result<Reply, CallError>, Option<Deed>) {
        let Some(object) = self.objects.get(key) else {
            return (Ok(Reply::Deleted), None);
        };
        if *object.seen.uid != *uid || *object.seen.version != *version {
            return (Err(CallError::Outdated), None);
        }
        let (key, stamp) = (key.clone(), object.seen.stamp);
        self.remove(cx, &key);
        (Ok(Reply::Deleted), Some(Deed::Deleted { key, stamp }))
    }

    /// A person scales a workload in the cluster.
    pub(crate) fn scale_by_hand(&mut self, cx: &mut Cx<Happening>, key: &ObjectKey, replicas: u32) {
        if let Some(object) = self.objects.get(key).cloned() {
            self.disturb(key);
            self.crowded |= object.seen.replicas.is_none_or(|before| replicas > before);
            let version = self.next_version().to_string().into();
            let progress = Progress::default();
            let seen = ObjectSeen { version, replicas: Some(replicas), progress, ..object.seen };
            self.put(cx, seen, (object.manifest, object.supervised), true);
        }
    }

    /// A person changes fields of an object in the cluster, beside its number.
    pub(crate) fn edit_by_hand(&mut self, cx: &mut Cx<Happening>, key: &ObjectKey) {
        if self.objects.get(key).is_some_and(Object::is_unmanaged) {
            return self.alter_by_hand(cx, key);
        }
        let version = self.next_version().to_string().into();
        if let Some(object) = self.objects.get_mut(key) {
            object.seen.version = version;
            object.seen.altered = BY_HAND.into();
            let seen = object.seen.clone();
            self.show(cx, key, Change::Object(seen));
        }
    }

    /// Somebody deletes an object in the cluster; its pods follow.
    pub(crate) fn remove(&mut self, cx: &mut Cx<Happening>, key: &ObjectKey) {
        if let Some(object) = self.objects.remove(key) {
            self.next_version();
            // The watches are for what is managed.
            if !object.is_unmanaged() {
                self.show(cx, key, Change::ObjectGone(key.clone()));
            }
            self.controllers_look(cx, key);
        }
    }

    /// The Lease is deleted by hand: its successor has another UID (S24).
    pub fn drop_lease(&mut self) {
        self.lease = None;
    }

    /// The highest life that stands in the store under a workload's name.
    pub fn life_of(&self, key: &ObjectKey) -> Option<Uid> {
        self.objects.get(key)?.seen.stamp.map(|stamp| stamp.uid)
    }

    pub(super) fn put(
        &mut self,
        cx: &mut Cx<Happening>,
        seen: ObjectSeen,
        (manifest, supervised): (Arc<str>, bool),
        by_hand: bool,
    ) {
        let key = seen.key.clone();
        let same = self.objects.get(&key).filter(|old| old.seen.uid == seen.uid);
        let finished = same.is_some_and(|old| old.finished);
        let object = Object {
            seen: seen.clone(),
            manifest,
            supervised,
            scaled_by_hand: by_hand,
            finished,
            progressed: cx.now,
        };
        self.objects.insert(key.clone(), object);
        if seen.stamp.is_some() {
            self.show(cx, &key, Change::Object(seen));
        }
        self.controllers_look(cx, &key);
    }

    /// The controllers have found out how far a workload is.
    pub(super) fn set_progress(&mut self, cx: &mut Cx<Happening>, key: &ObjectKey, progress: Progress) {
        let version = self.next_version().to_string().into();
        let Some(object) = self.objects.get_mut(key) else { return };
        let before = object.seen.progress;
        let counts = |progress: Progress| (progress.updated, progress.available);
        if counts(before) != counts(progress) {
            object.progressed = cx.now;
        }
        if before == progress {
            return;
        }
        object.seen.progress = progress;
        object.seen.version = version;
        let seen = object.seen.clone();
        if seen.stamp.is_some() {
            self.show(cx, key, Change::Object(seen));
        }
    }

    pub(super) fn controllers_look(&mut self, cx: &mut Cx<Happening>, key: &ObjectKey) {
        if WorkloadKind::of_name(&key.kind).is_some() {
            let look = Happening::Reconcile { cluster: self.index, key: key.clone() };
            cx.after(CONTROLLER_DELAY, look);
        }
    }

    pub(super) fn requests_of(&self, key: &ObjectKey) -> godwit_common::Resources {
        requests(self.objects.get(key).map_or("", |object| &object.manifest))
    }
}
