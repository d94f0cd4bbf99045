//! The policies that the operator draws.

use std::time::Duration;

use godwit_common::Toleration;
use godwit_common::policy::overrides::{Change, Image};
use godwit_common::policy::{
    self, ClusterSelector, ClusterToleration, Data, Drift, FailBack, GroupBy, ObjectSelector, OnFailure,
    Override, Prestage, Rebalance, Rollout, Rule, SpreadConstraint, Strategy, Survivor, Tiers, TrafficGate,
    WorkloadSelector,
};
use godwit_hub_core::Policy;

use super::{COMPANION, POLICIES, TIERS, tier};
use crate::scenario::policy_name;
use crate::world::World;

impl World {
    fn strategy(&mut self) -> Strategy {
        match self.rng.below(10) {
            0 => Strategy::Capacity,
            1 => Strategy::Spread(self.constraints()),
            2 => Strategy::Pack,
            3 => Strategy::Duplicate,
            4 => {
                let mut tiers = vec![Vec::new(), Vec::new()];
                for member in &self.members {
                    tiers[usize::from(self.rng.one_in(2))].push(member.name.clone());
                }
                tiers.retain(|tier| !tier.is_empty());
                let tiers = tiers.into_iter().map(ClusterSelector::of_names).collect();
                Tiers::new(tiers).map_or(Strategy::Weighted, Strategy::Ordered)
            }
            _ => Strategy::Weighted,
        }
    }

    fn constraints(&mut self) -> Vec<SpreadConstraint> {
        let bound = |world: &mut Self, most: usize| {
            let bound = 1 + world.pick(most);
            world.rng.one_in(3).then(|| u32::try_from(bound).unwrap_or(1))
        };
        let constraint = SpreadConstraint {
            by: GroupBy::Label("tier".into()),
            min_groups: bound(self, 2),
            max_groups: bound(self, 3).map(|max| max.max(2)),
            max_skew: bound(self, 3),
            soft: self.rng.one_in(2),
        };
        if self.rng.one_in(2) { Vec::new() } else { vec![constraint] }
    }

    pub(super) fn policy(&mut self) -> Policy {
        let names: Vec<_> = self.members.iter().map(|member| member.name.clone()).collect();
        let strategy = self.strategy();
        let grouped = !strategy.constraints().is_empty();
        let mut clusters = std::collections::BTreeMap::new();
        for name in names {
            let (weight, min) = (self.pick(4), if grouped { 0 } else { self.pick(2) });
            let max = self.rng.one_in(4).then(|| min + self.pick(12));
            let bound = |number: usize| u32::try_from(number).unwrap_or(0);
            let rule = Rule::new(bound(weight), bound(min), max.map(bound));
            if let Some(rule) = rule.ok().filter(|_| !self.rng.one_in(5)) {
                clusters.insert(name, rule);
            }
        }
        let rebalance = match self.rng.below(4) {
            0 => Rebalance::Always,
            1 => Rebalance::Gradual,
            _ => Rebalance::Never,
        };
        let priority = i32::try_from(self.rng.below(3)).unwrap_or(0);
        let mut placement = policy::Policy {
            strategy,
            default: self.rng.one_in(2).then(Rule::default),
            clusters,
            rebalance,
            priority,
            preemptible: self.rng.one_in(2),
            motion: self.motion(),
            rollout: self.rollout(),
            data: Data::ALL[self.pick(Data::ALL.len())],
            divide: self.rng.one_in(2),
            prestage: Prestage::ALL[usize::from(self.rng.one_in(4))],
            overrides: self.overrides(),
            ..policy::Policy::default()
        };
        if self.rng.one_in(3) {
            self.restrict(&mut placement);
        }
        Policy {
            name: policy_name(POLICIES[self.pick(POLICIES.len())]),
            placement,
            lost_after: Duration::from_secs([0, 6, 10, 20][self.pick(4)]),
        }
    }

    /// What is different in some clusters: by name, or by the label that operators change.
    fn overrides(&mut self) -> Vec<Override> {
        let rules = if self.rng.one_in(3) { self.pick(3) } else { 0 };
        let mut overrides = Vec::new();
        for _ in 0..rules {
            let cluster = self.pick(self.members.len());
            let mut selector = ClusterSelector::of_names([self.members[cluster].name.clone()]);
            if self.rng.one_in(2) {
                selector = tier(TIERS[self.pick(TIERS.len())]);
            }
            let kinds = if self.rng.one_in(3) { ["ConfigMap".into()].into() } else { Default::default() };
            let tag = Some(format!("{}", self.pick(3)).into());
            overrides.push(Override {
                selector,
                objects: ObjectSelector { kinds, ..ObjectSelector::default() },
                change: Change { image: Image { tag, ..Image::default() }, ..Change::default() },
            });
        }
        overrides
    }

    fn rollout(&mut self) -> Rollout {
        let first = self.pick(self.members.len());
        let first = ClusterSelector::of_names([self.members[first].name.clone()]);
        Rollout {
            order: if self.rng.one_in(2) { vec![first] } else { Vec::new() },
            max_clusters_at_once: 1 + u32::try_from(self.rng.below(3)).unwrap_or(0),
            pause_after_first: self.rng.one_in(6),
            on_failure: if self.rng.one_in(2) { OnFailure::Rollback } else { OnFailure::Stop },
            progress_deadline: Duration::from_secs(10 + self.rng.below(60)),
        }
    }

    fn motion(&mut self) -> policy::Motion {
        // Of seven, four may run twice, and of the others two end by themselves.
        let mode = if self.operator.gated { 2 } else { [0, 0, 0, 0, 1, 2, 2][self.pick(7)] };
        let mode = policy::Mode::ALL[mode];
        let more = u32::try_from(self.rng.below(2)).unwrap_or(0);
        policy::Motion {
            mode,
            max_surge: [1, 25, 25, 100][self.pick(4)],
            max_unavailable: mode.default_unavailable() + more,
            traffic_gate: self.gate(),
            survivor: Survivor::ALL[self.pick(Survivor::ALL.len())],
            fail_back: FailBack::ALL[self.pick(FailBack::ALL.len())],
            unready_after: Duration::from_secs([10, 60, 300][self.pick(3)]),
            drift: Drift::ALL[self.pick(Drift::ALL.len())],
        }
    }

    fn gate(&mut self) -> TrafficGate {
        match self.rng.below(5) {
            0 | 1 => TrafficGate::Ack,
            2 => TrafficGate::Delay(Duration::from_secs(1 + self.rng.below(25))),
            _ => TrafficGate::None,
        }
    }

    /// One of the less usual wishes.
    fn restrict(&mut self, placement: &mut policy::Policy) {
        let other = || {
            let names = [COMPANION.into()].into();
            vec![WorkloadSelector { names, ..WorkloadSelector::default() }]
        };
        match self.rng.below(7) {
            0 => placement.selector = tier(TIERS[0]),
            1 => placement.rules = vec![(tier(TIERS[0]), Rule::default())],
            2 if placement.strategy != Strategy::Duplicate => {
                placement.fallback = vec![tier(TIERS[0]), tier(TIERS[1])];
            }
            2 | 3 => {
                let taints = Toleration { key: Some("old".into()), ..Toleration::default() };
                let seconds = self.rng.one_in(2).then_some(30);
                placement.tolerations = vec![ClusterToleration { taints, seconds }];
            }
            4 => placement.affinity.with = other(),
            5 => placement.affinity.without = other(),
            _ => placement.affinity.colocate = true,
        }
    }
}
