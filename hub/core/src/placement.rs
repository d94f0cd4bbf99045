//! Placement: asks the planner where replicas go, and turns its answer into the plan of each seat (S14-S16, S18, S19).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use godwit_common::policy::{Rebalance, Strategy};
use godwit_common::{ClusterName, PodShape, PolicyName, Uid, WorkloadId};
use godwit_planner::{ClusterRoom, Scratch};

use crate::ask::{Ask, Count, Outcome};
use crate::batch::{Batch, room_left};
use crate::contract::{
    Cause, ClusterState, Key, MigrationCause, Move, Policy, Subject, WorkloadRecord, WorkloadSpec,
};
use crate::hub::{Hub, Timer};
use crate::state::{Cluster, Rank, SeatState};

/// How long a gradual rebalance rests between two steps (S18).
const GRADUAL_PAUSE: Duration = Duration::from_secs(60);

/// Why a workload is planned anew.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// An operator's command, by its entry in the journal.
    Command(u64),
    /// A cluster was lost (S1).
    Lost(ClusterName),
    /// A cluster can take more than before (S14).
    Room(ClusterName),
    /// A policy was changed (S18).
    Policy(PolicyName, u64),
    /// A policy moves replicas towards its own division (S18).
    Rebalance(PolicyName),
    /// The same, by a command, whose entry in the journal this is.
    Balance(PolicyName, u64),
    /// A cluster was deleted (S23).
    Deleted(ClusterName, u64),
    /// A cluster's labels or taints changed by a command, whose entry in the journal this is, or a toleration of its taints
    /// ran out (S18).
    Cluster(ClusterName, Option<u64>),
    /// A cluster is drained by a command, whose entry in the journal this is (S20).
    Drain(ClusterName, u64),
    /// A cluster has returned, and its copies are to stay (S12).
    Returned(ClusterName),
    /// Replicas go back to a cluster (S13).
    FailedBack(ClusterName),
    /// A namespace's quota may let more be placed (S16).
    Quota(Arc<str>),
    /// Another workload was planned elsewhere.
    Affinity(WorkloadId),
    /// It gave way to a higher priority (S16).
    Preempted(WorkloadId),
    /// Replicas did not get ready in a cluster (S3).
    Unready(ClusterName),
    /// A cluster could not schedule replicas (S17).
    Unschedulable(ClusterName),
    /// A migration with this cause was cancelled by a command, whose entry in the journal this is: what was given back may
    /// not be where it is now.
    Cancelled(MigrationCause, u64),
    /// What a cluster may still have run of it is accounted for (S9).
    Fenced(ClusterName),
}

/// What planning changes for one workload.
struct Change {
    uid: Uid,
    outcome: Outcome,
    moves: Vec<Move>,
    /// A gradual rebalance is under way: when this is done, the next step has its time.
    next_step: bool,
    /// It was a step back, and there may be another.
    step_back: bool,
}

impl Hub {
    /// Plans every dirty workload, all against one ledger of room (S15), the most urgent first (S16).
    pub(crate) fn plan_dirty(&mut self) {
        let dirty = std::mem::take(&mut self.dirty);
        for (reason, changes) in self.plan_all(dirty) {
            self.apply(reason, changes);
        }
    }

    fn plan_all(&mut self, dirty: BTreeMap<Uid, Reason>) -> BTreeMap<Reason, Vec<Change>> {
        let mut changes: BTreeMap<Reason, Vec<Change>> = BTreeMap::new();
        if dirty.is_empty() {
            return changes;
        }
        let mut order: Vec<(Rank, Reason)> = dirty
            .into_iter()
            .filter_map(|(uid, reason)| Some((self.rank_of(&self.workloads.get(&uid)?.record), reason)))
            .collect();
        order.sort();
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut batch = Batch::new(self);
        for (rank, reason) in order {
            if let Some(change) = plan_one(&mut batch, rank.uid, &reason, &mut scratch) {
                changes.entry(reason).or_default().push(change);
            }
        }
        self.scratch = scratch;
        changes
    }

