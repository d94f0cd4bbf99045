//! Policies: created, replaced, deleted (S18).

use godwit_common::{ClusterName, PolicyName, Uid};

use super::refused;
use crate::contract::{Action, Answer, Key, Policy, Refused, RefusedKind, Severity, Subject, WorkloadRecord};
use crate::hub::{Hub, Timer};
use crate::placement::Reason;
use crate::restore::DEFAULT_POLICY;

impl Hub {
    /// Creates or replaces a policy; what uses it is planned anew.
    pub(crate) fn apply_policy(&mut self, policy: Policy, dry_run: bool) -> Result<Answer, Refused> {
        let name = policy.name.clone();
        let action = match self.policies.get(&name) {
            None => Action::Created,
            Some(known) if known.policy == policy => Action::Unchanged,
            Some(_) => Action::Configured,
        };
        if action == Action::Created && self.policies.len() >= self.config.policies {
            let message = format!("the federation holds at most {} policies", self.config.policies);
            return Err(refused(RefusedKind::ResourceExhausted, message));
        }
        if dry_run || action == Action::Unchanged {
            return Ok(Answer::PolicyApplied(action));
        }
        let users: Vec<Uid> = match self.policies.get(&name) {
            Some(known) => known.users.iter().copied().collect(),
            None => Vec::new(),
        };
        let before: Vec<WorkloadRecord> =
            users.iter().filter_map(|uid| Some(self.workloads.get(uid)?.record.clone())).collect();
        let ranks: Vec<_> = before.iter().map(|record| self.rank_of(record)).collect();
        self.add_policy(policy);
        self.touched.keys.insert(Key::Policy(name.clone()));
        self.touched.subjects.insert(Subject::Policy(name.clone()));
        let what = if action == Action::Created { "PolicyCreated" } else { "PolicyChanged" };
        let message = format!("{} workloads are planned anew", users.len());
        let entry = self.note(Severity::Normal, "S18", what, name.as_str(), message);
        for rank in ranks {
            self.pending.remove(&rank);
            self.clusters.values_mut().for_each(|cluster| {
                cluster.waiting.remove(&rank);
            });
        }
        for uid in users {
            self.ensure_seats(uid);
            self.seats_observed(uid);
            self.dirty.insert(uid, Reason::Policy(name.clone(), entry));
            self.touched.subjects.insert(Subject::Workload(uid));
        }
        // Windows may have become shorter.
        let away: Vec<ClusterName> = self
            .clusters
            .values()
            .filter(|cluster| !cluster.live())
            .map(|cluster| cluster.record.name.clone())
            .collect();
        for name in away {
            self.wake_at(self.now.time, Timer::Silence(name));
        }
        Ok(Answer::PolicyApplied(action))
    }

    /// Deletes a policy that nothing uses.
    pub(crate) fn delete_policy(&mut self, name: &PolicyName) -> Result<Answer, Refused> {
        let Some(policy) = self.policies.get(name) else {
            let message = format!("policy {name} does not exist; `godwit get policies` lists what does");
            return Err(refused(RefusedKind::NotFound, message));
        };
        if name.as_str() == DEFAULT_POLICY {
            let message = "policy default cannot be deleted: workloads that name no policy use it; apply another under its name";
            return Err(refused(RefusedKind::FailedPrecondition, message));
        }
        let user = policy
            .users
            .first()
            .and_then(|uid| self.workloads.get(uid))
            .map(|workload| workload.id().to_string());
        if let Some(user) = user {
            let others = policy.users.len() - 1;
            let message = format!(
                "policy {name} is in use by {user} and {others} others: give them another policy first"
            );
            return Err(refused(RefusedKind::FailedPrecondition, message));
        }
        self.policies.remove(name);
        self.touched.keys.insert(Key::Policy(name.clone()));
        self.touched.subjects.insert(Subject::Policy(name.clone()));
        self.note(Severity::Normal, "", "PolicyDeleted", name.as_str(), "nothing used it");
        Ok(Answer::Done)
    }

    /// A workload has another policy, so another priority: wherever it queues, it queues anew.
    pub(crate) fn rank_changed(&mut self, uid: Uid, record: &WorkloadRecord) {
        let rank = self.rank_of(record);
        self.pending.retain(|queued| queued.uid != uid || *queued == rank);
        for cluster in self.clusters.values_mut() {
            cluster.waiting.retain(|queued| queued.uid != uid || *queued == rank);
        }
        self.moving.insert(uid);
    }
}
