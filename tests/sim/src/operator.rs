//! The operator: deploys, scales, deletes, changes policies, and ends freezes. Never quite sure whether it was heard.

use std::time::Duration;

use godwit_hub_core::{Command, Policy, PolicyChoice};
use godwit_planner::{self as planner, Rebalance, Rule, Strategy, Tiers};

use crate::clock::Cx;
use crate::happening::Happening;
use crate::scenario::{deploy, id, policy_name, workload};
use crate::world::{World, cx};

/// The names that its applications take turns in: a deleted one comes back under the same name.
const NAMES: [&str; 5] = ["api", "cart", "search", "web", "worker"];
const POLICIES: [&str; 2] = ["steady", "spread"];

/// What the operator may want.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Operator {
    /// The most milliseconds between two wishes; zero for none.
    pub every: u64,
    /// Only freezes are still ended.
    pub only_freezes: bool,
    /// The most replicas of a workload.
    pub replicas_max: u64,
    /// All replicas ask for the same.
    pub uniform: bool,
}

impl World {
    /// From now on the operator wants things.
    pub fn begin_operator(&mut self, operator: Operator) {
        self.operator = operator;
        cx!(self).after((0, operator.every), Happening::Operate);
    }

    pub(crate) fn operate(&mut self) {
        let every = self.operator.every;
        if every == 0 {
            return;
        }
        cx!(self).after((1, every), Happening::Operate);
        let Some(core) = &self.hubs[0].core else { return };
        let frozen = core.federation().freeze.is_some();
        let held = self.members.iter().find(|member| {
            let view = core.cluster(&member.name);
            view.is_some_and(|view| view.removals_held > 0)
        });
        let held = held.map(|member| member.name.clone());
        let command = match held {
            _ if frozen && self.rng.one_in(2) => match self.rng.one_in(2) {
                true => Command::ReleaseFreeze,
                false => Command::ConfirmFreeze,
            },
            Some(cluster) => Command::ConfirmRemoval { cluster },
            None if self.operator.only_freezes => return,
            None => self.wish(),
        };
        self.command(0, command);
    }

    fn wish(&mut self) -> Command {
        let name = NAMES[self.pick(NAMES.len())];
        let kind = if name == "cart" { "StatefulSet" } else { "Deployment" };
        let replicas = u32::try_from(self.rng.below(self.operator.replicas_max + 1)).unwrap_or(0);
        match self.rng.below(10) {
            0..=3 => {
                let cpu = if self.operator.uniform { 100 } else { 50 << self.rng.below(4) };
                let revision = u32::try_from(self.rng.below(3)).unwrap_or(0);
                let policy = match self.rng.below(3) {
                    0 => PolicyChoice::Annotated,
                    1 => PolicyChoice::Inline(self.policy()),
                    _ => PolicyChoice::Named(policy_name(POLICIES[self.pick(POLICIES.len())])),
                };
                deploy(workload(kind, name, replicas, cpu, revision), policy)
            }
            4..=6 => Command::Scale { workload: id(kind, name), replicas, dry_run: self.rng.one_in(8) },
            7 => Command::DeleteWorkload { workload: id(kind, name) },
            _ => Command::ApplyPolicy { policy: self.policy(), dry_run: false },
        }
    }

    fn strategy(&mut self) -> Strategy {
        match self.rng.below(10) {
            0 => Strategy::Capacity,
            1 => Strategy::Spread { max_skew: None },
            2 => Strategy::Pack,
            3 => Strategy::Duplicate,
            4 => {
                let mut tiers = vec![Vec::new(), Vec::new()];
                for member in &self.members {
                    tiers[usize::from(self.rng.one_in(2))].push(member.name.clone());
                }
                tiers.retain(|tier| !tier.is_empty());
                Tiers::new(tiers).map_or(Strategy::Weighted, Strategy::Ordered)
            }
            _ => Strategy::Weighted,
        }
    }

    fn policy(&mut self) -> Policy {
        let names: Vec<_> = self.members.iter().map(|member| member.name.clone()).collect();
        let mut clusters = std::collections::BTreeMap::new();
        for name in names {
            let (weight, min) = (self.pick(4), self.pick(2));
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
        let strategy = self.strategy();
        Policy {
            name: policy_name(POLICIES[self.pick(POLICIES.len())]),
            placement: planner::Policy {
                strategy,
                default: self.rng.one_in(2).then(Rule::default),
                clusters,
                rebalance,
                priority: i32::try_from(self.rng.below(3)).unwrap_or(0),
            },
            lost_after: Duration::from_secs([0, 6, 10, 20][self.pick(4)]),
            max_unavailable: u32::try_from(self.rng.below(2)).unwrap_or(0),
        }
    }
}
