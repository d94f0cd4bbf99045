//! What an application consists of.

use std::sync::Arc;
use std::time::Duration;

use godwit_common::selector::Labels;
use godwit_common::{Need, ObjectKey, PodShape, PolicyName, WorkloadId};

/// One application: what counts replicas, and what those replicas need beside them (S33).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// The workloads, in the order of the text; never empty, no two with one identity.
    pub workloads: Vec<Workload>,
    /// Everything else, in the order of the text; no two with one identity.
    pub dependents: Vec<Dependent>,
}

/// What the hub places: of a Deployment, a StatefulSet or a custom resource so many replicas, a Job or a CronJob in one
/// cluster, a DaemonSet in all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Namespace (`default` where the manifest names none), kind and name.
    pub id: WorkloadId,
    /// The same identity together with the API version.
    pub object: ObjectKey,
    /// Its own `metadata.labels`, by which policies of other workloads choose it.
    pub labels: Labels,
    /// The total over all clusters: `spec.replicas`, or 1, as in Kubernetes; of a custom resource what the annotation
    /// [`REPLICAS_ANNOTATION`](crate::REPLICAS_ANNOTATION) says, if it has that. At most
    /// [`MAX_REPLICAS`](crate::MAX_REPLICAS). Of a Job or a CronJob 1, or 0 if it is suspended; of a DaemonSet 0.
    pub replicas: u32,
    /// The policy that the annotation `godwit.dev/policy` names.
    pub policy: Option<PolicyName>,
    /// What one replica asks of a cluster.
    pub pod: PodShape,
    /// What must be in a cluster beforehand, because the application names it and does not bring it along: kinds, and
    /// objects that the pods or the dependents name. Sorted, none twice, at most [`MAX_NEEDS`](crate::MAX_NEEDS).
    pub needs: Vec<Need>,
    /// `spec.minReadySeconds`, or 0.
    pub min_ready_seconds: u32,
    /// How long a pod of it may take to end: `terminationGracePeriodSeconds` of its template, or 30 s, as in Kubernetes.
    pub grace: Duration,
    /// Whether its own rolling update runs more pods than wanted for a while.
    pub surges: bool,
    /// Why its pods cannot have a supervisor, if they cannot (S9): [`supervisor::obstacle`](crate::supervisor::obstacle).
    pub obstacle: Option<Arc<str>>,
    /// Whether its pods hold volume claims, by `spec.volumeClaimTemplates` or by a volume of the pod: such data stays
    /// in its cluster (S32).
    pub has_volume_claims: bool,
    /// Only its count is Godwit's: its object, and all that it leans on, is GitOps' to make, to change and to delete.
    pub scale_only: bool,
    /// The manifest as canonical JSON: keys sorted, the namespace explicit; without `spec.replicas` and, of Jobs and
    /// CronJobs, `spec.suspend` (the hub owns the count), without the policy's annotation (choosing another policy is no new revision), without what a cluster
    /// writes into an object (status, uid, resourceVersion and the like). If only its count is Godwit's, nothing but who it is: what else
    /// it says is no business of Godwit's, and no revision.
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
    /// Of a HorizontalPodAutoscaler: the workload that it scales, which is one of the application's.
    pub scales: Option<WorkloadId>,
}
