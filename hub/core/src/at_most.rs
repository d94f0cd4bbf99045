//! The mode `atMost` (S8, S9): no start takes the pods of a workload that exist anywhere above the number wanted. For each
//! of its seats the hub keeps how many pods may exist there at most, whatever it was told and whatever it heard; and a
//! replica in a lost cluster is replaced only when that cluster is fenced.

use std::collections::BTreeSet;

use godwit_common::{ClusterName, Generation, Uid, WorkloadKind};

use crate::commands::{no_cluster, refused};
use crate::contract::{
    Action, Answer, Cause, Changes, ClusterState, Key, Policy, Refused, RefusedKind, Severity, Subject,
    WorkloadRecord, WorkloadSpec,
};
use crate::grants::is_gated;
use crate::hub::Hub;
use crate::placement::Reason;
use crate::shared::Shared;
use crate::state::{Cluster, SeatState, Seen, Workload};

impl Hub {
    pub(crate) fn is_at_most(&self, record: &WorkloadRecord) -> bool {
        let policy = self.policies.get(&record.policy);
        let bounded = policy.is_some_and(|policy| policy.policy.placement.motion.is_at_most());
        // What runs everywhere is not counted (S33).
        bounded && !record.spec.kind().everywhere()
    }

    /// Whether all of a workload ends in one cluster before any of it starts in another (S32, S33).
    pub(crate) fn moves_at_once(&self, record: &WorkloadRecord) -> bool {
        let policy = self.policies.get(&record.policy);
        policy.is_some_and(|policy| record.spec.moves_at_once(&policy.policy.placement))
    }

    /// How many more of an `atMost` workload may start in a cluster: none as long as what was told elsewhere to stop, or
    /// cannot be seen, may still exist. What moves at once starts when nothing is left elsewhere; under `available` what a
    /// loss left behind is not waited for.
    pub(crate) fn may_start(&self, workload: &Workload, name: &ClusterName) -> u32 {
        let seats = workload.seats.iter();
        // Under `duplicate` no cluster makes up for another.
        let alone = self.is_duplicated(&workload.record);
        let own = |seat: &SeatState| seat.seat.placed;
        let wanted = match alone {
            true => workload.seats.get(name).map_or(0, own),
            false => workload.record.wanted,
        };
        let at_most = self.is_at_most(&workload.record);
        let left_behind = |other: &ClusterName| {
            let cluster = self.clusters.get(other);
            !at_most && cluster.is_some_and(|cluster| self.lost_to(workload, cluster))
        };
        let counts =
            |other: &ClusterName| (!alone || other == name) && !self.is_dead(other) && !left_behind(other);
        let mut exist = seats.filter(|(other, _)| counts(other));
        if self.moves_at_once(&workload.record)
            && exist.clone().any(|(other, seat)| other != name && seat.seat.may_run > 0)
        {
            return 0;
        }
        let exist = exist.by_ref().map(|(_, seat)| seat.seat.may_run);
        wanted.saturating_sub(exist.fold(0, u32::saturating_add))
    }

    /// How many replicas of a workload may not be placed, because copies that nobody can see may still run: how many, and
    /// where. Nobody waits for those of a cluster that is there, or is known to be dead: they are gone, or seen to go.
    pub(crate) fn unfenced(&self, workload: &Workload) -> (u32, Vec<ClusterName>) {
        let record = &workload.record;
        if !self.is_at_most(record) || self.is_duplicated(record) {
            return (0, Vec::new());
        }
        let Some(policy) = self.policies.get(&record.policy) else { return (0, Vec::new()) };
        let mut unfenced = (0_u32, Vec::new());
        let (pods, clusters) = (&mut unfenced.0, &mut unfenced.1);
        for (name, seat) in &workload.seats {
            let unseen = |cluster: &&Shared<Cluster>| !cluster.reporting() && cluster.record.dead.is_none();
            let Some(cluster) = self.clusters.get(name).filter(unseen) else { continue };
            let lost = cluster.lost_for(policy.policy.lost_after);
            let placed = if lost { 0 } else { seat.seat.placed };
            let beyond = seat.seat.may_run.saturating_sub(placed);
            if beyond > 0 {
                *pods = pods.saturating_add(beyond);
                clusters.push(name.clone());
            }
        }
        unfenced
    }

    /// A report came: how many pods may exist there of a workload by now?
    pub(crate) fn bound_existence(&mut self, uid: Uid, name: &ClusterName) {
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        let reflects = cluster.leader.as_ref().map_or(Generation(0), |leader| leader.reflects);
        let Some(seat) = self.workloads.get(&uid).and_then(|workload| workload.seats.get(name)) else {
            return;
        };
        let Some(seen) = &seat.seen else { return };
        let bound = match seat.seat.generation <= reflects {
            true => seen.may_run(seat.seat.target),
            // It may not have heard yet that it shall run fewer.
            false => {
                cluster.unreflected.insert((seat.seat.generation, uid));
                seen.may_run(seat.seat.target).max(seat.seat.may_run)
            }
        };
        self.set_may_run(uid, name, bound);
        self.look_at_supervision(uid, name);
    }

