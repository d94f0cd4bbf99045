//! What a cluster is like: what policies choose clusters by.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::selector::Labels;

/// The label under which selectors see a cluster's region, unless an operator set it.
pub const REGION_LABEL: &str = "topology.kubernetes.io/region";
/// The label under which selectors see a cluster's zone, if it is in exactly one and an operator did not set it.
pub const ZONE_LABEL: &str = "topology.kubernetes.io/zone";
/// The label under which selectors see a cluster's provider, unless an operator set it.
pub const PROVIDER_LABEL: &str = "godwit.dev/provider";

/// What is known of a cluster that does not change with its load.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Traits {
    /// Given by operators.
    pub labels: Labels,
    /// From its nodes; may be empty.
    pub provider: Arc<str>,
    /// From its nodes; may be empty.
    pub region: Arc<str>,
    /// Those of its nodes.
    pub zones: BTreeSet<Arc<str>>,
}

impl Traits {
    /// A label as selectors see it: what an operator gave, else what is known from the nodes.
    pub fn label(&self, key: &str) -> Option<&str> {
        let given = self.labels.get(key).map(AsRef::as_ref);
        given.or_else(|| {
            let known = match key {
                REGION_LABEL => &*self.region,
                PROVIDER_LABEL => &*self.provider,
                ZONE_LABEL if self.zones.len() == 1 => self.zones.first().map_or("", AsRef::as_ref),
                _ => "",
            };
            Some(known).filter(|known| !known.is_empty())
        })
    }

    /// The region: the operator's label, else the nodes'.
    pub fn region(&self) -> Option<&str> {
        self.label(REGION_LABEL)
    }

    /// The provider: the operator's label, else the nodes'.
    pub fn provider(&self) -> Option<&str> {
        self.label(PROVIDER_LABEL)
    }

    /// Whether the cluster is in a zone: the operator's label alone if there is one, else any of the nodes'.
    pub fn is_in_zone(&self, wanted: impl Fn(&str) -> bool) -> bool {
        match self.labels.get(ZONE_LABEL) {
            Some(zone) => wanted(zone),
            None => self.zones.iter().any(|zone| wanted(zone)),
        }
    }

    /// All zones as one text: two clusters over the same zones fail with them alike. None when nothing is known.
    pub fn zones(&self) -> Option<String> {
        match self.labels.get(ZONE_LABEL) {
            Some(zone) => Some(zone.to_string()),
            None if self.zones.is_empty() => None,
            None => Some(self.zones.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join("+")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operator_says_wins_over_what_nodes_say() {
        let mut traits = Traits { region: "eu".into(), zones: ["a".into()].into(), ..Traits::default() };
        assert_eq!((traits.region(), traits.provider()), (Some("eu"), None));
        assert_eq!((traits.label(ZONE_LABEL), traits.label("other")), (Some("a"), None));
        traits.zones.insert("b".into());
        assert_eq!((traits.label(ZONE_LABEL), traits.zones().as_deref()), (None, Some("a+b")));
        assert!(traits.is_in_zone(|zone| zone == "b"));
        traits.labels = [(REGION_LABEL.into(), "us".into()), (ZONE_LABEL.into(), "z".into())].into();
        assert_eq!((traits.region(), traits.zones().as_deref()), (Some("us"), Some("z")));
        assert!(!traits.is_in_zone(|zone| zone == "b"));
    }
}
