//! Views as messages, and messages as the machine's values.

mod cluster;
mod event;
mod migration;
mod placement;
mod plan;
mod policy;
mod quota;
mod rollout;
mod workload;

use std::sync::Arc;

use godwit_common::WallTime;
use godwit_hub_core::{GateView, StateRevision};
use godwit_proto::v1;
use prost_types::Timestamp;

pub(super) use cluster::{cluster, orphan};
pub(crate) use event::event;
pub(super) use migration::{cause_of, migration};
pub(super) use placement::{placements, removed_placements};
pub(super) use plan::{changes, plan, what_if};
pub(crate) use policy::policy;
pub(super) use policy::policy_from_wire;
pub(crate) use quota::quota;
pub(super) use quota::quota_from_wire;
pub(super) use rollout::revision;
pub(super) use workload::{action, deployed, deployed_workload, removed_workload, workload};

pub(super) fn timestamp(time: WallTime) -> Timestamp {
    let nanos = (time.0 % 1_000) * 1_000_000;
    Timestamp {
        seconds: i64::try_from(time.0 / 1_000).unwrap_or(i64::MAX),
        // Below a thousand million.
        nanos: i32::try_from(nanos).unwrap_or(0),
    }
}

/// What is under the fence `gate`.
fn gate(view: &GateView) -> v1::Gate {
    let GateView { pods, lease, wait, ends, unsupervised } = view;
    v1::Gate {
        pods: *pods,
        lease_ms: count(lease.as_millis()),
        wait_ms: count(wait.as_millis()),
        ends: ends.map(timestamp),
        unsupervised: unsupervised.clone(),
    }
}

/// What plans were decided on; empty where nothing was decided.
pub(super) fn decided_on(inputs: StateRevision) -> String {
    if inputs == StateRevision::default() { String::new() } else { inputs.to_string() }
}

/// Counts are 32 bits wide, so that they are numbers in JSON; no real one comes near.
pub(super) fn count(number: impl TryInto<u32>) -> u32 {
    number.try_into().unwrap_or(u32::MAX)
}

fn texts<'a>(texts: impl IntoIterator<Item = &'a Arc<str>>) -> Vec<String> {
    texts.into_iter().map(ToString::to_string).collect()
}
