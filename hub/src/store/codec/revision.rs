//! Revisions of workloads, and how far the newest is.

use std::collections::BTreeMap;

use godwit_hub_core::{Revision, RevisionState, Rollout, RolloutState};
use godwit_proto::store::v1 as wire;

use super::Invalid;
use super::parts::{known, needed, uid, uid_to_wire, unknown, wall};
use super::workload::{spec_from_wire, spec_to_wire};

pub(super) fn to_wire(revision: &Revision) -> wire::Revision {
    let Revision { workload, number, spec, objects, created, by } = revision;
    wire::Revision {
        workload: uid_to_wire(*workload),
        number: *number,
        spec: Some(spec_to_wire(spec)),
        created_ms: created.0,
        by: by.to_string(),
        objects: objects.iter().copied().map(uid_to_wire).collect(),
    }
}

pub(super) fn from_wire(revision: wire::Revision) -> Result<Revision, Invalid> {
    let objects = revision.objects.iter();
    Ok(Revision {
        workload: uid("workload", &revision.workload)?,
        number: revision.number,
        spec: spec_from_wire(needed("spec", revision.spec)?)?,
        created: wall(revision.created_ms),
        by: revision.by.into(),
        objects: objects.map(|object| uid("objects", object)).collect::<Result<_, _>>()?,
    })
}

pub(super) fn history_to_wire(history: &BTreeMap<u64, RevisionState>) -> BTreeMap<u64, i32> {
    let state = |state: &RevisionState| match state {
        RevisionState::New => wire::RevisionState::New,
        RevisionState::Proven => wire::RevisionState::Proven,
        RevisionState::Failed => wire::RevisionState::Failed,
    };
    history.iter().map(|(number, known)| (*number, state(known).into())).collect()
}

pub(super) fn history_from_wire(
    history: &BTreeMap<u64, i32>,
) -> Result<BTreeMap<u64, RevisionState>, Invalid> {
    let state = |state: i32| match known("history", state)? {
        wire::RevisionState::New => Ok(RevisionState::New),
        wire::RevisionState::Proven => Ok(RevisionState::Proven),
        wire::RevisionState::Failed => Ok(RevisionState::Failed),
        wire::RevisionState::Unspecified => Err(unknown("history", state)),
    };
    history.iter().map(|(number, known)| Ok((*number, state(*known)?))).collect()
}

pub(super) fn rollout_to_wire(rollout: &Rollout) -> wire::Rollout {
    let Rollout { started, state, message, held, instead_of } = rollout;
    let state = match state {
        RolloutState::Running => wire::RolloutState::Running,
        RolloutState::Paused => wire::RolloutState::Paused,
        RolloutState::PausedAfterFirst => wire::RolloutState::PausedAfterFirst,
        RolloutState::Failed => wire::RolloutState::Failed,
        RolloutState::Completed => wire::RolloutState::Completed,
    };
    wire::Rollout {
        started_ms: started.0,
        state: state.into(),
        message: message.to_string(),
        held: *held,
        instead_of: *instead_of,
    }
}

pub(super) fn rollout_from_wire(rollout: wire::Rollout) -> Result<Rollout, Invalid> {
    let state = match known("rollout.state", rollout.state)? {
        wire::RolloutState::Running => RolloutState::Running,
        wire::RolloutState::Paused => RolloutState::Paused,
        wire::RolloutState::PausedAfterFirst => RolloutState::PausedAfterFirst,
        wire::RolloutState::Failed => RolloutState::Failed,
        wire::RolloutState::Completed => RolloutState::Completed,
        wire::RolloutState::Unspecified => return Err(unknown("rollout.state", rollout.state)),
    };
    Ok(Rollout {
        started: wall(rollout.started_ms),
        state,
        message: rollout.message.into(),
        held: rollout.held,
        instead_of: rollout.instead_of,
    })
}
