//! The pod template of a workload.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use godwit_common::{Need, PodShape, Resources, WorkloadKind};

use crate::field::{Field, Object};
use crate::node::{Data, Node};
use crate::requests::{self, Container};
use crate::{POLICY_ANNOTATION, labels, metadata, node_affinity, references, toleration};

/// The most containers of one pod; Kubernetes itself strains long before.
const CONTAINERS_MAX: usize = 256;
/// How long a pod may take to end, if it does not say, as in Kubernetes.
const GRACE: Duration = Duration::from_secs(30);
/// The longest that is taken, in seconds: a year.
const GRACE_MAX: u32 = 365 * 24 * 3600;

/// What a template says; of none that is known, nothing but that it is a pod.
pub(crate) struct Template<'a> {
    pub(crate) labels: BTreeMap<&'a str, &'a str>,
    pub(crate) pod: PodShape,
    /// How long a pod may take to end.
    pub(crate) grace: Duration,
    /// Whether a volume of the pod is a claim.
    pub(crate) has_claims: bool,
    /// The objects that it names and cannot run without.
    pub(crate) needs: BTreeSet<Need>,
}

impl Default for Template<'_> {
    fn default() -> Self {
        let requests = Resources { pods: 1, ..Resources::default() };
        Self {
            labels: BTreeMap::new(),
            pod: PodShape { requests, ..PodShape::default() },
            grace: GRACE,
            has_claims: false,
            needs: BTreeSet::new(),
        }
    }
}

/// Reads and checks the template of a workload in a namespace.
pub(crate) fn read<'a>(template: &Field<'a>, kind: WorkloadKind, namespace: &str) -> Option<Template<'a>> {
    let template = template.object()?;
    template.only(&["metadata", "spec"]);
    let labels = template
        .get("metadata")
        .and_then(|metadata| metadata.object())
        .map(|metadata| labels_of(&metadata))
        .unwrap_or_default();
    let spec = template.require("spec", "describe the pod there")?.object()?;
    match spec.get("restartPolicy") {
        Some(policy) if kind.single() => {
            policy.choice(&[("Never", ()), ("OnFailure", ())]);
        }
        Some(policy) => {
            policy.choice(&[("Always", ())]);
        }
        None if kind.single() => {
            spec.require("restartPolicy", "write Never or OnFailure: its pods come to an end");
        }
        None => {}
    }
    let containers = containers(&spec, "containers");
    let init = containers_if_any(&spec, "initContainers");
    let node_selector = spec.mapping("nodeSelector");
    let pod = PodShape {
        requests: requests::of_pod(&spec, &containers?, &init),
        node_selector: node_selector.map(|selector| labels::read(&selector)).unwrap_or_default(),
        node_affinity: node_affinity::read(&spec),
        tolerations: toleration::of_pod(&spec),
    };
    let needs = references::of_pod(&spec, namespace);
    Some(Template { labels, pod, grace: grace(&spec), has_claims: has_claims(&spec), needs })
}

fn grace(spec: &Object<'_>) -> Duration {
    let grace = spec.get("terminationGracePeriodSeconds").and_then(|field| field.count(GRACE_MAX));
    grace.map_or(GRACE, |seconds| Duration::from_secs(seconds.into()))
}

fn labels_of<'a>(metadata: &Object<'a>) -> BTreeMap<&'a str, &'a str> {
    if let Some(annotations) = metadata.mapping("annotations") {
        annotations.texts();
        if let Some(policy) = annotations.get(POLICY_ANNOTATION) {
            policy.refuse(
                "a policy belongs to the workload, and not to its pods",
                "move it to metadata.annotations of the workload",
            );
        }
    }
    let Some(labels) = metadata.mapping("labels") else {
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

/// Whether one of the volumes is a claim; mistakes in them are reported where their names are read.
fn has_claims(spec: &Object<'_>) -> bool {
    let is_claim = |volume: &Node| volume.get("persistentVolumeClaim").is_some();
    match spec.at.node.get("volumes").map(|volumes| &volumes.data) {
        Some(Data::List(volumes)) => volumes.iter().any(is_claim),
        Some(Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) | Data::Map(_)) | None => false,
    }
}
