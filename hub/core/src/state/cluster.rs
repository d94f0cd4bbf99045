//! A member cluster: its agents, how it stands, and what lies there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use godwit_common::link::{Capacity, LeaderTerm, Status};
use godwit_common::{Digest, Generation, Need, Time, Uid, WallTime, WorkloadId};

use super::Rank;
use crate::contract::{ClusterRecord, ClusterState, SessionId};
use crate::flapping::Flaps;
use crate::shared::Shared;
use crate::survival::Known;
use crate::tally::Tally;

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
    /// When its drain has taken too long (S21).
    pub(crate) drain_due: Time,
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
            drain_due: Time::default(),
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
