//! Draining: a cluster's replicas start elsewhere first, and stop here after that (S20, S21). The mover does both; this
//! file says how much it may do for a drain, and when one is over.

use std::time::Duration;

use godwit_common::link::{Tombstoned, Unmanaged};
use godwit_common::policy::TrafficGate;
use godwit_common::{ClusterName, Uid, WallTime, WorkloadId};

use crate::contract::{
    Drain, DrainState, DrainTerms, DrainView, Ended, Key, Purpose, Severity, Subject, WorkloadRecord,
};
use crate::hub::{Hub, Timer};
use crate::progress::paused;
use crate::state::{Cluster, SeatState, Workload};

/// How many of the workloads that hold a drain up are named.
const WAITING_MAX: usize = 10;
/// How many owners of pods that are not managed the journal names.
const UNMANAGED_NAMED: usize = 5;

impl Hub {
    /// An order to empty a cluster, from now on.
    pub(crate) fn drain_from(&self, terms: &DrainTerms, purpose: Purpose) -> Drain {
        let DrainTerms { within, max_surge, force, to } = terms.clone();
        let started = self.now.wall;
        let within = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        let deadline = WallTime(started.0.saturating_add(within));
        Drain { started, deadline, max_surge, force, to, purpose, state: DrainState::Running, since: started }
    }

    /// Wakes up at the deadline of a cluster's drain, which began now, or before the hub was started: from here on our own clock
    /// counts, whatever is made of the other one.
    pub(crate) fn await_drain(&mut self, name: &ClusterName) {
        let Some(drain) = self.drain_of(name).filter(|drain| drain.state == DrainState::Running) else {
            return;
        };
        let now = drain.started.max(self.now.wall);
        let left = Duration::from_millis(drain.deadline.0.saturating_sub(now.0));
        let due = self.now.time + left;
        if let Some(cluster) = self.clusters.get_mut(name) {
            cluster.drain_due = due;
        }
        self.wake_at(due, Timer::Drain(name.clone()));
    }

    /// A drain that takes too long stops where it is, and says so (S21).
    pub(crate) fn drain_overdue(&mut self, name: &ClusterName) {
        let running = |drain: &Drain| drain.state == DrainState::Running;
        let Some(cluster) = self.clusters.get(name) else { return };
        if !cluster.record.drain.as_ref().is_some_and(running) {
            return;
        }
        let due = cluster.drain_due;
        if due > self.now.time {
            return self.wake_at(due, Timer::Drain(name.clone()));
        }
        self.set_drain_state(name, DrainState::Overdue);
        let (pods, workloads) =
            self.clusters.get(name).map_or((0, 0), |cluster| (cluster.tally.left, cluster.held.len()));
        let message = format!(
            "it is not empty in time: {pods} pods of {workloads} workloads are left, and nothing more moves; \
             `godwit describe cluster {name}` says what they wait for, `godwit drain cluster {name}` goes on"
        );
        self.note(Severity::Warning, "S21", "DrainOverdue", name.as_str(), message);
    }

    /// Whether a cluster that is drained is empty by now.
    pub(crate) fn look_at_drain(&mut self, name: &ClusterName) {
        let Some(cluster) = self.clusters.get(name).filter(|cluster| cluster.reporting()) else { return };
        let under_way = |drain: &Drain| !drain.state.is_empty();
        let started =
            cluster.record.drain.as_ref().filter(|drain| under_way(drain)).map(|drain| drain.started);
        let Some(started) = started.filter(|_| self.is_empty(cluster)) else { return };
        self.set_drain_state(name, DrainState::Done);
        let seconds = self.now.wall.0.saturating_sub(started.0) / 1000;
        let stays = self.unmanaged_in(name);
        let message = format!("nothing managed is left there; it took {seconds} s; {stays}");
        self.note(Severity::Normal, "S21", "ClusterDrained", name.as_str(), message);
        match self.drain_of(name).map(|drain| drain.purpose) {
            Some(Purpose::Empty) | None => {}
            Some(Purpose::Retire) => self.clean_up(name),
            Some(Purpose::Maintain { within, .. }) => self.open_window(name, within),
        }
    }

