//! Workloads as those see them who route traffic.

use godwit_common::WorkloadId;
use godwit_hub_core::{PlacementView, WithdrawalView, WorkloadView};
use godwit_proto::v1;

use super::timestamp;

pub(in crate::admin) fn placements(view: &WorkloadView) -> v1::WorkloadPlacements {
    let text = |(key, value): (&_, &_)| (ToString::to_string(key), ToString::to_string(value));
    let there = |one: &&PlacementView| one.target > 0 || one.sent > 0 || one.observed > 0;
    v1::WorkloadPlacements {
        labels: view.labels.iter().map(text).collect(),
        wanted: view.wanted,
        serving_replicas: view.placements.iter().fold(0, |sum, one| sum.saturating_add(one.serving)),
        clusters: view.placements.iter().filter(there).map(cluster).collect(),
        ..removed_placements(view)
    }
}

/// Only who it was.
pub(in crate::admin) fn removed_placements(view: &WorkloadView) -> v1::WorkloadPlacements {
    let WorkloadId { namespace, kind, name } = &view.id;
    v1::WorkloadPlacements {
        namespace: namespace.to_string(),
        kind: kind.to_string(),
        name: name.to_string(),
        uid: view.uid.to_string(),
        ..v1::WorkloadPlacements::default()
    }
}

fn cluster(view: &PlacementView) -> v1::ServingCluster {
    let PlacementView {
        cluster,
        target,
        revision: _,
        drift: _,
        edited: _,
        updated: _,
        updated_ready: _,
        sent: _,
        observed: _,
        ready,
        reason: _,
        live,
        lost,
        serving,
        withdrawal: announced,
    } = view;
    v1::ServingCluster {
        cluster: cluster.to_string(),
        serving: *serving > 0,
        serving_replicas: *serving,
        ready: *ready,
        target: *target,
        live: *live,
        lost: *lost,
        withdrawal: announced.as_deref().map(withdrawal),
    }
}

fn withdrawal(view: &WithdrawalView) -> v1::Withdrawal {
    let WithdrawalView { id, gate, stays, until } = view;
    v1::Withdrawal {
        revision: id.to_string(),
        gate: gate.name().to_owned(),
        stays: *stays,
        until: until.map(timestamp),
    }
}
