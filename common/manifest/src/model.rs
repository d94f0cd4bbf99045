//! What an application consists of.

use std::collections::BTreeMap;
use std::sync::Arc;

use godwit_common::{ObjectKey, PolicyName, Resources, Taint, TaintEffect, WorkloadId};

/// One application: what counts replicas, and what those replicas need beside them (S33).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// The workloads, in the order of the text; never empty, no two with one identity.
    pub workloads: Vec<Workload>,
    /// Everything else, in the order of the text; no two with one identity.
    pub dependents: Vec<Dependent>,
}

/// A Deployment or a StatefulSet, whose total number of replicas the hub divides over clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Namespace (`default` where the manifest names none), kind and name.
    pub id: WorkloadId,
    /// The same identity together with the API version.
    pub object: ObjectKey,
    /// The total over all clusters: `spec.replicas`, or 1, as in Kubernetes. At most
    /// [`MAX_REPLICAS`](crate::MAX_REPLICAS).
    pub replicas: u32,
    /// The policy that the annotation `godwit.dev/policy` names.
    pub policy: Option<PolicyName>,
    /// What one replica asks of a cluster.
    pub pod: PodShape,
    /// `spec.minReadySeconds`, or 0.
    pub min_ready_seconds: u32,
    /// Whether its pods hold volume claims, by `spec.volumeClaimTemplates` or by a volume of the pod: such data stays
    /// in its cluster (S32).
    pub has_volume_claims: bool,
    /// The manifest as canonical JSON: keys sorted, the namespace explicit; without `spec.replicas` (the hub owns the
    /// count), without the policy's annotation (choosing another policy is no new revision), without what a cluster
    /// writes into an object (status, uid, resourceVersion and the like).
    pub manifest: Arc<str>,
}

/// Any object that is not a workload: placed ahead of the workloads in every eligible cluster (S33).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependent {
    /// Its identity. The namespace is empty for the cluster-scoped kinds that Kubernetes brings along, and `default`
    /// for all other objects that name none, custom resources included.
    pub key: ObjectKey,
    /// The manifest as canonical JSON: keys sorted, the namespace explicit, without what a cluster writes.
    pub manifest: Arc<str>,
}

/// What one replica asks of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PodShape {
    /// Its requests by Kubernetes' own rule: containers, init containers, sidecars, pod-level resources, overhead; and
    /// one pod.
    pub requests: Resources,
    /// Labels that a node must carry.
    pub node_selector: BTreeMap<Arc<str>, Arc<str>>,
    /// The taints that it puts up with.
    pub tolerations: Vec<Toleration>,
}

/// A taint, or a family of taints, that a pod puts up with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Toleration {
    /// The taint's key; `None` means every key (and then `value` is `None`).
    pub key: Option<Arc<str>>,
    /// The value it must have (`operator: Equal`); `None` means any value (`operator: Exists`).
    pub value: Option<Arc<str>>,
    /// The effect; `None` means every effect.
    pub effect: Option<TaintEffect>,
}

impl Toleration {
    /// Whether the pod puts up with this taint.
    pub fn tolerates(&self, taint: &Taint) -> bool {
        let key = self.key.as_ref().is_none_or(|key| *key == taint.key);
        let value = self.value.as_ref().is_none_or(|value| *value == taint.value);
        let effect = self.effect.is_none_or(|effect| effect == taint.effect);
        key && value && effect
    }
}