    /// What stays in a cluster that nobody here manages, in words.
    fn unmanaged_in(&self, name: &ClusterName) -> String {
        let capacity = self.clusters.get(name).and_then(|cluster| cluster.capacity.as_ref());
        let Some(Unmanaged { pods, owners, first }) = capacity.map(|capacity| &capacity.unmanaged) else {
            return "what is not managed there is not known".to_owned();
        };
        if *pods == 0 {
            return "no pods are left that are not managed".to_owned();
        }
        let named: Vec<String> = first.iter().take(UNMANAGED_NAMED).map(|(id, _)| id.to_string()).collect();
        let more = (*owners as usize).saturating_sub(named.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{pods} pods that are not managed stay: {}{more}", named.join(", "))
    }

    pub(crate) fn set_drain_state(&mut self, name: &ClusterName, state: DrainState) {
        let Some(drain) = self.clusters.get_mut(name).and_then(|cluster| cluster.record.drain.as_mut())
        else {
            return;
        };
        (drain.state, drain.since) = (state, self.now.wall);
        self.show_migrations();
        self.touched.keys.insert(Key::Cluster(name.clone()));
        self.touched.subjects.insert(Subject::Cluster(name.clone()));
        // What was about to stop for it may have to stay.
        self.moving_at(name);
    }

    pub(crate) fn drain_of(&self, name: &ClusterName) -> Option<&Drain> {
        self.clusters.get(name)?.record.drain.as_ref()
    }

    /// The workloads that have something in a cluster which has no place elsewhere yet.
    pub(crate) fn waiting_in(&self, name: &ClusterName) -> Vec<Uid> {
        let pending = |uid: &Uid| self.workloads.get(uid).is_some_and(|workload| workload.record.pending > 0);
        let held = self.clusters.get(name).into_iter().flat_map(|cluster| cluster.held.iter());
        held.copied().filter(pending).collect()
    }

    /// The workloads that have something placed in a cluster.
    pub(crate) fn placed_in(&self, name: &ClusterName) -> Vec<Uid> {
        let placed = |uid: &Uid| {
            let seat = self.workloads.get(uid).and_then(|workload| workload.seats.get(name));
            seat.is_some_and(|seat| seat.seat.placed > 0)
        };
        let seats = self.clusters.get(name).into_iter().flat_map(|cluster| cluster.seats.iter());
        seats.copied().filter(placed).collect()
    }

    /// Whether nothing managed is left in a cluster: no target, no pod, no life that is to end, nothing that nobody here
    /// explains (S27, S28), and nothing that it may still start because it was told so before.
    pub(crate) fn is_empty(&self, cluster: &Cluster) -> bool {
        cluster.held.is_empty()
            && cluster.unreflected.is_empty()
            && cluster.orphans.is_empty()
            && self.ending_in(cluster).next().is_none()
    }

    /// The ended lives that are still in a cluster.
    fn ending_in<'a>(&'a self, cluster: &'a Cluster) -> impl Iterator<Item = &'a Ended> {
        let name = &cluster.record.name;
        let buried = move |uid: &Uid| self.buried.get(uid).is_some_and(|buried| buried.contains_key(name));
        cluster.ended.iter().filter(move |uid| !buried(uid)).filter_map(|uid| self.ended.get(uid))
    }

    /// A cluster's drain, and how far it is.
    pub(crate) fn drain_view(&self, cluster: &Cluster) -> Option<DrainView> {
        let drain = cluster.record.drain.clone()?;
        let name = &cluster.record.name;
        let waits = |uid: &Uid| {
            let workload = self.workloads.get(uid)?;
            let seat = workload.seats.get(name)?;
            Some((workload.id().clone(), self.waits_for(workload, name, seat, &drain)))
        };
        let mut waiting: Vec<(WorkloadId, String)> =
            cluster.held.iter().filter_map(waits).take(WAITING_MAX).collect();
        let ending = self.ending_in(cluster).filter_map(|ended| match &ended.what {
            Tombstoned::Workload { workload, .. } => {
                Some((workload.clone(), "it is being deleted".to_owned()))
            }
            Tombstoned::Scaled { .. } | Tombstoned::Object(_) => None,
        });
        let orphans = cluster.orphans.iter().map(|((id, _), status)| {
            (id.clone(), format!("{} left; no workload here explains them (S27)", status.pods))
        });
        waiting.extend(ending.chain(orphans).take(WAITING_MAX.saturating_sub(waiting.len())));
        let orphaned = cluster.orphans.values().fold(0_u32, |sum, status| sum.saturating_add(status.pods));
        let workloads = cluster.held.len() + cluster.orphans.len() + self.ending_in(cluster).count();
        let workloads = u32::try_from(workloads).unwrap_or(u32::MAX);
        Some(DrainView { pods: cluster.tally.left.saturating_add(orphaned), workloads, waiting, drain })
    }

    /// What keeps the copies of a workload in a cluster that is drained.
    fn waits_for(&self, workload: &Workload, name: &ClusterName, seat: &SeatState, drain: &Drain) -> String {
        let WorkloadRecord { wanted, pending, pending_reasons, .. } = &workload.record;
        let left = seat.left();
        if seat.held_back {
            return format!("{left} left; held back until godwit confirm removal (S27)");
        }
        if seat.seat.target == 0 {
            return format!("{left} are stopping");
        }
        if self.held(workload, name).stops > 0
            && let Some(migration) = self.held_by(workload, name)
        {
            return format!("{left} left; {}", paused(migration));
        }
        match drain.state {
            DrainState::Paused => return format!("{left} left; the drain is paused"),
            DrainState::Overdue => return format!("{left} left; the drain is overdue"),
            DrainState::Running | DrainState::Done | DrainState::Cleaning => {}
        }
        match self.withdrawal(workload, name).map(|withdrawal| withdrawal.gate) {
            Some(TrafficGate::Ack) => return format!("{left} left; {}", ack_remedy(workload.id(), name)),
            Some(TrafficGate::Delay(delay)) => {
                return format!("{left} left; waits {delay:?} for traffic to be routed away");
            }
            Some(TrafficGate::None) | None => {}
        }
        if *pending > 0 {
            let reasons: Vec<&str> = pending_reasons.iter().map(|reason| &**reason).collect();
            return format!("{left} left; {pending} have no place elsewhere: {}", reasons.join("; "));
        }
        let elsewhere = self.ready(workload).saturating_sub(seat.staying());
        format!("{left} left; {elsewhere} of {wanted} are ready elsewhere")
    }
}

/// What a copy waits for that is announced to stop, and who can end that.
fn ack_remedy(id: &WorkloadId, cluster: &ClusterName) -> String {
    let WorkloadId { namespace, kind, name } = id;
    let kind = kind.to_ascii_lowercase();
    format!("waits for traffic to be routed away: `godwit ack {namespace}/{kind}/{name} --cluster {cluster}`")
}
