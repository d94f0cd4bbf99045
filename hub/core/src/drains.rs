//! Draining: a cluster's replicas start elsewhere first, and stop here after that (S20, S21). The mover does both; this
//! file says how much it may do for a drain, and when one is over.

use std::time::Duration;

use godwit_common::{ClusterName, Uid, WallTime};

use crate::contract::{
    Cause, Drain, DrainState, DrainView, Key, MigrationCause, Severity, Subject, WorkloadRecord,
};
use crate::hub::{Hub, Timer};
use crate::state::{Cluster, SeatState, Workload};

/// How many of the workloads that hold a drain up are named.
const WAITING_MAX: usize = 10;

impl Hub {
    /// An order to empty a cluster within a time from now.
    pub(crate) fn drain_from(&self, within: Duration, max_surge: u32, force: bool) -> Drain {
        let started = self.now.wall;
        let within = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        let deadline = WallTime(started.0.saturating_add(within));
        Drain { started, deadline, max_surge, force, state: DrainState::Running }
    }

    /// Wakes up at the deadline of a cluster's drain.
    pub(crate) fn await_drain(&mut self, name: &ClusterName) {
        let Some(drain) = self.drain_of(name).filter(|drain| drain.state == DrainState::Running) else {
            return;
        };
        let left = Duration::from_millis(drain.deadline.0.saturating_sub(self.now.wall.0));
        self.wake_at(self.now.time + left, Timer::Drain(name.clone()));
    }

    /// A drain that takes too long stops where it is, and says so (S21).
    pub(crate) fn drain_overdue(&mut self, name: &ClusterName) {
        let Some(drain) = self.drain_of(name).filter(|drain| drain.state == DrainState::Running) else {
            return;
        };
        if drain.deadline > self.now.wall {
            return self.await_drain(name);
        }
        self.set_drain_state(name, DrainState::Overdue);
        let (pods, workloads) = self.clusters.get(name).map_or((0, 0), |cluster| self.left_in(cluster));
        let message = format!(
            "it is not empty in time: {pods} pods of {workloads} workloads are left, and nothing more moves; \
             `godwit describe cluster {name}` says what they wait for, `godwit drain cluster {name}` goes on"
        );
        self.note(Severity::Warning, "S21", "DrainOverdue", name.as_str(), message);
    }

    /// Whether a cluster that is drained is empty by now.
    pub(crate) fn look_at_drain(&mut self, name: &ClusterName) {
        let Some(cluster) = self.clusters.get(name).filter(|cluster| cluster.reporting()) else { return };
        let under_way = |drain: &Drain| drain.state != DrainState::Done;
        let started =
            cluster.record.drain.as_ref().filter(|drain| under_way(drain)).map(|drain| drain.started);
        let Some(started) = started.filter(|_| self.left_in(cluster) == (0, 0)) else { return };
        self.set_drain_state(name, DrainState::Done);
        let seconds = self.now.wall.0.saturating_sub(started.0) / 1000;
        let message = format!("nothing managed is left there; it took {seconds} s");
        self.note(Severity::Normal, "S21", "ClusterDrained", name.as_str(), message);
    }

    pub(crate) fn set_drain_state(&mut self, name: &ClusterName, state: DrainState) {
        let Some(drain) = self.clusters.get_mut(name).and_then(|cluster| cluster.record.drain.as_mut())
        else {
            return;
        };
        drain.state = state;
        self.touched.keys.insert(Key::Cluster(name.clone()));
        self.touched.subjects.insert(Subject::Cluster(name.clone()));
    }

    pub(crate) fn drain_of(&self, name: &ClusterName) -> Option<&Drain> {
        self.clusters.get(name)?.record.drain.as_ref()
    }

    /// The cluster whose drain moves a seat, unless it is lost: then it is a drain no longer (S22).
    pub(crate) fn drained_for(&self, seat: &SeatState) -> Option<&Drain> {
        let Some(Cause::Migration(id)) = seat.seat.cause else { return None };
        let MigrationCause::Drained(name) = &self.migrations.get(&id)?.migration.cause else { return None };
        let cluster = self.clusters.get(name)?;
        cluster.record.drain.as_ref().filter(|_| cluster.health.lost_through.is_none())
    }

