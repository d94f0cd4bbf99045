//! Workloads, as they are shown, as a whole and in each cluster.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use godwit_common::link::{Difference, Finished};
use godwit_common::policy::TrafficGate;
use godwit_common::selector::Labels;
use godwit_common::{ClusterName, Epoch, PolicyName, Uid, WallTime, WorkloadId};

use super::GateView;
use crate::contract::RolloutView;

/// A workload.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkloadView {
    /// Who.
    pub id: WorkloadId,
    /// This life of it.
    pub uid: Uid,
    /// Of its own metadata; none once its end is decided.
    pub labels: Labels,
    /// The total.
    pub replicas: u32,
    /// How many run if all is well: the total, times the chosen clusters under `duplicate`.
    pub wanted: u32,
    /// Ready ones, in connected clusters.
    pub ready: u32,
    /// Wanted but not placed.
    pub pending: u32,
    /// Why.
    pub pending_reasons: Vec<Arc<str>>,
    /// The policy in force; none once its end is decided.
    pub policy: Option<PolicyName>,
    /// Only its count is Godwit's (S33).
    pub scale_only: bool,
    /// The workload whose clusters it shares, if its policy colocates.
    pub leader: Option<WorkloadId>,
    /// Its newest revision, and how far that is (S31).
    pub rollout: RolloutView,
    /// In order of cluster.
    pub placements: Vec<PlacementView>,
    /// What losses and drains took from clusters and has not come back (S12, S13).
    pub displaced: Vec<(ClusterName, u32)>,
    /// How many copies beyond the total may run where the hub cannot see (S8).
    pub possible_over_run: u32,
    /// What of it ends by itself; none if its fence is another.
    pub gate: Option<GateView>,
    /// How it has ended, if it is a Job and has (S33).
    pub finished: Option<Finished>,
    /// Its end is decided.
    pub deleting: bool,
    /// Who has yet to confirm the end (S28).
    pub deletion_pending_on: Vec<ClusterName>,
    /// What goes ahead of it, as text.
    pub objects: Vec<String>,
    /// What hinders it, by cluster.
    pub problems: Vec<String>,
    /// When it was created.
    pub created: WallTime,
}

/// A workload in a cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct PlacementView {
    /// Where.
    pub cluster: ClusterName,
    /// The plan.
    pub target: u32,
    /// What the cluster was told.
    pub sent: u32,
    /// Pods that exist, as last reported.
    pub observed: u32,
    /// Pods that are ready; zero while the cluster is not connected.
    pub ready: u32,
    /// The revision that the cluster was told to run.
    pub revision: u64,
    /// How many pods of the object's present template there are, and how many of them are ready at least; zero while the
    /// cluster is not connected.
    pub updated: u32,
    /// See `updated`.
    pub updated_ready: u32,
    /// Why it has what it has.
    pub reason: Cow<'static, str>,
    /// Whether the cluster is connected.
    pub live: bool,
    /// Whether the workload's policy has given the cluster up (S1).
    pub lost: bool,
    /// Those of the ready ones that are neither told nor announced to stop: to them traffic may go.
    pub serving: u32,
    /// What is announced to stop (S20); boxed, since nearly always there is none.
    pub withdrawal: Option<Box<WithdrawalView>>,
    /// How the cluster differs from what it was told, where that is left as it is (S29).
    pub drift: Option<Difference>,
    /// The fields that somebody has changed there by hand, of it and of what it leans on; may be empty.
    pub edited: Arc<str>,
}

/// Names an announcement. None has the name of another, whatever restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WithdrawalId {
    /// Of the hub that announced it.
    pub epoch: Epoch,
    /// Counted by that hub.
    pub number: u64,
}

/// Ready replicas that are announced to stop, until the traffic gate lets them (S20).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithdrawalView {
    /// Its name.
    pub id: WithdrawalId,
    /// What it waits for.
    pub gate: TrafficGate,
    /// How many stay.
    pub stays: u32,
    /// When they stop without anybody's word; none if they do not.
    pub until: Option<WallTime>,
}

impl PlacementView {
    /// Whether the cluster differs from what it was told, and is left so (S29).
    pub fn is_drifted(&self) -> bool {
        self.drift.is_some() || !self.edited.is_empty()
    }
}

impl fmt::Display for WithdrawalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, number } = self;
        write!(f, "{}-{number}", epoch.0)
    }
}