    /// Makes the plans the ones in force. Whatever takes replicas from one place to another is a migration.
    fn apply(&mut self, reason: Reason, changes: Vec<Change>) {
        let moves: Vec<Move> = changes.iter().flat_map(|change| change.moves.iter().cloned()).collect();
        let balanced = matches!(reason, Reason::Balance(..));
        let cause = self.cause_of(reason.clone(), moves);
        for Change { uid, outcome, next_step, step_back, .. } in changes {
            if let Some(before) = &mut self.before
                && !outcome.report.is_empty()
            {
                before.reports.insert(uid, outcome.report);
            }
            if next_step {
                self.next_step_of_balance(uid);
            }
            for count in outcome.counts.iter().filter(|count| count.before != count.after) {
                // Where nothing was ahead of need, it comes with the first replica (S33).
                self.ensure_seat(uid, &count.cluster, None);
                self.set_placed(uid, &count.cluster, count.after, cause);
            }
            self.give_ordinals(uid);
            self.displace(uid, &outcome.counts);
            if balanced {
                self.forget_displaced(uid);
            }
            if step_back {
                self.next_step_back(uid);
            }
            match outcome.cramped {
                true => self.cramped.insert(uid),
                false => self.cramped.remove(&uid),
            };
            match outcome.unheard {
                true => self.unheard.insert(uid),
                false => self.unheard.remove(&uid),
            };
            self.set_withheld(uid, outcome.withheld);
            self.set_pending(uid, outcome.wanted, outcome.pending, outcome.reasons);
            self.bonds_changed(uid, &outcome.counts);
            if outcome.unfinished {
                self.dirty.entry(uid).or_insert_with(|| reason.clone());
            }
            if outcome.roomless
                && let Some(workload) = self.workloads.get(&uid)
            {
                self.roomless.insert(self.rank_of(&workload.record));
            }
            self.moving.insert(uid);
        }
    }

    fn cause_of(&mut self, reason: Reason, moves: Vec<Move>) -> Cause {
        // A command that only adds or only takes away is its own record.
        let relocates = moves.iter().any(|moved| moved.from.is_some() && moved.to.is_some());
        let migration = match reason {
            Reason::Command(entry) if !relocates => return Cause::Command(entry),
            Reason::Command(_) => {
                let policy = moves.first().and_then(|moved| self.workloads.get(&moved.workload));
                let policy = policy.map(|workload| workload.record.policy.clone());
                policy.map(MigrationCause::PolicyChanged)
            }
            Reason::Policy(_, entry) if !relocates => return Cause::Command(entry),
            Reason::Policy(name, _) => Some(MigrationCause::PolicyChanged(name)),
            Reason::Rebalance(name) => Some(MigrationCause::Rebalance(name)),
            Reason::Balance(_, entry) if moves.is_empty() => return Cause::Command(entry),
            Reason::Balance(name, _) => Some(MigrationCause::Rebalance(name)),
            Reason::Lost(name) => Some(MigrationCause::ClusterLost(name)),
            Reason::Room(name) => Some(MigrationCause::RoomAppeared(name)),
            Reason::Deleted(_, entry) if moves.is_empty() => return Cause::Command(entry),
            Reason::Deleted(name, _) => Some(MigrationCause::ClusterDeleted(name)),
            Reason::Cluster(_, Some(entry)) if !relocates => return Cause::Command(entry),
            Reason::Cluster(name, _) => Some(MigrationCause::ClusterChanged(name)),
            Reason::Drain(_, entry) if moves.is_empty() => return Cause::Command(entry),
            Reason::Drain(name, _) => Some(MigrationCause::Drained(name)),
            Reason::Returned(name) => Some(MigrationCause::Returned(name)),
            Reason::FailedBack(name) => Some(MigrationCause::FailedBack(name)),
            Reason::Quota(namespace) => Some(MigrationCause::QuotaFreed(namespace)),
            Reason::Affinity(other) => Some(MigrationCause::Affinity(other)),
            Reason::Preempted(by) => Some(MigrationCause::Preempted(by)),
            Reason::Unready(name) => Some(MigrationCause::Unready(name)),
            Reason::Unschedulable(name) => Some(MigrationCause::Unschedulable(name)),
            Reason::Cancelled(_, entry) if !relocates => return Cause::Command(entry),
            Reason::Cancelled(cause, _) => Some(cause),
            Reason::Fenced(name) => Some(MigrationCause::Fenced(name)),
        };
        match migration {
            Some(cause) if !moves.is_empty() => Cause::Migration(self.open_migration(cause, moves)),
            // Nothing moves: no seat changes, so nobody will ever look at this cause.
            Some(_) | None => Cause::Command(self.federation.next_entry),
        }
    }

