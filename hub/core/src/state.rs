//! What the machine knows: durable records, and beside them what is learned again after every start.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use godwit_common::bounds::Totals;
use godwit_common::link::{Capacity, Charter, Difference, LeaderTerm, Status};
use godwit_common::{ClusterName, Digest, Generation, Need, PodShape, Time, Uid, WallTime, WorkloadId};

use crate::contract::{
    ClusterRecord, ClusterState, MigrationId, ObjectRecord, ObjectRow, Policy, Revision, RevisionState,
    RolloutState, Seat, SessionId, WithdrawalId, WorkloadRecord,
};
use crate::estimates::Trouble;
use crate::flapping::Flaps;
use crate::gates::Withdrawal;
use crate::shared::Shared;
use crate::survival::Known;
use crate::tally::{Share, Sums, Tally};

/// A workload, and its seat in every cluster that may run it.
#[derive(Debug, Clone)]
pub(crate) struct Workload {
    /// Durable.
    pub(crate) record: WorkloadRecord,
    /// What the members keep of it for a hub that has lost its store (S10).
    pub(crate) charter: Option<Arc<Charter>>,
    /// By cluster; each of them durable in its first part.
    pub(crate) seats: BTreeMap<ClusterName, SeatState>,
    /// Over all of them.
    pub(crate) sums: Sums,
    /// Where there is anything of it: planned, told or seen. It may run in a thousand clusters, and is in few.
    pub(crate) present: Names,
    /// Where its target is below the plan, and above it: what the mover has to do (S7, S20).
    pub(crate) below: BTreeSet<ClusterName>,
    /// See `below`.
    pub(crate) above: BTreeSet<ClusterName>,
    /// What is announced to stop, by cluster (S20).
    pub(crate) withdrawals: BTreeMap<ClusterName, Withdrawal>,
    /// The last one that was acknowledged in a cluster.
    pub(crate) acknowledged: BTreeMap<ClusterName, WithdrawalId>,
    /// What was deployed, by revision; each of them durable.
    pub(crate) revisions: BTreeMap<u64, Arc<Revision>>,
    /// Where it is on the way from one revision to another (S31).
    pub(crate) rolling: BTreeSet<ClusterName>,
    /// Where it has not been told the newest revision.
    pub(crate) behind: BTreeSet<ClusterName>,
    /// Running migrations that wait for it.
    pub(crate) migrations: BTreeSet<MigrationId>,
    /// The objects whose bounds follow its replicas (S29).
    pub(crate) bounded_by: BTreeSet<Uid>,
    /// When a gradual rebalance may take its next step (S18).
    pub(crate) rebalance_at: Option<Time>,
    /// When a gradual fail-back may take its next step (S13).
    pub(crate) fail_back_at: Option<Time>,
    /// Until when clusters that have not said yet whether they have what it needs are waited for.
    pub(crate) asks_until: Option<Time>,
    /// Who gave way to it, as long as it waits (S16).
    pub(crate) preempting: BTreeSet<Uid>,
    /// How often somebody did since it waits, and when it may ask again.
    pub(crate) preemptions: u32,
    /// See `preemptions`.
    pub(crate) preempts_at: Option<Time>,
}

