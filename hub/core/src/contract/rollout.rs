//! Revisions of a workload's manifest, and how a new one goes over the clusters (S31).

use std::collections::BTreeSet;
use std::sync::Arc;

use godwit_common::{ClusterName, Uid, WallTime, WorkloadId};

use super::WorkloadSpec;

/// What a workload was deployed as, once. It is written once: whatever changes of it is in the workload's own record, so
/// that a count which changes does not rewrite manifests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// Of which workload.
    pub workload: Uid,
    /// Rises with each change.
    pub number: u64,
    /// All of it. The total and the policy are those of the day, and are never gone back to.
    pub spec: WorkloadSpec,
    /// The objects that it came with.
    pub objects: BTreeSet<Uid>,
    /// When.
    pub created: WallTime,
    /// By whom.
    pub by: Arc<str>,
}

/// What is known of a revision that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RevisionState {
    /// It was not fully ready anywhere yet.
    New,
    /// Somewhere all that a cluster was told to run of it was ready, for long enough.
    Proven,
    /// It failed in a cluster.
    Failed,
}

impl RevisionState {
    /// The state's name.
    pub fn as_str(self) -> &'static str {
        match self {
            RevisionState::New => "New",
            RevisionState::Proven => "Proven",
            RevisionState::Failed => "Failed",
        }
    }
}

/// The way of a workload's newest revision over the clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// When it began, for people.
    pub started: WallTime,
    /// How far it is.
    pub state: RolloutState,
    /// Why it failed, or whose word holds it; may be empty.
    pub message: Arc<str>,
    /// It has waited after the first cluster, as its policy asked.
    pub held: bool,
    /// It takes the place of this revision, which has failed.
    pub instead_of: Option<u64>,
}

/// How far a rollout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RolloutState {
    /// Clusters get the revision, one after the other.
    Running,
    /// No further cluster gets it, by an operator's word.
    Paused,
    /// The first cluster has it, and the policy asks for an operator's word before others do.
    PausedAfterFirst,
    /// No further cluster gets it: it failed in one.
    Failed,
    /// Every cluster has it that runs the workload and is not lost.
    Completed,
}

impl RolloutState {
    /// The state's name.
    pub fn as_str(self) -> &'static str {
        match self {
            RolloutState::Running => "Running",
            RolloutState::Paused => "Paused",
            RolloutState::PausedAfterFirst => "PausedAfterFirst",
            RolloutState::Failed => "Failed",
            RolloutState::Completed => "Completed",
        }
    }
}

/// What is to be done about a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RolloutOrder {
    /// No further cluster gets the revision, until it is resumed.
    Pause,
    /// It goes on, after a failure too.
    Resume,
    /// The workload is as it was: at this revision, or at the newest one before that did not fail.
    Undo {
        /// Which; none for the one before.
        to: Option<u64>,
    },
}

/// A rollout, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RolloutView {
    /// The revision that goes over the clusters.
    pub revision: u64,
    /// How far it is; the first revision of a workload goes everywhere at once, and has none.
    pub rollout: Option<Rollout>,
    /// Clusters that run the workload, and are not lost.
    pub clusters: u32,
    /// Those of them in which the revision is all ready.
    pub updated: u32,
    /// What it waits for, by cluster, in the order of the rollout; at most some dozens.
    pub waiting: Vec<(ClusterName, String)>,
}

/// All revisions of a workload that are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryView {
    /// Of which workload.
    pub id: WorkloadId,
    /// The oldest first.
    pub revisions: Vec<RevisionView>,
}

/// A revision, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionView {
    /// What was deployed.
    pub revision: Arc<Revision>,
    /// What is known of it.
    pub state: RevisionState,
    /// The clusters that were told to run copies of it.
    pub clusters: Vec<ClusterName>,
}
