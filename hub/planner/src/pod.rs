//! A pod as far as placing it matters.

use std::collections::BTreeMap;
use std::sync::Arc;

use godwit_common::{NodeClass, Resources, Taint, TaintEffect};

/// What one replica needs of a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PodShape {
    /// What it asks for; one pod among it.
    pub requests: Resources,
    /// Labels that its node must have.
    pub node_selector: BTreeMap<Arc<str>, Arc<str>>,
    /// Taints that it tolerates.
    pub tolerations: Vec<Toleration>,
}

impl PodShape {
    /// Whether the scheduler may put the pod on nodes of this class, whatever they have free.
    pub fn admitted_by(&self, class: &NodeClass) -> bool {
        let selected = self
            .node_selector
            .iter()
            .all(|(key, value)| class.labels.get(key) == Some(value));
        let tolerated = |taint: &Taint| match taint.effect {
            TaintEffect::PreferNoSchedule => true,
            TaintEffect::NoSchedule | TaintEffect::NoExecute => self
                .tolerations
                .iter()
                .any(|toleration| toleration.tolerates(taint)),
        };
        selected && class.taints.iter().all(tolerated)
    }
}

/// A Kubernetes toleration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Toleration {
    /// The taint's key; none tolerates every key (`operator: Exists` without a key).
    pub key: Option<Arc<str>>,
    /// The taint's value (`operator: Equal`); none tolerates every value (`operator: Exists`).
    pub value: Option<Arc<str>>,
    /// The taint's effect; none tolerates every effect.
    pub effect: Option<TaintEffect>,
}

impl Toleration {
    /// Whether it tolerates a taint.
    pub fn tolerates(&self, taint: &Taint) -> bool {
        self.key.as_ref().is_none_or(|key| *key == taint.key)
            && self.value.as_ref().is_none_or(|value| *value == taint.value)
            && self.effect.is_none_or(|effect| effect == taint.effect)
    }
}
