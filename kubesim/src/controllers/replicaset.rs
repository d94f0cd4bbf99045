//! Replica sets: as many pods of a template as are wanted.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::engine::{Controller, Queue};
use super::{Cluster, controller_key, pods, unless_gone};
use crate::error::ApiError;
use crate::object::{self, Key, int, set};
use crate::store::{Change, PODS, Part};

/// The resource.
pub(crate) const RESOURCE: &str = "replicasets.apps";
/// As the real controller: one pass makes or removes no more pods than this.
const BURST: i64 = 500;
const SOURCE: &str = "replicaset-controller";

/// Changes of pods are gathered for this long: a workload with thousands of pods is not gone through for each of them.
const GATHER: Duration = Duration::from_millis(10);

/// The controller of replica sets.
#[derive(Debug, Default)]
pub(crate) struct ReplicaSets;

impl Controller for ReplicaSets {
    type Item = Key;

    fn resources(&self) -> &'static [&'static str] {
        &[RESOURCE, PODS]
    }

    fn observe(&mut self, _: &Cluster, change: &Change, queue: &mut Queue<Key>) {
        if *change.resource == *RESOURCE {
            queue.add(change.key.clone());
        } else {
            queue_controller(change, "ReplicaSet", queue);
        }
    }

    fn reconcile(&mut self, cluster: &Cluster, key: &Key) -> Result<Option<Duration>, ApiError> {
        let Some(set) = cluster.store.get(RESOURCE, key) else {
            return Ok(None);
        };
        if !object::deleting(&set) {
            scale(cluster, &set)?;
        }
        status(cluster, &set)
    }
}

/// Queues the controller of the pod that changed, if that is a `kind`.
pub(super) fn queue_controller(change: &Change, kind: &str, queue: &mut Queue<Key>) {
    for pod in change.before.iter().chain([&change.after]) {
        if let Some(key) = controller_key(pod, kind) {
            queue.add_after(key, GATHER);
        }
    }
}

fn scale(cluster: &Cluster, set: &Value) -> Result<(), ApiError> {
    let mut active = pods::controlled(cluster, set);
    active.retain(|pod| pods::is_active(pod));
    let missing = int(&set["spec"]["replicas"], 1) - i64::try_from(active.len()).unwrap_or(i64::MAX);
    if missing > 0 {
        for _ in 0..missing.min(BURST) {
            let pod = pods::from_template(set, &set["spec"]["template"]);
            pods::create(cluster, set, pod, SOURCE)?;
        }
    } else if missing < 0 {
        let surplus = usize::try_from(missing.unsigned_abs().min(BURST.unsigned_abs())).unwrap_or(0);
        pods::sort_for_deletion(&mut active);
        for pod in active.iter().take(surplus) {
            pods::delete(cluster, set, pod, SOURCE)?;
        }
    }
    Ok(())
}

fn status(cluster: &Cluster, replica_set: &Value) -> Result<Option<Duration>, ApiError> {
    let mut active: Vec<Arc<Value>> = pods::controlled(cluster, replica_set);
    active.retain(|pod| pods::is_active(pod));
    let counts = pods::count(&active, int(&replica_set["spec"]["minReadySeconds"], 0));
    let labels = &replica_set["spec"]["template"]["metadata"]["labels"];
    let labelled = |pod: &&Arc<Value>| {
        object::fields(labels).all(|(label, value)| pod["metadata"]["labels"][label] == *value)
    };
    let status = json!({
        "replicas": active.len(),
        "fullyLabeledReplicas": active.iter().filter(labelled).count(),
        "readyReplicas": counts.ready,
        "availableReplicas": counts.available,
        "observedGeneration": replica_set["metadata"]["generation"],
    });
    let kind = cluster.kind(RESOURCE)?;
    unless_gone(cluster.store.modify(&kind, &Key::of(replica_set), Part::Status, false, |current| {
        let mut new = current.clone();
        set(&mut new, &["status"], status);
        Ok(new)
    }))?;
    let short = int(&replica_set["spec"]["replicas"], 1) != i64::try_from(active.len()).unwrap_or(i64::MAX);
    // What a pass left over is done in the next.
    let again = (short && !object::deleting(replica_set)).then_some(Duration::ZERO);
    Ok(again.or(counts.next))
}
