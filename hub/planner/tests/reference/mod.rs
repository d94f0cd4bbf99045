//! The planner's rules as they are spoken: one replica at a time, the slow and plain way.

use std::cmp::{Ordering, Reverse};

use godwit_common::policy::{Rule, Strategy, WEIGHT_MAX};
use godwit_planner::{Candidate, Growth, Room};

/// What is asked, and of whom.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) strategy: &'a Strategy,
    pub(crate) replicas: u32,
    pub(crate) candidates: &'a [Candidate<'a>],
}

impl Question<'_> {
    /// How many replicas are wanted in all.
    pub(crate) fn wanted(&self) -> u32 {
        let chosen = self.candidates.iter().filter(|c| c.rule.is_ok_and(|rule| rule.weight() > 0)).count();
        match self.strategy {
            Strategy::Duplicate => self.replicas.saturating_mul(chosen as u32),
            _ => self.replicas,
        }
    }

    /// The policy's own division.
    pub(crate) fn own(&self) -> Vec<u32> {
        let mut counts = vec![0; self.candidates.len()];
        self.give(self.wanted(), &mut counts);
        counts
    }

    /// What is held, clipped; then the missing given, or the surplus taken, one by one.
    pub(crate) fn keep(&self) -> Vec<u32> {
        let mut counts = self.kept();
        let (wanted, placed) = (self.wanted(), counts.iter().sum());
        for _ in wanted..placed {
            let last = (0..counts.len())
                .filter(|i| counts[*i] > 0)
                .max_by(|i, j| self.before((*i, counts[*i] - 1), (*j, counts[*j] - 1)));
            counts[last.expect("a surplus is held by somebody")] -= 1;
        }
        self.give(wanted.saturating_sub(placed), &mut counts);
        counts
    }

    /// What is held, clipped to what each may hold.
    pub(crate) fn kept(&self) -> Vec<u32> {
        self.candidates.iter().map(|c| c.held.min(self.most(c))).collect()
    }

    fn give(&self, seats: u32, counts: &mut [u32]) {
        for _ in 0..seats {
            let first = (0..counts.len())
                .filter(|i| counts[*i] < self.cap(&self.candidates[*i]))
                .min_by(|i, j| self.before((*i, counts[*i]), (*j, counts[*j])));
            let Some(first) = first else { return };
            counts[first] += 1;
        }
    }

    /// Which of two clusters gets its next replica first, given how many each has.
    pub(crate) fn before(&self, (i, has_i): (usize, u32), (j, has_j): (usize, u32)) -> Ordering {
        let (a, b) = (&self.candidates[i], &self.candidates[j]);
        let beyond_minimum = |c: &Candidate<'_>, has: u32| has >= rule(c).min();
        let priority = |c: &Candidate<'_>| i128::from(self.weight(c));
        let weightless = |c: &Candidate<'_>| self.weight(c) == 0;
        // a / (2x + 1) > b / (2y + 1), multiplied out; a weight of zero makes it a priority of zero.
        let a_first = priority(a) * (2 * i128::from(has_j) + 1);
        let b_first = priority(b) * (2 * i128::from(has_i) + 1);
        let names = || a.cluster.cmp(b.cluster);
        let rank = weightless(a).cmp(&weightless(b)).then_with(|| self.rank(a).cmp(&self.rank(b)));
        match (beyond_minimum(a, has_i), beyond_minimum(b, has_j)) {
            (false, true) => Ordering::Less,
            (true, false) => Ordering::Greater,
            (false, false) => {
                rank.then(priority(b).cmp(&priority(a))).then_with(names).then(has_i.cmp(&has_j))
            }
            (true, true) => {
                let by_weight = b_first.cmp(&a_first).then(has_i.cmp(&has_j));
                rank.then(by_weight).then(a.tie.cmp(&b.tie)).then_with(names)
            }
        }
    }

    /// The most that a cluster may hold, its weight and the skew included.
    pub(crate) fn cap(&self, c: &Candidate<'_>) -> u32 {
        let most = self.most(c);
        if self.weight(c) == 0 {
            return most.min(rule(c).min().max(c.held));
        }
        let [constraint] = self.strategy.constraints() else {
            return most;
        };
        let Some(skew) = constraint.max_skew else { return most };
        let grows = |c: &&Candidate<'_>| {
            c.growth == Growth::Allowed && self.weight(c) > 0 && rule(c).max() != Some(0) && c.rule.is_ok()
        };
        let least = self.candidates.iter().filter(grows).map(|c| self.most(c)).min();
        most.min(least.map_or(u32::MAX, |least| least.saturating_add(skew)).max(c.held.min(most)))
    }

    /// The most that a cluster may hold by strategy, policy, room and state.
    pub(crate) fn most(&self, c: &Candidate<'_>) -> u32 {
        let room = match c.room {
            Room::Unlimited => u32::MAX,
            Room::Limited { replicas, .. } => replicas,
        };
        let growth = match (&c.growth, c.rule) {
            (Growth::Excluded(_), _) | (_, Err(_)) => 0,
            (Growth::Closed(_), Ok(_)) => c.held,
            (Growth::Allowed, Ok(_)) => u32::MAX,
        };
        let wish = match (self.strategy, rule(c).weight()) {
            (Strategy::Duplicate, 0) => 0,
            (Strategy::Duplicate, _) => self.replicas,
            _ => u32::MAX,
        };
        room.min(growth).min(rule(c).max().unwrap_or(u32::MAX)).min(wish)
    }

    fn weight(&self, c: &Candidate<'_>) -> u32 {
        match (self.strategy, rule(c).weight()) {
            (_, 0) => 0,
            (Strategy::Weighted | Strategy::Ordered(_), weight) => weight,
            (Strategy::Capacity, _) => c.room.total().min(WEIGHT_MAX),
            (Strategy::Spread(_) | Strategy::Pack | Strategy::Duplicate, _) => 1,
        }
    }

    fn rank<'a>(&'a self, c: &'a Candidate<'_>) -> impl Ord + 'a {
        let (mut tier, mut packed) = (0, None);
        match self.strategy {
            Strategy::Ordered(_) => tier = c.tier,
            Strategy::Pack => {
                let (kept, cap) = (c.held.min(self.most(c)), self.cap(c));
                packed = Some((c.avoided, Reverse(kept > 0), Reverse(cap), Reverse(kept), c.tie, c.cluster));
            }
            _ => {}
        }
        (tier, c.avoided, packed)
    }
}

fn rule(c: &Candidate<'_>) -> Rule {
    c.rule.unwrap_or_default()
}
