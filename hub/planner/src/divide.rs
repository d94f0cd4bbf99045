//! How one workload is divided over clusters.
//!
//! Every replica that a cluster could hold is a seat, and all seats stand in one strict order: first those that
//! make up minimums, by weight and name, then the rest, by Webster's priority. A division of `n` replicas is the first `n`
//! seats of some set. So one more replica never takes one away from any cluster (S19), taking surplus is giving
//! seats in reverse (S18), and the same question always has the same answer.
//!
//! A [`Strategy`] ranks clusters: beyond minimums, all seats of one rank come before those of the next.

use std::cmp::Ordering;

use godwit_common::policy::Strategy;

use crate::candidate::Candidate;
use crate::fallback;
use crate::groups::{Groups, Held};
use crate::report::{Bound, Cap};
use crate::strategy::{self, Limit, Limits};
use crate::webster::{Claim, Claims, Edge, Seat};

/// What is to be divided.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a> {
    /// The total; for [`Strategy::Duplicate`], of each chosen cluster.
    pub replicas: u32,
    /// No more than this is placed in all (a quota): the rest is pending. [`u32::MAX`] is no bound.
    pub at_most: u32,
    /// How many replicas may move for balance alone: 0 is `rebalance: never`, [`u32::MAX`] `always` (see
    /// [`Rebalance::moves`](godwit_common::policy::Rebalance::moves)).
    pub moves: u32,
    /// How.
    pub strategy: &'a Strategy,
}

/// How many replicas go where, and why. Borrowed from the [`Scratch`] that it was made in.
#[derive(Debug)]
pub struct Division<'s> {
    /// How many each candidate gets, in the candidates' order.
    pub counts: &'s [u32],
    /// What was asked for in all: the replicas, times the chosen clusters for [`Strategy::Duplicate`], as far as the
    /// type goes.
    pub wanted: u32,
    /// How many of the pending ones are so because no more may be placed ([`Demand::at_most`]).
    pub withheld: u32,
    /// How many replicas are not placed: with `counts`, they add up to the wanted number (S14, I1).
    pub pending: u32,
    /// What keeps the pending ones from being placed, without repetition; empty when nothing is pending, or when
    /// there are no candidates.
    pub reasons: &'s [Cap],
    strategy: &'s Strategy,
    candidates: &'s [Candidate<'s>],
    limits: &'s [Limits],
    groups: &'s Groups,
    /// What each of the groups holds.
    totals: &'s [u64],
    /// The policy's own division, where replicas are on their way to it.
    goal: Option<&'s [u32]>,
    /// Where the seats end that are given by weight; none when nothing had to be given or taken.
    reach: Option<Reach>,
    /// The same within each group.
    reaches: &'s [Reach],
}

/// Buffers that a caller keeps between divisions, so that none of them allocates.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    limits: Vec<Limits>,
    order: Vec<u32>,
    counts: Vec<u32>,
    goal: Vec<u32>,
    sticky: Vec<u32>,
    claims: Claims,
    groups: Groups,
    reaches: Vec<Reach>,
    totals: Vec<u64>,
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

/// Divides a demand over the candidates.
///
/// Replicas stay where they are, clipped to what each cluster may hold; missing ones are given, and surplus is taken,
/// by Webster's priority counting those held (S18). Then at most [`Demand::moves`] replicas move, for balance alone,
/// towards the policy's own division.
///
/// Names must be unique. The cost grows with the number of candidates, not of replicas.
pub fn divide<'s>(
    demand: &Demand<'s>,
    candidates: &'s [Candidate<'_>],
    scratch: &'s mut Scratch,
) -> Division<'s> {
    let Demand { replicas, at_most, moves, strategy } = *demand;
    let wanted = strategy::limit(strategy, replicas, candidates, &mut scratch.limits);
    let give = wanted.min(at_most);
    let (pending, reach) = match moves {
        0 => {
            let Scratch { counts, .. } = &mut *scratch;
            let mut counts = std::mem::take(counts);
            let end = scratch.filler(strategy, give, true, candidates).keep(give, &mut counts);
            scratch.counts = counts;
            end
        }
        u32::MAX => {
            let mut counts = std::mem::take(&mut scratch.counts);
            let end = scratch.filler(strategy, give, false, candidates).own(give, &mut counts);
            scratch.counts = counts;
            end
        }
        _ => scratch.step(demand, give, candidates),
    };
    scratch.explain_pending(pending, candidates);
    let goal = (!matches!(moves, 0 | u32::MAX)).then_some(scratch.goal.as_slice());
    Division {
        counts: &scratch.counts,
        wanted,
        withheld: wanted - give,
        pending: pending + (wanted - give),
        reasons: &scratch.reasons,
        strategy,
        candidates,
        limits: &scratch.limits,
        groups: &scratch.groups,
        totals: &scratch.totals,
        goal,
        reach,
        reaches: &scratch.reaches,
    }
}

