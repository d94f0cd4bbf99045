//! Services that other clusters see: beside each Service that comes with a workload goes a ServiceExport of the
//! multi-cluster services API, if its policy says so. It is an object like any other that workloads lean on: it goes ahead,
//! stays as long as its cluster may have copies, ends by a tombstone, and is never put over somebody else's.

use std::collections::BTreeSet;
use std::sync::Arc;

use godwit_common::{ObjectKey, PolicyName, Uid};

use crate::contract::ObjectSpec;
use crate::hub::Hub;

const API_VERSION: &str = "multicluster.x-k8s.io/v1alpha1";
const KIND: &str = "ServiceExport";

impl Hub {
    /// What a workload leans on under a policy: these objects, with the exports of the Services among them, or without.
    pub(crate) fn with_exports(&mut self, objects: &BTreeSet<Uid>, policy: &PolicyName) -> BTreeSet<Uid> {
        let exports = self.policies.get(policy).is_some_and(|one| one.policy.placement.export_services);
        let mut kept: BTreeSet<Uid> =
            objects.iter().filter(|uid| !self.is_our_export(**uid)).copied().collect();
        if exports {
            let keys = kept.iter().filter_map(|uid| export_of(&self.objects.get(uid)?.record.key));
            let (mut missing, mut known) = (Vec::new(), Vec::new());
            for key in keys {
                // One that an application brings itself is its own.
                match self.object_keys.get(&key) {
                    Some(uid) => known.push(*uid),
                    None => missing.push(ObjectSpec { manifest: manifest(&key), key }),
                }
            }
            kept.extend(known);
            kept.extend(self.take_objects(&missing));
        }
        kept
    }

    /// A policy says something else of exports than before.
    pub(crate) fn follow_exports(&mut self, uid: Uid, entry: u64) {
        let Some(workload) = self.workloads.get(&uid).filter(|one| !one.record.spec.scale_only) else {
            return;
        };
        let (before, policy) = (workload.record.objects.clone(), workload.record.policy.clone());
        let spec = workload.record.spec.clone();
        let objects = self.with_exports(&before, &policy);
        if objects != before {
            self.revise(uid, &spec, &objects);
            self.use_objects(uid, &objects, entry);
            self.ensure_seats(uid);
            self.charter_changed(uid);
        }
    }

    /// Whether an object was put beside a Service here, and by no application.
    fn is_our_export(&self, uid: Uid) -> bool {
        let record = self.objects.get(&uid).map(|object| &object.record);
        record.is_some_and(|record| &*record.key.kind == KIND && record.manifest == manifest(&record.key))
    }
}

/// What exports an object, if it is a Service.
fn export_of(service: &ObjectKey) -> Option<ObjectKey> {
    let is_service = (&*service.api_version, &*service.kind) == ("v1", "Service");
    is_service.then(|| ObjectKey { api_version: API_VERSION.into(), kind: KIND.into(), ..service.clone() })
}

/// Names are of letters, digits, dots and hyphens: nothing of them needs an escape. The note tells it from one that an
/// application brings along.
fn manifest(key: &ObjectKey) -> Arc<str> {
    let ObjectKey { namespace, name, .. } = key;
    let metadata = format!(
        "{{\"annotations\":{{\"godwit.dev/exports\":\"service\"}},\"name\":\"{name}\",\"namespace\":\"{namespace}\"}}"
    );
    format!("{{\"apiVersion\":\"{API_VERSION}\",\"kind\":\"{KIND}\",\"metadata\":{metadata}}}").into()
}
