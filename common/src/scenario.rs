//! A question about clusters that are only described: what would a policy make of them?

use crate::policy::Policy;
use crate::{ClusterName, Taint, Traits};

/// The most clusters of a scenario: as many as a federation has.
pub const CLUSTERS_MAX: usize = crate::policy::limits::CLUSTERS_MAX;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scenario {
    /// The total to divide.
    pub replicas: u32,
    /// How.
    pub policy: Policy,
    /// Over which clusters; in any order.
    pub clusters: Vec<ScenarioCluster>,
}

/// A described cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioCluster {
    /// Its name, unique in a scenario that makes sense.
    pub name: ClusterName,
    /// What policies choose it by.
    pub traits: Traits,
    /// Its taints, as if they had just been added.
    pub taints: Vec<Taint>,
    /// How many replicas run there now.
    pub running: u32,
    /// How many fit in total, the running ones included; none: any number.
    pub room: Option<u32>,
}
