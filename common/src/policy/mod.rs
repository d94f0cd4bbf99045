//! What a policy asks for: which clusters may run its workloads, how replicas are divided over them, and what moves for
//! balance. One value for all who speak of policies: manifests, the wire, the store and the planner.

mod affinity;
mod check;
mod data;
mod gate;
pub mod limits;
mod mistake;
mod motion;
pub mod overrides;
mod rollout;
mod rule;
mod selector;
mod spread;
mod strategy;
mod toleration;

use std::collections::BTreeMap;

use crate::{ClusterName, WorkloadKind, traits::Traits};

pub use affinity::{ALL_NAMESPACES, Affinity, WorkloadSelector};
pub use data::{Data, Prestage};
pub use gate::TrafficGate;
pub use mistake::{Mistake, Place, Step};
pub use motion::{Drift, FailBack, Fencing, Mode, Motion, SURGE_PERCENT, Survivor, UNREADY_AFTER, most};
pub use overrides::{ObjectSelector, Override};
pub use rollout::{OnFailure, Rollout};
pub use rule::{REPLICAS_MAX, Rule, WEIGHT_MAX};
pub use selector::ClusterSelector;
pub use spread::{GroupBy, SpreadConstraint};
pub use strategy::{Strategy, StrategyKind, Tiers};
pub use toleration::{ClusterToleration, Tolerated};

/// The policy of workloads that name none: every cluster alike.
pub const DEFAULT_POLICY: &str = "default";
/// The same of StatefulSets: no replica runs twice (S32).
pub const STATEFUL_POLICY: &str = "stateful";

/// The policy of a new workload of a kind, where nobody says which.
pub fn usual_policy(kind: WorkloadKind) -> &'static str {
    if kind.ordered() { STATEFUL_POLICY } else { DEFAULT_POLICY }
}

/// How far `gradual` goes in one step, in percent of the wanted replicas.
pub const GRADUAL_STEP_PERCENT: u32 = 10;

/// How a policy divides one workload's replicas over clusters, and how it moves them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// By what the shares are decided.
    pub strategy: Strategy,
    /// Which clusters may run anything at all; the rules say how much of it.
    pub selector: ClusterSelector,
    /// Groups of clusters, the first of which that can hold all is used; none: all clusters are one group.
    pub fallback: Vec<ClusterSelector>,
    /// The taints of clusters that its workloads put up with.
    pub tolerations: Vec<ClusterToleration>,
    /// Near which other workloads, or away from which.
    pub affinity: Affinity,
    /// The rule of clusters that have none of their own.
    pub default: Option<Rule>,
    /// Rules by cluster; they win over those by selector.
    pub clusters: BTreeMap<ClusterName, Rule>,
    /// Rules by selector; the first that matches wins.
    pub rules: Vec<(ClusterSelector, Rule)>,
    /// Whether running replicas move for balance alone.
    pub rebalance: Rebalance,
    /// Who is served first in a shortage: higher before lower (S16).
    pub priority: i32,
    /// Whether replicas may be given up for a higher priority that finds no room, down to the minimums (S16).
    pub preemptible: bool,
    /// What moves may do to its workloads (S8, S20).
    pub motion: Motion,
    /// How a new revision goes over the clusters (S31).
    pub rollout: Rollout,
    /// What becomes of the data of its workloads when they would move (S32).
    pub data: Data,
    /// Whether a StatefulSet is divided over clusters, each with ordinals of its own (S32).
    pub divide: bool,
    /// In which clusters its workloads are ahead of need (S33).
    pub prestage: Prestage,
    /// Whether the Services that come with its workloads are exported to other clusters (S33).
    pub export_services: bool,
    /// What is different about its objects in some of the clusters, in this order.
    pub overrides: Vec<Override>,
}

/// Why a policy does not choose a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unchosen {
    /// Its selector does not match.
    Selector,
    /// No entry names it, no rule matches it, and there is no default.
    NoRule,
    /// It is in no tier.
    NoTier,
    /// It is in no fallback group.
    NoGroup,
}

