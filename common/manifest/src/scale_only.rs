//! Workloads of which only the count is Godwit's (S33): GitOps makes their objects, changes and deletes them. Of their
//! manifest there is nothing to apply, and whether it is in a cluster is what decides whether that can be chosen.

use godwit_common::{Need, ObjectKey, WorkloadKind};
use serde_json::json;

use crate::error::{Collector, ManifestError};
use crate::field::{Field, Object};
use crate::model::Workload;
use crate::{MAX_REPLICAS, MODE_LABEL, REPLICAS_ANNOTATION, SCALE_ONLY, canonical};

/// A workload that was read as if it were to be applied, as what is left of it.
pub(crate) fn reduced(object: &Object<'_>, read: Workload) -> Option<Workload> {
    let kind = WorkloadKind::of_name(&read.id.kind);
    if let Some(kind) = kind.filter(|kind| !kind.counted()) {
        let problem = format!("a {} has no count that could be divided", kind.name());
        object.at.refuse(problem, format!("remove the label {MODE_LABEL}"));
        return None;
    }
    let Some(total) = annotation(object, REPLICAS_ANNOTATION) else {
        object.at.refuse(
            "the total over all clusters is not said: spec.replicas is that of each cluster",
            format!("write it into the annotation {REPLICAS_ANNOTATION}"),
        );
        return None;
    };
    let replicas = count(&total)?;
    let own = Need::Given(read.object.clone());
    let scalable = read.needs.into_iter().filter(|need| matches!(need, Need::Scalable { .. }));
    let needs = scalable.chain([own]).collect();
    let manifest = manifest(&read.object).into();
    Some(Workload { replicas, needs, manifest, scale_only: true, ..read })
}

/// The total that the annotation says; none after a mistake, which is reported.
pub(crate) fn count(field: &Field<'_>) -> Option<u32> {
    let count = field.text().map(str::parse::<u32>);
    let count = count.and_then(|count| count.ok().filter(|count| *count <= MAX_REPLICAS));
    if count.is_none() {
        field.refuse_value(&format!("a whole number from 0 to {MAX_REPLICAS} in quotes"));
    }
    count
}

/// What is Godwit's of one workload of an application is Godwit's of all of them.
pub(crate) fn check_alike(workloads: &[(Workload, ManifestError)], errors: &mut Collector) {
    let own = workloads.iter().filter(|(workload, _)| !workload.scale_only);
    if !workloads.iter().any(|(workload, _)| workload.scale_only) {
        return;
    }
    for (_, error) in own {
        errors.push(ManifestError {
            problem: format!(
                "it is applied together with workloads of which only the count is ({SCALE_ONLY})"
            ),
            remedy: "apply it on its own".to_owned(),
            ..error.clone()
        });
    }
}

pub(crate) fn annotation<'a>(object: &Object<'a>, name: &str) -> Option<Field<'a>> {
    object.at.entry("metadata")?.entry("annotations")?.entry(name)
}

fn manifest(key: &ObjectKey) -> String {
    canonical::canonical_json(json!({
        "apiVersion": &*key.api_version,
        "kind": &*key.kind,
        "metadata": {"name": &*key.name, "namespace": &*key.namespace, "labels": {MODE_LABEL: SCALE_ONLY}},
    }))
}
