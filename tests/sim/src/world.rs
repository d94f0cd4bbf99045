//! The world: everything that exists, and what happens to it, one thing after the other.

mod agents;
mod hubs;
mod releases;
mod supervisors;
mod wires;

use std::collections::BTreeMap;
use std::sync::Arc;

use godwit_agent_core as agent;
use godwit_common::rng::Rng;
use godwit_common::{ClusterName, stable_hash};
use godwit_hub_core::{self as hub, Answer, Command, Refused, Ticket};

use crate::agent_process::AgentProcess;
use crate::clock::{Cx, Queue};
use crate::faults::Faults;
use crate::happening::{AgentId, Happening, Mend};
use crate::hub_process::HubProcess;
use crate::imports::Brownfield;
use crate::invariants::{Checker, Records};
use crate::member::Member;
use crate::net::Net;
use crate::operator::Operator;
use crate::router::Router;
use crate::scenario::Setup;
pub use releases::Release;
pub(crate) use supervisors::Question;

/// How soon a process that fell is started again.
pub(crate) const RESTART: (u64, u64) = (500, 15_000);

/// What a hub answered to a command.
pub type Answered = Result<Answer, Refused>;

/// Where lines of the trace go.
pub type Sink = fn(&str);

/// All that exists.
#[derive(Debug)]
pub struct World {
    /// The true time, in milliseconds since the beginning.
    pub now: u64,
    /// All chance comes from here.
    pub(crate) rng: Rng,
    /// All that will happen.
    pub(crate) queue: Queue<Happening>,
    /// Between agents and hubs.
    pub(crate) net: Net,
    /// Usually one.
    pub hubs: Vec<HubProcess>,
    /// The member clusters.
    pub members: Vec<Member>,
    /// The agents of each.
    pub agents: Vec<Vec<AgentProcess>>,
    /// Accidents.
    pub faults: Faults,
    /// A copy of the first hub's store, from earlier.
    pub backup: Option<Records>,
    /// The first hub's own store, while it has to do without.
    pub(crate) kept: Option<Records>,
    /// Who wants things.
    pub operator: Operator,
    /// Who sends traffic.
    pub router: Router,
    /// The most milliseconds between two clusters whose agents get another release; zero for never.
    pub upgrades: u64,
    /// What is there that Godwit has not made.
    pub brownfield: Brownfield,
    /// Who watches over everything.
    pub checker: Checker,
    /// Answers that have come, by hub and ticket.
    pub answers: BTreeMap<(usize, Ticket), Answered>,
    /// What supervisors have asked, and nobody has answered.
    pub(crate) questions: BTreeMap<agent::AskId, Question>,
    /// How many questions there were.
    pub(crate) last_question: u64,
    /// How many things have happened.
    pub happened: u64,
    /// Over when they happened, and how much chance each of them took.
    path: u64,
    trace: Option<Sink>,
}

/// What a part needs to let things happen.
macro_rules! cx {
    ($world:expr) => {
        &mut Cx { now: $world.now, rng: &mut $world.rng, queue: &mut $world.queue }
    };
}
pub(crate) use cx;

impl World {
    /// A world in which everything starts.
    pub fn new(setup: Setup) -> Self {
        let mut rng = Rng::new(setup.seed);
        let mut queue = Queue::default();
        let cx = &mut Cx { now: 0, rng: &mut rng, queue: &mut queue };
        let hubs: Vec<HubProcess> =
            (0..setup.hubs).map(|index| HubProcess::new(index, setup.hub.clone(), cx)).collect();
        let (mut members, mut agents) = (Vec::new(), Vec::new());
        for (index, cluster) in setup.clusters.iter().enumerate() {
            let uid = cx.rng.uid();
            let name: ClusterName = cluster.name.parse().expect("a scenario names its clusters well");
            let mut member = Member::new(index, name, uid, cluster.nodes, cluster.cpu_millis);
            member.supervises = cluster.supervises;
            members.push(member);
            let agent = |agent: usize| {
                let id = AgentId { cluster: index, agent };
                let hubs = (0..setup.hubs).map(|hub| Arc::from(format!("hub-{hub}"))).collect();
                let config = agent::Config::new(hubs, &format!("agent-{agent}"), "sim");
                let config = agent::Config { supervises: cluster.supervises, ..config };
                AgentProcess::new(id, config, cluster.release, cx)
            };
            agents.push((0..cluster.agents).map(agent).collect());
        }
        let mut checker = Checker::new(&setup.hub);
        if setup.clusters.iter().any(|cluster| cluster.release == Release::Older) {
            checker.releases_differ();
        }
        let mut world = Self {
            now: 0,
            rng,
            queue,
            net: Net::default(),
            hubs,
            members,
            agents,
            faults: Faults::default(),
            backup: None,
            kept: None,
            operator: Operator::default(),
            router: Router::default(),
            upgrades: 0,
            brownfield: Brownfield::default(),
            checker,
            answers: BTreeMap::new(),
            questions: BTreeMap::new(),
            last_question: 0,
            happened: 0,
            path: 0,
            trace: setup.trace,
        };
        world.start_everything();
        world
    }

