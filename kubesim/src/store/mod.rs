//! All objects of the cluster, in memory, behind one lock that is never held across an await.
//!
//! Every write goes through [`Store::create`], [`Store::modify`] and [`Store::delete`], whoever asks: there is one
//! place for versions, generations, finalizers and preconditions. Readers get shared, immutable objects.

mod log;
mod state;
mod write;

use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::Notify;

pub(crate) use log::{Change, Gone};
pub(crate) use state::ObjectRef;
use state::State;
pub(crate) use write::{DeleteOptions, Deleted, Part, Propagation};

use crate::object::Key;

/// The resource of pods, which the store indexes by node.
pub(crate) const PODS: &str = "pods";
/// The resource of namespaces, which the store asks for when something is created in one.
pub(crate) const NAMESPACES: &str = "namespaces";

/// The store.
#[derive(Debug)]
pub(crate) struct Store {
    state: Mutex<State>,
}

/// One page of a list.
#[derive(Debug)]
pub(crate) struct Page {
    /// The version of the whole store when the page was read.
    pub(crate) version: u64,
    /// The objects, in order of namespace and name.
    pub(crate) objects: Vec<Arc<Value>>,
}

impl Store {
    /// An empty store that remembers `history` changes. `seed` makes its UIDs and generated names.
    pub(crate) fn new(history: usize, seed: u64) -> Self {
        Self { state: Mutex::new(State::new(history, seed)) }
    }

    /// The object, if it is there.
    pub(crate) fn get(&self, resource: &str, key: &Key) -> Option<Arc<Value>> {
        self.lock().get(resource, key).cloned()
    }

    /// The objects of `resource`, of one namespace or of all, behind `after`.
    pub(crate) fn list(&self, resource: &str, namespace: Option<&str>, after: Option<&Key>) -> Page {
        let state = self.lock();
        let start = match (after, namespace) {
            (Some(key), _) => Bound::Excluded(key.clone()),
            (None, Some(namespace)) => Bound::Included(Key::new(namespace, "")),
            (None, None) => Bound::Unbounded,
        };
        let objects = state.tables.get(resource).into_iter().flat_map(|table| {
            table
                .range((start.clone(), Bound::Unbounded))
                .take_while(|(key, _)| namespace.is_none_or(|wanted| *key.namespace == *wanted))
                .map(|(_, object)| object.clone())
        });
        Page { version: state.version, objects: objects.collect() }
    }

    /// The objects of `resource`, of one namespace or of all.
    pub(crate) fn all(&self, resource: &str, namespace: Option<&str>) -> Vec<Arc<Value>> {
        self.list(resource, namespace, None).objects
    }

    /// Everything that stands in `namespace`.
    pub(crate) fn in_namespace(&self, namespace: &str) -> Vec<ObjectRef> {
        let state = self.lock();
        let start = Key::new(namespace, "");
        let mut found = Vec::new();
        for (resource, table) in &state.tables {
            let keys = table.range(start.clone()..).take_while(|(key, _)| *key.namespace == *namespace);
            found.extend(keys.map(|(key, _)| ObjectRef { resource: resource.clone(), key: key.clone() }));
        }
        found
    }

    /// The objects of `resource` that name the owner `uid`.
    pub(crate) fn owned(&self, uid: &str, resource: &str) -> Vec<Arc<Value>> {
        let state = self.lock();
        state
            .owned_by(uid)
            .filter(|(found, _)| &*found.resource == resource)
            .map(|(_, object)| object.clone())
            .collect()
    }

    /// Everything that names the owner `uid`.
    pub(crate) fn dependents(&self, uid: &str) -> Vec<(ObjectRef, Arc<Value>)> {
        let state = self.lock();
        state.owned_by(uid).map(|(found, object)| (found.clone(), object.clone())).collect()
    }

    /// Where the object with this UID is, if it is there.
    pub(crate) fn locate(&self, uid: &str) -> Option<ObjectRef> {
        self.lock().by_uid(uid).cloned()
    }

    /// The pods that are bound to `node`.
    pub(crate) fn pods_on(&self, node: &str) -> Vec<Arc<Value>> {
        self.lock().on_node(node).cloned().collect()
    }

    /// The version of the last change.
    pub(crate) fn version(&self) -> u64 {
        self.lock().version
    }

    /// The changes after `version` that `wanted` accepts, and the version up to which they reach.
    pub(crate) fn changes_after(
        &self,
        version: u64,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<(Vec<Arc<Change>>, u64), Gone> {
        let state = self.lock();
        let changes = state.log.after(version)?.filter(|change| wanted(&change.resource)).cloned().collect();
        Ok((changes, state.version.max(version)))
    }

    /// A signal after each change of `resource`, or of anything for `None`, for as long as it is held.
    pub(crate) fn subscribe(&self, resource: Option<&str>) -> Arc<Notify> {
        let notify = Arc::new(Notify::new());
        let wanted = resource.map(Arc::from);
        self.lock().subscribers.push((wanted, Arc::downgrade(&notify)));
        notify
    }

    /// Adds `resource` to what `notify` signals.
    pub(crate) fn subscribe_also(&self, resource: &str, notify: &Arc<Notify>) {
        let entry = (Some(Arc::from(resource)), Arc::downgrade(notify));
        self.lock().subscribers.push(entry);
    }

    /// Forgets the history, as a compaction does: whoever is behind must list again.
    pub(crate) fn forget_history(&self) {
        self.lock().log.clear();
    }

    /// A random number below `bound`.
    pub(crate) fn random(&self, bound: u64) -> u64 {
        self.lock().rng.below(bound)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
