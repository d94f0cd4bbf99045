//! The fixed table of kinds.

use super::{Kind, ScalePaths};

const NAMESPACED: u8 = 1;
const STATUS: u8 = 2;
const SCALE: u8 = 4;
const GENERATION: u8 = 8;
const ALL: u8 = 16;
const CLUSTER: u8 = 0;

/// Everything that differs between two ordinary workloads.
const WORKLOAD: u8 = NAMESPACED | STATUS | GENERATION | ALL;

type Row = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str], u8);

/// Group, version, kind, plural, short names, traits.
const KINDS: &[Row] = &[
    ("", "v1", "ConfigMap", "configmaps", &["cm"], NAMESPACED),
    ("", "v1", "Endpoints", "endpoints", &["ep"], NAMESPACED),
    ("", "v1", "Event", "events", &["ev"], NAMESPACED),
    ("", "v1", "LimitRange", "limitranges", &["limits"], NAMESPACED),
    ("", "v1", "Namespace", "namespaces", &["ns"], CLUSTER | STATUS),
    ("", "v1", "Node", "nodes", &["no"], CLUSTER | STATUS),
    ("", "v1", "PersistentVolume", "persistentvolumes", &["pv"], CLUSTER | STATUS),
    ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", &["pvc"], NAMESPACED | STATUS),
    ("", "v1", "Pod", "pods", &["po"], NAMESPACED | STATUS | ALL),
    ("", "v1", "ResourceQuota", "resourcequotas", &["quota"], NAMESPACED | STATUS),
    ("", "v1", "Secret", "secrets", &[], NAMESPACED),
    ("", "v1", "Service", "services", &["svc"], NAMESPACED | STATUS | ALL),
    ("", "v1", "ServiceAccount", "serviceaccounts", &["sa"], NAMESPACED),
    (
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        &["crd", "crds"],
        CLUSTER | STATUS | GENERATION,
    ),
    ("apps", "v1", "ControllerRevision", "controllerrevisions", &[], NAMESPACED),
    ("apps", "v1", "DaemonSet", "daemonsets", &["ds"], WORKLOAD),
    ("apps", "v1", "Deployment", "deployments", &["deploy"], WORKLOAD | SCALE),
    ("apps", "v1", "ReplicaSet", "replicasets", &["rs"], WORKLOAD | SCALE),
    ("apps", "v1", "StatefulSet", "statefulsets", &["sts"], WORKLOAD | SCALE),
    (
        "autoscaling",
        "v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        &["hpa"],
        NAMESPACED | STATUS | ALL,
    ),
    ("batch", "v1", "CronJob", "cronjobs", &["cj"], WORKLOAD),
    ("batch", "v1", "Job", "jobs", &[], WORKLOAD),
    ("coordination.k8s.io", "v1", "Lease", "leases", &[], NAMESPACED),
    ("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", &[], NAMESPACED | GENERATION),
    ("networking.k8s.io", "v1", "Ingress", "ingresses", &["ing"], NAMESPACED | STATUS | GENERATION),
    ("networking.k8s.io", "v1", "IngressClass", "ingressclasses", &[], CLUSTER | GENERATION),
    ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", &["netpol"], NAMESPACED | GENERATION),
    ("node.k8s.io", "v1", "RuntimeClass", "runtimeclasses", &[], CLUSTER),
    (
        "policy",
        "v1",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        &["pdb"],
        NAMESPACED | STATUS | GENERATION,
    ),
    ("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", &[], CLUSTER),
    ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", &[], CLUSTER),
    ("rbac.authorization.k8s.io", "v1", "Role", "roles", &[], NAMESPACED),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", &[], NAMESPACED),
    ("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", &["pc"], CLUSTER | GENERATION),
    ("storage.k8s.io", "v1", "StorageClass", "storageclasses", &["sc"], CLUSTER),
];

/// The table as kinds.
pub(super) fn kinds() -> Vec<Kind> {
    KINDS.iter().map(kind).collect()
}

fn kind(row: &Row) -> Kind {
    let (group, version, kind, plural, short_names, traits) = *row;
    let has = |bit: u8| traits & bit != 0;
    let path = |steps: [&str; 2]| steps.iter().map(|step| (*step).to_owned()).collect();
    let category = has(ALL).then(|| "all".to_owned());
    Kind {
        group: group.into(),
        versions: vec![version.into()],
        kind: kind.into(),
        plural: plural.into(),
        singular: kind.to_lowercase(),
        short_names: short_names.iter().map(|name| (*name).to_owned()).collect(),
        categories: category.into_iter().collect(),
        namespaced: has(NAMESPACED),
        status: has(STATUS),
        scale: has(SCALE).then(|| ScalePaths {
            spec: path(["spec", "replicas"]),
            status: path(["status", "replicas"]),
            selector: path(["spec", "selector"]),
        }),
        generation: has(GENERATION),
        columns: Vec::new(),
        custom: false,
        resource: Kind::resource_name(group, plural).into(),
    }
}
