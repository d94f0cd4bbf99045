//! Plans, and what would change them.

use godwit_common::ClusterName;
use godwit_hub_core::{Changes, PlanChange, PlanRowView, PlanView, WhatIfView};
use godwit_proto::v1;

use super::texts;

pub(in crate::admin) fn plan(view: &PlanView) -> v1::Plan {
    let PlanView { id, replicas, wanted, pending, reasons, policy, report, inputs } = view;
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
        inputs: inputs.to_string(),
    }
}

pub(super) fn row(view: &PlanRowView) -> v1::PlanRow {
    let PlanRowView { cluster, eligible, weight, min, max, room, replicas, reason, remedy } = view;
    v1::PlanRow {
        cluster: cluster.to_string(),
        eligible: *eligible,
        weight: *weight,
        min: *min,
        max: *max,
        room: *room,
        replicas: *replicas,
        reason: reason.clone(),
        remedy: remedy.clone(),
    }
}

pub(in crate::admin) fn what_if(view: &WhatIfView) -> v1::WhatIfResponse {
    let WhatIfView { changes: changed, moved, pending_before, pending_after } = view;
    v1::WhatIfResponse {
        changes: changes(changed),
        workloads: changed.total,
        moved: *moved,
        pending_before: *pending_before,
        pending_after: *pending_after,
    }
}

pub(in crate::admin) fn changes(changes: &Changes) -> Vec<v1::PlanChange> {
    changes.plans.iter().map(change).collect()
}

fn change(change: &PlanChange) -> v1::PlanChange {
    let PlanChange { id, policy, counts, pending_before, pending_after, reasons } = change;
    let share = |(cluster, before, after): &(ClusterName, u32, u32)| v1::ShareChange {
        cluster: cluster.to_string(),
        before: *before,
        after: *after,
    };
    v1::PlanChange {
        namespace: id.namespace.to_string(),
        kind: id.kind.to_string(),
        name: id.name.to_string(),
        policy: policy.to_string(),
        shares: counts.iter().map(share).collect(),
        pending_before: *pending_before,
        pending_after: *pending_after,
        reasons: texts(reasons),
    }
}
