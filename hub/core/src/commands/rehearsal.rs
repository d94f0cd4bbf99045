//! Rehearsals: what a deployment would come to, by the very planner that would run; nothing is changed (S30). And the
//! answer that a rehearsal and the real run share.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use godwit_common::{ClusterName, PolicyName, Uid};

use crate::ask::{Ask, Outcome, Rooms};
use crate::contract::{
    Action, Deploy, Deployed, DeployedWorkload, Policy, PolicyChoice, Refused, WorkloadSpec,
};
use crate::hub::Hub;
use crate::placement::moves_for_balance;
use crate::state::{Rank, SeatState, Workload};

type Seats = BTreeMap<ClusterName, SeatState>;

/// One workload that a rehearsal plans.
struct Part<'a> {
    rank: Rank,
    ask: Ask<'a>,
    /// Its place in the manifests; none for another user of a policy that the request changes.
    index: Option<usize>,
}

impl Hub {
    /// What a deployment would come to.
    pub(super) fn rehearse(&mut self, deploy: &Deploy, policies: &[PolicyName]) -> Result<Deployed, Refused> {
        let inline = match &deploy.policy {
            PolicyChoice::Inline(policy) => Some(policy),
            PolicyChoice::Annotated | PolicyChoice::Named(_) => None,
        };
        if let Some(policy) = inline {
            self.apply_policy(policy.clone(), true)?;
        }
        let application = &deploy.application;
        let none = Seats::new();
        let (mut parts, mut actions) = (Vec::new(), Vec::new());
        let mut number = self.federation.next_workload;
        for (index, (spec, name)) in application.workloads.iter().zip(policies).enumerate() {
            let known = self.ids.get(&spec.id).and_then(|uid| self.workloads.get(uid));
            let Some(policy) = inline.or_else(|| self.policies.get(name).map(|policy| &policy.policy)) else {
                continue;
            };
            let action = self.action_foreseen(spec, name, &application.objects);
            actions.push((spec, known, policy, action));
            let seats = known.map_or(&none, |workload| &workload.seats);
            let rank = match known {
                Some(workload) => rank(policy, workload.record.number, workload.record.uid),
                None => rank(policy, number, Uid(0)),
            };
            number += u64::from(known.is_none());
            if action != Action::Unchanged || self.replaces(policy) {
                parts.push(Part { rank, ask: Ask { spec, policy, seats }, index: Some(index) });
            }
        }
        if let Some(policy) = inline.filter(|policy| self.replaces(policy)) {
            parts.extend(self.other_users(policy, &application.workloads));
        }
        let mut outcomes = self.rehearse_parts(parts);
        let workloads = actions.into_iter().enumerate().map(|(index, (spec, known, policy, action))| {
            let outcome = outcomes.remove(&index).unwrap_or_else(|| in_force(known));
            self.deployed_as(spec, policy, action, known.map_or(&none, |known| &known.seats), outcome)
        });
        Ok(Deployed {
            workloads: workloads.collect(),
            objects: application.objects.iter().map(|object| object.key.clone()).collect(),
            warnings: self.warnings_under(policies, inline),
            dry_run: true,
        })
    }

    /// What a change of one total would come to.
    pub(super) fn rehearse_scale(&self, workload: &Workload, replicas: u32) -> Deployed {
        let record = &workload.record;
        let spec = WorkloadSpec { replicas, ..record.spec.clone() };
        let action = if record.spec.replicas == replicas { Action::Unchanged } else { Action::Configured };
        let mut rehearsed = Deployed { dry_run: true, ..Deployed::default() };
        rehearsed.warnings = self.warnings(std::slice::from_ref(&record.policy));
        if let Some(policy) = self.policies.get(&record.policy).map(|policy| &policy.policy) {
            let ask = Ask { spec: &spec, policy, seats: &workload.seats };
            let outcome = match action {
                Action::Unchanged => in_force(Some(workload)),
                Action::Created | Action::Configured => {
                    self.rehearse_one(&ask, &mut Rooms::default(), &mut Default::default())
                }
            };
            rehearsed.workloads.push(self.deployed_as(&spec, policy, action, &workload.seats, outcome));
        }
        rehearsed
    }

