//! Migrations.

use std::collections::BTreeMap;

use godwit_common::{ClusterName, Epoch, Uid};
use godwit_hub_core::{
    Held, Loss, Migration, MigrationCause, MigrationId, MigrationState, Move, StateRevision,
};
use godwit_proto::store::v1 as wire;

use super::Invalid;
use super::parts::{id, id_to_wire, known, name, uid, uid_to_wire, unknown, wall};
use super::quota::namespace;

pub(super) fn to_wire(migration: &Migration) -> wire::Migration {
    let Migration { id, cause, state, started, since, ready_before, told, loss, inputs, moves, held } =
        migration;
    let (cause, subject, workload) = match cause {
        MigrationCause::ClusterLost(cluster) => (wire::MigrationCause::ClusterLost, cluster.as_str(), None),
        MigrationCause::RoomAppeared(cluster) => (wire::MigrationCause::RoomAppeared, cluster.as_str(), None),
        MigrationCause::PolicyChanged(policy) => (wire::MigrationCause::PolicyChanged, policy.as_str(), None),
        MigrationCause::Rebalance(policy) => (wire::MigrationCause::Rebalance, policy.as_str(), None),
        MigrationCause::ClusterDeleted(cluster) => {
            (wire::MigrationCause::ClusterDeleted, cluster.as_str(), None)
        }
        MigrationCause::ClusterChanged(cluster) => {
            (wire::MigrationCause::ClusterChanged, cluster.as_str(), None)
        }
        MigrationCause::Drained(cluster) => (wire::MigrationCause::Drained, cluster.as_str(), None),
        MigrationCause::Returned(cluster) => (wire::MigrationCause::Returned, cluster.as_str(), None),
        MigrationCause::FailedBack(cluster) => (wire::MigrationCause::FailedBack, cluster.as_str(), None),
        MigrationCause::QuotaFreed(namespace) => (wire::MigrationCause::QuotaFreed, &**namespace, None),
        MigrationCause::Preempted(workload) => (wire::MigrationCause::Preempted, "", Some(workload)),
        MigrationCause::Fenced(cluster) => (wire::MigrationCause::Fenced, cluster.as_str(), None),
        MigrationCause::Affinity(workload) => (wire::MigrationCause::Affinity, "", Some(workload)),
        MigrationCause::Unready(cluster) => (wire::MigrationCause::Unready, cluster.as_str(), None),
        MigrationCause::Unschedulable(cluster) => {
            (wire::MigrationCause::Unschedulable, cluster.as_str(), None)
        }
    };
    let state = match state {
        MigrationState::Running => wire::MigrationState::Running,
        MigrationState::Paused => wire::MigrationState::Paused,
        MigrationState::Cancelled => wire::MigrationState::Cancelled,
        MigrationState::Completed => wire::MigrationState::Completed,
    };
    wire::Migration {
        number: id.0,
        cause: cause.into(),
        subject: subject.to_owned(),
        workload: workload.map(id_to_wire),
        state: state.into(),
        started_ms: started.0,
        since_ms: Some(since.0),
        moves: moves.iter().map(move_to_wire).collect(),
        ready_before: *ready_before,
        told_ms: told.map(|told| told.0),
        loss: loss.as_ref().map(loss_to_wire),
        held: held_to_wire(held),
        inputs_epoch: inputs.epoch.0,
        inputs_event: inputs.event,
    }
}

