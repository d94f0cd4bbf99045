//! What each cluster holds is what it was told, and its digest says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use godwit_common::bounds::{Bounded, Bounds};
use godwit_common::link::ObjectTarget;
use godwit_common::policy::overrides::mark;
use godwit_common::policy::{Override, Strategy};
use godwit_common::{ClusterName, Digest, Uid};
use godwit_hub_core::{ClusterRecord, ClusterState, Key, ObjectRecord, Record};

use crate::scenario::totals;
use crate::world::World;

/// The lives that a cluster shall hold; of workloads with their number.
pub(super) type LiveRows = BTreeMap<Uid, Option<u32>>;

impl World {
    pub(super) fn check_cluster(&self, record: &ClusterRecord, live: &LiveRows, missing: &mut Vec<String>) {
        let name = &record.name;
        let view = self.hubs[0].core.as_ref().and_then(|core| core.cluster(name));
        let state = view.map(|view| view.state);
        if state != Some(ClusterState::Ready) {
            missing.push(format!("{name} is {state:?}"));
        }
        let Some(member) = self.members.iter().find(|member| member.name == *name) else {
            return;
        };
        let held = member.fence.as_ref().map(|fence| (fence.record.fence.generation, fence.record.digest));
        let wanted = (record.generation, self.digest(name, live));
        if held != Some(wanted) && wanted.0.0 > 0 {
            missing.push(format!("{name} holds {held:?}, wanted is {wanted:?}"));
        }
        for object in member.objects.values() {
            if let Some(stamp) = object.seen.stamp.filter(|stamp| !live.contains_key(&stamp.uid)) {
                missing.push(format!("{name} still has {} of {}", object.seen.key, stamp.uid));
            }
        }
        for (uid, replicas) in live.iter().map(|(uid, replicas)| (*uid, *replicas)) {
            if self.left(uid, member).is_some() {
                continue;
            }
            let found = member
                .objects
                .values()
                .find(|object| object.seen.stamp.is_some_and(|stamp| stamp.uid == uid));
            match found {
                None => missing.push(format!("{name} lacks the object of {uid}")),
                Some(object)
                    if replicas.is_some()
                        && object.seen.replicas != replicas
                        && &*object.seen.key.kind != "DaemonSet" =>
                {
                    let has = object.seen.replicas;
                    missing.push(format!("{name} has {has:?} of {}, not {replicas:?}", object.seen.key));
                }
                Some(object)
                    if object.seen.stamp.is_some_and(|stamp| stamp.bounds != self.bounds_in(uid, name)) =>
                {
                    missing.push(format!("{name} has other bounds of {} than it was told", object.seen.key));
                }
                Some(object)
                    if object
                        .seen
                        .stamp
                        .is_some_and(|stamp| stamp.overrides != mark(&self.differs_in(uid, name))) =>
                {
                    let key = &object.seen.key;
                    missing.push(format!("{name} was told that something else is different of {key}"));
                }
                Some(object) if !object.seen.altered.is_empty() => {
                    missing.extend(self.check_edit(uid, name, object));
                }
                Some(_) => {}
            }
        }
    }

    /// Shares of bounds make up what the manifest says, as far as clusters may go as high as they were told (S29).
    pub(super) fn check_bounds(&self, object: &ObjectRecord, missing: &mut Vec<String>) {
        let Some(totals) = totals(&object.key, &object.manifest) else { return };
        let Bounded::Scaled(id) = &totals.of else { return };
        let mut records = self.hubs[0].store.values();
        let workload = records.find_map(|record| {
            let Record::Workload(workload) = record else { return None };
            (workload.spec.id == *id && workload.objects.contains(&object.uid)).then_some(workload)
        });
        let Some(workload) = workload else { return };
        let whole = self.policy_of(workload).is_some_and(|policy| {
            policy.placement.strategy == Strategy::Duplicate && !workload.spec.is_whole(&policy.placement)
        });
        let seats: Vec<(Bounds, u32, u32)> = self
            .members
            .iter()
            .filter_map(|member| {
                let seat = self.seat(workload.uid, &member.name)?;
                Some((self.bounds_in(object.uid, &member.name), seat.placed.max(seat.target), seat.target))
            })
            .collect();
        let sum = |of: fn(&Bounds) -> Option<u32>| -> u32 {
            seats.iter().filter(|(_, runs, _)| *runs > 0).filter_map(|(bounds, ..)| of(bounds)).sum()
        };
        let runs = seats.iter().any(|(_, runs, _)| *runs > 0);
        let key = &object.key;
        if whole && seats.iter().any(|(bounds, ..)| !bounds.is_none()) {
            missing.push(format!("{key} is divided, although every cluster runs the full number"));
        }
        if !whole && runs && sum(|bounds| bounds.max) < totals.bounds.max.unwrap_or(0) {
            missing.push(format!("the shares of {key} do not make up {totals:?}: {seats:?}"));
        }
        if !whole && seats.iter().any(|(bounds, _, told)| bounds.max.is_none_or(|max| max < *told)) {
            missing.push(format!("a cluster may not run by {key} what it was told: {seats:?}"));
        }
    }

