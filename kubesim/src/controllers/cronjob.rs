//! Cron jobs: a job at each time that a schedule names.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::engine::{Controller, Queue};
use super::replicaset::queue_controller;
use super::{Cluster, unless_gone};
use crate::error::ApiError;
use crate::object::{self, Key, condition_true, controller_of, int, set, text};
use crate::store::{Change, DeleteOptions, Part};

/// The resource.
pub(crate) const RESOURCE: &str = "cronjobs.batch";
const JOBS: &str = super::job::RESOURCE;
const SOURCE: &str = "cronjob-controller";
const MINUTE: i64 = 60;
/// How far back a missed time is looked for.
const MISSED_MAX: i64 = 24 * 60;

/// The controller of cron jobs.
#[derive(Debug, Default)]
pub(crate) struct CronJobs;

impl Controller for CronJobs {
    type Item = Key;

    fn resources(&self) -> &'static [&'static str] {
        &[RESOURCE, JOBS]
    }

    fn observe(&mut self, _: &Cluster, change: &Change, queue: &mut Queue<Key>) {
        if *change.resource == *RESOURCE {
            queue.add(change.key.clone());
        } else {
            queue_controller(change, "CronJob", queue);
        }
    }

    fn reconcile(&mut self, cluster: &Cluster, key: &Key) -> Result<Option<Duration>, ApiError> {
        let Some(owner) = cluster.store.get(RESOURCE, key) else {
            return Ok(None);
        };
        if object::deleting(&owner) {
            return Ok(None);
        }
        let uid = object::uid(&owner);
        let mut jobs = cluster.store.owned(uid, JOBS);
        jobs.retain(|job| controller_of(job).is_some_and(|controller| text(&controller["uid"]) == uid));
        forget_old(cluster, &owner, &jobs)?;
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let due = due(&owner, now).filter(|_| owner["spec"]["suspend"] != json!(true));
        let started = match due {
            Some(at) => start(cluster, &owner, &jobs, at)?,
            None => false,
        };
        status(cluster, &owner, &jobs, due.filter(|_| started))?;
        let next = MINUTE - now.rem_euclid(MINUTE);
        Ok(Some(Duration::from_secs(u64::try_from(next).unwrap_or(1))))
    }
}

/// The last time that the schedule names and that has not had its job; a cron job that was suspended meanwhile has missed
/// it, and makes up for it unless its deadline has passed, as the real controller does.
fn due(owner: &Value, now: i64) -> Option<i64> {
    let fields: Vec<&str> = text(&owner["spec"]["schedule"]).split_whitespace().collect();
    let since = |field: &Value| object::parse_time(text(field)).map(OffsetDateTime::unix_timestamp);
    let last =
        since(&owner["status"]["lastScheduleTime"]).or(since(&owner["metadata"]["creationTimestamp"]))?;
    let last = last.max(now - MISSED_MAX * MINUTE);
    let last = match owner["spec"]["startingDeadlineSeconds"].as_i64() {
        Some(deadline) => last.max(now - deadline - 1),
        None => last,
    };
    let this_minute = now - now.rem_euclid(MINUTE);
    let minutes = (0..=MISSED_MAX).map(|back| this_minute - back * MINUTE).take_while(|at| *at > last);
    minutes.into_iter().find(|at| names(&fields, *at))
}

/// Whether the five fields of a schedule name a minute.
fn names(fields: &[&str], at: i64) -> bool {
    let Ok(at) = OffsetDateTime::from_unix_timestamp(at) else { return false };
    let [minute, hour, day, month, weekday] = fields else { return false };
    let in_month = u8::from(at.month());
    let of_week = at.weekday().number_days_from_sunday();
    field_names(minute, at.minute(), 59)
        && field_names(hour, at.hour(), 23)
        && field_names(day, at.day(), 31)
        && field_names(month, in_month, 12)
        && (field_names(weekday, of_week, 6) || (of_week == 0 && field_names(weekday, 7, 7)))
}

/// Whether a field names a number: lists of `*`, `a`, `a-b`, each with a step.
fn field_names(field: &str, number: u8, last: u8) -> bool {
    field.split(',').any(|part| {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let step: u8 = step.parse().unwrap_or(1).max(1);
        let (from, to) = match (range, range.split_once('-')) {
            ("*", _) => (0, last),
            (_, Some((from, to))) => (from.parse().unwrap_or(u8::MAX), to.parse().unwrap_or(0)),
            (one, None) => {
                let one = one.parse().unwrap_or(u8::MAX);
                (one, if part.contains('/') { last } else { one })
            }
        };
        (from..=to).contains(&number) && (number - from).is_multiple_of(step)
    })
}

fn is_finished(job: &Value) -> bool {
    condition_true(job, "Complete") || condition_true(job, "Failed")
}

