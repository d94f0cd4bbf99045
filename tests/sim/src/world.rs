//! The world: everything that exists, and what happens to it, one thing after the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use godwit_agent_core::{self as agent, CallError};
use godwit_common::ClusterName;
use godwit_common::link::{Down, Up};
use godwit_common::rng::Rng;
use godwit_hub_core::{self as hub, Answer, Command, Hub, Refused, Ticket};

use crate::agent_process::AgentProcess;
use crate::clock::{Cx, Queue};
use crate::faults::Faults;
use crate::happening::{AgentId, Happening, Mend, WatchKey};
use crate::hub_process::HubProcess;
use crate::invariants::Checker;
use crate::member::Member;
use crate::net::{Item, Net, Way};
use crate::operator::Operator;
use crate::scenario::Setup;

/// How long a call is on its way to the API server, and back.
const CALL: (u64, u64) = (1, 40);
/// A slow one; the shell gives up at thirty seconds.
const CALL_SLOW: (u64, u64) = (500, 25_000);
/// How old a call of a dead process may be and still be carried out.
const CALL_OUTLIVES: u64 = 300;
/// How soon a process that fell is started again.
pub const RESTART: (u64, u64) = (500, 15_000);

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
    pub rng: Rng,
    /// All that will happen.
    pub queue: Queue<Happening>,
    /// Between agents and hubs.
    pub net: Net,
    /// Usually one.
    pub hubs: Vec<HubProcess>,
    /// The member clusters.
    pub members: Vec<Member>,
    /// The agents of each.
    pub agents: Vec<Vec<AgentProcess>>,
    /// Accidents.
    pub faults: Faults,
    /// Who wants things.
    pub operator: Operator,
    /// Who watches over everything.
    pub checker: Checker,
    /// Answers that have come, by hub and ticket.
    pub answers: BTreeMap<(usize, Ticket), Answered>,
    trace: Option<Sink>,
}

/// What a part needs to let things happen.
macro_rules! cx {
    ($world:expr) => {
        &mut Cx {
            now: $world.now,
            rng: &mut $world.rng,
            queue: &mut $world.queue,
        }
    };
}
pub(crate) use cx;

