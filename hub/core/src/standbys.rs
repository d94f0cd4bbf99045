//! Agents that stand by, and are called when witnesses of their cluster were lost (S24). What is known of them is learned
//! again after a restart: each asks from time to time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use godwit_common::ClusterName;
use godwit_common::link::{Down, SUMMONED_MAX, Summons};

use crate::contract::{Effect, SessionId};
use crate::hub::{Hub, Timer};
use crate::state::{Cluster, Session, Standby};

/// An agent that was called and has not come: others are called after this.
const CALLS_AGAIN: Duration = Duration::from_secs(3);
/// So many are remembered of a cluster: more are never wanted at once.
const REMEMBERED: usize = SUMMONED_MAX;

impl Hub {
    /// An agent was told to stand by. Of too many, those are forgotten that asked the longest ago, but for the only one of
    /// its zone.
    pub(crate) fn note_standby(&mut self, name: &ClusterName, instance: &Arc<str>, zone: &Arc<str>) {
        let now = self.now.time;
        let Some(cluster) = self.clusters.get_mut(name).filter(|_| !instance.is_empty()) else { return };
        let called = cluster.standbys.get(instance).and_then(|known| known.called);
        cluster.standbys.insert(instance.clone(), Standby { zone: zone.clone(), asked: now, called });
        if cluster.standbys.len() <= REMEMBERED {
            return;
        }
        let alone = |zone: &str| cluster.standbys.values().filter(|other| &*other.zone == zone).count() == 1;
        let oldest = cluster.standbys.iter().min_by_key(|(_, one)| (alone(&one.zone), one.asked));
        if let Some(oldest) = oldest.map(|(instance, _)| instance.clone()) {
            cluster.standbys.remove(&oldest);
        }
    }

    /// Calls as many agents that stand by as witnesses are missing, through those that are left. Zones without a witness
    /// come first. Where none is left, the reserve asks soon.
    pub(crate) fn call_standbys(&mut self, name: &ClusterName, spoken: &mut Vec<Effect>) {
        let (now, fresh) = (self.now.time, self.config.standby_retry * 2 + Duration::from_secs(10));
        let silent = self.config.vanished_after();
        let wanted = self.config.streams_per_cluster;
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        cluster.standbys.retain(|_, standby| now.since(standby.asked) < fresh);
        let speaks = |(_, session): &(&SessionId, &Session)| now.since(session.heard) < silent;
        let through: Vec<SessionId> = cluster.sessions.iter().filter(speaks).map(|(id, _)| *id).collect();
        let missing = wanted.saturating_sub(through.len()).min(SUMMONED_MAX);
        if missing == 0 || through.is_empty() || cluster.standbys.is_empty() {
            return;
        }
        let mut agents: Vec<Arc<str>> = Vec::new();
        let mut zones: BTreeSet<Arc<str>> =
            through.iter().filter_map(|id| Some(cluster.sessions.get(id)?.zone.clone())).collect();
        // Who was called a moment ago is on the way.
        let on_the_way = |one: &Standby| one.called.is_some_and(|called| now.since(called) < CALLS_AGAIN);
        let coming = cluster.standbys.values().filter(|one| on_the_way(one)).count();
        while agents.len() + coming < missing
            && let Some((instance, zone)) = next_of(cluster, &agents, &zones, on_the_way)
        {
            zones.insert(zone);
            agents.push(instance);
        }
        for instance in &agents {
            if let Some(standby) = cluster.standbys.get_mut(instance) {
                standby.called = Some(now);
            }
        }
        self.wake_at(now + CALLS_AGAIN, Timer::Witnesses(name.clone()));
        if agents.is_empty() {
            return;
        }
        self.summons += 1;
        let summons = Summons { epoch: self.federation.epoch, number: self.summons, agents };
        for session in through {
            spoken.push(Effect::Send { session, message: Down::Summons(summons.clone()) });
        }
    }
}

/// The next agent to be called: of a zone without a witness rather than of another, one that was not called yet rather
/// than one that did not come, and the one that asked last.
fn next_of(
    cluster: &Cluster,
    taken: &[Arc<str>],
    zones: &BTreeSet<Arc<str>>,
    on_the_way: impl Fn(&Standby) -> bool,
) -> Option<(Arc<str>, Arc<str>)> {
    let free =
        cluster.standbys.iter().filter(|(instance, one)| !taken.contains(instance) && !on_the_way(one));
    let best =
        free.min_by_key(|(_, one)| (zones.contains(&one.zone), one.called, std::cmp::Reverse(one.asked)));
    best.map(|(instance, one)| (instance.clone(), one.zone.clone()))
}