/// A workload in a cluster: what is wanted, and what was seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct SeatState {
    /// Durable.
    pub(crate) seat: Seat,
    /// What is different here about its revision; follows from that, and from what the cluster is like.
    pub(crate) overrides: Arc<str>,
    /// But for how many pods may exist, which has changed while it bounded nothing (S8).
    pub(crate) unwritten: bool,
    /// It is there whatever the plan says, and is not counted (S33).
    pub(crate) everywhere: bool,
    /// From the cluster's last report; none before its first inventory.
    pub(crate) seen: Option<Seen>,
    /// For how long the youngest of its ready copies had been ready when that was reported, and when it was (S12).
    pub(crate) ready_for: (Duration, Time),
    /// Starts on their way that still count against the pace (S7).
    pub(crate) starting: u32,
    /// When they cease to count.
    pub(crate) starting_until: Time,
    /// The lowest target since the row that the cluster's reports reflect: what lies above, it may have begun to stop,
    /// whatever it was told since.
    pub(crate) floor: u32,
    /// The guard holds a step of it back (S27).
    pub(crate) held_back: bool,
    /// What it adds to its cluster's [`Tally`], and to its workload's [`Sums`].
    pub(crate) share: Share,
    /// Copies that hold room on nodes and are in no plan: they end, and may leave room that nobody has counted (S14).
    pub(crate) surplus: u32,
    /// Copies that cannot be scheduled, or are not ready (S3, S17).
    pub(crate) trouble: Trouble,
    /// Of copies that leave in good order: down to what its target could go all along since then (S20).
    pub(crate) could_shrink: Option<(Time, u32)>,
    /// Since when all copies are of its revision, and ready, as the session of its cluster's leader says (S31).
    pub(crate) complete: Option<(SessionId, Time)>,
    /// Where it is on the way there.
    pub(crate) progress: Option<Progress>,
}

/// How far a cluster is on its way to a revision (S31).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Who says so: silence is no lack of progress.
    pub(crate) session: SessionId,
    /// Copies of the revision, and how many of them are ready.
    pub(crate) counts: (u32, u32),
    /// Since when there are so many.
    pub(crate) since: Time,
    /// Since when its controller has given up.
    pub(crate) stalled: Option<Time>,
}

/// A few names of clusters, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(Vec<ClusterName>);

/// Why the data of a stateful workload is taken to be in a cluster; the better reason is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Data {
    /// A plan put it there once, and it was scaled to zero since.
    Was,
    /// Copies run there.
    Runs,
    /// It is placed there.
    Placed,
}

/// What a cluster says about a workload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) pods: u32,
    pub(crate) bound: u32,
    pub(crate) ready: u32,
    pub(crate) unschedulable: u32,
    pub(crate) failing: u32,
    pub(crate) stranded: u32,
    /// Of the manifest that was applied last.
    pub(crate) revision: u64,
    pub(crate) updated: u32,
    pub(crate) updated_ready: u32,
    pub(crate) stalled: bool,
    pub(crate) terminating: u32,
    /// Those of `pods` that have a supervisor.
    pub(crate) supervised: u32,
    /// The object's own number.
    pub(crate) replicas: u32,
    pub(crate) exists: bool,
    pub(crate) difference: Option<Difference>,
    pub(crate) problem: Arc<str>,
}

/// An object that workloads lean on.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    /// Durable.
    pub(crate) record: ObjectRecord,
    /// By cluster; durable.
    pub(crate) rows: BTreeMap<ClusterName, ObjectRow>,
    /// What is different there, where anything is.
    pub(crate) overrides: BTreeMap<ClusterName, Arc<str>>,
    /// The workloads that lean on it.
    pub(crate) users: BTreeSet<Uid>,
    /// What somebody changes of it by hand in a member is left, as far as clusters were told (S29).
    pub(crate) tolerates: bool,
    /// What of its manifest is a total over all clusters.
    pub(crate) totals: Option<Totals>,
    /// Those of its users whose replicas that bounds.
    pub(crate) bounds: BTreeSet<Uid>,
}

impl Object {
    /// An object as it is right after its record was written or loaded.
    pub(crate) fn new(record: ObjectRecord) -> Self {
        let (rows, users, bounds) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { record, rows, overrides: BTreeMap::new(), users, tolerates: false, totals: None, bounds }
    }
}

/// A policy and who uses it.
#[derive(Debug, Clone)]
pub(crate) struct PolicyState {
    /// Durable.
    pub(crate) policy: Policy,
    /// The workloads under it.
    pub(crate) users: BTreeSet<Uid>,
}

