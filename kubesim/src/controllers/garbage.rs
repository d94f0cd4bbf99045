//! Garbage: objects go when their owners are gone, before their owners when asked, or stay without them.

use std::time::Duration;

use serde_json::{Value, json};

use super::engine::{Controller, Queue};
use super::{Cluster, unless_gone};
use crate::error::ApiError;
use crate::object::{self, items, set, text};
use crate::store::{Change, DeleteOptions, ObjectRef, Part, Propagation};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// The collector. It watches everything.
#[derive(Debug, Default)]
pub(crate) struct Garbage;

impl Controller for Garbage {
    type Item = ObjectRef;

    fn resources(&self) -> &'static [&'static str] {
        &[]
    }

    fn observe(&mut self, cluster: &Cluster, change: &Change, queue: &mut Queue<ObjectRef>) {
        if change.removed {
            for (dependent, _) in cluster.store.dependents(object::uid(&change.after)) {
                queue.add(dependent);
            }
            for owner in items(&change.after["metadata"]["ownerReferences"]) {
                if let Some(found) = cluster.store.locate(text(&owner["uid"])) {
                    queue.add(found);
                }
            }
            return;
        }
        let owned = !items(&change.after["metadata"]["ownerReferences"]).is_empty();
        let begun = change.before.is_none();
        if (owned && begun) || waits_for(&change.after, FOREGROUND) || waits_for(&change.after, ORPHAN) {
            queue.add(ObjectRef { resource: change.resource.clone(), key: change.key.clone() });
        }
    }

    fn reconcile(&mut self, cluster: &Cluster, item: &ObjectRef) -> Result<Option<Duration>, ApiError> {
        let Some(object) = cluster.store.get(&item.resource, &item.key) else {
            return Ok(None);
        };
        if waits_for(&object, ORPHAN) {
            release_dependents(cluster, &object)?;
            drop_finalizer(cluster, item, ORPHAN)?;
        } else if waits_for(&object, FOREGROUND) {
            if remove_dependents(cluster, &object)? {
                drop_finalizer(cluster, item, FOREGROUND)?;
            }
        } else if is_orphaned(cluster, &object) && !object::deleting(&object) {
            let kind = cluster.kind(&item.resource)?;
            unless_gone(cluster.store.delete(&kind, &item.key, &DeleteOptions::default()))?;
        }
        Ok(None)
    }
}

/// Whether the object is being deleted and waits for `finalizer`.
fn waits_for(object: &Value, finalizer: &str) -> bool {
    object::deleting(object)
        && items(&object["metadata"]["finalizers"]).iter().any(|found| found == finalizer)
}

/// Whether the object has owners and none of them is left.
fn is_orphaned(cluster: &Cluster, object: &Value) -> bool {
    let owners = items(&object["metadata"]["ownerReferences"]);
    !owners.is_empty() && !owners.iter().any(|owner| cluster.store.locate(text(&owner["uid"])).is_some())
}

fn release_dependents(cluster: &Cluster, owner: &Value) -> Result<(), ApiError> {
    let uid = object::uid(owner);
    for (dependent, _) in cluster.store.dependents(uid) {
        let kind = cluster.kind(&dependent.resource)?;
        unless_gone(cluster.store.modify(&kind, &dependent.key, Part::Main, false, |current| {
            let mut new = current.clone();
            let kept: Vec<Value> = items(&current["metadata"]["ownerReferences"])
                .iter()
                .filter(|reference| text(&reference["uid"]) != uid)
                .cloned()
                .collect();
            set(&mut new, &["metadata", "ownerReferences"], Value::Array(kept));
            Ok(new)
        }))?;
    }
    Ok(())
}

/// Deletes what depends on `owner`. Returns whether nothing that blocks it is left.
fn remove_dependents(cluster: &Cluster, owner: &Value) -> Result<bool, ApiError> {
    let uid = object::uid(owner);
    let mut blocked = false;
    for (dependent, object) in cluster.store.dependents(uid) {
        blocked |= items(&object["metadata"]["ownerReferences"]).iter().any(|reference| {
            text(&reference["uid"]) == uid && reference["blockOwnerDeletion"] == json!(true)
        });
        if !object::deleting(&object) {
            let kind = cluster.kind(&dependent.resource)?;
            let options = DeleteOptions { propagation: Propagation::Foreground, ..DeleteOptions::default() };
            unless_gone(cluster.store.delete(&kind, &dependent.key, &options))?;
        }
    }
    Ok(!blocked)
}

fn drop_finalizer(cluster: &Cluster, item: &ObjectRef, finalizer: &str) -> Result<(), ApiError> {
    let kind = cluster.kind(&item.resource)?;
    unless_gone(cluster.store.modify(&kind, &item.key, Part::Main, false, |current| {
        let mut new = current.clone();
        let kept: Vec<Value> = items(&current["metadata"]["finalizers"])
            .iter()
            .filter(|found| *found != finalizer)
            .cloned()
            .collect();
        set(&mut new, &["metadata", "finalizers"], Value::Array(kept));
        Ok(new)
    }))
}
