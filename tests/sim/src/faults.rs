//! Accidents: what goes wrong, how often, and for how long.

mod hubs;
mod links;
mod members;

use godwit_common::rng::Rng;

use crate::clock::Cx;
use crate::happening::{AgentId, Happening, Mend};
use crate::mix::Mix;
use crate::world::{RESTART, World, cx};

/// How long most accidents last, in milliseconds.
const LASTS: (u64, u64) = (200, 25_000);

/// What may go wrong, beside what goes wrong with single calls, messages and commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Accident {
    /// An agent dies, with its node or without it.
    AgentDies,
    /// All agents of a cluster die.
    AgentsDie,
    /// All agents of a cluster are gone for long; what it runs runs on.
    AgentsAway,
    /// An agent is asked to end, and comes back after a while.
    AgentEnds,
    /// An agent's machine is suspended; its clock runs on.
    AgentSuspended,
    /// Some links of a cluster carry nothing, one way or both.
    LinksCut,
    /// The links of a cluster stutter before they fail: what the hub has said arrives late, and nothing after it.
    LinksDie,
    /// A link is slow.
    LinkSlow,
    /// The sessions of an agent break on both sides.
    SessionBreaks,
    /// The hub's own network fails, for all clusters or some of them, one way or both.
    HubNetworkFails,
    /// A hub dies, with its machine or without it.
    HubDies,
    /// A hub is asked to end.
    HubEnds,
    /// A hub's loop does not run.
    HubStalls,
    /// A hub's machine is suspended, and its clock with it.
    HubSuspended,
    /// A hub comes back with a store from earlier.
    StoreRestored,
    /// A hub comes back with an empty store, and later with its own.
    StoreLost,
    /// Another hub takes over, and the old one goes on speaking.
    LeaderReplaced,
    /// The API server of a cluster is gone.
    ApiGone,
    /// All watches of a cluster have lost their place.
    WatchesLost,
    /// Some pods are not ready for a while.
    PodsFail,
    /// A node fails: what ran there is gone after a while. It comes back, or another in its place.
    NodeFails,
    /// A node is suspended, and what runs on it.
    NodeSuspended,
    /// The scheduler of a cluster finds no nodes for a while, whatever they have free.
    SchedulerRefuses,
    /// No image can be pulled in a cluster for a while.
    RegistryGone,
    /// A whole cluster loses power.
    ClusterDies,
    /// A cluster is switched off, and another is built under its name.
    ClusterRebuilt,
    /// A person scales, edits or deletes something in a member.
    HandsOn,
    /// A person deletes a member's Lease.
    LeaseDeleted,
}

/// How often each comes, if all of them do.
const USUAL: [(Accident, u64); 28] = [
    (Accident::AgentDies, 6),
    (Accident::AgentsDie, 2),
    (Accident::AgentsAway, 3),
    (Accident::AgentEnds, 2),
    (Accident::AgentSuspended, 2),
    (Accident::LinksCut, 6),
    (Accident::LinksDie, 2),
    (Accident::LinkSlow, 2),
    (Accident::SessionBreaks, 2),
    (Accident::HubNetworkFails, 1),
    (Accident::HubDies, 3),
    (Accident::HubEnds, 1),
    (Accident::HubStalls, 2),
    (Accident::HubSuspended, 1),
    (Accident::StoreRestored, 1),
    (Accident::StoreLost, 1),
    (Accident::LeaderReplaced, 1),
    (Accident::ApiGone, 2),
    (Accident::WatchesLost, 2),
    (Accident::PodsFail, 4),
    (Accident::NodeFails, 3),
    (Accident::NodeSuspended, 2),
    (Accident::SchedulerRefuses, 2),
    (Accident::RegistryGone, 2),
    (Accident::ClusterDies, 2),
    (Accident::ClusterRebuilt, 1),
    (Accident::HandsOn, 4),
    (Accident::LeaseDeleted, 1),
];
/// Histories fork in few runs only: what holds in the others holds more strictly (S10).
const FORK_ONE_IN: u64 = 4;

