//! Preemption: a workload that finds no room gets it from lower priorities whose policies allow it, the lowest and
//! youngest first, never below their own minimums (S16).
//!
//! Nothing is over-committed by it (S15): replicas are given up first, and what they leave free is given when the cluster
//! reports it. Which nodes that will be is not known before, so that what was given up may not suffice: the next attempt
//! then waits, twice as long each time.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use godwit_common::{ClusterName, Resources, Uid, WorkloadId};
use godwit_planner::Scratch;

use crate::ask::{Ask, Outcome};
use crate::batch::Batch;
use crate::contract::{Cause, Key, MigrationCause, Move, Yield};
use crate::hub::{Hub, Timer};
use crate::placement::Reason;
use crate::state::{Rank, Workload};

/// How many workloads are looked at for one that needs room: the lowest and youngest suffice.
const VICTIMS_MAX: usize = 1_000;
/// The longest wait between two attempts for one workload.
const WAIT_MAX: Duration = Duration::from_secs(3600);

/// Replicas to be given up.
struct Gift {
    from: Uid,
    cluster: ClusterName,
    replicas: u32,
}

impl Hub {
    /// Who a workload is, as long as it waits for a place.
    pub(crate) fn waiting_for_room(&self, uid: Uid) -> Option<&WorkloadId> {
        let workload = self.workloads.get(&uid)?;
        (workload.record.pending > 0).then(|| workload.id())
    }

    /// Finds room for those that were planned without finding any, the most urgent first.
    pub(crate) fn preempt(&mut self) {
        for rank in std::mem::take(&mut self.roomless) {
            let waits = self.workloads.get(&rank.uid).is_some_and(|workload| {
                workload.record.pending > 0 && workload.preempts_at.is_none_or(|at| at <= self.now.time)
            });
            if waits && self.federation.freeze.is_none() {
                self.preempt_for(rank);
            }
        }
    }

    /// Another attempt may be due.
    pub(crate) fn preemption_due(&mut self, uid: Uid) {
        if let Some(workload) = self.workloads.get(&uid).filter(|workload| workload.record.pending > 0) {
            let rank = self.rank_of(&workload.record);
            self.roomless.insert(rank);
        }
    }

    fn preempt_for(&mut self, rank: Rank) {
        let victims = self.victims_of(rank);
        let Some(workload) = self.workloads.get(&rank.uid).filter(|_| !victims.is_empty()) else { return };
        let Some(policy) = self.policies.get(&workload.record.policy) else { return };
        let request = &workload.shape().requests;
        let more = self.room_of(&victims).into_iter().filter_map(|(name, freed)| {
            let fits = freed.fits(request).min(workload.record.pending.into());
            u32::try_from(fits).ok().filter(|fits| *fits > 0).map(|fits| (name, fits))
        });
        let more: BTreeMap<ClusterName, u32> = more.collect();
        if more.is_empty() {
            return;
        }
        // The planner itself says how many of them it would use, and where.
        let ask = Ask::of(workload, &policy.policy);
        let outcome = Batch::with_room(self, &more).ask(&ask, 0, &mut Scratch::default());
        let mut gifts = Vec::new();
        for count in outcome.counts.iter().filter(|count| count.after > count.before) {
            gifts.extend(self.gifts(&victims, &count.cluster, request, count.after - count.before));
        }
        if gifts.is_empty() {
            return;
        }
        self.give_way(rank.uid, &gifts);
        if self.supposing {
            self.take_over_room(rank.uid, &gifts, outcome);
        }
    }

    /// Who may have to give way to a rank: the lowest priority first, the youngest first.
    fn victims_of(&self, rank: Rank) -> Vec<Uid> {
        let Reverse(priority) = rank.priority;
        let lower = self.policies.values().filter(|policy| {
            let placement = &policy.policy.placement;
            placement.preemptible && placement.priority < priority
        });
        let users = lower.flat_map(|policy| policy.users.iter()).filter_map(|uid| self.workloads.get(uid));
        let mut ranks: Vec<Rank> =
            users.filter(|one| !self.is_settled(&one.record)).map(|one| self.rank_of(&one.record)).collect();
        ranks.sort_unstable_by(|a, b| b.cmp(a));
        ranks.truncate(VICTIMS_MAX);
        ranks.into_iter().map(|rank| rank.uid).collect()
    }

