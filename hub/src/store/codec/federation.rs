//! The federation and its journal.

use std::time::Duration;

use godwit_common::Epoch;
use godwit_hub_core::{
    FederationRecord, Freeze, FreezeCause, JournalEntry, Recovery, Severity, StateRevision,
};
use godwit_proto::store::v1 as wire;

use super::Invalid;
use super::parts::{known, name, uid, uid_to_wire, unknown, wall};

pub(super) fn to_wire(federation: &FederationRecord) -> wire::Federation {
    let FederationRecord {
        uid,
        epoch,
        next_workload,
        next_migration,
        next_entry,
        freeze,
        longest_lease,
        recovery,
    } = federation;
    wire::Federation {
        uid: uid_to_wire(*uid),
        epoch: epoch.0,
        next_workload: *next_workload,
        next_migration: *next_migration,
        next_entry: *next_entry,
        freeze: freeze.as_ref().map(freeze_to_wire),
        longest_lease_ms: u64::try_from(longest_lease.as_millis()).unwrap_or(u64::MAX),
        recovery: recovery.as_ref().map(recovery_to_wire),
    }
}

pub(super) fn from_wire(federation: wire::Federation) -> Result<FederationRecord, Invalid> {
    Ok(FederationRecord {
        uid: uid("uid", &federation.uid)?,
        epoch: Epoch(federation.epoch),
        next_workload: federation.next_workload,
        next_migration: federation.next_migration,
        next_entry: federation.next_entry,
        freeze: federation.freeze.map(freeze_from_wire).transpose()?,
        longest_lease: Duration::from_millis(federation.longest_lease_ms),
        recovery: federation.recovery.map(recovery_from_wire).transpose()?,
    })
}

fn recovery_to_wire(recovery: &Recovery) -> wire::Recovery {
    let Recovery { from_nothing, named, missing } = recovery;
    wire::Recovery {
        from_nothing: *from_nothing,
        named: *named,
        missing: missing.iter().map(ToString::to_string).collect(),
    }
}

fn recovery_from_wire(recovery: wire::Recovery) -> Result<Recovery, Invalid> {
    let missing = recovery.missing.iter().map(|policy| name("recovery.missing", policy));
    Ok(Recovery {
        from_nothing: recovery.from_nothing,
        named: recovery.named,
        missing: missing.collect::<Result<_, _>>()?,
    })
}

fn freeze_to_wire(freeze: &Freeze) -> wire::Freeze {
    let Freeze { cause, since, message } = freeze;
    let cause = match cause {
        FreezeCause::MassLoss => wire::FreezeCause::MassLoss,
        FreezeCause::NewerHistory => wire::FreezeCause::NewerHistory,
        FreezeCause::Recovery => wire::FreezeCause::Recovery,
    };
    wire::Freeze { cause: cause.into(), since_ms: since.0, message: message.to_string() }
}

fn freeze_from_wire(freeze: wire::Freeze) -> Result<Freeze, Invalid> {
    let cause = match known("freeze.cause", freeze.cause)? {
        wire::FreezeCause::MassLoss => FreezeCause::MassLoss,
        wire::FreezeCause::NewerHistory => FreezeCause::NewerHistory,
        wire::FreezeCause::Recovery => FreezeCause::Recovery,
        wire::FreezeCause::Unspecified => return Err(unknown("freeze.cause", freeze.cause)),
    };
    Ok(Freeze { cause, since: wall(freeze.since_ms), message: freeze.message.into() })
}

pub(super) fn entry_to_wire(entry: &JournalEntry) -> wire::JournalEntry {
    let JournalEntry { number, at, severity, reason, rule, subject, message, inputs } = entry;
    let severity = match severity {
        Severity::Normal => wire::Severity::Normal,
        Severity::Warning => wire::Severity::Warning,
    };
    wire::JournalEntry {
        number: *number,
        at_ms: at.0,
        severity: severity.into(),
        reason: reason.to_string(),
        rule: rule.to_string(),
        subject: subject.to_string(),
        message: message.to_string(),
        inputs_epoch: inputs.epoch.0,
        inputs_event: inputs.event,
    }
}

pub(super) fn entry_from_wire(entry: wire::JournalEntry) -> Result<JournalEntry, Invalid> {
    let severity = match known("severity", entry.severity)? {
        wire::Severity::Normal => Severity::Normal,
        wire::Severity::Warning => Severity::Warning,
        wire::Severity::Unspecified => return Err(unknown("severity", entry.severity)),
    };
    Ok(JournalEntry {
        number: entry.number,
        at: wall(entry.at_ms),
        severity,
        reason: entry.reason.into(),
        rule: entry.rule.into(),
        subject: entry.subject.into(),
        message: entry.message.into(),
        inputs: StateRevision { epoch: Epoch(entry.inputs_epoch), event: entry.inputs_event },
    })
}
