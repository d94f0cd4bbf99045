//! By what a policy's shares are decided.

use std::fmt;

use super::rule::Rule;
use super::selector::ClusterSelector;
use super::spread::SpreadConstraint;
use crate::ClusterName;
use crate::traits::Traits;

/// How replicas are divided over the clusters that a policy chooses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Strategy {
    /// In proportion to the rules' weights.
    #[default]
    Weighted,
    /// In proportion to the room for this workload, what it holds included.
    Capacity,
    /// Evenly: over groups of clusters first, if there are constraints that make some.
    Spread(Vec<SpreadConstraint>),
    /// Into as few clusters as possible: one after another is filled, those already used first, then the largest.
    Pack,
    /// Tier after tier is filled, each by weight; the last is emptied first.
    Ordered(Tiers),
    /// Every cluster runs the full number.
    Duplicate,
}

/// Which clusters come first, which next: the first tier that chooses a cluster is its own. Valid by construction: at
/// least one tier, none without any condition, no cluster named twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tiers(Vec<ClusterSelector>);

impl Tiers {
    /// Tiers in their order.
    pub fn new(tiers: Vec<ClusterSelector>) -> Result<Self, TiersError> {
        if tiers.is_empty() {
            return Err(TiersError::None);
        }
        for (tier, selector) in tiers.iter().enumerate() {
            if selector.is_empty() {
                return Err(TiersError::Empty { tier });
            }
            let before = tiers.iter().take(tier);
            let named = |name: &&ClusterName| before.clone().any(|earlier| earlier.names.contains(*name));
            if let Some(name) = selector.names.iter().find(named) {
                return Err(TiersError::Twice(name.clone()));
            }
        }
        Ok(Self(tiers))
    }

    /// The tiers in their order.
    pub fn selectors(&self) -> &[ClusterSelector] {
        &self.0
    }

    /// The tier of a cluster, from 0; none when it is in no tier.
    pub fn of(&self, cluster: &ClusterName, traits: &Traits) -> Option<u32> {
        let found = self.0.iter().zip(0..).find(|(selector, _)| selector.matches(cluster, traits));
        found.map(|(_, number)| number)
    }

    /// Whether a cluster of this name can be in a tier.
    pub fn may_hold(&self, cluster: &ClusterName) -> bool {
        self.0.iter().any(|selector| selector.may_hold(cluster))
    }
}

/// Why tiers are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TiersError {
    /// There are none.
    None,
    /// One is empty.
    Empty {
        /// Which, from 0.
        tier: usize,
    },
    /// A cluster is named twice.
    Twice(ClusterName),
}

impl fmt::Display for TiersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("there are none; list the clusters to fill first, then the next"),
            Self::Empty { tier } => write!(f, "tier {} is empty; remove it or name a cluster", tier + 1),
            Self::Twice(cluster) => write!(f, "{cluster} is named twice; leave it in one tier"),
        }
    }
}

impl std::error::Error for TiersError {}

impl Strategy {
    /// The strategy's name, as policies write it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Weighted => "weighted",
            Self::Capacity => "capacity",
            Self::Spread(_) => "spread",
            Self::Pack => "pack",
            Self::Ordered(_) => "ordered",
            Self::Duplicate => "duplicate",
        }
    }

    /// The tiers, if it has any.
    pub fn tiers(&self) -> Option<&Tiers> {
        match self {
            Self::Ordered(tiers) => Some(tiers),
            Self::Weighted | Self::Capacity | Self::Spread(_) | Self::Pack | Self::Duplicate => None,
        }
    }

    /// The constraints of a spread; none for every other strategy.
    pub fn constraints(&self) -> &[SpreadConstraint] {
        match self {
            Self::Spread(constraints) => constraints,
            Self::Weighted | Self::Capacity | Self::Pack | Self::Ordered(_) | Self::Duplicate => &[],
        }
    }

    /// Why a rule does not go with the strategy, if it does not: what a strategy does not heed, it refuses.
    pub fn refuses(&self, rule: Rule) -> Option<&'static str> {
        let weighs = rule.weight() > 1;
        let bounded = rule.min() > 0 || rule.max().is_some();
        match self {
            Self::Weighted | Self::Ordered(_) => None,
            Self::Capacity | Self::Spread(_) | Self::Pack | Self::Duplicate if weighs => Some(
                "weight: only weighted and ordered heed weights above 1; leave it out, or give 0 for none",
            ),
            Self::Duplicate if bounded => {
                Some("min, max: with duplicate every cluster runs the full number; leave them out")
            }
            Self::Spread(constraints) if !constraints.is_empty() && rule.min() > 0 => {
                Some("min: a minimum breaks the constraints of spread; leave one of them out")
            }
            Self::Capacity | Self::Spread(_) | Self::Pack | Self::Duplicate => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::GroupBy;
    use super::*;

    fn tiers(lists: &[&[&str]]) -> Result<Tiers, TiersError> {
        let tier =
            |names: &&[&str]| ClusterSelector::of_names(names.iter().map(|name| name.parse().unwrap()));
        Tiers::new(lists.iter().map(tier).collect())
    }

    #[test]
    fn tiers_are_numbered_and_bad_ones_refused() {
        let good = tiers(&[&["b", "a"], &["c"]]).unwrap();
        let of = |name: &str| good.of(&name.parse().unwrap(), &Traits::default());
        assert_eq!((of("a"), of("b"), of("c"), of("d")), (Some(0), Some(0), Some(1), None));
        let refused = |lists: &[&[&str]]| tiers(lists).unwrap_err().to_string();
        assert_eq!(refused(&[]), "there are none; list the clusters to fill first, then the next");
        assert_eq!(refused(&[&["a"], &[]]), "tier 2 is empty; remove it or name a cluster");
        assert_eq!(refused(&[&["a"], &["a"]]), "a is named twice; leave it in one tier");
    }

    #[test]
    fn what_a_strategy_does_not_heed_it_refuses() {
        let [heavy, none, least] = [(2, 0), (0, 0), (1, 1)].map(|(weight, min)| Rule::new(weight, min, None));
        let (heavy, none, least) = (heavy.unwrap(), none.unwrap(), least.unwrap());
        let skew = SpreadConstraint {
            by: GroupBy::Cluster,
            min_groups: None,
            max_groups: None,
            max_skew: Some(1),
            soft: false,
        };
        let skewed = Strategy::Spread(vec![skew]);
        for (strategy, rule, refused) in [
            (Strategy::Weighted, heavy, false),
            (Strategy::Ordered(tiers(&[&["a"]]).unwrap()), heavy, false),
            (Strategy::Capacity, heavy, true),
            (Strategy::Pack, heavy, true),
            (skewed.clone(), heavy, true),
            (Strategy::Pack, none, false),
            (Strategy::Pack, least, false),
            (Strategy::Duplicate, none, false),
            (Strategy::Duplicate, least, true),
            (skewed, least, true),
            (Strategy::Spread(Vec::new()), least, false),
        ] {
            assert_eq!(strategy.refuses(rule).is_some(), refused, "{strategy:?} {rule:?}");
        }
    }
}
