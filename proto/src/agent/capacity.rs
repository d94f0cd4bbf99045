//! What a cluster has free.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::link::{
    CLASS_ENTRIES_MAX, Capacity, EXTENDED_RESOURCES_MAX, MIXED_LABELS_MAX, NODE_CLASSES_MAX, UNMANAGED_MAX,
    Unmanaged, ZONES_MAX,
};
use godwit_common::{NodeClass, Resources, Taint, TaintEffect, WorkloadId};

use super::WireError;
use super::check::{bounded_len, count, line, list, required, word};
use crate::v1;

/// The longest key of a Kubernetes label, taint or extended resource: a prefix of 253 bytes, a slash, a name of 63.
const KEY_MAX: usize = 253 + 1 + 63;
/// The longest value of a Kubernetes label or taint.
const VALUE_MAX: usize = 63;
/// The longest name of a Kubernetes object.
const NAME_MAX: usize = 253;

pub(super) fn to_wire(capacity: &Capacity) -> v1::Capacity {
    v1::Capacity {
        classes: capacity.classes.iter().map(class_to_wire).collect(),
        allocatable: Some(resources_to_wire(&capacity.allocatable)),
        running_pods: capacity.running_pods,
        nodes: capacity.nodes,
        nodes_ready: capacity.nodes_ready,
        zones: capacity.zones.iter().map(ToString::to_string).collect(),
        mixed_labels: capacity.mixed_labels.iter().map(ToString::to_string).collect(),
        unmanaged: Some(&capacity.unmanaged).filter(|one| one.pods > 0).map(unmanaged_to_wire),
    }
}

pub(super) fn from_wire(wire: v1::Capacity) -> Result<Capacity, WireError> {
    Ok(Capacity {
        classes: list("classes", wire.classes, NODE_CLASSES_MAX, class_from_wire)?,
        allocatable: required("allocatable", wire.allocatable, resources_from_wire)?,
        running_pods: count("running_pods", wire.running_pods)?,
        nodes: count("nodes", wire.nodes)?,
        nodes_ready: count("nodes_ready", wire.nodes_ready)?,
        zones: words("zones", wire.zones, ZONES_MAX, VALUE_MAX)?,
        mixed_labels: words("mixed_labels", wire.mixed_labels, MIXED_LABELS_MAX, KEY_MAX)?,
        unmanaged: wire.unmanaged.map_or_else(|| Ok(Unmanaged::default()), unmanaged_from_wire)?,
    })
}

/// What stays in a cluster when everything managed is gone; the operators' service says it in the same words.
pub fn unmanaged_to_wire(unmanaged: &Unmanaged) -> v1::UnmanagedPods {
    let Unmanaged { pods, owners, first } = unmanaged;
    let owner = |(WorkloadId { namespace, kind, name }, pods): &(WorkloadId, u32)| v1::UnmanagedOwner {
        namespace: namespace.to_string(),
        kind: kind.to_string(),
        name: name.to_string(),
        pods: *pods,
    };
    v1::UnmanagedPods { pods: *pods, owners: *owners, first: first.iter().map(owner).collect() }
}

fn unmanaged_from_wire(wire: v1::UnmanagedPods) -> Result<Unmanaged, WireError> {
    let owner = |owner: v1::UnmanagedOwner| {
        let v1::UnmanagedOwner { namespace, kind, name, pods } = owner;
        let id = WorkloadId {
            namespace: word("namespace", namespace, VALUE_MAX)?,
            kind: word("kind", kind, VALUE_MAX)?,
            name: word("name", name, NAME_MAX)?,
        };
        Ok((id, count("pods", pods)?))
    };
    let v1::UnmanagedPods { pods, owners, first } = wire;
    let read = || {
        Ok(Unmanaged {
            pods: count("pods", pods)?,
            owners: count("owners", owners)?,
            first: list("first", first, UNMANAGED_MAX, owner)?,
        })
    };
    read().map_err(|error: WireError| error.within("unmanaged"))
}

