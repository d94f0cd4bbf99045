//! What was found in several clusters, as one application.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::{ClusterName, ObjectKey, WorkloadId};
use godwit_hub_core::{Application, Found, FoundObject, FoundWorkload};
use godwit_manifest as manifest;
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
    /// Of what differs, `from` is right, or else the first that has it. What the totals are, the machine says: it knows under
    /// which policy each workload comes.
    pub(super) fn of(
        gathered: &BTreeMap<ClusterName, Gathered>,
        from: Option<&ClusterName>,
    ) -> Result<Self, Status> {
        let said = from.and_then(|from| gathered.get(from));
        let order = || said.into_iter().chain(gathered.values());
        let ids: BTreeSet<&WorkloadId> = gathered.values().flat_map(|found| found.workloads.keys()).collect();
        let keys: BTreeSet<&ObjectKey> = gathered.values().flat_map(|found| found.objects.keys()).collect();
        let newest = |id: &&WorkloadId| {
            order().find_map(|found| found.workloads.get(*id)).map(|found| found.spec.clone())
        };
        let right = |key: &&ObjectKey| {
            order().find_map(|found| found.objects.get(*key)).map(|found| found.spec.clone())
        };
        let application = Application {
            workloads: ids.iter().filter_map(newest).collect(),
            objects: keys.iter().filter_map(right).collect(),
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