/// A member cluster.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    /// Durable.
    pub(crate) record: ClusterRecord,
    /// It is not there: somebody asks what would be if it were.
    pub(crate) supposed: bool,
    /// The identity of another cluster that would have its name, and was refused (S23).
    pub(crate) claimant: Option<Uid>,
    /// Streams that are alive.
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    /// Agents that were told to stand by, of late, by instance (S24).
    pub(crate) standbys: BTreeMap<Arc<str>, Standby>,
    /// The agent that stands by for the others, and when it last asked (S24).
    pub(crate) reserve: Option<(Arc<str>, Time)>,
    /// How it stands.
    pub(crate) health: Health,
    /// The agent that leads.
    pub(crate) leader: Option<Leader>,
    /// The newest reign heard of (S24).
    pub(crate) term: Option<LeaderTerm>,
    /// When the last lease that it may have been granted has run out, however slow its clocks are (S9).
    pub(crate) leased_until: Time,
    /// It is not renewed before its agent has accepted rows of this generation: those that say what was given up. None
    /// before its inventory has come.
    pub(crate) grants_from: Option<Generation>,
    /// From the last report.
    pub(crate) capacity: Option<Capacity>,
    /// The journal says that it is degraded (S3).
    pub(crate) said_degraded: bool,
    /// Whether its loss could be survived.
    pub(crate) known: Known,
    /// What workloads need, and whether it is there, as far as its agent has said.
    pub(crate) needs: Shared<BTreeMap<Need, bool>>,
    /// The workloads that have a seat here.
    pub(crate) seats: Shared<BTreeSet<Uid>>,
    /// Those of them of which there is something here: planned, told or seen.
    pub(crate) held: Shared<BTreeSet<Uid>>,
    /// Of what runs everywhere and is not counted (S33), that of which there is something here.
    pub(crate) uncounted: Shared<BTreeSet<Uid>>,
    /// Those of which all that may run here is supervised (S9).
    pub(crate) supervised: Shared<BTreeSet<Uid>>,
    /// The objects that have a row here.
    pub(crate) objects: Shared<BTreeSet<Uid>>,
    /// The ended lives that it still holds.
    pub(crate) ended: BTreeSet<Uid>,
    /// Over the live rows of `seats` and `objects`.
    pub(crate) digest: Digest,
    /// Over all seats.
    pub(crate) tally: Tally,
    /// Starts on their way here, over all seats (S7).
    pub(crate) starting: u32,
    /// Workloads that want to start more here, the most urgent first (S7).
    pub(crate) waiting: BTreeSet<Rank>,
    /// Seats whose target was changed by a row that no report reflects yet, by the generation of that row.
    pub(crate) unreflected: BTreeSet<(Generation, Uid)>,
    /// Placed replicas that do not hold room on a node yet: what is deducted from the reported room (S15).
    pub(crate) on_the_way: Shared<BTreeMap<Uid, u32>>,
    /// Removals of late, without an operator's word (S27).
    pub(crate) removals: VecDeque<Time>,
    /// Managed objects that no workload explains (S27).
    pub(crate) orphans: BTreeMap<(WorkloadId, Uid), Status>,
    /// Fields that somebody has changed by hand, of workloads and objects that are left so (S29).
    pub(crate) edits: BTreeMap<Uid, Arc<str>>,
}

/// An agent that was told to stand by (S24).
#[derive(Debug, Clone)]
pub(crate) struct Standby {
    pub(crate) zone: Arc<str>,
    /// When it asked last.
    pub(crate) asked: Time,
    /// When it was called last.
    pub(crate) called: Option<Time>,
}

/// One agent's stream.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) instance: Arc<str>,
    /// Of its node; empty if it is not known.
    pub(crate) zone: Arc<str>,
    /// When it last said anything.
    pub(crate) heard: Time,
    /// It said that it leads, and has not taken that back.
    pub(crate) claims: bool,
    /// It said that it cannot reach the API server of its cluster, and why (S3).
    pub(crate) unreachable: Option<Arc<str>>,
    /// It puts supervisors into pods (S9).
    pub(crate) supervises: bool,
    /// It carries out overrides.
    pub(crate) knows_overrides: bool,
}