impl Scratch {
    /// Puts what holds for the candidates together into the limits, and makes ready to give seats.
    fn filler<'a>(
        &'a mut self,
        strategy: &Strategy,
        wanted: u32,
        stay: bool,
        candidates: &'a [Candidate<'a>],
    ) -> Filler<'a> {
        let groups = fallback::count(candidates);
        if groups > 1 {
            self.fall_back(groups, strategy, wanted, stay, candidates);
        }
        self.constrain(strategy, wanted, candidates);
        strategy::rank(strategy, candidates, &mut self.limits, &mut self.order);
        let Self { limits, order, claims, groups, reaches, .. } = self;
        if groups.matter() {
            order.sort_unstable_by_key(|index| (groups.path(*index), limits[*index as usize].rank, *index));
        }
        reaches.clear();
        reaches.resize(groups.len(), Reach::NONE);
        Filler { candidates, limits, order, claims, groups, reaches, capped: true }
    }

    /// Restricts the candidates to the fallback group that is to be used.
    fn fall_back(
        &mut self,
        groups: u32,
        strategy: &Strategy,
        wanted: u32,
        stay: bool,
        candidates: &[Candidate<'_>],
    ) {
        let all = self.limits.clone();
        let mut alone = vec![fallback::Part::None; groups as usize];
        let mut held = Vec::with_capacity(alone.len());
        for group in 0..alone.len() {
            alone[group] = fallback::Part::All;
            self.limits.clone_from(&all);
            fallback::restrict(&alone, candidates, &mut self.limits);
            held.push(self.constrain(strategy, wanted, candidates));
            alone[group] = fallback::Part::None;
        }
        self.limits = all;
        fallback::restrict(&fallback::parts(wanted, stay, &held), candidates, &mut self.limits);
    }

    /// Puts the constraints of a spread into the limits. Returns what all candidates may hold then.
    fn constrain(&mut self, strategy: &Strategy, wanted: u32, candidates: &[Candidate<'_>]) -> Held {
        match strategy.constraints() {
            [] => {
                self.groups.clear();
                Held::of(&self.limits)
            }
            constraints => self.groups.constrain(constraints, wanted, candidates, &mut self.limits),
        }
    }

    /// One step from what is kept towards the policy's own division.
    fn step(&mut self, demand: &Demand<'_>, give: u32, candidates: &[Candidate<'_>]) -> (u32, Option<Reach>) {
        let Demand { replicas, moves, strategy, .. } = *demand;
        let [mut sticky, mut goal, mut counts] =
            [&mut self.sticky, &mut self.goal, &mut self.counts].map(std::mem::take);
        self.filler(strategy, give, true, candidates).keep(give, &mut sticky);
        // What is kept may be in another fallback group than the goal.
        strategy::limit(strategy, replicas, candidates, &mut self.limits);
        let mut filler = self.filler(strategy, give, false, candidates);
        let own = filler.own(give, &mut goal);
        filler.approach(moves, &sticky, &goal, &mut counts);
        (self.sticky, self.goal, self.counts) = (sticky, goal, counts);
        own
    }

    /// What keeps pending replicas from being placed.
    fn explain_pending(&mut self, pending: u32, candidates: &[Candidate<'_>]) {
        let Self { limits, groups, totals, counts, reasons, .. } = self;
        *totals = groups.totals(counts);
        reasons.clear();
        if pending == 0 {
            return;
        }
        for ((index, candidate), limits) in (0..).zip(candidates).zip(limits.iter()) {
            let of_group = groups.limit_of(index, totals).and_then(|limit| limit.cap());
            let own = || (limits.cap < limits.wish).then(|| limits.reason(candidate)).flatten();
            reasons.extend(of_group.or_else(own));
        }
        reasons.sort_unstable();
        reasons.dedup();
    }
}

impl Division<'_> {
    /// What decided a candidate's number; none beyond the candidates.
    pub fn bound(&self, index: usize) -> Option<Bound> {
        let (count, goal) = (*self.counts.get(index)?, self.goal_of(index)?);
        if count == goal { self.bound_of(index, goal) } else { Some(Bound::Step { goal }) }
    }

    /// What keeps a candidate from getting more, now or where it is on its way to; none if nothing does.
    pub fn cap(&self, index: usize) -> Option<Cap> {
        match self.bound_of(index, self.goal_of(index)?)? {
            Bound::Cap(cap) => Some(cap),
            Bound::Share(_) | Bound::Minimum | Bound::Held { .. } | Bound::Step { .. } => None,
        }
    }

    /// What the policy's own division gives a candidate, if replicas are on their way to it.
    fn goal_of(&self, index: usize) -> Option<u32> {
        self.goal.unwrap_or(self.counts).get(index).copied()
    }

    fn bound_of(&self, index: usize, count: u32) -> Option<Bound> {
        let (candidate, limits) = (self.candidates.get(index)?, self.limits.get(index)?);
        let Limits { weight, rank, floor, cap, wish, .. } = *limits;
        let reaches = |reach: Reach, number| {
            let seat = Seat { candidate: index as u32, weight, number };
            reach.includes(rank, &seat, self.candidates)
        };
        let short = self.pending - self.withheld;
        let reach = self.reach.map(|reach| self.within_group(index).unwrap_or(reach));
        let would_get_more = match weight {
            _ if count == wish && wish > 0 => false,
            // It has everything: no room and no maximum keeps it from more.
            _ if count == self.wanted && short == 0 && *self.strategy != Strategy::Duplicate => false,
            0 => short > 0 || (count == 0 && floor == 0),
            _ => short > 0 || reach.is_some_and(|reach| reaches(reach, count)),
        };
        let reached = reach.is_none_or(|reach| rank <= reach.rank);
        let share = Bound::Share(strategy::share(self.strategy, rank, reached));
        let short_of_minimum = count == cap && candidate.rule.map_or(true, |rule| floor < rule.min());
        // A group that could not be given anything has no seats to compare with.
        let full = self.groups.matter() && count == cap && cap < wish;
        let foreign = full
            || match limits.limit {
                Limit::Fallback | Limit::MaxGroups | Limit::NoGroup => true,
                Limit::Own | Limit::Skew | Limit::MinGroups => candidate.eligible().is_none(),
            };
        if would_get_more || short_of_minimum || foreign {
            let of_group = self.groups.limit_of(index as u32, self.totals).and_then(Limit::cap);
            return Some(of_group.or_else(|| limits.reason(candidate)).map_or(share, Bound::Cap));
        }
        if *self.strategy == Strategy::Duplicate {
            return Some(share);
        }
        let Some(reach) = reach else {
            return Some(Bound::HELD);
        };
        let within_share = weight > 0 && count.checked_sub(1).is_none_or(|last| reaches(reach, last));
        Some(match within_share {
            true => share,
            false if count <= floor => Bound::Minimum,
            false => Bound::HELD,
        })
    }

    /// Where the seats end that a candidate's own group gave.
    fn within_group(&self, index: usize) -> Option<Reach> {
        let level = self.groups.depth().checked_sub(1)?;
        self.reaches.get(self.groups.at(index as u32, level) as usize).copied()
    }
}

