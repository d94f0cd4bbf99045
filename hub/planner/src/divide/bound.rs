//! What decided each candidate's number, and what keeps it from more.

use godwit_common::policy::Strategy;

use super::Division;
use super::fill::Reach;
use crate::report::{Bound, Cap};
use crate::strategy::{self, Limit, Limits};
use crate::webster::Seat;

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