/// The session of the agent that leads, and how far it is.
#[derive(Debug, Clone)]
pub(crate) struct Leader {
    pub(crate) session: SessionId,
    pub(crate) instance: Arc<str>,
    /// The generation of the rows that the agent has, once everything sent has arrived; none: it is to be sent
    /// everything.
    pub(crate) sent: Option<Generation>,
    /// The newest generation that it said it holds.
    pub(crate) accepted: Generation,
    /// The newest generation whose effects its reports show (S15).
    pub(crate) reflects: Generation,
    /// Its inventory has come: it may be sent targets (S11).
    pub(crate) inventoried: bool,
    /// When it came.
    pub(crate) reporting_since: Time,
    /// The member's fence is of an older epoch, and is to be raised even if no row changes (S10).
    pub(crate) fence_behind: bool,
}

/// How a cluster stands (S1, S5, S6).
#[derive(Debug, Clone)]
pub(crate) struct Health {
    pub(crate) state: ClusterState,
    pub(crate) reason: Arc<str>,
    pub(crate) since: WallTime,
    /// When a message last came, over all sessions.
    pub(crate) heard: Time,
    /// The same, by the wall clock, for people; updated with reports and changes of state only.
    pub(crate) seen: WallTime,
    /// When the last stream died; none while one is alive.
    pub(crate) away_since: Option<Time>,
    /// What a goodbye or a restart of the hub adds to the window.
    pub(crate) grace: Duration,
    /// Losses decided: of all policies that allow no more silence than this.
    pub(crate) lost_through: Option<Duration>,
    /// When it was last connected; what makes it count in a mass loss (S6).
    pub(crate) ready_until: Option<Time>,
    /// An operator confirmed its loss: it counts no longer in a mass loss (S6).
    pub(crate) confirmed: bool,
    /// Its last stream was cut because the certificate had ended: its silence is no loss (S1).
    pub(crate) expired: bool,
    /// Its silence until then is announced, and no loss (S22).
    pub(crate) spared_until: Time,
    /// Since when it has been Ready without a break; none while it is not.
    pub(crate) stable_since: Option<Time>,
    /// How often it lost its connection of late (S4).
    pub(crate) flaps: Flaps,
}

/// The order in which workloads are served: the policy's priority, then age (S16).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    pub(crate) priority: std::cmp::Reverse<i32>,
    pub(crate) number: u64,
    pub(crate) uid: Uid,
}

impl Cluster {
    /// A cluster as it is right after its record was written or loaded.
    pub(crate) fn new(record: ClusterRecord, state: ClusterState, now: godwit_common::Now) -> Self {
        let health = Health {
            state,
            reason: Arc::from(""),
            since: now.wall,
            heard: now.time,
            seen: WallTime::default(),
            away_since: Some(now.time),
            grace: Duration::ZERO,
            lost_through: None,
            ready_until: None,
            confirmed: false,
            expired: false,
            spared_until: Time::default(),
            stable_since: None,
            flaps: Flaps::default(),
        };
        Self {
            record,
            supposed: false,
            claimant: None,
            sessions: BTreeMap::new(),
            standbys: BTreeMap::new(),
            reserve: None,
            health,
            leader: None,
            term: None,
            leased_until: now.time,
            grants_from: None,
            capacity: None,
            said_degraded: false,
            known: Known::default(),
            needs: Shared::default(),
            seats: Shared::default(),
            held: Shared::default(),
            uncounted: Shared::default(),
            supervised: Shared::default(),
            objects: Shared::default(),
            ended: BTreeSet::new(),
            digest: Digest::default(),
            tally: Tally::default(),
            starting: 0,
            waiting: BTreeSet::new(),
            unreflected: BTreeSet::new(),
            on_the_way: Shared::default(),
            removals: VecDeque::new(),
            orphans: BTreeMap::new(),
            edits: BTreeMap::new(),
        }
    }

