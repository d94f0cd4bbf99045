//! What a cluster holds.

use godwit_common::link::{ROWS_MAX, Report, Status, TEXT_MAX};
use godwit_common::{Generation, WorkloadId};

use super::check::{count, list, text, uid, uid_to_wire};
use super::{WireError, capacity};
use crate::v1;

pub(super) fn to_wire(report: &Report) -> v1::Report {
    v1::Report {
        complete: report.complete,
        reflects_generation: report.reflects.0,
        statuses: report.statuses.iter().map(status_to_wire).collect(),
        removed: report.removed.iter().copied().map(uid_to_wire).collect(),
        capacity: report.capacity.as_ref().map(capacity::to_wire),
    }
}

pub(super) fn from_wire(wire: v1::Report) -> Result<Report, WireError> {
    let capacity = wire.capacity.map(capacity::from_wire).transpose();
    Ok(Report {
        complete: wire.complete,
        reflects: Generation(wire.reflects_generation),
        statuses: list("statuses", wire.statuses, ROWS_MAX, status_from_wire)?,
        removed: list("removed", wire.removed, ROWS_MAX, |bytes| uid("", &bytes))?,
        capacity: capacity.map_err(|error| error.within("capacity"))?,
    })
}

fn status_to_wire(status: &Status) -> v1::WorkloadStatus {
    v1::WorkloadStatus {
        namespace: status.workload.namespace.to_string(),
        kind: status.workload.kind.to_string(),
        name: status.workload.name.to_string(),
        uid: uid_to_wire(status.uid),
        revision: status.revision,
        replicas: status.replicas,
        pods: status.pods,
        bound: status.bound,
        ready: status.ready,
        unschedulable: status.unschedulable,
        problem: status.problem.to_string(),
        missing: !status.exists,
    }
}

fn status_from_wire(wire: v1::WorkloadStatus) -> Result<Status, WireError> {
    Ok(Status {
        workload: WorkloadId::new(&wire.namespace, &wire.kind, &wire.name)?,
        uid: uid("uid", &wire.uid)?,
        revision: wire.revision,
        replicas: count("replicas", wire.replicas)?,
        pods: count("pods", wire.pods)?,
        bound: count("bound", wire.bound)?,
        ready: count("ready", wire.ready)?,
        unschedulable: count("unschedulable", wire.unschedulable)?,
        problem: text("problem", wire.problem, TEXT_MAX)?,
        exists: !wire.missing,
    })
}
