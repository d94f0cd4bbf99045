//! Groups of clusters under the constraints of a spread: a tree, each level of which is one constraint.
//!
//! Seats go to the emptiest group first, then to the emptiest within it, so that an order of seats stays an order (S19).
//! What a constraint forbids is a cap: on a cluster, or on a group as a whole.

use std::cmp::Reverse;

use godwit_common::ClusterName;
use godwit_common::policy::{GroupBy, SpreadConstraint};

use crate::candidate::{Candidate, Growth};
use crate::strategy::{Limit, Limits};

/// The rank of groups beyond a soft limit: they come after all others of their level, those that are avoided included.
const RANK_BEYOND: u32 = 2;

/// The groups of one division.
#[derive(Debug, Clone, Default)]
pub(crate) struct Groups {
    depth: usize,
    nodes: Vec<Node>,
    /// For each candidate, its groups from the outermost to the innermost.
    paths: Vec<u32>,
}

/// A group.
#[derive(Debug, Clone, Copy)]
struct Node {
    /// The first of its clusters, by tie and name: it stands for the group.
    first: u32,
    /// Its seats come after those of its neighbours with a lower rank.
    rank: u32,
    /// The most that it may hold as a whole.
    cap: u64,
    /// What that comes from, if it is less than its clusters could hold.
    limit: Limit,
}

/// What clusters hold together, and could hold.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Held {
    pub(crate) kept: u64,
    pub(crate) cap: u64,
}

impl Held {
    /// The sums over some clusters.
    pub(crate) fn of<'l>(limits: impl IntoIterator<Item = &'l Limits>) -> Self {
        limits.into_iter().fold(Self::default(), |sum, limits| Self {
            kept: sum.kept + u64::from(limits.kept),
            cap: sum.cap + u64::from(limits.cap),
        })
    }
}

/// What a group amounts to, for the constraint on it.
#[derive(Debug, Clone, Copy)]
struct Child<'m> {
    members: &'m [u32],
    node: u32,
    cap: u64,
    kept: u64,
    /// Whether it may grow if it has room.
    grows: bool,
}

impl Groups {
    /// Forgets everything: no constraint is in force.
    pub(crate) fn clear(&mut self) {
        self.depth = 0;
        self.nodes.clear();
        self.paths.clear();
    }

    /// Whether any constraint is in force.
    pub(crate) fn matter(&self) -> bool {
        self.depth > 0
    }

    /// Finds the groups, and puts what the constraints forbid into the limits.
    pub(crate) fn constrain(
        &mut self,
        constraints: &[SpreadConstraint],
        wanted: u32,
        candidates: &[Candidate<'_>],
        limits: &mut [Limits],
    ) -> Held {
        self.clear();
        self.depth = constraints.len();
        self.paths.resize(candidates.len() * self.depth, 0);
        for (candidate, limits) in candidates.iter().zip(limits.iter_mut()) {
            let unknown =
                |(constraint, group): (&SpreadConstraint, &Option<u32>)| !constraint.soft && group.is_none();
            if candidate.rule.is_ok() && constraints.iter().zip(candidate.groups).any(unknown) {
                (limits.cap, limits.limit) = (limits.kept, Limit::NoGroup);
            }
        }
        let mut order: Vec<u32> = (0..).zip(candidates).map(|(index, _)| index).collect();
        order.sort_unstable_by_key(|index| (candidates[*index as usize].groups, *index));
        let mut walk = Walk { constraints, wanted, candidates, limits, groups: self };
        walk.level(0, &order)
    }

    /// A candidate's group at a level, from 0.
    pub(crate) fn at(&self, candidate: u32, level: usize) -> u32 {
        self.paths[candidate as usize * self.depth + level]
    }

    /// All groups of a candidate, as a key that brings those of one group together.
    pub(crate) fn path(&self, candidate: u32) -> &[u32] {
        let from = candidate as usize * self.depth;
        &self.paths[from..from + self.depth]
    }

    /// How many levels there are.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// How many groups there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// When a group's turn is among its neighbours: the lower rank first.
    pub(crate) fn rank(&self, group: u32) -> u32 {
        self.nodes[group as usize].rank
    }

    /// The candidate that stands for a group.
    pub(crate) fn first(&self, group: u32) -> u32 {
        self.nodes[group as usize].first
    }

    /// The most that a group may hold.
    pub(crate) fn cap(&self, group: u32) -> u64 {
        self.nodes[group as usize].cap
    }

    /// What each group has when the candidates have so many.
    pub(crate) fn totals(&self, counts: &[u32]) -> Vec<u64> {
        let mut totals = vec![0; self.nodes.len()];
        if !self.matter() {
            return totals;
        }
        for (index, count) in (0..).zip(counts) {
            self.path(index).iter().for_each(|group| totals[*group as usize] += u64::from(*count));
        }
        totals
    }

    /// What keeps a candidate's groups from getting more, if it is one of them; `totals` is what each group holds.
    pub(crate) fn limit_of(&self, candidate: u32, totals: &[u64]) -> Option<Limit> {
        if self.depth == 0 {
            return None;
        }
        let full = |group: &&u32| {
            let node = self.nodes[**group as usize];
            node.limit != Limit::Own && totals[**group as usize] >= node.cap
        };
        self.path(candidate).iter().find(full).map(|group| self.nodes[*group as usize].limit)
    }
}

/// One walk over the tree, from the leaves to the root.
struct Walk<'a> {
    constraints: &'a [SpreadConstraint],
    wanted: u32,
    candidates: &'a [Candidate<'a>],
    limits: &'a mut [Limits],
    groups: &'a mut Groups,
}

