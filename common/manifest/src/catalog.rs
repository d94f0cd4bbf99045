//! What Godwit does with each kind of object.

use godwit_common::WorkloadKind;

/// Where an object of a kind lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Namespaced,
    Cluster,
}

/// What becomes of an object of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handling {
    /// The hub says where it runs, and how often.
    Workload(WorkloadKind),
    /// It is placed ahead in every eligible cluster.
    Dependent(Scope),
    /// It cannot be handled: why, and what to do instead.
    Refused(&'static str, &'static str),
    /// Kubernetes' own group has no such kind; these it has.
    Unknown(&'static [&'static str]),
}

/// The group of Godwit's own kinds.
pub(crate) const GODWIT_GROUP: &str = "godwit.dev";

/// The group of an `apiVersion`; empty for the core group.
pub(crate) fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// What becomes of an object.
pub(crate) fn handling(api_version: &str, kind: &str) -> Handling {
    let group = group_of(api_version);
    if group == GODWIT_GROUP {
        return Handling::Refused(
            "it is for the hub itself and no part of an application",
            "apply it on its own, before the application",
        );
    }
    // Only Kubernetes' own groups have no dot, and their kinds are a closed set. Every other group may hold anything.
    if group.contains('.') {
        return Handling::Dependent(scope_of(group, kind));
    }
    let home = KINDS.iter().find(|(name, _)| *name == kind);
    if let Some((_, reason)) = home {
        return match reason {
            Reason::Workload(kind) if api_version == kind.api_version() => Handling::Workload(*kind),
            Reason::Workload(kind) => match kind.api_version() {
                "batch/v1" => {
                    Handling::Refused("Kubernetes serves it as batch/v1 only", "write apiVersion: batch/v1")
                }
                _ => Handling::Refused("Kubernetes serves it as apps/v1 only", "write apiVersion: apps/v1"),
            },
            Reason::Namespaced => Handling::Dependent(Scope::Namespaced),
            Reason::Cluster => Handling::Dependent(Scope::Cluster),
            Reason::Refused(reason, remedy) => Handling::Refused(reason, remedy),
        };
    }
    Handling::Unknown(KIND_NAMES)
}

/// Whether every cluster serves a group. Others have to be installed: those of custom resources, and some that end in
/// `.k8s.io` all the same, such as `gateway.networking.k8s.io`.
pub(crate) fn is_built_in(group: &str) -> bool {
    !group.contains('.') || BUILT_IN_GROUPS.contains(&group)
}

/// The groups with a dot that an API server has without any definition.
const BUILT_IN_GROUPS: &[&str] = &[
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

enum Reason {
    Workload(WorkloadKind),
    Namespaced,
    Cluster,
    Refused(&'static str, &'static str),
}

const USE_DEPLOYMENT: &str = "write it as a Deployment";

/// The kinds of the groups without a dot: core, apps, batch, autoscaling, policy and the retired extensions.
const KINDS: &[(&str, Reason)] = &[
    ("Deployment", Reason::Workload(WorkloadKind::Deployment)),
    ("StatefulSet", Reason::Workload(WorkloadKind::StatefulSet)),
    ("DaemonSet", Reason::Workload(WorkloadKind::DaemonSet)),
    ("Job", Reason::Workload(WorkloadKind::Job)),
    ("CronJob", Reason::Workload(WorkloadKind::CronJob)),
    ("ConfigMap", Reason::Namespaced),
    ("Endpoints", Reason::Namespaced),
    ("HorizontalPodAutoscaler", Reason::Namespaced),
    ("Ingress", Reason::Namespaced),
    ("LimitRange", Reason::Namespaced),
    ("PersistentVolumeClaim", Reason::Namespaced),
    ("PodDisruptionBudget", Reason::Namespaced),
    ("PodTemplate", Reason::Namespaced),
    ("ResourceQuota", Reason::Namespaced),
    ("Secret", Reason::Namespaced),
    ("Service", Reason::Namespaced),
    ("ServiceAccount", Reason::Namespaced),
    ("Namespace", Reason::Cluster),
    ("PersistentVolume", Reason::Cluster),
    ("ReplicaSet", Reason::Refused("it cannot roll from one revision to the next", USE_DEPLOYMENT)),
    (
        "ReplicationController",
        Reason::Refused("it cannot roll from one revision to the next", USE_DEPLOYMENT),
    ),
    (
        "Pod",
        Reason::Refused("nothing starts it again elsewhere when its node or cluster is lost", USE_DEPLOYMENT),
    ),
    ("ControllerRevision", Reason::Refused("a cluster makes it itself", "leave it out")),
    ("Event", Reason::Refused("a cluster makes it itself", "leave it out")),
    ("Node", Reason::Refused("a cluster makes it itself", "leave it out")),
];

/// The names above, for suggestions.
const KIND_NAMES: &[&str] = &[
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "ConfigMap",
    "HorizontalPodAutoscaler",
    "Ingress",
    "LimitRange",
    "Namespace",
    "PersistentVolumeClaim",
    "PodDisruptionBudget",
    "ResourceQuota",
    "Secret",
    "Service",
    "ServiceAccount",
];

/// The cluster-scoped kinds that Kubernetes itself has in groups with a dot. Any other kind, custom resources
/// included, is taken to live in a namespace.
fn scope_of(group: &str, kind: &str) -> Scope {
    let cluster = matches!(
        (group, kind),
        ("rbac.authorization.k8s.io", "ClusterRole" | "ClusterRoleBinding")
            | ("scheduling.k8s.io", "PriorityClass")
            | (
                "storage.k8s.io",
                "StorageClass" | "CSIDriver" | "CSINode" | "VolumeAttachment" | "VolumeAttributesClass"
            )
            | ("node.k8s.io", "RuntimeClass")
            | ("networking.k8s.io", "IngressClass" | "IPAddress" | "ServiceCIDR")
            | ("resource.k8s.io", "DeviceClass" | "ResourceSlice")
            | ("certificates.k8s.io", "CertificateSigningRequest" | "ClusterTrustBundle")
            | ("flowcontrol.apiserver.k8s.io", "FlowSchema" | "PriorityLevelConfiguration")
            | ("apiregistration.k8s.io", "APIService")
            | ("apiextensions.k8s.io", "CustomResourceDefinition")
            | ("admissionregistration.k8s.io", _)
    );
    if cluster { Scope::Cluster } else { Scope::Namespaced }
}
