//! Rows: the only places where what a cluster shall hold is changed, so that its generation, its digest and the
//! durable record can never disagree (S10, S25).

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::policy::{Prestage, Rebalance};
use godwit_common::{ClusterName, Generation, Uid};

use crate::contract::{Cause, DrainState, Key, Seat, Subject};
use crate::hub::Hub;
use crate::placement::Reason;
use crate::shared::Shared;
use crate::state::{Cluster, PolicyState, SeatState};
use crate::tally::Share;

/// What one step has touched; written, sent and shown at its end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Touched {
    /// Records to be written, or deleted if they are no longer there.
    pub(crate) keys: BTreeSet<Key>,
    /// Clusters whose generation has risen, and the rows that changed in it.
    pub(crate) rows: BTreeMap<ClusterName, BTreeSet<Uid>>,
    /// Clusters to which something may have to be sent although no row changed.
    pub(crate) send: BTreeSet<ClusterName>,
    /// Objects whose bounds may have to follow replicas.
    pub(crate) bounds: BTreeSet<Uid>,
    /// What to show anew; survives the step until the shell asks.
    pub(crate) subjects: BTreeSet<Subject>,
}

impl Hub {
    /// The generation that this step writes into the rows of a cluster: one rise a step, however many rows change.
    pub(crate) fn generation_for(&mut self, name: &ClusterName, row: Uid) -> Generation {
        let first = !self.touched.rows.contains_key(name);
        self.touched.rows.entry(name.clone()).or_default().insert(row);
        self.touched.keys.insert(Key::Cluster(name.clone()));
        self.touched.subjects.insert(Subject::Cluster(name.clone()));
        self.clusters.get_mut(name).map_or(Generation(0), |cluster| {
            if first {
                cluster.record.generation = cluster.record.generation.next();
            }
            cluster.record.generation
        })
    }

    /// Sets what a cluster is told to run of a workload.
    pub(crate) fn set_target(&mut self, uid: Uid, name: &ClusterName, target: u32) {
        self.tell(uid, name, |state, _| {
            // What starts may do so beside what is still ending.
            let more = target.saturating_sub(state.seat.target);
            state.seat.may_run = state.seat.may_run.saturating_add(more);
            state.seat.target = target;
            state.seat.shown = false;
            // What has nothing to run is on no way.
            state.seat.rolling &= target > 0 || state.everywhere;
            state.floor = state.floor.min(target);
        });
        self.trim_holds(uid, name);
    }

    /// Changes what a cluster is told of a workload: under its next generation, which no report reflects yet, and in step
    /// with the digest of all that it is told.
    pub(crate) fn tell(
        &mut self,
        uid: Uid,
        name: &ClusterName,
        change: impl FnOnce(&mut SeatState, Generation),
    ) {
        let generation = self.generation_for(name, uid);
        let Some(state) = self.workloads.get_mut(&uid).and_then(|workload| workload.seats.get_mut(name))
        else {
            return;
        };
        let (before, known) = (state.hash(uid), state.seat.generation);
        change(state, generation);
        state.seat.generation = generation;
        let after = state.hash(uid);
        if let Some(cluster) = self.clusters.get_mut(name) {
            cluster.digest -= before;
            cluster.digest += after;
            cluster.unreflected.remove(&(known, uid));
            cluster.unreflected.insert((generation, uid));
        }
        self.seat_changed(uid, name);
    }

    /// Sets the plan for a workload in a cluster, and who decided it.
    pub(crate) fn set_placed(&mut self, uid: Uid, name: &ClusterName, placed: u32, cause: Cause) {
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        if let Some(before) = &mut self.before {
            before.note_placed(workload, name);
        }
        let Some(state) = workload.seats.get_mut(name) else { return };
        state.seat.placed = placed;
        state.seat.cause = Some(cause);
        state.held_back = false;
        if state.scaled().is_some() {
            // Numbers are taken over before plans are made: this one may be another than the plan's only now.
            self.look_at_drift(uid);
        }
        self.seat_changed(uid, name);
        self.trim_holds(uid, name);
    }

    /// Keeps what is derived from a seat in step with it.
    pub(crate) fn seat_changed(&mut self, uid: Uid, name: &ClusterName) {
        self.touched.keys.insert(Key::Seat(uid, name.clone()));
        self.seat_observed(uid, name);
        self.bounds_follow(uid);
    }