impl Policy {
    /// The rule of a cluster, or why the policy does not choose it.
    ///
    /// Where the policy has rules but no default, it chooses only clusters with a rule; where it has none, it chooses all
    /// of them alike.
    pub fn choose(&self, cluster: &ClusterName, traits: &Traits) -> Result<Rule, Unchosen> {
        if !self.selector.matches(cluster, traits) {
            return Err(Unchosen::Selector);
        }
        if !self.fallback.is_empty() && self.group_of(cluster, traits).is_none() {
            return Err(Unchosen::NoGroup);
        }
        let tiers = self.strategy.tiers();
        if tiers.is_some_and(|tiers| tiers.of(cluster, traits).is_none()) {
            return Err(Unchosen::NoTier);
        }
        let by_selector = || self.rules.iter().find(|(selector, _)| selector.matches(cluster, traits));
        let own = self.clusters.get(cluster).or_else(|| by_selector().map(|(_, rule)| rule));
        let alike = tiers.is_some() || (self.clusters.is_empty() && self.rules.is_empty());
        let rule = own.copied().or(self.default).or_else(|| alike.then(Rule::default));
        rule.ok_or(Unchosen::NoRule)
    }

    /// The same where a cluster is named, another is named beside it: as a successor that takes its place. What the policy
    /// says of the other one already stands. None if nothing changes.
    pub fn with_successor(&self, old: &ClusterName, new: &ClusterName) -> Option<Self> {
        let mut policy = self.clone();
        if let Some(rule) = self.clusters.get(old) {
            policy.clusters.entry(new.clone()).or_insert(*rule);
        }
        let name = |selector: &mut ClusterSelector| {
            for names in [&mut selector.names, &mut selector.exclude] {
                if names.contains(old) {
                    names.insert(new.clone());
                }
            }
        };
        name(&mut policy.selector);
        policy.fallback.iter_mut().for_each(name);
        policy.rules.iter_mut().for_each(|(selector, _)| name(selector));
        policy.overrides.iter_mut().for_each(|one| name(&mut one.selector));
        if let Strategy::Ordered(tiers) = &policy.strategy {
            let mut selectors = tiers.selectors().to_vec();
            selectors.iter_mut().for_each(name);
            // Nobody is named twice: if the other one has a tier, it keeps that.
            if let Ok(tiers) = Tiers::new(selectors) {
                policy.strategy = Strategy::Ordered(tiers);
            }
        }
        (policy != *self).then_some(policy)
    }

    /// The fallback group of a cluster, from 0; none when it is in none.
    pub fn group_of(&self, cluster: &ClusterName, traits: &Traits) -> Option<u32> {
        let found = self.fallback.iter().zip(0..).find(|(group, _)| group.matches(cluster, traits));
        found.map(|(_, number)| number)
    }
}

/// Whether replicas that run well move only because the shares are out of balance (S18).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Rebalance {
    /// They stay where they are.
    #[default]
    Never,
    /// They move towards the policy's own division, a step at a time.
    Gradual,
    /// They follow the policy's own division at once.
    Always,
}

