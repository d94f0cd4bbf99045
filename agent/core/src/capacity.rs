//! Room in the cluster: what its nodes offer less what the pods on them ask for, in few enough classes to send.
//!
//! A pod's event costs a lookup of its node. The classes are made when a report wants them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::link::{
    CLASS_ENTRIES_MAX, COUNT_MAX, Capacity, EXTENDED_RESOURCES_MAX, MIXED_LABELS_MAX, NODE_CLASSES_MAX,
    Unmanaged, ZONES_MAX,
};
use godwit_common::{NodeClass, Resources, Taint};

use crate::NodeSeen;

/// Labels that name one node: they tell nothing about its kind, and would make each node a class of its own.
const UNIQUE_LABELS: [&str; 4] = [
    "kubernetes.io/hostname",
    "node.kubernetes.io/instance-id",
    "topology.ebs.csi.aws.com/node",
    "alpha.eksctl.io/instance-id",
];
/// The label that says which zone a node is in.
const ZONE_LABEL: &str = "topology.kubernetes.io/zone";
/// A part of the keys of Kubernetes' own labels.
const KUBERNETES: &str = "kubernetes.io/";
/// A label with more values than this among the nodes is taken as one that names nodes, too.
const LABEL_VALUES_MAX: usize = 32;
/// The first steps that free room is rounded down to, when there are too many classes; they double.
const CPU_STEP_MILLIS: u64 = 100;
const BYTES_STEP: u64 = 64 << 20;

#[derive(Debug, Default)]
pub(crate) struct Nodes {
    nodes: BTreeMap<Arc<str>, Node>,
    /// What the pods on each node ask for, also for nodes that are not known (yet).
    used: BTreeMap<Arc<str>, Resources>,
    ready: u32,
    allocatable: Resources,
}

#[derive(Debug)]
struct Node {
    seen: NodeSeen,
    list: u64,
}

type Shape = (BTreeMap<Arc<str>, Arc<str>>, Vec<Taint>);

impl Nodes {
    /// Takes in a node; true if anything about it changed.
    pub(crate) fn put(&mut self, seen: NodeSeen, list: u64) -> bool {
        if let Some(node) = self.nodes.get_mut(&seen.name)
            && node.seen == seen
        {
            node.list = list;
            return false;
        }
        self.remove(&seen.name.clone());
        self.ready += u32::from(seen.ready);
        add(&mut self.allocatable, &seen.allocatable);
        self.nodes.insert(seen.name.clone(), Node { seen, list });
        true
    }

    pub(crate) fn remove(&mut self, name: &Arc<str>) -> bool {
        let Some(node) = self.nodes.remove(name) else {
            return false;
        };
        self.ready -= u32::from(node.seen.ready);
        self.allocatable.subtract(&node.seen.allocatable, 1);
        true
    }

    /// The nodes that the listing did not name.
    pub(crate) fn unlisted(&self, list: u64) -> Vec<Arc<str>> {
        let stale = |node: &&Node| node.list != list;
        self.nodes.values().filter(stale).map(|node| node.seen.name.clone()).collect()
    }

    /// Whether a node is known, and not ready: nothing on it can be relied on.
    pub(crate) fn is_down(&self, name: &Arc<str>) -> bool {
        self.nodes.get(name).is_some_and(|node| !node.seen.ready)
    }

    pub(crate) fn bind(&mut self, node: &Arc<str>, requests: &Resources) {
        add(self.used.entry(node.clone()).or_default(), requests);
    }

    pub(crate) fn unbind(&mut self, node: &Arc<str>, requests: &Resources) {
        if let Some(used) = self.used.get_mut(node) {
            used.subtract(requests, 1);
            if *used == Resources::default() {
                self.used.remove(node);
            }
        }
    }

    pub(crate) fn capacity(&self, running_pods: u32, unmanaged: Unmanaged) -> Capacity {
        let (classes, mixed_labels) = self.classes();
        Capacity {
            classes,
            allocatable: bounded(self.allocatable.clone()),
            running_pods: running_pods.min(COUNT_MAX),
            nodes: u32::try_from(self.nodes.len()).map_or(COUNT_MAX, |nodes| nodes.min(COUNT_MAX)),
            nodes_ready: self.ready.min(COUNT_MAX),
            zones: self.zones(),
            mixed_labels,
            unmanaged,
        }
    }

    /// A zone whose nodes are all down is a zone of the cluster still.
    fn zones(&self) -> BTreeSet<Arc<str>> {
        let zones = self.nodes.values().filter_map(|node| node.seen.labels.get(ZONE_LABEL));
        let zones: BTreeSet<&Arc<str>> = zones.filter(|zone| !zone.is_empty()).collect();
        zones.into_iter().take(ZONES_MAX).cloned().collect()
    }

