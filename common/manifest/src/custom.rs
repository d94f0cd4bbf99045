//! Custom resources as workloads: those that say that they are, whatever their kind (S33). What runs of them, and how
//! often, is between them and the subresource `scale` of their kind; only the clusters know where that keeps its count.

use godwit_common::{Need, WorkloadId, WorkloadKind};

use crate::catalog::{self, Scope};
use crate::field::Object;
use crate::metadata::{self, Metadata, Role};
use crate::model::Workload;
use crate::node::Data;
use crate::pod::{self, Template};
use crate::scale_only::{self, annotation};
use crate::{MAX_REPLICAS, REPLICAS_ANNOTATION, WORKLOAD_ANNOTATION, canonical, references};

/// Whether an object of a group with a dot is marked as a workload.
pub(crate) fn is_marked(object: &Object<'_>) -> bool {
    annotation(object, WORKLOAD_ANNOTATION).is_some()
}

/// Reads and checks a custom resource that is marked as a workload; `None` after a mistake, which is reported.
pub(crate) fn read(object: &Object<'_>, (api_version, kind): (&str, &str)) -> Option<Workload> {
    let mark = annotation(object, WORKLOAD_ANNOTATION)?;
    mark.choice(&[("true", ())])?;
    let (group, is_own) = (catalog::group_of(api_version), WorkloadKind::of_name(kind).is_some());
    if catalog::is_built_in(group) {
        mark.refuse(format!("a {kind} of {group} has no count"), "remove the annotation");
        return None;
    }
    if is_own {
        let problem =
            format!("workloads are told apart by kind and name, and Kubernetes has a {kind} of its own");
        mark.refuse(problem, format!("only {kind}s of Kubernetes' own group can be workloads"));
        return None;
    }
    let metadata = metadata::read(object, (api_version, kind), Scope::Namespaced, Role::Custom);
    let spec = object.require("spec", "describe the workload there")?.object()?;
    let (replicas, counts_in_spec) = total(object, &spec);
    let namespace = metadata.as_ref().map_or("", |metadata| &*metadata.key.namespace);
    let template = template(&spec, namespace);
    let claims = match spec.at.entry("volumeClaimTemplates") {
        Some(claims) if matches!(claims.node.data, Data::List(_)) => claims.items(),
        Some(_) | None => Vec::new(),
    };
    let Metadata { key, labels, policy, scale_only } = metadata?;
    let scalable = Need::Scalable { api_version: key.api_version.clone(), kind: key.kind.clone() };
    let template = template.unwrap_or_default();
    let value = object.at.node.to_value();
    let read = Workload {
        id: WorkloadId { namespace: key.namespace.clone(), kind: key.kind.clone(), name: key.name.clone() },
        labels,
        replicas: replicas?,
        policy,
        pod: template.pod,
        needs: [scalable]
            .into_iter()
            .chain(template.needs)
            .chain(claims.iter().filter_map(references::of_claim))
            .collect(),
        min_ready_seconds: 0,
        grace: template.grace,
        // Nobody knows what its controller does while it rolls.
        surges: true,
        // So it may not run under a fence at all.
        obstacle: None,
        has_volume_claims: !claims.is_empty() || template.has_claims,
        manifest: canonical::custom_manifest(value, counts_in_spec, &key.namespace).into(),
        scale_only: false,
        object: key,
    };
    if scale_only { scale_only::reduced(object, read) } else { Some(read) }
}

/// The total, and whether that is what `spec.replicas` says. A kind may count elsewhere, and mean something else by that field.
fn total(object: &Object<'_>, spec: &Object<'_>) -> (Option<u32>, bool) {
    if let Some(field) = annotation(object, REPLICAS_ANNOTATION) {
        return (scale_only::count(&field), false);
    }
    match spec.get("replicas") {
        None => (Some(1), true),
        Some(field) => (field.count(MAX_REPLICAS), true),
    }
}

/// The template of its pods, if it has one as the kinds of Kubernetes have it.
fn template<'a>(spec: &Object<'a>, namespace: &str) -> Option<Template<'a>> {
    let template = spec.at.entry("template")?;
    let containers = template.entry("spec")?.entry("containers")?;
    let is_of_pods = matches!(containers.node.data, Data::List(_));
    is_of_pods.then(|| pod::read(&template, WorkloadKind::Deployment, namespace))?
}
