//! Custom resource definitions: the kinds that they define are served while they are there.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::engine::{Controller, Queue};
use super::{Cluster, unless_gone};
use crate::error::ApiError;
use crate::kinds::custom;
use crate::object::{Key, items, set, set_condition, text};
use crate::store::{Change, Part};

/// The resource.
pub(crate) const RESOURCE: &str = "customresourcedefinitions.apiextensions.k8s.io";

/// The controller of custom resource definitions.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    /// The resource that each definition serves.
    served: BTreeMap<Key, String>,
}

impl Controller for Definitions {
    type Item = Key;

    fn resources(&self) -> &'static [&'static str] {
        &[RESOURCE]
    }

    fn observe(&mut self, _: &Cluster, change: &Change, queue: &mut Queue<Key>) {
        queue.add(change.key.clone());
    }

    fn reconcile(&mut self, cluster: &Cluster, key: &Key) -> Result<Option<Duration>, ApiError> {
        let Some(definition) = cluster.store.get(RESOURCE, key) else {
            if let Some(resource) = self.served.remove(key) {
                withdraw(cluster, &resource)?;
            }
            return Ok(None);
        };
        let Some(kind) = custom::read(&definition) else {
            return Ok(None);
        };
        let resource = kind.resource.to_string();
        let accepted = cluster.registry.add(kind);
        if accepted {
            self.served.insert(key.clone(), resource);
        }
        let own = cluster.kind(RESOURCE)?;
        unless_gone(
            cluster.store.modify(&own, key, Part::Status, false, |current| Ok(told(current, accepted))),
        )?;
        Ok(None)
    }
}

fn told(definition: &Value, accepted: bool) -> Value {
    let mut new = definition.clone();
    let spec = &definition["spec"];
    set(&mut new, &["status", "acceptedNames"], spec["names"].clone());
    let stored: Vec<&str> = items(&spec["versions"])
        .iter()
        .filter(|version| version["storage"] == json!(true))
        .map(|version| text(&version["name"]))
        .collect();
    set(&mut new, &["status", "storedVersions"], json!(stored));
    if accepted {
        set_condition(&mut new, "NamesAccepted", "True", "NoConflicts", "no conflicts found");
        set_condition(
            &mut new,
            "Established",
            "True",
            "InitialNamesAccepted",
            "the initial names have been accepted",
        );
    } else {
        set_condition(&mut new, "NamesAccepted", "False", "PluralConflict", "a built-in kind has this name");
        set_condition(&mut new, "Established", "False", "NotAccepted", "not all names are accepted");
    }
    new
}

/// The objects of a kind go with it, whatever they wait for: nobody can reach them any more.
fn withdraw(cluster: &Cluster, resource: &str) -> Result<(), ApiError> {
    let kind = cluster.kind(resource)?;
    for object in cluster.store.all(resource, None) {
        cluster.store.purge(&kind, &Key::of(&object));
    }
    cluster.registry.remove(resource);
    Ok(())
}
