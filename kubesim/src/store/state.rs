//! The tables and their indexes: what one lock guards.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Weak};

use godwit_common::rng::Rng;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::log::{Change, ChangeLog};
use crate::object::{self, Key, items, text};

/// An object of any resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ObjectRef {
    /// The resource.
    pub(crate) resource: Arc<str>,
    /// The key within it.
    pub(crate) key: Key,
}

pub(super) type Table = BTreeMap<Key, Arc<Value>>;

#[derive(Debug)]
pub(super) struct State {
    pub(super) version: u64,
    pub(super) tables: BTreeMap<Arc<str>, Table>,
    by_uid: HashMap<String, ObjectRef>,
    by_owner: HashMap<String, BTreeSet<ObjectRef>>,
    by_node: HashMap<String, BTreeSet<Key>>,
    pub(super) log: ChangeLog,
    pub(super) subscribers: Vec<(Option<Arc<str>>, Weak<Notify>)>,
    pub(super) rng: Rng,
}

impl State {
    pub(super) fn new(history: usize, seed: u64) -> Self {
        Self {
            version: 1,
            tables: BTreeMap::new(),
            by_uid: HashMap::new(),
            by_owner: HashMap::new(),
            by_node: HashMap::new(),
            log: ChangeLog::new(history, 1),
            subscribers: Vec::new(),
            rng: Rng::new(seed),
        }
    }

    pub(super) fn get(&self, resource: &str, key: &Key) -> Option<&Arc<Value>> {
        self.tables.get(resource)?.get(key)
    }

    pub(super) fn by_uid(&self, uid: &str) -> Option<&ObjectRef> {
        self.by_uid.get(uid)
    }

    pub(super) fn owned_by(&self, uid: &str) -> impl Iterator<Item = (&ObjectRef, &Arc<Value>)> {
        self.by_owner
            .get(uid)
            .into_iter()
            .flatten()
            .filter_map(|found| Some((found, self.get(&found.resource, &found.key)?)))
    }

    pub(super) fn on_node(&self, node: &str) -> impl Iterator<Item = &Arc<Value>> {
        self.by_node.get(node).into_iter().flatten().filter_map(|key| self.get(super::PODS, key))
    }

    /// Puts `object` in place and tells everybody.
    pub(super) fn put(&mut self, resource: &Arc<str>, key: &Key, mut object: Value) -> Arc<Value> {
        self.version += 1;
        stamp(&mut object, self.version);
        let after = Arc::new(object);
        let table = self.tables.entry(resource.clone()).or_default();
        let before = table.insert(key.clone(), after.clone());
        if let Some(before) = &before {
            self.index(resource, key, before, false);
        }
        self.index(resource, key, &after, true);
        self.publish(resource, key, before, after.clone(), false);
        after
    }

    /// Takes the object away and tells everybody. The last state carries the version of its removal.
    pub(super) fn take(&mut self, resource: &Arc<str>, key: &Key) -> Option<Arc<Value>> {
        let before = self.tables.get_mut(resource)?.remove(key)?;
        self.index(resource, key, &before, false);
        self.version += 1;
        let mut last = Value::clone(&before);
        stamp(&mut last, self.version);
        let last = Arc::new(last);
        self.publish(resource, key, Some(before), last.clone(), true);
        Some(last)
    }

    fn publish(
        &mut self,
        resource: &Arc<str>,
        key: &Key,
        before: Option<Arc<Value>>,
        after: Arc<Value>,
        removed: bool,
    ) {
        self.log.push(Change {
            version: self.version,
            resource: resource.clone(),
            key: key.clone(),
            before,
            after,
            removed,
        });
        self.subscribers.retain(|(wanted, notify)| {
            let Some(notify) = notify.upgrade() else {
                return false;
            };
            if wanted.as_ref().is_none_or(|wanted| wanted == resource) {
                notify.notify_one();
            }
            true
        });
    }

    fn index(&mut self, resource: &Arc<str>, key: &Key, object: &Value, add: bool) {
        let found = ObjectRef { resource: resource.clone(), key: key.clone() };
        for owner in items(&object["metadata"]["ownerReferences"]) {
            toggle(&mut self.by_owner, text(&owner["uid"]), found.clone(), add);
        }
        let node = text(&object["spec"]["nodeName"]);
        if &**resource == super::PODS && !node.is_empty() {
            toggle(&mut self.by_node, node, key.clone(), add);
        }
        let uid = object::uid(object);
        if add {
            self.by_uid.insert(uid.to_owned(), found);
        } else {
            self.by_uid.remove(uid);
        }
    }
}

fn stamp(object: &mut Value, version: u64) {
    object::set(object, &["metadata", "resourceVersion"], json!(version.to_string()));
}

fn toggle<T: Ord>(index: &mut HashMap<String, BTreeSet<T>>, key: &str, value: T, add: bool) {
    if add {
        index.entry(key.to_owned()).or_default().insert(value);
    } else if let Some(values) = index.get_mut(key) {
        values.remove(&value);
        if values.is_empty() {
            index.remove(key);
        }
    }
}
