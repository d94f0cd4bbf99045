//! Releases of agents: an older one knows nothing of what is different in some clusters (S33). Clusters are upgraded, and go
//! back, agent by agent, while everything else goes wrong.

use std::sync::Arc;

use godwit_common::link::{Down, Hello, Targets};
use godwit_hub_core::{Key, Record};

use super::{World, cx};
use crate::clock::Cx;
use crate::happening::{AgentId, Happening};

/// Within which time the agents of a cluster are replaced, one after the other.
const ROLLS: (u64, u64) = (0, 15_000);
/// After which time one that was asked to end is started again; and once more, should it have taken long to end.
const STARTS: [(u64, u64); 2] = [(6_000, 20_000), (30_000, 45_000)];

/// Of which release an agent is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Release {
    /// It knows no overrides: it says so, and reads every row as if it had none.
    Older,
    /// It knows all that there is.
    #[default]
    Newer,
}

impl Release {
    /// Its first message.
    pub(crate) fn greets(self, hello: Hello) -> Hello {
        Hello { knows_overrides: self == Self::Newer && hello.knows_overrides, ..hello }
    }

    /// What it takes a message for: what it does not know of, it does not see.
    pub(crate) fn reads(self, message: Down) -> Down {
        match (self, message) {
            (Self::Older, Down::Targets(targets)) => Down::Targets(Arc::new(without_overrides(&targets))),
            (Self::Older | Self::Newer, message) => message,
        }
    }
}

fn without_overrides(targets: &Targets) -> Targets {
    let mut targets = targets.clone();
    targets.objects.iter_mut().for_each(|row| row.overrides = Arc::default());
    targets.workloads.iter_mut().for_each(|row| row.overrides = Arc::default());
    targets
}

impl World {
    /// From now on clusters get agents of other releases.
    pub fn begin_upgrades(&mut self, every: u64) {
        self.upgrades = every;
        self.checker.releases_differ();
        cx!(self).after((0, every), Happening::Upgrade);
    }

    pub(crate) fn upgrade(&mut self) {
        if self.upgrades == 0 {
            return;
        }
        cx!(self).after((1_000, self.upgrades), Happening::Upgrade);
        let cluster = self.pick(self.members.len());
        let release = if self.rng.one_in(3) { Release::Older } else { Release::Newer };
        self.set_release(cluster, release);
    }

    /// The agents of a cluster are to be of a release, and are replaced one after the other.
    pub fn set_release(&mut self, cluster: usize, release: Release) {
        self.note(|| format!("the agents of cluster {cluster} shall be {release:?}"));
        self.checker.releases_differ();
        for agent in 0..self.agents[cluster].len() {
            self.agents[cluster][agent].next = release;
            cx!(self).after(ROLLS, Happening::AgentReplaced(AgentId { cluster, agent }));
        }
    }

    pub(crate) fn replace_agent(&mut self, id: AgentId) {
        let agent = self.agent(id);
        if agent.core.is_none() || agent.release == agent.next {
            // Whoever starts does so as what it shall be.
            return;
        }
        self.stop_agent(id);
        for when in STARTS {
            cx!(self).after(when, Happening::AgentStarts(id));
        }
    }

    /// Upgrades that were begun are carried through: what was told to a cluster whose agents knew how to read it stays told,
    /// and none of them may be left that does not.
    pub(crate) fn finish_upgrades(&mut self) {
        for cluster in 0..self.members.len() {
            let older = |agent: &crate::agent_process::AgentProcess| agent.next == Release::Older;
            let begun = self.knew_overrides(cluster) || !self.agents[cluster].iter().all(older);
            if begun && self.agents[cluster].iter().any(older) {
                self.set_release(cluster, Release::Newer);
            }
        }
    }

    fn knew_overrides(&self, cluster: usize) -> bool {
        let record = self.hubs[0].store.get(&Key::Cluster(self.members[cluster].name.clone()));
        matches!(record, Some(Record::Cluster(record)) if record.knows_overrides)
    }
}
