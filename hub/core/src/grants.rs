//! The fence `gate` (S9): what has a supervisor ends by itself when its cluster's lease does. The hub renews the leases,
//! and knows when the last one has run out; from then on what was there counts as gone, whatever nobody sees.
//!
//! How long it waits is counted from when the renewal was *received*; whoever holds the lease counts from when it was sent.
//! What was granted is not written down: a hub that starts takes it that every cluster was granted a lease right then.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use godwit_common::link::Down;
use godwit_common::policy::Fencing;
use godwit_common::{ClusterName, Generation, Time, Uid, WallTime};

use crate::ask::listed;
use crate::contract::{Effect, GateView, Key, Policy, SessionId, Severity};
use crate::hub::{Hub, Timer};
use crate::state::{Cluster, SeatState, Workload};

/// How many places are named where pods have no supervisor.
const NAMED_MAX: usize = 20;

/// What is waited for after a lease was renewed last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    /// With what clocks may differ.
    lease: Duration,
    /// The longest of any revision there, by the same clock.
    grace: Duration,
    margin: Duration,
}

impl Wait {
    pub(crate) fn total(self) -> Duration {
        self.lease + self.after_lease()
    }

    fn after_lease(self) -> Duration {
        self.grace + self.margin
    }

    /// The sum, for people.
    pub(crate) fn in_words(self) -> String {
        let Self { lease, grace, margin } = self;
        let seconds = |duration: Duration| duration.as_secs_f64();
        format!(
            "{:.1} s: {:.1} s of a lease by the slowest clock, {:.1} s to end, {} s margin",
            seconds(self.total()),
            seconds(lease),
            seconds(grace),
            seconds(margin)
        )
    }
}

/// What may run in several places under the fence.
#[derive(Debug, Default)]
struct Sum {
    pods: u64,
    unsupervised: Vec<String>,
}

impl Sum {
    /// None if nothing may run at all. Each place has a name.
    fn of<'a>(seats: impl Iterator<Item = (String, &'a SeatState)>) -> Option<Self> {
        let mut sum = None;
        for (place, seat) in seats.filter(|(_, seat)| seat.seat.may_run > 0) {
            let sum: &mut Self = sum.get_or_insert_default();
            match seat.is_held() {
                true => sum.pods += u64::from(seat.seat.may_run),
                false if sum.unsupervised.len() < NAMED_MAX => sum.unsupervised.push(place),
                false => {}
            }
        }
        sum
    }
}

impl Hub {
    /// The leading agent of a cluster asks for its lease to be renewed. Whoever gave it up meanwhile must be known to be
    /// heard first: an agent that has not accepted that would let start again what was replaced.
    pub(crate) fn renew(
        &mut self,
        session: SessionId,
        name: &ClusterName,
        number: u64,
        spoken: &mut Vec<Effect>,
    ) {
        if !self.may_grant() {
            return;
        }
        let lease = self.config.gate_lease;
        let until = self.now.time + self.by_slowest_clock(lease);
        let Some(cluster) = self.clusters.get_mut(name).filter(|cluster| cluster.is_granted(session)) else {
            return;
        };
        cluster.leased_until = cluster.leased_until.max(until);
        spoken.push(Effect::Send { session, message: Down::Grant { number, lease } });
    }

    /// Only a hub that leads renews leases: neither one that has heard of a higher epoch nor one that has said goodbye.
    fn may_grant(&self) -> bool {
        !(self.said_goodbye || self.stopped_speaking())
    }

    /// Another hub may have renewed leases until now.
    pub(crate) fn take_over_leases(&mut self) {
        let longest = self.federation.longest_lease.max(self.config.gate_lease);
        self.federation.longest_lease = longest;
        self.touched.keys.insert(Key::Federation);
        let until = self.leased_from_now();
        for cluster in self.clusters.values_mut() {
            cluster.leased_until = until;
            // What its agent accepted from another hub says nothing of what this one has given up.
            cluster.grants_from = cluster.leader.as_ref().map(|_| cluster.record.generation);
        }
    }

    /// When a lease ends that may have been granted right now, by whomever.
    pub(crate) fn leased_from_now(&self) -> Time {
        self.now.time + self.by_slowest_clock(self.federation.longest_lease)
    }

    fn by_slowest_clock(&self, lease: Duration) -> Duration {
        lease + lease * self.config.gate_drift_percent / 100
    }

    /// A report came, or a row is known to be applied: is all that may run there supervised?
    pub(crate) fn look_at_supervision(&mut self, uid: Uid, name: &ClusterName) {
        let Some(cluster) = self.clusters.get(name) else { return };
        let (able, reflects) = (cluster.supervises(), cluster.reflects());
        let Some(workload) = self.workloads.get(&uid) else { return };
        let Some(state) = workload.seats.get(name) else { return };
        let told = workload.spec_of(state.seat.revision).supervised;
        let seen = state.seen.as_ref().is_some_and(|seen| seen.supervised >= seen.pods);
        // As long as older rows may be in force, others may yet be made of these.
        let all = able && told && seen && (state.seat.supervised || state.seat.generation <= reflects);
        self.set_supervised(uid, name, all);
    }

