//! What a workload consists of in each cluster, for whoever wants to see it: the manifests, and what was told beside them.

use std::sync::Arc;

use godwit_common::{ClusterName, ObjectKey, WorkloadId};

use crate::contract::{ClusterParts, Part, PartsView};
use crate::hub::Hub;
use crate::state::Workload;

impl Hub {
    /// What a workload and what it leans on are in clusters: in these, or in all where it has a row, in order of name; at
    /// most so many, after one of that name. None if there is no such workload.
    pub fn parts(
        &self,
        id: &WorkloadId,
        only: &[ClusterName],
        after: Option<&ClusterName>,
        most: usize,
    ) -> Option<PartsView> {
        let workload = self.workloads.get(self.ids.get(id)?)?;
        let meant = |name: &&ClusterName| {
            (only.is_empty() || only.contains(name)) && after.is_none_or(|after| *name > after)
        };
        let mut names = workload.seats.keys().filter(meant);
        let clusters = names.by_ref().take(most).map(|name| self.parts_in(workload, name)).collect();
        let absent = only.iter().find(|name| !workload.seats.contains_key(*name)).cloned();
        Some(PartsView { clusters, absent, more: names.next().is_some() })
    }

    fn parts_in(&self, workload: &Workload, name: &ClusterName) -> ClusterParts {
        let objects = workload.record.objects.iter().filter_map(|uid| self.objects.get(uid));
        let objects = objects.map(|object| Part {
            key: object.record.key.clone(),
            manifest: object.record.manifest.clone(),
            overrides: object.overrides.get(name).cloned().unwrap_or_default(),
            replicas: None,
            ordinals: 0,
            bounds: object.rows.get(name).map(|row| row.bounds).unwrap_or_default(),
        });
        let seat = workload.seats.get(name).cloned().unwrap_or_default();
        let revision = seat.seat.revision;
        let spec = workload.spec_of(revision);
        let WorkloadId { namespace, kind, name: called } = spec.id.clone();
        let own = Part {
            key: ObjectKey { api_version: spec.api_version.clone(), kind, namespace, name: called },
            manifest: spec.manifest.clone(),
            overrides: Arc::clone(&seat.overrides),
            replicas: Some(seat.seat.target),
            ordinals: seat.seat.ordinals.unwrap_or(0),
            bounds: Default::default(),
        };
        ClusterParts { cluster: name.clone(), revision, parts: objects.chain([own]).collect() }
    }
}