    /// The bounds that follow a workload's replicas are looked at, at the end of the step.
    pub(crate) fn bounds_follow(&mut self, uid: Uid) {
        if let Some(workload) = self.workloads.get(&uid) {
            self.touched.bounds.extend(workload.bounded_by.iter().copied());
        }
    }

    /// The same, when only what was seen has changed: nothing durable. What is no longer on its way either runs, which
    /// the cluster's room shows, or has left room for others (S14, S15).
    pub(crate) fn seat_observed(&mut self, uid: Uid, name: &ClusterName) {
        self.touched.subjects.insert(Subject::Workload(uid));
        self.touched.subjects.insert(Subject::Cluster(name.clone()));
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        let workload = &mut **workload;
        let window = self.policies.get(&workload.record.policy).map(|policy| policy.policy.lost_after);
        let Some(seat) = workload.seats.get_mut(name) else { return };
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        let after = Share {
            placed: seat.seat.placed,
            told: seat.seat.target,
            staying: if cluster.reporting() { seat.staying() } else { 0 },
            ready: if seat.everywhere { 0 } else { seat.ready() },
            held_back: seat.held_back,
            left: seat.left(),
            window: window.filter(|_| seat.left() > 0),
        };
        let before = std::mem::replace(&mut seat.share, after);
        let order = seat.seat.target.cmp(&seat.seat.placed);
        for (set, is_in) in [(&mut workload.below, Ordering::Less), (&mut workload.above, Ordering::Greater)]
        {
            match order == is_in {
                true => set.insert(name.clone()),
                false => set.remove(name),
            };
        }
        let newest = workload.record.revision;
        for (set, is_in) in
            [(&mut workload.rolling, seat.seat.rolling), (&mut workload.behind, seat.seat.revision != newest)]
        {
            match is_in {
                true => set.insert(name.clone()),
                false => set.remove(name),
            };
        }
        workload.sums.change(before, after);
        workload.present.set(name, seat.is_present());
        cluster.tally.change(before, after);
        match after.left {
            0 => cluster.held.remove(&uid),
            _ => cluster.held.insert(uid),
        };
        if seat.everywhere {
            match seat.is_present() {
                true => cluster.uncounted.insert(uid),
                false => cluster.uncounted.remove(&uid),
            };
        }
        match seat.seat.supervised {
            true => cluster.supervised.insert(uid),
            false => cluster.supervised.remove(&uid),
        };
        let (on_the_way, surplus) = (seat.on_the_way(), seat.surplus());
        let fewer_to_end = std::mem::replace(&mut seat.surplus, surplus) > surplus;
        let (placed_before, placed_after) = (before.placed, after.placed);
        let promised = match on_the_way {
            0 => cluster.on_the_way.remove(&uid),
            some => cluster.on_the_way.insert(uid, some),
        };
        if fewer_to_end || promised.is_some_and(|promised| promised > on_the_way) {
            self.roomier.insert(name.clone());
        }
        self.quota_follows(uid, placed_before, placed_after);
        if placed_before != placed_after {
            self.fleet_changed();
        }
    }

    /// What of a seat counts as ready and staying may have changed, and nothing else of it: its cluster reports from now on,
    /// or no longer, or has come to know a number that was raised.
    pub(crate) fn count_staying(&mut self, uid: Uid, name: &ClusterName) {
        let reporting = self.reporting(name);
        let Some(workload) = self.workloads.get(&uid) else { return };
        let Some(seat) = workload.seats.get(name) else { return };
        let before = seat.share;
        let after = Share { staying: if reporting { seat.staying() } else { 0 }, ..before };
        if before == after {
            return;
        }
        if let Some(workload) = self.workloads.get_mut(&uid) {
            workload.sums.change(before, after);
            if let Some(seat) = workload.seats.get_mut(name) {
                seat.share = after;
            }
        }
    }

    /// A cluster reports from now on, or no longer.
    pub(crate) fn reporting_changed(&mut self, name: &ClusterName) {
        let present: Vec<Uid> = self.clusters.get(name).into_iter().flat_map(|one| one.present()).collect();
        for uid in present {
            self.count_staying(uid, name);
        }
    }

