//! Member clusters, as they are shown.

use std::sync::Arc;
use std::time::Duration;

use godwit_common::link::Unmanaged;
use godwit_common::{ClusterName, Generation, Resources, Traits, Uid, WallTime, WorkloadId};

use super::GateView;
use crate::contract::{ClusterTaint, Drain, MigrationId};

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
