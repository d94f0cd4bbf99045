//! What a policy's strategy makes of each cluster.
//!
//! Whatever the strategy, replicas are seats that are given in one strict order (see [`divide`](crate::divide)). A
//! strategy decides three things about a cluster's seats: their weight, their rank (all seats of a lower rank come
//! first), and how many there are.

use std::cmp::Reverse;

use godwit_common::policy::{REPLICAS_MAX, Rule, Strategy, WEIGHT_MAX};

use crate::candidate::Candidate;
use crate::report::{Cap, Share};

/// How many replicas' room of a cluster matters when so many are wanted: for most strategies more makes no difference.
pub fn room_that_matters(strategy: &Strategy, replicas: u32) -> u32 {
    match strategy {
        Strategy::Capacity | Strategy::Pack => REPLICAS_MAX,
        // Groups are chosen by size.
        Strategy::Spread(constraints) if !constraints.is_empty() => REPLICAS_MAX,
        Strategy::Weighted | Strategy::Spread(_) | Strategy::Ordered(_) | Strategy::Duplicate => replicas,
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
    /// What the cap comes from, where it does not come from the cluster itself.
    pub(crate) limit: Limit,
}

/// Where a cap comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Limit {
    /// The cluster itself: its room, its rule, its state.
    #[default]
    Own,
    /// The skew allowed by a constraint of a spread.
    Skew,
    /// The constraint allows fewer groups than there are.
    MaxGroups,
    /// The constraint asks for more groups than there are.
    MinGroups,
    /// What makes the groups is not known of the cluster.
    NoGroup,
    /// Another fallback group holds all.
    Fallback,
}

impl Limits {
    /// What keeps the cluster from getting more than it may; none when nothing ever does.
    pub(crate) fn reason(&self, candidate: &Candidate<'_>) -> Option<Cap> {
        let Some(rule) = candidate.eligible() else {
            return candidate.cap();
        };
        match self.limit {
            Limit::Own if rule.weight() == 0 && self.wish == 0 => Some(Cap::ZeroWeight),
            Limit::Own => candidate.cap(),
            Limit::Skew | Limit::MaxGroups | Limit::MinGroups | Limit::NoGroup | Limit::Fallback => {
                self.limit.cap()
            }
        }
    }
}

impl Limit {
    pub(crate) fn cap(self) -> Option<Cap> {
        match self {
            Self::Own => None,
            Self::Skew => Some(Cap::Skew),
            Self::MaxGroups => Some(Cap::MaxGroups),
            Self::MinGroups => Some(Cap::MinGroups),
            Self::NoGroup => Some(Cap::NoGroup),
            Self::Fallback => Some(Cap::Fallback),
        }
    }
}

