//! What a deployment's status says of its rollout.

use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::deployment::{RESOURCE, Rollout, spec_replicas};
use super::unless_gone;
use crate::error::ApiError;
use crate::object::{self, Key, condition, int, set, text};
use crate::store::Part;

/// Writes the status. Returns when the rollout's deadline is to be looked at again.
pub(super) fn write(rollout: &Rollout) -> Result<Option<Duration>, ApiError> {
    let sum = |field: &str| -> i64 { rollout.sets().map(|set| int(&set["status"][field], 0)).sum() };
    let total: i64 = rollout.sets().map(|set| spec_replicas(set)).sum();
    let counts = Counts {
        replicas: sum("replicas"),
        updated: rollout.new.as_ref().map_or(0, |new| int(&new["status"]["replicas"], 0)),
        ready: sum("readyReplicas"),
        available: sum("availableReplicas"),
        unavailable: (total - sum("availableReplicas")).max(0),
    };
    let kind = rollout.cluster.kind(RESOURCE)?;
    let mut again = None;
    let key = Key::of(rollout.deployment);
    let generation = rollout.deployment["metadata"]["generation"].clone();
    let written = rollout.cluster.store.modify(&kind, &key, Part::Status, false, |current| {
        let mut new = current.clone();
        let moved = counts.write(&mut new);
        set(&mut new, &["status", "observedGeneration"], generation);
        availability(rollout, &counts, &mut new);
        again = progress(rollout, &counts, moved, &mut new);
        Ok(new)
    });
    unless_gone(written)?;
    Ok(again)
}

struct Counts {
    replicas: i64,
    updated: i64,
    ready: i64,
    available: i64,
    unavailable: i64,
}

impl Counts {
    /// Writes the counts; those that are zero are left out, as the real API does. Returns whether any changed.
    fn write(&self, deployment: &mut Value) -> bool {
        let mut changed = false;
        for (field, count) in [
            ("replicas", self.replicas),
            ("updatedReplicas", self.updated),
            ("readyReplicas", self.ready),
            ("availableReplicas", self.available),
            ("unavailableReplicas", self.unavailable),
        ] {
            changed |= int(&deployment["status"][field], 0) != count;
            if count == 0 {
                object::unset(deployment, &["status", field]);
            } else {
                set(deployment, &["status", field], json!(count));
            }
        }
        changed
    }
}

fn availability(rollout: &Rollout, counts: &Counts, deployment: &mut Value) {
    let enough = counts.available >= rollout.wanted() - rollout.bounds().1;
    if enough {
        let message = "Deployment has minimum availability.";
        mark(deployment, "Available", "True", "MinimumReplicasAvailable", message);
    } else {
        let message = "Deployment does not have minimum availability.";
        mark(deployment, "Available", "False", "MinimumReplicasUnavailable", message);
    }
}

/// Judges the progress; `moved` says that there was some just now.
fn progress(rollout: &Rollout, counts: &Counts, moved: bool, deployment: &mut Value) -> Option<Duration> {
    let wanted = rollout.wanted();
    let name = rollout.new.as_ref().map_or("", |new| object::name(new)).to_owned();
    if rollout.deployment["spec"]["paused"] == json!(true) {
        mark(deployment, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused");
        return None;
    }
    if counts.updated == wanted && counts.replicas == wanted && counts.available == wanted {
        let message = format!("ReplicaSet \"{name}\" has successfully progressed.");
        mark(deployment, "Progressing", "True", "NewReplicaSetAvailable", &message);
        return None;
    }
    let seconds = int(&deployment["spec"]["progressDeadlineSeconds"], 600).max(0);
    let deadline = Duration::from_secs(seconds.unsigned_abs());
    let progressing = condition(deployment, "Progressing").cloned().unwrap_or_default();
    let since = object::parse_time(text(&progressing["lastUpdateTime"]));
    let waited = since.map_or(Duration::ZERO, |since| {
        Duration::try_from(OffsetDateTime::now_utc() - since).unwrap_or_default()
    });
    let done_before = progressing["reason"] == "NewReplicaSetAvailable" && counts.updated == wanted;
    if done_before {
        // A pod that fails after the rollout is a matter of availability, not of progress.
        return None;
    }
    // Once it is over it stays so until something moves.
    let is_over = progressing["reason"] == "ProgressDeadlineExceeded";
    if !moved && (is_over || since.is_some() && waited >= deadline) {
        let message = format!("ReplicaSet \"{name}\" has timed out progressing.");
        mark(deployment, "Progressing", "False", "ProgressDeadlineExceeded", &message);
        return None;
    }
    let message = format!("ReplicaSet \"{name}\" is progressing.");
    mark(deployment, "Progressing", "True", "ReplicaSetUpdated", &message);
    if moved {
        touch(deployment, "Progressing");
    }
    Some(deadline.saturating_sub(if moved { Duration::ZERO } else { waited }) + Duration::from_secs(1))
}

fn mark(deployment: &mut Value, kind: &str, status: &str, reason: &str, message: &str) {
    if object::set_condition(deployment, kind, status, reason, message) {
        touch(deployment, kind);
    }
}

fn touch(deployment: &mut Value, kind: &str) {
    let list = deployment["status"]["conditions"].as_array_mut().into_iter().flatten();
    for found in list.filter(|found| found["type"] == kind) {
        set(found, &["lastUpdateTime"], json!(object::now_text()));
    }
}
