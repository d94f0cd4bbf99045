//! Constraints of the strategy `spread`.

use std::sync::Arc;

use crate::ClusterName;
use crate::traits::Traits;

/// How replicas are spread over groups of clusters. Several constraints nest: groups of the second within those of the
/// first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpreadConstraint {
    /// What makes a group.
    pub by: GroupBy,
    /// At least so many groups, as far as there are replicas.
    pub min_groups: Option<u32>,
    /// At most so many.
    pub max_groups: Option<u32>,
    /// How many replicas more than the emptiest group that may grow a group may be given. What runs is not cut to it.
    pub max_skew: Option<u32>,
    /// Replicas that cannot keep to it are placed all the same (`ScheduleAnyway`), rather than wait (`DoNotSchedule`).
    pub soft: bool,
}

/// What clusters have in common within a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupBy {
    /// Nothing: each is a group.
    Cluster,
    /// The zones of their nodes.
    Zone,
    /// Their region.
    Region,
    /// Their provider.
    Provider,
    /// The value of a label.
    Label(Arc<str>),
}

impl GroupBy {
    /// The group of a cluster; none when what makes the groups is not known of it.
    pub fn group_of(&self, cluster: &ClusterName, traits: &Traits) -> Option<Arc<str>> {
        match self {
            Self::Cluster => Some(cluster.as_str().into()),
            Self::Zone => traits.zones().map(Into::into),
            Self::Region => traits.region().map(Into::into),
            Self::Provider => traits.provider().map(Into::into),
            Self::Label(key) => traits.label(key).map(Into::into),
        }
    }

    /// What it is called in a policy.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Cluster => "cluster",
            Self::Zone => "zone",
            Self::Region => "region",
            Self::Provider => "provider",
            Self::Label(key) => key,
        }
    }
}

impl From<&str> for GroupBy {
    fn from(text: &str) -> Self {
        match text {
            "cluster" => Self::Cluster,
            "zone" => Self::Zone,
            "region" => Self::Region,
            "provider" => Self::Provider,
            key => Self::Label(key.into()),
        }
    }
}
