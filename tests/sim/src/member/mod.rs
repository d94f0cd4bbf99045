//! A member cluster: a very small Kubernetes that outlives its agents. It keeps a Lease, the fence, objects and nodes;
//! its controllers make pods of workloads, its scheduler puts them on nodes with room.

mod brownfield;
mod nodes;
mod pods;
mod scheduler;
mod store;
mod supervisors;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_agent_core::{FenceSeen, Identity, LeaseSeen, NodeSeen, ObjectSeen, SummonsSeen};
use godwit_common::link::Region;
use godwit_common::{ClusterName, Need, ObjectKey, Resources, Uid, WorkloadId};

use crate::happening::WatchKey;

pub use brownfield::{Said, Taken};
pub use pods::{Pod, is_bad};
pub use store::Deed;
pub use supervisors::GRACE;
use supervisors::Supervisor;
use watch::Watch;

/// One member cluster.
#[derive(Debug)]
pub struct Member {
    /// Its number in the world.
    pub index: usize,
    /// Its name, as certificates say it.
    pub name: ClusterName,
    /// Its identity.
    pub uid: Uid,
    /// Its region.
    pub region: Arc<str>,
    /// The agents' Lease.
    pub lease: Option<LeaseSeen>,
    /// The fence.
    pub fence: Option<FenceSeen>,
    /// Who is called, as it stands there (S24).
    pub summons: Option<SummonsSeen>,
    /// All objects, managed or not.
    pub objects: BTreeMap<ObjectKey, Object>,
    /// By name.
    pub nodes: BTreeMap<Arc<str>, NodeSeen>,
    /// By name.
    pub pods: BTreeMap<Arc<str>, Pod>,
    /// What it does not have of all that workloads may need: everything else is there.
    pub lacks: BTreeSet<Need>,
    /// The API server answers.
    pub api: bool,
    /// Its scheduler finds no node for anything, whatever they have free.
    pub refuses: bool,
    /// Images can be pulled.
    pub registry: bool,
    /// Its agents put supervisors into pods (S9).
    pub supervises: bool,
    /// More was made to run here once than anybody counted room for, by hand or beside what has yet to end.
    pub crowded: bool,
    /// Workloads to which something happened here that nobody outside had asked for.
    pub disturbed: BTreeSet<WorkloadId>,
    /// Nodes that are suspended.
    asleep: BTreeSet<Arc<str>>,
    /// The whole cluster is down: nothing runs.
    pub dead: bool,
    /// It is down for good: should it ever come back, then with nothing of what it held.
    pub abandoned: bool,
    /// What its nodes are like, and how many it shall have.
    size: (NodeSeen, u32),
    namespaces: BTreeSet<Arc<str>>,
    watches: BTreeMap<WatchKey, Watch>,
    /// The newest `resourceVersion`; also numbers pods and uids.
    version: u64,
}

/// An object in the store.
#[derive(Debug, Clone)]
pub struct Object {
    /// As agents see it.
    pub seen: ObjectSeen,
    /// What was applied.
    pub manifest: Arc<str>,
    /// Its pods have a supervisor.
    pub supervised: bool,
    /// Somebody else has set `spec.replicas` last.
    pub scaled_by_hand: bool,
    /// It is a Job, and has run to its end.
    pub finished: bool,
    /// When it was last further on the way to what was applied.
    pub progressed: u64,
}

impl Member {
    /// A cluster of equal nodes.
    pub fn new(index: usize, name: ClusterName, uid: Uid, nodes: u32, cpu_millis: u64) -> Self {
        let allocatable = Resources { cpu_millis, memory_bytes: 64 << 30, pods: 110, ..Resources::default() };
        let node = NodeSeen { allocatable, ready: true, schedulable: true, ..NodeSeen::default() };
        let named = |number: u32| {
            let name = nodes::name_of(number);
            (name.clone(), NodeSeen { name, ..node.clone() })
        };
        Self {
            index,
            region: format!("region-{index}").into(),
            name,
            uid,
            lease: None,
            fence: None,
            summons: None,
            objects: BTreeMap::new(),
            nodes: (0..nodes).map(named).collect(),
            size: (node.clone(), nodes),
            pods: BTreeMap::new(),
            lacks: BTreeSet::new(),
            api: true,
            refuses: false,
            registry: true,
            crowded: false,
            disturbed: BTreeSet::new(),
            supervises: false,
            asleep: BTreeSet::new(),
            dead: false,
            abandoned: false,
            namespaces: BTreeSet::from(["default".into()]),
            watches: BTreeMap::new(),
            version: 0,
        }
    }

    /// Another cluster stands in its place, with its name.
    pub(crate) fn rebuild(&mut self, uid: Uid) {
        self.uid = uid;
        (self.lease, self.fence) = (None, None);
        self.objects.keys().cloned().collect::<Vec<_>>().iter().for_each(|key| self.disturb(key));
        self.objects.clear();
        self.pods.clear();
        self.namespaces = BTreeSet::from(["default".into()]);
    }

    /// Who it is.
    pub fn identity(&self, zone: &str) -> Identity {
        Identity {
            cluster_uid: self.uid,
            region: Region { provider: "sim".into(), region: self.region.clone() },
            zone: zone.into(),
        }
    }

    /// The pods of a workload, terminating ones included.
    pub fn pods_of(&self, id: &WorkloadId) -> impl Iterator<Item = &Pod> {
        self.pods.values().filter(move |pod| pod.seen.owner.as_ref() == Some(id))
    }

    /// How many pods of a workload are ready and stay.
    pub fn ready_of(&self, id: &WorkloadId) -> u32 {
        let ready = self.pods_of(id).filter(|pod| pod.seen.ready && !pod.seen.terminating);
        u32::try_from(ready.count()).unwrap_or(u32::MAX)
    }

    /// A workload's object.
    pub fn workload(&self, id: &WorkloadId) -> Option<&Object> {
        let is = |object: &&Object| id_of(&object.seen.key) == *id;
        self.objects.values().find(is)
    }

    fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }
}

/// The workload that an object is, if it is one.
pub fn id_of(key: &ObjectKey) -> WorkloadId {
    WorkloadId { namespace: key.namespace.clone(), kind: key.kind.clone(), name: key.name.clone() }
}

/// What a manifest asks of a node for each replica. Manifests are text to everybody but the member.
pub fn requests(manifest: &str) -> Resources {
    let digits = manifest.split("\"cpu\":").nth(1).unwrap_or("");
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    Resources {
        cpu_millis: digits[..end].parse().unwrap_or(100),
        memory_bytes: 1 << 20,
        pods: 1,
        ..Resources::default()
    }
}
