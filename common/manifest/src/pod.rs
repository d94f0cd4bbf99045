//! The pod template of a workload.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::TaintEffect;

use crate::field::{Field, Object};
use crate::model::{PodShape, Toleration};
use crate::node::Data;
use crate::requests::{self, Container};
use crate::{POLICY_ANNOTATION, metadata};

/// The most containers of one pod; Kubernetes itself strains long before.
const CONTAINERS_MAX: usize = 256;

/// What a template says.
pub(crate) struct Template<'a> {
    pub(crate) labels: BTreeMap<&'a str, &'a str>,
    pub(crate) pod: PodShape,
    /// Whether a volume of the pod is a claim.
    pub(crate) has_claims: bool,
}

/// Reads and checks `spec.template`.
pub(crate) fn read<'a>(template: &Field<'a>) -> Option<Template<'a>> {
    let template = template.object()?;
    template.only(&["metadata", "spec"]);
    let labels = template
        .get("metadata")
        .and_then(|metadata| metadata.object())
        .map(|metadata| labels_of(&metadata))
        .unwrap_or_default();
    let spec = template.require("spec", "describe the pod there")?.object()?;
    if let Some(policy) = spec.get("restartPolicy") {
        policy.choice(&[("Always", ())]);
    }
    let containers = containers(&spec, "containers");
    let init = containers_if_any(&spec, "initContainers");
    let pod = PodShape {
        requests: requests::of_pod(&spec, &containers?, &init),
        node_selector: node_selector(&spec),
        tolerations: tolerations(&spec),
    };
    Some(Template { labels, pod, has_claims: has_claims(&spec) })
}

fn labels_of<'a>(metadata: &Object<'a>) -> BTreeMap<&'a str, &'a str> {
    if let Some(annotations) = metadata.get("annotations").and_then(|field| field.object()) {
        annotations.texts();
        if let Some(policy) = annotations.get(POLICY_ANNOTATION) {
            policy.refuse(
                "a policy belongs to the workload, and not to its pods",
                "move it to metadata.annotations of the workload",
            );
        }
    }
    let Some(labels) = metadata.get("labels").and_then(|field| field.object()) else {
        return BTreeMap::new();
    };
    metadata::refuse_reserved(&labels, &[]);
    labels.texts()
}

/// The containers of a pod, of which there is at least one.
fn containers(spec: &Object<'_>, key: &str) -> Option<Vec<Container>> {
    let field = spec.require(key, "a pod has at least one container")?;
    if matches!(&field.node.data, Data::List(items) if items.is_empty()) {
        field.refuse("the list is empty", "a pod has at least one container");
        return None;
    }
    Some(container_list(&field))
}

fn containers_if_any(spec: &Object<'_>, key: &str) -> Vec<Container> {
    spec.get(key).map(|field| container_list(&field)).unwrap_or_default()
}

fn container_list(field: &Field<'_>) -> Vec<Container> {
    let items = field.items();
    if items.len() > CONTAINERS_MAX {
        field.refuse(
            format!("there are {} containers", items.len()),
            format!("a pod has at most {CONTAINERS_MAX}"),
        );
        return Vec::new();
    }
    let mut names = BTreeSet::new();
    let read = |item: &Field<'_>| {
        let container = item.object()?;
        if let Some(image) = container.require("image", "name the image to run") {
            image.text();
        }
        if let Some(name) = container.require("name", "give the container a name")
            && let Some(text) = name.text()
            && !names.insert(text.to_owned())
        {
            name.refuse(format!("there are two containers named {text:?}"), "rename one of them");
        }
        let restart = container.get("restartPolicy");
        let always = restart.is_some_and(|field| field.node.as_text() == Some("Always"));
        Some(Container { requests: requests::of_container(&container), sidecar: always })
    };
    items.iter().filter_map(read).collect()
}

fn node_selector(spec: &Object<'_>) -> BTreeMap<Arc<str>, Arc<str>> {
    let Some(selector) = spec.get("nodeSelector").and_then(|field| field.object()) else {
        return BTreeMap::new();
    };
    let texts = selector.texts();
    texts.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}

fn tolerations(spec: &Object<'_>) -> Vec<Toleration> {
    let Some(field) = spec.get("tolerations") else {
        return Vec::new();
    };
    let mut tolerations: Vec<Toleration> = field.items().iter().filter_map(toleration).collect();
    tolerations.sort();
    tolerations.dedup();
    tolerations
}

fn toleration(field: &Field<'_>) -> Option<Toleration> {
    let toleration = field.object()?;
    toleration.only(&["key", "operator", "value", "effect", "tolerationSeconds"]);
    let text = |key| toleration.get(key).and_then(|field| field.text());
    let exists = match toleration.get("operator") {
        None => false,
        Some(operator) => operator.choice(&[("Equal", false), ("Exists", true)])?,
    };
    let key = text("key").filter(|key| !key.is_empty());
    if key.is_none() && !exists {
        field.refuse("it names no key", "name the taint's key, or write operator: Exists for every taint");
        return None;
    }
    let value = text("value").unwrap_or_default();
    if exists && !value.is_empty() {
        field.refuse("with operator Exists there is no value", "remove the value, or write operator: Equal");
        return None;
    }
    let effect = match toleration.get("effect") {
        None => None,
        Some(effect) if effect.node.as_text() == Some("") => None,
        Some(effect) => Some(effect.choice(&[
            ("NoSchedule", TaintEffect::NoSchedule),
            ("PreferNoSchedule", TaintEffect::PreferNoSchedule),
            ("NoExecute", TaintEffect::NoExecute),
        ])?),
    };
    Some(Toleration { key: key.map(Arc::from), value: (!exists).then(|| value.into()), effect })
}

fn has_claims(spec: &Object<'_>) -> bool {
    let Some(volumes) = spec.get("volumes") else {
        return false;
    };
    volumes.items().iter().any(|volume| volume.node.get("persistentVolumeClaim").is_some())
}
