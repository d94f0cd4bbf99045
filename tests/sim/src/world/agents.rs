//! What happens to agents: they start, step, call the API servers of their clusters, watch, and die.

use godwit_agent_core::{self as agent, CallError};
use godwit_common::link::Up;

use super::{World, brief, cx};
use crate::agent_process::AgentProcess;
use crate::clock::Cx;
use crate::happening::{AgentId, Happening, WatchKey};
use crate::net::{Item, Way};

/// How long a call is on its way to the API server, and back.
const CALL: (u64, u64) = (1, 40);
/// A slow one; the shell gives up at thirty seconds.
const CALL_SLOW: (u64, u64) = (500, 25_000);
/// How old a call of a dead process may be and still be carried out.
const CALL_OUTLIVES: u64 = 300;

impl World {
    /// An agent.
    pub fn agent(&self, id: AgentId) -> &AgentProcess {
        &self.agents[id.cluster][id.agent]
    }

    pub(super) fn agent_mut(&mut self, id: AgentId) -> &mut AgentProcess {
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

    pub(super) fn step_agent(&mut self, id: AgentId, event: agent::Event) {
        if let Some(event) = self.agents[id.cluster][id.agent].heard(self.now, event) {
            self.agent_hears(id, event);
        }
    }

    pub(super) fn agent_resumes(&mut self, id: AgentId) {
        while let Some(event) = self.agents[id.cluster][id.agent].waited() {
            self.agent_hears(id, event);
        }
    }

    fn agent_hears(&mut self, id: AgentId, event: agent::Event) {
        let effects = self.agents[id.cluster][id.agent].step(cx!(self), event);
        for effect in effects {
            if self.faults.agent_falls(&mut self.rng) {
                return self.crash_and_restart(id);
            }
            self.agent_wants(id, effect);
        }
    }

    fn agent_wants(&mut self, id: AgentId, effect: agent::Effect) {
        let life = self.agent(id).life;
        match effect {
            agent::Effect::Dial { session, address, hello } => {
                let hub = address.strip_prefix("hub-").and_then(|hub| hub.parse().ok()).unwrap_or(0);
                let hello = self.agent(id).release.greets(hello);
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
            agent::Effect::Admit { ask, lasts, uids } => {
                self.supervisor_is_answered(ask, lasts.filter(|_| !uids.is_empty()));
            }
            agent::Effect::Log(line) => self.note(|| format!("{}: {line}", self.name(id))),
            agent::Effect::Exit => self.crash_agent(id, false),
        }
    }

    fn agent_says(&mut self, id: AgentId, session: agent::SessionId, message: Up) {
        let life = self.agent(id).life;
        if let Up::Report(report) = &message {
            self.checker.agent_reports(&self.members[id.cluster], &report.removed);
        }
        if !matches!(message, Up::Heartbeat | Up::Renewal { .. }) {
            self.note(|| format!("{} says {}", self.name(id), brief(&message)));
        }
        if let Some(number) = self.net.of_agent_session(id, life, session) {
            let again = (is_idempotent(&message) && self.faults.is_doubled(&mut self.rng))
                .then(|| Item::Up(message.clone()));
            if self.net.take(cx!(self), number, message) {
                self.tell_agent(id, life, agent::Event::Sent { session });
            }
            if let Some(again) = again {
                self.net.send(cx!(self), number, Way::Up, again);
            }
        }
    }

    pub(super) fn tell_agent(&mut self, agent: AgentId, life: u64, event: agent::Event) {
        let event = Box::new(event);
        self.queue.push(self.now, Happening::AgentHears { agent, life, event });
    }

    pub(super) fn call_arrives(
        &mut self,
        (agent, life): (AgentId, u64),
        sent: u64,
        op: agent::OpId,
        call: agent::Call,
    ) {
        // A connection dies with its process, and with it what the server was not about to do.
        if self.agent(agent).life != life && self.now > sent + CALL_OUTLIVES {
            return;
        }
        let lost = || CallError::Unavailable("no answer in time".into());
        let zone = self.agent(agent).zone();
        let (result, deed) = if self.faults.call_is_lost(&mut self.rng) {
            (Err(lost()), None)
        } else if is_write(&call) && self.faults.call_is_refused(&mut self.rng) {
            (Err(CallError::Refused("denied by an admission webhook".into())), None)
        } else {
            self.members[agent.cluster].call(cx!(self), call, &zone)
        };
        if let Some(deed) = deed {
            let release = self.agent(agent).release;
            self.checker.member_did(&self.members[agent.cluster].name, &deed, release);
            self.note(|| format!("{} did {deed:?}", self.name(agent)));
        }
        let reply_lost = self.faults.call_is_lost(&mut self.rng);
        let result = if reply_lost { Err(lost()) } else { result };
        let event = Box::new(agent::Event::Done { op, result });
        cx!(self).after(CALL, Happening::AgentHears { agent, life, event });
    }

    pub(super) fn watch_shows(&mut self, cluster: usize, watch: WatchKey) {
        let id = AgentId { cluster, agent: watch.agent };
        for change in self.members[cluster].shown(self.now, watch) {
            if self.agent(id).life == watch.life {
                let watch = watch.watch;
                self.step_agent(id, agent::Event::Watched { watch, change });
            }
        }
    }
}

/// Whether a message says how things are, and may as well be said twice.
fn is_idempotent(message: &Up) -> bool {
    match message {
        Up::Heartbeat | Up::Accepted { .. } | Up::Report(_) | Up::Alarm(_) | Up::ApiServer { .. } => true,
        Up::Renewal { .. } => true,
        Up::Recalled(_) => true,
        Up::Hello(_) | Up::Leadership(_) | Up::SyncWanted | Up::Goodbye => false,
    }
}

/// Whether a call writes what an admission controller is asked about.
fn is_write(call: &agent::Call) -> bool {
    match call {
        agent::Call::Apply(_) | agent::Call::Delete { .. } | agent::Call::CreateNamespace { .. } => true,
        agent::Call::ReadIdentity | agent::Call::ReadLease | agent::Call::WriteLease(_) => false,
        agent::Call::ReadFence | agent::Call::WriteFence { .. } => false,
        agent::Call::ReadSummons | agent::Call::WriteSummons { .. } => false,
        agent::Call::Read { .. } | agent::Call::CheckNeed { .. } => false,
    }
}
