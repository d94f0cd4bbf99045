//! Whose moves are told where, when one dry run after the other tells of the same workload.

use std::collections::BTreeSet;
use std::io::{self, Write};

use godwit_proto::v1;

use super::submission::Submission;
use crate::input::Documents;
use crate::output::changes;

/// A workload: its namespace, kind and name.
type Id = (String, String, String);

/// The plans that change because of something.
#[derive(Debug, Default)]
pub(super) struct Moved {
    pub(super) plans: Vec<v1::PlanChange>,
    /// How many more change, which the hub's answer leaves out.
    pub(super) untold: u64,
}

/// Workloads of whose moves enough was said, or will be. Only dry runs repeat themselves: what was really done is
/// done once.
#[derive(Debug, Default)]
pub(super) struct Told {
    dry_run: bool,
    ids: BTreeSet<Id>,
}

impl Told {
    /// Nothing yet. What an application's own dry run tells, with its policy along, is better than what the policy's
    /// tells, which knows the manifests of before.
    pub(super) fn new(submission: &Submission, documents: &Documents, dry_run: bool) -> Self {
        let mut told = Self { dry_run, ids: BTreeSet::new() };
        if dry_run {
            let sources = documents.applications.iter();
            let with_policy =
                sources.filter(|source| submission.policy_along(source, &documents.policies).is_some());
            for workload in with_policy.flat_map(|source| &source.application.workloads) {
                let id = &workload.id;
                told.ids.insert((id.namespace.to_string(), id.kind.to_string(), id.name.to_string()));
            }
        }
        told
    }

    /// The moves that were not told yet; from now on they were.
    pub(super) fn fresh(&mut self, changes: &[v1::PlanChange], total: u64) -> Moved {
        let is_new = |change: &&v1::PlanChange| !self.dry_run || self.ids.insert(id(change));
        let untold = total.saturating_sub(changes.len() as u64);
        Moved { plans: changes.iter().filter(is_new).cloned().collect(), untold }
    }

    /// The moves of workloads that are not those deployed, and were not told yet.
    pub(super) fn of_others(&mut self, answer: &v1::DeployResponse) -> Moved {
        let own = |change: &v1::PlanChange| answer.workloads.iter().any(|own| is_of(change, own));
        let (own, others): (Vec<_>, Vec<_>) = answer.changes.iter().cloned().partition(own);
        self.fresh(&others, answer.changes_total.saturating_sub(own.len() as u64))
    }
}

impl Moved {
    pub(super) fn is_empty(&self) -> bool {
        self.plans.is_empty() && self.untold == 0
    }

    /// Prints a line for each, indented.
    pub(super) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        changes::print(&self.plans, self.untold, out)
    }
}

/// Whether the change is one of this workload's plan.
pub(super) fn is_of(change: &v1::PlanChange, workload: &v1::DeployedWorkload) -> bool {
    (&change.namespace, &change.kind, &change.name) == (&workload.namespace, &workload.kind, &workload.name)
}

fn id(change: &v1::PlanChange) -> Id {
    (change.namespace.clone(), change.kind.clone(), change.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_tells_each_move_once_and_a_real_one_as_often_as_it_happens() {
        let change = |name: &str| v1::PlanChange { name: name.to_owned(), ..v1::PlanChange::default() };
        let own = v1::DeployedWorkload { name: "web".to_owned(), ..v1::DeployedWorkload::default() };
        let (web, api) = (change("web"), change("api"));
        let both = [web.clone(), api.clone()];
        let answer = v1::DeployResponse {
            workloads: vec![own.clone()],
            changes: both.to_vec(),
            changes_total: 7,
            ..v1::DeployResponse::default()
        };
        let mut told = Told { dry_run: true, ids: BTreeSet::new() };
        let moved = told.of_others(&answer);
        assert_eq!((&moved.plans[..], moved.untold), (std::slice::from_ref(&api), 5));
        assert_eq!(told.fresh(&both, 2).plans, [web]);
        assert!(told.fresh(&both, 2).is_empty());
        let mut done = Told::default();
        assert_eq!(done.fresh(&both, 2).plans.len(), 2);
        assert_eq!(done.fresh(&both, 2).plans.len(), 2);
        assert!(is_of(&change("web"), &own) && !is_of(&api, &own));
    }
}
