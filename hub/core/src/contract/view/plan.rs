//! Plans, as they are shown: the one in force, and how it changes or would change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::{ClusterName, PolicyName, WorkloadId};

use crate::contract::StateRevision;

/// The plan in force for a workload, with its reasons (S30).
#[derive(Debug, Clone, PartialEq)]
pub struct PlanView {
    /// Which workload.
    pub id: WorkloadId,
    /// What the answer rests on (S30).
    pub inputs: StateRevision,
    /// The total.
    pub replicas: u32,
    /// What was divided: the total, times the chosen clusters under `duplicate`.
    pub wanted: u32,
    /// Wanted but not placed.
    pub pending: u32,
    /// Why.
    pub reasons: Vec<Arc<str>>,
    /// The policy in force.
    pub policy: PolicyName,
    /// In order of cluster.
    pub report: Vec<PlanRowView>,
}

/// What decided the share of one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRowView {
    /// Which cluster.
    pub cluster: ClusterName,
    /// Whether the policy lets the workload run there.
    pub eligible: bool,
    /// From the policy.
    pub weight: u32,
    /// From the policy.
    pub min: u32,
    /// From the policy; none is unlimited.
    pub max: Option<u32>,
    /// What the workload could have there in all; none if not known.
    pub room: Option<u32>,
    /// The share.
    pub replicas: u32,
    /// What decided.
    pub reason: String,
    /// What would change it; empty if nothing keeps it from its share.
    pub remedy: String,
}

/// A plan that changes, or would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanChange {
    /// Of which workload.
    pub id: WorkloadId,
    /// The policy then in force.
    pub policy: PolicyName,
    /// Where the counts differ, in order of name: before and after.
    pub counts: Vec<(ClusterName, u32, u32)>,
    /// What is pending before.
    pub pending_before: u32,
    /// And after.
    pub pending_after: u32,
    /// Why the latter is.
    pub reasons: Vec<Arc<str>>,
}

/// The plans that change, or would change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// The most urgent first; at most a thousand, with twenty thousand counts.
    pub plans: Vec<PlanChange>,
    /// How many there are in all.
    pub total: u64,
    /// What they were decided on, or would be (S30).
    pub inputs: StateRevision,
}

/// What is supposed about the clusters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WhatIf {
    /// They are lost.
    pub lose: BTreeSet<ClusterName>,
    /// They are drained.
    pub drain: BTreeSet<ClusterName>,
    /// They join, empty, each like another one is.
    pub add: BTreeMap<ClusterName, ClusterName>,
}

/// What would come of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WhatIfView {
    /// The plans that would change.
    pub changes: Changes,
    /// How many replicas would go elsewhere.
    pub moved: u64,
    /// How many replicas of those workloads are pending now.
    pub pending_before: u64,
    /// And would be.
    pub pending_after: u64,
}
