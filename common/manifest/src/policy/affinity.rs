//! Reading near which other workloads, or away from which, a workload is placed.

use std::collections::BTreeSet;
use std::sync::Arc;

use godwit_common::policy::limits::{AFFINITY_MAX, VALUES_MAX};
use godwit_common::policy::{Affinity, WorkloadSelector};

use crate::field::{Field, Object};
use crate::labels;

/// The fields `affinity`, `antiAffinity` and `colocate`.
pub(super) fn read(spec: &Object<'_>) -> Affinity {
    Affinity {
        with: selectors(spec, "affinity"),
        without: selectors(spec, "antiAffinity"),
        colocate: spec.flag("colocate"),
    }
}

fn selectors(spec: &Object<'_>, key: &str) -> Vec<WorkloadSelector> {
    let items = spec.get(key).map(|field| field.items_up_to(AFFINITY_MAX)).unwrap_or_default();
    items.iter().filter_map(selector).collect()
}

fn selector(field: &Field<'_>) -> Option<WorkloadSelector> {
    let object = field.object()?;
    let fields: Vec<&str> = ["namespaces", "names"].into_iter().chain(labels::SELECTOR_FIELDS).collect();
    object.only(&fields);
    let texts = |key| object.get(key).map(|field| texts(&field)).unwrap_or_default();
    Some(WorkloadSelector {
        namespaces: texts("namespaces"),
        names: texts("names"),
        labels: labels::selector(&object),
    })
}

fn texts(field: &Field<'_>) -> BTreeSet<Arc<str>> {
    let mut texts = BTreeSet::new();
    for item in labels::filled(field, VALUES_MAX) {
        let Some(text) = item.text() else { continue };
        if !texts.insert(text.into()) {
            item.refuse(format!("{text} is listed twice"), "remove one of the two");
        }
    }
    texts
}
