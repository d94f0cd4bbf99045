//! A preview for clusters that are only described: the same division that the hub makes, without a hub.

use std::collections::BTreeMap;
use std::fmt;

use godwit_common::ClusterName;

use crate::candidate::{Candidate, Growth, Room};
use crate::divide::{Scratch, divide};
use crate::policy::{Policy, REPLICAS_MAX};
use crate::report::{Bound, Cap, Scarce};

/// The most clusters of a scenario.
pub const CLUSTERS_MAX: usize = 10_000;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scenario {
    /// The total to divide.
    pub replicas: u32,
    /// How.
    pub policy: Policy,
    /// Over which clusters; in any order.
    pub clusters: Vec<Cluster>,
}

/// A described cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Its name, unique in the scenario.
    pub name: ClusterName,
    /// How many replicas run there now.
    pub running: u32,
    /// How many fit in total, the running ones included; none: any number.
    pub room: Option<u32>,
}

/// Where everything would go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The eligible clusters in order of name, those that get nothing included.
    pub placements: Vec<Placement>,
    /// How many replicas have no place.
    pub pending: u32,
    /// What keeps them from having one.
    pub reasons: Vec<Cap>,
    /// All clusters in order of name.
    pub report: Vec<Line>,
}

/// How many replicas one cluster gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The cluster.
    pub cluster: ClusterName,
    /// The number.
    pub replicas: u32,
}

/// Why one cluster gets what it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The cluster.
    pub cluster: ClusterName,
    /// What runs there now.
    pub running: u32,
    /// What it gets.
    pub replicas: u32,
    /// What decided that.
    pub bound: Bound,
}

/// Why a scenario is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScenarioError {
    /// A number is beyond [`REPLICAS_MAX`].
    TooManyReplicas {
        /// Where it stands.
        field: String,
        /// The number.
        value: u32,
    },
    /// Two clusters have one name.
    DuplicateCluster(ClusterName),
    /// There are more than [`CLUSTERS_MAX`].
    TooManyClusters(usize),
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyReplicas { field, value } => {
                write!(f, "{field}: {value} is too large; give at most {REPLICAS_MAX}")
            }
            Self::DuplicateCluster(name) => {
                write!(f, "clusters: {name:?} is given twice; give each cluster once")
            }
            Self::TooManyClusters(count) => {
                write!(f, "clusters: {count} are too many; give at most {CLUSTERS_MAX}")
            }
        }
    }
}

impl std::error::Error for ScenarioError {}

/// Answers a scenario.
pub fn plan(scenario: &Scenario) -> Result<Answer, ScenarioError> {
    let clusters = check(scenario)?;
    let candidates: Vec<_> = clusters
        .values()
        .map(|cluster| candidate(cluster, &scenario.policy))
        .collect();
    let mut scratch = Scratch::default();
    let moves = scenario.policy.rebalance.moves(scenario.replicas);
    let division = divide(scenario.replicas, moves, &candidates, &mut scratch);
    let mut answer = Answer {
        placements: Vec::new(),
        pending: division.pending,
        reasons: division.reasons.to_vec(),
        report: Vec::new(),
    };
    for (index, (candidate, replicas)) in candidates.iter().zip(division.counts.iter().copied()).enumerate() {
        let cluster = candidate.cluster.clone();
        let bound = division.bound(index).unwrap_or(Bound::Weight);
        let line = Line {
            cluster: cluster.clone(),
            running: candidate.held,
            replicas,
            bound,
        };
        answer.report.push(line);
        if candidate.rule.is_some() {
            answer.placements.push(Placement { cluster, replicas });
        }
    }
    Ok(answer)
}

fn candidate<'a>(cluster: &'a Cluster, policy: &Policy) -> Candidate<'a> {
    let stated = |replicas| Room::Limited {
        replicas,
        scarce: Scarce::Stated,
    };
    Candidate {
        cluster: &cluster.name,
        rule: policy.rule_for(&cluster.name),
        held: cluster.running,
        room: cluster.room.map_or(Room::Unlimited, stated),
        growth: Growth::Allowed,
        tie: 0,
    }
}

fn check(scenario: &Scenario) -> Result<BTreeMap<&ClusterName, &Cluster>, ScenarioError> {
    let bounded = |field: &dyn Fn() -> String, value: u32| match value {
        0..=REPLICAS_MAX => Ok(()),
        _ => Err(ScenarioError::TooManyReplicas {
            field: field(),
            value,
        }),
    };
    bounded(&|| "replicas".to_owned(), scenario.replicas)?;
    if scenario.clusters.len() > CLUSTERS_MAX {
        return Err(ScenarioError::TooManyClusters(scenario.clusters.len()));
    }
    let mut clusters = BTreeMap::new();
    for cluster in &scenario.clusters {
        let field = |what: &str| format!("clusters[{}].{what}", cluster.name);
        bounded(&|| field("running"), cluster.running)?;
        bounded(&|| field("room"), cluster.room.unwrap_or(0))?;
        if clusters.insert(&cluster.name, cluster).is_some() {
            return Err(ScenarioError::DuplicateCluster(cluster.name.clone()));
        }
    }
    Ok(clusters)
}
