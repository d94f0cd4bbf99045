//! What operators ask for, and the answers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use godwit_common::policy::ClusterSelector;
use godwit_common::selector::Labels;
use godwit_common::{ClusterName, ObjectKey, PolicyName, Taint, TaintEffect, Uid, WallTime, WorkloadId};

use super::{
    AccessOrder, Changes, Deploy, MigrationId, PlanRowView, Policy, QuotaRecord, RolloutOrder, WithdrawalId,
};

/// An operator's wish. Names and bounds inside are checked where the types were built; what remains to be checked
/// here is whether it fits the state of the federation.
#[derive(Debug, Clone)]
pub enum Command {
    /// Take over an application.
    Deploy(Deploy),
    /// Change the total of one workload.
    Scale {
        /// Which.
        workload: WorkloadId,
        /// The new total.
        replicas: u32,
    },
    /// End a workload.
    DeleteWorkload {
        /// Which.
        workload: WorkloadId,
    },
    /// Create or replace a policy.
    ApplyPolicy(Policy),
    /// End a policy that nothing uses.
    DeletePolicy {
        /// Which.
        name: PolicyName,
    },
    /// Let removals go on that the guard holds back (S27).
    ConfirmRemoval {
        /// In which cluster.
        cluster: ClusterName,
    },
    /// A cluster is dead, and nothing that it held comes back by itself (S9).
    ConfirmDead {
        /// Which.
        cluster: ClusterName,
    },
    /// Forget a lost cluster (S23).
    DeleteCluster {
        /// Which.
        cluster: ClusterName,
        /// Whatever may still run there.
        force: bool,
    },
    /// Let a cluster get nothing new, or get something again.
    Cordon {
        /// Which.
        cluster: ClusterName,
        /// Whether it is cordoned from now on.
        cordoned: bool,
    },
    /// Empty a cluster, or see to it that it is emptied otherwise, or no longer (S20, S21).
    Drain {
        /// Which.
        cluster: ClusterName,
        /// What is to be done.
        order: DrainOrder,
    },
    /// Let a migration stand still, go on, or end where it is.
    Migrate {
        /// Which.
        migration: MigrationId,
        /// What is to be done.
        order: MigrationOrder,
    },
    /// Announce that a cluster may be away for a while, or that this is over (S22).
    Maintain {
        /// Which.
        cluster: ClusterName,
        /// For how long from now; none to end it.
        within: Option<Duration>,
        /// It is emptied first, on these terms, and the window begins when that is done.
        drain: Option<DrainTerms>,
    },
    /// Take a cluster out: empty it, clean it up, and forget it (S23).
    Retire {
        /// Which.
        cluster: ClusterName,
        /// How it is emptied; what is lost is forgotten as it is, if they force it.
        terms: DrainTerms,
    },
    /// Let a cluster that was retired join again.
    Readmit {
        /// The name that it had.
        cluster: ClusterName,
    },
    /// Let a member take the place of another, which is retired (S23).
    Replace {
        /// Which is replaced.
        cluster: ClusterName,
        /// By which.
        with: ClusterName,
        /// How the old one is emptied; where to is not for them to say.
        terms: DrainTerms,
    },
    /// Accept that a cluster was built anew under its old name (S23).
    Rebuilt {
        /// Which.
        cluster: ClusterName,
        /// Its new identity.
        uid: Uid,
    },
    /// Move workloads to their policy's own division, whatever the policy says of balance (S18).
    Rebalance(Balanced),
    /// Say that no traffic goes any more to the replicas that are announced to stop (S20).
    Acknowledge {
        /// Of which workload.
        workload: WorkloadId,
        /// In which cluster.
        cluster: ClusterName,
        /// Which announcement; none for whatever is announced now.
        withdrawal: Option<WithdrawalId>,
    },
    /// Hold a rollout, let it go on, or go back to an older revision (S31).
    Rollout {
        /// Of which workload.
        workload: WorkloadId,
        /// What is to be done.
        order: RolloutOrder,
    },
    /// Change a cluster's labels (S18).
    Label {
        /// Which.
        cluster: ClusterName,
        /// Labels to set.
        set: Labels,
        /// Labels to remove; what is not there is passed over.
        remove: BTreeSet<Arc<str>>,
    },
    /// Change a cluster's taints (S18).
    Taint {
        /// Which.
        cluster: ClusterName,
        /// Taints to add, each in the place of one with the same key and effect.
        add: Vec<Taint>,
        /// Taints to remove, by key and effect; every effect if it is absent.
        remove: Vec<(Arc<str>, Option<TaintEffect>)>,
    },
    /// Create or replace a namespace's quota (S16).
    ApplyQuota(QuotaRecord),
    /// End a namespace's quota.
    DeleteQuota {
        /// Whose.
        namespace: Arc<str>,
    },
    /// Say who may come in: tokens, their use, and revocations (S23).
    Access(AccessOrder),
    /// Let the moves go on that mass loss froze (S6).
    ConfirmFreeze,
    /// End the freeze; windows start afresh (S6, S10).
    ReleaseFreeze,
}

/// What is to be balanced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Balanced {
    /// One workload.
    Workload(WorkloadId),
    /// All workloads under a policy.
    Policy(PolicyName),
    /// All workloads.
    All,
}

