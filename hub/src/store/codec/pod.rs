//! What replicas need: of a node, and of a cluster.

use godwit_common::selector::{LabelSelector, Requirement, Test};
use godwit_common::{Need, PodShape, Resources, Toleration};
use godwit_proto::store::v1 as wire;

use super::Invalid;
use super::parts::{
    effect, effect_to_wire, labels, labels_to_wire, needed, object_key, object_key_to_wire, texts,
    texts_to_wire,
};

pub(super) fn pod_to_wire(pod: &PodShape) -> wire::PodShape {
    let PodShape { requests, node_selector, node_affinity, tolerations } = pod;
    wire::PodShape {
        requests: Some(resources_to_wire(requests)),
        node_selector: labels_to_wire(node_selector),
        node_affinity: node_affinity.iter().map(selector_to_wire).collect(),
        tolerations: tolerations.iter().map(toleration_to_wire).collect(),
    }
}

pub(super) fn pod(pod: Option<wire::PodShape>) -> Result<PodShape, Invalid> {
    let pod = needed("pod", pod)?;
    Ok(PodShape {
        requests: resources(needed("pod.requests", pod.requests)?),
        node_selector: labels(pod.node_selector),
        node_affinity: pod.node_affinity.into_iter().map(selector).collect::<Result<_, _>>()?,
        tolerations: pod.tolerations.into_iter().map(toleration).collect::<Result<_, _>>()?,
    })
}

pub(super) fn need_to_wire(need: &Need) -> wire::Need {
    let need = match need {
        Need::Kind { api_version, kind } => wire::need::Need::Kind(wire::NeededKind {
            api_version: api_version.to_string(),
            kind: kind.to_string(),
        }),
        Need::Scalable { api_version, kind } => wire::need::Need::Scalable(wire::NeededKind {
            api_version: api_version.to_string(),
            kind: kind.to_string(),
        }),
        Need::Object(key) => wire::need::Need::Object(object_key_to_wire(key)),
        Need::Given(key) => wire::need::Need::Given(object_key_to_wire(key)),
    };
    wire::Need { need: Some(need) }
}

pub(super) fn need(need: wire::Need) -> Result<Need, Invalid> {
    Ok(match needed("spec.needs", need.need)? {
        wire::need::Need::Kind(wire::NeededKind { api_version, kind }) => {
            Need::Kind { api_version: api_version.into(), kind: kind.into() }
        }
        wire::need::Need::Scalable(wire::NeededKind { api_version, kind }) => {
            Need::Scalable { api_version: api_version.into(), kind: kind.into() }
        }
        wire::need::Need::Object(key) => Need::Object(object_key("spec.needs.object", Some(key))?),
        wire::need::Need::Given(key) => Need::Given(object_key("spec.needs.given", Some(key))?),
    })
}

fn selector_to_wire(selector: &LabelSelector) -> wire::LabelSelector {
    let LabelSelector { labels, expressions } = selector;
    wire::LabelSelector {
        labels: labels_to_wire(labels),
        expressions: expressions.iter().map(requirement_to_wire).collect(),
    }
}

fn selector(selector: wire::LabelSelector) -> Result<LabelSelector, Invalid> {
    Ok(LabelSelector {
        labels: labels(selector.labels),
        expressions: selector.expressions.into_iter().map(requirement).collect::<Result<_, _>>()?,
    })
}

fn requirement_to_wire(requirement: &Requirement) -> wire::Requirement {
    let Requirement { key, test } = requirement;
    wire::Requirement {
        key: key.to_string(),
        operator: test.operator().to_owned(),
        values: texts_to_wire(&test.values()),
    }
}

fn requirement(requirement: wire::Requirement) -> Result<Requirement, Invalid> {
    let test = Test::new(&requirement.operator, &texts(requirement.values));
    Ok(Requirement {
        key: requirement.key.into(),
        test: test.map_err(|error| Invalid::new("pod.node_affinity.operator", error))?,
    })
}

fn resources_to_wire(resources: &Resources) -> wire::Resources {
    let Resources { cpu_millis, memory_bytes, ephemeral_bytes, pods, extended } = resources;
    wire::Resources {
        cpu_millis: *cpu_millis,
        memory_bytes: *memory_bytes,
        ephemeral_bytes: *ephemeral_bytes,
        pods: *pods,
        extended: extended.iter().map(|(name, amount)| (name.to_string(), *amount)).collect(),
    }
}

/// The map is in order of name, as [`Resources`] wants it.
fn resources(resources: wire::Resources) -> Resources {
    let extended = resources.extended.into_iter().filter(|(_, amount)| *amount > 0);
    Resources {
        cpu_millis: resources.cpu_millis,
        memory_bytes: resources.memory_bytes,
        ephemeral_bytes: resources.ephemeral_bytes,
        pods: resources.pods,
        extended: extended.map(|(name, amount)| (name.into(), amount)).collect(),
    }
}

fn toleration_to_wire(toleration: &Toleration) -> wire::Toleration {
    let Toleration { key, value, effect } = toleration;
    wire::Toleration {
        key: key.as_ref().map(ToString::to_string),
        value: value.as_ref().map(ToString::to_string),
        effect: effect.map(|effect| i32::from(effect_to_wire(effect))),
    }
}

fn toleration(toleration: wire::Toleration) -> Result<Toleration, Invalid> {
    Ok(Toleration {
        key: toleration.key.map(Into::into),
        value: toleration.value.map(Into::into),
        effect: toleration.effect.map(|value| effect("pod.tolerations.effect", value)).transpose()?,
    })
}
