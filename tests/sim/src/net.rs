//! The network between agents and hubs: sessions as TCP gives them. Within a session nothing is lost or reordered;
//! whole sessions stall, break, end half-open, and overtake each other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use godwit_agent_core as agent;
use godwit_common::link::{Down, Hello, Up};
use godwit_hub_core as hub;

use crate::clock::Cx;
use crate::happening::{AgentId, Happening};

/// After so long without an answer the transport of an agent gives a connection up (its keepalive).
pub(crate) const KEEPALIVE: u64 = 20_000;
/// How many messages fit into the buffers of a connection that does not move.
const WINDOW: usize = 6;
/// How long a message is on its way.
const DELAY: (u64, u64) = (1, 40);

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// From the agent to the hub.
    Up,
    /// From the hub to the agent.
    Down,
}

/// What a pipe carries.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    /// The connection is made, and the agent's first message with it.
    Hello(Hello),
    /// A message of the agent.
    Up(Up),
    /// A message of the hub.
    Down(Down),
    /// The sender has ended the connection.
    End,
}

/// One connection. Each end belongs to one life of a process.
#[derive(Debug)]
pub(crate) struct Session {
    /// Which agent.
    pub(crate) agent: AgentId,
    /// Which life of it.
    pub(crate) agent_life: u64,
    /// What the agent calls the session.
    pub(crate) agent_session: agent::SessionId,
    /// Which hub.
    pub(crate) hub: usize,
    /// Which life of it, and what it calls the session, once the hello has arrived.
    pub(crate) hub_end: Option<(u64, hub::SessionId)>,
    /// The agent's end is open.
    pub(crate) agent_open: bool,
    /// The hub's end was not closed.
    pub(crate) hub_open: bool,
    up: Pipe,
    down: Pipe,
    /// Messages of the agent that the hub's machine has not acknowledged, and of those how many wait at the agent.
    unacknowledged: usize,
    untaken: usize,
    /// Acknowledgements that could not get through.
    owed: usize,
}

#[derive(Debug, Default)]
struct Pipe {
    items: VecDeque<(u64, Item)>,
    last: u64,
}

/// All connections, and which links are cut.
#[derive(Debug, Default)]
pub(crate) struct Net {
    /// By number.
    pub(crate) sessions: BTreeMap<u64, Session>,
    /// By what the life of an agent calls them.
    of_agents: BTreeMap<(AgentId, u64, agent::SessionId), u64>,
    /// By what the life of a hub calls them.
    of_hubs: BTreeMap<(usize, u64, hub::SessionId), u64>,
    next: u64,
    /// Links that carry nothing one way.
    cut: BTreeSet<(AgentId, Way)>,
    /// Links that are slow.
    slow: BTreeSet<AgentId>,
}

impl Net {
    /// An agent dials.
    pub(crate) fn dial(
        &mut self,
        cx: &mut Cx<Happening>,
        (agent, agent_life): (AgentId, u64),
        agent_session: agent::SessionId,
        hub: usize,
        hello: Hello,
    ) -> u64 {
        self.next += 1;
        let session = Session {
            agent,
            agent_life,
            agent_session,
            hub,
            hub_end: None,
            agent_open: true,
            hub_open: true,
            up: Pipe::default(),
            down: Pipe::default(),
            unacknowledged: 0,
            untaken: 0,
            owed: 0,
        };
        self.of_agents.insert((agent, agent_life, agent_session), self.next);
        self.sessions.insert(self.next, session);
        self.send(cx, self.next, Way::Up, Item::Hello(hello));
        self.next
    }

    /// Puts something on its way.
    pub(crate) fn send(&mut self, cx: &mut Cx<Happening>, number: u64, way: Way, item: Item) {
        let Some(session) = self.sessions.get_mut(&number) else {
            return;
        };
        let slow = if self.slow.contains(&session.agent) { 50 } else { 1 };
        let delay = (DELAY.0 + cx.rng.below(DELAY.1)) * slow;
        let pipe = session.pipe(way);
        pipe.last = pipe.last.max(cx.now + delay);
        pipe.items.push_back((pipe.last, item));
        cx.queue.push(pipe.last, Happening::Deliver { session: number, way });
    }

    /// The agent hands a message over. True if the transport has taken it already.
    pub(crate) fn take(&mut self, cx: &mut Cx<Happening>, number: u64, message: Up) -> bool {
        let Some(session) = self.sessions.get_mut(&number) else {
            return false;
        };
        let room = session.unacknowledged < WINDOW;
        session.unacknowledged += 1;
        session.untaken += usize::from(!room);
        self.send(cx, number, Way::Up, Item::Up(message));
        room
    }

    /// What has arrived by now, one at a time. A hello needs both ways: a connection is made by both sides.
    pub(crate) fn arrived(&mut self, now: u64, number: u64, way: Way) -> Option<Item> {
        let session = self.sessions.get(&number)?;
        let (due, item) = match way {
            Way::Up => session.up.items.front()?,
            Way::Down => session.down.items.front()?,
        };
        let cut = |way: Way| self.cut.contains(&(session.agent, way));
        let blocked = cut(way) || (matches!(item, Item::Hello(_)) && cut(Way::Down));
        if *due > now || blocked {
            return None;
        }
        let (_, item) = self.sessions.get_mut(&number)?.pipe(way).items.pop_front()?;
        Some(item)
    }

