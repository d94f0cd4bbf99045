//! Clusters whose agents know no overrides keep what they have, and get nothing new of what would be different there (S33).

use godwit_common::ClusterName;
use godwit_hub_core::{Key, Record, WorkloadRecord};

use crate::world::World;

impl World {
    /// Whether something of a workload would be different in a cluster, and none of its agents has known how.
    pub(super) fn owes(&self, workload: &WorkloadRecord, cluster: &ClusterName) -> bool {
        let store = &self.hubs[0].store;
        let Some(Record::Cluster(cluster)) = store.get(&Key::Cluster(cluster.clone())) else { return false };
        let beside = workload.objects.iter().any(|uid| match store.get(&Key::Object(*uid)) {
            Some(Record::Object(object)) => cluster.owes(&object.overrides),
            Some(_) | None => false,
        });
        beside || cluster.owes(&workload.spec.overrides)
    }
}