/// What is to be done about a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationOrder {
    /// Nothing more starts or stops for it, until it is resumed.
    Pause,
    /// It goes on.
    Resume,
    /// It ends: what has not started is given back to where it still runs; what has started stays.
    Cancel,
}

/// What is to be done about a drain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DrainOrder {
    /// Begin, or begin anew with other terms.
    Start(DrainTerms),
    /// Nothing more starts or stops for it, until it is resumed.
    Pause,
    /// It goes on, with as much time as it had in all.
    Resume,
    /// It ends; what has not moved yet stays, and the cluster is cordoned.
    Cancel,
}

/// On which terms a cluster is drained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrainTerms {
    /// How long it may take.
    pub within: Duration,
    /// See [`super::Drain::max_surge`].
    pub max_surge: Option<u32>,
    /// See [`super::Drain::force`].
    pub force: bool,
    /// See [`super::Drain::to`].
    pub to: Option<ClusterSelector>,
}

impl Default for DrainTerms {
    fn default() -> Self {
        Self { within: Duration::from_secs(3600), max_surge: None, force: false, to: None }
    }
}

/// A good answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To [`Command::Deploy`], [`Command::Scale`] and [`Command::Rollout`] (one workload, no objects).
    Deployed(Deployed),
    /// To [`Command::DeleteWorkload`].
    WorkloadDeleted {
        /// Clusters that have yet to confirm the end (S28).
        pending_on: Vec<ClusterName>,
    },
    /// To [`Command::ApplyPolicy`], [`Command::ConfirmDead`], [`Command::Cordon`], [`Command::Drain`], [`Command::Migrate`], [`Command::Maintain`],
    /// [`Command::Retire`], [`Command::Readmit`], [`Command::Rebuilt`], [`Command::Rebalance`], [`Command::Label`],
    /// [`Command::Taint`],
    /// [`AccessOrder::Revoke`], [`AccessOrder::EndRevocation`], [`AccessOrder::BindRole`], [`AccessOrder::UnbindRole`] and
    /// [`Command::ApplyQuota`]: what it did, and which plans it changes.
    Applied {
        /// What the request did.
        action: Action,
        /// The plans that change.
        changes: Changes,
    },
    /// To [`Command::Acknowledge`].
    Acknowledged {
        /// Whether it was said before.
        action: Action,
        /// Which announcement it was about.
        withdrawal: WithdrawalId,
    },
    /// To [`Command::Replace`].
    Replaced {
        /// What the request did.
        action: Action,
        /// The plans that change.
        changes: Changes,
        /// The policies that named the old cluster, and name the new one beside it now.
        policies: Vec<PolicyName>,
    },
    /// To [`AccessOrder::CreateToken`]: until when it may be used.
    TokenCreated {
        /// Until then.
        expires: WallTime,
    },
    /// To [`AccessOrder::Enrol`]: an operator has to decide first.
    Waiting {
        /// It was said before.
        again: bool,
    },
    /// To [`Command::ConfirmRemoval`]: how many removals go on.
    RemovalsReleased(u32),
    /// To everything else.
    Done,
}

/// What a deployment came to, or would come to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deployed {
    /// The workloads, in the order of the manifests.
    pub workloads: Vec<DeployedWorkload>,
    /// The objects that go ahead, in the order of the manifests.
    pub objects: Vec<ObjectKey>,
    /// All plans that change: of these workloads, and of others under a policy that the request changes.
    pub changes: Changes,
    /// What the caller may not expect.
    pub warnings: Vec<String>,
}

/// Where a deployed workload goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployedWorkload {
    /// Which.
    pub id: WorkloadId,
    /// What the request changed.
    pub action: Action,
    /// The policy in force.
    pub policy: PolicyName,
    /// The total.
    pub replicas: u32,
    /// The newest revision of its manifest.
    pub revision: u64,
    /// To how many clusters it goes yet.
    pub behind: u32,
    /// Which they are, in the order in which they would get it now (S31), as far as an answer holds them.
    pub rollout: Vec<ClusterName>,
    /// In how many clusters it has replicas.
    pub clusters: u32,
    /// The count of each of them, in order of name, as far as an answer holds them.
    pub placements: Vec<(ClusterName, u32)>,
    /// What could not be placed.
    pub pending: u32,
    /// Why not.
    pub reasons: Vec<String>,
    /// What decided each cluster's number; empty where the answer would become too long.
    pub report: Vec<PlanRowView>,
}

/// What a request did to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is new.
    Created,
    /// It was another.
    Configured,
    /// It was the same.
    Unchanged,
}

/// Why a command was not carried out. Nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// For programs.
    pub kind: RefusedKind,
    /// For people: what is wrong, the value, and the remedy.
    pub message: String,
}

/// The kinds of refusal, after gRPC's status codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedKind {
    /// It could never be right.
    InvalidArgument,
    /// What it names is not there.
    NotFound,
    /// What it names is taken.
    AlreadyExists,
    /// It is not right now.
    FailedPrecondition,
    /// It would exceed a bound.
    ResourceExhausted,
    /// It is not for whoever wants it.
    PermissionDenied,
}