fn class_to_wire(class: &NodeClass) -> v1::NodeClass {
    let labels = class.labels.iter();
    v1::NodeClass {
        labels: labels.map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        taints: class.taints.iter().map(taint_to_wire).collect(),
        nodes: class.nodes,
        free: Some(resources_to_wire(&class.free)),
    }
}

fn class_from_wire(wire: v1::NodeClass) -> Result<NodeClass, WireError> {
    Ok(NodeClass {
        labels: labels_from_wire(wire.labels)?,
        taints: list("taints", wire.taints, CLASS_ENTRIES_MAX, taint_from_wire)?,
        nodes: count("nodes", wire.nodes)?,
        free: required("free", wire.free, resources_from_wire)?,
    })
}

fn labels_from_wire(wire: BTreeMap<String, String>) -> Result<BTreeMap<Arc<str>, Arc<str>>, WireError> {
    bounded_len("labels", wire.len(), CLASS_ENTRIES_MAX)?;
    let label = |(key, value)| {
        let key = word("labels.key", key, KEY_MAX)?;
        let value = line("", value, VALUE_MAX).map_err(|error| error.within(&format!("labels[{key:?}]")))?;
        Ok((key, value))
    };
    wire.into_iter().map(label).collect()
}

/// A set of at most `max` words of at most `longest` bytes.
fn words(
    field: &str,
    wire: Vec<String>,
    max: usize,
    longest: usize,
) -> Result<BTreeSet<Arc<str>>, WireError> {
    let words = list(field, wire, max, |entry| word("", entry, longest))?;
    Ok(words.into_iter().collect())
}

fn taint_to_wire(taint: &Taint) -> v1::Taint {
    let effect = match taint.effect {
        TaintEffect::NoSchedule => v1::TaintEffect::NoSchedule,
        TaintEffect::PreferNoSchedule => v1::TaintEffect::PreferNoSchedule,
        TaintEffect::NoExecute => v1::TaintEffect::NoExecute,
    };
    v1::Taint { key: taint.key.to_string(), value: taint.value.to_string(), effect: effect.into() }
}

fn taint_from_wire(wire: v1::Taint) -> Result<Taint, WireError> {
    let effect = match v1::TaintEffect::try_from(wire.effect) {
        Ok(v1::TaintEffect::NoSchedule) => TaintEffect::NoSchedule,
        Ok(v1::TaintEffect::PreferNoSchedule) => TaintEffect::PreferNoSchedule,
        Ok(v1::TaintEffect::NoExecute) => TaintEffect::NoExecute,
        Ok(v1::TaintEffect::Unspecified) | Err(_) => return Err(WireError::unknown("effect")),
    };
    Ok(Taint { key: word("key", wire.key, KEY_MAX)?, value: line("value", wire.value, VALUE_MAX)?, effect })
}

fn resources_to_wire(resources: &Resources) -> v1::Resources {
    let extended = resources.extended.iter();
    v1::Resources {
        cpu_millis: resources.cpu_millis,
        memory_bytes: resources.memory_bytes,
        ephemeral_bytes: resources.ephemeral_bytes,
        pods: resources.pods,
        extended: extended.map(|(name, amount)| (name.to_string(), *amount)).collect(),
    }
}

fn resources_from_wire(wire: v1::Resources) -> Result<Resources, WireError> {
    bounded_len("extended", wire.extended.len(), EXTENDED_RESOURCES_MAX)?;
    // An ordered map: the names come sorted and each once, as `Resources` wants them.
    let extended = wire.extended.into_iter().map(|(name, amount)| {
        let name = word("extended.key", name, KEY_MAX)?;
        if amount == 0 {
            let field = format!("extended[{name:?}]");
            let problem = "it is 0: a resource that is not there is left out";
            return Err(WireError::new(&field, problem));
        }
        Ok((name, amount))
    });
    Ok(Resources {
        cpu_millis: wire.cpu_millis,
        memory_bytes: wire.memory_bytes,
        ephemeral_bytes: wire.ephemeral_bytes,
        pods: wire.pods,
        extended: extended.collect::<Result<_, _>>()?,
    })
}
