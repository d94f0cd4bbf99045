//! By what a policy's shares are decided.

use std::collections::BTreeSet;

use super::limits::TIERS_MAX;
use super::mistake::{Mistake, Step};
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

/// A strategy without what belongs to it: what the word alone says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum StrategyKind {
    /// Of [`Strategy::Weighted`].
    #[default]
    Weighted,
    /// Of [`Strategy::Capacity`].
    Capacity,
    /// Of [`Strategy::Spread`].
    Spread,
    /// Of [`Strategy::Pack`].
    Pack,
    /// Of [`Strategy::Ordered`].
    Ordered,
    /// Of [`Strategy::Duplicate`].
    Duplicate,
}

/// Which clusters come first, which next: the first tier that chooses a cluster is its own. Valid by construction: at
/// least one tier, none without any condition, no cluster named twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tiers(Vec<ClusterSelector>);

impl Tiers {
    /// How tiers are written.
    pub const REMEDY: &str = "list the clusters to fill first, then the next, such as [[a, b], [c]]";

    /// Tiers in their order.
    pub fn new(tiers: Vec<ClusterSelector>) -> Result<Self, Mistake> {
        const FIELD: Step = Step::Field("tiers");
        if tiers.is_empty() {
            return Err(Mistake::new(&[FIELD], "there are no tiers", Self::REMEDY));
        }
        if tiers.len() > TIERS_MAX {
            let remedy = format!("give at most {TIERS_MAX}");
            return Err(Mistake::new(&[FIELD], format!("{} are too many", tiers.len()), remedy));
        }
        let mut named = BTreeSet::new();
        for (index, selector) in tiers.iter().enumerate() {
            if selector.is_empty() {
                let remedy = "remove it, or name a cluster";
                return Err(Mistake::new(&[FIELD, Step::Item(index)], "the tier is empty", remedy));
            }
            if let Some(name) = selector.names.iter().find(|name| !named.insert(*name)) {
                let named = Step::Value(name.as_str().into());
                let at = [FIELD, Step::Item(index), Step::Field("names"), named];
                let problem = format!("{name} is named twice");
                return Err(Mistake::new(&at, problem, "leave it in one tier"));
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

impl StrategyKind {
    /// All there are.
    pub const ALL: [Self; 6] =
        [Self::Weighted, Self::Capacity, Self::Spread, Self::Pack, Self::Ordered, Self::Duplicate];

    /// Its name, as policies write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Weighted => "weighted",
            Self::Capacity => "capacity",
            Self::Spread => "spread",
            Self::Pack => "pack",
            Self::Ordered => "ordered",
            Self::Duplicate => "duplicate",
        }
    }
}

impl Strategy {
    /// Its kind.
    pub fn kind(&self) -> StrategyKind {
        match self {
            Self::Weighted => StrategyKind::Weighted,
            Self::Capacity => StrategyKind::Capacity,
            Self::Spread(_) => StrategyKind::Spread,
            Self::Pack => StrategyKind::Pack,
            Self::Ordered(_) => StrategyKind::Ordered,
            Self::Duplicate => StrategyKind::Duplicate,
        }
    }

    /// Its name, as policies write it.
    pub fn name(&self) -> &'static str {
        self.kind().name()
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiers(lists: &[&[&str]]) -> Result<Tiers, Mistake> {
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
        assert_eq!(
            refused(&[]),
            "tiers: there are no tiers; list the clusters to fill first, then the next, such as [[a, b], [c]]"
        );
        assert_eq!(refused(&[&["a"][..]; 65]), "tiers: 65 are too many; give at most 64");
        assert_eq!(refused(&[&["a"], &[]]), "tiers[1]: the tier is empty; remove it, or name a cluster");
        assert_eq!(refused(&[&["a"], &["a"]]), "tiers[1].names: a is named twice; leave it in one tier");
    }
}