impl World {
    /// A world in which everything starts.
    pub fn new(setup: Setup) -> Self {
        let mut rng = Rng::new(setup.seed);
        let mut queue = Queue::default();
        let cx = &mut Cx {
            now: 0,
            rng: &mut rng,
            queue: &mut queue,
        };
        let hubs: Vec<HubProcess> = (0..setup.hubs)
            .map(|index| HubProcess::new(index, setup.hub.clone(), cx))
            .collect();
        let (mut members, mut agents) = (Vec::new(), Vec::new());
        for (index, cluster) in setup.clusters.iter().enumerate() {
            let uid = cx.rng.uid();
            let name: ClusterName = cluster.name.parse().expect("a scenario names its clusters well");
            members.push(Member::new(index, name, uid, cluster.nodes, cluster.cpu_millis));
            let agent = |agent: usize| {
                let id = AgentId { cluster: index, agent };
                let hubs = (0..setup.hubs).map(|hub| Arc::from(format!("hub-{hub}"))).collect();
                let config = agent::Config::new(hubs, &format!("agent-{agent}"), "sim");
                AgentProcess::new(id, config, cx)
            };
            agents.push((0..cluster.agents).map(agent).collect());
        }
        let mut world = Self {
            now: 0,
            rng,
            queue,
            net: Net::default(),
            hubs,
            members,
            agents,
            faults: Faults::none(),
            operator: Operator::default(),
            checker: Checker::default(),
            answers: BTreeMap::new(),
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

    /// All agents.
    pub fn agent_ids(&self) -> Vec<AgentId> {
        self.agents.iter().flatten().map(|agent| agent.id).collect()
    }

    /// A hub hears of a command; the answer comes later, if it comes.
    pub fn command(&mut self, hub: usize, command: Command) -> Ticket {
        self.note(|| format!("operator -> hub-{hub}: {}", brief(&command)));
        let ticket = self.hubs[hub].next_ticket();
        self.hubs[hub].hear(hub::Event::Command { ticket, command });
        self.run_hub(hub);
        ticket
    }

    fn start_everything(&mut self) {
        for hub in 0..self.hubs.len() {
            // A second hub is a scenario's own business.
            if hub == 0 {
                self.queue.push(self.now, Happening::HubStarts(hub));
            }
        }
        for id in self.agent_ids() {
            cx!(self).after((0, 2_000), Happening::AgentStarts(id));
        }
    }

    fn one(&mut self) {
        let Some(at) = self.queue.next_at() else { return };
        self.now = self.now.max(at);
        match self.queue.pop() {
            Some(happening) => self.happen(happening),
            None => return,
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::HubStarts(hub) => self.start_hub(hub),
            Happening::HubTick { hub, life } if self.hubs[hub].life == life => {
                self.hubs[hub].tick(self.now);
                self.run_hub(hub);
            }
            Happening::HubHears { hub, life, event } if self.hubs[hub].life == life => {
                self.hubs[hub].hear(*event);
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
            Happening::AgentHears { agent, life, event } if self.agent(agent).life == life => {
                self.step_agent(agent, *event);
            }
            Happening::Deliver { session, way } => self.deliver(session, way),
            Happening::Keepalive { session } => self.keepalive(session),
            Happening::CallArrives { agent, life, op, sent, call } => self.call_arrives((agent, life), sent, op, *call),
            Happening::WatchShows { cluster, watch } => self.watch_shows(cluster, watch),
            Happening::Reconcile { cluster, key } => self.members[cluster].reconcile(cx!(self), &key),
            Happening::Schedule { cluster } => self.members[cluster].schedule(cx!(self)),
            Happening::PodStarts { cluster, pod } => self.members[cluster].pod_starts(cx!(self), &pod),
            Happening::PodEnds { cluster, pod } => self.members[cluster].pod_ends(cx!(self), &pod),
            Happening::Accident => self.accident(),
            Happening::Mend(mend) => self.mend(mend),
            Happening::Operate => self.operate(),
            // Meant for a life that is over.
            Happening::HubTick { .. } | Happening::HubHears { .. } | Happening::HubResumes { .. } => {}
            Happening::HubCommits { .. } | Happening::AgentTick { .. } | Happening::AgentHears { .. } => {}
        }
    }

    // ------------------------------------------------------------------------------------------------ hubs

    /// A hub starts on its store.
    pub fn start_hub(&mut self, hub: usize) {
        if self.hubs[hub].core.is_some() {
            return;
        }
        let effects = self.hubs[hub].start(cx!(self));
        self.note(|| format!("hub-{hub} starts"));
        let process = &mut self.hubs[hub];
        if let Some(core) = &mut process.core {
            self.checker.hub_started(hub, core, &process.store, &effects);
        }
        self.trace_journal(&effects);
        self.hubs[hub].set_tick(cx!(self));
    }

    /// A hub's process dies; its machine, too, if nobody is there to reset its connections.
    pub fn crash_hub(&mut self, hub: usize, silently: bool) {
        self.note(|| format!("hub-{hub} dies{}", if silently { " silently" } else { "" }));
        self.hubs[hub].crash();
        for number in self.net.of_hub(hub) {
            if silently {
                if let Some(session) = self.net.sessions.get_mut(&number) {
                    session.hub_open = false;
                }
                self.queue
                    .push(self.now + crate::net::KEEPALIVE, Happening::Keepalive { session: number });
                self.net.forget(number);
            } else {
                let lose = self.rng.one_in(2);
                self.net.end(cx!(self), number, Way::Down, lose);
            }
        }
    }

    /// A hub steps through what waits for it.
    pub fn run_hub(&mut self, hub: usize) {
        let (checker, trace) = (&mut self.checker, self.trace);
        let mut said = Vec::new();
        self.hubs[hub].run(cx!(self), |core: &mut Hub, step| {
            checker.hub_stepped(hub, core, &step);
            if trace.is_some() {
                said.extend_from_slice(step.effects);
            }
        });
        self.trace_journal(&said);
        self.hubs[hub].set_tick(cx!(self));
    }

    fn commit(&mut self, hub: usize) {
        if self.faults.hub_falls(&mut self.rng) {
            self.note(|| format!("hub-{hub} falls before its commit"));
            return self.fall(hub);
        }
        let spoken = self.hubs[hub].commit();
        self.checker.hub_committed(&self.hubs[hub].store);
        let falls = self.faults.hub_falls(&mut self.rng);
        let spoken_max = match falls {
            true => usize::try_from(self.rng.below(spoken.len() as u64 + 1)).unwrap_or(0),
            false => spoken.len(),
        };
        for effect in spoken.into_iter().take(spoken_max) {
            self.speak(hub, effect);
        }
        if falls {
            self.note(|| format!("hub-{hub} falls after its commit"));
            return self.fall(hub);
        }
        if self.hubs[hub].has_ended() {
            return self.crash_hub(hub, false);
        }
        self.run_hub(hub);
    }

    fn fall(&mut self, hub: usize) {
        let silently = self.rng.one_in(4);
        self.crash_hub(hub, silently);
        cx!(self).after(RESTART, Happening::HubStarts(hub));
    }

    fn speak(&mut self, hub: usize, effect: hub::Effect) {
        let life = self.hubs[hub].life;
        match effect {
            hub::Effect::Send { session, message } => {
                if let Some(number) = self.net.of_hub_session(hub, (life, session)) {
                    self.net.send(cx!(self), number, Way::Down, Item::Down(message));
                }
            }
            hub::Effect::Close { session } => {
                if let Some(number) = self.net.of_hub_session(hub, (life, session)) {
                    self.net.end(cx!(self), number, Way::Down, false);
                }
            }
            hub::Effect::Answer { ticket, answer } => {
                self.note(|| format!("hub-{hub} -> operator: {answer:?}"));
                self.answers.insert((hub, ticket), answer);
            }
            hub::Effect::Put(_) | hub::Effect::Delete(_) => {}
        }
    }

    fn trace_journal(&self, effects: &[hub::Effect]) {
        for effect in effects {
            if let hub::Effect::Put(hub::Record::Journal(entry)) = effect {
                self.note(|| {
                    let (rule, subject, message) = (&entry.rule, &entry.subject, &entry.message);
                    format!("journal {rule} {} {subject}: {message}", entry.reason)
                });
            }
        }
    }

    // ---------------------------------------------------------------------------------------------- agents

    /// An agent.
    pub fn agent(&self, id: AgentId) -> &AgentProcess {
        &self.agents[id.cluster][id.agent]
    }

    fn agent_mut(&mut self, id: AgentId) -> &mut AgentProcess {
        &mut self.agents[id.cluster][id.agent]
    }

    /// An agent starts, unless it runs, or its cluster does not.
    pub fn start_agent(&mut self, id: AgentId) {
        if self.members[id.cluster].dead || self.agent(id).held_down || self.agent(id).core.is_some() {
            return;
        }
        self.note(|| format!("{} starts", self.name(id)));
        self.agents[id.cluster][id.agent].start(cx!(self));
        self.step_agent(id, agent::Event::Tick);
    }

    /// An agent's process dies.
    pub fn crash_agent(&mut self, id: AgentId, silently: bool) {
        if self.agent(id).core.is_none() {
            return;
        }
        self.note(|| format!("{} dies", self.name(id)));
        self.agent_mut(id).crash();
        self.members[id.cluster].forget_agent(id.agent);
        for number in self.net.of_agent(id) {
            if silently {
                if let Some(session) = self.net.sessions.get_mut(&number) {
                    session.agent_open = false;
                }
                self.net.forget(number);
            } else {
                let lose = self.rng.one_in(2);
                self.net.end(cx!(self), number, Way::Up, lose);
            }
        }
    }

    /// An agent is asked to end (SIGTERM).
    pub fn stop_agent(&mut self, id: AgentId) {
        self.note(|| format!("{} is asked to end", self.name(id)));
        self.step_agent(id, agent::Event::Stop);
    }

    fn step_agent(&mut self, id: AgentId, event: agent::Event) {
        let effects = self.agents[id.cluster][id.agent].step(cx!(self), event);
        for effect in effects {
            self.agent_wants(id, effect);
        }
    }

    fn agent_wants(&mut self, id: AgentId, effect: agent::Effect) {
        let life = self.agent(id).life;
        match effect {
            agent::Effect::Dial { session, address, hello } => {
                let hub = address.strip_prefix("hub-").and_then(|hub| hub.parse().ok()).unwrap_or(0);
                self.net.dial(cx!(self), (id, life), session, hub, hello);
            }
            agent::Effect::Send { session, message } => self.agent_says(id, session, message),
            agent::Effect::Hangup { session } => {
                if let Some(number) = self.net.of_agent_session(id, life, session) {
                    self.net.end(cx!(self), number, Way::Up, false);
                }
            }
            agent::Effect::Call { op, call } => {
                let takes = if self.faults.call_is_slow(&mut self.rng) { CALL_SLOW } else { CALL };
                let call = Box::new(call);
                let (agent, sent) = (id, self.now);
                cx!(self).after(takes, Happening::CallArrives { agent, life, op, sent, call });
            }
            agent::Effect::Watch { watch, scope } => {
                let agent = id.agent;
                self.members[id.cluster].watch(cx!(self), WatchKey { agent, life, watch }, scope);
            }
            agent::Effect::Unwatch { watch } => {
                let agent = id.agent;
                self.members[id.cluster].unwatch(WatchKey { agent, life, watch });
            }
            agent::Effect::Log(line) => self.note(|| format!("{}: {line}", self.name(id))),
            agent::Effect::Exit => self.crash_agent(id, false),
        }
    }

    fn agent_says(&mut self, id: AgentId, session: agent::SessionId, message: Up) {
        let life = self.agent(id).life;
        if !matches!(message, Up::Heartbeat) {
            self.note(|| format!("{} says {}", self.name(id), brief(&message)));
        }
        if let Some(number) = self.net.of_agent_session(id, life, session)
            && self.net.take(cx!(self), number, message)
        {
            self.tell_agent(id, life, agent::Event::Sent { session });
        }
    }

    fn tell_agent(&mut self, agent: AgentId, life: u64, event: agent::Event) {
        let event = Box::new(event);
        self.queue.push(self.now, Happening::AgentHears { agent, life, event });
    }

    fn call_arrives(&mut self, (agent, life): (AgentId, u64), sent: u64, op: agent::OpId, call: agent::Call) {
        // A connection dies with its process, and with it what the server was not about to do.
        if self.agent(agent).life != life && self.now > sent + CALL_OUTLIVES {
            return;
        }
        let lost = || CallError::Unavailable("no answer in time".into());
        let zone = self.agent(agent).zone();
        let (result, deed) = match self.faults.call_is_lost(&mut self.rng) {
            true => (Err(lost()), None),
            false => self.members[agent.cluster].call(cx!(self), call, &zone),
        };
        if let Some(deed) = deed {
            self.checker.member_did(&self.members[agent.cluster].name, &deed);
            self.note(|| format!("{} did {deed:?}", self.name(agent)));
        }
        let reply_lost = self.faults.call_is_lost(&mut self.rng);
        let result = if reply_lost { Err(lost()) } else { result };
        let event = Box::new(agent::Event::Done { op, result });
        cx!(self).after(CALL, Happening::AgentHears { agent, life, event });
    }

    fn watch_shows(&mut self, cluster: usize, watch: WatchKey) {
        let id = AgentId {
            cluster,
            agent: watch.agent,
        };
        for change in self.members[cluster].shown(self.now, watch) {
            if self.agent(id).life == watch.life {
                let watch = watch.watch;
                self.step_agent(id, agent::Event::Watched { watch, change });
            }
        }
    }

    // ------------------------------------------------------------------------------------------- the network

    fn deliver(&mut self, number: u64, way: Way) {
        while let Some(item) = self.net.arrived(self.now, number, way) {
            match way {
                Way::Up => self.hub_receives(number, item),
                Way::Down => self.agent_receives(number, item),
            }
        }
    }

    fn hub_receives(&mut self, number: u64, item: Item) {
        let Some(session) = self.net.sessions.get(&number) else {
            return;
        };
        let (hub, agent) = (session.hub, session.agent);
        let alive = self.hubs[hub].accepts();
        let end = session.hub_end.filter(|(life, _)| session.hub_open && *life == self.hubs[hub].life);
        match item {
            Item::Hello(hello) if alive => {
                let cluster = self.members[agent.cluster].name.clone();
                let name = self.hubs[hub].next_session();
                let life = self.hubs[hub].life;
                if let Some(session) = self.net.sessions.get_mut(&number) {
                    session.hub_end = Some((life, name));
                }
                let session = name;
                self.hubs[hub].hear(hub::Event::Opened { session, cluster, hello });
            }
            // Nobody listens.
            Item::Hello(_) => self.net.end(cx!(self), number, Way::Down, false),
            Item::Up(message) => {
                if self.net.acknowledge(number) {
                    self.transport_takes(number, 1);
                }
                if let Some((_, session)) = end {
                    self.hubs[hub].hear(hub::Event::Message { session, message });
                }
            }
            Item::End => {
                if let Some((_, session)) = end {
                    self.hubs[hub].hear(hub::Event::Closed { session });
                }
                if let Some(session) = self.net.sessions.get_mut(&number) {
                    session.hub_open = false;
                }
                self.net.forget(number);
            }
            Item::Down(_) => {}
        }
        self.run_hub(hub);
    }

    fn agent_receives(&mut self, number: u64, item: Item) {
        let Some(session) = self.net.sessions.get_mut(&number) else {
            return;
        };
        let (id, life, name) = (session.agent, session.agent_life, session.agent_session);
        let hears = session.agent_open && self.agents[id.cluster][id.agent].life == life;
        match item {
            Item::Down(message) if hears => {
                if !matches!(message, Down::Welcome(_)) {
                    self.note(|| format!("{} hears {}", self.name(id), brief(&message)));
                }
                let session = name;
                self.step_agent(id, agent::Event::Received { session, message });
            }
            Item::End => {
                session.agent_open = false;
                self.net.forget(number);
                if hears {
                    let (session, reason) = (name, "the connection is closed".into());
                    self.step_agent(id, agent::Event::Closed { session, reason });
                }
            }
            Item::Down(_) | Item::Hello(_) | Item::Up(_) => {}
        }
    }

    fn transport_takes(&mut self, number: u64, messages: usize) {
        let Some(session) = self.net.sessions.get(&number).filter(|session| session.agent_open) else {
            return;
        };
        let (id, life, session) = (session.agent, session.agent_life, session.agent_session);
        for _ in 0..messages {
            self.tell_agent(id, life, agent::Event::Sent { session });
        }
    }

    /// The agent's transport finds that its peer does not answer, or has forgotten the session.
    fn keepalive(&mut self, number: u64) {
        let Some(session) = self.net.sessions.get(&number).filter(|session| session.agent_open) else {
            return;
        };
        if session.hub_open && !self.net.is_cut(session.agent) {
            return;
        }
        let (id, life, name) = (session.agent, session.agent_life, session.agent_session);
        self.net.end(cx!(self), number, Way::Up, false);
        let (session, reason) = (name, "keepalive timed out".into());
        self.tell_agent(id, life, agent::Event::Closed { session, reason });
    }

    /// Puts something right.
    pub fn mend(&mut self, mend: Mend) {
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
