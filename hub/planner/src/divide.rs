//! How one workload is divided over clusters.
//!
//! Every replica that a cluster could hold is a seat, and all seats stand in one strict order: first those that
//! make up minimums, by weight and name, then the rest, by Webster's priority. A division of `n` replicas is the first `n`
//! seats of some set. So one more replica never takes one away from any cluster (S19), taking surplus is giving
//! seats in reverse (S18), and the same question always has the same answer.
//!
//! A [`Strategy`] ranks clusters: beyond minimums, all seats of one rank come before those of the next.

use std::cmp::Ordering;

use crate::candidate::Candidate;
use crate::report::{Bound, Cap};
use crate::strategy::{Limits, Strategy};
use crate::webster::{Claim, Claims, Edge, Seat};

/// How many replicas go where, and why. Borrowed from the [`Scratch`] that it was made in.
#[derive(Debug)]
pub struct Division<'s> {
    /// How many each candidate gets, in the candidates' order.
    pub counts: &'s [u32],
    /// What was asked for in all: the replicas, times the chosen clusters for [`Strategy::Duplicate`], as far as the
    /// type goes.
    pub wanted: u32,
    /// How many replicas are not placed: with `counts`, they add up to the wanted number (S14, I1).
    pub pending: u32,
    /// What keeps the pending ones from being placed, without repetition; empty when nothing is pending, or when
    /// there are no candidates.
    pub reasons: &'s [Cap],
    strategy: &'s Strategy,
    candidates: &'s [Candidate<'s>],
    limits: &'s [Limits],
    /// The policy's own division, where replicas are on their way to it.
    goal: Option<&'s [u32]>,
    /// Where the seats end that are given by weight; none when nothing had to be given or taken.
    reach: Option<Reach>,
}

/// Buffers that a caller keeps between divisions, so that none of them allocates.
#[derive(Debug, Default)]
pub struct Scratch {
    limits: Vec<Limits>,
    order: Vec<u32>,
    counts: Vec<u32>,
    goal: Vec<u32>,
    sticky: Vec<u32>,
    claims: Claims,
    reasons: Vec<Cap>,
}

/// Where the seats that are given by weight end: in this rank, there.
#[derive(Debug, Clone, Copy)]
struct Reach {
    rank: u32,
    edge: Edge,
}

impl Reach {
    const NONE: Self = Self { rank: 0, edge: Edge::NONE };

    fn includes(&self, rank: u32, seat: &Seat, candidates: &[Candidate<'_>]) -> bool {
        match rank.cmp(&self.rank) {
            Ordering::Less => true,
            Ordering::Equal => self.edge.includes(seat, candidates),
            Ordering::Greater => false,
        }
    }
}

/// Divides `replicas` over the candidates.
///
/// Replicas stay where they are, clipped to what each cluster may hold; missing ones are given, and surplus is taken,
/// by Webster's priority counting those held (S18). Then at most `moves` replicas move, for balance alone, towards
/// the policy's own division: 0 is `rebalance: never`, [`u32::MAX`] `always` (see [`Rebalance::moves`]).
///
/// Names must be unique. The cost grows with the number of candidates, not of replicas.
///
/// [`Rebalance::moves`]: crate::Rebalance::moves
pub fn divide<'s>(
    replicas: u32,
    moves: u32,
    strategy: &'s Strategy,
    candidates: &'s [Candidate<'_>],
    scratch: &'s mut Scratch,
) -> Division<'s> {
    let Scratch { limits, order, counts, goal, sticky, claims, reasons } = scratch;
    let wanted = strategy.limit(replicas, candidates, limits, order);
    let mut filler = Filler { candidates, limits, order, claims };
    let (pending, reach) = match moves {
        0 => filler.keep(wanted, counts),
        u32::MAX => filler.own(wanted, counts),
        _ => {
            filler.keep(wanted, sticky);
            let own = filler.own(wanted, goal);
            filler.approach(moves, sticky, goal, counts);
            own
        }
    };
    reasons.clear();
    if pending > 0 {
        let short = candidates.iter().zip(limits.iter()).filter(|(_, limits)| limits.cap < limits.wish);
        reasons.extend(short.filter_map(|(candidate, limits)| limits.reason(candidate)));
        reasons.sort_unstable();
        reasons.dedup();
    }
    let goal = (!matches!(moves, 0 | u32::MAX)).then_some(goal.as_slice());
    Division { counts, wanted, pending, reasons, strategy, candidates, limits, goal, reach }
}

impl Division<'_> {
    /// What decided a candidate's number; none beyond the candidates.
    pub fn bound(&self, index: usize) -> Option<Bound> {
        let (candidate, limits) = (self.candidates.get(index)?, self.limits.get(index)?);
        let count = *self.counts.get(index)?;
        let goal = self.goal.and_then(|goal| goal.get(index).copied()).unwrap_or(count);
        if count != goal {
            return Some(Bound::Step { goal });
        }
        let Limits { weight, rank, floor, cap, wish, .. } = *limits;
        let reaches = |reach: Reach, number| {
            let seat = Seat { candidate: index as u32, weight, number };
            reach.includes(rank, &seat, self.candidates)
        };
        let would_get_more = match weight {
            _ if count == wish && wish > 0 => false,
            0 => self.pending > 0 || (count == 0 && floor == 0),
            _ => self.pending > 0 || self.reach.is_some_and(|reach| reaches(reach, count)),
        };
        let reached = self.reach.is_none_or(|reach| rank <= reach.rank);
        let share = Bound::Share(self.strategy.share(rank, reached));
        let short_of_minimum = count == cap && candidate.rule.is_none_or(|rule| floor < rule.min());
        if would_get_more || short_of_minimum || candidate.eligible().is_none() {
            return Some(limits.reason(candidate).map_or(share, Bound::Cap));
        }
        if *self.strategy == Strategy::Duplicate {
            return Some(share);
        }
        let Some(reach) = self.reach else {
            return Some(Bound::Held);
        };
        let within_share = weight > 0 && count.checked_sub(1).is_none_or(|last| reaches(reach, last));
        Some(match within_share {
            true => share,
            false if count <= floor => Bound::Minimum,
            false => Bound::Held,
        })
    }
}

