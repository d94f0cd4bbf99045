//! What a policy asks for.

use std::collections::BTreeMap;
use std::fmt;

use godwit_common::ClusterName;

use crate::strategy::Strategy;

/// The largest weight; weights are ratios, so nobody needs more, and it fits the `int32` of Kubernetes APIs.
pub const WEIGHT_MAX: u32 = i32::MAX as u32;

/// The largest number of replicas, a Kubernetes `int32`.
pub const REPLICAS_MAX: u32 = i32::MAX as u32;

/// How far `gradual` goes in one step, in percent of the wanted replicas.
pub const GRADUAL_STEP_PERCENT: u32 = 10;

/// How a policy divides one workload's replicas over clusters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// By what the shares are decided.
    pub strategy: Strategy,
    /// The rule of clusters that have none of their own.
    pub default: Option<Rule>,
    /// Rules by cluster.
    pub clusters: BTreeMap<ClusterName, Rule>,
    /// Whether running replicas move for balance alone.
    pub rebalance: Rebalance,
    /// Who is served first in a shortage: higher before lower (S16).
    pub priority: i32,
}

impl Policy {
    /// The rule of a cluster; none when the policy does not choose it. Where the policy names clusters but has no
    /// default, it chooses only those; where it names none, it chooses all of them alike. With tiers, it chooses those
    /// in a tier.
    pub fn rule_for(&self, cluster: &ClusterName) -> Option<Rule> {
        let tiers = self.strategy.tiers();
        if tiers.is_some_and(|tiers| tiers.of(cluster).is_none()) {
            return None;
        }
        let alike = || (tiers.is_some() || self.clusters.is_empty()).then(Rule::default);
        self.clusters.get(cluster).copied().or(self.default).or_else(alike)
    }

    /// Whether every rule goes with the strategy.
    pub fn check(&self) -> Result<(), Mismatch> {
        let entries = self.clusters.iter().map(|(name, rule)| (Some(name), *rule));
        for (name, rule) in entries.chain(self.default.map(|rule| (None, rule))) {
            let untiered =
                self.strategy.tiers().zip(name).is_some_and(|(tiers, name)| tiers.of(name).is_none());
            let problem = self.strategy.refuses(rule);
            if let Some(problem) = problem.or(untiered.then_some(UNTIERED)) {
                return Err(Mismatch { cluster: name.cloned(), problem });
            }
        }
        Ok(())
    }
}

const UNTIERED: &str = "it is in no tier, so it never gets anything; add it to one, or leave it out";

/// A rule that does not go with its policy's strategy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Whose rule; none for the default.
    pub cluster: Option<ClusterName>,
    /// Which part of it, why, and the remedy.
    pub problem: &'static str,
}

/// What one cluster may get: a share by weight, never less than the minimum nor more than the maximum.
/// Valid by construction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule {
    weight: u32,
    min: u32,
    max: Option<u32>,
}

impl Rule {
    /// A rule within bounds: a weight of 0 means the minimum and no more; the minimum is a floor of the share.
    pub fn new(weight: u32, min: u32, max: Option<u32>) -> Result<Self, RuleError> {
        let too_large = |field, value, limit| Err(RuleError::TooLarge { field, value, limit });
        if weight > WEIGHT_MAX {
            return too_large("weight", weight, WEIGHT_MAX);
        }
        if min > REPLICAS_MAX {
            return too_large("min", min, REPLICAS_MAX);
        }
        match max {
            Some(max) if max > REPLICAS_MAX => too_large("max", max, REPLICAS_MAX),
            Some(max) if max < min => Err(RuleError::MaxBelowMin { min, max }),
            Some(_) | None => Ok(Self { weight, min, max }),
        }
    }

    /// The share's size in relation to other clusters' weights.
    pub fn weight(self) -> u32 {
        self.weight
    }

    /// The least number of replicas, as far as the total suffices.
    pub fn min(self) -> u32 {
        self.min
    }

    /// The greatest number of replicas.
    pub fn max(self) -> Option<u32> {
        self.max
    }
}

impl Default for Rule {
    /// An even share without bounds.
    fn default() -> Self {
        Self { weight: 1, min: 0, max: None }
    }
}

/// Why a rule is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleError {
    /// A number is beyond its limit.
    TooLarge {
        /// The field that is too large.
        field: &'static str,
        /// Its value.
        value: u32,
        /// The largest allowed value.
        limit: u32,
    },
    /// No number satisfies both bounds.
    MaxBelowMin {
        /// The minimum.
        min: u32,
        /// The maximum.
        max: u32,
    },
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { field, value, limit } => {
                write!(f, "{field}: {value} is too large; give at most {limit}")
            }
            Self::MaxBelowMin { min, max } => {
                write!(f, "max: {max} is below min {min}; raise max or lower min")
            }
        }
    }
}

impl std::error::Error for RuleError {}

/// Whether replicas that run well move only because the shares are out of balance (S18).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Rebalance {
    /// They stay where they are.
    #[default]
    Never,
    /// They move towards the policy's own division, a step at a time.
    Gradual,
    /// They follow the policy's own division at once.
    Always,
}

impl Rebalance {
    /// How many replicas may move for balance in one step: what [`divide`](crate::divide) takes. Whoever paces
    /// `gradual` passes 0 until the next step is due.
    pub fn moves(self, wanted: u32) -> u32 {
        match self {
            Self::Never => 0,
            Self::Gradual => {
                let step = (u64::from(wanted) * u64::from(GRADUAL_STEP_PERCENT)).div_ceil(100);
                u32::try_from(step).unwrap_or(u32::MAX)
            }
            Self::Always => u32::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_beyond_its_bounds_is_refused_by_field_and_value() {
        let refused = |weight, min, max| Rule::new(weight, min, max).unwrap_err().to_string();
        let over = i32::MAX as u32 + 1;
        assert_eq!(refused(over, 0, None), "weight: 2147483648 is too large; give at most 2147483647");
        assert_eq!(refused(1, over, None), "min: 2147483648 is too large; give at most 2147483647");
        assert_eq!(refused(1, 0, Some(over)), "max: 2147483648 is too large; give at most 2147483647");
        assert_eq!(refused(1, 3, Some(2)), "max: 2 is below min 3; raise max or lower min");
        assert!(Rule::new(WEIGHT_MAX, REPLICAS_MAX, Some(REPLICAS_MAX)).is_ok());
    }

    #[test]
    fn a_cluster_is_chosen_by_entry_then_default_then_by_there_being_no_entries() {
        let [east, west] = ["east", "west"].map(|name| name.parse::<ClusterName>().unwrap());
        let (heavy, light) = (Rule::new(9, 0, None).unwrap(), Rule::new(2, 0, None).unwrap());
        let mut policy = Policy::default();
        assert_eq!(policy.rule_for(&east), Some(Rule::default()));
        policy.clusters.insert(east.clone(), heavy);
        assert_eq!((policy.rule_for(&east), policy.rule_for(&west)), (Some(heavy), None));
        policy.default = Some(light);
        assert_eq!((policy.rule_for(&east), policy.rule_for(&west)), (Some(heavy), Some(light)));
    }

    #[test]
    fn a_gradual_step_is_a_tenth_rounded_up() {
        let steps = [0, 1, 10, 11, u32::MAX].map(|wanted| Rebalance::Gradual.moves(wanted));
        assert_eq!(steps, [0, 1, 1, 2, 429_496_730]);
        assert_eq!((Rebalance::Never.moves(100), Rebalance::Always.moves(100)), (0, u32::MAX));
    }
}