    /// A message of the agent has arrived. True if the acknowledgement lets the agent's transport take another one.
    pub(crate) fn acknowledge(&mut self, number: u64) -> bool {
        let Some(session) = self.sessions.get_mut(&number) else {
            return false;
        };
        if self.cut.contains(&(session.agent, Way::Down)) {
            session.owed += 1;
            return false;
        }
        session.unacknowledged = session.unacknowledged.saturating_sub(1);
        let waits = session.untaken > 0;
        session.untaken = session.untaken.saturating_sub(1);
        waits
    }

    /// Cuts a link one way. What is on its way waits: the transport repeats it once the link is whole again.
    pub(crate) fn cut(&mut self, cx: &mut Cx<Happening>, agent: AgentId, way: Way) {
        self.cut.insert((agent, way));
        for number in self.of_agent(agent) {
            cx.queue.push(cx.now + KEEPALIVE, Happening::Keepalive { session: number });
        }
    }

    /// Makes a link whole, and says for which sessions the agent's transport has taken how many messages more.
    pub(crate) fn mend(&mut self, cx: &mut Cx<Happening>, agent: AgentId, way: Way) -> Vec<(u64, usize)> {
        self.cut.remove(&(agent, way));
        let mut taken = Vec::new();
        for number in self.of_agent(agent) {
            for way in [Way::Up, Way::Down] {
                cx.after((1, 300), Happening::Deliver { session: number, way });
            }
            if way == Way::Down {
                let owed = self.sessions.get_mut(&number).map_or(0, |s| std::mem::take(&mut s.owed));
                taken.push((number, (0..owed).filter(|_| self.acknowledge(number)).count()));
            }
        }
        taken
    }

    /// Whether a link carries nothing one way.
    pub(crate) fn is_cut(&self, agent: AgentId) -> bool {
        [Way::Up, Way::Down].iter().any(|way| self.cut.contains(&(agent, *way)))
    }

    /// The links that are cut.
    pub(crate) fn cuts(&self) -> Vec<(AgentId, Way)> {
        self.cut.iter().copied().collect()
    }

    /// Makes a link slow, or as fast as the others.
    pub(crate) fn set_slow(&mut self, agent: AgentId, slow: bool) {
        if slow {
            self.slow.insert(agent);
        } else {
            self.slow.remove(&agent);
        }
    }

    /// A life of a hub has taken a session, and calls it so.
    pub(crate) fn reaches(&mut self, number: u64, life: u64, name: hub::SessionId) {
        if let Some(session) = self.sessions.get_mut(&number) {
            session.hub_end = Some((life, name));
            self.of_hubs.insert((session.hub, life, name), number);
        }
    }

    /// The sessions of an agent, the oldest first.
    pub(crate) fn of_agent(&self, agent: AgentId) -> Vec<u64> {
        let from = (agent, 0, agent::SessionId(0));
        let of = self.of_agents.range(from..).take_while(|((of, ..), _)| *of == agent);
        let mut numbers: Vec<u64> = of.map(|(_, number)| *number).collect();
        numbers.sort_unstable();
        numbers
    }

    /// The sessions of a hub.
    pub(crate) fn of_hub(&self, hub: usize) -> Vec<u64> {
        let of = |session: &&u64| self.sessions[*session].hub == hub;
        self.sessions.keys().filter(of).copied().collect()
    }

    /// A life of a hub goes on under another number, with its sessions.
    pub(crate) fn hub_moves(&mut self, from: (usize, u64), to: (usize, u64)) {
        for (number, session) in self.sessions.iter_mut().filter(|(_, session)| session.hub == from.0) {
            if let Some((life, name)) = session.hub_end.as_mut().filter(|(life, _)| *life == from.1) {
                self.of_hubs.remove(&(from.0, from.1, *name));
                (session.hub, *life) = to;
                self.of_hubs.insert((to.0, to.1, *name), *number);
            }
        }
    }

    /// The session that a life of a hub knows under a name.
    pub(crate) fn of_hub_session(&self, hub: usize, (life, name): (u64, hub::SessionId)) -> Option<u64> {
        self.of_hubs.get(&(hub, life, name)).copied()
    }

    /// The session that a life of an agent knows under a name.
    pub(crate) fn of_agent_session(&self, agent: AgentId, life: u64, name: agent::SessionId) -> Option<u64> {
        self.of_agents.get(&(agent, life, name)).copied()
    }

    /// One side ends the session: after what it has sent, or at once, when what is on its way is lost with it.
    pub(crate) fn end(&mut self, cx: &mut Cx<Happening>, number: u64, from: Way, lose: bool) {
        let Some(session) = self.sessions.get_mut(&number) else {
            return;
        };
        match from {
            Way::Up => session.agent_open = false,
            Way::Down => session.hub_open = false,
        }
        if lose {
            session.pipe(from).items.clear();
        }
        self.send(cx, number, from, Item::End);
        self.forget(number);
    }

    /// Forgets a session that both sides have ended.
    pub(crate) fn forget(&mut self, number: u64) {
        let over = |session: &&Session| !session.agent_open && !session.hub_open;
        let Some(session) = self.sessions.get(&number).filter(over) else { return };
        self.of_agents.remove(&(session.agent, session.agent_life, session.agent_session));
        if let Some((life, name)) = session.hub_end {
            self.of_hubs.remove(&(session.hub, life, name));
        }
        self.sessions.remove(&number);
    }
}

impl Session {
    fn pipe(&mut self, way: Way) -> &mut Pipe {
        match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        }
    }
}