    pub(crate) fn set_supervised(&mut self, uid: Uid, name: &ClusterName, supervised: bool) {
        let seat = self.workloads.get_mut(&uid).and_then(|workload| workload.seats.get_mut(name));
        let Some(seat) = seat.filter(|seat| seat.seat.supervised != supervised) else { return };
        seat.seat.supervised = supervised;
        self.seat_changed(uid, name);
    }

    /// The agent that leads a cluster puts no supervisor into pods: what it makes runs on whatever becomes of the lease.
    pub(crate) fn look_at_ability(&mut self, name: &ClusterName) {
        let Some(cluster) = self.clusters.get(name).filter(|cluster| !cluster.supervises()) else { return };
        let seats: Vec<Uid> = cluster.supervised.iter().copied().collect();
        for uid in seats {
            self.set_supervised(uid, name, false);
        }
    }

    /// How long after its last renewal all that is supervised in a cluster has ended.
    pub(crate) fn wait_for(&self, cluster: &Cluster) -> Wait {
        let held = |uid: &Uid| {
            let workload = self.workloads.get(uid)?;
            let seat = workload.seats.get(&cluster.record.name)?;
            seat.is_held().then(|| self.by_slowest_clock(longest_grace(workload)))
        };
        Wait {
            grace: cluster.supervised.iter().filter_map(held).max().unwrap_or_default(),
            ..self.least_wait()
        }
    }

    /// Of what ends at once.
    fn least_wait(&self) -> Wait {
        let lease = self.by_slowest_clock(self.config.gate_lease);
        Wait { lease, grace: Duration::ZERO, margin: self.config.gate_margin }
    }

    /// When all that is supervised in a cluster has ended, if its lease is not renewed any more.
    pub(crate) fn gate_ends(&self, cluster: &Cluster) -> Time {
        cluster.leased_until + self.wait_for(cluster).after_lease()
    }

    /// A cluster is lost, or its time may have come: what was supervised there counts as gone when its lease has run out.
    pub(crate) fn look_at_gate(&mut self, name: &ClusterName) {
        let held = self.held_at(name);
        let Some(cluster) = self.clusters.get(name).filter(|_| !held.is_empty()) else { return };
        let (due, wait) = (self.gate_ends(cluster), self.wait_for(cluster));
        if due > self.now.time {
            return self.wake_at(due, Timer::Gate(name.clone()));
        }
        let pods: u64 = held.iter().map(|(_, pods)| u64::from(*pods)).sum();
        let workloads = held.len();
        let message = format!(
            "up to {pods} copies of {workloads} workloads that may run only once have ended, and are replaced: their lease \
             was not renewed for {}",
            wait.in_words()
        );
        self.note(Severity::Normal, "S9", "ClusterFenced", name.as_str(), message);
        for (uid, _) in held {
            self.silence(uid, name);
        }
        self.fenced(name);
        self.show_seats(name);
        self.fleet_changed();
    }

    /// The workloads whose copies in a lost cluster wait for its lease to run out, and how many of each there may be.
    fn held_at(&self, name: &ClusterName) -> Vec<(Uid, u32)> {
        let Some(cluster) = self.clusters.get(name) else { return Vec::new() };
        let known = cluster.reporting() || cluster.record.dead.is_some();
        if known || self.federation.freeze.is_some() {
            return Vec::new();
        }
        let held = |uid: &Uid| {
            let workload = self.workloads.get(uid)?;
            let policy = &self.policies.get(&workload.record.policy)?.policy;
            let seat = workload.seats.get(name).filter(|seat| seat.is_held())?;
            // What does not move for a loss (S32), or runs everywhere, has nothing to wait for.
            let pinned = workload.record.spec.is_pinned(&policy.placement);
            let moves = !pinned && !self.is_duplicated(&workload.record);
            let given_up = moves && is_gated(policy) && cluster.lost_for(policy.lost_after);
            given_up.then_some((*uid, seat.seat.may_run))
        };
        cluster.supervised.iter().filter_map(held).collect()
    }

    /// A workload is under another policy than before, or its policy is another: where it is lost already, it may wait for
    /// a lease now.
    pub(crate) fn await_gates(&mut self, uid: Uid) {
        let Some(workload) = self.workloads.get(&uid) else { return };
        let held = workload.seats.iter().filter(|(_, seat)| seat.is_held());
        let names: Vec<ClusterName> = held.map(|(name, _)| name.clone()).collect();
        for name in names {
            self.wake_at(self.now.time, Timer::Gate(name));
        }
    }

