//! Plans.

use godwit_hub_core::{PlanRowView, PlanView};
use godwit_proto::v1;

use super::texts;

pub(in crate::admin) fn plan(view: &PlanView) -> v1::Plan {
    let PlanView { id, replicas, wanted, pending, reasons, policy, report } = view;
    v1::Plan {
        namespace: id.namespace.to_string(),
        kind: id.kind.to_string(),
        name: id.name.to_string(),
        replicas: *replicas,
        wanted: *wanted,
        pending: *pending,
        reasons: texts(reasons),
        policy: policy.to_string(),
        report: report.iter().map(row).collect(),
    }
}

fn row(view: &PlanRowView) -> v1::PlanRow {
    let PlanRowView { cluster, eligible, weight, min, max, room, replicas, reason } = view;
    v1::PlanRow {
        cluster: cluster.to_string(),
        eligible: *eligible,
        weight: *weight,
        min: *min,
        max: *max,
        room: *room,
        replicas: *replicas,
        reason: reason.clone(),
    }
}
