//! Clusters.

use godwit_common::Resources;
use godwit_hub_core::ClusterView;
use godwit_proto::v1;

use super::{count, timestamp};

pub(in crate::admin) fn cluster(view: &ClusterView) -> v1::Cluster {
    let ClusterView {
        name,
        uid,
        state,
        reason,
        since,
        agents,
        leader,
        provider,
        region,
        nodes,
        nodes_ready,
        allocatable,
        free,
        workloads,
        replicas,
        ready,
        generation,
        accepted,
        last_seen,
        removals_held,
        orphans,
        lost_after,
    } = view;
    v1::Cluster {
        name: name.to_string(),
        uid: uid.to_string(),
        state: state.as_str().to_owned(),
        reason: reason.to_string(),
        since: Some(timestamp(*since)),
        agents: *agents,
        leader: leader.to_string(),
        provider: provider.to_string(),
        region: region.to_string(),
        nodes: *nodes,
        nodes_ready: *nodes_ready,
        allocatable: Some(room(allocatable)),
        free: Some(room(free)),
        workloads: *workloads,
        replicas: *replicas,
        ready: *ready,
        generation: generation.0,
        accepted_generation: accepted.0,
        last_seen: Some(timestamp(*last_seen)),
        removals_held: *removals_held,
        orphans: orphans.iter().map(ToString::to_string).collect(),
        lost_after_ms: count(lost_after.as_millis()),
    }
}

fn room(resources: &Resources) -> v1::Room {
    const MIB: u64 = 1 << 20;
    v1::Room {
        cpu_millis: count(resources.cpu_millis),
        memory_mib: count(resources.memory_bytes / MIB),
        pods: count(resources.pods),
    }
}