    fn set_withheld(&mut self, uid: Uid, withheld: u32) {
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        if std::mem::replace(&mut workload.record.withheld, withheld) != withheld {
            self.touched.keys.insert(Key::Workload(uid));
        }
    }

    pub(crate) fn set_pending(&mut self, uid: Uid, wanted: u32, pending: u32, reasons: Vec<Arc<str>>) {
        let Some(workload) = self.workloads.get(&uid) else {
            return;
        };
        if let Some(before) = &mut self.before {
            before.note(workload);
        }
        let rank = self.rank_of(&workload.record);
        match pending {
            0 => {
                self.pending.remove(&rank);
                self.end_preemption(uid);
            }
            _ => {
                self.pending.insert(rank);
            }
        }
        let Some(workload) = self.workloads.get_mut(&uid) else {
            return;
        };
        let wanted_before = workload.record.wanted;
        let record = &mut workload.record;
        if (record.wanted, record.pending, &record.pending_reasons) != (wanted, pending, &reasons) {
            (record.wanted, record.pending, record.pending_reasons) = (wanted, pending, reasons);
            self.touched.keys.insert(Key::Workload(uid));
            self.touched.subjects.insert(Subject::Workload(uid));
        }
        self.shrink_displaced(uid, wanted_before, wanted);
    }

    /// A cluster may be able to take more than before: pending replicas come first, then those that go back, then policies
    /// that rebalance.
    pub(crate) fn growth_possible(&mut self, name: &ClusterName) {
        let Some(cluster) = self.clusters.get(name).filter(|cluster| cluster.reporting()) else {
            return;
        };
        if !self.pending.is_empty() {
            let room = room_left(self, cluster);
            let mut fitting = BTreeMap::new();
            let takes = |rank: &&Rank| self.takes_more(rank.uid, name, &room, &mut fitting);
            let uids: Vec<Uid> = self.pending.iter().filter(takes).map(|rank| rank.uid).collect();
            for uid in uids {
                self.dirty.entry(uid).or_insert_with(|| Reason::Room(name.clone()));
            }
        }
        self.ways_back_open(name);
        for uid in self.cramped.iter().copied().collect::<Vec<_>>() {
            let Some(workload) = self.workloads.get(&uid) else { continue };
            let Some(policy) = self.policies.get(&workload.record.policy).map(|policy| &policy.policy) else {
                continue;
            };
            let chosen = self.chooses(policy, name);
            match policy.placement.rebalance {
                Rebalance::Always if chosen => {
                    self.dirty.entry(uid).or_insert_with(|| Reason::Rebalance(policy.name.clone()));
                }
                Rebalance::Gradual if chosen && workload.rebalance_at.is_none() => {
                    self.next_step_of_balance(uid);
                }
                Rebalance::Never | Rebalance::Gradual | Rebalance::Always => {}
            }
        }
    }

    /// A cluster was the last that was not heard: of what was planned meanwhile and has no room there either, it would be
    /// said for as long as it waits that this cluster is awaited. All at once and not with each cluster, so that the return
    /// of many costs one plan for each workload.
    pub(crate) fn all_are_heard(&mut self, name: &ClusterName) {
        if self.unheard.is_empty() || self.clusters.values().any(|cluster| self.is_awaited(cluster)) {
            return;
        }
        for uid in std::mem::take(&mut *self.unheard) {
            self.dirty.entry(uid).or_insert_with(|| Reason::Room(name.clone()));
        }
    }