    /// A workload has another policy, or its policy has changed: what its seats add to their clusters may have, too.
    pub(crate) fn seats_observed(&mut self, uid: Uid) {
        let Some(workload) = self.workloads.get(&uid) else { return };
        let names: Vec<ClusterName> = workload.seats.keys().cloned().collect();
        let bounded = self.is_at_most(&workload.record);
        for name in names {
            self.seat_observed(uid, &name);
        }
        if bounded {
            self.write_may_run(uid);
        }
        self.silence_the_dead(uid);
        self.await_gates(uid);
        self.bounds_follow(uid);
    }

    /// Gives a workload a seat, and its objects rows, in every cluster that its policy chooses, ahead of need; or only where
    /// it has one, if its policy says so (S33).
    pub(crate) fn ensure_seats(&mut self, uid: Uid) {
        let Some(workload) = self.workloads.get(&uid) else {
            return;
        };
        let Some(policy) = self.policies.get(&workload.record.policy) else {
            return;
        };
        let ahead = policy.policy.placement.prestage == Prestage::Eligible
            || workload.record.spec.kind().everywhere();
        let chosen: Vec<ClusterName> = self
            .clusters
            .keys()
            .filter(|name| {
                (ahead && self.chooses(&policy.policy, name)) || workload.seats.contains_key(*name)
            })
            .filter(|name| self.clusters.get(*name).is_some_and(|cluster| cluster.record.inventoried))
            .cloned()
            .collect();
        for name in chosen {
            self.ensure_seat(uid, &name, None);
        }
        let seated = self.workloads.get(&uid).map(|workload| workload.seats.keys().cloned().collect());
        let seated: Vec<ClusterName> = seated.unwrap_or_default();
        for name in seated {
            self.leave_unchosen(uid, &name);
        }
    }

    /// What runs in every eligible cluster ends where its policy no longer wants it (S33). Everything else has no number
    /// there, which is enough.
    pub(crate) fn leave_unchosen(&mut self, uid: Uid, name: &ClusterName) {
        let Some(workload) = self.workloads.get(&uid) else { return };
        let policy = self.policies.get(&workload.record.policy);
        let chosen = policy.is_none_or(|policy| self.chooses(&policy.policy, name));
        let everywhere = workload.seats.get(name).is_some_and(|seat| seat.everywhere);
        if everywhere && !chosen {
            self.end_seat(uid, name, self.federation.next_entry);
        }
    }

    /// Gives a workload a seat in a cluster that its policy chooses, if that wants it there ahead of need.
    pub(crate) fn ensure_ahead(&mut self, uid: Uid, name: &ClusterName) {
        let Some(workload) = self.workloads.get(&uid) else { return };
        let policy = self.policies.get(&workload.record.policy);
        let ahead = policy.is_some_and(|policy| policy.policy.placement.prestage == Prestage::Eligible);
        if ahead || workload.record.spec.kind().everywhere() {
            self.ensure_seat(uid, name, None);
        }
    }

    /// Gives a new cluster a seat for every workload that may run there. It comes after the cluster's inventory: what
    /// runs there already is kept, and stops by the shrink rule only (S11, S20, S27).
    pub(crate) fn seat_everything(&mut self, name: &ClusterName) {
        let mut users = Vec::new();
        let choosing = |policy: &&Shared<PolicyState>| self.chooses(&policy.policy, name);
        let mut cramped = Vec::new();
        for policy in self.policies.values().filter(choosing) {
            users.extend(policy.users.iter().copied());
            if policy.policy.placement.rebalance != Rebalance::Never {
                cramped.extend(policy.users.iter().copied());
            }
        }
        self.cramped.extend(cramped);
        for uid in users {
            self.ensure_ahead(uid, name);
        }
        let uids = self.run_in_every(name);
        for uid in uids {
            self.dirty.entry(uid).or_insert_with(|| Reason::Room(name.clone()));
        }
    }

