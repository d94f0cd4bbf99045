//! How a new revision goes over the clusters.

use godwit_common::policy::limits::ROLLOUT_ORDER_MAX;
use godwit_common::policy::{OnFailure, Rollout};

use super::check::{list, one_of};
use super::{duration, duration_to_wire, selector};
use crate::field::FieldError;
use crate::v1;

pub(super) fn to_wire(rollout: &Rollout) -> v1::RolloutPolicy {
    let Rollout { order, max_clusters_at_once, pause_after_first, on_failure, progress_deadline } = rollout;
    v1::RolloutPolicy {
        order: order.iter().map(selector::to_wire).collect(),
        max_clusters_at_once: Some(*max_clusters_at_once),
        pause_after_first: *pause_after_first,
        on_failure: on_failure.name().to_owned(),
        progress_deadline: Some(duration_to_wire(*progress_deadline)),
    }
}

pub(super) fn from_wire(wire: &v1::RolloutPolicy) -> Result<Rollout, FieldError> {
    let default = Rollout::default();
    let choices = OnFailure::ALL.map(|choice| (choice.name(), choice));
    let deadline =
        wire.progress_deadline.as_ref().map(|wire| duration("progress_deadline", wire)).transpose()?;
    Ok(Rollout {
        order: list("order", &wire.order, ROLLOUT_ORDER_MAX, selector::from_wire)?,
        max_clusters_at_once: wire.max_clusters_at_once.unwrap_or(default.max_clusters_at_once),
        pause_after_first: wire.pause_after_first,
        on_failure: one_of("on_failure", &wire.on_failure, &choices)?,
        progress_deadline: deadline.unwrap_or(default.progress_deadline),
    })
}
