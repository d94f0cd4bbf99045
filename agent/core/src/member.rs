//! What the member cluster shows, reduced by the shell to what decisions need.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use godwit_common::bounds::Bounds;
use godwit_common::link::{Charter, Finished, LeaderTerm, Region, Summons};
use godwit_common::selector::{LabelSelector, Labels};
use godwit_common::{Digest, Fence, ObjectKey, Resources, Taint, Uid, WorkloadId, WorkloadKind};

/// Which cluster this is, and where.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// The UID of the namespace `kube-system` (S23).
    pub cluster_uid: Uid,
    /// Provider and region, as a node's labels say.
    pub region: Region,
    /// The zone of the node that the agent runs on; may be empty.
    pub zone: Arc<str>,
}

/// A Kubernetes type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    /// The group and version, such as `apps/v1`.
    pub api_version: Arc<str>,
    /// The kind, such as `Deployment`.
    pub kind: Arc<str>,
}

impl Kind {
    /// The type of a kind of workload.
    pub fn of_workload(kind: WorkloadKind) -> Self {
        Self { api_version: kind.api_version().into(), kind: kind.name().into() }
    }

    /// Whether it is none of the kinds of workloads that Kubernetes brings along.
    pub fn is_custom(&self) -> bool {
        WorkloadKind::of_name(&self.kind).is_none()
    }

    /// The type of an object.
    pub fn of(key: &ObjectKey) -> Self {
        Self { api_version: key.api_version.clone(), kind: key.kind.clone() }
    }
}

/// What Godwit writes on an object beside its manifest; see [`crate::labels`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// The life that the object belongs to (S28).
    pub uid: Uid,
    /// The revision of the manifest.
    pub revision: u64,
    /// How much higher a StatefulSet's ordinals begin than its manifest says (S32).
    pub ordinals: u32,
    /// The bounds that stand in place of the manifest's (S29).
    pub bounds: Bounds,
    /// What stands for what is different from the manifest ([`godwit_common::policy::overrides::mark`]).
    pub overrides: u64,
    /// Whose target it was (S10).
    pub fence: Fence,
    /// The reign that wrote it (S24).
    pub term: LeaderTerm,
}

/// An object as the member's API server shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectSeen {
    /// Which.
    pub key: ObjectKey,
    /// The object's own UID, which Kubernetes gave.
    pub uid: Arc<str>,
    /// Its `resourceVersion`.
    pub version: Arc<str>,
    /// Ours, if it carries our label; what of it cannot be read counts as zero.
    pub stamp: Option<Stamp>,
    /// Of a workload: what a hub has to know of it that has lost its store (S10).
    pub charter: Option<Arc<Charter>>,
    /// What stands for all that it says but its count, of one that is not managed and was read (S34); zero otherwise.
    pub content: u64,
    /// A person has handed it over by [`crate::labels::ADOPT`].
    pub adopt: bool,
    /// Whoever makes it leaves its count to Godwit, by [`crate::labels::MODE`].
    pub scaled: bool,
    /// `spec.replicas`, for a workload; of a custom resource what its scale says. Of a Job or a CronJob 1, or 0 while it is suspended; of a DaemonSet the nodes that
    /// shall run it.
    pub replicas: Option<u32>,
    /// Of a custom resource that is a workload: what the labels of its pods are like, as its scale says, if it does.
    pub selector: Option<Arc<LabelSelector>>,
    /// An autoscaler in the cluster was the last to set that (S29).
    pub autoscaled: bool,
    /// The fields of what was applied that others have changed or taken since, and who they are, for people; empty if there
    /// are none (S29). The number of a workload is not among them.
    pub altered: Arc<str>,
    /// It is being deleted.
    pub deleting: bool,
    /// How far a workload's controller is with its present template.
    pub progress: Progress,
}

/// How far a workload's controller is with the template that the object has now (S31): all zero before it has seen it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Pods of that template.
    pub updated: u32,
    /// At least so many of them are available.
    pub available: u32,
    /// It has given up waiting for more.
    pub stalled: bool,
    /// How a Job has ended, if it has.
    pub finished: Option<Finished>,
}

/// Whether the cluster has what a workload needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NeedSeen {
    /// It is there.
    Met,
    /// It is not.
    Missing,
    /// This agent may not look at it, and why not.
    Unreadable(Arc<str>),
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeSeen {
    /// Its name.
    pub name: Arc<str>,
    /// Its labels.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// Its taints.
    pub taints: Vec<Taint>,
    /// What it offers to pods.
    pub allocatable: Resources,
    /// Its condition `Ready` is true.
    pub ready: bool,
    /// It is not cordoned.
    pub schedulable: bool,
}

/// Where a pod is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodPhase {
    /// Not running yet.
    Pending,
    /// Running.
    Running,
    /// Succeeded or failed: it holds nothing any more.
    Ended,
}

/// Whose fault it is that a pod is not ready (S3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The application's own: its containers fail, or their image or configuration does.
    Application,
    /// Its node's, or the cluster's: volumes, network or container runtime fail.
    Cluster,
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodSeen {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// The workload that made it: its controller, or the Deployment behind its ReplicaSet.
    pub owner: Option<WorkloadId>,
    /// Its labels, but for those that no two pods of a workload share.
    pub labels: Arc<Labels>,
    /// The node that it is bound to.
    pub node: Option<Arc<str>>,
    /// Where it is in its life.
    pub phase: PodPhase,
    /// It has a deletion timestamp.
    pub terminating: bool,
    /// Its condition `Ready` is true.
    pub ready: bool,
    /// For how long it had been when it was seen, by the member's own clocks; zero if it is not, or that is not known.
    pub ready_for: Duration,
    /// The scheduler found no place for it.
    pub unschedulable: bool,
    /// A supervisor in it starts and ends its processes (S9).
    pub supervised: bool,
    /// What it asks for, by Kubernetes' rule; one pod among it.
    pub requests: Resources,
    /// Whose fault it is that it is not ready, as far as the pod itself tells; its node may tell more.
    pub fault: Option<Fault>,
    /// What hinders its containers, such as `ImagePullBackOff`; may be empty. Free of the pod's own name, so that the
    /// pods of a workload say the same.
    pub problem: Arc<str>,
}

/// The Lease that the agents elect their leader by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseSeen {
    /// Its own UID.
    pub uid: Uid,
    /// Its `resourceVersion`.
    pub version: Arc<str>,
    /// Who holds it; empty when nobody does.
    pub holder: Arc<str>,
    /// Its `leaseTransitions`.
    pub transitions: u64,
    /// Its `leaseDurationSeconds`.
    pub duration: Duration,
}

/// What the fence's ConfigMap holds (S10).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FenceRecord {
    /// The highest accepted fence; its federation is zero before the first.
    pub fence: Fence,
    /// The digest of the accepted rows.
    pub digest: Digest,
    /// The reign that wrote it.
    pub term: LeaderTerm,
    /// The kinds of custom resources that were ever workloads here: who leads next looks for those, too, before it says what
    /// is there.
    pub kinds: BTreeSet<Kind>,
    /// The same of kinds of which some workload's count alone was ours (S33).
    pub scaled: BTreeSet<Kind>,
}

/// The ConfigMap that names the agents which are called (S24).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummonsSeen {
    /// What it says.
    pub summons: Summons,
    /// Its `resourceVersion`.
    pub version: Arc<str>,
}

/// The fence's ConfigMap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FenceSeen {
    /// What it says.
    pub record: FenceRecord,
    /// Its `resourceVersion`.
    pub version: Arc<str>,
}
