//! The kubelets of all simulated nodes: they start, run and stop pods that have no processes.

mod behaviour;
mod status;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::controllers::engine::{Controller, Queue};
use crate::controllers::{Cluster, unless_gone};
use crate::error::ApiError;
use crate::object::{self, Key, int, text};
use crate::store::{Change, DeleteOptions, PODS, Part};
use behaviour::Behaviour;

/// The annotation that makes a node fail, when it is `"true"`.
pub(crate) const FAIL_ANNOTATION: &str = "kubesim.godwit.dev/fail";

/// The shortest and the longest time between two attempts at something that fails.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LAST_BACKOFF: Duration = Duration::from_secs(30);
/// How long a container that crashes runs before it does.
const CRASH_AFTER: Duration = Duration::from_millis(100);

/// Whether a node was told to fail.
pub(crate) fn is_failing(node: &Value) -> bool {
    node["metadata"]["annotations"][FAIL_ANNOTATION] == "true"
}

/// All kubelets.
#[derive(Debug, Default)]
pub(crate) struct Kubelets {
    /// What is planned for each pod, by UID.
    plans: BTreeMap<String, Plan>,
    addresses: u32,
}

/// What is planned for a pod: every step takes it to the next stage, when its time has come.
#[derive(Debug)]
struct Plan {
    stage: Stage,
    /// When the stage ends.
    due: Instant,
    /// How long the second half of the start takes.
    warm_up: Duration,
    attempts: u32,
    stop_at: Option<Instant>,
    address: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Accepted,
    Creating,
    Running,
    Ready,
    PullFailed,
    PullWaits,
    CrashWaits,
    Ended,
}

impl Controller for Kubelets {
    type Item = Key;

    fn resources(&self) -> &'static [&'static str] {
        &["nodes", PODS]
    }

    fn observe(&mut self, cluster: &Cluster, change: &Change, queue: &mut Queue<Key>) {
        if *change.resource == *PODS {
            if change.removed {
                self.plans.remove(object::uid(&change.after));
            } else if !text(&change.after["spec"]["nodeName"]).is_empty() {
                queue.add(change.key.clone());
            }
            return;
        }
        let failed_before = change.before.as_ref().is_some_and(|node| is_failing(node));
        if failed_before && !is_failing(&change.after) {
            for pod in cluster.store.pods_on(&change.key.name) {
                queue.add(Key::of(&pod));
            }
        }
    }

    fn reconcile(&mut self, cluster: &Cluster, key: &Key) -> Result<Option<Duration>, ApiError> {
        let Some(pod) = cluster.store.get(PODS, key) else {
            return Ok(None);
        };
        let node_name = text(&pod["spec"]["nodeName"]);
        let node = cluster.store.get("nodes", &Key::new("", node_name));
        let Some(node) = node.filter(|node| !is_failing(node)) else {
            return Ok(None);
        };
        let plan = match self.plans.get_mut(object::uid(&pod)) {
            Some(plan) => plan,
            None => {
                self.addresses += 1;
                let plan = Plan::new(cluster, self.addresses);
                self.plans.entry(object::uid(&pod).to_owned()).or_insert(plan)
            }
        };
        if object::deleting(&pod) {
            return stop(cluster, plan, &pod);
        }
        let until_due = plan.due.saturating_duration_since(Instant::now());
        if !until_due.is_zero() {
            return Ok(Some(until_due));
        }
        let next = plan.advance(cluster, &pod);
        if next.is_some() || plan.stage == Stage::Ready || plan.stage == Stage::Ended {
            let view = status::View {
                stage: plan.stage,
                attempts: plan.attempts,
                address: &plan.address,
                host: text(&node["status"]["addresses"][0]["address"]),
            };
            let kind = cluster.kind(PODS)?;
            unless_gone(
                cluster.store.modify(&kind, key, Part::Status, false, |pod| Ok(status::write(pod, &view))),
            )?;
        }
        Ok(next)
    }
}

