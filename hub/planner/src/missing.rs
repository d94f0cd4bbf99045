//! Where a few replicas are missing: the next seats in the strict order, without a division over all clusters.
//!
//! Where nothing moves for balance, [`divide`](crate::divide) keeps what the clusters hold and gives what is missing by
//! Webster's priority. Divisions by Webster's method are house-monotone: the seats stand in one order, and one more replica
//! is the next seat of it, whatever was given before. So what is missing can be given seat by seat, each to the cluster
//! whose next seat comes first. Which that is depends on the policy, but for few clusters: those that hold something have
//! later seats to offer, and of those that are chosen it is asked whether they may have them. What the others could hold
//! nobody has to find out.

use std::cmp::Ordering;

use godwit_common::ClusterName;
use godwit_common::policy::{Rule, Strategy};

use crate::choices::Choice;
use crate::strategy::{first_rank, weight};
use crate::webster::Seat;

/// After so many clusters that may not have what would be theirs, the division over all of them is sooner done.
const CLOSED_MAX: usize = 16;

/// A cluster of a policy, whatever the workload.
#[derive(Debug, Clone, Copy)]
pub struct Entrant<'a> {
    /// What the policy makes of it, which chooses it.
    pub choice: &'a Choice,
    /// See [`Candidate::avoided`](crate::Candidate::avoided).
    pub avoided: bool,
    /// It may get more, as far as that is known without the workload.
    pub grows: bool,
    /// By what a workload breaks ties.
    pub hash: u64,
}

/// The clusters of a policy, and what decides whose seat is given next.
#[derive(Debug, Clone)]
pub struct Turns(Vec<Turn>);

#[derive(Debug, Clone, Copy)]
struct Turn {
    rank: u32,
    /// Zero where it gets nothing more.
    weight: u32,
    hash: u64,
}

impl Turns {
    /// None where the seats of one cluster depend on what another one can hold: by room, by groups, or by minimums.
    pub fn new<'a>(strategy: &Strategy, clusters: impl IntoIterator<Item = Entrant<'a>>) -> Option<Self> {
        match strategy {
            Strategy::Weighted | Strategy::Ordered(_) => {}
            Strategy::Spread(constraints) if constraints.is_empty() => {}
            Strategy::Spread(_) | Strategy::Capacity | Strategy::Pack | Strategy::Duplicate => return None,
        }
        let turn = |Entrant { choice, avoided, grows, hash }: Entrant<'a>| {
            let rule = choice.rule.ok().filter(|rule| Rule::min(*rule) == 0 && choice.fallback == 0)?;
            let weight = if grows { weight(strategy, rule, || 0) } else { 0 };
            Some(Turn { rank: first_rank(strategy, choice.tier, avoided), weight, hash })
        };
        clusters.into_iter().map(turn).collect::<Option<Vec<Turn>>>().map(Self)
    }

    /// Gives so many seats. `had` is what clusters have, by their places in the order of [`Turns::new`], ascending; others
    /// have none. `tie` makes a tie of a hash, and `takes` says whether a cluster may have one more than so many. False
    /// where the division has to say it: then not all can be given, or that is hard to find out.
    pub fn give<'n>(
        &self,
        missing: u32,
        had: &mut Vec<(usize, u32)>,
        tie: impl Fn(u64) -> u64,
        name: impl Fn(usize) -> Option<&'n ClusterName>,
        mut takes: impl FnMut(usize, u32) -> bool,
    ) -> bool {
        let mut closed = Vec::new();
        let mut left = missing;
        while left > 0 {
            let Some(next) = self.next(had, &closed, &tie, &name) else { return false };
            let place = had.binary_search_by_key(&next, |(place, _)| *place);
            let count = place.ok().and_then(|place| had.get(place)).map_or(0, |(_, count)| *count);
            if !takes(next, count) {
                closed.push(next);
                if closed.len() > CLOSED_MAX {
                    return false;
                }
                continue;
            }
            match place {
                Ok(place) => had[place].1 = count + 1,
                Err(place) => had.insert(place, (next, 1)),
            }
            left -= 1;
        }
        true
    }

    /// The cluster whose next seat comes first.
    fn next<'n>(
        &self,
        had: &[(usize, u32)],
        closed: &[usize],
        tie: &impl Fn(u64) -> u64,
        name: &impl Fn(usize) -> Option<&'n ClusterName>,
    ) -> Option<usize> {
        let mut had = had.iter().peekable();
        let mut first: Option<(usize, &Turn, Seat)> = None;
        for (place, turn) in self.0.iter().enumerate() {
            let number = had.next_if(|(other, _)| *other == place).map_or(0, |(_, count)| *count);
            if turn.weight == 0 || closed.contains(&place) {
                continue;
            }
            let seat = Seat { candidate: 0, weight: turn.weight, number };
            let before = first.as_ref().is_none_or(|(other, others, next)| {
                let by_priority = turn.rank.cmp(&others.rank).then_with(|| seat.by_priority(next));
                let by_tie =
                    || tie(turn.hash).cmp(&tie(others.hash)).then_with(|| name(place).cmp(&name(*other)));
                by_priority.then_with(by_tie) == Ordering::Less
            });
            if before {
                first = Some((place, turn, seat));
            }
        }
        first.map(|(place, ..)| place)
    }
}