    /// Gives a workload a seat in one cluster, unless it has one. It may be that so many copies of a revision run there.
    pub(crate) fn ensure_seat(&mut self, uid: Uid, name: &ClusterName, runs: Option<(u32, u64)>) {
        let Some(workload) = self.workloads.get(&uid) else {
            return;
        };
        // Its agents would refuse all that they are told with it (S31).
        let owes = |cluster: &Shared<Cluster>| self.owes(workload, &workload.record.spec, &cluster.record);
        if runs.is_none() && self.clusters.get(name).is_some_and(owes) {
            return;
        }
        // A former stay has yet to end there; then it may come again.
        if self.ended.get(&uid).is_some_and(|ended| ended.held_by.contains_key(name)) {
            return;
        }
        // What is cleaned up there is not brought back (S23).
        if self.drain_of(name).is_some_and(|drain| drain.state == DrainState::Cleaning) {
            return;
        }
        let record = &workload.record;
        let objects: Vec<Uid> = record.objects.union(&record.leaving).copied().collect();
        if !workload.seats.contains_key(name) {
            let everywhere = record.spec.kind().everywhere();
            // What is not counted is not told a number, whatever it runs.
            let (running, runs) = runs.filter(|_| !everywhere).unwrap_or_default();
            let known = running > 0 && workload.revisions.contains_key(&runs);
            let revision = if known { runs } else { self.revision_to_start(workload, name) };
            let generation = self.generation_for(name, uid);
            let seat = Seat {
                generation,
                manifest_generation: generation,
                revision,
                target: running,
                may_run: running,
                ..Seat::default()
            };
            let overrides = self.changes_of(uid, revision, name);
            let seat = SeatState { overrides, ..SeatState::new(seat, everywhere) };
            if let Some(cluster) = self.clusters.get_mut(name) {
                cluster.seats.insert(uid);
                cluster.digest += seat.hash(uid);
            }
            if let Some(workload) = self.workloads.get_mut(&uid) {
                workload.seats.insert(name.clone(), seat);
            }
            self.seat_changed(uid, name);
        }
        for object in objects {
            if self.objects.get(&object).is_some_and(|object| !object.rows.contains_key(name)) {
                self.object_row_changed(object, name, None);
                self.touched.bounds.insert(object);
            }
        }
    }

    /// Sets which revision a cluster is told to run of a workload (S31).
    pub(crate) fn set_revision(&mut self, uid: Uid, name: &ClusterName, revision: u64, rolling: bool) {
        let now = self.now.time;
        let supervised =
            self.workloads.get(&uid).is_some_and(|workload| workload.spec_of(revision).supervised);
        let overrides = self.changes_of(uid, revision, name);
        self.tell(uid, name, |state, generation| {
            state.seat.revision = revision;
            state.overrides = overrides;
            // Pods that are made from now on may have no supervisor; that they have one is seen when they are there (S9).
            state.seat.supervised &= supervised;
            state.seat.rolling = rolling;
            state.seat.shown = false;
            state.seat.manifest_generation = generation;
            (state.complete, state.progress) = (None, None);
            state.forget_trouble(now);
        });
    }

    /// A new revision of an object's manifest: every cluster that has a row is told.
    pub(crate) fn revise_object(&mut self, uid: Uid, manifest: Arc<str>) {
        let next = self.objects.get(&uid).map_or(1, |object| object.record.revision + 1);
        self.set_object_revision(uid, next, manifest);
    }

    /// The same of a revision that has its number already.
    pub(crate) fn set_object_revision(&mut self, uid: Uid, revision: u64, manifest: Arc<str>) {
        let Some(object) = self.objects.get_mut(&uid) else {
            return;
        };
        let before = object.record.revision;
        object.record.revision = revision;
        object.record.manifest = manifest;
        let rows: Vec<(ClusterName, u64)> =
            object.rows.keys().map(|name| (name.clone(), object.hash_of(before, name))).collect();
        self.touched.keys.insert(Key::Object(uid));
        self.relate_bounds(uid);
        for (name, before) in rows {
            self.object_row_changed(uid, &name, Some(before));
        }
    }

    /// What a cluster is told of an object has changed; `before` is what it was in the digest.
    pub(crate) fn object_row_changed(&mut self, uid: Uid, name: &ClusterName, before: Option<u64>) {
        let generation = self.generation_for(name, uid);
        let Some(object) = self.objects.get_mut(&uid) else {
            return;
        };
        object.rows.entry(name.clone()).or_default().generation = generation;
        if let Some(cluster) = self.clusters.get_mut(name) {
            object.differ_in(&cluster.record);
            let after = object.hash_in(name);
            cluster.objects.insert(uid);
            if let Some(before) = before {
                cluster.digest -= before;
            }
            cluster.digest += after;
        }
        self.touched.keys.insert(Key::ObjectRow(uid, name.clone()));
    }
}