    /// How many more replicas of a workload may start for a drain (S20): all causes share one budget.
    pub(crate) fn surge_left(&self, workload: &Workload, drain: &Drain) -> u32 {
        let WorkloadRecord { wanted, policy, .. } = &workload.record;
        let lost_after = self.policies.get(policy).map(|policy| policy.policy.lost_after);
        let counts = |name: &ClusterName| {
            let cluster = self.clusters.get(name);
            cluster.is_some_and(|cluster| !lost_after.is_some_and(|after| cluster.lost_for(after)))
        };
        let seats = workload.seats.iter().filter(|(name, _)| counts(name));
        let told = seats.fold(0_u32, |sum, (_, seat)| sum.saturating_add(seat.seat.target));
        let surge = (u64::from(*wanted) * u64::from(drain.max_surge)).div_ceil(100).max(1);
        wanted.saturating_add(u32::try_from(surge).unwrap_or(u32::MAX)).saturating_sub(told)
    }

    /// To what the target of a copy in a drained cluster may go, where `least` is what the shrink rule allows now: it
    /// must have allowed as little for a while (S20).
    pub(crate) fn steadily(&mut self, uid: Uid, name: &ClusterName, least: u32) -> u32 {
        let (now, min_ready) = (self.now.time, self.config.min_ready);
        let Some(seat) = self.workloads.get_mut(&uid).and_then(|workload| workload.seats.get_mut(name))
        else {
            return least;
        };
        let target = seat.seat.target;
        let (since, level) = seat.could_shrink.unwrap_or((now, target));
        let level = level.max(least);
        let reached = if now.since(since) >= min_ready { level.min(target) } else { target };
        // What was used up, or was not allowed all along, begins anew.
        let next = if reached < target || level >= target { (now, least) } else { (since, level) };
        seat.could_shrink = (next.1 < reached).then_some(next);
        if next.1 < reached {
            self.wake_at(next.0 + min_ready, Timer::Shrink(uid));
        }
        reached
    }

    /// The workloads that have something placed in a cluster.
    pub(crate) fn placed_in(&self, name: &ClusterName) -> Vec<Uid> {
        let placed = |uid: &Uid| {
            let seat = self.workloads.get(uid).and_then(|workload| workload.seats.get(name));
            seat.is_some_and(|seat| seat.seat.placed > 0)
        };
        let seats = self.clusters.get(name).into_iter().flat_map(|cluster| &cluster.seats);
        seats.copied().filter(placed).collect()
    }

    /// How many pods are left in a cluster that is drained, or may yet come, and of how many workloads.
    fn left_in(&self, cluster: &Cluster) -> (u32, u32) {
        let left = self.left_seats(cluster).map(|(_, seat)| seat.pods().max(seat.occupied()));
        left.fold((0, 0), |(pods, workloads), left| (pods + left, workloads + 1))
    }

    fn left_seats<'a>(&'a self, cluster: &'a Cluster) -> impl Iterator<Item = (&'a Workload, &'a SeatState)> {
        let name = &cluster.record.name;
        let seats = cluster.seats.iter().filter_map(|uid| {
            let workload: &Workload = self.workloads.get(uid)?;
            Some((workload, workload.seats.get(name)?))
        });
        seats.filter(|(_, seat)| seat.pods() > 0 || seat.occupied() > 0)
    }

    /// A cluster's drain, and how far it is.
    pub(crate) fn drain_view(&self, cluster: &Cluster) -> Option<DrainView> {
        let drain = cluster.record.drain.clone()?;
        let (pods, workloads) = self.left_in(cluster);
        let waiting = self.left_seats(cluster).take(WAITING_MAX);
        let waiting =
            waiting.map(|(workload, seat)| (workload.id().clone(), self.waits_for(workload, seat, &drain)));
        Some(DrainView { pods, workloads, waiting: waiting.collect(), drain })
    }

    /// What keeps the copies of a workload in a cluster that is drained.
    fn waits_for(&self, workload: &Workload, seat: &SeatState, drain: &Drain) -> String {
        let WorkloadRecord { wanted, pending, pending_reasons, .. } = &workload.record;
        let left = seat.pods().max(seat.occupied());
        if seat.seat.target == 0 {
            return format!("{left} are stopping");
        }
        match drain.state {
            DrainState::Paused => return format!("{left} left; the drain is paused"),
            DrainState::Overdue => return format!("{left} left; the drain is overdue"),
            DrainState::Running | DrainState::Done => {}
        }
        if *pending > 0 {
            let reasons: Vec<&str> = pending_reasons.iter().map(|reason| &**reason).collect();
            return format!("{left} left; {pending} have no place elsewhere: {}", reasons.join("; "));
        }
        let elsewhere = self.ready(workload).saturating_sub(seat.staying());
        format!("{left} left; {elsewhere} of {wanted} are ready elsewhere")
    }
}
