//! A preview for clusters that are only described: the same division that the hub makes, without a hub.

use std::collections::BTreeMap;
use std::fmt;

use godwit_common::ClusterName;
use godwit_common::policy::{Mistake, Policy, REPLICAS_MAX};
use godwit_common::scenario::{CLUSTERS_MAX, Scenario, ScenarioCluster};

use crate::candidate::{Candidate, Room};
use crate::choices::{Choice, Choices};
use crate::divide::{Demand, Scratch, divide};
use crate::explain::bounds;
use crate::report::{Bound, Cap, Scarce};
use crate::taints::stance;

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
    /// Something is wrong with the policy, beyond that it may be one under which nobody gets a replica.
    Policy(Mistake),
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
                write!(f, "clusters: {name} is given twice; give each cluster once")
            }
            Self::Policy(mistake) => write!(f, "policy.{mistake}"),
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
    let policy = &scenario.policy;
    let choices = Choices::new(policy, clusters.values().map(|cluster| (&cluster.name, &cluster.traits)));
    let described = clusters.values().zip(choices.as_slice());
    let candidates: Vec<_> = described.map(|(cluster, choice)| candidate(cluster, choice, policy)).collect();
    let mut scratch = Scratch::default();
    let demand = Demand {
        replicas: scenario.replicas,
        at_most: u32::MAX,
        moves: policy.rebalance.moves(scenario.replicas),
        strategy: &policy.strategy,
    };
    let division = divide(&demand, &candidates, &mut scratch);
    let mut answer = Answer {
        placements: Vec::new(),
        pending: division.pending,
        reasons: division.reasons.to_vec(),
        report: Vec::new(),
    };
    let bounds = bounds(&demand, &candidates, &division);
    let counts = division.counts.iter().copied();
    for ((candidate, replicas), bound) in candidates.iter().zip(counts).zip(bounds) {
        let cluster = candidate.cluster.clone();
        let line = Line { cluster: cluster.clone(), running: candidate.held, replicas, bound };
        answer.report.push(line);
        if candidate.rule.is_ok() {
            answer.placements.push(Placement { cluster, replicas });
        }
    }
    Ok(answer)
}

fn candidate<'a>(cluster: &'a ScenarioCluster, choice: &'a Choice, policy: &Policy) -> Candidate<'a> {
    let stated = |replicas| Room::Limited { replicas, scarce: Scarce::Stated };
    let stance = stance(&policy.tolerations, cluster.taints.iter().map(|taint| (taint, 0)));
    Candidate {
        held: cluster.running,
        room: cluster.room.map_or(Room::Unlimited, stated),
        growth: stance.growth,
        avoided: stance.avoided,
        ..Candidate::new(&cluster.name, choice)
    }
}

fn check(scenario: &Scenario) -> Result<BTreeMap<&ClusterName, &ScenarioCluster>, ScenarioError> {
    let bounded = |field: &dyn Fn() -> String, value: u32| match value {
        0..=REPLICAS_MAX => Ok(()),
        _ => Err(ScenarioError::TooManyReplicas { field: field(), value }),
    };
    bounded(&|| "replicas".to_owned(), scenario.replicas)?;
    if scenario.clusters.len() > CLUSTERS_MAX {
        return Err(ScenarioError::TooManyClusters(scenario.clusters.len()));
    }
    if let Some(mistake) = scenario.policy.check_parts().into_iter().next() {
        return Err(ScenarioError::Policy(mistake));
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

#[cfg(test)]
mod tests {
    use godwit_common::Traits;
    use godwit_common::policy::Rule;

    use super::*;

    fn cluster(name: &str, running: u32, room: Option<u32>) -> ScenarioCluster {
        ScenarioCluster {
            name: name.parse().unwrap(),
            traits: Traits::default(),
            taints: Vec::new(),
            running,
            room,
        }
    }

    fn placements(answer: &Answer) -> Vec<(&str, u32)> {
        answer.placements.iter().map(|placement| (placement.cluster.as_str(), placement.replicas)).collect()
    }

    #[test]
    fn eligible_clusters_are_answered_in_order_of_name_with_zeros() {
        let rule = |weight| Rule::new(weight, 0, None).unwrap();
        let entries = [("west", rule(1)), ("north", rule(1)), ("east", rule(0))];
        let scenario = Scenario {
            replicas: 10,
            policy: Policy {
                clusters: entries.map(|(name, rule)| (name.parse().unwrap(), rule)).into(),
                ..Policy::default()
            },
            clusters: vec![
                cluster("west", 3, None),
                cluster("far", 2, None),
                cluster("north", 0, Some(2)),
                cluster("east", 0, None),
            ],
        };
        let answer = plan(&scenario).unwrap();
        assert_eq!(placements(&answer), [("east", 0), ("north", 2), ("west", 8)]);
        assert_eq!((answer.pending, answer.reasons.len()), (0, 0));
        let report: Vec<_> =
            answer.report.iter().map(|line| format!("{} {}", line.cluster, line.bound)).collect();
        let expected = [
            "east weight is 0",
            "far not eligible: not chosen by the policy",
            "north no room",
            "west share by weight",
        ];
        assert_eq!(report, expected);
    }

    #[test]
    fn running_replicas_are_cut_to_the_stated_room() {
        let clusters = vec![cluster("east", 5, Some(3)), cluster("west", 0, Some(1))];
        let answer = plan(&Scenario { replicas: 5, clusters, ..Scenario::default() }).unwrap();
        assert_eq!((placements(&answer), answer.pending), (vec![("east", 3), ("west", 1)], 1));
        assert_eq!(answer.reasons, [Cap::Room(Scarce::Stated)]);
    }

    #[test]
    fn the_order_of_clusters_changes_nothing() {
        let mut clusters = vec![cluster("a", 1, None), cluster("b", 0, None), cluster("c", 0, Some(9))];
        let ask = |clusters: &[ScenarioCluster]| {
            plan(&Scenario { replicas: 8, clusters: clusters.to_vec(), ..Scenario::default() }).unwrap()
        };
        let answer = ask(&clusters);
        clusters.reverse();
        assert_eq!(ask(&clusters), answer);
    }

    #[test]
    fn bad_scenarios_are_refused_by_field() {
        let refused = |replicas, clusters| {
            plan(&Scenario { replicas, clusters, ..Scenario::default() }).unwrap_err().to_string()
        };
        let over = REPLICAS_MAX + 1;
        assert_eq!(refused(over, vec![]), "replicas: 2147483648 is too large; give at most 2147483647");
        assert_eq!(
            refused(1, vec![cluster("east", over, None)]),
            "clusters[east].running: 2147483648 is too large; give at most 2147483647"
        );
        assert_eq!(
            refused(1, vec![cluster("east", 0, Some(over))]),
            "clusters[east].room: 2147483648 is too large; give at most 2147483647"
        );
        let policy = Policy { priority: 2_000, ..Policy::default() };
        let error = plan(&Scenario { policy, ..Scenario::default() }).unwrap_err().to_string();
        assert_eq!(error, "policy.priority: 2000 is out of range; give a number from -1000 to 1000");
        let twice = vec![cluster("east", 0, None), cluster("east", 1, None)];
        assert_eq!(refused(1, twice), "clusters: east is given twice; give each cluster once");
        let many = (0..=CLUSTERS_MAX).map(|index| cluster(&format!("c{index}"), 0, None)).collect();
        assert_eq!(refused(1, many), "clusters: 10001 are too many; give at most 10000");
    }
}