    pub(crate) fn set_may_run(&mut self, uid: Uid, name: &ClusterName, bound: u32) {
        let bounds = self.workloads.get(&uid).is_some_and(|workload| self.is_at_most(&workload.record));
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        let Some(seat) = workload.seats.get_mut(name) else { return };
        let before = std::mem::replace(&mut seat.seat.may_run, bound);
        if before == bound {
            return;
        }
        seat.unwritten |= !bounds;
        if !bounds {
            return;
        }
        self.touched.keys.insert(Key::Seat(uid, name.clone()));
        self.touched.subjects.insert(Subject::Workload(uid));
        if bound < before {
            // Others may start now that waited for this.
            self.moving.insert(uid);
        }
    }

    /// How many pods may exist of a workload is a bound for others from now on: what of it was not written becomes durable.
    pub(crate) fn write_may_run(&mut self, uid: Uid) {
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        for (name, seat) in workload.seats.iter_mut().filter(|(_, seat)| seat.unwritten) {
            seat.unwritten = false;
            self.touched.keys.insert(Key::Seat(uid, name.clone()));
            self.touched.subjects.insert(Subject::Workload(uid));
        }
    }

    /// What a cluster may have run can be seen, or is known to be gone: whoever waited for that is planned.
    pub(crate) fn fenced(&mut self, name: &ClusterName) {
        let Some(cluster) = self.clusters.get(name) else { return };
        let waits = |uid: &Uid| {
            let workload = self.workloads.get(uid)?;
            let waits = workload.record.pending > 0 && self.is_at_most(&workload.record);
            waits.then_some(*uid)
        };
        let waiting: Vec<Uid> = cluster.seats.iter().filter_map(waits).collect();
        for uid in waiting {
            self.dirty.entry(uid).or_insert_with(|| Reason::Fenced(name.clone()));
        }
        // What is planned already may start.
        self.moving_at(name);
    }

    /// The `atMost` workloads of which pods may exist in a cluster that cannot be seen, and how many.
    pub(crate) fn unaccounted(&self, name: &ClusterName) -> (u64, BTreeSet<Uid>) {
        let Some(cluster) = self.clusters.get(name).filter(|cluster| cluster.record.dead.is_none()) else {
            return (0, BTreeSet::new());
        };
        let bounded = |uid: &Uid| {
            let workload = self.workloads.get(uid).filter(|workload| self.is_at_most(&workload.record))?;
            let may_run = workload.seats.get(name)?.seat.may_run;
            (may_run > 0).then_some((*uid, u64::from(may_run)))
        };
        let bounded: Vec<(Uid, u64)> = cluster.seats.iter().filter_map(bounded).collect();
        (bounded.iter().map(|(_, pods)| pods).sum(), bounded.into_iter().map(|(uid, _)| uid).collect())
    }

    /// An operator says that a cluster is dead, and that nothing it held comes back by itself (S9).
    pub(crate) fn confirm_dead(&mut self, name: &ClusterName) -> Result<Answer, Refused> {
        let cluster = self.clusters.get(name).ok_or_else(|| no_cluster(name))?;
        if cluster.live() {
            let message = format!(
                "cluster {name} is connected: it is not dead; `godwit drain cluster {name}` moves what it holds"
            );
            return Err(refused(RefusedKind::FailedPrecondition, message));
        }
        if cluster.health.state == ClusterState::Joining {
            let message = format!("cluster {name} never brought an inventory: nothing is known to run there");
            return Err(refused(RefusedKind::FailedPrecondition, message));
        }
        if cluster.record.dead.is_some() {
            return Ok(Answer::Applied { action: Action::Unchanged, changes: Changes::default() });
        }
        let (pods, workloads) = self.unaccounted(name);
        let message = format!(
            "by an operator's word: up to {pods} copies of {} workloads that may run only once are replaced",
            workloads.len()
        );
        let entry =
            self.note_command(Severity::Warning, "S9", "ClusterConfirmedDead", name.as_str(), message);
        self.set_dead(name, Some(self.now.wall));
        if let Some(cluster) = self.clusters.get_mut(name) {
            // It is no sign of trouble of the hub's own any more (S6).
            cluster.health.confirmed = true;
            // Nobody waits for it any more.
            cluster.record.awaited = None;
        }
        self.lose(name, std::time::Duration::MAX);
        // What waited for its data waits no longer (S32).
        for uid in self.waiting_in(name) {
            self.dirty.entry(uid).or_insert_with(|| Reason::Lost(name.clone()));
        }
        for uid in workloads {
            if let Some(seat) = self.workloads.get_mut(&uid).and_then(|one| one.seats.get_mut(name)) {
                // Where copies were surplus anyway nothing was moved: then this is why they are to stop (S27, S30).
                seat.seat.cause.get_or_insert(Cause::Command(entry));
            }
            self.silence(uid, name);
        }
        self.fenced(name);
        self.fleet_changed();
        self.make_plans();
        Ok(Answer::Applied { action: Action::Configured, changes: self.plan_changes() })
    }