impl Walk<'_> {
    /// Constrains the groups that the members form at a level. Returns what all of them may hold, and keep.
    fn level(&mut self, level: usize, members: &[u32]) -> Held {
        let Some(constraint) = self.constraints.get(level) else {
            return Held::of(members.iter().map(|index| &self.limits[*index as usize]));
        };
        let group = |index: &u32| self.candidates[*index as usize].groups.get(level).copied().flatten();
        let chunks: Vec<&[u32]> = members.chunk_by(|a, b| group(a) == group(b)).collect();
        let mut children: Vec<Child<'_>> = Vec::with_capacity(chunks.len());
        for members in chunks {
            let Held { cap, kept } = self.level(level + 1, members);
            let grows = members.iter().any(|index| self.grows(*index));
            let node = u32::try_from(self.groups.nodes.len()).unwrap_or(u32::MAX);
            let first = members.iter().copied().min_by_key(|index| {
                let candidate = &self.candidates[*index as usize];
                (candidate.tie, candidate.cluster)
            });
            let first = first.unwrap_or(0);
            // Where each cluster is a group, a cluster that is avoided is a group that is.
            let single = constraint.by == GroupBy::Cluster;
            let rank = u32::from(single && self.candidates[first as usize].avoided);
            self.groups.nodes.push(Node { first, rank, cap, limit: Limit::Own });
            for index in members {
                self.groups.paths[*index as usize * self.groups.depth + level] = node;
            }
            children.push(Child { members, node, cap, kept, grows });
        }
        self.at_most(constraint, &mut children);
        self.at_least(constraint, &mut children);
        self.skew(constraint, &mut children);
        for child in &children {
            self.groups.nodes[child.node as usize].cap = child.cap;
        }
        let sum = |each: fn(&Child<'_>) -> u64| children.iter().map(each).sum();
        Held { cap: sum(|child| child.cap), kept: sum(|child| child.kept) }
    }

    /// No more groups than allowed: those in use first, then the largest.
    fn at_most(&mut self, constraint: &SpreadConstraint, children: &mut [Child<'_>]) {
        let Some(most) = constraint.max_groups else { return };
        children.sort_unstable_by_key(|child| {
            (Reverse(child.kept > 0), Reverse(child.cap), Reverse(child.kept), self.key(child))
        });
        for child in children.iter_mut().skip(most as usize) {
            if constraint.soft {
                self.groups.nodes[child.node as usize].rank += RANK_BEYOND;
                continue;
            }
            for index in child.members {
                let limits = &mut self.limits[*index as usize];
                (limits.cap, limits.kept, limits.floor) = (0, 0, 0);
                limits.limit = Limit::MaxGroups;
            }
            (child.cap, child.kept, child.grows) = (0, 0, false);
        }
    }

    /// Fewer groups than asked for: nothing new anywhere.
    fn at_least(&mut self, constraint: &SpreadConstraint, children: &mut [Child<'_>]) {
        let Some(least) = constraint.min_groups.filter(|_| !constraint.soft) else { return };
        let least = least.min(self.wanted) as usize;
        let usable = children.iter().filter(|child| child.cap > 0).count();
        if usable >= least {
            return;
        }
        for child in children {
            for index in child.members {
                let limits = &mut self.limits[*index as usize];
                limits.cap = limits.kept;
                limits.floor = limits.floor.min(limits.cap);
                limits.limit = Limit::MinGroups;
            }
            child.cap = child.kept;
        }
    }

    /// No group gets more than the skew beyond the one that is full first. Since seats are given to the emptiest first,
    /// this keeps the skew at every single seat, too.
    fn skew(&mut self, constraint: &SpreadConstraint, children: &mut [Child<'_>]) {
        let Some(skew) = constraint.max_skew.filter(|_| !constraint.soft) else { return };
        let growing = children.iter().filter(|child| child.grows);
        let Some(least) = growing.map(|child| child.cap).min() else { return };
        let most = least.saturating_add(skew.into());
        for child in children {
            let cap = child.cap.min(most.max(child.kept));
            if cap == child.cap {
                continue;
            }
            child.cap = cap;
            self.groups.nodes[child.node as usize].limit = Limit::Skew;
            if let [index] = child.members {
                let limits = &mut self.limits[*index as usize];
                // Not above the cluster's own cap, which fits.
                limits.cap = cap as u32;
                limits.floor = limits.floor.min(limits.cap);
                limits.limit = Limit::Skew;
            }
        }
    }

    /// Decides between groups that are equal in all else.
    fn key(&self, child: &Child<'_>) -> (u64, &ClusterName) {
        let candidate = &self.candidates[self.groups.first(child.node) as usize];
        (candidate.tie, candidate.cluster)
    }

    fn grows(&self, index: u32) -> bool {
        let (candidate, limits) = (&self.candidates[index as usize], &self.limits[index as usize]);
        let forbidden = candidate.rule.is_ok_and(|rule| rule.max() == Some(0));
        candidate.growth == Growth::Allowed
            && limits.weight > 0
            && !forbidden
            && limits.limit != Limit::NoGroup
    }
}
