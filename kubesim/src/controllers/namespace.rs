//! Namespaces: what each new one contains, and what its end takes along.

use std::time::Duration;

use serde_json::{Value, json};

use super::engine::{Controller, Queue};
use super::{Cluster, unless_gone};
use crate::error::ApiError;
use crate::object::{self, Key, set};
use crate::store::{Change, DeleteOptions, NAMESPACES, Part};

/// How often a namespace that ends looks whether its contents are gone.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// The controller of namespaces.
#[derive(Debug, Default)]
pub(crate) struct Namespaces;

impl Controller for Namespaces {
    type Item = Key;

    fn resources(&self) -> &'static [&'static str] {
        &[NAMESPACES]
    }

    fn observe(&mut self, _: &Cluster, change: &Change, queue: &mut Queue<Key>) {
        queue.add(change.key.clone());
    }

    fn reconcile(&mut self, cluster: &Cluster, key: &Key) -> Result<Option<Duration>, ApiError> {
        let Some(namespace) = cluster.store.get(NAMESPACES, key) else {
            return Ok(None);
        };
        if object::deleting(&namespace) {
            return end(cluster, key);
        }
        furnish(cluster, &key.name).map(|()| None)
    }
}

/// What a real cluster puts into every namespace.
fn furnish(cluster: &Cluster, namespace: &str) -> Result<(), ApiError> {
    let account = json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"namespace": namespace, "name": "default"},
    });
    let authority = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": namespace, "name": "kube-root-ca.crt"},
        "data": {"ca.crt": cluster.authority},
    });
    for (resource, object) in [("serviceaccounts", account), ("configmaps", authority)] {
        let kind = cluster.kind(resource)?;
        match cluster.store.create(&kind, object, false) {
            // It is there, or the namespace is on its way out.
            Err(error) if matches!(error.reason, "AlreadyExists" | "Forbidden") => {}
            result => unless_gone(result)?,
        }
    }
    Ok(())
}

fn end(cluster: &Cluster, key: &Key) -> Result<Option<Duration>, ApiError> {
    let contents = cluster.store.in_namespace(&key.name);
    for found in &contents {
        let waits =
            cluster.store.get(&found.resource, &found.key).is_none_or(|object| object::deleting(&object));
        if !waits {
            let kind = cluster.kind(&found.resource)?;
            unless_gone(cluster.store.delete(&kind, &found.key, &DeleteOptions::default()))?;
        }
    }
    if !contents.is_empty() {
        return Ok(Some(LOOK_AGAIN));
    }
    let kind = cluster.kind(NAMESPACES)?;
    unless_gone(cluster.store.modify(&kind, key, Part::Main, false, |current: &Value| {
        let mut new = current.clone();
        set(&mut new, &["spec", "finalizers"], json!([]));
        Ok(new)
    }))?;
    Ok(None)
}
