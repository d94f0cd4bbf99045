//! Rehearsals: what a request would come to, by the very planner that would run; nothing is changed (S30). And the
//! answer that a rehearsal and the real run share.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use godwit_common::{ClusterName, PolicyName, Uid, WorkloadId};
use godwit_planner::Scratch;

use crate::ask::{Ask, Outcome};
use crate::batch::{Batch, Scene};
use crate::contract::{
    Action, Deploy, Deployed, DeployedWorkload, PlanChange, PlanRowView, Policy, PolicyChoice, Refused,
    WorkloadSpec,
};
use crate::hub::{Hub, ROUNDS};
use crate::placement::moves_for_balance;
use crate::state::{Rank, SeatState, Workload};

pub(crate) type Seats = BTreeMap<ClusterName, SeatState>;

/// One workload that is planned without consequences.
pub(crate) struct Part<'a> {
    pub(crate) rank: Rank,
    pub(crate) ask: Ask<'a>,
    /// What is pending now.
    pub(crate) pending: u32,
    /// Its place in the manifests; none for a workload that is not among them.
    pub(crate) index: Option<usize>,
}

/// What planning without consequences came to.
#[derive(Default)]
pub(crate) struct Rehearsed {
    /// Of the workloads in the manifests, by their place there.
    outcomes: BTreeMap<usize, Outcome>,
    pub(crate) changes: Vec<PlanChange>,
}

/// One workload of a deployment, and what the request does to it.
struct Deploying<'a> {
    spec: &'a WorkloadSpec,
    known: Option<&'a Workload>,
    policy: &'a Policy,
    action: Action,
}

impl<'a> Part<'a> {
    /// A workload as it is, under a policy that may be another than the one in force.
    pub(crate) fn of(workload: &'a Workload, policy: &'a Policy) -> Self {
        let record = &workload.record;
        Self {
            rank: rank(policy, record.number, record.uid),
            ask: Ask::of(workload, policy),
            pending: record.pending,
            index: None,
        }
    }
}

