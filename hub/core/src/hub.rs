//! The machine: its state, and the one door through which everything happens. This file only dispatches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::link::Down;
use godwit_common::rng::Rng;
use godwit_common::{ClusterName, Now, ObjectKey, PolicyName, Time, Uid, WorkloadId};
use godwit_planner::Scratch;

use crate::changes::Before;
use crate::commands::Arrivals;
use crate::config::Config;
use crate::contract::{
    Effect, Event, FederationRecord, IssuerRecord, JournalEntry, MigrationId, Request, RetiredRecord,
    Revocation, RevocationRecord, Roles, SessionId, Subject, TokenHash, TokenRecord, WorkloadRecord,
};
use crate::flapping::Census;
use crate::mass_loss::MassLoss;
use crate::migrations::MigrationEntry;
use crate::placement::Reason;
use crate::quotas::QuotaState;
use crate::recovery::Recalls;
use crate::rows::Touched;
use crate::shared::Shared;
use crate::state::{Cluster, Object, PolicyState, Rank, Workload};

/// The federation's state machine: everything that the hub decides.
///
/// The contract: [`Hub::step`] never blocks and never fails; bad input is an event too, and yields a refusal. The same
/// records, seed and events give the same effects, byte for byte. Effects are to be carried out in their order, and
/// nothing is spoken before what was put before it is durable.
///
/// A copy costs little: the two share what neither of them has changed since.
#[derive(Debug, Clone)]
pub struct Hub {
    pub(crate) config: Config,
    pub(crate) rng: Rng,
    /// The time of the running step.
    pub(crate) now: Now,
    /// How many events this machine has taken in since it started (S30).
    pub(crate) events: u64,
    /// Whose command was carried out last: the journal names them with it.
    pub(crate) operator: Arc<str>,
    /// The durable record of the federation; its `freeze` gates moves (S6, S10).
    pub(crate) federation: FederationRecord,
    pub(crate) policies: BTreeMap<PolicyName, Shared<PolicyState>>,
    pub(crate) workloads: Shared<BTreeMap<Uid, Shared<Workload>>>,
    pub(crate) ids: Shared<BTreeMap<WorkloadId, Uid>>,
    pub(crate) objects: Shared<BTreeMap<Uid, Shared<Object>>>,
    pub(crate) object_keys: Shared<BTreeMap<ObjectKey, Uid>>,
    pub(crate) ended: Shared<BTreeMap<Uid, crate::contract::Ended>>,
    /// Of the ended lives, where each is said to be gone, and until when it may come back (S28).
    pub(crate) buried: BTreeMap<Uid, BTreeMap<ClusterName, Time>>,
    pub(crate) clusters: Shared<BTreeMap<ClusterName, Shared<Cluster>>>,
    /// Those that some policy counts as lost: few, or none.
    pub(crate) lost: BTreeSet<ClusterName>,
    /// Clusters that have left for good, by their identity (S23).
    pub(crate) retired: Shared<BTreeMap<Uid, RetiredRecord>>,
    /// Join tokens.
    pub(crate) tokens: Shared<BTreeMap<TokenHash, TokenRecord>>,
    /// Who is kept out.
    pub(crate) revocations: Shared<BTreeMap<Revocation, RevocationRecord>>,
    /// Who may do what.
    pub(crate) roles: Arc<Roles>,
    /// Who signs for the pods of clusters.
    pub(crate) issuers: Arc<BTreeMap<ClusterName, IssuerRecord>>,
    /// Of those, how many agents came in of late.
    pub(crate) arrivals: BTreeMap<ClusterName, Arrivals>,
    /// Which cluster a session speaks for.
    pub(crate) sessions: Shared<BTreeMap<SessionId, ClusterName>>,
    pub(crate) migrations: Shared<BTreeMap<MigrationId, Shared<MigrationEntry>>>,
    /// The entries of this step only: the store keeps the journal, the machine has no use for it.
    pub(crate) journal: BTreeMap<u64, JournalEntry>,
    pub(crate) requests: Shared<BTreeMap<Arc<str>, Request>>,
    /// By namespace (S16).
    pub(crate) quotas: BTreeMap<Arc<str>, QuotaState>,
    /// Namespaces whose quota may let more be placed than before.
    pub(crate) unquotaed: BTreeSet<Arc<str>>,
    /// The workloads that a loss or a drain took something of from a cluster, by cluster (S12, S13).
    pub(crate) displaced: Shared<BTreeMap<ClusterName, BTreeSet<Uid>>>,
    /// Who shares the clusters of a workload.
    pub(crate) followers: Shared<BTreeMap<WorkloadId, BTreeSet<Uid>>>,
    /// How many policies look at other workloads: most federations have none, and pay nothing for it.
    pub(crate) bonded_policies: usize,
    /// The same of the fence `gate` (S9).
    pub(crate) gated_policies: usize,
    /// Those by which replicas go back to where a loss or a drain took them from (S13).
    pub(crate) returning_policies: usize,
    /// Workloads with pending replicas, in the order in which room is given to them (S14, S16).
    pub(crate) pending: Shared<BTreeSet<Rank>>,
    /// Workloads under policies that rebalance which may lack the policy's own division for want of room, or of a
    /// cluster: they are planned when a cluster can take more (S18).
    pub(crate) cramped: Shared<BTreeSet<Uid>>,
    /// Of those with pending replicas, the ones that were planned while some cluster was not heard: what keeps them waiting
    /// is said anew once all are (S14).
    pub(crate) unheard: Shared<BTreeSet<Uid>>,
    /// Workloads that were planned in this step, and found too little room (S16).
    pub(crate) roomless: BTreeSet<Rank>,
    /// How often something changed that may decide whether the loss of a cluster could be survived.
    pub(crate) fleet_changes: u64,
    /// A check of that is due.
    pub(crate) checking_survival: bool,
    /// Workloads to be planned before this step ends, and why.
    pub(crate) dirty: BTreeMap<Uid, Reason>,
    /// Clusters that may be able to take more than before: whoever waits for room is planned (S14).
    pub(crate) roomier: BTreeSet<ClusterName>,
    /// Workloads whose targets may have to follow their plan or their reports.
    pub(crate) moving: BTreeSet<Uid>,
    /// Clusters whose windows are to be looked at again, in order of time; entries may be stale.
    pub(crate) timers: Shared<BTreeSet<(Time, Timer)>>,
    pub(crate) mass_loss: MassLoss,
    /// It is about to end, and has said so: it renews no lease any more (S9).
    pub(crate) said_goodbye: bool,
    /// How many clusters are connected, and how many have just gone (S4, S6).
    pub(crate) census: Census,
    /// How many withdrawals were announced since the start (S20).
    pub(crate) withdrawals: u64,
    /// How often agents that stand by were called since the start (S24).
    pub(crate) summons: u64,
    pub(crate) touched: Touched,
    /// What members have told of what they hold, while this hub's view is in doubt (S10).
    pub(crate) recalls: Recalls,
    /// While a command is carried out: what was in force before.
    pub(crate) before: Option<Before>,
    /// It is a copy, on which something is supposed.
    pub(crate) supposing: bool,
    pub(crate) scratch: Scratch,
}