    /// Whether a cluster is about to be heard, or to be given up. The inventory of one whose API server is away may be long
    /// in coming, and that is said of it.
    fn is_awaited(&self, cluster: &Cluster) -> bool {
        match cluster.health.state {
            ClusterState::Ready => !cluster.reporting() && !self.degraded(cluster),
            ClusterState::Unknown
            | ClusterState::Joining
            | ClusterState::Returning
            | ClusterState::Suspect => true,
            ClusterState::Lost => false,
        }
    }

    /// Whether a cluster could take a pending replica. Many workloads have pods of one shape: each is tried once.
    pub(crate) fn takes_more<'a>(
        &'a self,
        uid: Uid,
        name: &ClusterName,
        room: &ClusterRoom,
        fitting: &mut BTreeMap<&'a PodShape, bool>,
    ) -> bool {
        let Some(workload) = self.workloads.get(&uid) else {
            return false;
        };
        let seat = workload.seats.get(name);
        let (placed, occupied) = seat.map_or((0, 0), |seat| (seat.seat.placed, seat.occupied()));
        if seat.and_then(SeatState::lowered).is_some_and(|lowered| lowered.most <= placed) {
            return false;
        }
        let policy = self.policies.get(&workload.record.policy);
        let rule = policy.and_then(|policy| self.rule_of(&policy.policy, name));
        let below_max = rule.is_some_and(|rule| rule.max().is_none_or(|max| max > placed));
        if !below_max && !self.stays_whole(&workload.record) {
            return false;
        }
        let shape = workload.shape();
        occupied > placed || *fitting.entry(shape).or_insert_with(|| room.fits(shape, 1).replicas > 0)
    }

    /// Whether each chosen cluster runs the full number of a workload: then none makes up for another.
    pub(crate) fn is_duplicated(&self, record: &WorkloadRecord) -> bool {
        self.would_duplicate(&record.spec, &record.policy)
    }

    /// The same of a workload under a policy.
    pub(crate) fn would_duplicate(&self, spec: &WorkloadSpec, policy: &PolicyName) -> bool {
        let policy = self.policies.get(policy).map(|policy| &policy.policy.placement);
        policy.is_some_and(|policy| policy.strategy == Strategy::Duplicate && !spec.is_whole(policy))
    }

    /// Whether all of a workload is in one cluster (S32, S33).
    pub(crate) fn stays_whole(&self, record: &WorkloadRecord) -> bool {
        let policy = self.policies.get(&record.policy);
        policy.is_some_and(|policy| record.spec.is_whole(&policy.policy.placement))
    }

    /// Whether a workload leaves a cluster only when that one is to hold nothing any more (S32).
    pub(crate) fn is_settled(&self, record: &WorkloadRecord) -> bool {
        let policy = self.policies.get(&record.policy);
        policy.is_some_and(|policy| record.spec.is_settled(&policy.policy.placement))
    }

    /// The workloads of which a cluster runs the full number: more is wanted when it comes, and less when it goes.
    pub(crate) fn run_in_every(&self, name: &ClusterName) -> Vec<Uid> {
        let chosen = self.policies.values().filter(|policy| {
            let placement = &policy.policy.placement;
            placement.strategy == Strategy::Duplicate && self.chooses(&policy.policy, name)
        });
        chosen.flat_map(|policy| policy.users.iter().copied()).collect()
    }

    fn next_step_of_balance(&mut self, uid: Uid) {
        let at = self.now.time + GRADUAL_PAUSE;
        if let Some(workload) = self.workloads.get_mut(&uid) {
            workload.rebalance_at = Some(at);
            self.wake_at(at, Timer::Rebalance(uid));
        }
    }

    /// The time for the next step of a gradual rebalance has come. It waits for the last one to be done.
    pub(crate) fn rebalance_due(&mut self, uid: Uid) {
        let now = self.now.time;
        let Some(workload) = self.workloads.get_mut(&uid) else {
            return;
        };
        if workload.rebalance_at.is_none_or(|at| at > now) {
            return;
        }
        let settled = workload.migrations.is_empty();
        let policy = workload.record.policy.clone();
        if settled && self.federation.freeze.is_none() {
            workload.rebalance_at = None;
            self.dirty.entry(uid).or_insert(Reason::Rebalance(policy));
        } else {
            self.next_step_of_balance(uid);
        }
    }
}