    /// Whether it has a live stream.
    pub(crate) fn live(&self) -> bool {
        !self.sessions.is_empty()
    }

    /// Why none of its agents can reach its API server (S3).
    pub(crate) fn unreachable(&self) -> Option<&Arc<str>> {
        let all = self.sessions.values().all(|session| session.unreachable.is_some());
        self.sessions.values().find_map(|session| session.unreachable.as_ref()).filter(|_| all)
    }

    /// The workloads of which there is something here, counted or not.
    pub(crate) fn present(&self) -> impl Iterator<Item = Uid> {
        self.held.iter().chain(self.uncounted.iter()).copied()
    }

    /// Whether what it reports can be built on: connected, led, and its inventory has come.
    pub(crate) fn reporting(&self) -> bool {
        self.supposed || self.leader.as_ref().is_some_and(|leader| leader.inventoried)
    }

    /// Whether a policy with this `lost_after` counts it as lost. What is awaited counts as away for a while.
    pub(crate) fn lost_for(&self, lost_after: Duration) -> bool {
        self.record.awaited.is_none() && self.health.lost_through.is_some_and(|through| lost_after <= through)
    }
}

impl SeatState {
    /// A seat as it is right after its record was written or loaded.
    pub(crate) fn new(seat: Seat, everywhere: bool) -> Self {
        Self { floor: seat.target, seat, everywhere, ..Self::default() }
    }

    /// Its part of the cluster's digest.
    pub(crate) fn hash(&self, workload: Uid) -> u64 {
        self.seat.hash(workload, &self.overrides)
    }

    /// Whether anything of it is to run here.
    pub(crate) fn runs(&self) -> bool {
        self.everywhere || self.seat.target > 0
    }

    /// How many pods its controllers were asked for.
    pub(crate) fn asked(&self) -> u32 {
        match self.everywhere {
            true => self.seen.as_ref().map_or(0, |seen| seen.replicas),
            false => self.seat.target,
        }
    }

    /// Ready copies that the cluster was not told to stop (S20): one that was counts no longer, gone or not.
    pub(crate) fn staying(&self) -> u32 {
        self.ready().min(self.floor)
    }

    pub(crate) fn ready(&self) -> u32 {
        self.seen.as_ref().map_or(0, |seen| seen.ready)
    }

    pub(crate) fn pods(&self) -> u32 {
        self.seen.as_ref().map_or(0, |seen| seen.pods)
    }

    pub(crate) fn unschedulable(&self) -> u32 {
        self.seen.as_ref().map_or(0, |seen| seen.unschedulable)
    }

    pub(crate) fn bound(&self) -> u32 {
        self.seen.as_ref().map_or(0, |seen| seen.bound)
    }

    /// For how many copies there is, or must be, room here: surplus ones that still run included.
    pub(crate) fn occupied(&self) -> u32 {
        self.seat.placed.max(self.seat.target)
    }

    /// Whether there is anything of it here: planned, told or seen.
    pub(crate) fn is_present(&self) -> bool {
        self.seat.placed > 0 || self.seat.target > 0 || self.pods() > 0
    }

    /// Whether no copies of it were told or are seen here.
    pub(crate) fn runs_nothing(&self) -> bool {
        self.seat.target == 0 && self.pods() == 0
    }

    /// Whether all copies that were asked for are of the revision that was told, and ready. Those that are pending and stay
    /// here only so that somebody sees what more nodes would be for (S17) are not waited for.
    pub(crate) fn is_complete(&self) -> bool {
        let all = |seen: &Seen| {
            let beyond = self.seat.target.saturating_sub(self.seat.placed).min(seen.unschedulable);
            // Where somebody deleted it, and is let, nothing is asked for (S29).
            seen.difference == Some(Difference::Deleted)
                || seen.revision == self.seat.revision
                    && seen.updated.min(seen.updated_ready) >= self.asked_for().saturating_sub(beyond)
        };
        self.seen.as_ref().is_some_and(all)
    }

