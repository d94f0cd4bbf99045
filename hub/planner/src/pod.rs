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
        let selected = self.node_selector.iter().all(|(key, value)| class.labels.get(key) == Some(value));
        let tolerated = |taint: &Taint| match taint.effect {
            TaintEffect::PreferNoSchedule => true,
            TaintEffect::NoSchedule | TaintEffect::NoExecute => {
                self.tolerations.iter().any(|toleration| toleration.tolerates(taint))
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn taint(key: &str, value: &str, effect: TaintEffect) -> Taint {
        Taint { key: key.into(), value: value.into(), effect }
    }

    fn toleration(key: Option<&str>, value: Option<&str>, effect: Option<TaintEffect>) -> Toleration {
        Toleration { key: key.map(Into::into), value: value.map(Into::into), effect }
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
        assert!(pod.admitted_by(&class(&[])));
        assert!(pod.admitted_by(&class(&[gpu.clone(), soft])));
        assert!(!pod.admitted_by(&class(&[gpu, spot])));
    }

    #[test]
    fn every_selected_label_must_be_there() {
        let labels = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        let pod =
            PodShape { node_selector: labels(&[("disk", "ssd"), ("zone", "a")]), ..PodShape::default() };
        let admits = |pairs: &[(&str, &str)]| {
            pod.admitted_by(&NodeClass { labels: labels(pairs), ..NodeClass::default() })
        };
        assert!(admits(&[("disk", "ssd"), ("zone", "a"), ("x", "y")]));
        assert!(!admits(&[("disk", "ssd")]));
        assert!(!admits(&[("disk", "ssd"), ("zone", "b")]));
    }
}
