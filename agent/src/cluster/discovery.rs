//! Which path of the API serves a kind. Answers are kept; that a kind is unknown is not.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use godwit_agent_core::{CallError, Kind};
use kube::core::{ApiResource, GroupVersion, GroupVersionKind};
use kube::discovery::{self, Scope};
use kube::{Client, Error};

use super::error;
use super::scale::ScalePaths;

/// A kind that this cluster serves.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) resource: ApiResource,
    pub(crate) namespaced: bool,
    /// It has a subresource `scale`.
    pub(crate) scalable: bool,
}

pub(crate) struct Discovery {
    client: Client,
    known: Mutex<BTreeMap<Kind, Known>>,
}

#[derive(Debug)]
struct Known {
    found: Found,
    /// How its objects are scaled, if that was asked for.
    scale: Option<ScalePaths>,
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
                let scalable = capabilities.subresources.iter().any(|(sub, _)| sub.plural == "scale");
                let namespaced = capabilities.scope == Scope::Namespaced;
                let found = Found { resource, namespaced, scalable };
                let mut known = self.lock();
                let scale = known.remove(kind).and_then(|known| known.scale);
                known.insert(kind.clone(), Known { found: found.clone(), scale });
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
        self.lock().get(kind).map(|known| known.found.clone())
    }

    /// A kind of that name that was asked for.
    pub(crate) fn of_name(&self, name: &str) -> Option<Kind> {
        self.lock().keys().find(|kind| &*kind.kind == name).cloned()
    }

    /// How its objects are scaled, as it was found last.
    pub(crate) fn known_scale(&self, kind: &Kind) -> Option<ScalePaths> {
        self.lock().get(kind)?.scale.clone()
    }

    pub(super) fn keep_scale(&self, kind: &Kind, paths: &ScalePaths) {
        if let Some(known) = self.lock().get_mut(kind) {
            known.scale = Some(paths.clone());
        }
    }

    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    pub(crate) fn forget(&self, kind: &Kind) {
        self.lock().remove(kind);
    }

    /// The map is whole after every statement that holds the lock, so a poisoned one is as good.
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Kind, Known>> {
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
