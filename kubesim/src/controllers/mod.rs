//! The control loops. Each watches some resources, and brings one object at a time closer to what is wanted.

pub(crate) mod cronjob;
pub(crate) mod custom;
pub(crate) mod daemonset;
pub(crate) mod deployment;
mod deployment_status;
pub(crate) mod disruption;
pub(crate) mod endpoints;
pub(crate) mod engine;
pub(crate) mod garbage;
pub(crate) mod job;
pub(crate) mod namespace;
pub(crate) mod node;
mod pods;
pub(crate) mod replicaset;
pub(crate) mod statefulset;
mod template;
pub(crate) mod volume;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::kinds::{Kind, Registry};
use crate::object::{self, Key};
use crate::store::Store;

/// What every control loop works on.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// The objects.
    pub(crate) store: Arc<Store>,
    /// The kinds.
    pub(crate) registry: Arc<Registry>,
    /// How fast the simulated machines are.
    pub(crate) timing: Timing,
    /// What stands in the authority's place in `kube-root-ca.crt`.
    pub(crate) authority: String,
    /// The events that the controllers wrote, the oldest first.
    pub(crate) events: Mutex<VecDeque<Key>>,
}

/// How fast the simulated machines are.
#[derive(Debug, Clone)]
pub(crate) struct Timing {
    /// The shortest time from a pod's binding to its readiness.
    pub(crate) startup_min: Duration,
    /// The longest one.
    pub(crate) startup_max: Duration,
    /// How long a stopping pod takes, unless its own grace is shorter.
    pub(crate) termination: Duration,
    /// How long the pods of a failed node stay before they are evicted.
    pub(crate) eviction: Duration,
    /// How long a container that ends by itself runs.
    pub(crate) run: Duration,
}

impl Cluster {
    /// The built-in kind that the store calls `resource`.
    pub(crate) fn kind(&self, resource: &str) -> Result<Arc<Kind>, ApiError> {
        self.registry
            .get(resource)
            .ok_or_else(|| ApiError::new(500, "InternalError", format!("{resource} is not served")))
    }

    /// Writes an event about `object`. One that cannot be written is dropped, as on a real cluster.
    pub(crate) fn event(&self, object: &Value, class: &str, reason: &str, message: &str, source: &str) {
        let Ok(kind) = self.kind("events") else {
            return;
        };
        let now = object::now_text();
        let namespace = match object::namespace(object) {
            "" => "default",
            namespace => namespace,
        };
        let event = json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "namespace": namespace,
                "name": format!("{}.{:016x}", object::name(object), self.store.random(u64::MAX)),
            },
            "involvedObject": {
                "apiVersion": object["apiVersion"],
                "kind": object["kind"],
                "namespace": object["metadata"]["namespace"],
                "name": object["metadata"]["name"],
                "uid": object["metadata"]["uid"],
                "resourceVersion": object["metadata"]["resourceVersion"],
            },
            "type": class,
            "reason": reason,
            "message": message,
            "source": {"component": source},
            "reportingComponent": source,
            "reportingInstance": "",
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        });
        if let Ok(written) = self.store.create(&kind, event, false) {
            self.forget_old_events(&kind, Key::of(&written));
        }
    }

    /// Events are kept up to a number, where a real cluster keeps them for an hour.
    fn forget_old_events(&self, kind: &Kind, latest: Key) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.push_back(latest);
        if events.len() > MAX_EVENTS
            && let Some(oldest) = events.pop_front()
        {
            self.store.purge(kind, &oldest);
        }
    }
}

/// How many events are kept: enough to describe any object of a test, little enough for memory.
const MAX_EVENTS: usize = 2000;

/// An error that only says that somebody else was faster: the next change brings the object back.
pub(crate) fn unless_gone<T>(result: Result<T, ApiError>) -> Result<(), ApiError> {
    match result {
        Ok(_) => Ok(()),
        Err(error) if error.code == 404 => Ok(()),
        Err(error) => Err(error),
    }
}

/// The key of the object that controls `object`, if that is a `kind`.
pub(crate) fn controller_key(object: &Value, kind: &str) -> Option<Key> {
    let owner = object::controller_of(object)?;
    (owner["kind"] == kind).then(|| Key::new(object::namespace(object), object::text(&owner["name"])))
}