impl Plan {
    fn new(cluster: &Cluster, number: u32) -> Self {
        let timing = &cluster.timing;
        let spread = timing.startup_max.saturating_sub(timing.startup_min);
        let spread = u64::try_from(spread.as_millis()).unwrap_or(0);
        let delay =
            timing.startup_min + Duration::from_millis(cluster.store.random(spread.saturating_add(1)));
        let [_, a, b, c] = number.to_be_bytes();
        Self {
            stage: Stage::Accepted,
            due: Instant::now(),
            warm_up: delay / 2,
            attempts: 0,
            stop_at: None,
            address: format!("10.{}.{b}.{c}", 128 + (a & 0x7f)),
        }
    }

    /// Takes the pod to its next stage. Returns how long that lasts; nothing when it lasts until something happens.
    fn advance(&mut self, cluster: &Cluster, pod: &Value) -> Option<Duration> {
        let behaviour = Behaviour::of(pod);
        let keeps_running = text(&pod["spec"]["restartPolicy"]) == "Always";
        let (stage, lasts) = match (self.stage, behaviour) {
            (Stage::Accepted, _) => (Stage::Creating, Some(self.warm_up)),
            (Stage::Creating | Stage::PullWaits, Behaviour::BadImage) => {
                (Stage::PullFailed, Some(FIRST_BACKOFF))
            }
            (Stage::PullFailed, _) => (Stage::PullWaits, Some(self.back_off())),
            (Stage::Creating | Stage::PullWaits, Behaviour::CrashLoop) => (Stage::Running, Some(CRASH_AFTER)),
            (Stage::Creating | Stage::PullWaits, Behaviour::Good | Behaviour::NeverReady) => {
                (Stage::Running, Some(self.warm_up))
            }
            (Stage::Running, Behaviour::CrashLoop) if text(&pod["spec"]["restartPolicy"]) == "Never" => {
                (Stage::Ended, None)
            }
            (Stage::Running, Behaviour::CrashLoop) => (Stage::CrashWaits, Some(self.back_off())),
            (Stage::CrashWaits, _) => (Stage::Running, Some(CRASH_AFTER)),
            (Stage::Running, Behaviour::NeverReady) => (Stage::Running, None),
            (Stage::Running, Behaviour::Good | Behaviour::BadImage) if keeps_running => (Stage::Ready, None),
            (Stage::Running, Behaviour::Good | Behaviour::BadImage) => {
                (Stage::Ready, Some(cluster.timing.run))
            }
            (Stage::Ready, _) if keeps_running => (Stage::Ready, None),
            (Stage::Ready | Stage::Ended, _) => (Stage::Ended, None),
        };
        self.stage = stage;
        self.due = Instant::now() + lasts.unwrap_or_default();
        lasts
    }

    fn back_off(&mut self) -> Duration {
        let wait = FIRST_BACKOFF.saturating_mul(1 << self.attempts.min(16)).min(LAST_BACKOFF);
        self.attempts += 1;
        wait
    }
}

/// Lets a pod go when it has had its time.
fn stop(cluster: &Cluster, plan: &mut Plan, pod: &Value) -> Result<Option<Duration>, ApiError> {
    let grace = int(&pod["metadata"]["deletionGracePeriodSeconds"], 0).max(0);
    let time = Duration::from_secs(grace.unsigned_abs()).min(cluster.timing.termination);
    let now = Instant::now();
    let stop_at = plan.stop_at.map_or(now + time, |planned| planned.min(now + time));
    plan.stop_at = Some(stop_at);
    if now < stop_at {
        return Ok(Some(stop_at - now));
    }
    let kind = cluster.kind(PODS)?;
    let options = DeleteOptions { uid: Some(object::uid(pod).to_owned()), ..DeleteOptions::now() };
    match cluster.store.delete(&kind, &Key::of(pod), &options) {
        Err(error) if error.code == 409 => Ok(None),
        result => unless_gone(result).map(|()| None),
    }
}
