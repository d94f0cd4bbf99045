//! Which clusters: by name, label, region, zone, provider.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::ClusterName;
use crate::selector::LabelSelector;
use crate::traits::Traits;

/// Chooses clusters. All parts that are given must match; the empty selector chooses all clusters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ClusterSelector {
    /// One of these names; any if empty.
    pub names: BTreeSet<ClusterName>,
    /// None of these names.
    pub exclude: BTreeSet<ClusterName>,
    /// Labels as they must be. Region, zone and provider can be seen as labels, too (see [`crate::traits`]).
    pub labels: LabelSelector,
    /// One of these regions; any if empty.
    pub regions: BTreeSet<Arc<str>>,
    /// Nodes in one of these zones; any if empty.
    pub zones: BTreeSet<Arc<str>>,
    /// One of these providers; any if empty.
    pub providers: BTreeSet<Arc<str>>,
}

impl ClusterSelector {
    /// A selector of names alone.
    pub fn of_names(names: impl IntoIterator<Item = ClusterName>) -> Self {
        Self { names: names.into_iter().collect(), ..Self::default() }
    }

    /// Whether it chooses all clusters.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it chooses a cluster.
    pub fn matches(&self, cluster: &ClusterName, traits: &Traits) -> bool {
        let any = |wanted: &BTreeSet<Arc<str>>, value: Option<&str>| {
            wanted.is_empty() || value.is_some_and(|value| wanted.contains(value))
        };
        (self.names.is_empty() || self.names.contains(cluster))
            && !self.exclude.contains(cluster)
            && (self.labels.is_empty() || self.labels.matches(|key| traits.label(key)))
            && any(&self.regions, traits.region())
            && any(&self.providers, traits.provider())
            && (self.zones.is_empty() || traits.is_in_zone(|zone| self.zones.contains(zone)))
    }

    /// Whether the name alone may choose a cluster, whatever it is like.
    pub fn may_hold(&self, cluster: &ClusterName) -> bool {
        (self.names.is_empty() || self.names.contains(cluster)) && !self.exclude.contains(cluster)
    }
}

/// In a few words: `bravo, charlie` or `tier=new`.
impl fmt::Display for ClusterSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { names, exclude, labels, regions, zones, providers } = self;
        let mut parts: Vec<String> = names.iter().map(ToString::to_string).collect();
        parts.extend(exclude.iter().map(|name| format!("not {name}")));
        parts.extend(labels.labels.iter().map(|(key, value)| format!("{key}={value}")));
        parts.extend(labels.expressions.iter().map(ToString::to_string));
        for (what, values) in [("region", regions), ("zone", zones), ("provider", providers)] {
            parts.extend(values.iter().map(|value| format!("{what} {value}")));
        }
        if parts.is_empty() { f.write_str("any cluster") } else { f.write_str(&parts.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selector::{Requirement, Test};

    #[test]
    fn all_parts_must_match() {
        let east: ClusterName = "east".parse().unwrap();
        let traits = Traits {
            region: "eu".into(),
            zones: ["eu-a".into(), "eu-b".into()].into(),
            labels: [("tier".into(), "prod".into())].into(),
            ..Traits::default()
        };
        let mut selector = ClusterSelector::default();
        assert!(selector.is_empty() && selector.matches(&east, &traits));
        selector.names.insert(east.clone());
        selector.regions.insert("eu".into());
        selector.zones.insert("eu-b".into());
        let tier = Requirement { key: "tier".into(), test: Test::In(["prod".into()].into()) };
        selector.labels.expressions.push(tier);
        assert!(selector.matches(&east, &traits));
        assert!(!selector.matches(&"west".parse().unwrap(), &traits));
        assert!(!selector.matches(&east, &Traits { region: "us".into(), ..traits.clone() }));
        assert!(!selector.matches(&east, &Traits { zones: BTreeSet::new(), ..traits.clone() }));
        selector.providers.insert("aws".into());
        assert!(!selector.matches(&east, &traits));
        selector.providers.clear();
        selector.exclude.insert(east.clone());
        assert!(!selector.matches(&east, &traits));
        assert_eq!(selector.to_string(), "east, not east, tier in (prod), region eu, zone eu-b");
        assert_eq!(ClusterSelector::default().to_string(), "any cluster");
    }
}
