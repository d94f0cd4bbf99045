//! Stateful sets: pods with names and claims of their own, one after the other or all at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::engine::{Controller, Queue};
use super::replicaset::queue_controller;
use super::{Cluster, pods, template, unless_gone};
use crate::error::ApiError;
use crate::object::{self, Key, int, items, set, text};
use crate::store::{Change, PODS, Part};

/// The resource.
pub(crate) const RESOURCE: &str = "statefulsets.apps";
const REVISIONS: &str = "controllerrevisions.apps";
const HASH_LABEL: &str = "controller-revision-hash";
const SOURCE: &str = "statefulset-controller";

/// The controller of stateful sets.
#[derive(Debug, Default)]
pub(crate) struct StatefulSets;

impl Controller for StatefulSets {
    type Item = Key;

    fn resources(&self) -> &'static [&'static str] {
        &[RESOURCE, PODS]
    }

    fn observe(&mut self, _: &Cluster, change: &Change, queue: &mut Queue<Key>) {
        if *change.resource == *RESOURCE {
            queue.add(change.key.clone());
        } else {
            queue_controller(change, "StatefulSet", queue);
        }
    }

    fn reconcile(&mut self, cluster: &Cluster, key: &Key) -> Result<Option<Duration>, ApiError> {
        let Some(owner) = cluster.store.get(RESOURCE, key) else {
            return Ok(None);
        };
        let set = Set::read(cluster, &owner);
        if !object::deleting(&owner) {
            set.keep_revision()?;
            set.step()?;
        }
        Set::read(cluster, &owner).status()
    }
}

/// A stateful set and its pods by ordinal.
struct Set<'a> {
    cluster: &'a Cluster,
    owner: &'a Value,
    pods: BTreeMap<i64, Arc<Value>>,
    /// The revision of the present template, and the one that pods below the partition keep.
    update: String,
    current: String,
}

impl<'a> Set<'a> {
    fn read(cluster: &'a Cluster, owner: &'a Value) -> Self {
        let prefix = format!("{}-", object::name(owner));
        let ordinal = |pod: &Value| object::name(pod).strip_prefix(&prefix)?.parse().ok();
        let pods = pods::controlled(cluster, owner)
            .into_iter()
            .filter_map(|pod| Some((ordinal(&pod)?, pod)))
            .collect();
        let hash = template::hash(&owner["spec"]["template"], 0);
        let update = format!("{}-{hash}", object::name(owner));
        let current = match text(&owner["status"]["currentRevision"]) {
            "" => update.clone(),
            current => current.to_owned(),
        };
        Self { cluster, owner, pods, update, current }
    }

    fn wanted(&self) -> i64 {
        int(&self.owner["spec"]["replicas"], 1)
    }

    fn first(&self) -> i64 {
        int(&self.owner["spec"]["ordinals"]["start"], 0)
    }

    fn ordinals(&self) -> std::ops::Range<i64> {
        self.first()..self.first().saturating_add(self.wanted())
    }

    /// One step: what is missing is made, what is too much or too old goes; in order, unless order does not matter.
    fn step(&self) -> Result<(), ApiError> {
        let parallel = self.owner["spec"]["podManagementPolicy"] == "Parallel";
        for ordinal in self.ordinals() {
            match self.pods.get(&ordinal) {
                None => self.create(ordinal)?,
                Some(pod) if pods::is_finished(pod) && !object::deleting(pod) => {
                    pods::delete(self.cluster, self.owner, pod, SOURCE)?;
                }
                Some(pod) if pods::is_ready(pod) && !object::deleting(pod) => continue,
                Some(_) => {}
            }
            if !parallel {
                return Ok(());
            }
        }
        let surplus = self.pods.iter().rev().filter(|(ordinal, _)| !self.ordinals().contains(ordinal));
        for (_, pod) in surplus {
            if !object::deleting(pod) {
                pods::delete(self.cluster, self.owner, pod, SOURCE)?;
            }
            if !parallel {
                return Ok(());
            }
        }
        self.replace_old()
    }