    /// The classes, and the keys of labels that were left out of them.
    fn classes(&self) -> (Vec<NodeClass>, BTreeSet<Arc<str>>) {
        let usable: Vec<&NodeSeen> = self
            .nodes
            .values()
            .map(|node| &node.seen)
            .filter(|node| node.ready && node.schedulable)
            // To leave out taints would promise room that is not there.
            .filter(|node| node.taints.len() <= CLASS_ENTRIES_MAX)
            .collect();
        let (shapes, of_node, mixed) = shapes(&usable);
        let mut counts: BTreeMap<(usize, Resources), u32> = BTreeMap::new();
        for (node, shape) in usable.iter().zip(of_node) {
            *counts.entry((shape, self.free(node))).or_default() += 1;
        }
        let mut step = 1;
        while counts.len() > NODE_CLASSES_MAX && step <= 1 << 40 {
            counts = rounded(counts, step);
            step *= 2;
        }
        // The shapes alone are too many only if the taints differ wildly: the classes with the most nodes are kept, so
        // that what is reported is less than there is, never more.
        let mut classes: Vec<((usize, Resources), u32)> = counts.into_iter().collect();
        classes.sort_by(|(a, a_nodes), (b, b_nodes)| b_nodes.cmp(a_nodes).then_with(|| a.cmp(b)));
        classes.truncate(NODE_CLASSES_MAX);
        classes.sort();
        let class = |((shape, free), nodes): ((usize, Resources), u32)| {
            let (labels, taints) = shapes.get(shape).cloned().unwrap_or_default();
            NodeClass { labels, taints, nodes, free }
        };
        (classes.into_iter().map(class).collect(), mixed)
    }

    fn free(&self, node: &NodeSeen) -> Resources {
        let mut free = node.allocatable.clone();
        if let Some(used) = self.used.get(&node.name) {
            free.subtract(used, 1);
        }
        bounded(free)
    }
}

/// The distinct (labels, taints) of the nodes, few enough to be classes; which of them each node has; and the keys of
/// labels that some node carries and its shape does not.
fn shapes(nodes: &[&NodeSeen]) -> (Vec<Shape>, Vec<usize>, BTreeSet<Arc<str>>) {
    let mut values: BTreeMap<&Arc<str>, BTreeSet<&Arc<str>>> = BTreeMap::new();
    for (key, value) in nodes.iter().flat_map(|node| &node.labels) {
        values.entry(key).or_default().insert(value);
    }
    let mut dropped: BTreeSet<&Arc<str>> = values
        .iter()
        .filter(|(key, values)| UNIQUE_LABELS.contains(&key.as_ref()) || values.len() > LABEL_VALUES_MAX)
        .map(|(key, _)| *key)
        .collect();
    // Most values first: dropping such a label merges the most shapes.
    let mut by_values: Vec<(&Arc<str>, usize)> =
        values.iter().map(|(key, values)| (*key, values.len())).collect();
    by_values.sort_by(|(a, a_values), (b, b_values)| b_values.cmp(a_values).then_with(|| a.cmp(b)));
    let mut next =
        by_values.into_iter().map(|(key, _)| key).filter(|key| key.as_ref() != "kubernetes.io/arch");
    loop {
        let mut index: BTreeMap<Shape, usize> = BTreeMap::new();
        for node in nodes {
            index.entry(shape(node, &dropped)).or_default();
        }
        let fits = index.len() <= NODE_CLASSES_MAX;
        let more = if fits { None } else { next.by_ref().find(|key| !dropped.contains(key)) };
        let Some(key) = more else {
            index.values_mut().enumerate().for_each(|(number, slot)| *slot = number);
            let mut left_out: BTreeSet<&Arc<str>> = dropped.clone();
            let mut of_node = Vec::with_capacity(nodes.len());
            for node in nodes {
                let shape = shape(node, &dropped);
                if node.labels.len() > CLASS_ENTRIES_MAX {
                    left_out.extend(node.labels.keys().filter(|key| !shape.0.contains_key(*key)));
                }
                of_node.push(index.get(&shape).copied().unwrap_or(0));
            }
            return (index.into_keys().collect(), of_node, mixed(left_out));
        };
        dropped.insert(key);
    }
}

/// At most [`MIXED_LABELS_MAX`] of the keys; Kubernetes' own go first, as in [`shape`].
fn mixed(left_out: BTreeSet<&Arc<str>>) -> BTreeSet<Arc<str>> {
    let mut keys: Vec<&Arc<str>> = left_out.into_iter().collect();
    keys.sort_by_key(|key| !key.contains(KUBERNETES));
    keys.into_iter().take(MIXED_LABELS_MAX).cloned().collect()
}