/// Gives seats in their strict order.
struct Filler<'a> {
    candidates: &'a [Candidate<'a>],
    limits: &'a [Limits],
    /// The candidates in the order of their ranks.
    order: &'a [u32],
    claims: &'a mut Claims,
}

impl Filler<'_> {
    /// The policy's own division, whatever is held.
    fn own(&mut self, wanted: u32, counts: &mut Vec<u32>) -> (u32, Option<Reach>) {
        restart(counts, self.limits.iter().map(|_| 0));
        let (pending, reach) = self.fill(wanted, |_, limits| limits.cap, counts);
        (pending, Some(reach))
    }

    /// What is held, with the missing given or the surplus taken.
    fn keep(&mut self, wanted: u32, counts: &mut Vec<u32>) -> (u32, Option<Reach>) {
        let kept: u64 = self.limits.iter().map(|limits| u64::from(limits.kept)).sum();
        let missing = u32::try_from(kept).ok().and_then(|kept| wanted.checked_sub(kept));
        let (pending, reach) = match missing {
            Some(missing) => {
                restart(counts, self.limits.iter().map(|limits| limits.kept));
                self.fill(missing, |_, limits| limits.cap, counts)
            }
            // To take the last seats is to give all but those.
            None => {
                restart(counts, self.limits.iter().map(|_| 0));
                self.fill(wanted, |_, limits| limits.kept, counts)
            }
        };
        (pending, (missing != Some(0)).then_some(reach))
    }

    /// From `now` towards `goal`, both of the same total, by at most so many moves.
    fn approach(&mut self, moves: u32, now: &[u32], goal: &[u32], counts: &mut Vec<u32>) {
        let both = || now.iter().copied().zip(goal.iter().copied());
        // No more than the wanted replicas, so it fits.
        let distance: u32 = both().map(|(now, goal)| now.saturating_sub(goal)).sum();
        restart(counts, both().map(|(now, goal)| now.min(goal)));
        // Those that hold too many keep their best seats; then as many go to those that hold too few.
        self.fill(distance.saturating_sub(moves), |index, _| now[index], counts);
        self.fill(moves.min(distance), |index, _| goal[index], counts);
    }

    /// Gives the first `give` seats that no cluster has by `counts`, none beyond `end`. Returns how many it could not
    /// give, and where those end that are given by weight.
    fn fill(&mut self, give: u32, end: impl Fn(usize, &Limits) -> u32, counts: &mut [u32]) -> (u32, Reach) {
        let (mut left, mut reach) = (u64::from(give), Reach::NONE);
        let (order, limits) = (self.order, self.limits);
        let rank = |index: &u32| limits[*index as usize].rank;
        for tier in TIERS {
            if left == 0 || !self.occurs(tier) {
                continue;
            }
            // Minimums come before all ranks.
            let together = |a: &u32, b: &u32| tier.part == Part::Minimum || rank(a) == rank(b);
            for group in order.chunk_by(together) {
                if left == 0 {
                    break;
                }
                self.claim(tier, group, &end, counts);
                let (given, edge) = match tier.part {
                    Part::Minimum => {
                        (self.claims.serve_in_turn(left, self.candidates, rank, counts), Edge::NONE)
                    }
                    Part::Rest => self.claims.serve(left, self.candidates, counts),
                };
                left -= given;
                if given > 0 && tier.weighted && tier.part == Part::Rest {
                    reach = Reach { rank: group.first().map_or(0, rank), edge };
                }
            }
        }
        (u32::try_from(left).unwrap_or(u32::MAX), reach)
    }

    /// Claims the seats of a tier for some of the candidates.
    fn claim(&mut self, tier: Tier, group: &[u32], end: impl Fn(usize, &Limits) -> u32, counts: &[u32]) {
        self.claims.clear();
        for candidate in group.iter().copied() {
            let index = candidate as usize;
            let (limits, count) = (&self.limits[index], counts[index]);
            let end = end(index, limits);
            let (from, to) = match tier.part {
                Part::Minimum => (count, end.min(limits.floor)),
                Part::Rest => (count.max(limits.floor.min(end)), end),
            };
            if from < to && tier.weighted == (limits.weight > 0) {
                self.claims.push(Claim { candidate, weight: limits.weight.max(1), from, to });
            }
        }
    }

    /// Whether a tier may hold any seats: most policies have no minimums, and no weights of zero.
    fn occurs(&self, tier: Tier) -> bool {
        let minimum = tier.part == Part::Rest || self.limits.iter().any(|limits| limits.floor > 0);
        minimum && (tier.weighted || self.limits.iter().any(|limits| limits.weight == 0 && limits.cap > 0))
    }
}

/// Which seats a tier holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Minimum,
    Rest,
}

/// All of a tier's seats come before those of the next.
#[derive(Clone, Copy)]
struct Tier {
    part: Part,
    /// Clusters with a weight above zero, or those without; the latter share evenly.
    weighted: bool,
}

const TIERS: [Tier; 4] = [
    Tier { part: Part::Minimum, weighted: true },
    Tier { part: Part::Minimum, weighted: false },
    Tier { part: Part::Rest, weighted: true },
    Tier { part: Part::Rest, weighted: false },
];

fn restart(counts: &mut Vec<u32>, values: impl Iterator<Item = u32>) {
    counts.clear();
    counts.extend(values);
}
