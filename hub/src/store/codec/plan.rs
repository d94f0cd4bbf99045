//! What answers say of plans.

use godwit_common::ClusterName;
use godwit_hub_core::{PlanChange, PlanRowView};
use godwit_proto::store::v1 as wire;

use super::Invalid;
use super::parts::{id, id_to_wire, name, texts, texts_to_wire};

pub(super) fn row_to_wire(row: &PlanRowView) -> wire::PlanRow {
    let PlanRowView { cluster, eligible, weight, min, max, room, replicas, reason, remedy } = row;
    wire::PlanRow {
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

pub(super) fn row_from_wire(row: wire::PlanRow) -> Result<PlanRowView, Invalid> {
    Ok(PlanRowView {
        cluster: name("report.cluster", &row.cluster)?,
        eligible: row.eligible,
        weight: row.weight,
        min: row.min,
        max: row.max,
        room: row.room,
        replicas: row.replicas,
        reason: row.reason,
        remedy: row.remedy,
    })
}

pub(super) fn change_to_wire(change: &PlanChange) -> wire::PlanChange {
    let PlanChange { id, policy, counts, pending_before, pending_after, reasons } = change;
    let count = |(cluster, before, after): &(ClusterName, u32, u32)| wire::ShareChange {
        cluster: cluster.to_string(),
        before: *before,
        after: *after,
    };
    wire::PlanChange {
        id: Some(id_to_wire(id)),
        policy: policy.to_string(),
        counts: counts.iter().map(count).collect(),
        pending_before: *pending_before,
        pending_after: *pending_after,
        reasons: texts_to_wire(reasons),
    }
}

pub(super) fn change_from_wire(change: wire::PlanChange) -> Result<PlanChange, Invalid> {
    let count =
        |share: wire::ShareChange| Ok((name("changes.cluster", &share.cluster)?, share.before, share.after));
    Ok(PlanChange {
        id: id("changes.id", change.id)?,
        policy: name("changes.policy", &change.policy)?,
        counts: change.counts.into_iter().map(count).collect::<Result<_, _>>()?,
        pending_before: change.pending_before,
        pending_after: change.pending_after,
        reasons: texts(change.reasons),
    })
}
