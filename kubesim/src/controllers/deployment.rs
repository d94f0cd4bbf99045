//! Deployments: one replica set per template, and the way from one to the next.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::engine::{Controller, Queue};
use super::{Cluster, controller_key, deployment_status, pods, replicaset, template, unless_gone};
use crate::error::ApiError;
use crate::object::{self, Key, controller_of, int, set, text};
use crate::store::{Change, DeleteOptions, Part};

/// The resource.
pub(crate) const RESOURCE: &str = "deployments.apps";
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
const SOURCE: &str = "deployment-controller";

/// The controller of deployments.
#[derive(Debug, Default)]
pub(crate) struct Deployments;

impl Controller for Deployments {
    type Item = Key;

    fn resources(&self) -> &'static [&'static str] {
        &[RESOURCE, replicaset::RESOURCE]
    }

    fn observe(&mut self, _: &Cluster, change: &Change, queue: &mut Queue<Key>) {
        if *change.resource == *RESOURCE {
            queue.add(change.key.clone());
        } else if let Some(key) = controller_key(&change.after, "Deployment") {
            queue.add(key);
        }
    }

    fn reconcile(&mut self, cluster: &Cluster, key: &Key) -> Result<Option<Duration>, ApiError> {
        let Some(deployment) = cluster.store.get(RESOURCE, key) else {
            return Ok(None);
        };
        if !object::deleting(&deployment) {
            let rollout = Rollout::read(cluster, &deployment);
            rollout.step()?;
        }
        let rollout = Rollout::read(cluster, &deployment);
        deployment_status::write(&rollout)
    }
}

/// A deployment and its replica sets.
pub(super) struct Rollout<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) deployment: &'a Value,
    /// The replica set of the present template.
    pub(super) new: Option<Arc<Value>>,
    /// The others, the oldest first.
    pub(super) old: Vec<Arc<Value>>,
}

impl<'a> Rollout<'a> {
    fn read(cluster: &'a Cluster, deployment: &'a Value) -> Self {
        let uid = object::uid(deployment);
        let mut sets = cluster.store.owned(uid, replicaset::RESOURCE);
        sets.retain(|set| {
            controller_of(set).is_some_and(|owner| text(&owner["uid"]) == uid) && !object::deleting(set)
        });
        sets.sort_by_key(|set| revision(set));
        let wanted = &deployment["spec"]["template"];
        let at = sets.iter().position(|set| template::same(&set["spec"]["template"], wanted));
        let new = at.map(|index| sets.remove(index));
        Self { cluster, deployment, new, old: sets }
    }

    /// The wanted number of replicas.
    pub(super) fn wanted(&self) -> i64 {
        int(&self.deployment["spec"]["replicas"], 1)
    }

