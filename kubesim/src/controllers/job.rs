//! Jobs: pods that run until enough of them succeeded.

use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::engine::{Controller, Queue};
use super::replicaset::queue_controller;
use super::{Cluster, pods, unless_gone};
use crate::error::ApiError;
use crate::object::{self, Key, condition_true, int, set, set_condition, set_default, text};
use crate::store::{Change, DeleteOptions, PODS, Part};

/// The resource.
pub(crate) const RESOURCE: &str = "jobs.batch";
const SOURCE: &str = "job-controller";

/// The controller of jobs.
#[derive(Debug, Default)]
pub(crate) struct Jobs;

impl Controller for Jobs {
    type Item = Key;

    fn resources(&self) -> &'static [&'static str] {
        &[RESOURCE, PODS]
    }

    fn observe(&mut self, _: &Cluster, change: &Change, queue: &mut Queue<Key>) {
        if *change.resource == *RESOURCE {
            queue.add(change.key.clone());
        } else {
            queue_controller(change, "Job", queue);
        }
    }

    fn reconcile(&mut self, cluster: &Cluster, key: &Key) -> Result<Option<Duration>, ApiError> {
        let Some(job) = cluster.store.get(RESOURCE, key) else {
            return Ok(None);
        };
        if object::deleting(&job) {
            return Ok(None);
        }
        if condition_true(&job, "Complete") || condition_true(&job, "Failed") {
            return forget(cluster, &job);
        }
        if needs_selector(&job) {
            return select_own(cluster, &job).map(|()| None);
        }
        step(cluster, &job).map(|()| None)
    }
}

fn needs_selector(job: &Value) -> bool {
    job["spec"]["selector"].is_null()
}

/// Gives the job the selector and the labels by which its pods are told from those of others.
fn select_own(cluster: &Cluster, job: &Value) -> Result<(), ApiError> {
    let kind = cluster.kind(RESOURCE)?;
    unless_gone(cluster.store.modify(&kind, &Key::of(job), Part::Main, false, |current| {
        let mut new = current.clone();
        let (name, uid) = (object::name(current).to_owned(), object::uid(current).to_owned());
        set(&mut new, &["spec", "selector", "matchLabels", "batch.kubernetes.io/controller-uid"], json!(uid));
        for prefix in ["batch.kubernetes.io/", ""] {
            let labels = ["spec", "template", "metadata", "labels"];
            for (label, value) in [("controller-uid", &uid), ("job-name", &name)] {
                let label = format!("{prefix}{label}");
                set(&mut new, &[labels[0], labels[1], labels[2], labels[3], &label], json!(value));
            }
        }
        Ok(new)
    }))
}

fn step(cluster: &Cluster, job: &Value) -> Result<(), ApiError> {
    let spec = &job["spec"];
    let all = pods::controlled(cluster, job);
    let in_phase = |phase: &str| all.iter().filter(|pod| text(&pod["status"]["phase"]) == phase).count();
    let (succeeded, failed) = (count(in_phase("Succeeded")), count(in_phase("Failed")));
    let active: Vec<_> = all.iter().filter(|pod| pods::is_active(pod)).collect();
    let wanted = int(&spec["completions"], 1);
    let is_done = succeeded >= wanted;
    let has_failed = failed > int(&spec["backoffLimit"], 6);
    let suspended = spec["suspend"] == json!(true);
    let mut running = count(active.len());
    if is_done || has_failed || suspended {
        for pod in active {
            pods::delete(cluster, job, pod, SOURCE)?;
        }
        running = 0;
    } else {
        let room = int(&spec["parallelism"], 1).min(wanted - succeeded) - running;
        for _ in 0..room {
            pods::create(cluster, job, pods::from_template(job, &spec["template"]), SOURCE)?;
            running += 1;
        }
    }
    let ready = count(all.iter().filter(|pod| pods::is_ready(pod)).count());
    let kind = cluster.kind(RESOURCE)?;
    unless_gone(cluster.store.modify(&kind, &Key::of(job), Part::Status, false, |current| {
        let mut new = current.clone();
        if !suspended {
            set_default(&mut new, &["status", "startTime"], json!(object::now_text()));
        }
        for (field, number) in
            [("active", running), ("succeeded", succeeded), ("failed", failed), ("ready", ready)]
        {
            set(&mut new, &["status", field], json!(number));
        }
        if is_done {
            set_condition(
                &mut new,
                "SuccessCriteriaMet",
                "True",
                "CompletionsReached",
                "Reached expected number of succeeded pods",
            );
            set_condition(
                &mut new,
                "Complete",
                "True",
                "CompletionsReached",
                "Reached expected number of succeeded pods",
            );
            set_default(&mut new, &["status", "completionTime"], json!(object::now_text()));
        } else if has_failed {
            set_condition(
                &mut new,
                "Failed",
                "True",
                "BackoffLimitExceeded",
                "Job has reached the specified backoff limit",
            );
        } else if suspended {
            set_condition(&mut new, "Suspended", "True", "JobSuspended", "Job suspended");
        } else if condition_true(current, "Suspended") {
            set_condition(&mut new, "Suspended", "False", "JobResumed", "Job resumed");
        }
        Ok(new)
    }))
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Deletes a finished job when its time is over.
fn forget(cluster: &Cluster, job: &Value) -> Result<Option<Duration>, ApiError> {
    let Some(seconds) = job["spec"]["ttlSecondsAfterFinished"].as_i64() else {
        return Ok(None);
    };
    let ended = text(&job["status"]["completionTime"]);
    let ended = object::parse_time(ended).unwrap_or_else(OffsetDateTime::now_utc);
    let left = time::Duration::seconds(seconds) - (OffsetDateTime::now_utc() - ended);
    if left.is_positive() {
        return Ok(Some(left.try_into().unwrap_or_default()));
    }
    let kind = cluster.kind(RESOURCE)?;
    unless_gone(cluster.store.delete(&kind, &Key::of(job), &DeleteOptions::default())).map(|()| None)
}
