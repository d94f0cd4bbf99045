//! Reading how a new revision goes over the clusters.

use godwit_common::policy::limits::ROLLOUT_ORDER_MAX;
use godwit_common::policy::{ClusterSelector, OnFailure, Rollout};

use super::selector;
use super::spec::text_of;
use crate::duration;
use crate::field::{Field, Object};

/// The field `rollout`.
pub(super) fn read(spec: &Object<'_>) -> Rollout {
    let default = Rollout::default();
    let Some(object) = spec.mapping("rollout") else { return default };
    object.only(&["maxClustersAtOnce", "onFailure", "order", "pauseAfterFirst", "progressDeadline"]);
    let order = object.get("order").map(|field| field.items_up_to(ROLLOUT_ORDER_MAX)).unwrap_or_default();
    let choices = OnFailure::ALL.map(|choice| (choice.name(), choice));
    let deadline = object.get("progressDeadline").and_then(|field| {
        let read = duration::parse(&text_of(&field));
        if read.is_none() {
            field.refuse_value("a duration, such as 10m or 90s");
        }
        read
    });
    let at_once = object.get("maxClustersAtOnce").and_then(|field| field.count(u32::MAX));
    Rollout {
        order: order.iter().filter_map(clusters).collect(),
        max_clusters_at_once: at_once.unwrap_or(default.max_clusters_at_once),
        pause_after_first: object.flag("pauseAfterFirst"),
        on_failure: object.get("onFailure").and_then(|field| field.choice(&choices)).unwrap_or_default(),
        progress_deadline: deadline.unwrap_or(default.progress_deadline),
    }
}

/// One cluster by its name, or several by a list of names or a mapping of conditions.
fn clusters(field: &Field<'_>) -> Option<ClusterSelector> {
    let Some(text) = field.node.as_text() else {
        let empty = ("it names no cluster", "name some, or remove it");
        return selector::names_or_conditions(field, empty);
    };
    match text.parse() {
        Ok(name) => Some(ClusterSelector::of_names([name])),
        Err(error) => {
            field.refuse(error.to_string(), "write the name of a cluster");
            None
        }
    }
}
