//! Accidents: what goes wrong, how often, and for how long.

use std::sync::Arc;

use godwit_common::ObjectKey;
use godwit_common::rng::Rng;

use crate::clock::Cx;
use crate::happening::{AgentId, Happening, Mend};
use crate::net::Way;
use crate::world::{RESTART, World, cx};

/// How long most accidents last, in milliseconds.
const LASTS: (u64, u64) = (200, 25_000);
/// How long a hub's loop stalls.
const STALLS: (u64, u64) = (100, 9_000);

/// How likely each thing is, as one time in so many; zero is never.
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    /// The most milliseconds between two accidents.
    pub every: u64,
    /// A call to an API server, or its answer, is lost.
    pub call_lost: u64,
    /// A call takes long.
    pub call_slow: u64,
    /// A hub falls before, within or after a commit.
    pub hub_falls: u64,
    /// Whole clusters lose power.
    pub deaths: bool,
    /// People change things in the members.
    pub hands: bool,
}

impl Faults {
    /// Nothing goes wrong.
    pub fn none() -> Self {
        Self { every: 0, call_lost: 0, call_slow: 0, hub_falls: 0, deaths: false, hands: false }
    }

    /// Some mixture, from calm to wild.
    pub fn some(rng: &mut Rng) -> Self {
        let mut pick = |values: &[u64]| values[usize::try_from(rng.below(values.len() as u64)).unwrap_or(0)];
        Self {
            every: pick(&[1_500, 5_000, 15_000]),
            call_lost: pick(&[0, 200, 30]),
            call_slow: pick(&[0, 300, 60]),
            hub_falls: pick(&[0, 2_000, 400]),
            deaths: pick(&[0, 1]) == 1,
            hands: pick(&[0, 1]) == 1,
        }
    }

    pub(crate) fn call_is_lost(&self, rng: &mut Rng) -> bool {
        rng.one_in(self.call_lost)
    }

    pub(crate) fn call_is_slow(&self, rng: &mut Rng) -> bool {
        rng.one_in(self.call_slow)
    }

    pub(crate) fn hub_falls(&self, rng: &mut Rng) -> bool {
        rng.one_in(self.hub_falls)
    }
}

impl World {
    /// From now on things go wrong.
    pub fn begin_faults(&mut self, faults: Faults) {
        self.faults = faults;
        cx!(self).after((0, faults.every), Happening::Accident);
    }

    /// Everything is put right, and nothing more goes wrong.
    pub fn heal(&mut self) {
        self.note(|| "everything is put right".to_owned());
        self.faults = Faults::none();
        for (agent, way) in self.net.cuts() {
            self.mend(Mend::Link(agent, way));
        }
        for cluster in 0..self.members.len() {
            self.mend(Mend::Api(cluster));
            self.mend(Mend::Cluster(cluster));
            let pods: Vec<Arc<str>> = self.members[cluster].pods.keys().cloned().collect();
            for pod in pods {
                self.members[cluster].set_ready(cx!(self), &pod, true);
            }
        }
        for id in self.agent_ids() {
            self.agents[id.cluster][id.agent].held_down = false;
            self.mend(Mend::Fast(id));
            cx!(self).after(RESTART, Happening::AgentStarts(id));
        }
        for hub in 0..self.hubs.len() {
            let life = self.hubs[hub].life;
            self.hubs[hub].stalled_until = self.now;
            self.queue.push(self.now, Happening::HubResumes { hub, life });
        }
        // It may be about to end.
        for delay in [0, 5_000] {
            self.queue.push(self.now + delay, Happening::HubStarts(0));
        }
    }

    pub(crate) fn accident(&mut self) {
        if self.faults.every == 0 {
            return;
        }
        let cluster = self.pick(self.members.len());
        let agent = self.pick(self.agents[cluster].len());
        let id = AgentId { cluster, agent };
        match self.rng.below(20) {
            0..=2 => self.crash_and_restart(id),
            3 => {
                self.stop_agent(id);
                cx!(self).after((6_000, 20_000), Happening::AgentStarts(id));
            }
            4..=6 => self.cut_links(cluster),
            7 => self.reset(id),
            8 => {
                self.net.set_slow(id, true);
                cx!(self).after(LASTS, Happening::Mend(Mend::Fast(id)));
            }
            9 | 10 => self.hub_accident(),
            11 => self.stall(),
            12 => {
                self.note(|| format!("the API server of cluster {cluster} is gone"));
                self.members[cluster].api = false;
                cx!(self).after(LASTS, Happening::Mend(Mend::Api(cluster)));
            }
            13 => self.members[cluster].relist_all(cx!(self)),
            14 | 15 => self.pods_fail(cluster),
            16 if self.faults.deaths => {
                self.kill_cluster(cluster);
                cx!(self).after((5_000, 60_000), Happening::Mend(Mend::Cluster(cluster)));
            }
            17 | 18 if self.faults.hands => self.hands(cluster),
            19 => {
                for agent in 0..self.agents[cluster].len() {
                    self.crash_and_restart(AgentId { cluster, agent });
                }
            }
            // Not in this world.
            16.. => {}
        }
        let every = self.faults.every;
        cx!(self).after((0, every), Happening::Accident);
    }

