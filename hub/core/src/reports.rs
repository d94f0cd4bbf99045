//! Reports: what the members say they hold (S11, S15, S27, S28).

use std::collections::BTreeSet;

use godwit_common::link::{Capacity, Report, Status};
use godwit_common::{ClusterName, Generation, NeedStatus, Uid};

use crate::contract::{Ended, SessionId, Severity, Subject};
use crate::hub::Hub;
use crate::state::Seen;

/// How many orphans of a cluster are listed: enough to see what happened there. All are kept, listed or not.
const ORPHANS_MAX: usize = 1_000;

impl Hub {
    /// A report of a cluster; only its leading agent's counts (S24).
    pub(crate) fn report(&mut self, session: SessionId, name: &ClusterName, report: Report) {
        let now = self.now.time;
        let Some(leader) = self.leader_of(session, name) else {
            return;
        };
        // Changes build on an inventory: before it they mean nothing (S11).
        if !report.complete && !leader.inventoried {
            return;
        }
        if !leader.inventoried {
            leader.reporting_since = now;
        }
        let first = !std::mem::replace(&mut leader.inventoried, true);
        leader.reflects = leader.reflects.max(report.reflects);
        let reflects = leader.reflects;
        if first {
            self.reporting_changed(name);
        }
        self.reflected(name, reflects);
        let wall = self.now.wall;
        if let Some(cluster) = self.clusters.get_mut(name) {
            cluster.health.seen = wall;
        }
        self.touched.subjects.insert(Subject::Cluster(name.clone()));
        let mut listed = BTreeSet::new();
        for mut status in report.statuses {
            self.recognize(name, &mut status);
            if report.complete {
                listed.insert(status.uid);
            }
            self.status(name, status);
        }
        if report.complete {
            self.absent(name, &listed);
        }
        for uid in report.removed {
            self.end_confirmed(uid, name, report.complete);
        }
        self.heed_edits(name, report.complete, report.edits);
        self.needs(name, report.complete, report.needs);
        if let Some(capacity) = report.capacity {
            self.capacity(name, capacity);
        }
        if report.complete {
            self.inventory_came(name);
        }
        self.look_at_drain(name);
    }

    /// Targets that are known to have reached the cluster: raised ones count from now on (S20), and what lowered ones left
    /// can be told (S8).
    fn reflected(&mut self, name: &ClusterName, reflects: Generation) {
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        // Those that a later row has changed again are found under its generation.
        let unknown = cluster.unreflected.split_off(&(reflects.next(), Uid(0)));
        let candidates = std::mem::replace(&mut cluster.unreflected, unknown);
        let mut known = BTreeSet::new();
        for (_, uid) in candidates {
            let Some(seat) = self.workloads.get_mut(&uid).and_then(|workload| workload.seats.get_mut(name))
            else {
                continue;
            };
            if seat.seat.generation > reflects {
                cluster.unreflected.insert((seat.seat.generation, uid));
                continue;
            }
            seat.floor = seat.seat.target;
            self.moving.insert(uid);
            self.touched.subjects.insert(Subject::Workload(uid));
            known.insert(uid);
        }
        for uid in known {
            self.count_staying(uid, name);
            self.bound_existence(uid, name);
            self.note_shown(uid, name);
        }
    }

    /// On an object of which only the count is ours, nothing says whose life it is: an agent that starts anew does not know,
    /// and its name tells (S33). Where the workload has no part, its object is somebody else's altogether.
    fn recognize(&self, name: &ClusterName, status: &mut Status) {
        if status.uid != Uid(0) {
            return;
        }
        let uid = self.ids.get(&status.workload);
        let known = uid.and_then(|uid| Some((*uid, self.workloads.get(uid)?)));
        let known = known.filter(|(_, workload)| workload.record.spec.scale_only);
        if let Some((uid, seat)) = known.and_then(|(uid, workload)| Some((uid, workload.seats.get(name)?))) {
            (status.uid, status.revision) = (uid, seat.seat.revision);
        }
    }

    /// What a cluster says about one workload.
    pub(crate) fn status(&mut self, name: &ClusterName, status: Status) {
        let (uid, now) = (status.uid, self.now.time);
        let Some(cluster) = self.clusters.get_mut(name) else {
            return;
        };
        let ended = |ended: &Ended| ended.held_by.contains_key(name);
        let ends_here = self.ended.get(&uid).is_some_and(ended);
        let ours = self.workloads.get(&uid).is_some_and(|workload| workload.id() == &status.workload);
        if ends_here || !ours {
            match ends_here || self.ended.contains_key(&uid) {
                true if status.exists => self.end_withdrawn(uid, name),
                true => {}
                false => self.orphan(name, status),
            }
            return;
        }
        cluster.orphans.remove(&(status.workload.clone(), uid));
        if status.exists {
            self.ensure_seat(uid, name, Some((running(&status), status.revision)));
        }
        let Some(seat) = self.workloads.get_mut(&uid).and_then(|workload| workload.seats.get_mut(name))
        else {
            return;
        };
        seat.ready_for = (status.ready_for, now);
        let problem = match status.exists {
            true => status.problem,
            false if status.difference.is_some() => {
                "the object was deleted in the cluster; it is left so".into()
            }
            false if status.problem.is_empty() => {
                "the object was deleted in the cluster; it is created again".into()
            }
            false => status.problem,
        };
        let seen = Seen {
            pods: status.pods,
            bound: status.bound,
            ready: status.ready.min(status.pods),
            unschedulable: status.unschedulable,
            failing: status.failing,
            stranded: status.stranded,
            revision: status.revision,
            updated: status.updated,
            updated_ready: status.updated_ready,
            stalled: status.stalled,
            terminating: status.terminating,
            supervised: status.supervised,
            replicas: status.replicas,
            exists: status.exists,
            difference: status.difference,
            problem,
        };
        let finished = status.finished;
        if seat.seen.as_ref() == Some(&seen) {
            // As it was before it was given up, as far as anybody can see: it is all there again (S8).
            self.bound_existence(uid, name);
            self.look_at_revision(uid, name);
            return finished.map_or((), |end| self.job_ended(uid, name, end));
        }
        let (ready_before, drifted_before) = (seat.ready(), seat.drifted());
        seat.seen = Some(seen);
        self.bound_existence(uid, name);
        self.heed_drift(uid, name, drifted_before);
        self.seat_observed(uid, name);
        self.look_at_revision(uid, name);
        self.starts_progress(uid, name);
        self.heed_trouble(uid, name, ready_before);
        self.moving.insert(uid);
        if let Some(end) = finished {
            self.job_ended(uid, name, end);
        }
    }