    /// Why the data of the workload is taken to be here, if it is (S32).
    pub(crate) fn data(&self) -> Option<Data> {
        match &self.seat {
            seat if seat.placed > 0 => Some(Data::Placed),
            seat if seat.target > 0 => Some(Data::Runs),
            seat => seat.cause.map(|_| Data::Was),
        }
    }

    /// For how many copies there is something here: told, planned or seen.
    pub(crate) fn left(&self) -> u32 {
        if self.everywhere { 0 } else { self.pods().max(self.occupied()) }
    }

    /// How many hold room on a node beyond those.
    pub(crate) fn surplus(&self) -> u32 {
        if self.everywhere { 0 } else { self.bound().saturating_sub(self.occupied()) }
    }

    /// How many of them do not hold room on a node yet (S15).
    pub(crate) fn on_the_way(&self) -> u32 {
        self.occupied().saturating_sub(self.bound())
    }
}

impl Names {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ClusterName> {
        self.0.iter()
    }

    /// Puts a name in, or takes it out.
    pub(crate) fn set(&mut self, name: &ClusterName, is_in: bool) {
        match (self.0.binary_search(name), is_in) {
            (Err(place), true) => self.0.insert(place, name.clone()),
            (Ok(place), false) => drop(self.0.remove(place)),
            (Ok(_), true) | (Err(_), false) => {}
        }
    }
}

impl Workload {
    pub(crate) fn new(record: WorkloadRecord) -> Self {
        Self {
            record,
            charter: None,
            seats: BTreeMap::new(),
            sums: Sums::default(),
            present: Names::default(),
            below: BTreeSet::new(),
            above: BTreeSet::new(),
            withdrawals: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            revisions: BTreeMap::new(),
            rolling: BTreeSet::new(),
            behind: BTreeSet::new(),
            migrations: BTreeSet::new(),
            bounded_by: BTreeSet::new(),
            rebalance_at: None,
            fail_back_at: None,
            asks_until: None,
            preempting: BTreeSet::new(),
            preemptions: 0,
            preempts_at: None,
        }
    }

    /// The seats where there is anything of it, in order of name.
    pub(crate) fn present(&self) -> impl Iterator<Item = (&ClusterName, &SeatState)> {
        self.present.iter().filter_map(|name| Some((name, self.seats.get(name)?)))
    }

    pub(crate) fn id(&self) -> &WorkloadId {
        &self.record.spec.id
    }

    pub(crate) fn shape(&self) -> &PodShape {
        &self.record.spec.pod
    }

    /// It is in a cluster no longer, and whatever is kept for that is gone with it.
    pub(crate) fn take_seat(&mut self, name: &ClusterName) -> Option<SeatState> {
        for set in [&mut self.below, &mut self.above, &mut self.rolling, &mut self.behind] {
            set.remove(name);
        }
        self.present.set(name, false);
        let seat = self.seats.remove(name)?;
        self.sums.change(seat.share, Share::default());
        Some(seat)
    }

    /// Whether the mover may have something to do for it.
    pub(crate) fn unfinished(&self) -> bool {
        !(self.below.is_empty() && self.above.is_empty() && self.migrations.is_empty())
    }

    /// Whether the same in one cluster may call for a step of its rollout (S31).
    pub(crate) fn unrolled(&self, name: &ClusterName) -> bool {
        self.rolling.contains(name) || self.behind.contains(name) || self.rolls()
    }

    /// Whether its newest revision is on its way.
    pub(crate) fn rolls(&self) -> bool {
        let state = self.record.rollout.as_ref().map(|rollout| rollout.state);
        state == Some(RolloutState::Running)
    }

    /// What is known of one of its revisions.
    pub(crate) fn state_of(&self, revision: u64) -> RevisionState {
        self.record.history.get(&revision).copied().unwrap_or(RevisionState::New)
    }

    pub(crate) fn placed(&self) -> u32 {
        self.sums.placed()
    }
}