impl Rebalance {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Never, Self::Gradual, Self::Always];

    /// Its name, as policies write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Gradual => "gradual",
            Self::Always => "always",
        }
    }

    /// How many replicas may move for balance in one step. Whoever paces `gradual` passes 0 until the next step is due.
    pub fn moves(self, wanted: u32) -> u32 {
        match self {
            Self::Never => 0,
            Self::Gradual => {
                let step = (u64::from(wanted) * u64::from(GRADUAL_STEP_PERCENT)).div_ceil(100);
                u32::try_from(step).unwrap_or(u32::MAX)
            }
            Self::Always => u32::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> ClusterName {
        name.parse().unwrap()
    }

    fn in_region(region: &str) -> Traits {
        Traits { region: region.into(), ..Traits::default() }
    }

    fn region(region: &str) -> ClusterSelector {
        ClusterSelector { regions: [region.into()].into(), ..ClusterSelector::default() }
    }

    #[test]
    fn a_cluster_is_chosen_by_entry_then_rule_then_default_then_by_there_being_none() {
        let [east, west] = ["east", "west"].map(name);
        let [heavy, light, middle] = [9, 2, 5].map(|weight| Rule::new(weight, 0, None).unwrap());
        let mut policy = Policy::default();
        let choose = |policy: &Policy, name| policy.choose(name, &in_region("eu"));
        assert_eq!(choose(&policy, &east), Ok(Rule::default()));
        policy.clusters.insert(east.clone(), heavy);
        assert_eq!((choose(&policy, &east), choose(&policy, &west)), (Ok(heavy), Err(Unchosen::NoRule)));
        policy.default = Some(light);
        assert_eq!((choose(&policy, &east), choose(&policy, &west)), (Ok(heavy), Ok(light)));
        policy.rules = vec![(region("us"), heavy), (region("eu"), middle), (region("eu"), heavy)];
        assert_eq!((choose(&policy, &east), choose(&policy, &west)), (Ok(heavy), Ok(middle)));
    }

    #[test]
    fn selector_and_groups_come_before_any_rule() {
        let mut policy = Policy { selector: region("eu"), ..Policy::default() };
        policy.clusters.insert(name("east"), Rule::default());
        assert_eq!(policy.choose(&name("east"), &in_region("us")), Err(Unchosen::Selector));
        assert_eq!(policy.choose(&name("east"), &in_region("eu")), Ok(Rule::default()));
        policy.fallback = vec![region("us"), region("eu")];
        assert_eq!(policy.group_of(&name("east"), &in_region("eu")), Some(1));
        policy.fallback.pop();
        assert_eq!(policy.choose(&name("east"), &in_region("eu")), Err(Unchosen::NoGroup));
    }

    #[test]
    fn a_successor_is_named_wherever_the_old_one_is_and_what_is_said_of_it_stands() {
        let [old, new, other] = ["old", "new", "other"].map(name);
        let rule = |weight| Rule::new(weight, 0, None).unwrap();
        let mut policy = Policy::default();
        assert_eq!(policy.with_successor(&old, &new), None, "it names nobody");
        policy.clusters = [(old.clone(), rule(3)), (other.clone(), rule(1))].into();
        policy.rules = vec![(ClusterSelector::of_names([old.clone()]), rule(5))];
        policy.selector.exclude = [old.clone()].into();
        let tiers = |first: &[&ClusterName], second: &[&ClusterName]| {
            let tier = |names: &[&ClusterName]| ClusterSelector::of_names(names.iter().copied().cloned());
            Strategy::Ordered(Tiers::new(vec![tier(first), tier(second)]).unwrap())
        };
        policy.strategy = tiers(&[&old], &[&other]);
        let carried = policy.with_successor(&old, &new).unwrap();
        assert_eq!((carried.clusters[&old], carried.clusters[&new]), (rule(3), rule(3)));
        assert_eq!(carried.rules[0].0.names, [new.clone(), old.clone()].into());
        assert_eq!(carried.selector.exclude, [new.clone(), old.clone()].into());
        assert_eq!(carried.strategy, tiers(&[&old, &new], &[&other]));
        assert_eq!(carried.with_successor(&old, &new), None, "once is enough");
        policy.clusters.insert(new.clone(), rule(9));
        policy.strategy = tiers(&[&old], &[&new]);
        let carried = policy.with_successor(&old, &new).unwrap();
        assert_eq!((carried.clusters[&new], carried.strategy), (rule(9), policy.strategy.clone()));
    }

    #[test]
    fn a_gradual_step_is_a_tenth_rounded_up() {
        let steps = [0, 1, 10, 11, u32::MAX].map(|wanted| Rebalance::Gradual.moves(wanted));
        assert_eq!(steps, [0, 1, 1, 2, 429_496_730]);
        assert_eq!((Rebalance::Never.moves(100), Rebalance::Always.moves(100)), (0, u32::MAX));
    }
}