    /// How many replicas may be there beyond those that are wanted, and how many may be missing.
    pub(super) fn bounds(&self) -> (i64, i64) {
        let strategy = &self.deployment["spec"]["strategy"];
        if strategy["type"] == "Recreate" {
            return (0, self.wanted());
        }
        let rolling = &strategy["rollingUpdate"];
        let surge = pods::scaled(&rolling["maxSurge"], self.wanted(), true);
        let unavailable = pods::scaled(&rolling["maxUnavailable"], self.wanted(), false).min(self.wanted());
        // With neither, nothing could ever move.
        if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable) }
    }

    /// All replica sets.
    pub(super) fn sets(&self) -> impl Iterator<Item = &Arc<Value>> {
        self.old.iter().chain(&self.new)
    }

    fn step(&self) -> Result<(), ApiError> {
        if self.deployment["spec"]["paused"] == json!(true) {
            return self.resize();
        }
        let recreate = self.deployment["spec"]["strategy"]["type"] == "Recreate";
        if recreate && self.remove_all_old()? {
            return Ok(());
        }
        let Some(new) = &self.new else {
            return self.create_new();
        };
        self.adopt_revision(new)?;
        let target = self.size_of_new(new);
        self.scale(new, target)?;
        if !recreate && target == spec_replicas(new) {
            self.shrink_old(new)?;
        }
        self.forget_history()
    }

    /// A paused deployment does not roll out, but it scales.
    fn resize(&self) -> Result<(), ApiError> {
        let active: Vec<&Arc<Value>> = self.sets().filter(|set| spec_replicas(set) > 0).collect();
        match active.as_slice() {
            [] => self.new.iter().try_for_each(|set| self.scale(set, self.wanted())),
            [only] => self.scale(only, self.wanted()),
            [.., newest] => {
                let others: i64 =
                    active.iter().map(|set| spec_replicas(set)).sum::<i64>() - spec_replicas(newest);
                self.scale(newest, (self.wanted() - others).max(0))
            }
        }
    }

    /// Whether pods of old replica sets are still there; they are told to go.
    fn remove_all_old(&self) -> Result<bool, ApiError> {
        let mut left = false;
        for set in &self.old {
            self.scale(set, 0)?;
            left |= spec_replicas(set) > 0
                || pods::controlled(self.cluster, set).iter().any(|pod| !pods::is_finished(pod));
        }
        Ok(left)
    }

    fn create_new(&self) -> Result<(), ApiError> {
        let spec = &self.deployment["spec"];
        let collisions = int(&self.deployment["status"]["collisionCount"], 0);
        let hash = template::hash(&spec["template"], collisions);
        let (mut selector, mut template) = (spec["selector"].clone(), spec["template"].clone());
        set(&mut selector, &["matchLabels", "pod-template-hash"], json!(hash));
        set(&mut template, &["metadata", "labels", "pod-template-hash"], json!(hash));
        let total: i64 = self.old.iter().map(|set| spec_replicas(set)).sum();
        let room = (self.wanted() + self.bounds().0 - total).max(0);
        let mut replica_set = json!({
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "namespace": self.deployment["metadata"]["namespace"],
                "name": format!("{}-{hash}", object::name(self.deployment)),
                "labels": template["metadata"]["labels"],
                "annotations": self.annotations(self.next_revision()),
                "ownerReferences": [object::controller_ref(self.deployment)],
            },
            "spec": {
                "replicas": room.min(self.wanted()),
                "selector": selector,
                "template": template,
            },
        });
        if let Some(seconds) = spec.get("minReadySeconds") {
            set(&mut replica_set, &["spec", "minReadySeconds"], seconds.clone());
        }
        let kind = self.cluster.kind(replicaset::RESOURCE)?;
        match self.cluster.store.create(&kind, replica_set, false) {
            Err(error) if error.reason == "AlreadyExists" => self.count_collision(),
            Err(error) => Err(error),
            Ok(made) => {
                let size = spec_replicas(&made);
                self.say_scaled(&made, 0, size);
                self.note_revision(revision(&made))
            }
        }
    }

    /// Another replica set has the name: the next attempt takes another one.
    fn count_collision(&self) -> Result<(), ApiError> {
        let kind = self.cluster.kind(RESOURCE)?;
        let change = |current: &Value| {
            let mut new = current.clone();
            let collisions = int(&current["status"]["collisionCount"], 0) + 1;
            set(&mut new, &["status", "collisionCount"], json!(collisions));
            Ok(new)
        };
        let key = Key::of(self.deployment);
        unless_gone(self.cluster.store.modify(&kind, &key, Part::Status, false, change))
    }

    fn next_revision(&self) -> i64 {
        self.sets().map(|set| revision(set)).max().unwrap_or(0) + 1
    }

    /// A replica set that is rolled back to becomes the latest revision.
    fn adopt_revision(&self, new: &Arc<Value>) -> Result<(), ApiError> {
        let latest = self.old.iter().map(|set| revision(set)).max().unwrap_or(0);
        let wanted = if revision(new) > latest { revision(new) } else { latest + 1 };
        let annotations = self.annotations(wanted);
        let min_ready = self.deployment["spec"].get("minReadySeconds").cloned();
        let kind = self.cluster.kind(replicaset::RESOURCE)?;
        let change = |current: &Value| {
            let mut set_now = current.clone();
            for (field, value) in object::fields(&annotations) {
                set(&mut set_now, &["metadata", "annotations", field], value.clone());
            }
            match &min_ready {
                Some(seconds) => set(&mut set_now, &["spec", "minReadySeconds"], seconds.clone()),
                None => object::unset(&mut set_now, &["spec", "minReadySeconds"]),
            }
            Ok(set_now)
        };
        unless_gone(self.cluster.store.modify(&kind, &Key::of(new), Part::Main, false, change))?;
        self.note_revision(wanted)
    }

    fn note_revision(&self, revision: i64) -> Result<(), ApiError> {
        let kind = self.cluster.kind(RESOURCE)?;
        let change = |current: &Value| {
            let mut new = current.clone();
            set(&mut new, &["metadata", "annotations", REVISION], json!(revision.to_string()));
            Ok(new)
        };
        let key = Key::of(self.deployment);
        unless_gone(self.cluster.store.modify(&kind, &key, Part::Main, false, change))
    }

    fn annotations(&self, revision: i64) -> Value {
        let mut annotations = json!({});
        for (field, value) in object::fields(&self.deployment["metadata"]["annotations"]) {
            if field != "kubectl.kubernetes.io/last-applied-configuration" {
                set(&mut annotations, &[field], value.clone());
            }
        }
        set(&mut annotations, &[REVISION], json!(revision.to_string()));
        let wanted = self.wanted();
        set(&mut annotations, &["deployment.kubernetes.io/desired-replicas"], json!(wanted.to_string()));
        let most = wanted + self.bounds().0;
        set(&mut annotations, &["deployment.kubernetes.io/max-replicas"], json!(most.to_string()));
        annotations
    }

    /// How large the new replica set may be now.
    fn size_of_new(&self, new: &Value) -> i64 {
        let (wanted, current) = (self.wanted(), spec_replicas(new));
        if current >= wanted {
            return wanted;
        }
        let total: i64 = self.sets().map(|set| spec_replicas(set)).sum();
        let room = (wanted + self.bounds().0 - total).max(0);
        (current + room).min(wanted)
    }

    /// Takes from the old replica sets what can be spared: first what is not available anyway.
    fn shrink_old(&self, new: &Value) -> Result<(), ApiError> {
        let least = self.wanted() - self.bounds().1;
        let total: i64 = self.sets().map(|set| spec_replicas(set)).sum();
        let new_missing = spec_replicas(new) - available(new);
        let mut spare = total - least - new_missing;
        let mut sizes: Vec<i64> = self.old.iter().map(|set| spec_replicas(set)).collect();
        for (set, size) in self.old.iter().zip(&mut sizes) {
            let cut = (*size - available(set)).max(0).min(spare.max(0));
            *size -= cut;
            spare -= cut;
        }
        let all_available: i64 = self.sets().map(|set| available(set)).sum();
        let mut spare = (all_available - least).max(0).min(spare.max(0));
        for size in &mut sizes {
            let cut = (*size).min(spare);
            *size -= cut;
            spare -= cut;
        }
        self.old.iter().zip(sizes).try_for_each(|(set, size)| self.scale(set, size))
    }

    fn scale(&self, replica_set: &Arc<Value>, to: i64) -> Result<(), ApiError> {
        let from = spec_replicas(replica_set);
        if from == to {
            return Ok(());
        }
        let kind = self.cluster.kind(replicaset::RESOURCE)?;
        let written = self.cluster.store.modify(&kind, &Key::of(replica_set), Part::Main, false, |current| {
            let mut new = current.clone();
            set(&mut new, &["spec", "replicas"], json!(to));
            Ok(new)
        });
        if written.is_ok() {
            self.say_scaled(replica_set, from, to);
        }
        unless_gone(written)
    }

    fn say_scaled(&self, replica_set: &Value, from: i64, to: i64) {
        let way = if to > from { "up" } else { "down" };
        let message = format!("Scaled {way} replica set {} from {from} to {to}", object::name(replica_set));
        self.cluster.event(self.deployment, "Normal", "ScalingReplicaSet", &message, SOURCE);
    }

    /// Removes empty replica sets beyond the history that is wanted.
    fn forget_history(&self) -> Result<(), ApiError> {
        let limit = usize::try_from(int(&self.deployment["spec"]["revisionHistoryLimit"], 10)).unwrap_or(0);
        let idle = |set: &&Arc<Value>| spec_replicas(set) == 0 && int(&set["status"]["replicas"], 0) == 0;
        let surplus = self.old.len().saturating_sub(limit);
        let kind = self.cluster.kind(replicaset::RESOURCE)?;
        for set in self.old.iter().take(surplus).filter(idle) {
            unless_gone(self.cluster.store.delete(&kind, &Key::of(set), &DeleteOptions::default()))?;
        }
        Ok(())
    }
}

/// The wanted size of a replica set.
pub(super) fn spec_replicas(replica_set: &Value) -> i64 {
    int(&replica_set["spec"]["replicas"], 1)
}

fn available(replica_set: &Value) -> i64 {
    int(&replica_set["status"]["availableReplicas"], 0)
}

fn revision(replica_set: &Value) -> i64 {
    text(&replica_set["metadata"]["annotations"][REVISION]).parse().unwrap_or(0)
}
