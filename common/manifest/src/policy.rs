//! What a policy says: how the hub divides and moves a workload's replicas.

use std::collections::BTreeMap;
use std::time::Duration;

use godwit_common::{ClusterName, PolicyName};

/// A policy as its author wrote it, with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySpec {
    /// Its name.
    pub name: PolicyName,
    /// How replicas are divided.
    pub strategy: Strategy,
    /// The share of every cluster that `clusters` does not name. Without it, only the named ones are eligible; where
    /// none is named either, all are, and alike.
    pub default: Option<ClusterShare>,
    /// The shares of named clusters.
    pub clusters: BTreeMap<ClusterName, ClusterShare>,
    /// What happens to running copies when the division changes (S18).
    pub rebalance: Rebalance,
    /// How long a cluster may be silent before its replicas are replaced (S1); the hub's own setting if it is not said.
    pub lost_after: Option<Duration>,
    /// Whether two copies of a replica may run during a partition (S8).
    pub mode: Mode,
    /// Who goes first when room or pace is short (S7, S16): higher before lower.
    pub priority: i32,
    /// How many ready replicas below the wanted number a planned step may leave (S20).
    pub max_unavailable: u32,
}

/// How replicas are divided over clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Strategy {
    /// In proportion to weights (S19).
    Weighted,
    /// In proportion to the room that each cluster has for the workload.
    Capacity,
    /// Evenly.
    Spread {
        /// How many more than the emptiest cluster that may grow a cluster may be given.
        max_skew: Option<u32>,
    },
    /// Into as few clusters as possible.
    Pack,
    /// The first tier is filled first, then the next.
    Ordered {
        /// At least one; none is empty, and no cluster is named twice.
        tiers: Vec<Vec<ClusterName>>,
    },
    /// The full number in every chosen cluster.
    Duplicate,
}

/// What one cluster may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterShare {
    /// Its part in proportion to the others; 0 means nothing beyond `min`.
    pub weight: u32,
    /// The fewest replicas that it gets.
    pub min: u32,
    /// The most replicas that it gets; `None` means no limit. Never below `min`.
    pub max: Option<u32>,
}

/// What happens to running copies when the division changes (S18).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebalance {
    /// They stay; only missing seats are given and surplus ones taken.
    Never,
    /// They move towards the division, a step at a time.
    Gradual,
    /// They move to the division.
    Always,
}

/// Whether two copies of a replica may run during a partition (S8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Replaced as soon as the cluster is Lost; both copies may run for a while.
    Available,
}