    /// The bounds that a cluster was told of an object; none of a workload.
    fn bounds_in(&self, uid: Uid, cluster: &ClusterName) -> Bounds {
        match self.hubs[0].store.get(&Key::ObjectRow(uid, cluster.clone())) {
            Some(Record::ObjectRow { row, .. }) => row.bounds,
            Some(_) | None => Bounds::default(),
        }
    }

    /// What is different in a cluster of a workload or an object, as it was told.
    fn differs_in(&self, uid: Uid, cluster: &ClusterName) -> Arc<str> {
        match (self.seat(uid, cluster), self.hubs[0].store.get(&Key::Object(uid))) {
            (Some(seat), _) => self.overrides_in(uid, cluster, seat.revision),
            (None, Some(Record::Object(object))) => self.changes_in(&object.overrides, cluster),
            (None, _) => Arc::default(),
        }
    }

    /// What is different of a revision in a cluster.
    fn overrides_in(&self, uid: Uid, cluster: &ClusterName, revision: u64) -> Arc<str> {
        match self.hubs[0].store.get(&Key::Revision(uid, revision)) {
            Some(Record::Revision(revision)) => self.changes_in(&revision.spec.overrides, cluster),
            _ => Arc::default(),
        }
    }

    fn changes_in(&self, overrides: &[Override], cluster: &ClusterName) -> Arc<str> {
        match self.hubs[0].store.get(&Key::Cluster(cluster.clone())) {
            Some(Record::Cluster(record)) => record.changes(overrides),
            _ => Arc::default(),
        }
    }

    /// The lives that each cluster shall hold.
    pub(super) fn live_rows(&self) -> BTreeMap<ClusterName, LiveRows> {
        let row = |(key, record): (&Key, &Record)| match (key, record) {
            (Key::Seat(uid, name), Record::Seat { seat, .. }) => {
                Some((name.clone(), *uid, Some(seat.target)))
            }
            (Key::ObjectRow(uid, name), _) => Some((name.clone(), *uid, None)),
            (Key::Federation | Key::Policy(_) | Key::Workload(_) | Key::Seat(..) | Key::Object(_), _) => None,
            (Key::Ended(_) | Key::Cluster(_) | Key::Migration(_) | Key::Journal(_), _) => None,
            (Key::Request(_) | Key::Quota(_) | Key::Retired(_) | Key::Revision(..), _) => None,
            (Key::Token(_) | Key::Revocation(_) | Key::RoleBinding(_) | Key::Issuer(_), _) => None,
        };
        let mut rows: BTreeMap<ClusterName, LiveRows> = BTreeMap::new();
        for (name, uid, replicas) in self.hubs[0].store.iter().filter_map(row) {
            rows.entry(name).or_default().insert(uid, replicas);
        }
        rows
    }

    /// The digest of what a cluster shall hold, made from the records alone.
    fn digest(&self, cluster: &ClusterName, live: &LiveRows) -> Digest {
        let mut digest = Digest::default();
        for (uid, replicas) in live.iter().map(|(uid, replicas)| (*uid, *replicas)) {
            let store = &self.hubs[0].store;
            if let (Some(seat), Some(_)) = (self.seat(uid, cluster), replicas) {
                digest += seat.hash(uid, &self.overrides_in(uid, cluster, seat.revision));
            } else if let Some(Record::Object(object)) = store.get(&Key::Object(uid)) {
                let overrides = self.changes_in(&object.overrides, cluster);
                digest +=
                    ObjectTarget::hash_of(uid, object.revision, self.bounds_in(uid, cluster), &overrides);
            }
        }
        digest
    }
}