    /// Lets time pass until a moment.
    pub fn run_to(&mut self, end: u64) {
        while self.queue.next_at().is_some_and(|at| at <= end) {
            self.one();
        }
        self.now = self.now.max(end);
    }

    /// Says something to the trace.
    pub fn note(&self, line: impl FnOnce() -> String) {
        if let Some(sink) = self.trace {
            sink(&format!("{:>9.3} {}", self.now as f64 / 1000.0, line()));
        }
    }

    /// Over all that has happened, and what hubs and members have kept of it.
    pub fn fingerprint(&self) -> u64 {
        let kept = self.hubs.iter().map(|hub| format!("{:?}", hub.store));
        let kept =
            kept.chain(self.members.iter().map(|member| format!("{:?} {:?}", member.objects, member.fence)));
        kept.fold(self.path, |digest, kept| stable_hash([&digest.to_le_bytes(), kept.as_bytes()]))
    }

    /// All agents.
    pub fn agent_ids(&self) -> Vec<AgentId> {
        self.agents.iter().flatten().map(|agent| agent.id).collect()
    }

    /// A hub hears of a command; the answer comes later, if it comes.
    pub fn command(&mut self, hub: usize, command: Command) -> Ticket {
        self.note(|| format!("operator -> hub-{hub}: {}", brief(&command)));
        let ticket = self.hubs[hub].next_ticket();
        self.hubs[hub].hear(hub::Event::Command { ticket, by: "sim".into(), command });
        self.run_hub(hub);
        ticket
    }

    fn start_everything(&mut self) {
        // A second hub is a scenario's own business.
        self.start_hub(0);
        for id in self.agent_ids() {
            cx!(self).after((0, 2_000), Happening::AgentStarts(id));
        }
    }

    fn one(&mut self) {
        let Some(at) = self.queue.next_at() else { return };
        self.now = self.now.max(at);
        self.checker.now = self.now;
        if let Some(happening) = self.queue.pop() {
            self.happen(happening);
            self.happened += 1;
            let drawn = self.rng.clone().next_u64();
            self.path = self.path.rotate_left(5) ^ drawn.wrapping_add(self.now);
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::HubStarts(hub) => self.start_hub(hub),
            Happening::HubTick { hub, life } if self.hubs[hub].life == life => {
                self.hubs[hub].tick(self.now);
                self.run_hub(hub);
            }
            Happening::HubResumes { hub, life } if self.hubs[hub].life == life => self.run_hub(hub),
            Happening::HubCommits { hub, life } if self.hubs[hub].life == life => self.commit(hub),
            Happening::AgentStarts(id) => self.start_agent(id),
            Happening::AgentTick { agent, life, at } if self.agent(agent).life == life => {
                if self.agent_mut(agent).is_due(at) {
                    self.step_agent(agent, agent::Event::Tick);
                }
            }
            Happening::AgentResumes { agent, life } if self.agent(agent).life == life => {
                self.agent_resumes(agent);
            }
            Happening::AgentHears { agent, life, event } if self.agent(agent).life == life => {
                self.step_agent(agent, *event);
            }
            Happening::Deliver { session, way } => self.deliver(session, way),
            Happening::Keepalive { session } => self.keepalive(session),
            Happening::CallArrives { agent, life, op, sent, call } => {
                self.call_arrives((agent, life), sent, op, *call)
            }
            Happening::WatchShows { cluster, watch } => self.watch_shows(cluster, watch),
            Happening::Reconcile { cluster, key } => {
                self.members[cluster].reconcile(cx!(self), &key);
                self.checker.look_at_imports(&self.members);
            }
            Happening::Schedule { cluster } => self.members[cluster].schedule(cx!(self)),
            Happening::PodStarts { cluster, pod } => self.members[cluster].pod_starts(cx!(self), &pod),
            Happening::PodEnds { cluster, pod } => self.members[cluster].pod_ends(cx!(self), &pod),
            Happening::SupervisorAsks { cluster, pod } => self.supervisor_asks(cluster, &pod),
            Happening::SupervisorHears { cluster, pod, asked, lasts } => {
                self.supervisor_hears(cluster, &pod, asked, lasts);
            }
            Happening::LeaseEnds { cluster, pod } => self.members[cluster].lease_ends(cx!(self), &pod),
            Happening::ProcessEnds { cluster, pod } => self.members[cluster].process_ends(&pod),
            Happening::JobEnds { cluster, pod } => self.members[cluster].job_ends(cx!(self), &pod),
            Happening::NodeEvicts { cluster, node } => self.members[cluster].evict(cx!(self), &node),
            Happening::Accident => self.accident(),
            Happening::LinkDies(agent) => self.link_dies(agent),
            Happening::Mend(mend) => self.mend(mend),
            Happening::Operate => self.operate(),
            Happening::Route => self.route(),
            Happening::Upgrade => self.upgrade(),
            Happening::Ask(command) => {
                self.command(0, *command);
            }
            Happening::AgentReplaced(id) => self.replace_agent(id),
            // Meant for a life that is over.
            Happening::HubTick { .. } | Happening::HubResumes { .. } | Happening::HubCommits { .. } => {}
            Happening::AgentTick { .. } | Happening::AgentResumes { .. } | Happening::AgentHears { .. } => {}
        }
    }

