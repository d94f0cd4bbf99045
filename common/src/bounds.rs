//! Numbers of objects that bound how many replicas run, or stop: totals in a manifest, and a share of them in each cluster
//! (S29).

use crate::WorkloadId;
use crate::selector::LabelSelector;

/// A lower and an upper bound. Of a HorizontalPodAutoscaler `spec.minReplicas` and `spec.maxReplicas`; of a
/// PodDisruptionBudget `spec.minAvailable` and `spec.maxUnavailable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bounds {
    /// The lower one; none: whatever the manifest says.
    pub min: Option<u32>,
    /// The upper one; none: whatever the manifest says.
    pub max: Option<u32>,
}

/// The bounds that a manifest sets over all clusters together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// The totals; a percentage is none of them, since it is the same everywhere.
    pub bounds: Bounds,
    /// Whose replicas they bound.
    pub of: Bounded,
}

/// Whose replicas an object bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bounded {
    /// Those of the workload that an autoscaler scales.
    Scaled(WorkloadId),
    /// Those of the workloads whose pods have such labels: what a budget lets nobody evict.
    Pods(LabelSelector),
}

impl Bounds {
    /// Whether the manifest holds as it is.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// The names of the two fields of a spec, for the kinds that have them.
    pub fn fields(kind: &str) -> Option<[&'static str; 2]> {
        match kind {
            "HorizontalPodAutoscaler" => Some(["minReplicas", "maxReplicas"]),
            "PodDisruptionBudget" => Some(["minAvailable", "maxUnavailable"]),
            _ => None,
        }
    }
}