    /// A workload is under another policy than before, or its policy is another: what dead clusters were told to run of it
    /// is as it would be, had it been so from the beginning.
    pub(crate) fn silence_the_dead(&mut self, uid: Uid) {
        let Some(workload) = self.workloads.get(&uid).filter(|workload| self.is_at_most(&workload.record))
        else {
            return;
        };
        let told = |(name, seat): (&ClusterName, &SeatState)| {
            (seat.seat.target > 0 && self.is_dead(name)).then(|| name.clone())
        };
        let told: Vec<ClusterName> = workload.seats.iter().filter_map(told).collect();
        for name in told {
            self.silence(uid, &name);
        }
    }

    /// Should a cluster ever be heard again that was given up, it is to start none of what may run only once; and its lease
    /// is not renewed before it knows that.
    pub(crate) fn silence(&mut self, uid: Uid, name: &ClusterName) {
        self.set_target(uid, name, 0);
        self.set_may_run(uid, name, 0);
        if let Some(cluster) = self.clusters.get_mut(name) {
            cluster.grants_from = Some(cluster.record.generation);
        }
    }

    /// A cluster that was said to be dead is heard: it was not.
    pub(crate) fn rises(&mut self, name: &ClusterName) {
        if self.clusters.get(name).is_none_or(|cluster| cluster.record.dead.is_none()) {
            return;
        }
        self.set_dead(name, None);
        let message = "it was said to be dead and is heard again: what it runs may run twice until it has been told to stop";
        self.note(Severity::Warning, "S9", "ClusterNotDead", name.as_str(), message);
    }

    /// Refuses to forget what a cluster may run that may run only once, unless it is known to be dead (S9).
    pub(crate) fn check_accounted(&self, name: &ClusterName) -> Result<(), Refused> {
        let (pods, workloads) = self.unaccounted(name);
        if pods == 0 {
            return Ok(());
        }
        let message = format!(
            "up to {pods} copies of {} workloads of the mode atMost may still run in cluster {name}: say first that it \
             is dead, with `godwit confirm-dead cluster {name}`",
            workloads.len()
        );
        Err(refused(RefusedKind::FailedPrecondition, message))
    }

    /// Refuses what the mode of its policy does not go with.
    pub(crate) fn check_mode(spec: &WorkloadSpec, policy: &Policy) -> Result<(), Refused> {
        let (id, name, at_most) = (&spec.id, &policy.name, policy.placement.motion.is_at_most());
        if spec.scale_only && (at_most || spec.kind().ordered() && policy.placement.divide) {
            let (what, choose) = match at_most {
                true => ("mode atMost", "a policy with mode available"),
                false => ("divide: true", "a policy without divide"),
            };
            let message = format!(
                "{id}: only its count is Godwit's (godwit.dev/mode: scale-only), and policy {name} ({what}) takes more than \
                 that: choose {choose}, or hand all of it over"
            );
            return Err(refused(RefusedKind::FailedPrecondition, message));
        }
        let surges = spec.surges && at_most;
        if surges && WorkloadKind::of_name(&id.kind).is_none() {
            let message = format!(
                "{id}: how many pods its own controller runs while it rolls is not known, and policy {name} (mode \
                 atMost) does not allow more than are wanted: choose a policy with mode available"
            );
            return Err(refused(RefusedKind::FailedPrecondition, message));
        }
        if surges {
            let message = format!(
                "{id}: spec.strategy.rollingUpdate.maxSurge: its own rolling update would run more pods than are \
                 wanted, which policy {name} (mode atMost) does not allow: set it to 0, or spec.strategy.type to \
                 Recreate"
            );
            return Err(refused(RefusedKind::FailedPrecondition, message));
        }
        // What runs everywhere is fenced nowhere (S33).
        let fenced = is_gated(policy) && !spec.kind().everywhere();
        if let Some(obstacle) = spec.obstacle.as_ref().filter(|_| fenced) {
            let message = format!(
                "{id}: {obstacle}; or choose the fence confirm: under policy {name} (fence gate) a supervisor starts \
                 and ends its processes"
            );
            return Err(refused(RefusedKind::FailedPrecondition, message));
        }
        Ok(())
    }

    fn set_dead(&mut self, name: &ClusterName, dead: Option<godwit_common::WallTime>) {
        if let Some(cluster) = self.clusters.get_mut(name) {
            cluster.record.dead = dead;
        }
        self.touched.keys.insert(Key::Cluster(name.clone()));
        self.touched.subjects.insert(Subject::Cluster(name.clone()));
    }

    fn is_dead(&self, name: &ClusterName) -> bool {
        self.clusters.get(name).is_some_and(|cluster| cluster.record.dead.is_some())
    }
}

impl Seen {
    /// How many pods may exist where so many are wanted: those that are there, and those that may start beside them while
    /// others are still ending.
    fn may_run(&self, target: u32) -> u32 {
        self.pods.max(self.replicas.max(target).saturating_add(self.terminating))
    }
}
