//! An agent as a process: the real machine on a skewed clock. It can crash at any moment; its calls under way still
//! arrive, and what its cluster holds stays.

use std::collections::VecDeque;

use godwit_agent_core::{Agent, Config, Effect, Event};
use godwit_common::rng::Rng;

use crate::clock::{Clock, Cx};
use crate::happening::{AgentId, Happening};
use crate::world::Release;

/// An agent.
#[derive(Debug)]
pub struct AgentProcess {
    /// Which.
    pub id: AgentId,
    /// The machine, while the process lives.
    pub core: Option<Agent>,
    /// Rises with each start and each end.
    pub life: u64,
    /// It shall not be started again for now.
    pub held_down: bool,
    /// Of which release it is, and of which it will be when it starts the next time.
    pub release: Release,
    /// See `release`.
    pub next: Release,
    /// Its machine does not run until then.
    suspended_until: u64,
    /// What came meanwhile.
    waiting: VecDeque<Event>,
    config: Config,
    clock: Clock,
    tick_at: Option<u64>,
}

impl AgentProcess {
    /// An agent that has not started.
    pub(crate) fn new(id: AgentId, config: Config, release: Release, cx: &mut Cx<Happening>) -> Self {
        Self {
            id,
            core: None,
            life: 0,
            held_down: false,
            release,
            next: release,
            suspended_until: 0,
            waiting: VecDeque::new(),
            config,
            clock: Clock::new(cx.now, cx.rng),
            tick_at: None,
        }
    }

    /// Starts the process: it knows nothing.
    pub(crate) fn start(&mut self, cx: &mut Cx<Happening>) {
        self.life += 1;
        self.release = self.next;
        self.clock = Clock::new(cx.now, cx.rng);
        self.tick_at = None;
        (self.suspended_until, self.waiting) = (0, VecDeque::new());
        self.core = Some(Agent::new(self.config.clone(), Rng::new(cx.rng.next_u64())));
    }

    /// The process is gone.
    pub fn crash(&mut self) {
        self.life += 1;
        self.core = None;
    }

    /// The machine does not run for so long. Its clock does: the agent is told the time by one that counts suspends (S9).
    pub(crate) fn suspend(&mut self, cx: &mut Cx<Happening>, lasts: u64) {
        if self.suspended_until > cx.now || !self.waiting.is_empty() || self.core.is_none() {
            return;
        }
        self.suspended_until = cx.now + lasts;
        let (agent, life) = (self.id, self.life);
        cx.queue.push(self.suspended_until, Happening::AgentResumes { agent, life });
    }

    /// What comes while the machine is suspended waits; returns what is to be heard now.
    pub(crate) fn heard(&mut self, now: u64, event: Event) -> Option<Event> {
        if self.suspended_until <= now && self.waiting.is_empty() {
            return Some(event);
        }
        self.waiting.push_back(event);
        None
    }

    /// The machine runs again, and hears what has waited, one after the other.
    pub(crate) fn waited(&mut self) -> Option<Event> {
        self.waiting.pop_front()
    }

    /// The zone of its node.
    pub fn zone(&self) -> String {
        format!("zone-{}", self.id.agent)
    }

    /// One step of the machine.
    pub(crate) fn step(&mut self, cx: &mut Cx<Happening>, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Some(core) = &mut self.core {
            core.step(self.clock.read(cx.now), event, &mut effects);
        }
        self.set_tick(cx);
        effects
    }

    /// Whether the tick that was set for this moment is still the one that is wanted.
    pub fn is_due(&mut self, at: u64) -> bool {
        let due = self.tick_at == Some(at);
        if due {
            self.tick_at = None;
        }
        due
    }

    fn set_tick(&mut self, cx: &mut Cx<Happening>) {
        let deadline = self.core.as_ref().and_then(Agent::deadline);
        let Some(deadline) = deadline else {
            self.tick_at = None;
            return;
        };
        let at = self.clock.moment(deadline).max(cx.now + 1);
        if self.tick_at.is_none_or(|set| set > at || set < cx.now) {
            self.tick_at = Some(at);
            let (agent, life) = (self.id, self.life);
            cx.queue.push(at, Happening::AgentTick { agent, life, at });
        }
    }
}
