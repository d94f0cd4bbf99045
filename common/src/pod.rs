//! A pod as far as placing it matters.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::selector::{LabelSelector, Labels};
use crate::{NodeClass, Resources, Taint, TaintEffect};

/// What one replica needs of a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PodShape {
    /// What it asks for, by Kubernetes' own rule: containers, init containers, sidecars, pod-level resources, overhead;
    /// one pod among it.
    pub requests: Resources,
    /// Labels that its node must have.
    pub node_selector: Labels,
    /// The terms of `requiredDuringSchedulingIgnoredDuringExecution`: its node must be as one of them says; any node will
    /// do when there are none. The field `metadata.name` counts as the label [`NODE_NAME`].
    pub node_affinity: Vec<LabelSelector>,
    /// Taints that it tolerates.
    pub tolerations: Vec<Toleration>,
}

/// The key under which a node's name stands in [`PodShape::node_affinity`].
pub const NODE_NAME: &str = "metadata.name";

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

impl PodShape {
    /// Whether the scheduler may put the pod on nodes of this class, whatever they have free. `mixed` are labels in which
    /// nodes of one class differ: whether they match is not known, so that what asks for them is not admitted (S15).
    pub fn admitted_by(&self, class: &NodeClass, mixed: &BTreeSet<Arc<str>>) -> bool {
        let selected = self.node_selector.iter().all(|(key, value)| class.labels.get(key) == Some(value));
        selected
            && (self.node_affinity.is_empty()
                || self.node_affinity.iter().any(|term| term_admits(term, class, mixed)))
            && class.taints.iter().all(|taint| self.tolerates(taint))
    }

    fn tolerates(&self, taint: &Taint) -> bool {
        match taint.effect {
            TaintEffect::PreferNoSchedule => true,
            TaintEffect::NoSchedule | TaintEffect::NoExecute => {
                self.tolerations.iter().any(|toleration| toleration.tolerates(taint))
            }
        }
    }
}

/// An empty term matches no node, as in Kubernetes.
fn term_admits(term: &LabelSelector, class: &NodeClass, mixed: &BTreeSet<Arc<str>>) -> bool {
    let unknown = |key: &Arc<str>| **key == *NODE_NAME || mixed.contains(key);
    !term.is_empty()
        && !term.keys().any(unknown)
        && term.matches(|key| class.labels.get(key).map(AsRef::as_ref))
}

impl Toleration {
    /// Whether it tolerates a taint.
    pub fn tolerates(&self, taint: &Taint) -> bool {
        self.key.as_ref().is_none_or(|key| *key == taint.key)
            && self.value.as_ref().is_none_or(|value| *value == taint.value)
            && self.effect.is_none_or(|effect| effect == taint.effect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selector::{Requirement, Test};

    fn taint(key: &str, value: &str, effect: TaintEffect) -> Taint {
        Taint { key: key.into(), value: value.into(), effect }
    }

    fn toleration(key: Option<&str>, value: Option<&str>, effect: Option<TaintEffect>) -> Toleration {
        Toleration { key: key.map(Into::into), value: value.map(Into::into), effect }
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
    }

    fn admits(pod: &PodShape, pairs: &[(&str, &str)], mixed: &[&str]) -> bool {
        let mixed = mixed.iter().map(|key| (*key).into()).collect();
        pod.admitted_by(&NodeClass { labels: labels(pairs), ..NodeClass::default() }, &mixed)
    }

    #[test]
    fn a_toleration_matches_by_key_value_and_effect() {
        let gpu = taint("gpu", "a100", TaintEffect::NoSchedule);
        let matches = |key, value, effect| toleration(key, value, effect).tolerates(&gpu);
        assert!(matches(Some("gpu"), Some("a100"), Some(TaintEffect::NoSchedule)));
        assert!(matches(Some("gpu"), None, None));
        assert!(matches(None, None, None));
        assert!(!matches(Some("gpu"), Some("h100"), None));
        assert!(!matches(Some("spot"), None, None));
        assert!(!matches(Some("gpu"), None, Some(TaintEffect::NoExecute)));
    }

    #[test]
    fn every_taint_must_be_tolerated_except_preferences() {
        let class = |taints: &[Taint]| NodeClass { taints: taints.to_vec(), ..NodeClass::default() };
        let gpu = taint("gpu", "", TaintEffect::NoSchedule);
        let spot = taint("spot", "", TaintEffect::NoExecute);
        let soft = taint("old", "", TaintEffect::PreferNoSchedule);
        let pod = PodShape { tolerations: vec![toleration(Some("gpu"), None, None)], ..PodShape::default() };
        let admitted = |taints: &[Taint]| pod.admitted_by(&class(taints), &BTreeSet::new());
        assert!(admitted(&[]));
        assert!(admitted(&[gpu.clone(), soft]));
        assert!(!admitted(&[gpu, spot]));
    }

    #[test]
    fn every_selected_label_must_be_there() {
        let pod =
            PodShape { node_selector: labels(&[("disk", "ssd"), ("zone", "a")]), ..PodShape::default() };
        assert!(admits(&pod, &[("disk", "ssd"), ("zone", "a"), ("x", "y")], &[]));
        assert!(!admits(&pod, &[("disk", "ssd")], &[]));
        assert!(!admits(&pod, &[("disk", "ssd"), ("zone", "b")], &[]));
    }

    #[test]
    fn one_term_of_the_node_affinity_must_hold_and_be_known_to() {
        let not = |key: &str, value: &str| Requirement {
            key: key.into(),
            test: Test::NotIn([value.into()].into()),
        };
        let term = |one| LabelSelector { expressions: vec![one], ..LabelSelector::default() };
        let arm = LabelSelector { labels: labels(&[("arch", "arm64")]), ..LabelSelector::default() };
        let pod = PodShape { node_affinity: vec![arm, term(not("rack", "r1"))], ..PodShape::default() };
        assert!(admits(&pod, &[("arch", "arm64"), ("rack", "r1")], &[]));
        assert!(admits(&pod, &[("rack", "r2")], &[]));
        assert!(!admits(&pod, &[("rack", "r1")], &[]));
        // The nodes of the class differ in their racks.
        assert!(!admits(&pod, &[], &["rack"]));
        let named = PodShape { node_affinity: vec![term(not(NODE_NAME, "n1"))], ..PodShape::default() };
        assert!(!admits(&named, &[], &[]));
        let nothing = PodShape { node_affinity: vec![LabelSelector::default()], ..PodShape::default() };
        assert!(!admits(&nothing, &[], &[]));
    }
}