/// What a timer is for. A timer that fires too early finds nothing to do, and sets itself again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A cluster's silence (S1, S5, S6).
    Silence(ClusterName),
    /// The lease of a lost cluster may have run out (S9).
    Gate(ClusterName),
    /// Starts that no longer count against the pace of a cluster (S7).
    Pace(Uid, ClusterName),
    /// The next step of a gradual rebalance (S18).
    Rebalance(Uid),
    /// The next step of a gradual fail-back (S13).
    FailBack(Uid),
    /// The end of a toleration of a cluster's taint.
    Taint(ClusterName),
    /// An ended life that is gone from a cluster can come back there no longer (S28).
    Tombstone(Uid, ClusterName),
    /// The end of a freeze (S6).
    MassLoss,
    /// Clusters that have not said yet whether they have what a workload needs are waited for no longer.
    Needs(Uid),
    /// Copies that cannot be scheduled or are not ready, and estimates that were lowered for it (S3, S17).
    Trouble(Uid, ClusterName),
    /// Another attempt to get room from lower priorities (S16).
    Preemption(Uid),
    /// The deadline of a drain (S21).
    Drain(ClusterName),
    /// The end of a maintenance window (S22).
    Maintenance(ClusterName),
    /// A flapping cluster may have been stable for long enough (S4).
    Steady(ClusterName),
    /// A cluster that is cleaned up may be done (S23).
    Retire(ClusterName),
    /// Copies may stop whose replacements have been ready for long enough, or that nobody is sent to any more (S20).
    Shrink(Uid),
    /// A number that was chosen by hand may be taken over now (S29).
    Drift(Uid),
    /// A cluster may be as far with a revision as it has to be, or too slow (S31).
    Revision(Uid, ClusterName),
    /// A cluster was revoked (S23).
    Revoked(ClusterName),
    /// Agents of a cluster that were called may not have come (S24).
    Witnesses(ClusterName),
    /// The next look at what the fleet would survive.
    Survival,
    /// Plans that follow from plans, and were too many for one step.
    Rounds,
}

