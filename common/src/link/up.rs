//! From the agent to the hub.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::{Digest, Epoch, Fence, Generation, NeedStatus, NodeClass, Resources, Term, Uid, WorkloadId};

/// A message of an agent. Every message counts as a sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Up {
    /// The first message of every session, and only the first.
    Hello(Hello),
    /// A sign of life, sent when nothing else was.
    Heartbeat,
    /// A sign of life of the agent that leads, which asks for its cluster's lease to be renewed: answered, if at all, by
    /// [`super::Down::Grant`] with the same number (S9).
    Renewal {
        /// Counts the renewals of this agent.
        number: u64,
    },
    /// This agent has begun to lead its cluster, or has ceased to (S24).
    Leadership(Leadership),
    /// What the cluster holds; only from the agent that leads.
    Report(Report),
    /// The fence was raised to this in the member cluster: these targets are held, and will be applied.
    Accepted {
        /// The highest accepted fence.
        fence: Fence,
        /// The digest of the rows held.
        digest: Digest,
    },
    /// The agent is not at the base of the targets it was sent: it wants them whole (S25).
    SyncWanted,
    /// Something that an operator must hear about.
    Alarm(Alarm),
    /// Whether this agent reaches the API server of its cluster: said when that changes, whether it leads or not (S3). At
    /// the start of a session it does.
    ApiServer {
        /// Why it does not; none when it does again.
        unreachable: Option<Arc<str>>,
    },
    /// What the cluster holds, for a hub that asked for it (S10).
    Recalled(super::Recalled),
    /// The agent ends on purpose and expects to be back soon (S1).
    Goodbye,
}

/// A range of protocol versions, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionRange {
    /// The oldest version spoken.
    pub oldest: u32,
    /// The newest version spoken.
    pub newest: u32,
}

impl VersionRange {
    /// The newest version that both speak.
    pub fn agree(self, other: VersionRange) -> Option<u32> {
        let version = self.newest.min(other.newest);
        (version >= self.oldest.max(other.oldest)).then_some(version)
    }
}

/// Who an agent is. The cluster's *name* is never said: the certificate says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The protocol versions that the agent speaks.
    pub versions: VersionRange,
    /// The build of the agent, for people.
    pub build: Arc<str>,
    /// The agent's instance within its cluster: its pod's name.
    pub instance: Arc<str>,
    /// The zone of the node that the agent runs on; may be empty.
    pub zone: Arc<str>,
    /// The UID of the namespace `kube-system`: which cluster this is, whatever its name (S23).
    pub cluster_uid: Uid,
    /// The federation that the cluster belongs to, if it ever accepted one.
    pub federation: Option<Uid>,
    /// The highest epoch that the agent ever saw (S10).
    pub highest_epoch: Epoch,
    /// Where the cluster is and who provides it.
    pub region: Region,
    /// In its cluster, the pods of rows that are marked so get a supervisor, which starts and ends their processes under
    /// leases (S9).
    pub supervises: bool,
    /// It carries out what is different in its cluster ([`crate::policy::overrides`]): who does not finds the digest of such
    /// rows another, and takes nothing.
    pub knows_overrides: bool,
}

/// Where a cluster is, as its nodes' labels say; each may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Region {
    /// The provider, such as `aws`.
    pub provider: Arc<str>,
    /// The region, from `topology.kubernetes.io/region`.
    pub region: Arc<str>,
}

/// A reign over a member cluster. Within one lease the transitions order the reigns; another lease UID means that
/// the Lease itself was lost, and what was known through it with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct LeaderTerm {
    /// The UID of the Lease object.
    pub lease: Uid,
    /// Its `leaseTransitions`.
    pub transitions: Term,
}

/// Whether an agent leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leadership {
    /// It leads, and holds these rows.
    Leading {
        /// Since which election.
        term: LeaderTerm,
        /// The fence found in the member cluster.
        fence: Fence,
        /// The generation of the rows held in memory: zero after a start, which asks for them whole.
        base: Generation,
        /// The digest of the rows held in memory.
        digest: Digest,
    },
    /// It does not lead, or no longer.
    Following,
}

/// What a cluster holds: one consistent cut, capacity and statuses computed from the same state of the same watch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// True for an inventory: what it does not list does not exist (S11). False for changes since the last report.
    pub complete: bool,
    /// The newest generation of targets whose writes are all part of this cut (S15).
    pub reflects: Generation,
    /// The workloads that changed; all of them in an inventory, orphans included.
    pub statuses: Vec<Status>,
    /// Tombstones whose objects *and pods* are gone (S28), by the UID of the life that ended.
    pub removed: Vec<Uid>,
    /// Room and health, if they changed; always in an inventory.
    pub capacity: Option<Capacity>,
    /// Whether the cluster has what its workloads need ([`super::WorkloadTarget::needs`]): what changed, or in an
    /// inventory all that is known. An inventory does not wait for checks: what it does not list is not known yet.
    /// A need that no workload of the cluster has any more is not looked at any more, and nothing is said of that.
    pub needs: Vec<NeedStatus>,
    /// Rows of which somebody has changed fields by hand, and which are left so (S29): what changed, or in an inventory all.
    pub edits: Vec<Edit>,
}

