//! Selectors of clusters, workloads and labels.

use std::collections::{BTreeMap, BTreeSet};

use godwit_common::policy::{ClusterSelector, WorkloadSelector};
use godwit_common::selector::{LabelSelector, Labels, Requirement, Test};
use godwit_common::{ClusterName, WorkloadId};

use super::check::{line, list, texts_to_wire, word, words};
use super::{CLUSTERS_MAX, VALUES_MAX};
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
        names: names("names", &wire.names)?,
        exclude: names("exclude", &wire.exclude)?,
        labels: label_selector(&wire.match_labels, &wire.match_expressions)?,
        regions: words("regions", &wire.regions)?,
        zones: words("zones", &wire.zones)?,
        providers: words("providers", &wire.providers)?,
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
    // The parts of an identity, each checked on its own.
    let namespace = |text: &String| match text.as_str() {
        "*" => Ok("*".into()),
        text => match WorkloadId::new(text, "Deployment", "name") {
            Ok(id) => Ok(id.namespace),
            Err(error) => Err(FieldError::new("", error)),
        },
    };
    let name = |text: &String| match WorkloadId::new("default", "Deployment", text) {
        Ok(id) => Ok(id.name),
        Err(error) => Err(FieldError::new("", error)),
    };
    Ok(WorkloadSelector {
        namespaces: list("namespaces", &wire.namespaces, VALUES_MAX, namespace)?.into_iter().collect(),
        names: list("names", &wire.names, VALUES_MAX, name)?.into_iter().collect(),
        labels: label_selector(&wire.match_labels, &wire.match_expressions)?,
    })
}

fn names(field: &str, wire: &[String]) -> Result<BTreeSet<ClusterName>, FieldError> {
    let name = |text: &String| text.parse().map_err(|error| FieldError::new("", error));
    Ok(list(field, wire, CLUSTERS_MAX, name)?.into_iter().collect())
}

fn label_selector(
    labels: &BTreeMap<String, String>,
    expressions: &[v1::Requirement],
) -> Result<LabelSelector, FieldError> {
    bounded_len("match_labels", labels.len(), VALUES_MAX)?;
    let label = |(key, value): (&String, &String)| {
        let key = word("match_labels", key)?;
        let value = line(&format!("match_labels[{key}]"), value)?;
        Ok((key, value))
    };
    Ok(LabelSelector {
        labels: labels.iter().map(label).collect::<Result<_, FieldError>>()?,
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
    let key = word("key", &wire.key)?;
    let values = list("values", &wire.values, VALUES_MAX, |value| line("", value))?;
    let test = Test::new(&wire.operator, &values);
    Ok(Requirement { key, test: test.map_err(|error| FieldError::new("operator", error))? })
}