/// How likely each thing is, as one time in so many; zero is never.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// The most milliseconds between two accidents; zero for none.
    pub every: u64,
    accidents: Mix<Accident>,
    /// A call to an API server, or its answer, is lost.
    call_lost: u64,
    /// A call takes long.
    call_slow: u64,
    /// An API server refuses a write.
    call_refused: u64,
    /// A message arrives twice.
    doubled: u64,
    /// A hub falls before, within or after a commit.
    hub_falls: u64,
    /// An agent falls between two things that it does.
    agent_falls: u64,
}

impl Faults {
    /// Some mixture, from calm to wild; whether stores are swapped, and leaders go on after others, may be said.
    pub fn some(rng: &mut Rng, forks: Option<bool>) -> Self {
        let drawn = rng.one_in(FORK_ONE_IN);
        let forks = forks.unwrap_or(drawn);
        let usual = USUAL.into_iter().filter(|(accident, _)| forks || !accident.forks());
        let accidents = Mix::some(&usual.collect::<Vec<_>>(), rng);
        let mut pick = |values: &[u64]| values[usize::try_from(rng.below(values.len() as u64)).unwrap_or(0)];
        Self {
            every: pick(&[1_500, 5_000, 15_000]),
            accidents,
            call_lost: pick(&[0, 200, 30]),
            call_slow: pick(&[0, 300, 60]),
            call_refused: pick(&[0, 0, 200, 20]),
            doubled: pick(&[0, 100, 10]),
            hub_falls: pick(&[0, 2_000, 400]),
            agent_falls: pick(&[0, 3_000, 500]),
        }
    }

    pub(crate) fn call_is_lost(&self, rng: &mut Rng) -> bool {
        rng.one_in(self.call_lost)
    }

    pub(crate) fn call_is_slow(&self, rng: &mut Rng) -> bool {
        rng.one_in(self.call_slow)
    }

    pub(crate) fn call_is_refused(&self, rng: &mut Rng) -> bool {
        rng.one_in(self.call_refused)
    }

    pub(crate) fn is_doubled(&self, rng: &mut Rng) -> bool {
        rng.one_in(self.doubled)
    }

    pub(crate) fn hub_falls(&self, rng: &mut Rng) -> bool {
        rng.one_in(self.hub_falls)
    }

    pub(crate) fn agent_falls(&self, rng: &mut Rng) -> bool {
        rng.one_in(self.agent_falls)
    }
}

impl Accident {
    /// Whether a hub may find afterwards that another one has spoken for its federation.
    fn forks(self) -> bool {
        matches!(self, Self::StoreRestored | Self::StoreLost | Self::LeaderReplaced)
    }
}

impl World {
    /// From now on things go wrong.
    pub fn begin_faults(&mut self, faults: Faults) {
        self.faults = faults;
        cx!(self).after((0, self.faults.every), Happening::Accident);
    }

