//! Policies: created, replaced, deleted (S18).

use godwit_common::{ClusterName, PolicyName, Uid};

use super::refused;
use crate::contract::{Action, Answer, Key, Policy, Refused, RefusedKind, Severity, Subject};
use crate::hub::{Hub, Timer};
use crate::placement::Reason;
use crate::restore::BUILT_IN_POLICIES;
use crate::state::Rank;

impl Hub {
    /// Creates or replaces a policy; what uses it is planned anew.
    pub(crate) fn apply_policy(&mut self, policy: Policy) -> Result<Answer, Refused> {
        let action = self.put_policy(policy)?;
        self.make_plans();
        Ok(Answer::Applied { action, changes: self.plan_changes() })
    }

    fn action_on_policy(&self, policy: &Policy) -> Action {
        match self.policies.get(&policy.name) {
            None => Action::Created,
            Some(known) if known.policy == *policy => Action::Unchanged,
            Some(_) => Action::Configured,
        }
    }

    /// Puts a policy in force; what uses it is to be planned anew.
    pub(super) fn put_policy(&mut self, policy: Policy) -> Result<Action, Refused> {
        let name = policy.name.clone();
        let action = self.action_on_policy(&policy);
        self.check_policy(&policy)?;
        self.policy_known(&name);
        if action == Action::Unchanged {
            return Ok(action);
        }
        let users: Vec<Uid> = match self.policies.get(&name) {
            Some(known) => known.users.iter().copied().collect(),
            None => Vec::new(),
        };
        for uid in &users {
            if let Some(rank) = self.workloads.get(uid).map(|workload| self.rank_of(&workload.record)) {
                self.leave_queues(*uid, rank);
            }
        }
        let hasty = self.hasty(&policy);
        let drift = self.policies.get(&name).map(|known| known.policy.placement.motion.drift);
        let rules = self.policies.get(&name).map(|known| known.policy.placement.overrides.clone());
        let rules_change = rules.is_none_or(|rules| rules != policy.placement.overrides);
        self.add_policy(policy);
        self.fleet_changed();
        self.touched.keys.insert(Key::Policy(name.clone()));
        self.touched.subjects.insert(Subject::Policy(name.clone()));
        let what = if action == Action::Created { "PolicyCreated" } else { "PolicyChanged" };
        let message = format!("{} workloads are planned anew", users.len());
        let entry = self.note_command(Severity::Normal, "S18", what, name.as_str(), message);
        if let Some(warning) = hasty {
            self.note(Severity::Warning, "S6", "PolicyHasty", name.as_str(), warning);
        }
        for uid in users {
            self.ensure_seats(uid);
            self.seats_observed(uid);
            self.tell_drift(uid, drift.unwrap_or_default());
            self.follow_exports(uid, entry);
            // What an undo brought back stays, as long as the policy says nothing else of that.
            if rules_change {
                self.follow_rules(uid, entry);
            }
            self.dirty.insert(uid, Reason::Policy(name.clone(), entry));
            // What it waited for may be another gate, or none.
            self.moving.insert(uid);
            // It may send replicas back now.
            let displaced =
                self.workloads.get(&uid).map(|workload| workload.record.displaced.keys().cloned());
            self.roomier.extend(displaced.into_iter().flatten());
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
        for name in self.clusters.keys().cloned().collect::<Vec<_>>() {
            self.await_tolerations(&name);
        }
        Ok(action)
    }

    /// Whether a policy can be taken in at all.
    fn check_policy(&self, policy: &Policy) -> Result<(), Refused> {
        let new = !self.policies.contains_key(&policy.name);
        if new && self.policies.len() >= self.config.policies {
            let message = format!("the federation holds at most {} policies", self.config.policies);
            return Err(refused(RefusedKind::ResourceExhausted, message));
        }
        let users = self.policies.get(&policy.name).into_iter().flat_map(|known| known.users.iter());
        for workload in users.filter_map(|uid| self.workloads.get(uid)) {
            let spec = &workload.record.spec;
            Self::check_mode(spec, policy)?;
            Self::check_ordinals(spec, spec.replicas, policy)?;
        }
        self.check_new_rules(policy)
    }

    /// Deletes a policy that nothing uses.
    pub(crate) fn delete_policy(&mut self, name: &PolicyName) -> Result<Answer, Refused> {
        let Some(policy) = self.policies.get(name) else {
            let message = format!("policy {name} does not exist; `godwit get policies` lists what does");
            return Err(refused(RefusedKind::NotFound, message));
        };
        if BUILT_IN_POLICIES.contains(&name.as_str()) {
            let message = format!(
                "policy {name} cannot be deleted: workloads that name no policy use it; apply another under its name"
            );
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
        self.drop_policy(name);
        self.touched.keys.insert(Key::Policy(name.clone()));
        self.touched.subjects.insert(Subject::Policy(name.clone()));
        self.note_command(Severity::Normal, "", "PolicyDeleted", name.as_str(), "nothing used it");
        Ok(Answer::Done)
    }

    /// A workload is about to have another priority: wherever it queues, it queues anew once it is planned.
    pub(super) fn leave_queues(&mut self, uid: Uid, rank: Rank) {
        self.pending.remove(&rank);
        let Some(workload) = self.workloads.get(&uid) else {
            return;
        };
        for name in workload.seats.keys() {
            if let Some(cluster) = self.clusters.get_mut(name) {
                cluster.waiting.remove(&rank);
            }
        }
    }

    /// What to say about a policy that gives clusters up before a mass loss can be told from a single one (S6).
    pub(super) fn hasty(&self, policy: &Policy) -> Option<String> {
        let (window, timeout) = (policy.lost_after, self.config.stream_timeout());
        (window < timeout).then(|| {
            format!(
                "policy {}: lost_after {window:?} is below 2.5 heartbeats ({timeout:?}): it acts before the guard \
                 against mass loss can",
                policy.name
            )
        })
    }
}