    /// Why so many replicas of a workload have no place: old copies may still run in these clusters.
    pub(crate) fn unfenced_because(
        &self,
        workload: &Workload,
        replicas: u32,
        clusters: &[ClusterName],
    ) -> Arc<str> {
        let (gated, others): (Vec<&ClusterName>, Vec<&ClusterName>) =
            clusters.iter().partition(|name| self.is_bounded_in_time(workload, name));
        let all: Vec<&ClusterName> = clusters.iter().collect();
        let mut reason = format!(
            "unfenced: up to {replicas} may still run in {}; they are replaced when it is back",
            listed(&all)
        );
        if let Some(cluster) = gated.first().and_then(|name| self.clusters.get(*name)) {
            let wait = self.wait_for(cluster).total().as_secs_f64();
            let _ = write!(reason, ", or {wait:.1} s after the lease of {} was last renewed", listed(&gated));
        }
        let gate = self.is_under_gate(workload);
        if let Some(first) = others.first().filter(|_| gate) {
            let _ = write!(
                reason,
                ", or after `godwit confirm-dead cluster {first}`: the pods of it there have no supervisor"
            );
        } else if let Some(first) = clusters.first() {
            let _ = write!(reason, ", or after `godwit confirm-dead cluster {first}`");
        }
        reason.push_str(" (S9)");
        reason.into()
    }

    /// What a cluster runs that ends by itself, and what does not although it should.
    pub(crate) fn gate_of_cluster(&self, cluster: &Cluster) -> Option<GateView> {
        if self.gated_policies == 0 {
            return None;
        }
        let name = &cluster.record.name;
        let gated = cluster.seats.iter().filter_map(|uid| self.workloads.get(uid));
        let gated = gated.filter(|workload| self.is_under_gate(workload));
        let seats = gated.filter_map(|workload| Some((workload.id().to_string(), workload.seats.get(name)?)));
        let sum = Sum::of(seats)?;
        let away = !cluster.reporting() && sum.pods > 0;
        let ends = away.then(|| self.wall_at(self.gate_ends(cluster)));
        Some(self.gate_view(sum, self.wait_for(cluster), ends))
    }

    /// The same of a workload, over all clusters.
    pub(crate) fn gate_of_workload(&self, workload: &Workload) -> Option<GateView> {
        if !self.is_under_gate(workload) {
            return None;
        }
        let seats = workload.seats.iter().map(|(name, seat)| (name.to_string(), seat));
        let waits = workload.seats.iter().filter(|(_, seat)| seat.is_held());
        let waits = waits.filter_map(|(name, _)| Some(self.wait_for(self.clusters.get(name)?)));
        let longest = waits.max_by_key(|wait| wait.total());
        let wait = longest.unwrap_or_else(|| Wait {
            grace: self.by_slowest_clock(longest_grace(workload)),
            ..self.least_wait()
        });
        Some(self.gate_view(Sum::of(seats).unwrap_or_default(), wait, None))
    }

    fn gate_view(&self, sum: Sum, wait: Wait, ends: Option<WallTime>) -> GateView {
        let Sum { pods, unsupervised } = sum;
        GateView { pods, lease: self.config.gate_lease, wait: wait.total(), ends, unsupervised }
    }

    fn is_under_gate(&self, workload: &Workload) -> bool {
        self.policies.get(&workload.record.policy).is_some_and(|policy| is_gated(&policy.policy))
    }

    fn wall_at(&self, time: Time) -> WallTime {
        let ahead = u64::try_from(time.since(self.now.time).as_millis()).unwrap_or(u64::MAX);
        WallTime(self.now.wall.0.saturating_add(ahead))
    }

    /// Whether the time at which a cluster's copies of a workload count as gone is known.
    pub(crate) fn is_bounded_in_time(&self, workload: &Workload, name: &ClusterName) -> bool {
        let held = workload.seats.get(name).is_some_and(|seat| seat.seat.supervised);
        held && self.is_under_gate(workload)
    }
}

impl Cluster {
    /// Whether the agent of this session may be granted a lease: it leads, the hub has seen what is there, and it knows of
    /// everything that was given up.
    fn is_granted(&self, session: SessionId) -> bool {
        let leads = |leader: &&crate::state::Leader| leader.session == session && leader.inventoried;
        let knows =
            |leader: &crate::state::Leader| self.grants_from.is_some_and(|least| leader.accepted >= least);
        self.leader.as_ref().filter(leads).is_some_and(knows)
    }

    /// Whether its leading agent puts supervisors into pods.
    pub(crate) fn supervises(&self) -> bool {
        let session = self.leader.as_ref().and_then(|leader| self.sessions.get(&leader.session));
        session.is_some_and(|session| session.supervises)
    }

    fn reflects(&self) -> Generation {
        self.leader.as_ref().map_or(Generation(0), |leader| leader.reflects)
    }
}

impl SeatState {
    /// Whether something may run there that ends when the lease does.
    pub(crate) fn is_held(&self) -> bool {
        self.seat.supervised && self.seat.may_run > 0
    }
}

/// Whether copies in a lost cluster count as gone when their lease has run out.
pub(crate) fn is_gated(policy: &Policy) -> bool {
    policy.placement.motion.fencing() == Some(Fencing::Gate)
}

/// Of all that may run somewhere: which revisions do is for the cluster to know.
fn longest_grace(workload: &Workload) -> Duration {
    let graces = workload.revisions.values().map(|revision| revision.spec.grace);
    graces.max().unwrap_or(workload.record.spec.grace)
}
