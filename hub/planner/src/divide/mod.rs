//! How one workload is divided over clusters.
//!
//! Every replica that a cluster could hold is a seat, and all seats stand in one strict order: first those that
//! make up minimums, by weight and name, then the rest, by Webster's priority. A division of `n` replicas is the first `n`
//! seats of some set. So one more replica never takes one away from any cluster (S19), taking surplus is giving
//! seats in reverse (S18), and the same question always has the same answer.
//!
//! A [`Strategy`] ranks clusters: beyond minimums, all seats of one rank come before those of the next.

mod bound;
mod fill;
mod fill_groups;

use godwit_common::policy::Strategy;

use fill::{Filler, Reach};

use crate::candidate::Candidate;
use crate::fallback;
use crate::groups::{Groups, Held};
use crate::report::Cap;
use crate::strategy::{self, Limits};
use crate::webster::Claims;

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
        0 | u32::MAX => {
            let stay = moves == 0;
            let mut counts = std::mem::take(&mut scratch.counts);
            let mut filler = scratch.filler(strategy, give, stay, candidates);
            let end = if stay { filler.keep(give, &mut counts) } else { filler.own(give, &mut counts) };
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