/// Makes the job of a time, unless those before it forbid that; false if they do.
fn start(cluster: &Cluster, owner: &Value, jobs: &[Arc<Value>], at: i64) -> Result<bool, ApiError> {
    let spec = &owner["spec"];
    let active: Vec<&Arc<Value>> = jobs.iter().filter(|job| !is_finished(job)).collect();
    match text(&spec["concurrencyPolicy"]) {
        "Forbid" if !active.is_empty() => return Ok(false),
        "Replace" => active.into_iter().try_for_each(|job| delete(cluster, job))?,
        _ => {}
    }
    let name = format!("{}-{}", object::name(owner), at / MINUTE);
    let mut job = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "namespace": object::namespace(owner),
            "name": name,
            "ownerReferences": [object::controller_ref(owner)],
        },
        "spec": spec["jobTemplate"]["spec"],
    });
    for field in ["labels", "annotations"] {
        let value = &spec["jobTemplate"]["metadata"][field];
        if !value.is_null() {
            set(&mut job, &["metadata", field], value.clone());
        }
    }
    let kind = cluster.kind(JOBS)?;
    match cluster.store.create(&kind, job, false) {
        Err(error) if error.reason != "AlreadyExists" => return Err(error),
        _ => cluster.event(owner, "Normal", "SuccessfulCreate", &format!("Created job {name}"), SOURCE),
    }
    Ok(true)
}

fn delete(cluster: &Cluster, job: &Value) -> Result<(), ApiError> {
    let kind = cluster.kind(JOBS)?;
    unless_gone(cluster.store.delete(&kind, &Key::of(job), &DeleteOptions::default()).map(drop))
}

/// Deletes finished jobs beyond those that are kept, the oldest first.
fn forget_old(cluster: &Cluster, owner: &Value, jobs: &[Arc<Value>]) -> Result<(), ApiError> {
    for (condition, field, kept) in
        [("Complete", "successfulJobsHistoryLimit", 3), ("Failed", "failedJobsHistoryLimit", 1)]
    {
        let mut of_it: Vec<&Arc<Value>> = jobs.iter().filter(|job| condition_true(job, condition)).collect();
        of_it.sort_by_key(|job| text(&job["metadata"]["creationTimestamp"]).to_owned());
        let kept = usize::try_from(int(&owner["spec"][field], kept)).unwrap_or(0);
        let surplus = of_it.len().saturating_sub(kept);
        of_it.into_iter().take(surplus).try_for_each(|job| delete(cluster, job))?;
    }
    Ok(())
}

fn status(cluster: &Cluster, owner: &Value, jobs: &[Arc<Value>], at: Option<i64>) -> Result<(), ApiError> {
    let active = jobs.iter().filter(|job| !is_finished(job)).map(|job| {
        json!({"apiVersion": "batch/v1", "kind": "Job", "name": object::name(job), "uid": object::uid(job),
            "namespace": object::namespace(job)})
    });
    let active: Vec<Value> = active.collect();
    let at = at.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
    let kind = cluster.kind(RESOURCE)?;
    unless_gone(cluster.store.modify(&kind, &Key::of(owner), Part::Status, false, |current| {
        let mut new = current.clone();
        set(&mut new, &["status", "active"], Value::Array(active));
        if let Some(at) = at {
            set(&mut new, &["status", "lastScheduleTime"], json!(object::time_text(at)));
        }
        Ok(new)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_names_its_minutes() {
        // Thursday, 2026-01-01 03:30 UTC.
        let at = 1_767_238_200;
        let names = |schedule: &str| names(&schedule.split_whitespace().collect::<Vec<_>>(), at);
        for schedule in
            ["* * * * *", "30 3 * * *", "*/15 * 1 1 4", "0,30 2-4 * * *", "10/20 * * * *", "* * * * 1-5"]
        {
            assert!(names(schedule), "{schedule}");
        }
        for schedule in ["31 3 * * *", "*/7 * * * *", "30 3 * * 0", "30 3 2 * *", "30 3 * *", "x * * * *"] {
            assert!(!names(schedule), "{schedule}");
        }
    }

    #[test]
    fn a_missed_time_is_made_up_for_until_its_deadline() {
        let now = 1_767_238_230;
        let owner = |deadline: Value| {
            json!({"metadata": {"creationTimestamp": "2026-01-01T03:00:10Z"},
                "spec": {"schedule": "20 * * * *", "startingDeadlineSeconds": deadline}})
        };
        assert_eq!(due(&owner(Value::Null), now), Some(1_767_237_600));
        assert_eq!(due(&owner(json!(60)), now), None);
        let mut done = owner(Value::Null);
        set(&mut done, &["status", "lastScheduleTime"], json!("2026-01-01T03:20:00Z"));
        assert_eq!(due(&done, now), None);
    }
}
