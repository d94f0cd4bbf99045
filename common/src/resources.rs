//! What pods ask for and nodes have free.

use std::collections::BTreeMap;
use std::sync::Arc;

/// An amount of each resource. Pods are a resource like any other: a pod asks for one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Resources {
    /// CPU, in thousandths of a core.
    pub cpu_millis: u64,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// Ephemeral storage, in bytes.
    pub ephemeral_bytes: u64,
    /// Pods.
    pub pods: u64,
    /// Extended resources, such as `nvidia.com/gpu`, in their own units; sorted by name, none of them zero.
    pub extended: Vec<(Arc<str>, u64)>,
}

impl Resources {
    /// How many times `request` fits into this; `u64::MAX` when the request asks for nothing.
    pub fn fits(&self, request: &Resources) -> u64 {
        let times = |free: u64, asked: u64| free.checked_div(asked).unwrap_or(u64::MAX);
        let extended = request.extended.iter().map(|(name, asked)| times(self.extended(name), *asked)).min();
        times(self.cpu_millis, request.cpu_millis)
            .min(times(self.memory_bytes, request.memory_bytes))
            .min(times(self.ephemeral_bytes, request.ephemeral_bytes))
            .min(times(self.pods, request.pods))
            .min(extended.unwrap_or(u64::MAX))
    }

    /// Takes `times` × `request` away; what is not there stops at zero.
    pub fn subtract(&mut self, request: &Resources, times: u64) {
        let less = |free: &mut u64, asked: u64| *free = free.saturating_sub(asked.saturating_mul(times));
        less(&mut self.cpu_millis, request.cpu_millis);
        less(&mut self.memory_bytes, request.memory_bytes);
        less(&mut self.ephemeral_bytes, request.ephemeral_bytes);
        less(&mut self.pods, request.pods);
        for (name, free) in &mut self.extended {
            less(free, request.extended(name));
        }
        self.extended.retain(|(_, free)| *free > 0);
    }

    /// Adds `times` × `more`, as far as the type goes.
    pub fn add(&mut self, more: &Resources, times: u64) {
        let plus = |sum: &mut u64, each: u64| *sum = sum.saturating_add(each.saturating_mul(times));
        plus(&mut self.cpu_millis, more.cpu_millis);
        plus(&mut self.memory_bytes, more.memory_bytes);
        plus(&mut self.ephemeral_bytes, more.ephemeral_bytes);
        plus(&mut self.pods, more.pods);
        for (name, amount) in more.extended.iter().filter(|(_, amount)| *amount > 0 && times > 0) {
            match self.extended.binary_search_by(|(known, _)| known.cmp(name)) {
                Ok(index) => {
                    if let Some((_, known)) = self.extended.get_mut(index) {
                        plus(known, *amount);
                    }
                }
                Err(index) => self.extended.insert(index, (name.clone(), amount.saturating_mul(times))),
            }
        }
    }

    /// The amount of an extended resource; zero when there is none.
    pub fn extended(&self, name: &str) -> u64 {
        let found = self.extended.binary_search_by(|(candidate, _)| (**candidate).cmp(name));
        found.map_or(0, |index| self.extended[index].1)
    }
}

/// What a taint does to pods that do not tolerate it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaintEffect {
    /// Nothing new is placed.
    NoSchedule,
    /// Avoided where possible.
    PreferNoSchedule,
    /// Nothing new is placed, and what runs must leave.
    NoExecute,
}

impl TaintEffect {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::NoSchedule, Self::PreferNoSchedule, Self::NoExecute];

    /// What Kubernetes calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
        }
    }

    /// The effect that Kubernetes calls so.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effect| effect.name() == name)
    }
}

/// A Kubernetes taint, of a node or of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Taint {
    /// The key.
    pub key: Arc<str>,
    /// The value; may be empty.
    pub value: Arc<str>,
    /// The effect.
    pub effect: TaintEffect,
}

/// Nodes of one cluster that are alike: equal labels, taints, architecture and free resources. A cluster reports at
/// most 64 classes; its agent rounds free resources down until they suffice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeClass {
    /// The labels that the class shares.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// The taints that the class shares.
    pub taints: Vec<Taint>,
    /// How many nodes there are of it.
    pub nodes: u32,
    /// What each of the nodes has free.
    pub free: Resources,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(cpu_millis: u64, pods: u64, gpus: u64) -> Resources {
        let extended = if gpus == 0 { Vec::new() } else { vec![("gpu".into(), gpus)] };
        Resources { cpu_millis, pods, extended, ..Resources::default() }
    }

    #[test]
    fn effects_are_found_by_their_names() {
        for effect in TaintEffect::ALL {
            assert_eq!(TaintEffect::of_name(effect.name()), Some(effect));
        }
        assert_eq!(TaintEffect::of_name("noExecute"), None);
    }

    #[test]
    fn the_scarcest_resource_decides() {
        assert_eq!(resources(1000, 10, 0).fits(&resources(300, 1, 0)), 3);
        assert_eq!(resources(1000, 2, 0).fits(&resources(300, 1, 0)), 2);
        assert_eq!(resources(1000, 9, 0).fits(&resources(300, 1, 1)), 0);
        assert_eq!(resources(1000, 9, 2).fits(&resources(0, 0, 1)), 2);
        assert_eq!(resources(0, 0, 0).fits(&resources(0, 0, 0)), u64::MAX);
    }

    #[test]
    fn addition_keeps_extended_resources_in_order() {
        let mut sum = Resources { extended: vec![("b".into(), 1)], ..Resources::default() };
        let more = Resources { extended: vec![("a".into(), 1), ("b".into(), 2)], ..resources(100, 1, 0) };
        sum.add(&more, 3);
        assert_eq!((sum.cpu_millis, sum.pods), (300, 3));
        assert_eq!(sum.extended, [("a".into(), 3), ("b".into(), 7)]);
    }

    #[test]
    fn subtraction_stops_at_zero() {
        let mut free = resources(1000, 10, 2);
        free.subtract(&resources(300, 1, 1), 2);
        assert_eq!(free, resources(400, 8, 0));
        free.subtract(&resources(300, 1, 1), u64::MAX);
        assert_eq!(free, resources(0, 0, 0));
    }
}
