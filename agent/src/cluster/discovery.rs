//! Which path of the API serves a kind. Answers are kept; that a kind is unknown is not.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use godwit_agent_core::{CallError, Kind};
use kube::core::{ApiResource, GroupVersion, GroupVersionKind};
use kube::discovery::{self, Scope};
use kube::{Client, Error};

use super::error;

/// A kind that this cluster serves.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) resource: ApiResource,
    pub(crate) namespaced: bool,
}

pub(crate) struct Discovery {
    client: Client,
    known: Mutex<BTreeMap<Kind, Found>>,
}

impl Discovery {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, known: Mutex::default() }
    }

    pub(crate) async fn find(&self, kind: &Kind) -> Result<Found, CallError> {
        if let Some(found) = self.known(kind) {
            return Ok(found);
        }
        self.ask(kind).await.map_err(error::sort)?.ok_or_else(|| unknown(kind))
    }

    /// Asks the API server, whatever is known; `None` if it does not serve the kind (any more).
    pub(crate) async fn ask(&self, kind: &Kind) -> Result<Option<Found>, Error> {
        // What is not even a version is served by nobody.
        let found = match kind.api_version.parse::<GroupVersion>() {
            Ok(group) => {
                let asked = GroupVersionKind::gvk(&group.group, &group.version, &kind.kind);
                discovery::pinned_kind(&self.client, &asked).await
            }
            Err(_) => return Ok(None),
        };
        match found {
            Ok((resource, capabilities)) => {
                let found = Found { resource, namespaced: capabilities.scope == Scope::Namespaced };
                self.lock().insert(kind.clone(), found.clone());
                Ok(Some(found))
            }
            Err(Error::Discovery(_)) => {
                self.forget(kind);
                Ok(None)
            }
            Err(Error::Api(status)) if status.code == 404 => {
                self.forget(kind);
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    /// The kind as it was found last.
    pub(crate) fn known(&self, kind: &Kind) -> Option<Found> {
        self.lock().get(kind).cloned()
    }

    pub(crate) fn forget(&self, kind: &Kind) {
        self.lock().remove(kind);
    }

    /// The map is whole after every statement that holds the lock, so a poisoned one is as good.
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Kind, Found>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unknown(kind: &Kind) -> CallError {
    let Kind { api_version, kind } = kind;
    CallError::Refused(
        format!("this cluster does not know the kind {kind} of {api_version}; install its definition first")
            .into(),
    )
}