    /// What an inventory does not list does not run (S11). It is wanted all the same: absence deletes nothing (S27).
    fn absent(&mut self, name: &ClusterName, listed: &BTreeSet<Uid>) {
        let Some(cluster) = self.clusters.get_mut(name) else {
            return;
        };
        cluster.orphans.retain(|(_, uid), _| listed.contains(uid));
        let missing: Vec<Uid> = cluster.seats.difference(listed).copied().collect();
        for uid in missing {
            let Some(seat) = self.workloads.get_mut(&uid).and_then(|workload| workload.seats.get_mut(name))
            else {
                continue;
            };
            let ready_before = seat.ready();
            if seat.seen.replace(Seen::default()) == Some(Seen::default()) {
                continue;
            }
            self.bound_existence(uid, name);
            self.seat_observed(uid, name);
            self.look_at_revision(uid, name);
            self.starts_progress(uid, name);
            self.heed_trouble(uid, name, ready_before);
            self.moving.insert(uid);
        }
    }

    /// A managed object that no workload explains: kept, counted, listed (S27).
    fn orphan(&mut self, name: &ClusterName, status: Status) {
        let Some(cluster) = self.clusters.get_mut(name) else {
            return;
        };
        let key = (status.workload.clone(), status.uid);
        // What nobody has told this cluster of is somebody else's.
        if !status.exists || status.uid == Uid(0) {
            cluster.orphans.remove(&key);
            return;
        }
        if cluster.orphans.len() >= ORPHANS_MAX && !cluster.orphans.contains_key(&key) {
            return;
        }
        let text = format!(
            "{} with {} pods is labelled as managed, but unknown here; it is kept",
            key.0, status.pods
        );
        // What is not known yet may be told in a moment.
        if cluster.orphans.insert(key, status).is_none() && !self.in_doubt() {
            self.note(Severity::Warning, "S27", "OrphanFound", name.as_str(), text);
        }
    }

    /// What workloads need, and whether it is there. An inventory is all that is known.
    fn needs(&mut self, name: &ClusterName, complete: bool, needs: Vec<NeedStatus>) {
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        if complete {
            cluster.needs.clear();
        }
        let mut changed = false;
        for NeedStatus { need, met } in needs {
            changed |= cluster.needs.insert(need, met) != Some(met);
        }
        if changed {
            // Whoever waited for it may be placed now, or is told that it is not there (S14).
            self.roomier.insert(name.clone());
            self.fleet_changed();
            // A rollout may have passed it over for that (S31).
            self.moving_at(name);
        }
    }

    /// Room and health. Any change of the room may be more of it for somebody.
    fn capacity(&mut self, name: &ClusterName, capacity: Capacity) {
        let Some(cluster) = self.clusters.get_mut(name) else {
            return;
        };
        if cluster.capacity.as_ref().is_none_or(|before| before.classes != capacity.classes) {
            self.roomier.insert(name.clone());
            self.fleet_changed();
        }
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        let zones = capacity.zones.clone();
        cluster.capacity = Some(capacity);
        // No node at all says nothing about where they were.
        if !zones.is_empty() && cluster.record.traits.zones != zones {
            self.retrait(name, |traits| traits.zones = zones);
        }
        self.note_degradation(name);
    }

    /// What can be seen of a cluster has changed as a whole: so has every workload that it has a part in.
    pub(crate) fn show_seats(&mut self, name: &ClusterName) {
        self.touched.subjects.insert(Subject::Cluster(name.clone()));
        let Some(cluster) = self.clusters.get(name) else {
            return;
        };
        self.touched.subjects.extend(cluster.present().map(Subject::Workload));
    }

    /// A cluster can be built on again: whatever waited for that may go on.
    pub(crate) fn moving_at(&mut self, name: &ClusterName) {
        let Some(cluster) = self.clusters.get(name) else {
            return;
        };
        let unfinished = |uid: &&Uid| {
            let workload = self.workloads.get(uid);
            workload.is_some_and(|workload| workload.unfinished() || workload.unrolled(name))
        };
        self.moving.extend(cluster.seats.iter().filter(unfinished));
    }
}

/// What has run to its end runs no more, whatever its number says (S33).
fn running(status: &Status) -> u32 {
    if status.finished.is_some() { 0 } else { status.replicas }
}
