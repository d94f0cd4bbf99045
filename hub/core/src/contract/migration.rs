//! Migrations, as they are kept: what moves, and why.

use std::collections::BTreeMap;
use std::sync::Arc;

use godwit_common::{ClusterName, Epoch, PolicyName, Uid, WallTime, WorkloadId};

/// The number of a migration; shown as `m-12`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MigrationId(pub u64);

impl std::fmt::Display for MigrationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "m-{}", self.0)
    }
}

/// What a decision was made on: all that the hub had heard, been told and noticed by then. Within an epoch it is the number
/// of these events; a hub that starts knows what its store says, under an epoch of its own (S10, S30).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StateRevision {
    /// The leadership that decided.
    pub epoch: Epoch,
    /// How many events it had taken in.
    pub event: u64,
}

impl std::fmt::Display for StateRevision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.epoch, self.event)
    }
}

/// A set of moves with one cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Its number.
    pub id: MigrationId,
    /// Why.
    pub cause: MigrationCause,
    /// How far.
    pub state: MigrationState,
    /// When it began, for people.
    pub started: WallTime,
    /// Since when it is in its state, for people; running, since it began or was resumed.
    pub since: WallTime,
    /// How many replicas were ready in their new places then: what its rate does not count.
    pub ready_before: u32,
    /// When the last of its starts was told to a cluster, for people.
    pub told: Option<WallTime>,
    /// How the cluster that it replaces was lost, for people.
    pub loss: Option<Loss>,
    /// What it was decided on (S30).
    pub inputs: StateRevision,
    /// What moves; fixed when it opened.
    pub moves: Arc<[Move]>,
    /// What its pause holds, of which workload in which cluster.
    pub held: BTreeMap<Uid, BTreeMap<ClusterName, Held>>,
}

/// How a cluster was lost (S1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// The last message; none if it was not heard since the hub started.
    pub heard: Option<WallTime>,
    /// The death of its last stream; none if it had none since the hub started.
    pub suspect: Option<WallTime>,
    /// The decision.
    pub lost: WallTime,
}

/// What a pause holds of a workload in a cluster: at most what is missing, or too much, there by the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Replicas that do not start.
    pub starts: u32,
    /// Replicas that do not stop.
    pub stops: u32,
}

/// Why replicas move.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum MigrationCause {
    /// A cluster was lost (S1).
    ClusterLost(ClusterName),
    /// Room appeared for pending replicas (S14).
    RoomAppeared(ClusterName),
    /// A policy changed (S18).
    PolicyChanged(PolicyName),
    /// A policy moves replicas towards its own division (S18).
    Rebalance(PolicyName),
    /// A cluster was deleted from the federation (S23).
    ClusterDeleted(ClusterName),
    /// A cluster's labels or taints changed, or a toleration of its taints ran out (S18).
    ClusterChanged(ClusterName),
    /// A cluster is drained (S20).
    Drained(ClusterName),
    /// A cluster returned that was lost, and its copies stay in the place of their replacements (S12).
    Returned(ClusterName),
    /// Replicas go back to a cluster that a loss or a drain took them from (S13).
    FailedBack(ClusterName),
    /// A namespace's quota lets more be placed (S16).
    QuotaFreed(Arc<str>),
    /// A workload of a higher priority found no room (S16).
    Preempted(WorkloadId),
    /// What a cluster may still have run is accounted for (S9).
    Fenced(ClusterName),
    /// Other workloads moved, which this one has to be with or away from.
    Affinity(WorkloadId),
    /// Replicas did not get ready in a cluster (S3).
    Unready(ClusterName),
    /// A cluster could not schedule replicas (S17).
    Unschedulable(ClusterName),
}

/// How far a migration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MigrationState {
    /// Replacements are on their way.
    Running,
    /// Nothing of it starts or stops, by an operator's word.
    Paused,
    /// What had not started was given back, by an operator's word.
    Cancelled,
    /// All run, and are ready.
    Completed,
}

impl MigrationState {
    /// The state's name.
    pub fn as_str(self) -> &'static str {
        match self {
            MigrationState::Running => "Running",
            MigrationState::Paused => "Paused",
            MigrationState::Cancelled => "Cancelled",
            MigrationState::Completed => "Completed",
        }
    }

    /// Whether it is over.
    pub fn ended(self) -> bool {
        match self {
            MigrationState::Running | MigrationState::Paused => false,
            MigrationState::Cancelled | MigrationState::Completed => true,
        }
    }
}

impl Migration {
    /// When the last replica was ready in its new place, or it was cancelled.
    pub fn completed(&self) -> Option<WallTime> {
        self.state.ended().then_some(self.since)
    }
}

/// Replicas of one workload that change their place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Move {
    /// Which life.
    pub workload: Uid,
    /// Which workload, for people.
    pub id: WorkloadId,
    /// Where they were; none for pending ones.
    pub from: Option<ClusterName>,
    /// Where they go; none for those that became pending.
    pub to: Option<ClusterName>,
    /// How many.
    pub replicas: u32,
}