/// Plans may call for further plans, where workloads follow each other: so often in one step.
const ROUNDS: usize = 3;

impl Hub {
    /// One step: what happened, and what is to be done about it.
    pub fn step(&mut self, now: Now, event: Event, effects: &mut Vec<Effect>) {
        self.begin(now);
        // Replies and refusals wait for the records of this step: write before you speak.
        let mut spoken = Vec::new();
        match event {
            Event::Opened { session, cluster, hello } => {
                self.session_opened(session, cluster, &hello, &mut spoken)
            }
            Event::Message { session, message } => self.session_message(session, message, &mut spoken),
            Event::Closed { session, expired: false } => {
                self.end_session(session, "its last stream closed", &mut spoken)
            }
            Event::Closed { session, expired: true } => self.certificate_ended(session, &mut spoken),
            Event::Command { ticket, by, command } => {
                self.operator = by;
                let answer = self.command(command);
                spoken.push(Effect::Answer { ticket, answer });
            }
            // After the goodbye nothing is decided any more.
            Event::Stopping => {
                self.say_goodbye(&mut spoken);
                return self.finish(spoken, effects);
            }
            Event::Tick => {}
        }
        self.fire_timers(&mut spoken);
        self.decide();
        self.finish(spoken, effects);
    }

    /// When a [`Event::Tick`] is wanted: at the latest one heartbeat from the last step, so that a stall of the shell's
    /// loop is noticed (S1).
    pub fn deadline(&self) -> Time {
        let latest = self.now.time + self.config.heartbeat / 2;
        self.timers.first().map_or(latest, |(time, _)| (*time).min(latest))
    }

    /// Whether something waits for its moment: then more is decided without anything being heard (I5).
    pub fn has_deadlines(&self) -> bool {
        let later = self.timers.iter().filter(|(time, _)| *time > self.now.time);
        later.into_iter().any(|(_, timer)| match timer {
            // These look whether somebody is heard, or at what would be.
            Timer::Silence(_) | Timer::Witnesses(_) | Timer::MassLoss | Timer::Survival => false,
            Timer::Gate(_)
            | Timer::Pace(..)
            | Timer::Rebalance(_)
            | Timer::FailBack(_)
            | Timer::Taint(_)
            | Timer::Tombstone(..)
            | Timer::Needs(_)
            | Timer::Trouble(..)
            | Timer::Preemption(_)
            | Timer::Drain(_)
            | Timer::Maintenance(_)
            | Timer::Steady(_)
            | Timer::Retire(_)
            | Timer::Shrink(_)
            | Timer::Drift(_)
            | Timer::Revision(..)
            | Timer::Revoked(_)
            | Timer::Rounds => true,
        })
    }

    /// What changed since the last call.
    pub fn changes(&mut self) -> Vec<Subject> {
        std::mem::take(&mut self.touched.subjects).into_iter().collect()
    }

    /// Takes over what was scaled by hand, plans what this step has made dirty, then moves what may move.
    pub(crate) fn decide(&mut self) {
        self.adopt_numbers();
        self.make_plans();
        self.move_replicas();
    }