    /// What a workload has after the real run.
    pub(super) fn deployed(&self, uid: Uid, action: Action) -> Option<DeployedWorkload> {
        let workload = self.workloads.get(&uid)?;
        let policy = &self.policies.get(&workload.record.policy)?.policy;
        let spec = &workload.record.spec;
        Some(self.deployed_as(spec, policy, action, &workload.seats, in_force(Some(workload))))
    }

    /// What the caller of a request may not expect.
    pub(super) fn warnings(&self, policies: &[PolicyName]) -> Vec<String> {
        self.warnings_under(policies, None)
    }

    fn warnings_under(&self, policies: &[PolicyName], inline: Option<&Policy>) -> Vec<String> {
        let mut warnings: Vec<String> =
            self.federation.freeze.iter().map(|freeze| freeze.message.to_string()).collect();
        let stored = policies.iter().filter_map(|name| Some(&self.policies.get(name)?.policy));
        let used: BTreeMap<&PolicyName, &Policy> =
            stored.chain(inline).map(|policy| (&policy.name, policy)).collect();
        warnings.extend(used.into_values().filter_map(|policy| self.hasty(policy)));
        warnings
    }

    /// All of them against one ledger of room, the most urgent first, as in the real run (S15, S16).
    fn rehearse_parts(&self, mut parts: Vec<Part<'_>>) -> BTreeMap<usize, Outcome> {
        parts.sort_by_key(|part| part.rank);
        let (mut rooms, mut scratch) = (Rooms::default(), Default::default());
        let mut outcomes = BTreeMap::new();
        for part in parts {
            let outcome = self.rehearse_one(&part.ask, &mut rooms, &mut scratch);
            if let Some(index) = part.index {
                outcomes.insert(index, outcome);
            }
        }
        outcomes
    }

    fn rehearse_one(
        &self,
        ask: &Ask<'_>,
        rooms: &mut Rooms,
        scratch: &mut godwit_planner::Scratch,
    ) -> Outcome {
        let moves = moves_for_balance(ask.policy, ask.spec.replicas, false);
        self.ask(ask, moves, rooms, scratch)
    }

    /// Whether a policy is another than the one in force under its name: then all of its users are planned anew.
    fn replaces(&self, policy: &Policy) -> bool {
        self.policies.get(&policy.name).is_some_and(|known| known.policy != *policy)
    }

    fn other_users<'a>(&'a self, policy: &'a Policy, deployed: &[WorkloadSpec]) -> Vec<Part<'a>> {
        let users = self.policies.get(&policy.name).map(|policy| &policy.users);
        let users = users.into_iter().flatten().filter_map(|uid| self.workloads.get(uid));
        let others = users.filter(|user| deployed.iter().all(|spec| spec.id != *user.id()));
        let part = |workload: &'a Workload| Part {
            rank: rank(policy, workload.record.number, workload.record.uid),
            ask: Ask { spec: &workload.record.spec, policy, seats: &workload.seats },
            index: None,
        };
        others.map(part).collect()
    }

    fn deployed_as(
        &self,
        spec: &WorkloadSpec,
        policy: &Policy,
        action: Action,
        seats: &Seats,
        outcome: Outcome,
    ) -> DeployedWorkload {
        let changed: BTreeMap<&ClusterName, u32> =
            outcome.counts.iter().map(|count| (&count.cluster, count.after)).collect();
        let placement = |name: &ClusterName| {
            let held = || seats.get(name).map_or(0, |seat| seat.seat.placed);
            let count = changed.get(name).copied().unwrap_or_else(held);
            (count > 0 || policy.placement.rule_for(name).is_some()).then(|| (name.clone(), count))
        };
        DeployedWorkload {
            id: spec.id.clone(),
            action,
            policy: policy.name.clone(),
            replicas: spec.replicas,
            placements: self.clusters.keys().filter_map(placement).collect(),
            pending: outcome.pending,
            reasons: outcome.reasons.iter().map(|reason| reason.to_string()).collect(),
        }
    }
}

/// The plan in force, as the answer to a question that changes nothing.
fn in_force(workload: Option<&Workload>) -> Outcome {
    workload.map_or_else(Outcome::default, |workload| Outcome {
        pending: workload.record.pending,
        reasons: workload.record.pending_reasons.clone(),
        ..Outcome::default()
    })
}

fn rank(policy: &Policy, number: u64, uid: Uid) -> Rank {
    Rank { priority: Reverse(policy.placement.priority), number, uid }
}