    /// Puts something right.
    pub(crate) fn mend(&mut self, mend: Mend) {
        match mend {
            Mend::Link(agent, way) => {
                for (number, taken) in self.net.mend(cx!(self), agent, way) {
                    self.transport_takes(number, taken);
                }
            }
            Mend::Fast(agent) => self.net.set_slow(agent, false),
            Mend::Api(cluster) => {
                if !std::mem::replace(&mut self.members[cluster].api, true) {
                    self.members[cluster].relist_all(cx!(self));
                }
            }
            Mend::Cluster(cluster) => self.revive_cluster(cluster),
            Mend::Nodes(cluster) => self.members[cluster].mend_nodes(cx!(self)),
            Mend::Scheduler(cluster) => self.members[cluster].mend_scheduler(cx!(self)),
            Mend::Registry(cluster) => self.members[cluster].mend_registry(cx!(self)),
            Mend::Store => self.find_store(),
            Mend::Leader if self.hubs.len() > 1 && self.hubs[1].core.is_some() => self.crash_hub(1, false),
            Mend::Leader => return,
            Mend::Pod { cluster, pod } => self.members[cluster].set_ready(cx!(self), &pod, true),
        }
        self.note(|| "something is put right".to_owned());
    }

    /// A whole cluster loses power: agents, API server, pods.
    pub fn kill_cluster(&mut self, cluster: usize) {
        self.note(|| format!("cluster {} dies", self.members[cluster].name));
        for agent in 0..self.agents[cluster].len() {
            let silently = self.rng.one_in(2);
            self.crash_agent(AgentId { cluster, agent }, silently);
        }
        self.members[cluster].die();
    }

    /// A cluster without power is built anew under its old name: nothing is left of what it was.
    pub fn rebuild_cluster(&mut self, cluster: usize) {
        self.note(|| format!("cluster {} is built anew", self.members[cluster].name));
        let uid = self.rng.uid();
        self.members[cluster].rebuild(uid);
    }

    /// Power is back.
    pub fn revive_cluster(&mut self, cluster: usize) {
        if self.members[cluster].dead {
            self.note(|| format!("cluster {} comes back", self.members[cluster].name));
            self.members[cluster].revive(cx!(self));
            for agent in 0..self.agents[cluster].len() {
                cx!(self).after(RESTART, Happening::AgentStarts(AgentId { cluster, agent }));
            }
        }
    }

    /// An agent's name in the trace.
    pub fn name(&self, id: AgentId) -> String {
        format!("{}/{}", self.members[id.cluster].name, id.agent)
    }
}

/// A value on one line, not longer than is of use.
fn brief(value: &impl std::fmt::Debug) -> String {
    const MAX: usize = 600;
    let text = format!("{value:?}");
    match text.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
