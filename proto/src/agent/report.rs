//! What a cluster holds.

use std::time::Duration;

use godwit_common::link::{Difference, Edit, Finished, ROWS_MAX, Report, Status, TEXT_MAX};
use godwit_common::{Generation, WorkloadId};
use prost::Message;

use super::check::{count, list, text, uid, uid_to_wire};
use super::parts::Parts;
use super::{WireError, capacity, need};
use crate::v1;

/// The most that the parts of one report may hold together. Some 400,000 workloads fit, which is more than the API server
/// of a cluster keeps; a member that sends without end must not fill the hub's memory.
const REPORT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What has come of a report so far.
#[derive(Debug)]
pub(super) struct Begun {
    report: Report,
    bytes: usize,
}

/// A report in as many parts as it takes.
pub(super) fn to_wire(report: &Report) -> Vec<v1::Report> {
    let mut parts = Parts::new(v1::Report {
        complete: report.complete,
        reflects_generation: report.reflects.0,
        more: true,
        ..v1::Report::default()
    });
    if let Some(capacity) = report.capacity.as_ref().map(capacity::to_wire) {
        let part = parts.for_row(capacity.encoded_len());
        part.capacity = Some(capacity);
    }
    for row in report.statuses.iter().map(status_to_wire) {
        parts.for_row(row.encoded_len()).statuses.push(row);
    }
    for row in report.removed.iter().copied().map(uid_to_wire) {
        parts.for_row(row.len()).removed.push(row);
    }
    for row in report.needs.iter().map(need::status_to_wire) {
        parts.for_row(row.encoded_len()).needs.push(row);
    }
    for row in report.edits.iter().map(edit_to_wire) {
        parts.for_row(row.encoded_len()).edits.push(row);
    }
    parts.end(|last| last.more = false)
}

/// Puts the parts of one report together. `held` is what has come of it so far; a report that is complete comes out.
pub(super) fn join(held: &mut Option<Begun>, wire: v1::Report) -> Result<Option<Report>, WireError> {
    let (more, mut bytes) = (wire.more, wire.encoded_len());
    let mut report = from_wire(wire)?;
    if let Some(begun) = held.take() {
        bytes = bytes.saturating_add(begun.bytes);
        if bytes > REPORT_BYTES_MAX {
            let problem = format!("the parts of a report have at most {REPORT_BYTES_MAX} bytes together");
            return Err(WireError::new("more", problem));
        }
        report = append(begun.report, report)?;
    }
    if more {
        *held = Some(Begun { report, bytes });
        return Ok(None);
    }
    Ok(Some(report))
}

fn append(mut whole: Report, mut part: Report) -> Result<Report, WireError> {
    if whole.complete != part.complete {
        return Err(WireError::new("complete", "it differs from the one of the parts before"));
    }
    if whole.reflects != part.reflects {
        return Err(WireError::new("reflects_generation", "it differs from the one of the parts before"));
    }
    if whole.capacity.is_some() && part.capacity.is_some() {
        return Err(WireError::new("capacity", "it came with a part before"));
    }
    whole.statuses.append(&mut part.statuses);
    whole.removed.append(&mut part.removed);
    whole.needs.append(&mut part.needs);
    whole.edits.append(&mut part.edits);
    whole.capacity = whole.capacity.or(part.capacity);
    Ok(whole)
}

fn from_wire(wire: v1::Report) -> Result<Report, WireError> {
    let capacity = wire.capacity.map(capacity::from_wire).transpose();
    Ok(Report {
        complete: wire.complete,
        reflects: Generation(wire.reflects_generation),
        statuses: list("statuses", wire.statuses, ROWS_MAX, status_from_wire)?,
        removed: list("removed", wire.removed, ROWS_MAX, |bytes| uid("", &bytes))?,
        capacity: capacity.map_err(|error| error.within("capacity"))?,
        needs: list("needs", wire.needs, ROWS_MAX, need::status_from_wire)?,
        edits: list("edits", wire.edits, ROWS_MAX, edit_from_wire)?,
    })
}

fn edit_to_wire(edit: &Edit) -> v1::Edit {
    v1::Edit { uid: uid_to_wire(edit.uid), fields: edit.fields.to_string() }
}

fn edit_from_wire(wire: v1::Edit) -> Result<Edit, WireError> {
    Ok(Edit { uid: uid("uid", &wire.uid)?, fields: text("fields", wire.fields, TEXT_MAX)? })
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
        failing: status.failing,
        stranded: status.stranded,
        terminating: status.terminating,
        problem: status.problem.to_string(),
        missing: !status.exists,
        updated: status.updated,
        updated_ready: status.updated_ready,
        stalled: status.stalled,
        finished: status.finished.map(Finished::name).unwrap_or_default().to_owned(),
        ready_for_ms: u64::try_from(status.ready_for.as_millis()).unwrap_or(u64::MAX),
        supervised: status.supervised,
        difference: difference_to_wire(status.difference).into(),
    }
}

fn difference_to_wire(difference: Option<Difference>) -> v1::Difference {
    match difference {
        None => v1::Difference::Unspecified,
        Some(Difference::Scaled) => v1::Difference::Scaled,
        Some(Difference::Autoscaled) => v1::Difference::Autoscaled,
        Some(Difference::Deleted) => v1::Difference::Deleted,
    }
}

fn difference_from_wire(wire: i32) -> Result<Option<Difference>, WireError> {
    match v1::Difference::try_from(wire) {
        Ok(v1::Difference::Unspecified) => Ok(None),
        Ok(v1::Difference::Scaled) => Ok(Some(Difference::Scaled)),
        Ok(v1::Difference::Autoscaled) => Ok(Some(Difference::Autoscaled)),
        Ok(v1::Difference::Deleted) => Ok(Some(Difference::Deleted)),
        Err(_) => Err(WireError::unknown("difference")),
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
        failing: count("failing", wire.failing)?,
        stranded: count("stranded", wire.stranded)?,
        updated: count("updated", wire.updated)?,
        updated_ready: count("updated_ready", wire.updated_ready)?,
        stalled: wire.stalled,
        // A word of a newer agent's is no end that this build knows.
        finished: Finished::of_name(&wire.finished),
        terminating: count("terminating", wire.terminating)?,
        supervised: count("supervised", wire.supervised)?,
        problem: text("problem", wire.problem, TEXT_MAX)?,
        exists: !wire.missing,
        ready_for: Duration::from_millis(wire.ready_for_ms),
        difference: difference_from_wire(wire.difference)?,
    })
}
