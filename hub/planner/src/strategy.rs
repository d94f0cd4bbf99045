//! How a policy divides: its strategy, and what that makes of each cluster.
//!
//! Whatever the strategy, replicas are seats that are given in one strict order (see [`divide`](crate::divide)). A
//! strategy decides three things about a cluster's seats: their weight, their rank (all seats of a lower rank come
//! first), and how many there are.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use godwit_common::ClusterName;

use crate::candidate::{Candidate, Growth};
use crate::policy::{REPLICAS_MAX, Rule, WEIGHT_MAX};
use crate::report::{Cap, Share};

/// How replicas are divided over the clusters that a policy chooses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Strategy {
    /// In proportion to the rules' weights.
    #[default]
    Weighted,
    /// In proportion to the room for this workload, what it holds included.
    Capacity,
    /// Evenly.
    Spread {
        /// How many more than the emptiest cluster that may grow a cluster may be given; no limit if absent. What
        /// runs is not cut to it.
        max_skew: Option<u32>,
    },
    /// Into as few clusters as possible: one after another is filled, those already used first, then the largest.
    Pack,
    /// Tier after tier is filled, each by weight; the last is emptied first.
    Ordered(Tiers),
    /// Every cluster runs the full number.
    Duplicate,
}

/// Which clusters come first, which next. Valid by construction: at least one tier, none empty, no cluster twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tiers {
    lists: Vec<Vec<ClusterName>>,
    numbers: BTreeMap<ClusterName, u32>,
}

impl Tiers {
    /// Tiers in their order.
    pub fn new(lists: Vec<Vec<ClusterName>>) -> Result<Self, TiersError> {
        if lists.is_empty() {
            return Err(TiersError::None);
        }
        let mut numbers = BTreeMap::new();
        for (number, list) in (0..).zip(&lists) {
            if list.is_empty() {
                return Err(TiersError::Empty { tier: number as usize });
            }
            for cluster in list {
                if numbers.insert(cluster.clone(), number).is_some() {
                    return Err(TiersError::Twice(cluster.clone()));
                }
            }
        }
        Ok(Self { lists, numbers })
    }

    /// The tiers in their order, as they were given.
    pub fn lists(&self) -> &[Vec<ClusterName>] {
        &self.lists
    }

    /// The tier of a cluster, from 0; none when it is in no tier.
    pub fn of(&self, cluster: &ClusterName) -> Option<u32> {
        self.numbers.get(cluster).copied()
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
            Self::Spread { .. } => "spread",
            Self::Pack => "pack",
            Self::Ordered(_) => "ordered",
            Self::Duplicate => "duplicate",
        }
    }

    /// How many replicas' room of a cluster matters when so many are wanted: for most strategies more makes no
    /// difference.
    pub fn room_that_matters(&self, replicas: u32) -> u32 {
        match self {
            Self::Capacity | Self::Pack => REPLICAS_MAX,
            Self::Weighted | Self::Spread { .. } | Self::Ordered(_) | Self::Duplicate => replicas,
        }
    }

    /// The tiers, if it has any.
    pub fn tiers(&self) -> Option<&Tiers> {
        match self {
            Self::Ordered(tiers) => Some(tiers),
            Self::Weighted | Self::Capacity | Self::Spread { .. } | Self::Pack | Self::Duplicate => None,
        }
    }

    /// Why a rule does not go with the strategy, if it does not: what a strategy does not heed, it refuses.
    pub fn refuses(&self, rule: Rule) -> Option<&'static str> {
        let weighs = rule.weight() > 1;
        let bounded = rule.min() > 0 || rule.max().is_some();
        match self {
            Self::Weighted | Self::Ordered(_) => None,
            Self::Capacity | Self::Spread { .. } | Self::Pack | Self::Duplicate if weighs => Some(
                "weight: only weighted and ordered heed weights above 1; leave it out, or give 0 for none",
            ),
            Self::Duplicate if bounded => {
                Some("min, max: with duplicate every cluster runs the full number; leave them out")
            }
            Self::Spread { max_skew: Some(_) } if rule.min() > 0 => {
                Some("min: a minimum breaks maxSkew; leave one of them out")
            }
            Self::Capacity | Self::Spread { .. } | Self::Pack | Self::Duplicate => None,
        }
    }

    /// What the strategy makes of each candidate, and in which order their ranks come. Returns how many replicas that
    /// asks for in all.
    pub(crate) fn limit(
        &self,
        replicas: u32,
        candidates: &[Candidate<'_>],
        limits: &mut Vec<Limits>,
        order: &mut Vec<u32>,
    ) -> u32 {
        limits.clear();
        // The usual case has a loop of its own, without a choice for each candidate.
        match self {
            Self::Weighted => {
                limits.extend(candidates.iter().map(|one| Self::Weighted.limits_of(replicas, one)))
            }
            other => limits.extend(candidates.iter().map(|one| other.limits_of(replicas, one))),
        }
        order.clear();
        order.extend((0..).zip(candidates).map(|(index, _)| index));
        match self {
            Self::Weighted | Self::Capacity | Self::Spread { max_skew: None } => replicas,
            Self::Spread { max_skew: Some(skew) } => {
                cap_skew(*skew, candidates, limits);
                replicas
            }
            Self::Pack => {
                order.sort_unstable_by_key(|index| pack_key(*index, candidates, limits));
                for (rank, index) in (0..).zip(order.iter()) {
                    limits[*index as usize].rank = rank;
                }
                replicas
            }
            Self::Ordered(_) => {
                order.sort_unstable_by_key(|index| (limits[*index as usize].rank, *index));
                replicas
            }
            Self::Duplicate => limits.iter().fold(0, |sum, limits| sum.saturating_add(limits.wish)),
        }
    }

    #[inline(always)]
    fn limits_of(&self, replicas: u32, candidate: &Candidate<'_>) -> Limits {
        let wish = match (self, candidate.rule) {
            (Self::Duplicate, Some(rule)) if rule.weight() > 0 => replicas,
            (Self::Duplicate, _) => 0,
            (Self::Weighted | Self::Capacity | Self::Spread { .. } | Self::Pack | Self::Ordered(_), _) => {
                u32::MAX
            }
        };
        let Some(rule) = candidate.eligible() else {
            return Limits { wish, ..Limits::default() };
        };
        let most = candidate.most(rule).min(wish);
        let heeded = match self {
            Self::Weighted | Self::Ordered(_) => rule.weight(),
            Self::Capacity => candidate.room.total().min(WEIGHT_MAX),
            Self::Spread { .. } | Self::Pack | Self::Duplicate => 1,
        };
        let weight = if rule.weight() == 0 { 0 } else { heeded };
        let rank = match self {
            Self::Ordered(tiers) => tiers.of(candidate.cluster).unwrap_or(u32::MAX),
            Self::Weighted | Self::Capacity | Self::Spread { .. } | Self::Pack | Self::Duplicate => 0,
        };
        let (floor, kept) = (rule.min().min(most), candidate.held.min(most));
        // Without a weight a cluster gets its minimum; what it holds beyond stays as long as it has no other place.
        let cap = if weight == 0 { floor.max(kept) } else { most };
        Limits { weight, rank, floor, cap, kept, wish, skewed: false }
    }

    /// What a number is called that the strategy itself decided; `reached` tells whether any seat of the cluster's
    /// rank was given.
    pub(crate) fn share(&self, rank: u32, reached: bool) -> Share {
        match self {
            Self::Weighted => Share::Weight,
            Self::Capacity => Share::Room,
            Self::Spread { .. } => Share::Even,
            Self::Pack if reached => Share::Packed,
            Self::Pack => Share::PackedElsewhere,
            Self::Ordered(_) if reached => Share::Tier(rank.saturating_add(1)),
            Self::Ordered(_) => Share::EarlierTier(rank.saturating_add(1)),
            Self::Duplicate => Share::Full,
        }
    }
}

