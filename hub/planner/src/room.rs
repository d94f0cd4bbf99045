//! The room of a cluster: what one workload takes, the next does not find (S15, I8).

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;

use godwit_common::{NodeClass, PodShape, Resources};

use crate::report::Scarce;

/// How many classes of nodes a cluster may report. What is beyond is not counted.
pub const CLASSES_MAX: usize = 64;

/// How many classes a cluster may fall into as a batch fills it: beyond, those alike are joined, at a loss of room.
const SPLIT_MAX: usize = 4 * CLASSES_MAX;

/// How many of a pod fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    /// The number, up to the limit that was asked for.
    pub replicas: u32,
    /// What another one would lack, on most of the nodes that were looked at: none are once the limit is reached.
    pub scarce: Scarce,
}

/// The free room of one cluster, counted node by node: dividing sums would find room that no node has.
#[derive(Debug, Clone, Default)]
pub struct ClusterRoom {
    classes: Vec<NodeClass>,
    /// Labels in which the nodes of one class differ.
    mixed: BTreeSet<Arc<str>>,
}

impl ClusterRoom {
    /// The room that a cluster reported, and the labels in which the nodes of one class differ.
    pub fn new(classes: impl IntoIterator<Item = NodeClass>, mixed: BTreeSet<Arc<str>>) -> Self {
        Self { classes: classes.into_iter().take(CLASSES_MAX).collect(), mixed }
    }

    /// How many of a pod fit on the nodes that admit it, up to a limit.
    pub fn fits(&self, pod: &PodShape, limit: u32) -> Fit {
        let mut replicas = 0;
        for class in self.admitting(pod) {
            let fit = class.free.fits(&pod.requests).saturating_mul(class.nodes.into());
            replicas = fit.saturating_add(replicas);
            if replicas >= u64::from(limit) {
                return Fit { replicas: limit, scarce: scarce(&class.free, &pod.requests) };
            }
        }
        let mut nodes = BTreeMap::<Scarce, u64>::new();
        for class in self.admitting(pod) {
            *nodes.entry(scarce(&class.free, &pod.requests)).or_default() += u64::from(class.nodes);
        }
        let most = nodes.into_iter().rev().max_by_key(|(_, nodes)| *nodes);
        // Less than the limit, so it fits.
        Fit { replicas: replicas as u32, scarce: most.map_or(Scarce::Nodes, |(scarce, _)| scarce) }
    }

    /// Takes the room of so many pods, filling node after node. Returns how many found room.
    pub fn take(&mut self, pod: &PodShape, replicas: u32) -> u32 {
        let mut left = replicas;
        let mut parts = Vec::new();
        let Self { classes, mixed } = self;
        for class in classes.iter_mut().filter(|class| pod.admitted_by(class, mixed)) {
            if left == 0 {
                break;
            }
            left -= take_from(class, &pod.requests, left, &mut parts);
        }
        parts.into_iter().for_each(|part| self.add(part));
        if self.classes.len() > SPLIT_MAX {
            self.join();
        }
        replicas - left
    }

    /// Adds nodes to those that are like them, if there are any: many pods of one shape make few classes.
    fn add(&mut self, part: NodeClass) {
        let alike = |class: &&mut NodeClass| {
            (&class.free, &class.labels, &class.taints) == (&part.free, &part.labels, &part.taints)
        };
        match self.classes.iter_mut().rev().find(alike) {
            Some(class) => class.nodes = class.nodes.saturating_add(part.nodes),
            None => self.classes.push(part),
        }
    }

    fn admitting(&self, pod: &PodShape) -> impl Iterator<Item = &NodeClass> {
        self.classes.iter().filter(|class| pod.admitted_by(class, &self.mixed))
    }

    /// Joins classes that differ only in what they have free, two by two, each pair by the lesser of both: room is
    /// lost, never invented.
    fn join(&mut self) {
        let mut classes = mem::take(&mut self.classes);
        classes.retain(|class| class.nodes > 0 && class.free.pods > 0);
        classes.sort_by(|a, b| (&a.labels, &a.taints, &a.free).cmp(&(&b.labels, &b.taints, &b.free)));
        let mut rest = classes.into_iter().peekable();
        while let Some(mut class) = rest.next() {
            let alike = |next: &NodeClass| (&class.labels, &class.taints) == (&next.labels, &next.taints);
            if let Some(next) = rest.next_if(alike) {
                class.free = lesser(&class.free, &next.free);
                class.nodes = class.nodes.saturating_add(next.nodes);
            }
            self.classes.push(class);
        }
    }
}

/// Takes up to `wanted` pods from a class, and returns how many. Nodes that are filled become a class of their own
/// unless all are, as does the one that is filled in part.
fn take_from(class: &mut NodeClass, request: &Resources, wanted: u32, parts: &mut Vec<NodeClass>) -> u32 {
    let each = u32::try_from(class.free.fits(request)).unwrap_or(u32::MAX);
    if each == 0 {
        return 0;
    }
    let (full, rest) = (wanted / each, wanted % each);
    if full >= class.nodes {
        class.free.subtract(request, each.into());
        return each.saturating_mul(class.nodes);
    }
    for (nodes, pods) in [(full, each), (1, rest)] {
        if nodes == 0 || pods == 0 {
            continue;
        }
        class.nodes -= nodes;
        let mut part = NodeClass { nodes, ..class.clone() };
        part.free.subtract(request, pods.into());
        parts.push(part);
    }
    wanted
}

/// The resource of which a node is first out when it takes a request again and again.
fn scarce(free: &Resources, request: &Resources) -> Scarce {
    let times = |free: u64, asked: u64| free.checked_div(asked).unwrap_or(u64::MAX);
    let standard = [
        (times(free.cpu_millis, request.cpu_millis), Scarce::Cpu),
        (times(free.memory_bytes, request.memory_bytes), Scarce::Memory),
        (times(free.ephemeral_bytes, request.ephemeral_bytes), Scarce::EphemeralStorage),
        (times(free.pods, request.pods), Scarce::Pods),
    ];
    let extended = request.extended.iter();
    let extended =
        extended.map(|(name, asked)| (times(free.extended(name), *asked), Scarce::Extended(name.clone())));
    let first = standard.into_iter().chain(extended).min_by_key(|(fits, _)| *fits);
    first.map_or(Scarce::Pods, |(_, scarce)| scarce)
}

fn lesser(a: &Resources, b: &Resources) -> Resources {
    let extended = a.extended.iter().map(|(name, amount)| (name.clone(), b.extended(name).min(*amount)));
    Resources {
        cpu_millis: a.cpu_millis.min(b.cpu_millis),
        memory_bytes: a.memory_bytes.min(b.memory_bytes),
        ephemeral_bytes: a.ephemeral_bytes.min(b.ephemeral_bytes),
        pods: a.pods.min(b.pods),
        extended: extended.filter(|(_, amount)| *amount > 0).collect(),
    }
}

#[cfg(test)]
mod tests;
