//! What the hub shows: plain copies, made when something changed, read without a lock.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use godwit_common::link::{Difference, Finished, Unmanaged};
use godwit_common::policy::TrafficGate;
use godwit_common::quota::Usage;
use godwit_common::selector::Labels;
use godwit_common::{
    ClusterName, Epoch, Generation, PolicyName, Resources, Traits, Uid, WallTime, WorkloadId,
};

use super::{
    ClusterTaint, Drain, Freeze, IssuerRecord, Migration, MigrationId, MigrationState, Policy, QuotaRecord,
    RetiredRecord, RevocationRecord, Roles, RolloutView, StateRevision, TokenRecord,
};

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

/// The state of a member cluster. `Returning` and those of planned changes come with the rules that need them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClusterState {
    /// Not seen since the hub started; its window is still open (S5).
    Unknown,
    /// Connected, but its inventory has never come (S23).
    Joining,
    /// Connected.
    Ready,
    /// No live stream; nothing moves yet (S1).
    Suspect,
    /// Away for longer than its shortest policy allows (S1).
    Lost,
    /// Connected again after a loss; its inventory has not come yet (S11).
    Returning,
}

impl ClusterState {
    /// The state's name.
    pub fn as_str(self) -> &'static str {
        match self {
            ClusterState::Unknown => "Unknown",
            ClusterState::Joining => "Joining",
            ClusterState::Ready => "Ready",
            ClusterState::Suspect => "Suspect",
            ClusterState::Lost => "Lost",
            ClusterState::Returning => "Returning",
        }
    }
}

/// A member cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterView {
    /// Its name.
    pub name: ClusterName,
    /// Its identity.
    pub uid: Uid,
    /// The identity of another cluster that would have its name, and was refused (S23).
    pub claimant: Option<Uid>,
    /// Its state.
    pub state: ClusterState,
    /// Why it is in that state.
    pub reason: Arc<str>,
    /// Since when.
    pub since: WallTime,
    /// How many of its agents are connected.
    pub agents: u32,
    /// The instance of the agent that leads; empty if none does.
    pub leader: Arc<str>,
    /// What policies choose it by.
    pub traits: Traits,
    /// Its taints.
    pub taints: Vec<ClusterTaint>,
    /// It gets nothing new, by an operator's word.
    pub cordoned: bool,
    /// What it holds goes elsewhere, by an operator's word.
    pub drain: Option<DrainView>,
    /// Until when an operator announced that it may be away.
    pub maintenance: Option<WallTime>,
    /// It is lost, and its return is awaited: the migration that was cancelled for that.
    pub awaited: Option<MigrationId>,
    /// When an operator said that it is dead (S9).
    pub dead: Option<WallTime>,
    /// While it cannot be seen: how many pods of `atMost` workloads may still run there, and keep others from starting.
    pub unaccounted: u64,
    /// What ends by itself there under the fence `gate`; none if nothing is under it.
    pub gate: Option<GateView>,
    /// What is wrong with the cluster itself, so that it gets nothing new (S3); empty if nothing is.
    pub degraded: Arc<str>,
    /// What is asked of it before it gets anything new, because it keeps losing its connection (S4).
    pub flapping: Option<FlappingView>,
    /// Whether the others could take over what it holds; none as long as it was not found out.
    pub survival: Option<Survival>,
    /// How many nodes there are.
    pub nodes: u32,
    /// How many of them are ready.
    pub nodes_ready: u32,
    /// What all nodes offer.
    pub allocatable: Resources,
    /// What is free.
    pub free: Resources,
    /// Pods that stay when everything managed is gone (S21).
    pub unmanaged: Unmanaged,
    /// Workloads with a placement here.
    pub workloads: u32,
    /// The replicas of all placements.
    pub replicas: u32,
    /// Managed pods that are ready; zero while it is not connected.
    pub ready: u32,
    /// The generation of its targets.
    pub generation: Generation,
    /// The newest generation that its leading agent holds.
    pub accepted: Generation,
    /// The last sign of life that changed its state or brought a report.
    pub last_seen: WallTime,
    /// Removals that the guard holds back (S27).
    pub removals_held: u32,
    /// Managed objects that no workload explains (S27).
    pub orphans: Vec<OrphanView>,
    /// When its silence counts as a loss: the shortest of the policies in use there.
    pub lost_after: Duration,
}

/// A managed object in a member that no workload explains (S27).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrphanView {
    /// What it would be.
    pub workload: WorkloadId,
    /// The life that it was applied for, from its label.
    pub uid: Uid,
    /// The revision that was applied last, from its annotation.
    pub revision: u64,
    /// Its pods, as reported last, terminating ones included.
    pub pods: u32,
    /// Those of them that were ready.
    pub ready: u32,
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

/// What is asked of a flapping cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlappingView {
    /// For how long it has to be stable.
    pub stable_for: Duration,
    /// Until when it has to stay so; none while it is away, since that begins anew.
    pub until: Option<WallTime>,
}

/// A drain, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrainView {
    /// The order.
    pub drain: Drain,
    /// How many pods are left, and of how many workloads.
    pub pods: u32,
    /// See `pods`.
    pub workloads: u32,
    /// What holds it up, of the first workloads of which something is left.
    pub waiting: Vec<(WorkloadId, String)>,
}

/// Whether the fleet would survive the loss of one cluster (N-1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survival {
    /// How many replicas would be left without a place: its own, or those that give way to them (S16).
    pub unplaced: u64,
    /// Of how many workloads.
    pub workloads: u32,
    /// The most urgent of those workloads, and how many replicas of each.
    pub examples: Vec<(WorkloadId, u32)>,
    /// When this was found out.
    pub checked: WallTime,
}

/// What a namespace may hold, and what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaView {
    /// The bounds.
    pub record: QuotaRecord,
    /// What all placed replicas of the namespace amount to.
    pub used: Usage,
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

impl PlacementView {
    /// Whether the cluster differs from what it was told, and is left so (S29).
    pub fn is_drifted(&self) -> bool {
        self.drift.is_some() || !self.edited.is_empty()
    }
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

/// A policy.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyView {
    /// All of it.
    pub policy: Policy,
    /// How many workloads use it.
    pub workloads: u32,
}

/// A migration.
#[derive(Debug, Clone, PartialEq)]
pub struct MigrationView {
    /// The record.
    pub migration: Migration,
    /// Its state; that of a drain's is paused as long as the drain stands still.
    pub state: MigrationState,
    /// Why nothing of it goes on, and the remedy; empty if it does, or has ended.
    pub halted: String,
    /// How many replicas move.
    pub replicas: u32,
    /// How many of them run ready in their new place.
    pub replicas_ready: u32,
    /// Of how many workloads.
    pub workloads: u32,
    /// How many of these are ready in their new places.
    pub workloads_ready: u32,
    /// When it ends if it goes on as fast as since it began or was resumed; none before the first replica is ready, and
    /// while it stands still.
    pub estimated_end: Option<WallTime>,
    /// What it still waits for, of the first workloads.
    pub waiting: Vec<ArrivalView>,
}

/// What a migration waits for in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrivalView {
    /// Which workload.
    pub id: WorkloadId,
    /// Where.
    pub cluster: ClusterName,
    /// How many replicas of it are not ready there.
    pub missing: u32,
    /// Why not.
    pub reason: Cow<'static, str>,
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

impl fmt::Display for WithdrawalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, number } = self;
        write!(f, "{}-{number}", epoch.0)
    }
}
