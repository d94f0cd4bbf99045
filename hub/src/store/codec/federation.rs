//! The federation, its clusters and its journal.

use godwit_common::{Epoch, Generation, Taint, Traits};
use godwit_hub_core::{
    ClusterRecord, ClusterTaint, Drain, DrainState, FederationRecord, Freeze, FreezeCause, JournalEntry,
    Severity,
};
use godwit_proto::store::v1 as wire;

use super::Invalid;
use super::parts::{
    effect, effect_to_wire, known, labels, labels_to_wire, name, texts_to_wire, uid, uid_to_wire, unknown,
    wall,
};

pub(super) fn to_wire(federation: &FederationRecord) -> wire::Federation {
    let FederationRecord { uid, epoch, next_workload, next_migration, next_entry, freeze } = federation;
    wire::Federation {
        uid: uid_to_wire(*uid),
        epoch: epoch.0,
        next_workload: *next_workload,
        next_migration: *next_migration,
        next_entry: *next_entry,
        freeze: freeze.as_ref().map(freeze_to_wire),
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
    })
}

fn freeze_to_wire(freeze: &Freeze) -> wire::Freeze {
    let Freeze { cause, since, message } = freeze;
    let cause = match cause {
        FreezeCause::MassLoss => wire::FreezeCause::MassLoss,
        FreezeCause::NewerHistory => wire::FreezeCause::NewerHistory,
    };
    wire::Freeze { cause: cause.into(), since_ms: since.0, message: message.to_string() }
}

fn freeze_from_wire(freeze: wire::Freeze) -> Result<Freeze, Invalid> {
    let cause = match known("freeze.cause", freeze.cause)? {
        wire::FreezeCause::MassLoss => FreezeCause::MassLoss,
        wire::FreezeCause::NewerHistory => FreezeCause::NewerHistory,
        wire::FreezeCause::Unspecified => return Err(unknown("freeze.cause", freeze.cause)),
    };
    Ok(Freeze { cause, since: wall(freeze.since_ms), message: freeze.message.into() })
}

pub(super) fn cluster_to_wire(cluster: &ClusterRecord) -> wire::Cluster {
    let ClusterRecord { name, uid, generation, joined, inventoried, traits, taints, cordoned, drain } =
        cluster;
    let Traits { labels, provider, region, zones } = traits;
    wire::Cluster {
        name: name.to_string(),
        uid: uid_to_wire(*uid),
        generation: generation.0,
        joined_ms: joined.0,
        provider: provider.to_string(),
        region: region.to_string(),
        inventoried: *inventoried,
        zones: texts_to_wire(zones),
        labels: labels_to_wire(labels),
        taints: taints.iter().map(taint_to_wire).collect(),
        cordoned: *cordoned,
        drain: drain.as_ref().map(drain_to_wire),
    }
}

pub(super) fn cluster_from_wire(cluster: wire::Cluster) -> Result<ClusterRecord, Invalid> {
    Ok(ClusterRecord {
        name: name("name", &cluster.name)?,
        uid: uid("uid", &cluster.uid)?,
        generation: Generation(cluster.generation),
        joined: wall(cluster.joined_ms),
        inventoried: cluster.inventoried,
        traits: Traits {
            labels: labels(cluster.labels),
            provider: cluster.provider.into(),
            region: cluster.region.into(),
            zones: cluster.zones.into_iter().map(Into::into).collect(),
        },
        taints: cluster.taints.into_iter().map(taint_from_wire).collect::<Result<_, _>>()?,
        cordoned: cluster.cordoned,
        drain: cluster.drain.map(drain_from_wire).transpose()?,
    })
}

fn drain_to_wire(drain: &Drain) -> wire::Drain {
    let Drain { started, deadline, max_surge, force, state } = drain;
    let state = match state {
        DrainState::Running => wire::DrainState::Running,
        DrainState::Paused => wire::DrainState::Paused,
        DrainState::Overdue => wire::DrainState::Overdue,
        DrainState::Done => wire::DrainState::Done,
    };
    wire::Drain {
        started_ms: started.0,
        deadline_ms: deadline.0,
        max_surge: *max_surge,
        force: *force,
        state: state.into(),
    }
}

fn drain_from_wire(drain: wire::Drain) -> Result<Drain, Invalid> {
    let state = match known("drain.state", drain.state)? {
        wire::DrainState::Running => DrainState::Running,
        wire::DrainState::Paused => DrainState::Paused,
        wire::DrainState::Overdue => DrainState::Overdue,
        wire::DrainState::Done => DrainState::Done,
        wire::DrainState::Unspecified => return Err(unknown("drain.state", drain.state)),
    };
    Ok(Drain {
        started: wall(drain.started_ms),
        deadline: wall(drain.deadline_ms),
        max_surge: drain.max_surge,
        force: drain.force,
        state,
    })
}

fn taint_to_wire(taint: &ClusterTaint) -> wire::ClusterTaint {
    let ClusterTaint { taint: Taint { key, value, effect }, added } = taint;
    wire::ClusterTaint {
        key: key.to_string(),
        value: value.to_string(),
        effect: effect_to_wire(*effect).into(),
        added_ms: added.0,
    }
}

fn taint_from_wire(taint: wire::ClusterTaint) -> Result<ClusterTaint, Invalid> {
    Ok(ClusterTaint {
        taint: Taint {
            key: taint.key.into(),
            value: taint.value.into(),
            effect: effect("taints.effect", taint.effect)?,
        },
        added: wall(taint.added_ms),
    })
}

pub(super) fn entry_to_wire(entry: &JournalEntry) -> wire::JournalEntry {
    let JournalEntry { number, at, severity, reason, rule, subject, message } = entry;
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
    })
}
