//! The mover: the one place where targets follow plans. Start, wait until ready, then shrink (S7, S20).

use std::collections::BTreeSet;

use godwit_common::{ClusterName, Uid};

use crate::contract::{Cause, DrainState, FreezeCause, Severity, WorkloadRecord};
use crate::hub::{Hub, Timer};
use crate::state::{Cluster, SeatState, Workload};

impl Hub {
    /// Lets every workload whose plan, reports or clusters changed take the steps that it may take. Everybody queues
    /// before anybody starts, so that the most urgent is the first (S7).
    pub(crate) fn move_replicas(&mut self) {
        let moving = std::mem::take(&mut self.moving);
        let mut clusters = BTreeSet::new();
        for uid in &moving {
            self.queue_starts(*uid, &mut clusters);
        }
        for name in clusters {
            self.start_waiting(&name);
        }
        for uid in moving {
            self.shrink(uid);
            self.look_at_migrations(uid);
            self.roll(uid);
        }
    }

    /// Queues a workload in every cluster where its target is below the plan; adds those clusters.
    fn queue_starts(&mut self, uid: Uid, clusters: &mut BTreeSet<ClusterName>) {
        let Some(workload) = self.workloads.get(&uid) else {
            return;
        };
        let rank = self.rank_of(&workload.record);
        for name in &workload.below {
            if let Some(cluster) = self.clusters.get_mut(name) {
                cluster.waiting.insert(rank);
                clusters.insert(name.clone());
            }
        }
    }

    /// Gives the free part of a cluster's pace to those that wait for it, the most urgent first (S7).
    pub(crate) fn start_waiting(&mut self, name: &ClusterName) {
        while let Some(cluster) = self.clusters.get(name) {
            let budget = self.pace(cluster).saturating_sub(cluster.starting);
            let Some(rank) = cluster.waiting.first().copied() else {
                return;
            };
            if budget == 0 || !cluster.reporting() {
                return;
            }
            let want = self.wants_to_start(rank.uid, name);
            let start = want.min(budget);
            if start == want
                && let Some(cluster) = self.clusters.get_mut(name)
            {
                cluster.waiting.remove(&rank);
            }
            if start > 0 {
                self.start(rank.uid, name, start);
            }
        }
    }

    /// How many more of a workload may start in a cluster now, but for the pace.
    fn wants_to_start(&self, uid: Uid, name: &ClusterName) -> u32 {
        let Some(workload) = self.workloads.get(&uid) else { return 0 };
        let Some(seat) = workload.seats.get(name).filter(|seat| self.may_move(seat)) else { return 0 };
        let missing = seat.seat.placed.saturating_sub(seat.seat.target);
        let missing = missing.saturating_sub(self.held(workload, name).starts);
        let bounded = self.is_at_most(&workload.record) || self.moves_at_once(&workload.record);
        let left = match bounded {
            true => Some(self.may_start(workload, name)),
            false => self.surge_left(workload),
        };
        left.map_or(missing, |left| missing.min(left))
    }

    fn start(&mut self, uid: Uid, name: &ClusterName, more: u32) {
        let until = self.now.time + self.config.start_window;
        let Some(seat) = self.workloads.get_mut(&uid).and_then(|workload| workload.seats.get_mut(name))
        else {
            return;
        };
        let target = seat.seat.target + more;
        seat.starting += more;
        seat.starting_until = until;
        if let Some(cluster) = self.clusters.get_mut(name) {
            cluster.starting += more;
        }
        self.wake_at(until, Timer::Pace(uid, name.clone()));
        self.choose_revision(uid, name);
        self.set_target(uid, name, target);
        self.starts_begin(uid, name);
    }

    /// How many starts may be on their way to a cluster at once (S7).
    fn pace(&self, cluster: &Cluster) -> u32 {
        let running = cluster.capacity.as_ref().map_or(0, |capacity| capacity.running_pods);
        let share = u64::from(running) * u64::from(self.config.pace_percent) / 100;
        u32::try_from(share).unwrap_or(u32::MAX).max(self.config.pace_least).max(1)
    }

    /// A report came: what is ready is on its way no longer.
    pub(crate) fn starts_progress(&mut self, uid: Uid, name: &ClusterName) {
        let Some(seat) = self.workloads.get(&uid).and_then(|workload| workload.seats.get(name)) else {
            return;
        };
        let left = seat.starting.min(seat.seat.target.saturating_sub(seat.ready()));
        self.set_starting(uid, name, left);
    }

    /// Starts that are not ready in time stop counting: never a silent rate of zero (S7).
    pub(crate) fn starts_expire(&mut self, uid: Uid, name: &ClusterName) {
        let seat = self.workloads.get(&uid).and_then(|workload| workload.seats.get(name));
        if seat.is_some_and(|seat| seat.starting > 0 && seat.starting_until <= self.now.time) {
            self.set_starting(uid, name, 0);
        }
    }