    fn crash_and_restart(&mut self, id: AgentId) {
        let silently = self.rng.one_in(3);
        self.crash_agent(id, silently);
        cx!(self).after(RESTART, Happening::AgentStarts(id));
    }

    /// Some links of a cluster carry nothing, one way or both.
    fn cut_links(&mut self, cluster: usize) {
        let ways: &[Way] = match self.rng.below(4) {
            0 => &[Way::Up],
            1 => &[Way::Down],
            _ => &[Way::Up, Way::Down],
        };
        let (all, one) = (self.rng.one_in(2), self.pick(self.agents[cluster].len()));
        let lasts = LASTS.0 + self.rng.below(LASTS.1);
        for agent in 0..self.agents[cluster].len() {
            let id = AgentId { cluster, agent };
            for way in ways.iter().filter(|_| all || agent == one) {
                self.note(|| format!("link of {} is cut: {way:?}", self.name(id)));
                self.net.cut(cx!(self), id, *way);
                self.queue.push(self.now + lasts, Happening::Mend(Mend::Link(id, *way)));
            }
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

    fn hub_accident(&mut self) {
        if self.hubs[0].core.is_none() {
            return;
        }
        if self.rng.one_in(3) {
            self.stop_hub(0);
            cx!(self).after((1_500, 8_000), Happening::HubStarts(0));
        } else {
            let silently = self.rng.one_in(3);
            self.crash_hub(0, silently);
            cx!(self).after(RESTART, Happening::HubStarts(0));
        }
    }

    fn stall(&mut self) {
        let until = self.now + STALLS.0 + self.rng.below(STALLS.1);
        self.stall_hub(0, until);
    }

    /// A hub's loop does not run until then.
    pub fn stall_hub(&mut self, hub: usize, until: u64) {
        self.note(|| format!("hub-{hub} stalls until {until}"));
        let life = self.hubs[hub].life;
        self.hubs[hub].stalled_until = until;
        self.queue.push(until, Happening::HubResumes { hub, life });
    }

    fn pods_fail(&mut self, cluster: usize) {
        let pods: Vec<Arc<str>> = self.members[cluster].pods.keys().cloned().collect();
        for pod in pods {
            if self.rng.one_in(4) {
                self.members[cluster].set_ready(cx!(self), &pod, false);
                let back = Mend::Pod { cluster, pod };
                cx!(self).after(LASTS, Happening::Mend(back));
            }
        }
    }

    /// A person scales or deletes something in a member, or its Lease.
    fn hands(&mut self, cluster: usize) {
        let keys: Vec<ObjectKey> = self.members[cluster].objects.keys().cloned().collect();
        if keys.is_empty() || self.rng.one_in(10) {
            return self.members[cluster].drop_lease();
        }
        let key = keys[self.pick(keys.len())].clone();
        if self.rng.one_in(3) {
            self.note(|| format!("a person deletes {key} in cluster {cluster}"));
            self.members[cluster].remove(cx!(self), &key);
        } else if matches!(&*key.kind, "Deployment" | "StatefulSet") {
            let replicas = u32::try_from(self.rng.below(8)).unwrap_or(0);
            self.note(|| format!("a person scales {key} in cluster {cluster} to {replicas}"));
            self.members[cluster].scale_by_hand(cx!(self), &key, replicas);
        }
    }

    /// A hub ends on purpose: it says goodbye, and is gone once that is said.
    pub fn stop_hub(&mut self, hub: usize) {
        self.note(|| format!("hub-{hub} is asked to end"));
        self.hubs[hub].hear(godwit_hub_core::Event::Stopping);
        self.run_hub(hub);
    }

    /// A number below a bound.
    pub fn pick(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.below(bound as u64)).unwrap_or(0)
    }
}