    /// Plans what is dirty, and what follows from that.
    pub(crate) fn make_plans(&mut self) {
        if self.in_doubt() {
            return;
        }
        for _ in 0..ROUNDS {
            for name in std::mem::take(&mut self.roomier) {
                self.growth_possible(&name);
            }
            self.quotas_possible();
            if self.dirty.is_empty() && self.roomless.is_empty() {
                return;
            }
            self.plan_dirty();
            self.preempt();
        }
        if !self.dirty.is_empty() {
            // What is still to be planned has its turn in the next step, soon.
            self.wake_at(self.now.time + self.config.heartbeat / 2, Timer::Rounds);
        }
    }

    pub(crate) fn begin(&mut self, now: Now) {
        self.events += 1;
        // A clock that stands still is harmless; one that goes back is the shell's fault and is ignored.
        let time = now.time.max(self.now.time);
        let gap = time.since(self.now.time);
        self.now = Now { time, wall: now.wall };
        self.count_anew();
        if gap > self.config.heartbeat {
            self.restart_windows();
        }
    }

    /// Writes what was touched, then says what there was to say, then sends targets: a welcome comes before them.
    pub(crate) fn finish(&mut self, mut spoken: Vec<Effect>, effects: &mut Vec<Effect>) {
        self.settle_bounds();
        self.ask_members(&mut spoken);
        self.send_targets(&mut spoken);
        let touched = std::mem::take(&mut self.touched.keys).into_iter();
        effects.extend(touched.map(|key| match self.record(&key) {
            Some(record) => Effect::Put(record),
            None => Effect::Delete(key),
        }));
        self.journal.clear();
        effects.append(&mut spoken);
    }

    fn fire_timers(&mut self, spoken: &mut Vec<Effect>) {
        while let Some((time, _)) = self.timers.first()
            && *time <= self.now.time
        {
            let Some((_, timer)) = self.timers.pop_first() else {
                return;
            };
            match timer {
                Timer::Silence(cluster) => self.look_at_silence(&cluster, spoken),
                Timer::Gate(cluster) => self.look_at_gate(&cluster),
                Timer::Pace(uid, cluster) => self.starts_expire(uid, &cluster),
                Timer::Rebalance(uid) => self.rebalance_due(uid),
                Timer::FailBack(uid) => self.fail_back_due(uid),
                Timer::Taint(cluster) => self.toleration_ends(&cluster),
                Timer::Tombstone(uid, cluster) => self.tombstone_due(uid, &cluster),
                Timer::MassLoss => self.look_at_freeze(),
                // Whatever is dirty is planned at the end of every step.
                Timer::Rounds => {}
                Timer::Needs(uid) => self.asked_long_enough(uid),
                Timer::Trouble(uid, cluster) => self.look_at_trouble(uid, &cluster),
                Timer::Preemption(uid) => self.preemption_due(uid),
                Timer::Drain(cluster) => self.drain_overdue(&cluster),
                Timer::Steady(cluster) => self.look_at_steadiness(&cluster),
                Timer::Maintenance(cluster) => self.maintenance_ends(&cluster),
                Timer::Retire(cluster) => self.look_at_retirement(&cluster, spoken),
                Timer::Shrink(uid) | Timer::Drift(uid) => {
                    self.moving.insert(uid);
                }
                Timer::Revision(uid, cluster) => self.look_at_revision(uid, &cluster),
                Timer::Witnesses(cluster) => self.call_standbys(&cluster, spoken),
                Timer::Revoked(cluster) => self.expel(&cluster, spoken),
                Timer::Survival => self.check_survival(),
            }
        }
    }

    /// The graceful stop: agents are told, nothing moves (S1).
    fn say_goodbye(&mut self, spoken: &mut Vec<Effect>) {
        self.said_goodbye = true;
        for session in self.sessions.keys() {
            let spread = self.rng.below(1000);
            let retry_after = std::time::Duration::from_millis(500 + spread);
            spoken.push(Effect::Send { session: *session, message: Down::Goodbye { retry_after } });
            spoken.push(Effect::Close { session: *session });
        }
    }

    pub(crate) fn rank_of(&self, record: &WorkloadRecord) -> Rank {
        let priority = self.policies.get(&record.policy).map_or(0, |policy| policy.policy.placement.priority);
        Rank { priority: std::cmp::Reverse(priority), number: record.number, uid: record.uid }
    }

    pub(crate) fn wake_at(&mut self, time: Time, timer: Timer) {
        self.timers.insert((time, timer));
    }
}