pub(super) fn from_wire(migration: wire::Migration) -> Result<Migration, Invalid> {
    let subject = &migration.subject;
    let workload = || id("workload", migration.workload.clone());
    let cause = match known("cause", migration.cause)? {
        wire::MigrationCause::ClusterLost => MigrationCause::ClusterLost(name("subject", subject)?),
        wire::MigrationCause::RoomAppeared => MigrationCause::RoomAppeared(name("subject", subject)?),
        wire::MigrationCause::PolicyChanged => MigrationCause::PolicyChanged(name("subject", subject)?),
        wire::MigrationCause::Rebalance => MigrationCause::Rebalance(name("subject", subject)?),
        wire::MigrationCause::ClusterDeleted => MigrationCause::ClusterDeleted(name("subject", subject)?),
        wire::MigrationCause::ClusterChanged => MigrationCause::ClusterChanged(name("subject", subject)?),
        wire::MigrationCause::Drained => MigrationCause::Drained(name("subject", subject)?),
        wire::MigrationCause::Returned => MigrationCause::Returned(name("subject", subject)?),
        wire::MigrationCause::FailedBack => MigrationCause::FailedBack(name("subject", subject)?),
        wire::MigrationCause::QuotaFreed => MigrationCause::QuotaFreed(namespace("subject", subject)?),
        wire::MigrationCause::Preempted => MigrationCause::Preempted(workload()?),
        wire::MigrationCause::Fenced => MigrationCause::Fenced(name("subject", subject)?),
        wire::MigrationCause::Affinity => MigrationCause::Affinity(workload()?),
        wire::MigrationCause::Unready => MigrationCause::Unready(name("subject", subject)?),
        wire::MigrationCause::Unschedulable => MigrationCause::Unschedulable(name("subject", subject)?),
        wire::MigrationCause::Unspecified => return Err(unknown("cause", migration.cause)),
    };
    let state = match known("state", migration.state)? {
        wire::MigrationState::Running => MigrationState::Running,
        wire::MigrationState::Paused => MigrationState::Paused,
        wire::MigrationState::Cancelled => MigrationState::Cancelled,
        wire::MigrationState::Completed => MigrationState::Completed,
        wire::MigrationState::Unspecified => return Err(unknown("state", migration.state)),
    };
    Ok(Migration {
        inputs: StateRevision { epoch: Epoch(migration.inputs_epoch), event: migration.inputs_event },
        id: MigrationId(migration.number),
        cause,
        state,
        started: wall(migration.started_ms),
        since: wall(migration.since_ms.unwrap_or(migration.started_ms)),
        ready_before: migration.ready_before,
        told: migration.told_ms.map(wall),
        loss: migration.loss.map(loss_from_wire),
        moves: migration.moves.into_iter().map(move_from_wire).collect::<Result<_, _>>()?,
        held: held_from_wire(migration.held)?,
    })
}

fn loss_to_wire(loss: &Loss) -> wire::Loss {
    let Loss { heard, suspect, lost } = loss;
    wire::Loss {
        heard_ms: heard.map(|heard| heard.0),
        suspect_ms: suspect.map(|suspect| suspect.0),
        lost_ms: lost.0,
    }
}

fn loss_from_wire(loss: wire::Loss) -> Loss {
    Loss { heard: loss.heard_ms.map(wall), suspect: loss.suspect_ms.map(wall), lost: wall(loss.lost_ms) }
}

fn held_to_wire(held: &BTreeMap<Uid, BTreeMap<ClusterName, Held>>) -> Vec<wire::Held> {
    let of_one = |(workload, places): (&Uid, &BTreeMap<ClusterName, Held>)| {
        let workload = uid_to_wire(*workload);
        let one = |(cluster, held): (&ClusterName, &Held)| wire::Held {
            workload: workload.clone(),
            cluster: cluster.to_string(),
            starts: held.starts,
            stops: held.stops,
        };
        places.iter().map(one).collect::<Vec<_>>()
    };
    held.iter().flat_map(of_one).collect()
}

fn held_from_wire(held: Vec<wire::Held>) -> Result<BTreeMap<Uid, BTreeMap<ClusterName, Held>>, Invalid> {
    let mut all: BTreeMap<Uid, BTreeMap<ClusterName, Held>> = BTreeMap::new();
    for wire::Held { workload, cluster, starts, stops } in held {
        let places = all.entry(uid("held.workload", &workload)?).or_default();
        places.insert(name("held.cluster", &cluster)?, Held { starts, stops });
    }
    Ok(all)
}

fn move_to_wire(moved: &Move) -> wire::Move {
    let Move { workload, id, from, to, replicas } = moved;
    let place = |cluster: &Option<ClusterName>| cluster.as_ref().map(ToString::to_string).unwrap_or_default();
    wire::Move {
        workload: uid_to_wire(*workload),
        id: Some(id_to_wire(id)),
        from: place(from),
        to: place(to),
        replicas: *replicas,
    }
}

fn move_from_wire(moved: wire::Move) -> Result<Move, Invalid> {
    Ok(Move {
        workload: uid("moves.workload", &moved.workload)?,
        id: id("moves.id", moved.id)?,
        from: place("moves.from", &moved.from)?,
        to: place("moves.to", &moved.to)?,
        replicas: moved.replicas,
    })
}

fn place(field: &str, cluster: &str) -> Result<Option<ClusterName>, Invalid> {
    match cluster {
        "" => Ok(None),
        cluster => name(field, cluster).map(Some),
    }
}
