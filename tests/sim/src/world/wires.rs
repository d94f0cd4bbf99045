//! What happens on the wires: messages arrive, sessions begin and end, transports lose patience.

use godwit_agent_core as agent;
use godwit_common::link::Down;
use godwit_hub_core as hub;

use super::{World, brief, cx};
use crate::clock::Cx;
use crate::net::{Item, Way};

impl World {
    pub(super) fn deliver(&mut self, number: u64, way: Way) {
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
                self.net.reaches(number, life, name);
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
                    self.hubs[hub].hear(hub::Event::Closed { session, expired: false });
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
                let message = self.agent(id).release.reads(message);
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

    pub(super) fn transport_takes(&mut self, number: u64, messages: usize) {
        let Some(session) = self.net.sessions.get(&number).filter(|session| session.agent_open) else {
            return;
        };
        let (id, life, session) = (session.agent, session.agent_life, session.agent_session);
        for _ in 0..messages {
            self.tell_agent(id, life, agent::Event::Sent { session });
        }
    }

    /// The agent's transport finds that its peer does not answer, or has forgotten the session.
    pub(super) fn keepalive(&mut self, number: u64) {
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
}