fn plan_one(batch: &mut Batch<'_>, uid: Uid, reason: &Reason, scratch: &mut Scratch) -> Option<Change> {
    let hub = batch.hub;
    let workload = hub.workloads.get(&uid)?;
    let policy = &hub.policies.get(&workload.record.policy)?.policy;
    let step_due = matches!(reason, Reason::Rebalance(_));
    let moves = moves_for_balance(policy, workload.record.spec.replicas, reason);
    // What was commanded is told of, whatever else has become of it since.
    let told = || hub.before.as_ref().is_some_and(|before| before.reports.contains_key(&uid));
    let report = matches!(reason, Reason::Command(_)) || told();
    let back = hub.back(workload, reason);
    let outcome = batch.ask(&Ask { report, back, ..Ask::of(workload, policy) }, moves, scratch);
    let moves = moves_of(uid, workload, &outcome, reason);
    let gradual = policy.placement.rebalance == Rebalance::Gradual;
    let next_step = gradual && (!moves.is_empty() || !step_due);
    let step_back = matches!(reason, Reason::FailedBack(_)) && !moves.is_empty();
    Some(Change { uid, outcome, moves, next_step, step_back })
}

/// How many replicas may move for balance alone. A step of a gradual rebalance has its own time; whatever else happens
/// moves nothing for balance. An operator's word moves all; another one moves nothing.
fn moves_for_balance(policy: &Policy, wanted: u32, reason: &Reason) -> u32 {
    match (policy.placement.rebalance, reason) {
        (_, Reason::Balance(..)) => u32::MAX,
        (_, Reason::Cancelled(..)) => 0,
        (rebalance, Reason::Rebalance(_)) => rebalance.moves(wanted),
        (Rebalance::Gradual, _) => 0,
        (rebalance, _) => rebalance.moves(wanted),
    }
}

/// Pairs what clusters give with what clusters get, in order of name; what has no partner came from, or becomes,
/// pending. A change of the total is no move.
fn moves_of(uid: Uid, workload: &crate::state::Workload, outcome: &Outcome, reason: &Reason) -> Vec<Move> {
    let (mut given, mut taken) = (Vec::new(), Vec::new());
    for Count { cluster, before, after } in &outcome.counts {
        if before > after {
            given.push((Some(cluster.clone()), before - after));
        } else if before < after {
            taken.push((Some(cluster.clone()), after - before));
        }
    }
    let pending = match reason {
        // The cluster itself may be what more is wanted for (`duplicate`): that was waiting for it.
        Reason::Room(_) => outcome.wanted.saturating_sub(workload.placed()),
        Reason::Command(_)
        | Reason::Lost(_)
        | Reason::Policy(..)
        | Reason::Rebalance(_)
        | Reason::Balance(..)
        | Reason::Cluster(..)
        | Reason::Drain(..)
        | Reason::Returned(_)
        | Reason::FailedBack(_)
        | Reason::Quota(_)
        | Reason::Affinity(_)
        | Reason::Preempted(_)
        | Reason::Unready(_)
        | Reason::Unschedulable(_)
        | Reason::Cancelled(..)
        | Reason::Fenced(_)
        | Reason::Deleted(..) => workload.record.pending,
    };
    if outcome.pending > pending {
        taken.push((None, outcome.pending - pending));
    } else if outcome.pending < pending {
        given.push((None, pending - outcome.pending));
    }
    let mut moves = Vec::new();
    let (mut given, mut taken) = (given.into_iter(), taken.into_iter());
    let (mut source, mut target) = (given.next(), taken.next());
    while let (Some((from, left)), Some((to, wanted))) = (&mut source, &mut target) {
        let replicas = (*left).min(*wanted);
        let id = workload.id().clone();
        if from.is_some() || to.is_some() {
            moves.push(Move { workload: uid, id, from: from.clone(), to: to.clone(), replicas });
        }
        (*left, *wanted) = (*left - replicas, *wanted - replicas);
        if *left == 0 {
            source = given.next();
        }
        if target.as_ref().is_some_and(|(_, wanted)| *wanted == 0) {
            target = taken.next();
        }
    }
    moves
}