/// What one cluster may hold, in replicas, and when its turn is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Limits {
    pub(crate) weight: u32,
    /// Seats of a lower rank are given first.
    pub(crate) rank: u32,
    /// The minimum, as far as the cap allows it.
    pub(crate) floor: u32,
    pub(crate) cap: u32,
    /// What it keeps of what it holds.
    pub(crate) kept: u32,
    /// What it shall have if nothing keeps it from that; beyond all bounds unless the strategy gives it a number.
    pub(crate) wish: u32,
    /// Whether the cap comes from the skew.
    pub(crate) skewed: bool,
}

impl Limits {
    /// What keeps the cluster from getting more than it may; none when nothing ever does.
    pub(crate) fn reason(&self, candidate: &Candidate<'_>) -> Option<Cap> {
        match candidate.eligible() {
            Some(_) if self.skewed => Some(Cap::Skew),
            Some(rule) if rule.weight() == 0 && self.wish == 0 => Some(Cap::ZeroWeight),
            Some(_) | None => candidate.cap(),
        }
    }
}

/// No cluster gets more than the skew beyond the one that is full first. Since seats are given to the emptiest first,
/// this keeps the skew at every single seat, too.
fn cap_skew(skew: u32, candidates: &[Candidate<'_>], limits: &mut [Limits]) {
    let grows = |candidate: &Candidate<'_>, limits: &Limits| {
        let forbidden = candidate.rule.is_some_and(|rule| rule.max() == Some(0));
        candidate.growth == Growth::Allowed && limits.weight > 0 && !forbidden
    };
    let growing = candidates.iter().zip(limits.iter()).filter(|(candidate, limits)| grows(candidate, limits));
    let Some(least) = growing.map(|(_, limits)| limits.cap).min() else {
        return;
    };
    let most = least.saturating_add(skew);
    for limits in limits.iter_mut().filter(|limits| limits.weight > 0) {
        let cap = limits.cap.min(most.max(limits.kept));
        limits.skewed = cap < limits.cap;
        (limits.cap, limits.floor) = (cap, limits.floor.min(cap));
    }
}

/// Those that are used come first, then the largest; among equals those that hold more.
fn pack_key<'a>(index: u32, candidates: &[Candidate<'a>], limits: &[Limits]) -> impl Ord + use<'a> {
    let (candidate, limits) = (&candidates[index as usize], &limits[index as usize]);
    let size = (Reverse(limits.kept > 0), Reverse(limits.cap), Reverse(limits.kept));
    (size, candidate.tie, candidate.cluster)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiers(lists: &[&[&str]]) -> Result<Tiers, TiersError> {
        let list = |names: &&[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
        Tiers::new(lists.iter().map(list).collect())
    }

    #[test]
    fn tiers_are_numbered_and_bad_ones_refused() {
        let good = tiers(&[&["b", "a"], &["c"]]).unwrap();
        let of = |name: &str| good.of(&name.parse().unwrap());
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
        let skewed = Strategy::Spread { max_skew: Some(1) };
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
            (Strategy::Spread { max_skew: None }, least, false),
        ] {
            assert_eq!(strategy.refuses(rule).is_some(), refused, "{strategy:?} {rule:?}");
        }
    }
}
