//! The kinds of workloads that Kubernetes brings along, and how each of them acts (S32, S33): the one place where that is said.

use crate::WorkloadId;

/// The kinds that may go along with workloads that are imported (S34): those that point at workloads, and then those that
/// workloads name.
pub const GOES_ALONG: [(&str, &str); 6] = [
    ("v1", "Service"),
    ("policy/v1", "PodDisruptionBudget"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("v1", "ServiceAccount"),
];

/// A kind of workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkloadKind {
    /// Replicas that are alike.
    Deployment,
    /// Replicas with names, and often with volumes, of their own.
    StatefulSet,
    /// One pod on each node.
    DaemonSet,
    /// Pods that run to their end, once.
    Job,
    /// Jobs at set times.
    CronJob,
}

impl WorkloadKind {
    /// All there are.
    pub const ALL: [Self; 5] =
        [Self::Deployment, Self::StatefulSet, Self::DaemonSet, Self::Job, Self::CronJob];

    /// The kind of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The kind of a workload. What is none of them is a custom resource, and acts as a Deployment: a number of replicas that
    /// are alike.
    pub fn of(id: &WorkloadId) -> Self {
        Self::of_name(&id.kind).unwrap_or(Self::Deployment)
    }

    /// Its name, as manifests write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
        }
    }

    /// The `apiVersion` that every cluster serves it in.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::Deployment | Self::StatefulSet | Self::DaemonSet => "apps/v1",
            Self::Job | Self::CronJob => "batch/v1",
        }
    }

    /// Whether what runs is imported (S34). A Job is not: it is made once, and its selector is its cluster's own.
    pub fn importable(self) -> bool {
        match self {
            Self::Deployment | Self::StatefulSet | Self::DaemonSet | Self::CronJob => true,
            Self::Job => false,
        }
    }

    /// Whether there is a number of replicas to divide, in `spec.replicas`.
    pub fn counted(self) -> bool {
        match self {
            Self::Deployment | Self::StatefulSet => true,
            Self::DaemonSet | Self::Job | Self::CronJob => false,
        }
    }

    /// Whether it runs in exactly one cluster, as a whole: its total is one, or none while it is suspended.
    pub fn single(self) -> bool {
        match self {
            Self::Job | Self::CronJob => true,
            Self::Deployment | Self::StatefulSet | Self::DaemonSet => false,
        }
    }

    /// Whether it runs in every eligible cluster, and is not counted.
    pub fn everywhere(self) -> bool {
        match self {
            Self::DaemonSet => true,
            Self::Deployment | Self::StatefulSet | Self::Job | Self::CronJob => false,
        }
    }

    /// Whether its replicas have names by their ordinals, so that it stays whole unless its policy divides it.
    pub fn ordered(self) -> bool {
        match self {
            Self::StatefulSet => true,
            Self::Deployment | Self::DaemonSet | Self::Job | Self::CronJob => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name_and_acts_in_one_way() {
        for kind in WorkloadKind::ALL {
            assert_eq!(WorkloadKind::of_name(kind.name()), Some(kind));
            let ways = [kind.counted(), kind.single(), kind.everywhere()];
            assert_eq!(ways.into_iter().filter(|way| *way).count(), 1, "{kind:?}");
            assert!(kind.counted() || !kind.ordered());
        }
        assert_eq!(WorkloadKind::of_name("job"), None);
    }
}
