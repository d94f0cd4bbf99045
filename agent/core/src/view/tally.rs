//! The sums of one workload's pods.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use godwit_common::Time;

use super::pods::Pod;
use crate::{Fault, PodPhase};

/// The pods of one workload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    /// All, ended ones included: what a removal waits for.
    pub(crate) exist: u32,
    /// Not ended.
    pub(crate) pods: u32,
    pub(crate) bound: u32,
    pub(crate) ready: u32,
    pub(crate) unschedulable: u32,
    /// Not ready through a fault of the application (S3).
    pub(crate) failing: u32,
    /// Not ready through a fault of their node or of the cluster (S3).
    pub(crate) stranded: u32,
    pub(crate) terminating: u32,
    /// Since when the ready ones are, and how many of them since the same moment.
    ready_since: BTreeMap<Since, u32>,
    pub(crate) supervised: u32,
    problems: BTreeMap<Arc<str>, u32>,
}

/// A moment on the agent's own clock, in milliseconds. Below zero it is before the clock began: pods outlive agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Since(i64);

impl Tally {
    pub(crate) fn problem(&self) -> Option<&Arc<str>> {
        self.problems.keys().next()
    }

    /// For how long the youngest of the ready ones has been ready.
    pub(crate) fn ready_for(&self, now: Time) -> Duration {
        self.ready_since.last_key_value().map_or(Duration::ZERO, |(since, _)| since.until(now))
    }

    /// Adds or takes away a pod, whose node is down or is not.
    pub(super) fn count(&mut self, Pod { seen: pod, ready_since, .. }: &Pod, down: bool, sign: i32) {
        let add =
            |count: &mut u32, yes: bool| *count = count.saturating_add_signed(if yes { sign } else { 0 });
        let lives = pod.phase != PodPhase::Ended;
        add(&mut self.exist, true);
        add(&mut self.pods, lives);
        add(&mut self.bound, lives && pod.node.is_some());
        if lives && pod.ready && !pod.terminating {
            add(&mut self.ready, true);
            let count = self.ready_since.entry(*ready_since).or_default();
            add(count, true);
            if *count == 0 {
                self.ready_since.remove(ready_since);
            }
        }
        add(&mut self.unschedulable, lives && pod.unschedulable && !pod.terminating);
        let sick = lives && !pod.ready && !pod.terminating;
        let stranded = down || pod.fault == Some(Fault::Cluster);
        add(&mut self.stranded, sick && stranded);
        add(&mut self.failing, sick && !stranded && pod.fault == Some(Fault::Application));
        add(&mut self.terminating, lives && pod.terminating);
        add(&mut self.supervised, lives && pod.supervised);
        if lives && !pod.terminating && !pod.problem.is_empty() {
            let count = self.problems.entry(pod.problem.clone()).or_default();
            add(count, true);
            if *count == 0 {
                self.problems.remove(&pod.problem);
            }
        }
    }
}

impl Since {
    pub(super) fn ago(duration: Duration, now: Time) -> Self {
        let millis = |millis: u128| i64::try_from(millis).unwrap_or(i64::MAX);
        Self(millis(now.0.into()).saturating_sub(millis(duration.as_millis())))
    }

    fn until(self, now: Time) -> Duration {
        let now = i64::try_from(now.0).unwrap_or(i64::MAX);
        Duration::from_millis(u64::try_from(now.saturating_sub(self.0)).unwrap_or(0))
    }
}
