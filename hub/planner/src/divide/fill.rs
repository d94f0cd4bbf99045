//! Who gets seats: they are given in their strict order, tier by tier and rank by rank.

use std::cmp::Ordering;

use crate::candidate::Candidate;
use crate::groups::Groups;
use crate::strategy::Limits;
use crate::webster::{Claim, Claims, Edge, Seat};

/// Gives seats in their strict order.
pub(super) struct Filler<'a> {
    pub(super) candidates: &'a [Candidate<'a>],
    pub(super) limits: &'a [Limits],
    /// The candidates in the order of their ranks.
    pub(super) order: &'a [u32],
    pub(super) claims: &'a mut Claims,
    pub(super) groups: &'a Groups,
    /// Where the seats end that each group gave by weight.
    pub(super) reaches: &'a mut [Reach],
    /// Whether caps are heeded: between two divisions that keep to them, each in its way, they are not.
    pub(super) capped: bool,
}

/// Where the seats that are given by weight end: in this rank, there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    pub(super) rank: u32,
    pub(super) edge: Edge,
}

/// Which seats a tier holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Minimum,
    Rest,
}

/// All of a tier's seats come before those of the next.
#[derive(Clone, Copy)]
pub(super) struct Tier {
    pub(super) part: Part,
    /// Clusters with a weight above zero, or those without; the latter share evenly.
    pub(super) weighted: bool,
}

const TIERS: [Tier; 4] = [
    Tier { part: Part::Minimum, weighted: true },
    Tier { part: Part::Minimum, weighted: false },
    Tier { part: Part::Rest, weighted: true },
    Tier { part: Part::Rest, weighted: false },
];

impl Filler<'_> {
    /// The policy's own division, whatever is held.
    pub(super) fn own(&mut self, wanted: u32, counts: &mut Vec<u32>) -> (u32, Option<Reach>) {
        restart(counts, self.limits.iter().map(|_| 0));
        let (pending, reach) = self.fill(wanted, |_, limits| limits.cap, counts);
        (pending, Some(reach))
    }

    /// What is held, with the missing given or the surplus taken.
    pub(super) fn keep(&mut self, wanted: u32, counts: &mut Vec<u32>) -> (u32, Option<Reach>) {
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

    /// From `now` towards `goal`, which places at least as many, by at most so many moves.
    pub(super) fn approach(&mut self, moves: u32, now: &[u32], goal: &[u32], counts: &mut Vec<u32>) {
        let both = || now.iter().copied().zip(goal.iter().copied());
        // No more than the wanted replicas, so they fit.
        let distance: u32 = both().map(|(now, goal)| now.saturating_sub(goal)).sum();
        let total = |counts: &[u32]| counts.iter().map(|count| u64::from(*count)).sum::<u64>();
        let new = u32::try_from(total(goal).saturating_sub(total(now))).unwrap_or(u32::MAX);
        restart(counts, both().map(|(now, goal)| now.min(goal)));
        self.capped = false;
        // Those that hold too many keep their best seats; then as many go to those that hold too few, and what is new.
        self.fill(distance.saturating_sub(moves), |index, _| now[index], counts);
        self.fill(moves.min(distance) + new, |index, _| goal[index], counts);
    }

    /// Gives the first `give` seats that no cluster has by `counts`, none beyond `end`. Returns how many it could not
    /// give, and where those end that are given by weight.
    fn fill(&mut self, give: u32, end: impl Fn(usize, &Limits) -> u32, counts: &mut [u32]) -> (u32, Reach) {
        let (mut left, mut reach) = (u64::from(give), Reach::NONE);
        let (order, limits) = (self.order, self.limits);
        let rank = |index: &u32| limits[*index as usize].rank;
        let minimums = limits.iter().any(|limits| limits.floor > 0);
        let grouped = self.groups.matter();
        // They are in the order of their ranks.
        let one_rank = order.first().map(rank) == order.last().map(rank);
        for tier in TIERS {
            if left == 0 || (tier.part == Part::Minimum && !minimums) || !self.occurs(tier) {
                continue;
            }
            // Minimums come before all ranks; groups have their own.
            let whole = grouped || one_rank || tier.part == Part::Minimum;
            let together = |a: &u32, b: &u32| whole || rank(a) == rank(b);
            for group in order.chunk_by(together) {
                if left == 0 {
                    break;
                }
                let (given, edge) = match tier.part {
                    Part::Minimum => {
                        self.claim(tier, group, &end, counts);
                        (self.claims.serve_in_turn(left, self.candidates, rank, counts), Edge::NONE)
                    }
                    Part::Rest if grouped && tier.weighted => {
                        let totals = self.groups.totals(counts);
                        (self.fill_groups(0, group, left, &end, &totals, counts), Edge::NONE)
                    }
                    Part::Rest => {
                        self.claim(tier, group, &end, counts);
                        self.claims.serve(left, self.candidates, counts)
                    }
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
    pub(super) fn claim(
        &mut self,
        tier: Tier,
        group: &[u32],
        end: impl Fn(usize, &Limits) -> u32,
        counts: &[u32],
    ) {
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
        let may_hold = |limits: &Limits| limits.cap > 0 || !self.capped;
        tier.weighted || self.limits.iter().any(|limits| limits.weight == 0 && may_hold(limits))
    }
}

impl Reach {
    pub(super) const NONE: Self = Self { rank: 0, edge: Edge::NONE };

    pub(super) fn includes(&self, rank: u32, seat: &Seat, candidates: &[Candidate<'_>]) -> bool {
        match rank.cmp(&self.rank) {
            Ordering::Less => true,
            Ordering::Equal => self.edge.includes(seat, candidates),
            Ordering::Greater => false,
        }
    }
}

fn restart(counts: &mut Vec<u32>, values: impl Iterator<Item = u32>) {
    counts.clear();
    counts.extend(values);
}
