//! Workloads, and what a deployment came to.

use godwit_common::link::{Difference, Finished};
use godwit_common::{ClusterName, ObjectKey, PolicyName, WorkloadId};
use godwit_hub_core::{Action, Deployed, DeployedWorkload, PlacementView, WorkloadView};
use godwit_proto::v1;

use super::plan::{changes, row};
use super::rollout::rollout;
use super::{decided_on, gate, texts, timestamp};

/// What is shown where nothing but fields was changed by hand (S29).
const EDITED: &str = "Edited";

pub(in crate::admin) fn workload(view: &WorkloadView) -> v1::Workload {
    let WorkloadView {
        id,
        uid,
        labels: _,
        replicas,
        wanted,
        ready,
        pending,
        pending_reasons,
        policy,
        scale_only,
        leader,
        rollout: newest,
        placements,
        displaced,
        possible_over_run,
        gate,
        finished,
        deleting,
        deletion_pending_on,
        objects,
        problems,
        created,
    } = view;
    v1::Workload {
        uid: uid.to_string(),
        replicas: *replicas,
        wanted: *wanted,
        ready: *ready,
        pending: *pending,
        pending_reasons: texts(pending_reasons),
        policy: policy.as_ref().map(PolicyName::to_string).unwrap_or_default(),
        scale_only: *scale_only,
        colocated_with: leader.as_ref().map(WorkloadId::to_string).unwrap_or_default(),
        revision: newest.revision,
        rollout: policy.as_ref().map(|_| rollout(newest)),
        placements: placements.iter().map(placement).collect(),
        displaced: displaced.iter().map(|(cluster, replicas)| (cluster.to_string(), *replicas)).collect(),
        possible_over_run: *possible_over_run,
        gate: gate.as_ref().map(self::gate),
        finished: finished.map(Finished::name).unwrap_or_default().to_owned(),
        deleting: *deleting,
        deletion_pending_on: deletion_pending_on.iter().map(ClusterName::to_string).collect(),
        objects: objects.clone(),
        problems: problems.clone(),
        created: Some(timestamp(*created)),
        ..identity(id)
    }
}

/// A workload that is gone: only who it was.
pub(in crate::admin) fn removed_workload(view: &WorkloadView) -> v1::Workload {
    v1::Workload { uid: view.uid.to_string(), ..identity(&view.id) }
}

fn identity(id: &WorkloadId) -> v1::Workload {
    let WorkloadId { namespace, kind, name } = id;
    v1::Workload {
        namespace: namespace.to_string(),
        kind: kind.to_string(),
        name: name.to_string(),
        ..v1::Workload::default()
    }
}

fn placement(view: &PlacementView) -> v1::Placement {
    let PlacementView {
        cluster,
        target,
        sent,
        observed,
        ready,
        revision,
        updated,
        updated_ready,
        reason,
        live,
        lost: _,
        serving: _,
        withdrawal: _,
        drift,
        edited,
    } = view;
    v1::Placement {
        cluster: cluster.to_string(),
        target: *target,
        sent: *sent,
        observed: *observed,
        ready: *ready,
        reason: reason.to_string(),
        live: *live,
        revision: *revision,
        updated: *updated,
        updated_ready: *updated_ready,
        drift: drift.map_or(if edited.is_empty() { "" } else { EDITED }, Difference::name).to_owned(),
    }
}

pub(in crate::admin) fn deployed(deployed: Deployed, dry_run: bool) -> v1::DeployResponse {
    let Deployed { workloads, objects, changes: changed, warnings } = deployed;
    v1::DeployResponse {
        workloads: workloads.into_iter().map(deployed_workload).collect(),
        objects: objects.iter().map(ObjectKey::to_string).collect(),
        changes: changes(&changed),
        changes_total: changed.total,
        inputs: decided_on(changed.inputs),
        warnings,
        dry_run,
    }
}

pub(in crate::admin) fn deployed_workload(workload: DeployedWorkload) -> v1::DeployedWorkload {
    let DeployedWorkload {
        id,
        action: done,
        policy,
        replicas,
        revision,
        behind,
        rollout,
        clusters,
        placements,
        pending,
        reasons,
        report,
    } = workload;
    let share =
        |(cluster, replicas): (ClusterName, u32)| v1::Share { cluster: cluster.to_string(), replicas };
    v1::DeployedWorkload {
        namespace: id.namespace.to_string(),
        kind: id.kind.to_string(),
        name: id.name.to_string(),
        action: action(done).to_owned(),
        policy: policy.to_string(),
        replicas,
        placements: placements.into_iter().map(share).collect(),
        pending,
        reasons,
        report: report.iter().map(row).collect(),
        revision,
        rollout: rollout.iter().map(ToString::to_string).collect(),
        rollout_clusters: behind,
        clusters,
    }
}

/// As `kubectl apply` says it.
pub(in crate::admin) fn action(action: Action) -> &'static str {
    match action {
        Action::Created => "created",
        Action::Configured => "configured",
        Action::Unchanged => "unchanged",
    }
}
