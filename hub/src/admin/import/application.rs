//! What was found in several clusters, as one application.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::bounds::Bounds;
use godwit_common::{ClusterName, ObjectKey, WorkloadId};
use godwit_hub_core::{Application, Found, FoundObject, FoundWorkload, ObjectSpec, WorkloadSpec};
use godwit_manifest as manifest;
use serde_json::{Value, json};
use tonic::Status;

use super::gather::Gathered;

/// One application, and where each part of it was found.
#[derive(Debug)]
pub(super) struct Together {
    pub(super) application: Application,
    pub(super) found: BTreeMap<ClusterName, Found>,
    /// What goes along and is not taken.
    pub(super) left: Vec<String>,
    pub(super) warnings: Vec<String>,
}

impl Together {
    /// Of what differs, `from` is right, or else the first that has it. With `sums`, bounds make up totals.
    pub(super) fn of(
        gathered: &BTreeMap<ClusterName, Gathered>,
        from: Option<&ClusterName>,
        sums: bool,
    ) -> Result<Self, Status> {
        let right = from.and_then(|from| gathered.get(from));
        let order = || right.into_iter().chain(gathered.values());
        let ids: BTreeSet<&WorkloadId> = gathered.values().flat_map(|found| found.workloads.keys()).collect();
        let keys: BTreeSet<&ObjectKey> = gathered.values().flat_map(|found| found.objects.keys()).collect();
        let newest = |id: &&WorkloadId| {
            let spec = order().find_map(|found| found.workloads.get(*id)).map(|found| &found.spec)?;
            let counts = gathered.values().filter_map(|found| found.workloads.get(*id));
            let replicas = counts.map(|found| found.spec.replicas).fold(0, u32::saturating_add);
            Some(WorkloadSpec { replicas, ..spec.clone() })
        };
        let whole = |key: &&ObjectKey| {
            let spec = order().find_map(|found| found.objects.get(*key)).map(|found| &found.spec)?;
            let all = gathered.values().filter_map(|found| found.objects.get(*key));
            let all: Vec<&str> = all.map(|found| &*found.spec.manifest).collect();
            let manifest = if sums { summed(key, &spec.manifest, &all) } else { spec.manifest.clone() };
            Some(ObjectSpec { key: (*key).clone(), manifest })
        };
        let application = Application {
            workloads: ids.iter().filter_map(newest).collect(),
            objects: keys.iter().filter_map(whole).collect(),
        };
        let parts = application.workloads.len() + application.objects.len();
        if parts > manifest::MAX_OBJECTS {
            return Err(Status::resource_exhausted(format!(
                "these are {parts} objects, and an application has at most {}: import fewer workloads at once",
                manifest::MAX_OBJECTS
            )));
        }
        Ok(Self {
            application,
            found: gathered.iter().map(|(name, found)| (name.clone(), found_in(found))).collect(),
            left: left(gathered, &keys),
            warnings: warnings(gathered, &keys),
        })
    }

    /// The manifest that a workload is to have everywhere.
    pub(super) fn newest(&self, id: &WorkloadId) -> Option<&Arc<str>> {
        let found = self.application.workloads.iter().find(|spec| spec.id == *id);
        found.map(|spec| &spec.manifest)
    }

    /// The same of an object.
    pub(super) fn object(&self, key: &ObjectKey) -> Option<&Arc<str>> {
        let found = self.application.objects.iter().find(|spec| spec.key == *key);
        found.map(|spec| &spec.manifest)
    }
}

fn found_in(gathered: &Gathered) -> Found {
    let workloads = gathered.workloads.values().map(|found| FoundWorkload {
        original: found.original,
        life: found.life,
        spec: found.spec.clone(),
    });
    let objects = gathered.objects.values().map(|found| FoundObject {
        original: found.original,
        life: found.life,
        spec: found.spec.clone(),
    });
    Found { workloads: workloads.collect(), objects: objects.collect() }
}

/// An autoscaler or a budget whose bounds are those of all clusters together; a percentage is the same everywhere.
fn summed(key: &ObjectKey, manifest: &Arc<str>, all: &[&str]) -> Arc<str> {
    let Some(fields) = Bounds::fields(&key.kind) else { return Arc::clone(manifest) };
    let Ok(mut object) = serde_json::from_str::<Value>(manifest) else { return Arc::clone(manifest) };
    for field in fields {
        let number = |text: &&str| {
            let object: Value = serde_json::from_str(text).ok()?;
            object.get("spec")?.get(field)?.as_u64()
        };
        if let Some(value) = object.get_mut("spec").and_then(|spec| spec.get_mut(field))
            && value.is_u64()
        {
            *value = json!(all.iter().filter_map(number).fold(0, u64::saturating_add));
        }
    }
    manifest::canonical_json(object).into()
}

fn left(gathered: &BTreeMap<ClusterName, Gathered>, taken: &BTreeSet<&ObjectKey>) -> Vec<String> {
    let all = gathered.values().flat_map(|found| &found.left);
    let all: BTreeMap<&ObjectKey, &String> = all.filter(|(key, _)| !taken.contains(key)).collect();
    let line = |(key, reason): (&ObjectKey, &String)| match reason.as_str() {
        "" => key.to_string(),
        reason => format!("{key} ({reason})"),
    };
    all.into_iter().map(line).collect()
}

fn warnings(gathered: &BTreeMap<ClusterName, Gathered>, taken: &BTreeSet<&ObjectKey>) -> Vec<String> {
    let mut warnings: Vec<String> = gathered.values().flat_map(|found| found.warnings.clone()).collect();
    let empty = gathered.iter().filter(|(_, found)| found.workloads.is_empty());
    warnings.extend(empty.map(|(name, _)| format!("nothing of it runs in {name}")));
    for key in taken {
        let without = gathered
            .iter()
            .filter(|(_, found)| !found.workloads.is_empty() && !found.objects.contains_key(*key));
        let without: Vec<&str> = without.map(|(name, _)| name.as_str()).collect();
        if !without.is_empty() {
            warnings.push(format!("{key} is not in {}, and will be", without.join(", ")));
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s34_bounds_of_all_clusters_make_up_the_total() {
        let key = ObjectKey::new("autoscaling/v2", "HorizontalPodAutoscaler", "shop", "web").unwrap();
        let bounds =
            |min: u32, max: u32| format!(r#"{{"spec":{{"maxReplicas":{max},"minReplicas":{min}}}}}"#);
        let (one, other) = (bounds(2, 10), bounds(1, 5));
        assert_eq!(&*summed(&key, &one.as_str().into(), &[&one, &other]), bounds(3, 15));
        let budget = ObjectKey::new("policy/v1", "PodDisruptionBudget", "shop", "web").unwrap();
        let percent = r#"{"spec":{"maxUnavailable":"25%"}}"#;
        assert_eq!(&*summed(&budget, &percent.into(), &[percent, percent]), percent);
        let map = ObjectKey::new("v1", "ConfigMap", "shop", "web").unwrap();
        assert_eq!(&*summed(&map, &"{}".into(), &["{}", "{}"]), "{}");
    }
}