    /// Everything is put right, and nothing more goes wrong.
    pub fn heal(&mut self) {
        self.note(|| "everything is put right".to_owned());
        self.faults = Faults::default();
        for (agent, way) in self.net.cuts() {
            self.mend(Mend::Link(agent, way));
        }
        self.mend(Mend::Leader);
        self.mend(Mend::Store);
        for cluster in 0..self.members.len() {
            self.mend(Mend::Api(cluster));
            self.mend(Mend::Cluster(cluster));
            self.mend(Mend::Nodes(cluster));
            self.mend(Mend::Scheduler(cluster));
            self.mend(Mend::Registry(cluster));
            for pod in self.members[cluster].pod_names() {
                self.members[cluster].set_ready(cx!(self), &pod, true);
            }
        }
        for id in self.agent_ids() {
            self.agents[id.cluster][id.agent].held_down = false;
            self.mend(Mend::Fast(id));
            // One that is suspended may still be about to end.
            for when in [RESTART, (LASTS.1 + LASTS.0, LASTS.1 + RESTART.1)] {
                cx!(self).after(when, Happening::AgentStarts(id));
            }
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
        let Some(accident) = self.faults.accidents.draw(&mut self.rng) else { return };
        let cluster = self.pick(self.members.len());
        let agent = self.pick(self.agents[cluster].len());
        let id = AgentId { cluster, agent };
        match accident {
            Accident::AgentDies => self.crash_and_restart(id),
            Accident::AgentsDie => {
                for agent in 0..self.agents[cluster].len() {
                    self.crash_and_restart(AgentId { cluster, agent });
                }
            }
            Accident::AgentsAway => {
                for agent in 0..self.agents[cluster].len() {
                    let id = AgentId { cluster, agent };
                    self.crash_agent(id, false);
                    cx!(self).after((15_000, 90_000), Happening::AgentStarts(id));
                }
            }
            Accident::AgentEnds => {
                self.stop_agent(id);
                cx!(self).after((6_000, 20_000), Happening::AgentStarts(id));
            }
            Accident::AgentSuspended => self.suspend_agent(id),
            Accident::LinksCut => self.cut_links(cluster),
            Accident::LinksDie => self.stutter(cluster),
            Accident::LinkSlow => {
                self.net.set_slow(id, true);
                cx!(self).after(LASTS, Happening::Mend(Mend::Fast(id)));
            }
            Accident::SessionBreaks => self.reset(id),
            Accident::HubNetworkFails => self.cut_hub(),
            Accident::HubDies => self.crash_and_restart_hub(),
            Accident::HubEnds => self.stop_and_restart_hub(),
            Accident::HubStalls => self.stall(false),
            Accident::HubSuspended => self.stall(true),
            Accident::StoreRestored => self.restore_store(),
            Accident::StoreLost => self.lose_store(),
            Accident::LeaderReplaced => self.replace_leader(),
            Accident::ApiGone => self.stop_api(cluster),
            Accident::WatchesLost => self.members[cluster].relist_all(cx!(self)),
            Accident::PodsFail => self.pods_fail(cluster),
            Accident::NodeFails => self.fail_node(cluster),
            Accident::NodeSuspended => self.suspend_node(cluster),
            Accident::SchedulerRefuses => self.stop_scheduler(cluster),
            Accident::RegistryGone => self.stop_registry(cluster),
            Accident::ClusterDies => {
                self.kill_cluster(cluster);
                cx!(self).after((5_000, 60_000), Happening::Mend(Mend::Cluster(cluster)));
            }
            Accident::ClusterRebuilt => {
                self.kill_cluster(cluster);
                self.rebuild_cluster(cluster);
                cx!(self).after((2_000, 60_000), Happening::Mend(Mend::Cluster(cluster)));
            }
            Accident::HandsOn => self.hands(cluster),
            Accident::LeaseDeleted => self.members[cluster].drop_lease(),
        }
        let every = self.faults.every;
        cx!(self).after((0, every), Happening::Accident);
    }

    pub(crate) fn crash_and_restart(&mut self, id: AgentId) {
        let silently = self.rng.one_in(3);
        self.crash_agent(id, silently);
        cx!(self).after(RESTART, Happening::AgentStarts(id));
    }

    fn suspend_agent(&mut self, id: AgentId) {
        let lasts = self.lasts();
        self.note(|| format!("{} is suspended for {lasts} ms", self.name(id)));
        self.agents[id.cluster][id.agent].suspend(cx!(self), lasts);
    }

    /// How long an accident lasts.
    fn lasts(&mut self) -> u64 {
        LASTS.0 + self.rng.below(LASTS.1)
    }

    /// A number below a bound.
    pub fn pick(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.below(bound as u64)).unwrap_or(0)
    }
}
