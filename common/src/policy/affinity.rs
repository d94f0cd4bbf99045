//! Near which other workloads, or away from which, a workload is placed.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::WorkloadId;
use crate::selector::{LabelSelector, Labels};

/// What a policy says of other workloads. It decides about what is new; what runs is not moved by it, except to stay
/// with what it is colocated with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Affinity {
    /// Only clusters where a workload of each of these is placed.
    pub with: Vec<WorkloadSelector>,
    /// No cluster where a workload of any of these is placed. It holds both ways: what is placed away from others keeps
    /// those others away, too.
    pub without: Vec<WorkloadSelector>,
    /// The workloads of one application share their clusters: where the first of them is, the others are.
    pub colocate: bool,
}

/// In place of a namespace: all of them.
pub const ALL_NAMESPACES: &str = "*";

/// Chooses workloads. All parts that are given must match.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct WorkloadSelector {
    /// One of these namespaces, or [`ALL_NAMESPACES`]; that of the workload itself if empty.
    pub namespaces: BTreeSet<Arc<str>>,
    /// One of these names; any if empty.
    pub names: BTreeSet<Arc<str>>,
    /// Labels of the workload's own metadata as they must be.
    pub labels: LabelSelector,
}

impl Affinity {
    /// Whether it looks at other workloads at all.
    pub fn is_empty(&self) -> bool {
        self.with.is_empty() && self.without.is_empty() && !self.colocate
    }
}

impl WorkloadSelector {
    /// Whether it chooses a workload, seen from one in the namespace `home`.
    pub fn matches(&self, home: &str, workload: &WorkloadId, labels: &Labels) -> bool {
        self.looks_into(home, &workload.namespace)
            && (self.names.is_empty() || self.names.contains(&workload.name))
            && self.labels.matches(|key| labels.get(key).map(AsRef::as_ref))
    }

    /// Whether it may choose workloads of a namespace.
    pub fn looks_into(&self, home: &str, namespace: &str) -> bool {
        match self.namespaces.is_empty() {
            true => home == namespace,
            false => self.looks_everywhere() || self.namespaces.contains(namespace),
        }
    }

    /// Whether it looks into all namespaces.
    pub fn looks_everywhere(&self) -> bool {
        self.namespaces.contains(ALL_NAMESPACES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_namespaces_it_means_its_own() {
        let web = WorkloadId::new("shop", "Deployment", "web").unwrap();
        let labels: Labels = [("tier".into(), "web".into())].into();
        let mut selector = WorkloadSelector::default();
        assert!(selector.matches("shop", &web, &labels) && !selector.matches("other", &web, &labels));
        selector.namespaces.insert("*".into());
        assert!(selector.matches("other", &web, &labels));
        selector.labels.labels.insert("tier".into(), "db".into());
        assert!(!selector.matches("other", &web, &labels));
        selector.labels = LabelSelector::default();
        selector.names.insert("db".into());
        assert!(!selector.matches("other", &web, &labels));
    }
}
