//! Selectors of clusters, workloads and labels.

use std::collections::{BTreeMap, BTreeSet};

use godwit_common::ClusterName;
use godwit_common::policy::limits::{CLUSTERS_MAX, VALUES_MAX};
use godwit_common::policy::{ClusterSelector, WorkloadSelector};
use godwit_common::selector::{LabelSelector, Labels, Requirement, Test, TestError};

use super::check::{list, set, text, texts_to_wire};
use crate::field::{FieldError, bounded_len};
use crate::v1;

pub(super) fn to_wire(selector: &ClusterSelector) -> v1::ClusterSelector {
    let ClusterSelector { names, exclude, labels, regions, zones, providers } = selector;
    let clusters = |names: &BTreeSet<ClusterName>| names.iter().map(ToString::to_string).collect();
    v1::ClusterSelector {
        names: clusters(names),
        exclude: clusters(exclude),
        match_labels: labels_to_wire(&labels.labels),
        match_expressions: labels.expressions.iter().map(requirement_to_wire).collect(),
        regions: texts_to_wire(regions),
        zones: texts_to_wire(zones),
        providers: texts_to_wire(providers),
    }
}

pub(super) fn from_wire(wire: &v1::ClusterSelector) -> Result<ClusterSelector, FieldError> {
    Ok(ClusterSelector {
        names: set("names", &wire.names, CLUSTERS_MAX, cluster_name)?,
        exclude: set("exclude", &wire.exclude, CLUSTERS_MAX, cluster_name)?,
        labels: label_selector(&wire.match_labels, &wire.match_expressions)?,
        regions: set("regions", &wire.regions, VALUES_MAX, text)?,
        zones: set("zones", &wire.zones, VALUES_MAX, text)?,
        providers: set("providers", &wire.providers, VALUES_MAX, text)?,
    })
}

pub(super) fn workloads_to_wire(selector: &WorkloadSelector) -> v1::WorkloadSelector {
    let WorkloadSelector { namespaces, names, labels } = selector;
    v1::WorkloadSelector {
        namespaces: texts_to_wire(namespaces),
        names: texts_to_wire(names),
        match_labels: labels_to_wire(&labels.labels),
        match_expressions: labels.expressions.iter().map(requirement_to_wire).collect(),
    }
}

pub(super) fn workloads_from_wire(wire: &v1::WorkloadSelector) -> Result<WorkloadSelector, FieldError> {
    Ok(WorkloadSelector {
        namespaces: set("namespaces", &wire.namespaces, VALUES_MAX, text)?,
        names: set("names", &wire.names, VALUES_MAX, text)?,
        labels: label_selector(&wire.match_labels, &wire.match_expressions)?,
    })
}

fn cluster_name(text: &str) -> Result<ClusterName, FieldError> {
    text.parse().map_err(|error| FieldError::new("", error))
}

/// What the labels of workloads must be like, in a request of its own.
pub fn labels_from_wire(
    labels: &BTreeMap<String, String>,
    expressions: &[v1::Requirement],
) -> Result<LabelSelector, FieldError> {
    let selector = label_selector(labels, expressions)?;
    match selector.check().into_iter().next() {
        None => Ok(selector),
        Some(mistake) => Err(FieldError::from(mistake)),
    }
}

fn label_selector(
    labels: &BTreeMap<String, String>,
    expressions: &[v1::Requirement],
) -> Result<LabelSelector, FieldError> {
    bounded_len("match_labels", labels.len(), VALUES_MAX)?;
    let label = |(key, value): (&String, &String)| (key.as_str().into(), value.as_str().into());
    Ok(LabelSelector {
        labels: labels.iter().map(label).collect(),
        expressions: list("match_expressions", expressions, VALUES_MAX, requirement_from_wire)?,
    })
}

fn labels_to_wire(labels: &Labels) -> BTreeMap<String, String> {
    labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

fn requirement_to_wire(requirement: &Requirement) -> v1::Requirement {
    let Requirement { key, test } = requirement;
    v1::Requirement {
        key: key.to_string(),
        operator: test.operator().to_owned(),
        values: texts_to_wire(&test.values()),
    }
}

fn requirement_from_wire(wire: &v1::Requirement) -> Result<Requirement, FieldError> {
    let values = list("values", &wire.values, VALUES_MAX, |value| text(value))?;
    let test = Test::new(&wire.operator, &values).map_err(|error| {
        let field = match error {
            TestError::Operator => "operator",
            TestError::NoValues | TestError::Values | TestError::NoNumber => "values",
        };
        FieldError::new(field, error)
    });
    Ok(Requirement { key: wire.key.as_str().into(), test: test? })
}
