//! Migrations.

use godwit_common::ClusterName;
use godwit_hub_core::{ArrivalView, Migration, MigrationCause, MigrationState, MigrationView, Move};
use godwit_proto::v1;

use super::timestamp;

pub(in crate::admin) fn migration(view: &MigrationView) -> v1::Migration {
    let MigrationView {
        migration,
        state,
        halted,
        replicas,
        replicas_ready,
        workloads,
        workloads_ready,
        estimated_end,
        waiting,
    } = view;
    let Migration {
        id,
        cause,
        state: _, // As it is shown.
        started,
        since: _, // When it was paused or resumed, the journal says.
        ready_before: _,
        told: _, // In the timeline, as is the loss.
        loss: _,
        inputs,
        moves,
        held: _, // In what it waits for.
    } = migration;
    let (cause, cluster, message) = told(cause);
    v1::Migration {
        id: id.to_string(),
        inputs: inputs.to_string(),
        cause: cause.to_owned(),
        cluster: cluster.map(ToString::to_string).unwrap_or_default(),
        state: state.as_str().to_owned(),
        started: Some(timestamp(*started)),
        completed: migration.completed().map(timestamp),
        replicas: *replicas,
        replicas_ready: *replicas_ready,
        moves: moves.iter().map(moved).collect(),
        message,
        workloads: *workloads,
        workloads_ready: *workloads_ready,
        estimated_end: estimated_end.map(timestamp),
        halted: halted.clone(),
        waiting: waiting.iter().map(arrival).collect(),
        timeline: timeline(migration),
    }
}

/// The name of a cause, by which migrations are listed.
pub(in crate::admin) fn cause_of(migration: &Migration) -> (&'static str, Option<&ClusterName>) {
    let (cause, cluster, _) = told(&migration.cause);
    (cause, cluster)
}

fn arrival(view: &ArrivalView) -> v1::Arrival {
    let ArrivalView { id, cluster, missing, reason } = view;
    v1::Arrival {
        namespace: id.namespace.to_string(),
        kind: id.kind.to_string(),
        name: id.name.to_string(),
        cluster: cluster.to_string(),
        missing: *missing,
        reason: reason.to_string(),
    }
}

/// What happened when, as far as it is known.
fn timeline(migration: &Migration) -> Vec<v1::Milestone> {
    let ready = migration.completed().filter(|_| migration.state == MigrationState::Completed);
    let loss = migration.loss.as_ref();
    let milestones = [
        ("LastHeard", loss.and_then(|loss| loss.heard)),
        ("Suspect", loss.and_then(|loss| loss.suspect)),
        ("Lost", loss.map(|loss| loss.lost)),
        ("TargetsSent", migration.told),
        ("Ready", ready),
    ];
    let known = milestones.into_iter().filter_map(|(what, time)| Some((what, time?)));
    known.map(|(what, time)| v1::Milestone { what: what.to_owned(), time: Some(timestamp(time)) }).collect()
}

/// A cause in one word, its cluster, and a sentence for people.
fn told(cause: &MigrationCause) -> (&'static str, Option<&ClusterName>, String) {
    match cause {
        MigrationCause::ClusterLost(cluster) => {
            let message = format!("cluster {cluster} was lost: its replicas are replaced elsewhere");
            ("ClusterLost", Some(cluster), message)
        }
        MigrationCause::RoomAppeared(cluster) => {
            let message = format!("room appeared in cluster {cluster} for pending replicas");
            ("Capacity", Some(cluster), message)
        }
        MigrationCause::PolicyChanged(policy) => {
            let message = format!("policy {policy} changed");
            ("PolicyChange", None, message)
        }
        MigrationCause::Rebalance(policy) => {
            let message = format!("policy {policy} moves replicas towards its own division");
            ("Rebalance", None, message)
        }
        MigrationCause::ClusterDeleted(cluster) => {
            let message = format!("cluster {cluster} was deleted from the federation");
            ("ClusterDeleted", Some(cluster), message)
        }
        MigrationCause::ClusterChanged(cluster) => {
            let message = format!(
                "the labels or taints of cluster {cluster} changed, or a toleration of its taints ran out"
            );
            ("ClusterChange", Some(cluster), message)
        }
        MigrationCause::Drained(cluster) => {
            let message = format!("cluster {cluster} is drained");
            ("Drain", Some(cluster), message)
        }
        MigrationCause::Returned(cluster) => {
            let message = format!("cluster {cluster} has returned: its copies stay, their replacements go");
            ("Return", Some(cluster), message)
        }
        MigrationCause::FailedBack(cluster) => {
            let message = format!("replicas go back to cluster {cluster}");
            ("FailBack", Some(cluster), message)
        }
        MigrationCause::QuotaFreed(namespace) => {
            let message = format!("the quota of namespace {namespace} lets more be placed");
            ("Quota", None, message)
        }
        MigrationCause::Preempted(workload) => {
            let message = format!("{workload} has a higher priority and found no room");
            ("Preemption", None, message)
        }
        MigrationCause::Fenced(cluster) => {
            let message = format!("what cluster {cluster} may still have run is accounted for");
            ("Fence", Some(cluster), message)
        }
        MigrationCause::Affinity(workload) => {
            let message = format!("{workload} moved, which others have to be with, or away from");
            ("Affinity", None, message)
        }
        MigrationCause::Unready(cluster) => {
            let message = format!("replicas in cluster {cluster} did not get ready");
            ("Unready", Some(cluster), message)
        }
        MigrationCause::Unschedulable(cluster) => {
            let message = format!("cluster {cluster} could not schedule replicas");
            ("Unschedulable", Some(cluster), message)
        }
    }
}

fn moved(moved: &Move) -> v1::Move {
    let Move {
        workload: _, // The life; people know it by name.
        id,
        from,
        to,
        replicas,
    } = moved;
    let place = |cluster: &Option<ClusterName>| cluster.as_ref().map(ToString::to_string).unwrap_or_default();
    v1::Move {
        namespace: id.namespace.to_string(),
        kind: id.kind.to_string(),
        name: id.name.to_string(),
        from: place(from),
        to: place(to),
        replicas: *replicas,
    }
}