fn shape(node: &NodeSeen, dropped: &BTreeSet<&Arc<str>>) -> Shape {
    let kept = node.labels.iter().filter(|(key, _)| !dropped.contains(key));
    let mut labels: BTreeMap<_, _> = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
    if labels.len() > CLASS_ENTRIES_MAX {
        // Kubernetes' own are those that pods select by.
        labels.retain(|key, _| key.contains(KUBERNETES));
        while labels.len() > CLASS_ENTRIES_MAX {
            labels.pop_last();
        }
    }
    let mut taints = node.taints.clone();
    taints.sort();
    (labels, taints)
}

fn rounded(counts: BTreeMap<(usize, Resources), u32>, step: u64) -> BTreeMap<(usize, Resources), u32> {
    let down = |amount: u64, step: u64| amount - amount % step;
    let mut merged: BTreeMap<(usize, Resources), u32> = BTreeMap::new();
    for ((shape, mut free), nodes) in counts {
        free.cpu_millis = down(free.cpu_millis, CPU_STEP_MILLIS.saturating_mul(step));
        free.memory_bytes = down(free.memory_bytes, BYTES_STEP.saturating_mul(step));
        free.ephemeral_bytes = down(free.ephemeral_bytes, BYTES_STEP.saturating_mul(step));
        free.pods = down(free.pods, step);
        free.extended.iter_mut().for_each(|(_, amount)| *amount = down(*amount, step));
        free.extended.retain(|(_, amount)| *amount > 0);
        *merged.entry((shape, free)).or_default() += nodes;
    }
    merged
}

fn bounded(mut resources: Resources) -> Resources {
    resources.extended.truncate(EXTENDED_RESOURCES_MAX);
    resources
}

fn add(sum: &mut Resources, more: &Resources) {
    let plus = |a: &mut u64, b: u64| *a = a.saturating_add(b);
    plus(&mut sum.cpu_millis, more.cpu_millis);
    plus(&mut sum.memory_bytes, more.memory_bytes);
    plus(&mut sum.ephemeral_bytes, more.ephemeral_bytes);
    plus(&mut sum.pods, more.pods);
    for (name, amount) in more.extended.iter().filter(|(_, amount)| *amount > 0) {
        match sum.extended.binary_search_by(|(known, _)| known.cmp(name)) {
            Ok(index) => {
                if let Some((_, known)) = sum.extended.get_mut(index) {
                    plus(known, *amount);
                }
            }
            Err(index) => sum.extended.insert(index, (name.clone(), *amount)),
        }
    }
}

#[cfg(test)]
mod tests {
    use godwit_common::TaintEffect;

    use super::*;

    fn of(nodes: &Nodes, running_pods: u32) -> Capacity {
        nodes.capacity(running_pods, Unmanaged::default())
    }

    fn resources(cpu_millis: u64, pods: u64) -> Resources {
        Resources { cpu_millis, pods, ..Resources::default() }
    }

    fn node(name: &str, cpu_millis: u64) -> NodeSeen {
        let labels = [("kubernetes.io/hostname", name), ("kubernetes.io/arch", "amd64")];
        NodeSeen {
            name: name.into(),
            labels: labels.into_iter().map(|(key, value)| (key.into(), value.into())).collect(),
            allocatable: resources(cpu_millis, 110),
            ready: true,
            schedulable: true,
            ..NodeSeen::default()
        }
    }

    #[test]
    fn alike_nodes_are_one_class_and_pods_take_room() {
        let mut nodes = Nodes::default();
        for name in ["a", "b", "c"] {
            assert!(nodes.put(node(name, 4000), 1));
        }
        assert!(!nodes.put(node("a", 4000), 1), "the same again is no news");
        nodes.bind(&"a".into(), &resources(500, 1));
        let capacity = of(&nodes, 1);
        let free: Vec<_> =
            capacity.classes.iter().map(|class| (class.free.cpu_millis, class.nodes)).collect();
        assert_eq!(free, [(3500, 1), (4000, 2)]);
        assert_eq!((capacity.nodes, capacity.nodes_ready, capacity.allocatable.cpu_millis), (3, 3, 12_000));
        nodes.unbind(&"a".into(), &resources(500, 1));
        assert_eq!(of(&nodes, 0).classes.len(), 1);
        assert!(!of(&nodes, 0).classes[0].labels.contains_key("kubernetes.io/hostname"));
    }

    #[test]
    fn a_pod_may_come_before_its_node() {
        let mut nodes = Nodes::default();
        nodes.bind(&"a".into(), &resources(500, 1));
        nodes.put(node("a", 4000), 1);
        assert_eq!(of(&nodes, 1).classes[0].free, resources(3500, 109));
    }

