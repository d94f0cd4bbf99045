//! The operator: deploys, scales, deletes, changes policies, and ends freezes. Never quite sure whether it was heard.

mod policies;
mod winding_up;
mod wishes;

use godwit_common::PolicyName;
use godwit_common::policy::ClusterSelector;
use godwit_hub_core::{Command, Key, Policy, Record};

use crate::clock::Cx;
use crate::happening::Happening;
use crate::scenario::policy_name;
use crate::world::{World, cx};

/// The names that its applications take turns in: a deleted one comes back under the same name.
const NAMES: [&str; 8] = ["api", "backup", "cart", "import", "logs", "search", "web", "worker"];
const POLICIES: [&str; 2] = ["steady", "spread"];
/// A workload that others are deployed with, near, or away from.
const COMPANION: &str = "cache";
/// What makes clusters fail together.
const DOMAIN: &str = "topology.godwit.dev/failure-domain";
const TIERS: [&str; 2] = ["own", "rented"];

/// What the operator may want.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Operator {
    /// The most milliseconds between two wishes; zero for none.
    pub every: u64,
    /// Nothing new is wished: freezes end, and what was put on clusters and namespaces is taken away.
    pub winds_up: bool,
    /// The most replicas of a workload.
    pub replicas_max: u64,
    /// All replicas ask for the same.
    pub uniform: bool,
    /// Nothing may run twice, and all of it ends with its lease.
    pub gated: bool,
    /// Clusters were forgotten as they were: what still was in them may be an orphan when they join again.
    pub forgets: bool,
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
        if self.operator.winds_up {
            self.finish_upgrades();
        }
        let Some(core) = &self.hubs[0].core else { return };
        let frozen = core.federation().freeze.is_some();
        let held = self.members.iter().find(|member| {
            let view = core.cluster(&member.name);
            view.is_some_and(|view| view.removals_held > 0)
        });
        let held = held.map(|member| member.name.clone());
        let dead = self.members.iter().position(|member| member.dead && !member.abandoned);
        let dead = dead.filter(|_| self.rng.one_in(3));
        let missing = self.missing_policy().filter(|_| frozen && self.rng.one_in(2));
        let command = match held {
            _ if missing.is_some() => {
                let name = missing.unwrap_or_else(|| policy_name(POLICIES[0]));
                Command::ApplyPolicy(Policy { name, ..self.policy() })
            }
            _ if frozen && self.rng.one_in(2) => match self.rng.one_in(2) {
                true => Command::ReleaseFreeze,
                false => Command::ConfirmFreeze,
            },
            Some(cluster) => Command::ConfirmRemoval { cluster },
            None if dead.is_some() => {
                let member = &mut self.members[dead.unwrap_or(0)];
                // What an operator says is so from before he says it.
                member.abandoned = true;
                Command::ConfirmDead { cluster: member.name.clone() }
            }
            None if self.operator.winds_up => {
                let left = self.leftover().or_else(|| self.remove_strays());
                match left.or_else(|| self.settle_takeovers()) {
                    Some(command) => command,
                    None => return,
                }
            }
            None => self.wish(),
        };
        if let Command::Retire { terms, .. } = &command {
            self.operator.forgets |= terms.force;
        }
        self.command(0, command);
    }

    /// A policy of which a hub that has lost its store knows only the name.
    fn missing_policy(&self) -> Option<PolicyName> {
        let record = self.hubs[0].store.get(&Key::Federation)?;
        let Record::Federation(federation) = record else { return None };
        federation.recovery.as_ref()?.missing.first().cloned()
    }
}

/// The name of one of its policies.
pub(crate) fn a_policy(number: usize) -> PolicyName {
    policy_name(POLICIES[number % POLICIES.len()])
}

/// The clusters with that label.
fn tier(tier: &str) -> ClusterSelector {
    let mut selector = ClusterSelector::default();
    selector.labels.labels.insert("tier".into(), tier.into());
    selector
}
