//! Claims of persistent volumes: each gets a volume of its own at once.

use std::time::Duration;

use serde_json::{Value, json};

use super::engine::{Controller, Queue};
use super::{Cluster, unless_gone};
use crate::error::ApiError;
use crate::object::{self, Key, set, text};
use crate::store::{Change, DeleteOptions, Part};

const CLAIMS: &str = "persistentvolumeclaims";
const VOLUMES: &str = "persistentvolumes";

/// The controller of claims.
#[derive(Debug, Default)]
pub(crate) struct Claims;

impl Controller for Claims {
    type Item = Key;

    fn resources(&self) -> &'static [&'static str] {
        &[CLAIMS]
    }

    fn observe(&mut self, _: &Cluster, change: &Change, queue: &mut Queue<Key>) {
        if !change.removed {
            queue.add(change.key.clone());
            return;
        }
        let volume = text(&change.after["spec"]["volumeName"]);
        if !volume.is_empty() {
            // A key without a namespace is that of a volume whose claim is gone.
            queue.add(Key::new("", volume));
        }
    }

    fn reconcile(&mut self, cluster: &Cluster, key: &Key) -> Result<Option<Duration>, ApiError> {
        if key.namespace.is_empty() {
            return release(cluster, key).map(|()| None);
        }
        let Some(claim) = cluster.store.get(CLAIMS, key) else {
            return Ok(None);
        };
        if object::deleting(&claim) || claim["status"]["phase"] == "Bound" {
            return Ok(None);
        }
        bind(cluster, key, &claim).map(|()| None)
    }
}

fn bind(cluster: &Cluster, key: &Key, claim: &Value) -> Result<(), ApiError> {
    let name = format!("pvc-{}", object::uid(claim));
    let capacity = json!({"storage": claim["spec"]["resources"]["requests"]["storage"]});
    let volume = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": capacity,
            "accessModes": claim["spec"]["accessModes"],
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": text(&claim["spec"]["storageClassName"]),
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": claim["metadata"]["namespace"],
                "name": claim["metadata"]["name"],
                "uid": claim["metadata"]["uid"],
            },
        },
    });
    let volumes = cluster.kind(VOLUMES)?;
    match cluster.store.create(&volumes, volume, false) {
        Err(error) if error.reason == "AlreadyExists" => {}
        result => drop(result?),
    }
    let bound = |status: Value| {
        move |current: &Value| {
            let mut new = current.clone();
            set(&mut new, &["status"], status);
            Ok(new)
        }
    };
    let phase = bound(json!({"phase": "Bound"}));
    unless_gone(cluster.store.modify(&volumes, &Key::new("", &name), Part::Status, false, phase))?;
    let status = json!({"phase": "Bound", "capacity": capacity, "accessModes": claim["spec"]["accessModes"]});
    let claims = cluster.kind(CLAIMS)?;
    unless_gone(cluster.store.modify(&claims, key, Part::All, false, |current| {
        let mut new = bound(status)(current)?;
        set(&mut new, &["spec", "volumeName"], json!(name));
        Ok(new)
    }))
}

/// A volume that was made for a claim goes with it.
fn release(cluster: &Cluster, key: &Key) -> Result<(), ApiError> {
    let Some(volume) = cluster.store.get(VOLUMES, key) else {
        return Ok(());
    };
    if volume["spec"]["persistentVolumeReclaimPolicy"] != "Delete" {
        return Ok(());
    }
    let kind = cluster.kind(VOLUMES)?;
    unless_gone(cluster.store.delete(&kind, key, &DeleteOptions::default()))
}
