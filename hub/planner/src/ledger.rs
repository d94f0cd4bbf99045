//! The room of a whole batch of workloads: what one takes, the next does not find (S15, I8).

use std::collections::BTreeMap;

use godwit_common::{ClusterName, NodeClass, Resources};

use crate::pod::PodShape;
use crate::report::Scarce;

/// How many classes of nodes a cluster may report. What is beyond is not counted.
pub const CLASSES_MAX: usize = 64;

/// The free room of several clusters.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    clusters: BTreeMap<ClusterName, ClusterRoom>,
}

impl Ledger {
    /// Sets what a cluster reported as free.
    pub fn set(&mut self, cluster: ClusterName, room: ClusterRoom) {
        self.clusters.insert(cluster, room);
    }

    /// How many of a pod fit into a cluster; none fits into a cluster that is not in the ledger.
    pub fn fits(&self, cluster: &ClusterName, pod: &PodShape, limit: u32) -> Fit {
        let unknown = Fit {
            replicas: 0,
            scarce: Scarce::Nodes,
        };
        self.clusters
            .get(cluster)
            .map_or(unknown, |room| room.fits(pod, limit))
    }

    /// Takes the room of so many pods, as far as there is any. Returns how many were taken.
    pub fn take(&mut self, cluster: &ClusterName, pod: &PodShape, replicas: u32) -> u32 {
        self.clusters
            .get_mut(cluster)
            .map_or(0, |room| room.take(pod, replicas))
    }
}

/// How many of a pod fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    /// The number, up to the limit that was asked for.
    pub replicas: u32,
    /// What another one lacks, on most of the nodes.
    pub scarce: Scarce,
}

/// The free room of one cluster, counted node by node.
#[derive(Debug, Clone, Default)]
pub struct ClusterRoom {
    classes: Vec<NodeClass>,
}

impl ClusterRoom {
    /// The room that a cluster reported.
    pub fn new(classes: impl IntoIterator<Item = NodeClass>) -> Self {
        Self {
            classes: classes.into_iter().take(CLASSES_MAX).collect(),
        }
    }

    /// How many of a pod fit on the nodes that admit it, up to a limit.
    pub fn fits(&self, pod: &PodShape, limit: u32) -> Fit {
        let (mut replicas, mut bound) = (0_u32, BTreeMap::<Scarce, u64>::new());
        for class in self.classes.iter().filter(|class| pod.admitted_by(class)) {
            let (each, scarce) = fits_node(&class.free, &pod.requests);
            let fit = u64::from(class.nodes).saturating_mul(each);
            replicas = replicas.saturating_add(u32::try_from(fit).unwrap_or(u32::MAX));
            *bound.entry(scarce).or_default() += u64::from(class.nodes);
        }
        let most = bound.into_iter().max_by(|(a, n), (b, m)| n.cmp(m).then(b.cmp(a)));
        Fit {
            replicas: replicas.min(limit),
            scarce: most.map_or(Scarce::Nodes, |(scarce, _)| scarce),
        }
    }

    /// Takes the room of so many pods, filling node after node. Returns how many found room.
    pub fn take(&mut self, pod: &PodShape, replicas: u32) -> u32 {
        let mut left = replicas;
        let mut split = Vec::new();
        for class in &mut self.classes {
            if left == 0 {
                break;
            }
            if pod.admitted_by(class) {
                left -= take_from(class, &pod.requests, left, &mut split);
            }
        }
        self.classes.append(&mut split);
        replicas - left
    }
}

/// Takes up to `wanted` pods from a class. Nodes that are filled stay in it or become a class of their own, as does
/// the one that is filled in part.
fn take_from(class: &mut NodeClass, request: &Resources, wanted: u32, split: &mut Vec<NodeClass>) -> u32 {
    let (each, _) = fits_node(&class.free, request);
    let each = u32::try_from(each).unwrap_or(u32::MAX);
    if each == 0 || class.nodes == 0 {
        return 0;
    }
    let (full, rest) = (wanted / each, wanted % each);
    if full >= class.nodes {
        class.free.subtract(request, each.into());
        return each.saturating_mul(class.nodes);
    }
    for (nodes, pods) in [(full, each), (u32::from(rest > 0), rest)] {
        if nodes > 0 {
            let mut part = NodeClass {
                nodes,
                ..class.clone()
            };
            part.free.subtract(request, pods.into());
            split.push(part);
            class.nodes -= nodes;
        }
    }
    wanted
}

/// How many of a request fit on a node with this much free, and what the next one lacks.
fn fits_node(free: &Resources, request: &Resources) -> (u64, Scarce) {
    let times = |free: u64, asked: u64| free.checked_div(asked).unwrap_or(u64::MAX);
    let standard = [
        (times(free.cpu_millis, request.cpu_millis), Scarce::Cpu),
        (times(free.memory_bytes, request.memory_bytes), Scarce::Memory),
        (
            times(free.ephemeral_bytes, request.ephemeral_bytes),
            Scarce::EphemeralStorage,
        ),
        (times(free.pods, request.pods), Scarce::Pods),
    ];
    let extended = request.extended.iter();
    let extended =
        extended.map(|(name, asked)| (times(free.extended(name), *asked), Scarce::Extended(name.clone())));
    let least = standard.into_iter().chain(extended).min_by_key(|(fits, _)| *fits);
    least.unwrap_or((u64::MAX, Scarce::Pods))
}
