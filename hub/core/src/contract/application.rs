//! What is deployed: an application as its manifests say it, and what of it was found running already.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use godwit_common::link::Original;
use godwit_common::policy::Override;
use godwit_common::selector::Labels;
use godwit_common::{ClusterName, Need, ObjectKey, PodShape, PolicyName, Uid, WorkloadId};

use super::Policy;

/// An application and how to take it over.
#[derive(Debug, Clone)]
pub struct Deploy {
    /// The caller's mark for this request; empty for none. The same mark with the same content is the same request.
    pub request_id: Arc<str>,
    /// A hash over the content of the request.
    pub fingerprint: u64,
    /// What to run.
    pub application: Application,
    /// Which policy.
    pub policy: PolicyChoice,
    /// It runs already: what was found, where (S34).
    pub import: Option<Import>,
}

/// What runs already and becomes Godwit's, where it is and as it is (S34).
#[derive(Debug, Clone)]
pub struct Import {
    /// What each cluster has of the application.
    pub found: BTreeMap<ClusterName, Found>,
    /// It is taken over even if the policy wants it elsewhere.
    pub allow_moves: bool,
    /// The cluster that is right where they differ, if it was said.
    pub from: Option<ClusterName>,
}

/// What one cluster has.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Workloads.
    pub workloads: Vec<FoundWorkload>,
    /// Objects that go with them.
    pub objects: Vec<FoundObject>,
}

/// A workload as it runs in a cluster.
#[derive(Debug, Clone)]
pub struct FoundWorkload {
    /// The object there.
    pub original: Original,
    /// The life that its labels say it is of, if it is managed already.
    pub life: Option<Uid>,
    /// What its object says; its `replicas` are those that it has there.
    pub spec: WorkloadSpec,
}

/// An object that goes with workloads, as it is in a cluster.
#[derive(Debug, Clone)]
pub struct FoundObject {
    /// The object there.
    pub original: Original,
    /// The life that its labels say it is of, if it is managed already.
    pub life: Option<Uid>,
    /// What it says; its bounds are this cluster's alone.
    pub spec: ObjectSpec,
}

/// Where the policy comes from.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "one lives in each request, and no longer than it")]
pub enum PolicyChoice {
    /// From each workload's annotation, else `default`.
    Annotated,
    /// This one, which must exist.
    Named(PolicyName),
    /// This one, to be stored first.
    Inline(Policy),
}

/// What one set of manifests holds (S33).
#[derive(Debug, Clone, Default)]
pub struct Application {
    /// At least one, no two of the same identity.
    pub workloads: Vec<WorkloadSpec>,
    /// What goes ahead of them.
    pub objects: Vec<ObjectSpec>,
}

/// One workload as its manifest says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadSpec {
    /// Who it is.
    pub id: WorkloadId,
    /// The manifest's `apiVersion`.
    pub api_version: Arc<str>,
    /// The total.
    pub replicas: u32,
    /// From the annotation `godwit.dev/policy`.
    pub policy: Option<PolicyName>,
    /// The labels of the workload itself: by which others stay with it, or away from it.
    pub labels: Labels,
    /// What it needs of a cluster and does not bring along; sorted.
    pub needs: Vec<Need>,
    /// What one replica asks of a node.
    pub pod: PodShape,
    /// Its pods hold volume claims: its data stays in its cluster, unless its policy says otherwise (S32).
    pub claims: bool,
    /// Its own rolling update runs more copies than wanted for a while: not in the mode `atMost` (S8).
    pub surges: bool,
    /// Why its pods cannot have a supervisor, if they cannot: not under the fence `gate` (S9).
    pub obstacle: Option<Arc<str>>,
    /// How long a pod may take to end: its `terminationGracePeriodSeconds` (S9).
    pub grace: Duration,
    /// Its pods get a supervisor, since the fence of its policy was `gate` when it was deployed: the hub's to say, whatever a
    /// request does (S9).
    pub supervised: bool,
    /// Only its count is Godwit's: its object is somebody else's to make, to change and to delete (S33).
    pub scale_only: bool,
    /// The manifest as JSON, without `spec.replicas`.
    pub manifest: Arc<str>,
    /// What is different about it in some of the clusters: the rules of its policy about it, which say no more which objects
    /// they are for. The hub's to say, whatever a request does.
    pub overrides: Arc<[Override]>,
}

/// One object that goes ahead of workloads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectSpec {
    /// Which.
    pub key: ObjectKey,
    /// The manifest as JSON.
    pub manifest: Arc<str>,
}
