//! Who calls: the operator's name, and what may be done under it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use godwit_hub_core::{Answer, Changes, Permit, Roles};
use serde_json::Value;
use tonic::{Request, Status};

/// An operator whom the guard has let in.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// From the certificate.
    pub(crate) name: Arc<str>,
    /// As it was when the call came; none of those who have no role, who may only ask who they are.
    pub(super) permit: Option<Arc<Permit>>,
    /// What becomes of its call, for the audit log.
    pub(super) noted: Arc<Mutex<Noted>>,
}

/// What the audit log is to say of a call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Noted {
    pub(crate) what: Value,
    pub(crate) before: Value,
    pub(crate) after: Value,
    /// It changes nothing.
    pub(crate) rehearsal: bool,
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

impl Caller {
    /// Who sent a request. Without the guard nobody did, and nobody may look at anything.
    pub(crate) fn of<T>(request: &Request<T>) -> Self {
        let found = request.extensions().get::<Self>().cloned();
        found.unwrap_or_else(Self::nobody)
    }

    /// Somebody without a certificate of an operator, who may look at nothing.
    pub(super) fn nobody() -> Self {
        Self { name: "".into(), permit: None, noted: Arc::default() }
    }

    /// Notes what the call is about.
    pub(crate) fn note(&self, change: impl FnOnce(&mut Noted)) {
        change(&mut self.noted.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What was noted of it.
    pub(super) fn noted(&self) -> Noted {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it may look at what is in a namespace.
    pub(crate) fn sees(&self, namespace: &str) -> bool {
        self.permit.as_ref().is_some_and(|permit| permit.sees(namespace))
    }

    /// Whether it may look at everything.
    pub(crate) fn sees_all(&self) -> bool {
        self.permit.as_ref().is_some_and(|permit| !permit.is_bounded())
    }

    /// Refuses a question about a namespace that it may not look at.
    pub(crate) fn look_at(&self, namespace: &str) -> Result<(), Status> {
        if self.sees(namespace) {
            return Ok(());
        }
        let Self { name, permit, noted: _ } = self;
        let standing =
            permit.as_ref().map_or_else(|| "without a role".to_owned(), |permit| permit.to_string());
        Err(Status::permission_denied(format!(
            "{name} is {standing}, and this is about namespace {namespace}: that takes the role viewer there, which an \
             admin gives with `godwit role bind {name}`; `godwit whoami` shows what you may do"
        )))
    }

    /// Whether it may still do what it might when it called.
    pub(crate) fn is_as_it_was(&self, roles: &Roles) -> bool {
        roles.of(&self.name).0.as_ref() == self.permit.as_deref()
    }

    /// What is left of an answer for somebody who does not see everything: how others' plans change is not for them.
    pub(crate) fn narrowed(&self, mut answer: Answer) -> Answer {
        if !self.sees_all() {
            match &mut answer {
                Answer::Deployed(deployed) => self.narrow(&mut deployed.changes),
                Answer::Applied { changes, .. } | Answer::Replaced { changes, .. } => self.narrow(changes),
                Answer::WorkloadDeleted { .. }
                | Answer::Acknowledged { .. }
                | Answer::TokenCreated { .. }
                | Answer::Waiting { .. }
                | Answer::RemovalsReleased(_)
                | Answer::Done => {}
            }
        }
        answer
    }

    fn narrow(&self, changes: &mut Changes) {
        let before = changes.plans.len() as u64;
        changes.plans.retain(|change| self.sees(&change.id.namespace));
        // Those that were left out before are nobody's in particular.
        changes.total = changes.total.saturating_sub(before - changes.plans.len() as u64);
    }
}
