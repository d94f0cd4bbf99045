//! Whose moves are told where, when one dry run after the other tells of the same workload.

use std::collections::BTreeSet;

use godwit_proto::v1;

use super::submission::Submission;
use crate::input::Documents;

/// A workload: its namespace, kind and name.
type Id = (String, String, String);

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
    pub(super) fn fresh(&mut self, changes: &[v1::PlanChange]) -> Vec<v1::PlanChange> {
        let is_new = |change: &&v1::PlanChange| !self.dry_run || self.ids.insert(id(change));
        changes.iter().filter(is_new).cloned().collect()
    }

    /// The moves of workloads that are not those deployed, and were not told yet.
    pub(super) fn of_others(
        &mut self,
        deployed: &[v1::DeployedWorkload],
        changes: &[v1::PlanChange],
    ) -> Vec<v1::PlanChange> {
        let others = changes.iter().filter(|change| deployed.iter().all(|own| !is_of(change, own)));
        self.fresh(&others.cloned().collect::<Vec<_>>())
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
        let mut told = Told { dry_run: true, ids: BTreeSet::new() };
        assert_eq!(told.of_others(std::slice::from_ref(&own), &both), std::slice::from_ref(&api));
        assert_eq!(told.fresh(&both), [web]);
        assert!(told.fresh(&both).is_empty());
        let mut done = Told::default();
        assert_eq!(done.fresh(&both).len(), 2);
        assert_eq!(done.fresh(&both).len(), 2);
        assert!(is_of(&change("web"), &own) && !is_of(&api, &own));
    }
}
