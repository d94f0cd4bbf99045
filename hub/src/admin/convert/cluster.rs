//! Clusters.

use godwit_common::{ClusterName, Resources, Taint, Traits, WallTime, WorkloadId};
use godwit_hub_core::{
    ClusterTaint, ClusterView, Drain, DrainView, FlappingView, OrphanView, Purpose, Survival,
};
use godwit_proto::agent::unmanaged_to_wire;
use godwit_proto::policy::selector_to_wire;
use godwit_proto::v1;

use super::{count, gate, texts, timestamp};
use crate::driver::Shown;

pub(in crate::admin) fn cluster(view: &ClusterView) -> v1::Cluster {
    let ClusterView {
        name,
        uid,
        claimant,
        state: _,
        reason,
        since: _,
        agents,
        leader,
        traits: Traits { labels, provider, region, zones },
        taints: _, // See `orders`.
        cordoned: _,
        drain: _,
        maintenance: _,
        awaited: _,
        dead: _,
        unaccounted,
        gate,
        degraded,
        flapping,
        survival,
        nodes,
        nodes_ready,
        allocatable,
        free,
        unmanaged,
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
        state: Shown::of(view).as_str().to_owned(),
        reason: reason.to_string(),
        since: Some(timestamp(shown_since(view))),
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
        orphans: orphans.iter().map(|orphan| orphan.workload.to_string()).collect(),
        lost_after_ms: count(lost_after.as_millis()),
        labels: labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        zones: texts(zones),
        degraded: degraded.to_string(),
        survival: survival.as_ref().map(self::survival),
        flapping: flapping.as_ref().map(self::flapping),
        unmanaged: Some(unmanaged).filter(|one| one.pods > 0).map(unmanaged_to_wire),
        claimant_uid: claimant.map(|uid| uid.to_string()).unwrap_or_default(),
        unaccounted: *unaccounted,
        gate: gate.as_ref().map(self::gate),
        ..orders(view)
    }
}

/// What operators have said of a cluster; the rest is left out.
fn orders(view: &ClusterView) -> v1::Cluster {
    let ClusterView { taints, cordoned, drain, maintenance, awaited, dead, .. } = view;
    v1::Cluster {
        taints: taints.iter().map(taint).collect(),
        cordoned: *cordoned,
        drain: drain.as_ref().map(self::drain),
        maintenance_until: maintenance.map(timestamp),
        awaited: awaited.map(|migration| migration.to_string()).unwrap_or_default(),
        dead_since: dead.map(timestamp),
        ..v1::Cluster::default()
    }
}

fn flapping(view: &FlappingView) -> v1::Flapping {
    let FlappingView { stable_for, until } = view;
    v1::Flapping { stable_for_ms: count(stable_for.as_millis()), until: until.map(timestamp) }
}

/// Since when it is as it is shown.
fn shown_since(view: &ClusterView) -> WallTime {
    let Some(DrainView { drain, .. }) = &view.drain else { return view.since };
    match Shown::of(view) {
        Shown::Draining | Shown::Retiring => drain.started,
        Shown::Drained => drain.since,
        Shown::Unknown
        | Shown::Joining
        | Shown::Ready
        | Shown::Degraded
        | Shown::Suspect
        | Shown::Lost
        | Shown::Returning
        | Shown::Maintenance => view.since,
    }
}

fn drain(view: &DrainView) -> v1::Drain {
    let DrainView { drain, pods, workloads, waiting } = view;
    let Drain { started, deadline, max_surge, force, to, purpose, state, since: _ } = drain;
    let (purpose, maintenance) = match purpose {
        Purpose::Empty => ("Empty", None),
        Purpose::Retire => ("Retire", None),
        Purpose::Maintain { within, .. } => ("Maintenance", Some(*within)),
    };
    let wait = |(id, reason): &(WorkloadId, String)| v1::DrainWait {
        namespace: id.namespace.to_string(),
        kind: id.kind.to_string(),
        name: id.name.to_string(),
        reason: reason.clone(),
    };
    v1::Drain {
        state: state.as_str().to_owned(),
        started: Some(timestamp(*started)),
        deadline: Some(timestamp(*deadline)),
        max_surge_percent: *max_surge,
        force: *force,
        pods: *pods,
        workloads: *workloads,
        waiting: waiting.iter().map(wait).collect(),
        to: to.as_ref().map(selector_to_wire),
        purpose: purpose.to_owned(),
        maintenance: maintenance.and_then(|within| prost_types::Duration::try_from(within).ok()),
    }
}

fn taint(taint: &ClusterTaint) -> v1::ClusterTaint {
    let ClusterTaint { taint: Taint { key, value, effect }, added } = taint;
    v1::ClusterTaint {
        key: key.to_string(),
        value: value.to_string(),
        effect: effect.name().to_owned(),
        added: Some(timestamp(*added)),
    }
}

fn survival(survival: &Survival) -> v1::Survival {
    let Survival { unplaced, workloads, examples, checked } = survival;
    let shortage = |(id, replicas): &(WorkloadId, u32)| v1::WorkloadShortage {
        namespace: id.namespace.to_string(),
        kind: id.kind.to_string(),
        name: id.name.to_string(),
        replicas: *replicas,
    };
    v1::Survival {
        unplaced: *unplaced,
        workloads: *workloads,
        examples: examples.iter().map(shortage).collect(),
        checked: Some(timestamp(*checked)),
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

pub(in crate::admin) fn orphan(cluster: &ClusterName, view: &OrphanView) -> v1::Orphan {
    let OrphanView { workload, uid, revision, pods, ready } = view;
    v1::Orphan {
        cluster: cluster.to_string(),
        namespace: workload.namespace.to_string(),
        kind: workload.kind.to_string(),
        name: workload.name.to_string(),
        uid: uid.to_string(),
        revision: *revision,
        pods: *pods,
        ready: *ready,
    }
}