    #[test]
    fn what_is_not_ready_or_is_cordoned_has_no_room_but_counts() {
        let mut nodes = Nodes::default();
        nodes.put(NodeSeen { ready: false, ..node("a", 4000) }, 1);
        nodes.put(NodeSeen { schedulable: false, ..node("b", 4000) }, 1);
        let capacity = of(&nodes, 0);
        assert_eq!((capacity.classes.len(), capacity.nodes, capacity.nodes_ready), (0, 2, 1));
        assert_eq!(capacity.allocatable.cpu_millis, 8000);
    }

    #[test]
    fn many_different_nodes_become_few_classes_that_never_promise_too_much() {
        let mut nodes = Nodes::default();
        for number in 0..1000_u64 {
            let mut node = node(&format!("n{number}"), 4000 + number * 7);
            node.labels.insert("rack".into(), format!("r{}", number % 30).into());
            node.labels.insert("serial".into(), number.to_string().into());
            let key = if number % 2 == 0 { "even" } else { "odd" };
            node.taints = vec![Taint { key: key.into(), value: "".into(), effect: TaintEffect::NoSchedule }];
            nodes.put(node, 1);
        }
        let real: u64 = (0..1000).map(|number| 4000 + number * 7).sum();
        let Capacity { classes, mixed_labels, .. } = of(&nodes, 0);
        let mixed: Vec<&str> = mixed_labels.iter().map(|key| &**key).collect();
        assert_eq!(mixed, ["kubernetes.io/hostname", "serial"], "but not the rack, which the classes tell");
        assert!(classes.len() <= NODE_CLASSES_MAX, "{}", classes.len());
        let said: u64 = classes.iter().map(|class| class.free.cpu_millis * u64::from(class.nodes)).sum();
        assert!(said <= real && said > real / 2, "{said} of {real}");
        assert_eq!(classes.iter().map(|class| class.nodes).sum::<u32>(), 1000);
        assert!(classes.iter().all(|class| !class.labels.contains_key("serial")));
    }

    #[test]
    fn labels_beyond_what_a_class_holds_are_mixed_and_bounded() {
        let mut nodes = Nodes::default();
        let mut wide = node("a", 4000);
        for number in 0..300 {
            wide.labels.insert(format!("a-{number:03}").into(), "x".into());
        }
        nodes.put(wide, 1);
        nodes.put(node("b", 4000), 1);
        let Capacity { classes, mixed_labels, .. } = of(&nodes, 0);
        assert!(classes.iter().all(|class| class.labels.len() == 1), "the architecture is left: {classes:?}");
        assert_eq!(mixed_labels.len(), MIXED_LABELS_MAX);
        assert!(mixed_labels.contains("kubernetes.io/hostname"), "what pods select by is said first");
        assert!(mixed_labels.contains("a-000") && !mixed_labels.contains("a-299"));
        assert!(!mixed_labels.contains("kubernetes.io/arch"));
    }

    #[test]
    fn zones_are_those_of_all_nodes() {
        let mut nodes = Nodes::default();
        let in_zone = |name: &str, zone: &str| {
            let mut node = node(name, 1000);
            node.labels.insert(ZONE_LABEL.into(), zone.into());
            node
        };
        nodes.put(in_zone("a", "east-1"), 1);
        nodes.put(NodeSeen { ready: false, ..in_zone("b", "east-2") }, 1);
        nodes.put(NodeSeen { schedulable: false, ..in_zone("c", "east-1") }, 1);
        nodes.put(in_zone("d", ""), 1);
        nodes.put(node("e", 1000), 1);
        let zones = of(&nodes, 0).zones;
        assert_eq!(zones, ["east-1", "east-2"].map(Arc::from).into());
        for number in 0..100 {
            nodes.put(in_zone(&format!("n{number}"), &format!("z{number}")), 1);
        }
        assert_eq!(of(&nodes, 0).zones.len(), ZONES_MAX);
    }

    #[test]
    fn what_a_listing_does_not_name_is_known_and_what_is_down_too() {
        let mut nodes = Nodes::default();
        nodes.put(node("a", 1000), 1);
        nodes.put(node("b", 1000), 1);
        nodes.put(node("b", 1000), 2);
        assert_eq!(nodes.unlisted(2), ["a".into()]);
        assert!(!nodes.is_down(&"a".into()) && !nodes.is_down(&"unknown".into()));
        nodes.put(NodeSeen { ready: false, ..node("a", 1000) }, 2);
        assert!(nodes.is_down(&"a".into()));
    }
}