/// Gives seats in their strict order.
struct Filler<'a> {
    candidates: &'a [Candidate<'a>],
    limits: &'a [Limits],
    /// The candidates in the order of their ranks.
    order: &'a [u32],
    claims: &'a mut Claims,
    groups: &'a Groups,
    /// Where the seats end that each group gave by weight.
    reaches: &'a mut [Reach],
    /// Whether caps are heeded: between two divisions that keep to them, each in its way, they are not.
    capped: bool,
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

    /// From `now` towards `goal`, which places at least as many, by at most so many moves.
    fn approach(&mut self, moves: u32, now: &[u32], goal: &[u32], counts: &mut Vec<u32>) {
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

    /// Gives seats to the emptiest groups of a level first, and within each of them likewise. Returns how many.
    fn fill_groups(
        &mut self,
        level: usize,
        members: &[u32],
        give: u64,
        end: &impl Fn(usize, &Limits) -> u32,
        totals: &[u64],
        counts: &mut [u32],
    ) -> u64 {
        if level == self.groups.depth() {
            return self.fill_group(level - 1, members, give, end, counts);
        }
        let group = |member: &u32| self.groups.at(*member, level);
        let mut chunks: Vec<&[u32]> = members.chunk_by(|a, b| group(a) == group(b)).collect();
        let rank = |chunk: &&[u32]| chunk.first().map_or(0, |member| self.groups.rank(group(member)));
        chunks.sort_by_key(rank);
        let mut given = 0;
        for chunks in chunks.chunk_by(|a, b| rank(a) == rank(b)) {
            let claims: Vec<Claim> =
                chunks.iter().filter_map(|one| self.claim_of(level, one, end, totals, counts)).collect();
            self.claims.clear();
            claims.iter().filter(|claim| claim.from < claim.to).for_each(|claim| self.claims.push(*claim));
            // What each group then has, under the candidate that stands for it.
            let mut has: Vec<u32> = vec![0; counts.len()];
            claims.iter().for_each(|claim| has[claim.candidate as usize] = claim.from);
            self.claims.serve(give - given, self.candidates, &mut has);
            for (members, claim) in chunks.iter().zip(claims) {
                let give = u64::from(has[claim.candidate as usize] - claim.from);
                if give > 0 {
                    given += self.fill_groups(level + 1, members, give, end, totals, counts);
                }
            }
        }
        given
    }

    /// Gives seats to the clusters of an innermost group. Returns how many.
    fn fill_group(
        &mut self,
        level: usize,
        members: &[u32],
        give: u64,
        end: &impl Fn(usize, &Limits) -> u32,
        counts: &mut [u32],
    ) -> u64 {
        let (limits, tier) = (self.limits, Tier { part: Part::Rest, weighted: true });
        let rank = |member: &u32| limits[*member as usize].rank;
        let mut given = 0;
        for members in members.chunk_by(|a, b| rank(a) == rank(b)) {
            self.claim(tier, members, end, counts);
            let (more, edge) = self.claims.serve(give - given, self.candidates, counts);
            given += more;
            if let (Some(member), true) = (members.first(), more > 0) {
                let rank = rank(member);
                self.reaches[self.groups.at(*member, level) as usize] = Reach { rank, edge };
            }
        }
        given
    }

    /// What some clusters of a group claim for it: what others of it hold counts as well.
    fn claim_of(
        &self,
        level: usize,
        members: &[u32],
        end: &impl Fn(usize, &Limits) -> u32,
        totals: &[u64],
        counts: &[u32],
    ) -> Option<Claim> {
        let group = self.groups.at(*members.first()?, level);
        let candidate = self.groups.first(group);
        let more = |member: &u32| {
            let (index, limits) = (*member as usize, &self.limits[*member as usize]);
            let end = if limits.weight > 0 { end(index, limits) } else { 0 };
            u64::from(end.saturating_sub(counts[index]))
        };
        let from = totals[group as usize];
        let to = from + members.iter().map(more).sum::<u64>();
        let to = if self.capped { to.min(self.groups.cap(group)) } else { to };
        // Seats beyond the type are never given: no more are wanted.
        let narrow = |seats: u64| u32::try_from(seats).unwrap_or(u32::MAX);
        Some(Claim { candidate, weight: 1, from: narrow(from), to: narrow(to.max(from)) })
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
        let may_hold = |limits: &Limits| limits.cap > 0 || !self.capped;
        tier.weighted || self.limits.iter().any(|limits| limits.weight == 0 && may_hold(limits))
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
