//! Rows: the only places where what a cluster shall hold is changed, so that its generation, its digest and the
//! durable record can never disagree (S10, S25).

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::link::{Down, ObjectTarget, Targets, Tombstone, Tombstoned, WorkloadTarget};
use godwit_common::{ClusterName, Fence, Generation, Uid};
use godwit_planner::Rebalance;

use crate::contract::{Cause, Effect, Ended, Key, Record, Seat, Subject};
use crate::hub::Hub;
use crate::state::{Cluster, Object, PolicyState, SeatState, Share};

/// What one step has touched; written, sent and shown at its end.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    /// Records to be written, or deleted if they are no longer there.
    pub(crate) keys: BTreeSet<Key>,
    /// Clusters whose generation has risen, and the rows that changed in it.
    pub(crate) rows: BTreeMap<ClusterName, BTreeSet<Uid>>,
    /// Clusters to which something may have to be sent although no row changed.
    pub(crate) send: BTreeSet<ClusterName>,
    /// What to show anew; survives the step until the shell asks.
    pub(crate) subjects: BTreeSet<Subject>,
}

impl Hub {
    /// The generation that this step writes into the rows of a cluster: one rise a step, however many rows change.
    fn generation_for(&mut self, name: &ClusterName, row: Uid) -> Generation {
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
        let generation = self.generation_for(name, uid);
        let Some(workload) = self.workloads.get_mut(&uid) else {
            return;
        };
        let Some(state) = workload.seats.get_mut(name) else {
            return;
        };
        let revision = workload.record.revision;
        let before = WorkloadTarget::hash_of(uid, revision, state.seat.target);
        state.seat.target = target;
        state.seat.generation = generation;
        if let Some(cluster) = self.clusters.get_mut(name) {
            cluster.digest -= before;
            cluster.digest += WorkloadTarget::hash_of(uid, revision, target);
        }
        self.seat_changed(uid, name);
    }

    /// Sets the plan for a workload in a cluster, and who decided it.
    pub(crate) fn set_placed(&mut self, uid: Uid, name: &ClusterName, placed: u32, cause: Cause) {
        let Some(state) = self.workloads.get_mut(&uid).and_then(|workload| workload.seats.get_mut(name))
        else {
            return;
        };
        state.seat.placed = placed;
        state.seat.cause = Some(cause);
        state.held_back = false;
        self.seat_changed(uid, name);
    }

    /// Keeps what is derived from a seat in step with it.
    pub(crate) fn seat_changed(&mut self, uid: Uid, name: &ClusterName) {
        self.touched.keys.insert(Key::Seat(uid, name.clone()));
        self.seat_observed(uid, name);
    }

