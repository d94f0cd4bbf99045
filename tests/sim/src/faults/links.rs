//! Accidents of the network.

use crate::clock::Cx;
use crate::happening::{AgentId, Happening, Mend};
use crate::net::Way;
use crate::world::{World, cx};

/// How long a dying link holds back what comes from the hub, how long it carries everything again, and how long nothing.
const STUTTERS: (u64, u64) = (1_000, 17_000);
const AWAKE: (u64, u64) = (300, 1_200);
const DEAD: (u64, u64) = (20_000, 60_000);

impl World {
    /// Some links of a cluster carry nothing, one way or both.
    pub(super) fn cut_links(&mut self, cluster: usize) {
        let ways = self.some_ways();
        let (all, one) = (self.rng.one_in(2), self.pick(self.agents[cluster].len()));
        let lasts = self.lasts();
        for agent in 0..self.agents[cluster].len() {
            if all || agent == one {
                self.cut_link(AgentId { cluster, agent }, ways, lasts);
            }
        }
    }

    /// The hub's own network carries nothing, to all clusters or to some of them.
    pub(super) fn cut_hub(&mut self) {
        let (ways, lasts) = (self.some_ways(), self.lasts());
        let percent = [40, 70, 100][self.pick(3)];
        for cluster in 0..self.agents.len() {
            if self.rng.below(100) < percent {
                for agent in 0..self.agents[cluster].len() {
                    self.cut_link(AgentId { cluster, agent }, ways, lasts);
                }
            }
        }
    }

    /// For a while nothing comes from the hub; then what has waited does, and soon after that nothing goes either way.
    pub(super) fn stutter(&mut self, cluster: usize) {
        let lasts = STUTTERS.0 + self.rng.below(STUTTERS.1);
        for agent in 0..self.agents[cluster].len() {
            let id = AgentId { cluster, agent };
            self.cut_link(id, &[Way::Down], lasts);
            let dies = self.now + lasts + AWAKE.0 + self.rng.below(AWAKE.1);
            self.queue.push(dies, Happening::LinkDies(id));
        }
    }

    pub(crate) fn link_dies(&mut self, id: AgentId) {
        // Everything may have been put right meanwhile.
        if self.faults.every > 0 {
            let lasts = DEAD.0 + self.rng.below(DEAD.1);
            self.cut_link(id, &[Way::Up, Way::Down], lasts);
        }
    }

    fn cut_link(&mut self, id: AgentId, ways: &[Way], lasts: u64) {
        for way in ways {
            self.note(|| format!("link of {} is cut: {way:?}", self.name(id)));
            self.net.cut(cx!(self), id, *way);
            self.queue.push(self.now + lasts, Happening::Mend(Mend::Link(id, *way)));
        }
    }

    fn some_ways(&mut self) -> &'static [Way] {
        match self.rng.below(4) {
            0 => &[Way::Up],
            1 => &[Way::Down],
            _ => &[Way::Up, Way::Down],
        }
    }

    /// The sessions of an agent break on both sides, and what was on its way is lost.
    pub fn reset(&mut self, id: AgentId) {
        for number in self.net.of_agent(id) {
            let Some(session) = self.net.sessions.get(&number).filter(|session| session.agent_open) else {
                continue;
            };
            let (life, name) = (session.agent_life, session.agent_session);
            self.net.end(cx!(self), number, Way::Up, true);
            let event = Box::new(godwit_agent_core::Event::Closed {
                session: name,
                reason: "connection reset".into(),
            });
            self.queue.push(self.now, Happening::AgentHears { agent: id, life, event });
        }
    }
}
