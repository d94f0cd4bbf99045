//! Reading near which other workloads, or away from which, a workload is placed.

use std::collections::BTreeSet;
use std::sync::Arc;

use godwit_common::policy::{Affinity, WorkloadSelector};
use godwit_common::{NameError, WorkloadId};

use crate::field::{Field, Object};
use crate::labels;

/// The most selectors of either kind: each is tried against the workloads of whole namespaces.
const SELECTORS_MAX: usize = 16;
/// In place of a namespace: all of them.
const ALL_NAMESPACES: &str = "*";

/// The fields `affinity`, `antiAffinity` and `colocate`.
pub(super) fn read(spec: &Object<'_>) -> Affinity {
    Affinity {
        with: selectors(spec, "affinity", |_, _| {}),
        without: selectors(spec, "antiAffinity", refuse_everything),
        colocate: spec.flag("colocate"),
    }
}

fn selectors(
    spec: &Object<'_>,
    key: &str,
    check: fn(&Field<'_>, &WorkloadSelector),
) -> Vec<WorkloadSelector> {
    let Some(field) = spec.get(key) else {
        return Vec::new();
    };
    let read = |item: &Field<'_>| {
        let before = item.mistakes();
        let selector = selector(item)?;
        if item.mistakes() == before {
            check(item, &selector);
        }
        Some(selector)
    };
    field.items_up_to(SELECTORS_MAX).iter().filter_map(read).collect()
}

/// Away from everything is nowhere, sooner or later. One other namespace as a whole is a wish that can be met.
fn refuse_everything(field: &Field<'_>, selector: &WorkloadSelector) {
    let anywhere = selector.namespaces.is_empty() || selector.namespaces.contains(ALL_NAMESPACES);
    if anywhere && selector.names.is_empty() && selector.labels.is_empty() {
        field.refuse(
            "it chooses every workload, and away from all of them there is no cluster",
            "say which by names, matchLabels or matchExpressions",
        );
    }
}

fn selector(field: &Field<'_>) -> Option<WorkloadSelector> {
    let object = field.object()?;
    let fields: Vec<&str> = ["namespaces", "names"].into_iter().chain(labels::SELECTOR_FIELDS).collect();
    object.only(&fields);
    let valid_namespace = |text: &str| match text {
        ALL_NAMESPACES => Ok(()),
        _ => WorkloadId::new(text, "Kind", "name").map(|_| ()),
    };
    let valid_name = |text: &str| WorkloadId::new("default", "Kind", text).map(|_| ());
    let texts = |key, valid: &dyn Fn(&str) -> Result<(), NameError>| {
        object.get(key).map(|field| texts(&field, valid)).unwrap_or_default()
    };
    Some(WorkloadSelector {
        namespaces: texts("namespaces", &valid_namespace),
        names: texts("names", &valid_name),
        labels: labels::selector(&object),
    })
}

/// The texts of a list, each of them a valid name of its sort.
fn texts(field: &Field<'_>, valid: &dyn Fn(&str) -> Result<(), NameError>) -> BTreeSet<Arc<str>> {
    let mut texts = BTreeSet::new();
    for item in labels::filled(field) {
        let Some(text) = item.text() else { continue };
        match valid(text) {
            Ok(()) if texts.insert(text.into()) => {}
            Ok(()) => item.refuse(format!("{text} is listed twice"), "remove one of the two"),
            Err(error) => item.refuse(error.to_string(), "correct it"),
        }
    }
    texts
}
