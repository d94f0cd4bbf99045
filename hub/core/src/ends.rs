//! Ends: a life that is over leaves tombstones, and is remembered until every cluster that held it reports it gone (S27,
//! S28).

use std::collections::BTreeMap;

use godwit_common::link::Tombstoned;
use godwit_common::{ClusterName, Generation, Uid};

use crate::contract::{Cause, Ended, Key, Subject};
use crate::hub::{Hub, Timer};
use crate::state::{Object, Rank, SeatState};
use crate::tally::Share;

impl Hub {
    /// Ends the life of a workload: its rows become tombstones (S27, S28).
    pub(crate) fn end_workload(&mut self, uid: Uid, cause: Cause) {
        self.forget_displaced(uid);
        let Some(workload) = self.workloads.remove(&uid) else {
            return;
        };
        let record = &workload.record;
        self.ids.remove(&record.spec.id);
        if let Some(leader) = &record.leader {
            self.stop_following(uid, leader);
        }
        if let Some(policy) = self.policies.get_mut(&record.policy) {
            policy.users.remove(&uid);
        }
        self.touched.subjects.insert(Subject::Policy(record.policy.clone()));
        self.touched.keys.insert(Key::Workload(uid));
        self.touched.keys.extend(workload.revisions.keys().map(|number| Key::Revision(uid, *number)));
        let rank = self.rank_of(record);
        self.pending.remove(&rank);
        self.cramped.remove(&uid);
        let mut held_by = BTreeMap::new();
        for (name, state) in &workload.seats {
            held_by.insert(name.clone(), self.generation_for(name, uid));
            let hash = state.hash(uid);
            self.leave_seat(uid, name, state, rank, hash);
        }
        let what = record.spec.tombstone();
        let request = &record.spec.pod.requests;
        self.use_quota(&record.spec.id.namespace, (request, workload.placed()), (request, 0));
        self.forget_yields(uid, workload.preempting.iter().copied());
        self.settle_migrations(workload.migrations.clone(), uid);
        self.remember_end(uid, what, held_by, cause);
        for object in record.objects.union(&record.leaving).copied().collect::<Vec<_>>() {
            self.leave_object(object, uid, cause);
        }
    }

    /// A workload leans on an object no longer; a shared one goes with its last user (S28).
    pub(crate) fn leave_object(&mut self, uid: Uid, user: Uid, cause: Cause) {
        let Some(object) = self.objects.get_mut(&uid) else {
            return;
        };
        object.users.remove(&user);
        if !object.users.is_empty() {
            self.relate_bounds(uid);
            self.settle_overrides(uid);
            return self.settle_tolerance(uid);
        }
        let Some(object) = self.objects.remove(&uid) else {
            return;
        };
        let object = object.into_inner();
        let hashes: Vec<(ClusterName, u64)> =
            object.rows.keys().map(|name| (name.clone(), object.hash_in(name))).collect();
        let Object { record, bounds: object_bounds, .. } = object;
        // Another life may have the key by now.
        if self.object_keys.get(&record.key) == Some(&uid) {
            self.object_keys.remove(&record.key);
        }
        self.touched.keys.insert(Key::Object(uid));
        let mut held_by = BTreeMap::new();
        for user in object_bounds {
            if let Some(workload) = self.workloads.get_mut(&user) {
                workload.bounded_by.remove(&uid);
            }
        }
        for (name, hash) in hashes {
            held_by.insert(name.clone(), self.generation_for(&name, uid));
            self.leave_row(uid, &name, hash);
        }
        self.remember_end(uid, Tombstoned::Object(record.key), held_by, cause);
    }

    fn remember_end(
        &mut self,
        uid: Uid,
        what: Tombstoned,
        held_by: BTreeMap<ClusterName, Generation>,
        cause: Cause,
    ) {
        self.touched.subjects.insert(Subject::Workload(uid));
        if held_by.is_empty() {
            return;
        }
        self.touched.keys.insert(Key::Ended(uid));
        let since = self.now.wall;
        // Clusters that are being retired may hold it, too.
        let before = self.ended.remove(&uid).map(|ended| ended.held_by).unwrap_or_default();
        let held_by = before.into_iter().chain(held_by).collect();
        self.ended.insert(uid, Ended { uid, what, since, held_by, cause: Some(cause) });
    }

    /// A life ends in one cluster, wherever else it goes on.
    pub(crate) fn end_in(&mut self, uid: Uid, name: &ClusterName, what: Tombstoned) {
        let (generation, since) = (self.generation_for(name, uid), self.now.wall);
        let ended = self.ended.entry(uid).or_insert_with(|| {
            let held_by = BTreeMap::new();
            Ended { uid, what, since, held_by, cause: None }
        });
        ended.held_by.insert(name.clone(), generation);
        self.touched.keys.insert(Key::Ended(uid));
        self.touched.subjects.insert(Subject::Workload(uid));
    }

