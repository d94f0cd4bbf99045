//! The state of a cluster as people see it.

use godwit_hub_core::{ClusterState, ClusterView, DrainState, Purpose};

/// What an operator, or a fault of its own, makes of a cluster that is connected is more of note than that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Unknown,
    Joining,
    Ready,
    Degraded,
    Suspect,
    Lost,
    Returning,
    Draining,
    Drained,
    Retiring,
    Maintenance,
}

impl Shown {
    /// All of them, in the order of their declaration.
    pub(crate) const ALL: [Self; 11] = [
        Self::Unknown,
        Self::Joining,
        Self::Ready,
        Self::Degraded,
        Self::Suspect,
        Self::Lost,
        Self::Returning,
        Self::Draining,
        Self::Drained,
        Self::Retiring,
        Self::Maintenance,
    ];

    pub(crate) fn of(cluster: &ClusterView) -> Self {
        let away = match cluster.state {
            ClusterState::Ready => None,
            ClusterState::Unknown => Some(Self::Unknown),
            ClusterState::Suspect => Some(Self::Suspect),
            ClusterState::Joining => return Self::Joining,
            ClusterState::Lost => return Self::Lost,
            ClusterState::Returning => return Self::Returning,
        };
        if cluster.maintenance.is_some() {
            return Self::Maintenance;
        }
        let drain = cluster.drain.as_ref().map(|view| (view.drain.purpose, view.drain.state));
        match (away, drain) {
            (Some(away), _) => away,
            (None, Some((Purpose::Retire, _))) => Self::Retiring,
            (None, Some((_, DrainState::Done))) => Self::Drained,
            (None, Some(_)) => Self::Draining,
            (None, None) if !cluster.degraded.is_empty() => Self::Degraded,
            (None, None) => Self::Ready,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::Joining => "Joining",
            Self::Ready => "Ready",
            Self::Degraded => "Degraded",
            Self::Suspect => "Suspect",
            Self::Lost => "Lost",
            Self::Returning => "Returning",
            Self::Draining => "Draining",
            Self::Drained => "Drained",
            Self::Retiring => "Retiring",
            Self::Maintenance => "Maintenance",
        }
    }
}