    fn set_starting(&mut self, uid: Uid, name: &ClusterName, left: u32) {
        let Some(seat) = self.workloads.get_mut(&uid).and_then(|workload| workload.seats.get_mut(name))
        else {
            return;
        };
        let done = seat.starting.saturating_sub(left);
        seat.starting = left;
        if done > 0 {
            if let Some(cluster) = self.clusters.get_mut(name) {
                cluster.starting = cluster.starting.saturating_sub(done);
            }
            self.start_waiting(name);
        }
    }

    /// Lowers targets towards the plan by the shrink rule: no step takes ready replicas, counted from connected
    /// clusters only, below what is wanted, less what the policy allows (S20, I4).
    fn shrink(&mut self, uid: Uid) {
        self.drop_needless_withdrawals(uid);
        let Some(workload) = self.workloads.get(&uid) else {
            return;
        };
        for name in workload.above.clone() {
            let Some(least) = self.least(uid, &name) else {
                // What could not be seen all along was not so all along.
                self.forget_could_shrink(uid, &name);
                self.drop_withdrawal(uid, &name);
                continue;
            };
            let seat = self.workloads.get(&uid).and_then(|workload| workload.seats.get(&name));
            let in_order = seat.is_some_and(|seat| self.leaves_in_order(&name, seat));
            let target = if in_order { self.steadily(uid, &name, least) } else { least };
            let target = self.gated(uid, &name, least, target);
            let told = self.workloads.get(&uid).and_then(|workload| workload.seats.get(&name));
            if told.is_some_and(|seat| target < seat.seat.target) && self.removal_allowed(uid, &name, target)
            {
                self.set_target(uid, &name, target);
                // Others may start now that waited for this.
                self.moving.insert(uid);
            }
        }
    }

    /// Down to what the target of a workload in a cluster may go now; none while the cluster cannot be told.
    fn least(&self, uid: Uid, name: &ClusterName) -> Option<u32> {
        let workload = self.workloads.get(&uid)?;
        let seat = workload.seats.get(name).filter(|seat| self.reporting(name) && self.may_move(seat))?;
        let drain = self.drain_of(name);
        let forced = drain.is_some_and(|drain| drain.force);
        // Above what is ready only unready copies go, and those may always go: a member deletes them first. Copies
        // here that were told to stop and then to stay may run on: they are spared as if they did. Those elsewhere
        // may not: they are no reason to stop any here; nor are those that are announced to stop there.
        let ready = seat.ready().min(seat.seat.target);
        let elsewhere = self.serving(workload).saturating_sub(workload.serving(name, seat));
        let spare = elsewhere.saturating_add(ready).saturating_sub(self.needed(workload, forced));
        // What has no place elsewhere stays, ready or not: it may get well, and has nowhere else to.
        let kept = if forced { 0 } else { self.without_place(workload, name) };
        // A drain that waits stops nothing but what is not wanted at all any more (S21).
        let waits =
            drain.is_some_and(|drain| matches!(drain.state, DrainState::Paused | DrainState::Overdue));
        let kept = if waits { workload.record.wanted } else { kept };
        let least =
            ready.saturating_sub(spare).max(seat.seat.target.min(seat.seat.placed.saturating_add(kept)));
        // Nor does a migration that is paused, which is one that stands still.
        let held = seat.seat.placed.saturating_add(self.held(workload, name).stops);
        let least = least.max(held.min(workload.record.wanted).min(seat.seat.target));
        Some(seat.seat.placed.max(least))
    }

    /// How many pending replicas of a workload copies in a cluster stand in for, and none anywhere else.
    fn without_place(&self, workload: &Workload, name: &ClusterName) -> u32 {
        let pending = workload.record.pending.saturating_sub(self.missing(workload));
        if pending == 0 {
            return 0;
        }
        let others = workload.above.iter().filter(|other| *other != name && self.reporting(other));
        let beyond = others.filter_map(|other| workload.seats.get(other));
        let beyond = beyond.map(|seat| seat.seat.target.saturating_sub(seat.seat.placed));
        pending.saturating_sub(beyond.fold(0, u32::saturating_add))
    }

    /// Below how many ready replicas no step may go (S20). What is `forced` does without all that has no place.
    fn needed(&self, workload: &Workload, forced: bool) -> u32 {
        let policy = self.policies.get(&workload.record.policy);
        let unavailable = match self.moves_at_once(&workload.record) {
            true => u32::MAX,
            false => policy.map_or(0, |policy| policy.policy.placement.motion.max_unavailable),
        };
        let missing = if forced { workload.record.pending } else { self.missing(workload) };
        workload.record.wanted.saturating_sub(missing).saturating_sub(unavailable)
    }

