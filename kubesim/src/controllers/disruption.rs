//! Disruption budgets: how many of the pods that each selects may be evicted now.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::engine::{Controller, Queue};
use super::{Cluster, pods, unless_gone};
use crate::api::selectors::spec_selects;
use crate::error::ApiError;
use crate::object::{self, Key, int, set, set_condition, text};
use crate::store::{Change, PODS, Part};

/// The resource.
pub(crate) const RESOURCE: &str = "poddisruptionbudgets.policy";

/// Changes of pods are gathered for this long.
const GATHER: Duration = Duration::from_millis(10);

/// The controller of disruption budgets.
#[derive(Debug, Default)]
pub(crate) struct Budgets;

impl Controller for Budgets {
    type Item = Key;

    fn resources(&self) -> &'static [&'static str] {
        &[RESOURCE, PODS]
    }

    fn observe(&mut self, cluster: &Cluster, change: &Change, queue: &mut Queue<Key>) {
        if *change.resource == *RESOURCE {
            queue.add(change.key.clone());
            return;
        }
        for budget in cluster.store.all(RESOURCE, Some(&change.key.namespace)) {
            if spec_selects(&budget["spec"]["selector"], &change.after) {
                queue.add_after(Key::of(&budget), GATHER);
            }
        }
    }

    fn reconcile(&mut self, cluster: &Cluster, key: &Key) -> Result<Option<Duration>, ApiError> {
        let Some(budget) = cluster.store.get(RESOURCE, key) else {
            return Ok(None);
        };
        let mut selected = cluster.store.all(PODS, Some(&key.namespace));
        selected.retain(|pod| spec_selects(&budget["spec"]["selector"], pod) && pods::is_active(pod));
        let expected = expected(cluster, &selected);
        let spec = &budget["spec"];
        let desired = if spec["maxUnavailable"].is_null() {
            pods::scaled(&spec["minAvailable"], expected, true)
        } else {
            expected - pods::scaled(&spec["maxUnavailable"], expected, true)
        };
        let desired = desired.max(0);
        let healthy =
            i64::try_from(selected.iter().filter(|pod| pods::is_ready(pod)).count()).unwrap_or(i64::MAX);
        let allowed = (healthy - desired).max(0);
        let kind = cluster.kind(RESOURCE)?;
        unless_gone(cluster.store.modify(&kind, key, Part::Status, false, |current| {
            let mut new = current.clone();
            for (field, value) in [
                ("expectedPods", json!(expected)),
                ("desiredHealthy", json!(desired)),
                ("currentHealthy", json!(healthy)),
                ("disruptionsAllowed", json!(allowed)),
                ("observedGeneration", current["metadata"]["generation"].clone()),
            ] {
                set(&mut new, &["status", field], value);
            }
            let (status, reason) =
                if allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
            set_condition(&mut new, "DisruptionAllowed", status, reason, "");
            Ok(new)
        }))?;
        Ok(None)
    }
}

/// How many pods there should be: what the controllers of the selected ones want, and those without a controller.
fn expected(cluster: &Cluster, selected: &[Arc<Value>]) -> i64 {
    let mut owners: Vec<&str> = Vec::new();
    let mut expected = 0;
    for pod in selected {
        let Some(owner) = object::controller_of(pod) else {
            expected += 1;
            continue;
        };
        let uid = text(&owner["uid"]);
        if owners.contains(&uid) {
            continue;
        }
        owners.push(uid);
        let found =
            cluster.store.locate(uid).and_then(|found| cluster.store.get(&found.resource, &found.key));
        expected += found.map_or(0, |owner| int(&owner["spec"]["replicas"], 1));
    }
    expected
}