    /// What victims could leave free, by cluster.
    fn room_of(&self, victims: &[Uid]) -> BTreeMap<ClusterName, Resources> {
        let mut room: BTreeMap<ClusterName, Resources> = BTreeMap::new();
        for workload in victims.iter().filter_map(|uid| self.workloads.get(uid)) {
            for name in workload.seats.keys() {
                let replicas = self.dispensable(workload, name);
                if replicas > 0 {
                    room.entry(name.clone()).or_default().add(&workload.shape().requests, replicas.into());
                }
            }
        }
        room
    }

    /// How many replicas a workload can give up in a cluster: down to its minimum, where its agent listens.
    fn dispensable(&self, workload: &Workload, name: &ClusterName) -> u32 {
        let placed = workload.seats.get(name).map_or(0, |seat| seat.seat.placed);
        let policy = self.policies.get(&workload.record.policy);
        let rule = policy.and_then(|policy| self.rule_of(&policy.policy, name));
        match self.reporting(name) {
            true => placed.saturating_sub(rule.map_or(0, |rule| rule.min())),
            false => 0,
        }
    }

    /// What is to be given up in a cluster so that so many of a request fit there; nothing if not even one does.
    fn gifts(&self, victims: &[Uid], name: &ClusterName, request: &Resources, gained: u32) -> Vec<Gift> {
        let (mut freed, mut gifts) = (Resources::default(), Vec::new());
        for workload in victims.iter().filter_map(|uid| self.workloads.get(uid)) {
            if freed.fits(request) >= u64::from(gained) {
                break;
            }
            let each = &workload.shape().requests;
            let needed = missing(&freed, request, gained, each);
            let replicas = needed.min(self.dispensable(workload, name).into());
            if replicas > 0 {
                freed.add(each, replicas);
                let (from, cluster) = (workload.record.uid, name.clone());
                // No more than are dispensable, so it fits.
                gifts.push(Gift { from, cluster, replicas: replicas as u32 });
            }
        }
        if freed.fits(request) == 0 { Vec::new() } else { gifts }
    }

    /// Replicas are given up; those that gave them look for other places.
    fn give_way(&mut self, to: Uid, gifts: &[Gift]) {
        let Some(by) = self.workloads.get(&to).map(|workload| workload.id().clone()) else { return };
        let moved = |gift: &Gift| {
            let id = self.workloads.get(&gift.from)?.id().clone();
            let (workload, from, to) = (gift.from, Some(gift.cluster.clone()), None);
            Some(Move { workload, id, from, to, replicas: gift.replicas })
        };
        let moves: Vec<Move> = gifts.iter().filter_map(moved).collect();
        let migration = self.open_migration(MigrationCause::Preempted(by.clone()), moves);
        for Gift { from, cluster, replicas } in gifts {
            let (from, replicas) = (*from, *replicas);
            let Some(workload) = self.workloads.get_mut(&from) else { continue };
            let placed = workload.seats.get(cluster).map_or(0, |seat| seat.seat.placed);
            let given = workload.record.yielded.entry(cluster.clone()).or_insert(Yield { to, replicas: 0 });
            *given = Yield { to, replicas: given.replicas.saturating_add(replicas) };
            let record = &workload.record;
            let (wanted, pending) = (record.wanted, record.pending.saturating_add(replicas));
            let reasons = vec![format!("{cluster}: it gave way to {by}").into()];
            self.touched.keys.insert(Key::Workload(from));
            let cause = Cause::Migration(migration);
            self.set_placed(from, cluster, placed.saturating_sub(replicas), cause);
            self.set_pending(from, wanted, pending, reasons);
            self.moving.insert(from);
            self.dirty.insert(from, Reason::Preempted(by.clone()));
            if let Some(waiting) = self.workloads.get_mut(&to) {
                waiting.preempting.insert(from);
            }
        }
        self.say_who_gives_way(to, gifts);
        self.next_attempt(to);
    }

