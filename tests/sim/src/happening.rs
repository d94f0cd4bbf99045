//! Everything that can happen in the world, as data in its queue.

use std::sync::Arc;
use std::time::Duration;

use godwit_agent_core as agent;
use godwit_common::{ObjectKey, Time};
use godwit_hub_core::Command;

use crate::net::Way;

/// One agent: the number of its cluster, and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AgentId {
    /// Which cluster.
    pub cluster: usize,
    /// Which of its agents.
    pub agent: usize,
}

/// A watch of one life of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WatchKey {
    /// Which agent.
    pub(crate) agent: usize,
    /// Which life of it.
    pub(crate) life: u64,
    /// What it calls the watch.
    pub(crate) watch: agent::WatchId,
}

/// Something that happens at a moment. What names a life is void once that life is over.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A hub starts.
    HubStarts(usize),
    /// The deadline of a hub has come.
    HubTick { hub: usize, life: u64 },
    /// A stalled hub runs on.
    HubResumes { hub: usize, life: u64 },
    /// The store of a hub has made a batch durable.
    HubCommits { hub: usize, life: u64 },
    /// An agent starts.
    AgentStarts(AgentId),
    /// The deadline of an agent has come.
    AgentTick { agent: AgentId, life: u64, at: u64 },
    /// A suspended agent runs on.
    AgentResumes { agent: AgentId, life: u64 },
    /// An agent hears something.
    AgentHears { agent: AgentId, life: u64, event: Box<agent::Event> },
    /// Something may have arrived.
    Deliver { session: u64, way: Way },
    /// The transport of an agent looks whether its peer still answers.
    Keepalive { session: u64 },
    /// A call arrives at the API server of a cluster. It does so even if its caller is no more.
    CallArrives { agent: AgentId, life: u64, op: agent::OpId, sent: u64, call: Box<agent::Call> },
    /// A watch may have something to show.
    WatchShows { cluster: usize, watch: WatchKey },
    /// The controllers of a cluster look at a workload.
    Reconcile { cluster: usize, key: ObjectKey },
    /// The scheduler of a cluster looks at the pods without a node.
    Schedule { cluster: usize },
    /// A pod has started.
    PodStarts { cluster: usize, pod: Arc<str> },
    /// A pod's grace is over.
    PodEnds { cluster: usize, pod: Arc<str> },
    /// The supervisor of a pod asks whether its process may run.
    SupervisorAsks { cluster: usize, pod: Arc<str> },
    /// It is told for how long, from when it asked on its own clock.
    SupervisorHears { cluster: usize, pod: Arc<str>, asked: Time, lasts: Duration },
    /// The lease of a process may have ended.
    LeaseEnds { cluster: usize, pod: Arc<str> },
    /// A process that was told to end is gone.
    ProcessEnds { cluster: usize, pod: Arc<str> },
    /// A Job's pod has done its work.
    JobEnds { cluster: usize, pod: Arc<str> },
    /// A node has not been ready for long: its pods are to end.
    NodeEvicts { cluster: usize, node: Arc<str> },
    /// The next accident.
    Accident,
    /// A link that has stuttered carries nothing any more.
    LinkDies(AgentId),
    /// An accident is over.
    Mend(Mend),
    /// The operator's next wish.
    Operate,
    /// The router looks where traffic may go.
    Route,
    /// The agents of some cluster are to be of another release.
    Upgrade,
    /// The operator says what he has thought of before.
    Ask(Box<Command>),
    /// An agent is ended, and started again as what it shall be.
    AgentReplaced(AgentId),
}

/// What is put right when an accident is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mend {
    /// A link is whole again one way.
    Link(AgentId, Way),
    /// A link is fast again.
    Fast(AgentId),
    /// The API server answers again.
    Api(usize),
    /// A dead cluster comes back.
    Cluster(usize),
    /// All nodes of a cluster are there, and ready.
    Nodes(usize),
    /// The scheduler of a cluster finds nodes again.
    Scheduler(usize),
    /// Images can be pulled in a cluster again.
    Registry(usize),
    /// A hub's own store is found again.
    Store,
    /// A hub that was replaced falls silent.
    Leader,
    /// A pod is ready again.
    Pod { cluster: usize, pod: Arc<str> },
}
