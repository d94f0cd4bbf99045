//! How one workload is divided over clusters.
//!
//! Every replica that a cluster could hold is a seat, and all seats stand in one strict order: first those that
//! make up minimums, then the rest; within each, by Webster's priority. A division of `n` replicas is the first `n`
//! seats of some set. So one more replica never takes one away from any cluster (S19), taking surplus is giving
//! seats in reverse (S18), and the same question always has the same answer.

use crate::candidate::Candidate;
use crate::report::{Bound, Cap};
use crate::webster::{Claim, Seat, serve};

/// How many replicas go where, and why. Borrowed from the [`Scratch`] that it was made in.
#[derive(Debug)]
pub struct Division<'s> {
    /// How many each candidate gets, in the candidates' order.
    pub counts: &'s [u32],
    /// How many replicas are not placed: with `counts`, they add up to the wanted number (S14, I1).
    pub pending: u32,
    /// What keeps the pending ones from being placed, without repetition; empty when nothing is pending, or when
    /// there are no candidates.
    pub reasons: &'s [Cap],
    candidates: &'s [Candidate<'s>],
    limits: &'s [Limits],
    /// The policy's own division, where replicas are on their way to it.
    goal: Option<&'s [u32]>,
    last: Option<Seat>,
}

/// Buffers that a caller keeps between divisions, so that none of them allocates.
#[derive(Debug, Default)]
pub struct Scratch {
    limits: Vec<Limits>,
    counts: Vec<u32>,
    goal: Vec<u32>,
    sticky: Vec<u32>,
    claims: Vec<Claim>,
    seats: Vec<Seat>,
    reasons: Vec<Cap>,
}

/// What one cluster may hold, in replicas.
#[derive(Debug, Clone, Copy, Default)]
struct Limits {
    weight: u32,
    /// The minimum, as far as the cap allows it.
    floor: u32,
    cap: u32,
    /// What it keeps of what it holds.
    kept: u32,
}

/// Divides `wanted` replicas over the candidates.
///
/// Replicas stay where they are, clipped to what each cluster may hold; missing ones are given, and surplus is taken,
/// by Webster's priority counting those held (S18). Then at most `moves` replicas move, for balance alone, towards
/// the policy's own division: 0 is `rebalance: never`, [`u32::MAX`] `always` (see [`Rebalance::moves`]).
///
/// Names must be unique. The cost grows with the number of candidates, not of replicas.
///
/// [`Rebalance::moves`]: crate::Rebalance::moves
pub fn divide<'s>(
    wanted: u32,
    moves: u32,
    candidates: &'s [Candidate<'_>],
    scratch: &'s mut Scratch,
) -> Division<'s> {
    let Scratch {
        limits,
        counts,
        goal,
        sticky,
        claims,
        seats,
        reasons,
    } = scratch;
    limits.clear();
    limits.extend(candidates.iter().map(Limits::of));
    let mut filler = Filler {
        candidates,
        limits,
        claims,
        seats,
    };
    let last = match moves {
        0 => filler.keep(wanted, counts),
        u32::MAX => filler.own(wanted, counts),
        _ => {
            filler.keep(wanted, sticky);
            let last = filler.own(wanted, goal);
            filler.approach(moves, sticky, goal, counts);
            last
        }
    };
    let placed = sum(counts.iter().copied());
    let pending = u32::try_from(u64::from(wanted).saturating_sub(placed)).unwrap_or(u32::MAX);
    reasons.clear();
    if pending > 0 {
        reasons.extend(candidates.iter().filter_map(Candidate::cap));
        reasons.sort_unstable();
        reasons.dedup();
    }
    let goal = (!matches!(moves, 0 | u32::MAX)).then_some(goal.as_slice());
    Division {
        counts,
        pending,
        reasons,
        candidates,
        limits,
        goal,
        last,
    }
}

impl Division<'_> {
    /// What decided a candidate's number; none beyond the candidates.
    pub fn bound(&self, index: usize) -> Option<Bound> {
        let (candidate, limits) = (self.candidates.get(index)?, self.limits.get(index)?);
        let count = *self.counts.get(index)?;
        let goal = self
            .goal
            .and_then(|goal| goal.get(index).copied())
            .unwrap_or(count);
        if count != goal {
            return Some(Bound::Step { goal });
        }
        let seat = |number| Seat {
            candidate: index,
            weight: limits.weight,
            number,
        };
        // None given by weight means that all went to minimums, or that nothing had to be given.
        let after_last = |number| {
            self.last
                .map(|last| last.cmp(&seat(number), self.candidates).is_lt())
        };
        let cap = || candidate.cap().map(Bound::Cap);
        let short_of_minimum = candidate.rule.is_some_and(|rule| count < rule.min());
        let would_get_more = limits.weight > 0 && after_last(count) == Some(false);
        let capped =
            self.pending > 0 || short_of_minimum || would_get_more || limits.weight == 0 && count == 0;
        if count == limits.cap && (capped || candidate.eligible().is_none()) {
            return cap();
        }
        let has_more = limits.weight == 0 || count > 0 && after_last(count - 1) != Some(false);
        Some(match count {
            0 => Bound::Weight,
            _ if has_more && count <= limits.floor => Bound::Minimum,
            _ if has_more => Bound::Held,
            _ => Bound::Weight,
        })
    }
}

