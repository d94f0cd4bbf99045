//! What the hub shows: plain copies, made when something changed, read without a lock.

mod cluster;
mod migration;
mod plan;
mod workload;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use godwit_common::quota::Usage;
use godwit_common::{ClusterName, Epoch, PolicyName, Uid, WallTime};

use super::{
    Freeze, IssuerRecord, MigrationId, Policy, QuotaRecord, RetiredRecord, RevocationRecord, Roles,
    TokenRecord,
};

pub use cluster::{ClusterState, ClusterView, DrainView, FlappingView, OrphanView, Survival};
pub use migration::{ArrivalView, MigrationView};
pub use plan::{Changes, PlanChange, PlanRowView, PlanView, WhatIf, WhatIfView};
pub use workload::{PlacementView, WithdrawalId, WithdrawalView, WorkloadView};

/// Something whose view has changed, or that is gone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// See [`FederationView`].
    Federation,
    /// See [`ClusterView`].
    Cluster(ClusterName),
    /// See [`WorkloadView`].
    Workload(Uid),
    /// See [`PolicyView`].
    Policy(PolicyName),
    /// See [`MigrationView`].
    Migration(MigrationId),
    /// See [`QuotaView`].
    Quota(Arc<str>),
}

/// The federation as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct FederationView {
    /// Who it is.
    pub uid: Uid,
    /// The leadership.
    pub epoch: Epoch,
    /// Whether failover is frozen, and why.
    pub freeze: Option<Freeze>,
    /// What an operator should look at.
    pub alarms: Vec<String>,
    /// Clusters that were retired, and do not join again by themselves; the last first.
    pub retired: Vec<RetiredRecord>,
    /// Join tokens; the last first.
    pub tokens: Vec<TokenRecord>,
    /// Who is kept out.
    pub revocations: Vec<RevocationRecord>,
    /// Who may do what.
    pub roles: Arc<Roles>,
    /// Who signs for the pods of clusters.
    pub issuers: Arc<BTreeMap<ClusterName, IssuerRecord>>,
}

/// A policy.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyView {
    /// All of it.
    pub policy: Policy,
    /// How many workloads use it.
    pub workloads: u32,
}

/// What a namespace may hold, and what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaView {
    /// The bounds.
    pub record: QuotaRecord,
    /// What all placed replicas of the namespace amount to.
    pub used: Usage,
}

/// What is under the fence `gate`: of one cluster, or of one workload (S9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateView {
    /// How many pods may run that end by themselves.
    pub pods: u64,
    /// When they do: as soon as no hub has renewed their lease for so long.
    pub lease: Duration,
    /// How long after its last renewal they count as gone, where they cannot be seen.
    pub wait: Duration,
    /// When that is, of a cluster that cannot be seen now.
    pub ends: Option<WallTime>,
    /// Where pods have no supervisor, so that the fence is as `confirm`: workloads of the cluster, or clusters of the
    /// workload. At most twenty of them.
    pub unsupervised: Vec<String>,
}