    /// The same, when only what was seen has changed: nothing durable. What is no longer on its way either runs, which
    /// the cluster's room shows, or has left room for others (S14, S15).
    pub(crate) fn seat_observed(&mut self, uid: Uid, name: &ClusterName) {
        self.touched.subjects.insert(Subject::Workload(uid));
        self.touched.subjects.insert(Subject::Cluster(name.clone()));
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        let window = self.policies.get(&workload.record.policy).map(|policy| policy.policy.lost_after);
        let Some(seat) = workload.seats.get_mut(name) else { return };
        let after = Share {
            placed: seat.seat.placed,
            ready: seat.ready(),
            held_back: seat.held_back,
            window: window.filter(|_| seat.seat.placed > 0),
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
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        cluster.tally.change(before, after);
        let on_the_way = seat.on_the_way();
        let promised = match on_the_way {
            0 => cluster.on_the_way.remove(&uid),
            some => cluster.on_the_way.insert(uid, some),
        };
        if promised.is_some_and(|promised| promised > on_the_way) {
            self.roomier.insert(name.clone());
        }
    }

    /// A workload has another policy, or its policy has changed: what its seats add to their clusters may have, too.
    pub(crate) fn seats_observed(&mut self, uid: Uid) {
        let Some(workload) = self.workloads.get(&uid) else { return };
        let names: Vec<ClusterName> = workload.seats.keys().cloned().collect();
        for name in names {
            self.seat_observed(uid, &name);
        }
    }

    /// Gives a workload a seat, and its objects rows, in every cluster that its policy chooses (S33: ahead of need).
    pub(crate) fn ensure_seats(&mut self, uid: Uid) {
        let Some(workload) = self.workloads.get(&uid) else {
            return;
        };
        let Some(policy) = self.policies.get(&workload.record.policy) else {
            return;
        };
        let chosen: Vec<ClusterName> = self
            .clusters
            .keys()
            .filter(|name| {
                policy.policy.placement.rule_for(name).is_some() || workload.seats.contains_key(*name)
            })
            .filter(|name| self.clusters.get(*name).is_some_and(|cluster| cluster.record.inventoried))
            .cloned()
            .collect();
        for name in chosen {
            self.ensure_seat(uid, &name, 0);
        }
    }

    /// Gives a new cluster a seat for every workload that may run there. It comes after the cluster's inventory: what
    /// runs there already is kept, and stops by the shrink rule only (S11, S20, S27).
    pub(crate) fn seat_everything(&mut self, name: &ClusterName) {
        let mut users = Vec::new();
        let choosing = |policy: &&PolicyState| policy.policy.placement.rule_for(name).is_some();
        for policy in self.policies.values().filter(choosing) {
            users.extend(policy.users.iter().copied());
            if policy.policy.placement.rebalance != Rebalance::Never {
                self.cramped.extend(&policy.users);
            }
        }
        for uid in users {
            self.ensure_seat(uid, name, 0);
        }
    }

    /// Gives a workload a seat in one cluster, where so many copies of it run, unless it has one.
    pub(crate) fn ensure_seat(&mut self, uid: Uid, name: &ClusterName, running: u32) {
        let Some(workload) = self.workloads.get(&uid) else {
            return;
        };
        let objects: Vec<Uid> = workload.record.objects.iter().copied().collect();
        if !workload.seats.contains_key(name) {
            let revision = workload.record.revision;
            let generation = self.generation_for(name, uid);
            let seat =
                Seat { generation, manifest_generation: generation, target: running, ..Seat::default() };
            if let Some(workload) = self.workloads.get_mut(&uid) {
                workload.seats.insert(name.clone(), SeatState { seat, ..SeatState::default() });
            }
            if let Some(cluster) = self.clusters.get_mut(name) {
                cluster.seats.insert(uid);
                cluster.digest += WorkloadTarget::hash_of(uid, revision, running);
            }
            self.seat_changed(uid, name);
        }
        for object in objects {
            if self.objects.get(&object).is_some_and(|object| !object.rows.contains_key(name)) {
                self.object_row_changed(object, name, None);
            }
        }
    }

    /// A new revision of a workload's manifest: every cluster that has a seat is told (S33).
    pub(crate) fn revise_workload(&mut self, uid: Uid, manifest: Arc<str>) {
        let Some(workload) = self.workloads.get_mut(&uid) else {
            return;
        };
        let before = workload.record.revision;
        workload.record.revision = before + 1;
        workload.record.spec.manifest = manifest;
        let seats: Vec<ClusterName> = workload.seats.keys().cloned().collect();
        self.touched.keys.insert(Key::Workload(uid));
        for name in seats {
            let generation = self.generation_for(&name, uid);
            let Some(seat) = self.workloads.get_mut(&uid).and_then(|workload| workload.seats.get_mut(&name))
            else {
                continue;
            };
            seat.seat.generation = generation;
            seat.seat.manifest_generation = generation;
            let target = seat.seat.target;
            if let Some(cluster) = self.clusters.get_mut(&name) {
                cluster.digest -= WorkloadTarget::hash_of(uid, before, target);
                cluster.digest += WorkloadTarget::hash_of(uid, before + 1, target);
            }
            self.seat_changed(uid, &name);
        }
    }

    /// A new revision of an object's manifest: every cluster that has a row is told.
    pub(crate) fn revise_object(&mut self, uid: Uid, manifest: Arc<str>) {
        let Some(object) = self.objects.get_mut(&uid) else {
            return;
        };
        let before = object.record.revision;
        object.record.revision = before + 1;
        object.record.manifest = manifest;
        let rows: Vec<ClusterName> = object.rows.keys().cloned().collect();
        self.touched.keys.insert(Key::Object(uid));
        for name in rows {
            self.object_row_changed(uid, &name, Some(before));
        }
    }

    fn object_row_changed(&mut self, uid: Uid, name: &ClusterName, before: Option<u64>) {
        let generation = self.generation_for(name, uid);
        let Some(object) = self.objects.get_mut(&uid) else {
            return;
        };
        object.rows.entry(name.clone()).or_default().generation = generation;
        if let Some(cluster) = self.clusters.get_mut(name) {
            cluster.objects.insert(uid);
            if let Some(before) = before {
                cluster.digest -= ObjectTarget::hash_of(uid, before);
            }
            cluster.digest += ObjectTarget::hash_of(uid, object.record.revision);
        }
        self.touched.keys.insert(Key::ObjectRow(uid, name.clone()));
    }

    /// Ends the life of a workload: its rows become tombstones (S27, S28).
    pub(crate) fn end_workload(&mut self, uid: Uid, cause: Cause) {
        let Some(workload) = self.workloads.remove(&uid) else {
            return;
        };
        let record = &workload.record;
        self.ids.remove(&record.spec.id);
        if let Some(policy) = self.policies.get_mut(&record.policy) {
            policy.users.remove(&uid);
        }
        self.touched.subjects.insert(Subject::Policy(record.policy.clone()));
        self.touched.keys.insert(Key::Workload(uid));
        let rank = self.rank_of(record);
        self.pending.remove(&rank);
        self.cramped.remove(&uid);
        let mut held_by = BTreeMap::new();
        for (name, state) in &workload.seats {
            held_by.insert(name.clone(), self.generation_for(name, uid));
            self.touched.keys.insert(Key::Seat(uid, name.clone()));
            if let Some(cluster) = self.clusters.get_mut(name) {
                cluster.digest -= WorkloadTarget::hash_of(uid, record.revision, state.seat.target);
                cluster.seats.remove(&uid);
                cluster.ended.insert(uid);
                if cluster.on_the_way.remove(&uid).is_some() {
                    self.roomier.insert(name.clone());
                }
                cluster.tally.change(state.share, Share::default());
                cluster.starting = cluster.starting.saturating_sub(state.starting);
                cluster.waiting.remove(&rank);
            }
            self.start_waiting(name);
        }
        let what = Tombstoned::Workload {
            workload: record.spec.id.clone(),
            api_version: record.spec.api_version.clone(),
        };
        self.settle_migrations(workload.migrations.clone(), uid);
        self.remember_end(uid, what, held_by, cause);
        for object in record.objects.clone() {
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
            return;
        }
        let Some(Object { record, rows, .. }) = self.objects.remove(&uid) else {
            return;
        };
        self.object_keys.remove(&record.key);
        self.touched.keys.insert(Key::Object(uid));
        let mut held_by = BTreeMap::new();
        for name in rows.into_keys() {
            self.touched.keys.insert(Key::ObjectRow(uid, name.clone()));
            held_by.insert(name.clone(), self.generation_for(&name, uid));
            if let Some(cluster) = self.clusters.get_mut(&name) {
                cluster.digest -= ObjectTarget::hash_of(uid, record.revision);
                cluster.objects.remove(&uid);
                cluster.ended.insert(uid);
            }
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
        self.ended.insert(uid, Ended { uid, what, since, held_by, cause: Some(cause) });
    }

    /// A cluster says that an ended life is gone there, or the cluster has left (S28).
    pub(crate) fn end_confirmed(&mut self, uid: Uid, name: &ClusterName) {
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
    }

    /// Sends each touched cluster what changed, where its leader is ready for it (S11, S25).
    pub(crate) fn send_targets(&mut self, effects: &mut Vec<Effect>) {
        let rows = std::mem::take(&mut self.touched.rows);
        let mut names = std::mem::take(&mut self.touched.send);
        names.extend(rows.keys().cloned());
        if self.stopped_speaking() {
            return;
        }
        for name in names {
            let Some((session, sent)) =
                self.clusters.get(&name).and_then(|cluster| self.outstanding(cluster))
            else {
                continue;
            };
            let Some(cluster) = self.clusters.get(&name) else {
                continue;
            };
            // The usual case: the agent has everything but what this step changed.
            let known =
                rows.get(&name).filter(|_| sent.is_some_and(|sent| sent.next() == cluster.record.generation));
            let targets = self.targets_since(cluster, sent, known);
            effects.push(Effect::Send { session, message: Down::Targets(Arc::new(targets)) });
            if let Some(leader) = self.clusters.get_mut(&name).and_then(|cluster| {
                let generation = cluster.record.generation;
                cluster.leader.as_mut().map(|leader| (leader, generation))
            }) {
                leader.0.sent = Some(leader.1);
                leader.0.fence_behind = false;
            }
        }
    }

    /// The session that waits for targets, and what it has.
    fn outstanding(&self, cluster: &Cluster) -> Option<(crate::contract::SessionId, Option<Generation>)> {
        let leader = cluster.leader.as_ref().filter(|leader| leader.inventoried)?;
        let behind = leader.fence_behind || leader.sent != Some(cluster.record.generation);
        behind.then_some((leader.session, leader.sent))
    }

    /// What changed in a cluster after a generation, or everything. `known` names the changed rows, if they are known.
    fn targets_since(
        &self,
        cluster: &Cluster,
        sent: Option<Generation>,
        known: Option<&BTreeSet<Uid>>,
    ) -> Targets {
        let base = sent.unwrap_or(Generation(0));
        let fence = Fence {
            federation: self.federation.uid,
            epoch: self.federation.epoch,
            generation: cluster.record.generation,
        };
        let mut targets = Targets { fence, base, digest: cluster.digest, ..Targets::default() };
        let every = || cluster.objects.iter().chain(&cluster.seats).chain(&cluster.ended);
        match known {
            Some(rows) => rows.iter().for_each(|uid| self.push_row(&mut targets, cluster, *uid)),
            None => every().for_each(|uid| self.push_row(&mut targets, cluster, *uid)),
        }
        targets
    }

    fn push_row(&self, targets: &mut Targets, cluster: &Cluster, uid: Uid) {
        let name = &cluster.record.name;
        let base = targets.base;
        if let Some(workload) = self.workloads.get(&uid) {
            let Some(seat) = workload.seats.get(name).map(|state| &state.seat) else {
                return;
            };
            if seat.generation > base {
                let spec = &workload.record.spec;
                targets.workloads.push(WorkloadTarget {
                    uid,
                    workload: spec.id.clone(),
                    api_version: spec.api_version.clone(),
                    revision: workload.record.revision,
                    replicas: seat.target,
                    manifest: (seat.manifest_generation > base).then(|| spec.manifest.clone()),
                });
            }
        } else if let Some(object) = self.objects.get(&uid) {
            let record = &object.record;
            if object.rows.get(name).is_some_and(|row| row.generation > base) {
                targets.objects.push(ObjectTarget {
                    uid,
                    key: record.key.clone(),
                    revision: record.revision,
                    manifest: Some(record.manifest.clone()),
                });
            }
        } else if let Some(ended) = self.ended.get(&uid)
            && ended.held_by.get(name).is_some_and(|generation| *generation > base)
        {
            targets.tombstones.push(Tombstone { uid, what: ended.what.clone() });
        }
    }

    /// The record under a key, as it is now; none if it is gone.
    pub(crate) fn record(&self, key: &Key) -> Option<Record> {
        Some(match key {
            Key::Federation => Record::Federation(self.federation.clone()),
            Key::Policy(name) => Record::Policy(self.policies.get(name)?.policy.clone()),
            Key::Workload(uid) => Record::Workload(self.workloads.get(uid)?.record.clone()),
            Key::Seat(uid, name) => Record::Seat {
                workload: *uid,
                cluster: name.clone(),
                seat: self.workloads.get(uid)?.seats.get(name)?.seat.clone(),
            },
            Key::Object(uid) => Record::Object(self.objects.get(uid)?.record.clone()),
            Key::ObjectRow(uid, name) => Record::ObjectRow {
                object: *uid,
                cluster: name.clone(),
                row: *self.objects.get(uid)?.rows.get(name)?,
            },
            Key::Ended(uid) => Record::Ended(self.ended.get(uid)?.clone()),
            Key::Cluster(name) => Record::Cluster(self.clusters.get(name)?.record.clone()),
            Key::Migration(id) => Record::Migration(self.migrations.get(id)?.migration.clone()),
            Key::Journal(number) => Record::Journal(self.journal.get(number)?.clone()),
            Key::Request(id) => Record::Request(self.requests.get(id)?.clone()),
        })
    }
}