/// Fields that somebody has changed by hand, of a row that is left so (S29).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The row: a workload, or an object that workloads lean on.
    pub uid: Uid,
    /// The fields, and who has them now, for people; empty when it is as it was told again.
    pub fields: Arc<str>,
}

/// One workload in one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Which.
    pub workload: WorkloadId,
    /// The UID of the life that it was applied for, from its label.
    pub uid: Uid,
    /// The revision that was applied last, from its annotation.
    pub revision: u64,
    /// The object's `spec.replicas`. Of a Job or a CronJob 1, or 0 while it is suspended, and of its pods no more than one
    /// is counted: it is there or it is not. Of a DaemonSet the nodes that shall run it.
    pub replicas: u32,
    /// Pods that exist, terminating ones included.
    pub pods: u32,
    /// Pods that hold room on a node, terminating ones included.
    pub bound: u32,
    /// Pods that are ready and not terminating.
    pub ready: u32,
    /// Pods that the scheduler could not place.
    pub unschedulable: u32,
    /// Pods that are not ready through a fault of the application: a crash loop, an image that cannot be pulled, a
    /// configuration error (S3).
    pub failing: u32,
    /// Pods that are not ready through a fault of their node or of the cluster: the node is not ready, volumes or the
    /// network are not there (S3). None of them is `failing`.
    pub stranded: u32,
    /// Pods of the object's present template, as its controller counts them; none before it has seen that template.
    pub updated: u32,
    /// Of those, at least so many are available: ready for as long as the manifest asks (S31).
    pub updated_ready: u32,
    /// The controller has given up waiting for progress: a Deployment's condition `Progressing` is false (S31).
    pub stalled: bool,
    /// Pods that are being deleted and have not ended: others may start in their place before they have (S8).
    pub terminating: u32,
    /// For how long the youngest of the ready pods has been ready, by the member's own clocks; zero if none is, or if it is
    /// not known (S12).
    pub ready_for: Duration,
    /// Pods in which a supervisor starts and ends the processes, under the cluster's lease (S9).
    pub supervised: u32,
    /// Its object differs from its row, and is left so (S29).
    pub difference: Option<Difference>,
    /// How it has ended, if it is a Job and has (S33).
    pub finished: Option<Finished>,
    /// What hinders it, in the member's words (an apply conflict, an image that cannot be pulled); may be empty.
    pub problem: Arc<str>,
    /// False when the object is gone and only this knowledge of it is left (it was deleted by hand).
    pub exists: bool,
}

/// How an object differs from its row, where that is left as it is (S29).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Difference {
    /// Somebody scaled it.
    Scaled,
    /// An autoscaler of the member's did.
    Autoscaled,
    /// Somebody deleted it.
    Deleted,
}

impl Difference {
    /// Its name, as it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scaled => "Scaled",
            Self::Autoscaled => "Autoscaled",
            Self::Deleted => "Deleted",
        }
    }
}

/// How a Job has ended (S33).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Finished {
    /// As many of its pods as it asks for have done their work.
    Complete,
    /// Its controller has given up.
    Failed,
}

impl Finished {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Complete, Self::Failed];

    /// Its name, as the Job's condition has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "Complete",
            Self::Failed => "Failed",
        }
    }

    /// The end of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.name() == name)
    }
}

/// What a cluster has free, and whether it is well.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capacity {
    /// Free room, at most [`super::NODE_CLASSES_MAX`] classes: only nodes that are ready and schedulable.
    pub classes: Vec<NodeClass>,
    /// All that the nodes could ever offer.
    pub allocatable: Resources,
    /// Pods running in the whole cluster, managed or not.
    pub running_pods: u32,
    /// How many nodes there are.
    pub nodes: u32,
    /// How many of them are ready.
    pub nodes_ready: u32,
    /// The zones of all nodes, ready or not, at most [`super::ZONES_MAX`]: their labels `topology.kubernetes.io/zone`.
    pub zones: BTreeSet<Arc<str>>,
    /// Keys of labels that nodes carry and their classes do not, because they name nodes or have too many values; at
    /// most [`super::MIXED_LABELS_MAX`]. Whether a node meets a requirement on such a key cannot be told from its class.
    pub mixed_labels: BTreeSet<Arc<str>>,
    /// Pods that stay when everything managed is gone (S21).
    pub unmanaged: Unmanaged,
}

/// Pods that Godwit does not manage, but for those of DaemonSets and of the system.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unmanaged {
    /// How many.
    pub pods: u32,
    /// Of how many owners; a pod without any is its own.
    pub owners: u32,
    /// The first of these in order, at most [`super::UNMANAGED_MAX`], and how many pods each has.
    pub first: Vec<(WorkloadId, u32)>,
}

/// Something that an operator must hear about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alarm {
    /// Targets of an authority below the fence were refused (S10): a stale hub speaks, or a restored one.
    Stale {
        /// The fence in the member cluster.
        held: Fence,
        /// What was sent.
        sent: Fence,
    },
    /// Two different states under one (epoch, generation) (S10).
    Contradiction {
        /// The fence that both carry.
        fence: Fence,
    },
    /// Another federation's targets were refused (S10).
    Foreign {
        /// The federation that the cluster belongs to.
        held: Uid,
        /// The one that spoke.
        sent: Uid,
    },
}