/// What the strategy makes of each candidate. Returns how many replicas that asks for in all.
pub(crate) fn limit(
    strategy: &Strategy,
    replicas: u32,
    candidates: &[Candidate<'_>],
    limits: &mut Vec<Limits>,
) -> u32 {
    limits.clear();
    // The usual case has a loop of its own, without a choice for each candidate.
    match strategy {
        Strategy::Weighted => {
            limits.extend(candidates.iter().map(|one| limits_of(&Strategy::Weighted, replicas, one)))
        }
        other => limits.extend(candidates.iter().map(|one| limits_of(other, replicas, one))),
    }
    match strategy {
        Strategy::Duplicate => limits.iter().fold(0, |sum, limits| sum.saturating_add(limits.wish)),
        Strategy::Weighted
        | Strategy::Capacity
        | Strategy::Spread(_)
        | Strategy::Pack
        | Strategy::Ordered(_) => replicas,
    }
}

/// The candidates in the order of their ranks.
pub(crate) fn rank(
    strategy: &Strategy,
    candidates: &[Candidate<'_>],
    limits: &mut [Limits],
    order: &mut Vec<u32>,
) {
    order.clear();
    order.extend((0..).zip(candidates).map(|(index, _)| index));
    if *strategy == Strategy::Pack {
        order.sort_unstable_by_key(|index| pack_key(*index, candidates, limits));
        for (rank, index) in (0..).zip(order.iter()) {
            limits[*index as usize].rank = rank;
        }
    } else if !limits.is_sorted_by_key(|limits| limits.rank) {
        order.sort_unstable_by_key(|index| (limits[*index as usize].rank, *index));
    }
}

#[inline(always)]
fn limits_of(strategy: &Strategy, replicas: u32, candidate: &Candidate<'_>) -> Limits {
    let wish = match (strategy, candidate.rule) {
        (Strategy::Duplicate, Ok(rule)) if rule.weight() > 0 => replicas,
        (Strategy::Duplicate, _) => 0,
        (
            Strategy::Weighted
            | Strategy::Capacity
            | Strategy::Spread(_)
            | Strategy::Pack
            | Strategy::Ordered(_),
            _,
        ) => u32::MAX,
    };
    let Some(rule) = candidate.eligible() else {
        return Limits { wish, ..Limits::default() };
    };
    let most = candidate.most(rule).min(wish);
    let weight = weight(strategy, rule, || candidate.room.total());
    let rank = first_rank(strategy, candidate.tier, candidate.avoided);
    let (floor, kept) = (rule.min().min(most), candidate.held.min(most));
    // Without a weight a cluster gets its minimum; what it holds beyond stays as long as it has no other place.
    let cap = if weight == 0 { floor.max(kept) } else { most };
    Limits { weight, rank, floor, cap, kept, wish, limit: Limit::Own }
}

/// The weight of a cluster's seats. None of those that are chosen without a weight is given for it.
#[inline(always)]
pub(crate) fn weight(strategy: &Strategy, rule: Rule, room: impl FnOnce() -> u32) -> u32 {
    let heeded = match strategy {
        Strategy::Weighted | Strategy::Ordered(_) => rule.weight(),
        Strategy::Capacity => room().min(WEIGHT_MAX),
        Strategy::Spread(_) | Strategy::Pack | Strategy::Duplicate => 1,
    };
    if rule.weight() == 0 { 0 } else { heeded }
}

/// The rank of a cluster's seats, as far as the cluster alone decides it.
#[inline(always)]
pub(crate) fn first_rank(strategy: &Strategy, tier: u32, avoided: bool) -> u32 {
    let tier = match strategy {
        Strategy::Ordered(_) => tier,
        Strategy::Weighted
        | Strategy::Capacity
        | Strategy::Spread(_)
        | Strategy::Pack
        | Strategy::Duplicate => 0,
    };
    tier.saturating_mul(RANKS).saturating_add(avoided.into())
}

/// Ranks within a tier: what is avoided comes second.
const RANKS: u32 = 2;

/// What a number is called that the strategy itself decided; `reached` tells whether any seat of the cluster's rank was
/// given.
pub(crate) fn share(strategy: &Strategy, rank: u32, reached: bool) -> Share {
    let tier = rank / RANKS + 1;
    match strategy {
        Strategy::Weighted => Share::Weight,
        Strategy::Capacity => Share::Room,
        Strategy::Spread(_) => Share::Even,
        Strategy::Pack if reached => Share::Packed,
        Strategy::Pack => Share::PackedElsewhere,
        Strategy::Ordered(_) if reached => Share::Tier(tier),
        Strategy::Ordered(_) => Share::EarlierTier(tier),
        Strategy::Duplicate => Share::Full,
    }
}

/// Those that are not avoided come first, then those that are used, then the largest; among equals those that hold more.
fn pack_key<'a>(index: u32, candidates: &[Candidate<'a>], limits: &[Limits]) -> impl Ord + use<'a> {
    let (candidate, limits) = (&candidates[index as usize], &limits[index as usize]);
    let size = (Reverse(limits.kept > 0), Reverse(limits.cap), Reverse(limits.kept));
    (candidate.avoided, size, candidate.tie, candidate.cluster)
}