    /// Who waits says for what.
    fn say_who_gives_way(&mut self, to: Uid, gifts: &[Gift]) {
        let mut given: BTreeMap<&ClusterName, u64> = BTreeMap::new();
        for gift in gifts {
            *given.entry(&gift.cluster).or_default() += u64::from(gift.replicas);
        }
        let Some(workload) = self.workloads.get(&to) else { return };
        let (wanted, pending) = (workload.record.wanted, workload.record.pending);
        let mut reasons = workload.record.pending_reasons.clone();
        let said =
            |(name, replicas)| format!("{name}: {replicas} of lower priority give way to it (S16)").into();
        reasons.extend(given.into_iter().map(said));
        self.set_pending(to, wanted, pending, reasons);
    }

    /// On a copy on which something is supposed: what gave way has stopped, and who asked for it has started.
    fn take_over_room(&mut self, uid: Uid, gifts: &[Gift], outcome: Outcome) {
        for gift in gifts {
            let seat = self.workloads.get(&gift.from).and_then(|workload| workload.seats.get(&gift.cluster));
            let placed = seat.map_or(0, |seat| seat.seat.placed);
            self.set_target(gift.from, &gift.cluster, placed);
        }
        let cause = Cause::Command(self.federation.next_entry);
        for count in &outcome.counts {
            self.ensure_seat(uid, &count.cluster, None);
            self.set_placed(uid, &count.cluster, count.after, cause);
        }
        self.set_pending(uid, outcome.wanted, outcome.pending, outcome.reasons);
    }

    fn next_attempt(&mut self, uid: Uid) {
        let (now, first) = (self.now.time, self.config.start_window);
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        let wait = first.saturating_mul(1 << workload.preemptions.min(12)).min(WAIT_MAX);
        workload.preemptions = workload.preemptions.saturating_add(1);
        workload.preempts_at = Some(now + wait);
        self.wake_at(now + wait, Timer::Preemption(uid));
    }

    /// A workload waits no longer: who gave way to it may grow again where it did.
    pub(crate) fn end_preemption(&mut self, uid: Uid) {
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        workload.preemptions = 0;
        workload.preempts_at = None;
        let gave_way = std::mem::take(&mut workload.preempting);
        self.forget_yields(uid, gave_way);
    }

    /// The same, of a workload that may be gone.
    pub(crate) fn forget_yields(&mut self, to: Uid, gave_way: impl IntoIterator<Item = Uid>) {
        for other in gave_way {
            let Some(workload) = self.workloads.get_mut(&other) else { continue };
            let (ended, left): (BTreeMap<_, _>, BTreeMap<_, _>) =
                std::mem::take(&mut workload.record.yielded)
                    .into_iter()
                    .partition(|(_, given)| given.to == to);
            workload.record.yielded = left;
            self.touched.keys.insert(Key::Workload(other));
            self.roomier.extend(ended.into_keys());
        }
    }
}

/// How many replicas of `each` have to go, beside what is freed, before so many of a request fit; zero if they are no
/// help.
fn missing(freed: &Resources, request: &Resources, gained: u32, each: &Resources) -> u64 {
    let lack = |asked: u64, free: u64| asked.saturating_mul(gained.into()).saturating_sub(free);
    let standard = [
        (lack(request.cpu_millis, freed.cpu_millis), each.cpu_millis),
        (lack(request.memory_bytes, freed.memory_bytes), each.memory_bytes),
        (lack(request.ephemeral_bytes, freed.ephemeral_bytes), each.ephemeral_bytes),
        (lack(request.pods, freed.pods), each.pods),
    ];
    let extended = request.extended.iter();
    let extended = extended.map(|(name, asked)| (lack(*asked, freed.extended(name)), each.extended(name)));
    let useful = standard.into_iter().chain(extended).filter(|(lack, each)| *lack > 0 && *each > 0);
    useful.map(|(lack, each)| lack.div_ceil(each)).max().unwrap_or(0)
}