    /// How many of the pending replicas nobody stands in for: what `duplicate` wants of one cluster, no other makes up
    /// for; what was given up for a higher priority is missing until it has found another place; what a quota withholds
    /// is not to run (S16).
    fn missing(&self, workload: &Workload) -> u32 {
        let WorkloadRecord { pending, withheld, yielded, .. } = &workload.record;
        // What is whole in one cluster grows there or not at all (S32).
        let whole = self.stays_whole(&workload.record) && workload.placed() > 0;
        if whole || self.is_duplicated(&workload.record) {
            return *pending;
        }
        let given = yielded.values().fold(0, |sum: u32, given| sum.saturating_add(given.replicas));
        given.saturating_add(*withheld).min(*pending)
    }

    /// Ready replicas in connected clusters that were not told to stop.
    pub(crate) fn ready(&self, workload: &Workload) -> u32 {
        debug_assert_eq!(workload.sums.staying(), self.staying_in_all(workload), "{}", workload.id());
        workload.sums.staying()
    }

    /// The same, counted anew.
    fn staying_in_all(&self, workload: &Workload) -> u32 {
        let reporting = workload.seats.iter().filter(|(name, _)| self.reporting(name));
        reporting.map(|(_, seat)| seat.staying()).fold(0, u32::saturating_add)
    }

    /// Those of them that are not announced to stop, either.
    fn serving(&self, workload: &Workload) -> u32 {
        let announced = workload.withdrawals.keys().filter(|name| self.reporting(name));
        let announced = announced.filter_map(|name| Some((name, workload.seats.get(name)?)));
        let ends = announced.map(|(name, seat)| seat.staying() - workload.serving(name, seat));
        self.ready(workload).saturating_sub(ends.fold(0, u32::saturating_add))
    }

    pub(crate) fn reporting(&self, name: &ClusterName) -> bool {
        self.clusters.get(name).is_some_and(|cluster| cluster.reporting())
    }

    /// While frozen, only what an operator commanded moves (S6); in doubt about its own history, nothing does (S10).
    fn may_move(&self, seat: &SeatState) -> bool {
        match self.federation.freeze.as_ref().map(|freeze| freeze.cause) {
            None => true,
            Some(FreezeCause::MassLoss) => seat.seat.cause.is_some_and(|cause| self.is_commanded(cause)),
            Some(FreezeCause::NewerHistory | FreezeCause::Recovery) => false,
        }
    }

    /// The guard (S27): an operator's commands and recorded migrations may take a target to zero; anything else only
    /// so often.
    fn removal_allowed(&mut self, uid: Uid, name: &ClusterName, target: u32) -> bool {
        let Some(seat) = self.workloads.get_mut(&uid).and_then(|workload| workload.seats.get_mut(name))
        else {
            return false;
        };
        if target > 0 || seat.seat.cause.is_some() {
            return true;
        }
        if seat.held_back {
            return false;
        }
        let Some(cluster) = self.clusters.get_mut(name) else {
            return false;
        };
        let (now, window) = (self.now.time, self.config.removal_window);
        while cluster.removals.front().is_some_and(|at| now.since(*at) >= window) {
            cluster.removals.pop_front();
        }
        let limit = (cluster.seats.len() * self.config.removal_percent as usize / 100).max(1);
        if cluster.removals.len() < limit {
            cluster.removals.push_back(now);
            return true;
        }
        // That something is held back is said once; how much it is by now, the cluster's view shows.
        let first = cluster.tally.held_back == 0;
        seat.held_back = true;
        self.seat_observed(uid, name);
        if first {
            let message = format!(
                "more than {limit} workloads would be removed without an operator's word; the rest waits for \
                 `godwit confirm removal {name}`"
            );
            self.note(Severity::Warning, "S27", "RemovalHeldBack", name.as_str(), message);
        }
        false
    }

    /// An operator lets the removals of a cluster go on; returns how many were held back.
    pub(crate) fn release_removals(&mut self, name: &ClusterName, entry: u64) -> u32 {
        let Some(cluster) = self.clusters.get(name) else {
            return 0;
        };
        let held: Vec<Uid> = cluster.seats.iter().copied().filter(|uid| self.held_back(*uid, name)).collect();
        for uid in &held {
            let placed = self.workloads.get(uid).and_then(|workload| workload.seats.get(name));
            let placed = placed.map_or(0, |seat| seat.seat.placed);
            self.set_placed(*uid, name, placed, Cause::Command(entry));
            self.moving.insert(*uid);
        }
        u32::try_from(held.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn held_back(&self, uid: Uid, name: &ClusterName) -> bool {
        self.workloads
            .get(&uid)
            .and_then(|workload| workload.seats.get(name))
            .is_some_and(|seat| seat.held_back)
    }
}
