//! Quotas of namespaces, as operators set them (S16).

use std::sync::Arc;

use super::refused;
use crate::contract::{Action, Answer, Changes, Key, QuotaRecord, Refused, RefusedKind, Severity, Subject};
use crate::hub::Hub;
use crate::quotas::QuotaState;

impl Hub {
    /// Creates or replaces the quota of a namespace.
    pub(super) fn apply_quota(&mut self, record: QuotaRecord) -> Result<Answer, Refused> {
        let namespace = record.namespace.clone();
        let action = match self.quotas.get(&namespace) {
            None => Action::Created,
            Some(known) if known.record == record => Action::Unchanged,
            Some(_) => Action::Configured,
        };
        if action == Action::Created && self.quotas.len() >= self.config.quotas {
            let message = format!("the federation holds at most {} quotas", self.config.quotas);
            return Err(refused(RefusedKind::ResourceExhausted, message));
        }
        if action == Action::Unchanged {
            return Ok(Answer::Applied { action, changes: Changes::default() });
        }
        let state = QuotaState { record, used: Default::default() };
        self.quotas.insert(namespace.clone(), state);
        self.touched.keys.insert(Key::Quota(namespace.clone()));
        let what = if action == Action::Created { "QuotaCreated" } else { "QuotaChanged" };
        let message = "what runs is not cut; what would exceed it waits";
        self.note_command(Severity::Normal, "S16", what, &*namespace, message);
        self.count_quota(&namespace);
        self.fleet_changed();
        self.make_plans();
        Ok(Answer::Applied { action, changes: self.plan_changes() })
    }

    /// Ends the quota of a namespace: nothing bounds it any more.
    pub(super) fn delete_quota(&mut self, namespace: &Arc<str>) -> Result<Answer, Refused> {
        if self.quotas.remove(namespace).is_none() {
            let message =
                format!("namespace {namespace} has no quota; `godwit get quotas` lists those that have one");
            return Err(refused(RefusedKind::NotFound, message));
        }
        self.touched.keys.insert(Key::Quota(namespace.clone()));
        self.touched.subjects.insert(Subject::Quota(namespace.clone()));
        let message = "nothing bounds the namespace any more";
        self.note_command(Severity::Normal, "S16", "QuotaDeleted", &**namespace, message);
        self.unquotaed.insert(namespace.clone());
        self.fleet_changed();
        Ok(Answer::Done)
    }
}