    /// Deletes the last pod that is not of the present revision, once all behind it are.
    fn replace_old(&self) -> Result<(), ApiError> {
        let strategy = &self.owner["spec"]["updateStrategy"];
        if strategy["type"] == "OnDelete" {
            return Ok(());
        }
        let partition = int(&strategy["rollingUpdate"]["partition"], 0);
        for ordinal in self.ordinals().rev().take_while(|ordinal| *ordinal >= partition) {
            let Some(pod) = self.pods.get(&ordinal) else {
                return Ok(());
            };
            if object::deleting(pod) {
                return Ok(());
            }
            if revision_of(pod) != self.update {
                return pods::delete(self.cluster, self.owner, pod, SOURCE);
            }
            if !pods::is_ready(pod) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn create(&self, ordinal: i64) -> Result<(), ApiError> {
        let spec = &self.owner["spec"];
        let partition = int(&spec["updateStrategy"]["rollingUpdate"]["partition"], 0);
        let old = (ordinal < partition).then(|| self.template_of(&self.current)).flatten();
        let (template, revision) = match &old {
            Some(template) => (template, &self.current),
            None => (&spec["template"], &self.update),
        };
        let mut pod = pods::from_template(self.owner, template);
        let name = format!("{}-{ordinal}", object::name(self.owner));
        object::unset(&mut pod, &["metadata", "generateName"]);
        set(&mut pod, &["metadata", "name"], json!(name));
        set(&mut pod, &["metadata", "labels", HASH_LABEL], json!(revision));
        set(&mut pod, &["metadata", "labels", "statefulset.kubernetes.io/pod-name"], json!(name));
        set(&mut pod, &["metadata", "labels", "apps.kubernetes.io/pod-index"], json!(ordinal.to_string()));
        set(&mut pod, &["spec", "hostname"], json!(name));
        set(&mut pod, &["spec", "subdomain"], json!(text(&spec["serviceName"])));
        let mut volumes = items(&pod["spec"]["volumes"]).to_vec();
        for claim in items(&spec["volumeClaimTemplates"]) {
            let claim_name = format!("{}-{name}", object::name(claim));
            self.create_claim(claim, &claim_name)?;
            volumes.retain(|volume| volume["name"] != claim["metadata"]["name"]);
            volumes.push(json!({
                "name": claim["metadata"]["name"],
                "persistentVolumeClaim": {"claimName": claim_name},
            }));
        }
        if !volumes.is_empty() {
            set(&mut pod, &["spec", "volumes"], Value::Array(volumes));
        }
        pods::create(self.cluster, self.owner, pod, SOURCE)
    }

    /// Claims outlive their pods, and the set: a claim that is there is taken as it is.
    fn create_claim(&self, template: &Value, name: &str) -> Result<(), ApiError> {
        let mut claim = json!({
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": template["metadata"],
            "spec": template["spec"],
        });
        set(&mut claim, &["metadata", "name"], json!(name));
        set(&mut claim, &["metadata", "namespace"], self.owner["metadata"]["namespace"].clone());
        for (label, value) in object::fields(&self.owner["spec"]["selector"]["matchLabels"]) {
            set(&mut claim, &["metadata", "labels", label], value.clone());
        }
        let kind = self.cluster.kind("persistentvolumeclaims")?;
        match self.cluster.store.create(&kind, claim, false) {
            Err(error) if error.reason != "AlreadyExists" => Err(error),
            _ => Ok(()),
        }
    }

    /// Keeps the present template as a revision, from which pods below a partition are made again.
    fn keep_revision(&self) -> Result<(), ApiError> {
        let key = Key::new(object::namespace(self.owner), &self.update);
        if self.cluster.store.get(REVISIONS, &key).is_some() {
            return Ok(());
        }
        let known = self.cluster.store.owned(object::uid(self.owner), REVISIONS);
        let last = known.iter().map(|revision| int(&revision["revision"], 0)).max().unwrap_or(0);
        let mut labels = self.owner["spec"]["template"]["metadata"]["labels"].clone();
        set(&mut labels, &[HASH_LABEL], json!(self.update));
        let revision = json!({
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                "namespace": &*key.namespace,
                "name": self.update,
                "labels": labels,
                "ownerReferences": [object::controller_ref(self.owner)],
            },
            "data": {"spec": {"template": self.owner["spec"]["template"]}},
            "revision": last + 1,
        });
        let kind = self.cluster.kind(REVISIONS)?;
        self.cluster.store.create(&kind, revision, false).map(drop)
    }

    fn template_of(&self, revision: &str) -> Option<Value> {
        let key = Key::new(object::namespace(self.owner), revision);
        let found = self.cluster.store.get(REVISIONS, &key)?;
        Some(found["data"]["spec"]["template"].clone())
    }

    fn status(&self) -> Result<Option<Duration>, ApiError> {
        let live: Vec<&Arc<Value>> = self.pods.values().filter(|pod| !pods::is_finished(pod)).collect();
        let counts = pods::count(
            live.iter().copied().filter(|pod| !object::deleting(pod)),
            int(&self.owner["spec"]["minReadySeconds"], 0),
        );
        let of = |revision: &str| live.iter().filter(|pod| revision_of(pod) == revision).count();
        let total = i64::try_from(live.len()).unwrap_or(i64::MAX);
        let updated = of(&self.update);
        let rolled_out =
            i64::try_from(updated) == Ok(self.wanted()) && total == self.wanted() && counts.ready == total;
        let current = if rolled_out { &self.update } else { &self.current };
        let status = json!({
            "observedGeneration": self.owner["metadata"]["generation"],
            "replicas": total,
            "readyReplicas": counts.ready,
            "availableReplicas": counts.available,
            "currentReplicas": of(current),
            "updatedReplicas": updated,
            "currentRevision": current,
            "updateRevision": self.update,
            "collisionCount": 0,
        });
        let kind = self.cluster.kind(RESOURCE)?;
        unless_gone(self.cluster.store.modify(&kind, &Key::of(self.owner), Part::Status, false, |live| {
            let mut new = live.clone();
            set(&mut new, &["status"], status);
            Ok(new)
        }))?;
        Ok(counts.next)
    }
}

fn revision_of(pod: &Value) -> &str {
    text(&pod["metadata"]["labels"][HASH_LABEL])
}