impl Hub {
    /// What a deployment would come to.
    pub(super) fn rehearse(&self, deploy: &Deploy, policies: &[PolicyName]) -> Result<Deployed, Refused> {
        let inline = match &deploy.policy {
            PolicyChoice::Inline(policy) => Some(policy),
            PolicyChoice::Annotated | PolicyChoice::Named(_) => None,
        };
        if let Some(policy) = inline {
            self.check_policy(policy)?;
        }
        let application = &deploy.application;
        let none = Seats::new();
        let (mut parts, mut deploying) = (Vec::new(), Vec::new());
        let mut number = self.federation.next_workload;
        for (index, (spec, name)) in application.workloads.iter().zip(policies).enumerate() {
            let known = self.ids.get(&spec.id).and_then(|uid| self.workloads.get(uid));
            let Some(policy) = inline.or_else(|| self.policies.get(name).map(|policy| &policy.policy)) else {
                continue;
            };
            let leader = self.leader_for(spec, policy, application);
            let action = self.action_foreseen(spec, name, leader, &application.objects);
            let uid = known.map(|workload| workload.record.uid);
            let age = known.map_or(number, |workload| workload.record.number);
            number += u64::from(known.is_none());
            deploying.push(Deploying { spec, known, policy, action });
            if action != Action::Unchanged || self.replaces(policy) {
                let seats = known.map_or(&none, |workload| &workload.seats);
                let yielded = known.map(|workload| &workload.record.yielded);
                let waits = known.is_some_and(|workload| workload.asks_until.is_some());
                let patient = waits || self.asks_anew(spec);
                parts.push(Part {
                    rank: rank(policy, age, uid.unwrap_or_default()),
                    ask: Ask { spec, policy, seats, uid, leader, yielded, patient, report: true },
                    pending: known.map_or(0, |workload| workload.record.pending),
                    index: Some(index),
                });
            }
        }
        if let Some(policy) = inline.filter(|policy| self.replaces(policy)) {
            let others = self
                .users_of(policy)
                .filter(|part| application.workloads.iter().all(|spec| spec.id != part.ask.spec.id));
            parts.extend(others);
        }
        let mut rehearsed = self.rehearse_parts(parts, &Scene::default());
        let workloads = deploying.into_iter().enumerate().map(|(index, one)| {
            let outcome = rehearsed.outcomes.remove(&index).unwrap_or_else(|| in_force(one.known));
            let seats = one.known.map_or(&none, |known| &known.seats);
            self.deployed_as(one.spec, one.policy, one.action, seats, outcome)
        });
        Ok(Deployed {
            workloads: workloads.collect(),
            objects: application.objects.iter().map(|object| object.key.clone()).collect(),
            changes: std::mem::take(&mut rehearsed.changes),
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
            let part = Part { index: Some(0), ..Part::of(workload, policy) };
            let part = Part { ask: Ask { spec: &spec, ..part.ask }, ..part };
            let mut planned = match action {
                Action::Unchanged => Rehearsed::default(),
                Action::Created | Action::Configured => self.rehearse_parts(vec![part], &Scene::default()),
            };
            let outcome = planned.outcomes.remove(&0).unwrap_or_else(|| in_force(Some(workload)));
            let deployed = self.deployed_as(&spec, policy, action, &workload.seats, outcome);
            rehearsed.workloads.push(deployed);
            rehearsed.changes = planned.changes;
        }
        rehearsed
    }

    /// What all users of a policy would come to under it.
    pub(super) fn rehearse_policy(&self, policy: &Policy) -> Vec<PlanChange> {
        self.rehearse_parts(self.users_of(policy).collect(), &Scene::default()).changes
    }

    /// What workloads have after the real run, and why.
    pub(super) fn deployed(
        &self,
        uids: &[(Uid, Action)],
        mut reports: BTreeMap<Uid, Vec<PlanRowView>>,
    ) -> Vec<DeployedWorkload> {
        let deployed = uids.iter().filter_map(|(uid, action)| {
            let workload = self.workloads.get(uid)?;
            let policy = &self.policies.get(&workload.record.policy)?.policy;
            let report = reports.remove(uid).unwrap_or_default();
            let outcome = Outcome { report, ..in_force(Some(workload)) };
            Some(self.deployed_as(&workload.record.spec, policy, *action, &workload.seats, outcome))
        });
        deployed.collect()
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
    /// Workloads that follow others have their turn after them.
    pub(crate) fn rehearse_parts<'a>(&'a self, mut parts: Vec<Part<'a>>, scene: &'a Scene) -> Rehearsed {
        let (mut batch, mut scratch) = (Batch::new(self, scene), Scratch::default());
        let mut rehearsed = Rehearsed::default();
        let mut changes: Vec<(Rank, PlanChange)> = Vec::new();
        let mut planned: BTreeSet<Uid> = parts.iter().filter_map(|part| part.ask.uid).collect();
        for _ in 0..ROUNDS {
            parts.sort_by_key(|part| part.rank);
            let mut followers = BTreeSet::new();
            for part in std::mem::take(&mut parts) {
                let Ask { policy, spec, .. } = part.ask;
                let moves = moves_for_balance(policy, spec.replicas, false);
                let ask = Ask { report: part.index.is_some(), ..part.ask };
                let outcome = batch.ask(&ask, moves, &mut scratch);
                followers.extend(self.concerned_by(&spec.id, &outcome.counts));
                let change = plan_change(&spec.id, policy, part.pending, &outcome);
                changes.extend(change.map(|change| (part.rank, change)));
                if let Some(index) = part.index {
                    rehearsed.outcomes.insert(index, outcome);
                }
            }
            followers.retain(|uid| planned.insert(*uid));
            parts = self.parts(followers);
        }
        changes.sort_by_key(|(rank, _)| *rank);
        rehearsed.changes = changes.into_iter().map(|(_, change)| change).collect();
        rehearsed
    }

    /// Workloads as they are.
    pub(crate) fn parts(&self, uids: impl IntoIterator<Item = Uid>) -> Vec<Part<'_>> {
        let part = |uid: Uid| {
            let workload = self.workloads.get(&uid)?;
            Some(Part::of(workload, &self.policies.get(&workload.record.policy)?.policy))
        };
        uids.into_iter().filter_map(part).collect()
    }

    /// Whether a policy is another than the one in force under its name: then all of its users are planned anew.
    fn replaces(&self, policy: &Policy) -> bool {
        self.policies.get(&policy.name).is_some_and(|known| known.policy != *policy)
    }

    fn users_of<'a>(&'a self, policy: &'a Policy) -> impl Iterator<Item = Part<'a>> {
        let users = self.policies.get(&policy.name).map(|policy| &policy.users);
        let users = users.into_iter().flatten().filter_map(|uid| self.workloads.get(uid));
        users.map(move |workload| Part::of(workload, policy))
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
            (count > 0 || self.chooses(policy, name)).then(|| (name.clone(), count))
        };
        DeployedWorkload {
            id: spec.id.clone(),
            action,
            policy: policy.name.clone(),
            replicas: spec.replicas,
            placements: self.clusters.keys().filter_map(placement).collect(),
            pending: outcome.pending,
            reasons: outcome.reasons.iter().map(|reason| reason.to_string()).collect(),
            report: outcome.report,
        }
    }
}

/// The change that an outcome is; none if it is none.
pub(crate) fn plan_change(
    id: &WorkloadId,
    policy: &Policy,
    pending_before: u32,
    outcome: &Outcome,
) -> Option<PlanChange> {
    let changes = !outcome.counts.is_empty() || outcome.pending != pending_before;
    changes.then(|| PlanChange {
        id: id.clone(),
        policy: policy.name.clone(),
        counts: outcome
            .counts
            .iter()
            .map(|count| (count.cluster.clone(), count.before, count.after))
            .collect(),
        pending_before,
        pending_after: outcome.pending,
        reasons: outcome.reasons.clone(),
    })
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