    /// A cluster no longer has a seat, and what it added to that cluster's sums goes with it.
    pub(crate) fn leave_seat(
        &mut self,
        uid: Uid,
        name: &ClusterName,
        seat: &SeatState,
        rank: Rank,
        hash: u64,
    ) {
        self.touched.keys.insert(Key::Seat(uid, name.clone()));
        self.bounds_follow(uid);
        if let Some(cluster) = self.clusters.get_mut(name) {
            cluster.digest -= hash;
            cluster.seats.remove(&uid);
            cluster.held.remove(&uid);
            cluster.uncounted.remove(&uid);
            cluster.edits.remove(&uid);
            cluster.supervised.remove(&uid);
            cluster.ended.insert(uid);
            cluster.unreflected.remove(&(seat.seat.generation, uid));
            if cluster.on_the_way.remove(&uid).is_some() {
                self.roomier.insert(name.clone());
            }
            cluster.tally.change(seat.share, Share::default());
            cluster.starting = cluster.starting.saturating_sub(seat.starting);
            cluster.waiting.remove(&rank);
        }
        self.start_waiting(name);
    }

    /// The same of the row of an object.
    pub(crate) fn leave_row(&mut self, uid: Uid, name: &ClusterName, hash: u64) {
        self.touched.keys.insert(Key::ObjectRow(uid, name.clone()));
        if let Some(cluster) = self.clusters.get_mut(name) {
            cluster.digest -= hash;
            cluster.objects.remove(&uid);
            cluster.edits.remove(&uid);
            cluster.ended.insert(uid);
        }
    }

    /// A cluster says that an ended life is gone there (S28). Its tombstone stands a while longer: a late write may bring
    /// it back. An inventory says `again` what was said before.
    pub(crate) fn end_confirmed(&mut self, uid: Uid, name: &ClusterName, again: bool) {
        if !self.ended.get(&uid).is_some_and(|ended| ended.held_by.contains_key(name)) {
            return;
        }
        let until = self.now.time + self.config.tombstone_age;
        let buried = self.buried.entry(uid).or_default();
        if !(again && buried.contains_key(name)) {
            buried.insert(name.clone(), until);
            self.touched.subjects.insert(Subject::Workload(uid));
            self.wake_at(until, Timer::Tombstone(uid, name.clone()));
        }
    }

    /// An ended life is said to be there again, or still.
    pub(crate) fn end_withdrawn(&mut self, uid: Uid, name: &ClusterName) {
        let Some(buried) = self.buried.get_mut(&uid) else { return };
        if buried.remove(name).is_some() {
            self.touched.subjects.insert(Subject::Workload(uid));
        }
    }

    /// Time has passed since an ended life was said to be gone; if that was not said again since, it cannot come back.
    pub(crate) fn tombstone_due(&mut self, uid: Uid, name: &ClusterName) {
        let until = self.buried.get(&uid).and_then(|buried| buried.get(name));
        if until.is_some_and(|until| *until <= self.now.time) {
            self.forget_end(uid, name);
            // What ended there alone may be wanted there again by now (S33).
            if !self.is_retiring(name) {
                self.ensure_seats(uid);
            }
        }
    }

    /// An ended life cannot come back in a cluster, or the cluster has left.
    pub(crate) fn forget_end(&mut self, uid: Uid, name: &ClusterName) {
        if let Some(buried) = self.buried.get_mut(&uid) {
            buried.remove(name);
            if buried.is_empty() {
                self.buried.remove(&uid);
            }
        }
        let Some(ended) = self.ended.get_mut(&uid) else {
            return;
        };
        if ended.held_by.remove(name).is_none() {
            return;
        }
        if ended.held_by.is_empty() {
            self.ended.remove(&uid);
        }
        if let Some(cluster) = self.clusters.get_mut(name) {
            cluster.ended.remove(&uid);
        }
        self.touched.keys.insert(Key::Ended(uid));
        self.touched.subjects.insert(Subject::Workload(uid));
        if self.is_retiring(name) {
            self.wake_at(self.now.time, Timer::Retire(name.clone()));
        }
    }

    /// The clusters that have yet to say that an ended life is gone.
    pub(crate) fn end_pending_on(&self, ended: &Ended) -> Vec<ClusterName> {
        let buried = self.buried.get(&ended.uid);
        let pending = |name: &&ClusterName| !buried.is_some_and(|buried| buried.contains_key(*name));
        ended.held_by.keys().filter(pending).cloned().collect()
    }
}