impl Limits {
    fn of(candidate: &Candidate<'_>) -> Self {
        let Some(rule) = candidate.eligible() else {
            return Self::default();
        };
        let most = candidate.most(rule);
        let (weight, floor, kept) = (rule.weight(), rule.min().min(most), candidate.held.min(most));
        // Without a weight a cluster gets its minimum; what it holds beyond stays as long as it has no other place.
        let cap = if weight == 0 { floor.max(kept) } else { most };
        Self {
            weight,
            floor,
            cap,
            kept,
        }
    }
}

/// Gives seats in their strict order.
struct Filler<'a> {
    candidates: &'a [Candidate<'a>],
    limits: &'a [Limits],
    claims: &'a mut Vec<Claim>,
    seats: &'a mut Vec<Seat>,
}

impl Filler<'_> {
    /// The policy's own division, whatever is held.
    fn own(&mut self, wanted: u32, counts: &mut Vec<u32>) -> Option<Seat> {
        restart(counts, self.limits.iter().map(|_| 0));
        self.fill(wanted.into(), |_, limits| limits.cap, counts)
    }

    /// What is held, with the missing given or the surplus taken.
    fn keep(&mut self, wanted: u32, counts: &mut Vec<u32>) -> Option<Seat> {
        let (wanted, kept) = (
            u64::from(wanted),
            sum(self.limits.iter().map(|limits| limits.kept)),
        );
        if wanted < kept {
            restart(counts, self.limits.iter().map(|_| 0));
            return self.fill(wanted, |_, limits| limits.kept, counts);
        }
        restart(counts, self.limits.iter().map(|limits| limits.kept));
        self.fill(wanted - kept, |_, limits| limits.cap, counts)
    }

    /// From `now` towards `goal`, both of the same total, by at most so many moves.
    fn approach(&mut self, moves: u32, now: &[u32], goal: &[u32], counts: &mut Vec<u32>) {
        let both = || now.iter().copied().zip(goal.iter().copied());
        let distance = sum(both().map(|(now, goal)| now.saturating_sub(goal)));
        let moves = distance.min(moves.into());
        restart(counts, both().map(|(now, goal)| now.min(goal)));
        // Those that hold too many keep their best seats; then as many go to those that hold too few.
        self.fill(distance - moves, |index, _| now[index], counts);
        self.fill(moves, |index, _| goal[index], counts);
    }

    /// Gives the first `give` seats that no cluster has by `counts`, none beyond `end`. Returns the last one that was
    /// given by weight.
    fn fill(&mut self, give: u64, end: impl Fn(usize, &Limits) -> u32, counts: &mut [u32]) -> Option<Seat> {
        let mut left = give;
        let mut last = None;
        for tier in TIERS {
            self.claims.clear();
            for (index, (limits, count)) in self.limits.iter().zip(counts.iter()).enumerate() {
                let end = end(index, limits);
                let (from, to) = match tier.part {
                    Part::Minimum => (*count, end.min(limits.floor)),
                    Part::Rest => ((*count).max(limits.floor.min(end)), end),
                };
                if from < to && tier.weighted == (limits.weight > 0) {
                    self.claims.push(Claim {
                        candidate: index,
                        weight: limits.weight.max(1),
                        from,
                        to,
                    });
                }
            }
            let given = serve(left, self.claims, self.candidates, self.seats, counts);
            left -= given.seats;
            last = given
                .last
                .filter(|_| tier.weighted && tier.part == Part::Rest)
                .or(last);
        }
        last
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
    Tier {
        part: Part::Minimum,
        weighted: true,
    },
    Tier {
        part: Part::Minimum,
        weighted: false,
    },
    Tier {
        part: Part::Rest,
        weighted: true,
    },
    Tier {
        part: Part::Rest,
        weighted: false,
    },
];

fn restart(counts: &mut Vec<u32>, values: impl Iterator<Item = u32>) {
    counts.clear();
    counts.extend(values);
}

fn sum(counts: impl Iterator<Item = u32>) -> u64 {
    counts.map(u64::from).sum()
}
