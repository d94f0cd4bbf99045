//! What the planner is told of each cluster.

use godwit_common::policy::{Rule, Unchosen};
use godwit_common::{ClusterName, WorkloadId, stable_hash};

use crate::choices::Choice;
use crate::report::{Barrier, Cap, Scarce};

/// One cluster as a candidate for one workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Its name.
    pub cluster: &'a ClusterName,
    /// The policy's rule for it, or why the policy does not choose it.
    pub rule: Result<Rule, Unchosen>,
    /// How many replicas are placed there now.
    pub held: u32,
    /// How many may be placed there in total.
    pub room: Room,
    /// Whether it may get more than it holds.
    pub growth: Growth,
    /// It is used when no other will do (a taint `PreferNoSchedule`).
    pub avoided: bool,
    /// Its tier under [`Strategy::Ordered`](godwit_common::policy::Strategy::Ordered), from 0.
    pub tier: u32,
    /// Its fallback group, from 0.
    pub fallback: u32,
    /// Its group under each constraint of [`Strategy::Spread`](godwit_common::policy::Strategy::Spread); see [`Choice::groups`].
    pub groups: &'a [Option<u32>],
    /// Decides between clusters that are equal in all else; lower first. See [`Tie`].
    pub tie: u64,
}

/// How many replicas of a workload a cluster can take, those that it holds included.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Room {
    /// Any number.
    Unlimited,
    /// So many. A cluster that holds more is cut to it (S17, S18).
    Limited {
        /// How many replicas, those held included.
        replicas: u32,
        /// What there would have to be more of.
        scarce: Scarce,
    },
}

impl Room {
    /// The room of a cluster that reports free room besides what it holds: it never cuts what is held.
    pub fn beside(held: u32, free: u32, scarce: Scarce) -> Self {
        Self::Limited { replicas: held.saturating_add(free), scarce }
    }

    /// How many replicas, those held included.
    pub fn total(&self) -> u32 {
        match self {
            Self::Unlimited => u32::MAX,
            Self::Limited { replicas, .. } => *replicas,
        }
    }
}

/// Whether a cluster may get more than it holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Growth {
    /// It may.
    Allowed,
    /// It gets nothing new; what it holds, it keeps like any other.
    Closed(Barrier),
    /// It gets nothing, and what it holds goes elsewhere.
    Excluded(Barrier),
}

/// Decides between clusters that are equal in all else, another way for each workload: many small workloads are spread
/// evenly, and each stays where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tie(Option<u64>);

impl Tie {
    /// Without a workload all clusters have the same tie, and names decide.
    pub fn of(workload: Option<&WorkloadId>) -> Self {
        let hash = |id: &WorkloadId| stable_hash([&*id.namespace, &*id.kind, &*id.name].map(str::as_bytes));
        Self(workload.map(hash))
    }

    /// The hash of a cluster's name, for [`Tie::with`]: it is the same for all workloads.
    pub fn hash(cluster: &ClusterName) -> u64 {
        stable_hash([cluster.as_str().as_bytes()])
    }

    /// The tie of a cluster, by the hash of its name: both hashes, mixed by the finalizer of SplitMix64.
    pub fn with(self, cluster: u64) -> u64 {
        let Some(workload) = self.0 else { return 0 };
        let mut mixed = workload ^ cluster.rotate_left(32);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl<'a> Candidate<'a> {
    /// A cluster as a policy sees it: empty, with any room, free to grow.
    pub fn new(cluster: &'a ClusterName, choice: &'a Choice) -> Self {
        Self {
            cluster,
            rule: choice.rule,
            held: 0,
            room: Room::Unlimited,
            growth: Growth::Allowed,
            avoided: false,
            tier: choice.tier,
            fallback: choice.fallback,
            groups: &choice.groups,
            tie: 0,
        }
    }

    /// What it keeps of what it holds, where nothing moves for balance.
    pub fn kept(&self) -> u32 {
        self.eligible().map_or(0, |rule| self.held.min(self.most(rule)))
    }

    /// Whether it may hold more than this.
    pub fn takes_more_than(&self, count: u32) -> bool {
        self.eligible().is_some_and(|rule| self.most(rule) > count)
    }

    /// The rule, if the cluster may hold anything at all.
    pub(crate) fn eligible(&self) -> Option<Rule> {
        match self.growth {
            Growth::Allowed | Growth::Closed(_) => self.rule.ok(),
            Growth::Excluded(_) => None,
        }
    }

    /// The most that an eligible cluster may hold, whatever its weight.
    pub(crate) fn most(&self, rule: Rule) -> u32 {
        let closed = match self.growth {
            Growth::Allowed => u32::MAX,
            Growth::Closed(_) | Growth::Excluded(_) => self.held,
        };
        self.room.total().min(closed).min(rule.max().unwrap_or(u32::MAX))
    }

    /// What keeps the cluster from getting more than it may; none when nothing ever does.
    pub fn cap(&self) -> Option<Cap> {
        let rule = match (self.rule, &self.growth) {
            (_, Growth::Excluded(barrier)) => return Some(Cap::Excluded(barrier.clone())),
            (Err(unchosen), Growth::Allowed | Growth::Closed(_)) => {
                return Some(Cap::Excluded(Barrier::Unchosen(unchosen)));
            }
            (Ok(rule), Growth::Allowed | Growth::Closed(_)) => rule,
        };
        let most = self.most(rule);
        if rule.weight() == 0 && rule.min() <= most {
            return Some(Cap::ZeroWeight);
        }
        // Of equal caps the first is named: room helps no cluster that is closed or at its maximum.
        match (&self.growth, &self.room) {
            (Growth::Closed(barrier), _) if self.held == most => Some(Cap::Closed(barrier.clone())),
            _ if rule.max() == Some(most) => Some(Cap::Maximum),
            (_, Room::Limited { replicas, scarce }) if *replicas == most => Some(Cap::Room(scarce.clone())),
            _ => None,
        }
    }
}
