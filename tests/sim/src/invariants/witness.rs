//! What a hub was told, kept independently of the hub: who leads, what was reported, and what each agent was sent.

use std::collections::BTreeMap;

use godwit_common::link::{Capacity, Down, LeaderTerm, Leadership, Report, Status, Up};
use godwit_common::{ClusterName, Generation, Uid};
use godwit_hub_core::{Effect, Event, SessionId};

use crate::hub_process::Step;

/// Everything that was told to one life of a hub.
#[derive(Debug, Default)]
pub(super) struct Witness {
    sessions: BTreeMap<SessionId, ClusterName>,
    greetings: BTreeMap<SessionId, Greeting>,
    clusters: BTreeMap<ClusterName, Told>,
}

/// What an agent has said of itself.
#[derive(Debug)]
pub(super) struct Greeting {
    pub(super) cluster: ClusterName,
    pub(super) uid: Uid,
    pub(super) knows_overrides: bool,
}

/// What was told of one cluster.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) leader: Option<Lead>,
    term: Option<LeaderTerm>,
    statuses: BTreeMap<Uid, Status>,
    pub(super) capacity: Option<Capacity>,
}

/// The session that leads.
#[derive(Debug)]
pub(super) struct Lead {
    pub(super) session: SessionId,
    pub(super) inventoried: bool,
    /// The generation that it holds once everything sent has arrived.
    pub(super) held: Generation,
    /// The one that it said it holds.
    pub(super) accepted: Generation,
}

impl Witness {
    /// Whether a cluster's reports can be built on: its leader has a live stream, and its inventory has come.
    pub(super) fn reports(&self, cluster: &ClusterName) -> Option<&Told> {
        let told = self.clusters.get(cluster)?;
        told.leader.as_ref().filter(|lead| lead.inventoried)?;
        Some(told)
    }

    /// The cluster that a session speaks for.
    pub(super) fn cluster_of(&self, session: SessionId) -> Option<&ClusterName> {
        self.sessions.get(&session)
    }

    /// What the agent of a session has said of itself.
    pub(super) fn greeting(&self, session: SessionId) -> Option<&Greeting> {
        self.greetings.get(&session)
    }

    /// Whether any of a cluster's agents has a stream.
    pub(super) fn is_connected(&self, cluster: &ClusterName) -> bool {
        self.sessions.values().any(|name| name == cluster)
    }

    pub(super) fn told(&self, cluster: &ClusterName) -> Option<&Told> {
        self.clusters.get(cluster)
    }

    /// An event has come, and the hub is about to see it.
    pub(super) fn hear(&mut self, event: &Event) {
        match event {
            Event::Message { session, message } => self.message(*session, message),
            Event::Closed { session, expired: _ } => self.close(*session),
            Event::Opened { .. } | Event::Command { .. } | Event::Stopping | Event::Tick => {}
        }
    }

    /// The hub has closed sessions in this step: it knew so when it decided.
    pub(super) fn closed(&mut self, effects: &[Effect]) {
        for effect in effects {
            if let Effect::Close { session } = effect {
                self.close(*session);
            }
        }
    }

    /// What the hub has said in a step.
    pub(super) fn spoken(&mut self, step: &Step<'_>) {
        for effect in step.effects {
            let Effect::Send { session, message } = effect else {
                continue;
            };
            match (message, step.event) {
                (Down::Welcome(_), Some(Event::Opened { cluster, hello, .. })) => {
                    let (uid, knows_overrides) = (hello.cluster_uid, hello.knows_overrides);
                    let greeting = Greeting { cluster: cluster.clone(), uid, knows_overrides };
                    self.greetings.insert(*session, greeting);
                    self.sessions.insert(*session, cluster.clone());
                    self.clusters.entry(cluster.clone()).or_default();
                }
                (Down::Targets(targets), _) => {
                    if let Some(lead) = self.lead(*session) {
                        lead.held = targets.fence.generation;
                    }
                }
                (Down::Welcome(_) | Down::Standby { .. } | Down::Redirect { .. }, _) => {}
                (
                    Down::Refusal(_)
                    | Down::Goodbye { .. }
                    | Down::Grant { .. }
                    | Down::Recall(_)
                    | Down::Summons(_),
                    _,
                ) => {}
            }
        }
    }

    fn message(&mut self, session: SessionId, message: &Up) {
        let Some(cluster) = self.sessions.get(&session) else {
            return;
        };
        match message {
            Up::Leadership(Leadership::Leading { term, base, fence, .. }) => {
                let Some(told) = self.clusters.get_mut(cluster) else {
                    return;
                };
                let older =
                    |known: LeaderTerm| known.lease == term.lease && known.transitions > term.transitions;
                if told.term.is_some_and(older) {
                    return;
                }
                told.term = Some(*term);
                let accepted = fence.generation;
                told.leader = Some(Lead { session, inventoried: false, held: *base, accepted });
            }
            Up::Leadership(Leadership::Following) => self.leader_ends(session),
            Up::Report(report) => self.report(session, report),
            Up::Goodbye => self.close(session),
            Up::SyncWanted => {
                if let Some(lead) = self.lead(session) {
                    lead.held = Generation(0);
                }
            }
            Up::Accepted { fence, .. } => {
                if let Some(lead) = self.lead(session) {
                    lead.accepted = lead.accepted.max(fence.generation);
                }
            }
            Up::Hello(_) | Up::Heartbeat | Up::Renewal { .. } => {}
            Up::Alarm(_) | Up::ApiServer { .. } | Up::Recalled(_) => {}
        }
    }

    fn report(&mut self, session: SessionId, report: &Report) {
        let Some(told) = self.sessions.get(&session).and_then(|name| self.clusters.get_mut(name)) else {
            return;
        };
        let Some(lead) = told.leader.as_mut().filter(|lead| lead.session == session) else {
            return;
        };
        if report.complete {
            lead.inventoried = true;
            told.statuses.clear();
        }
        if !lead.inventoried {
            return;
        }
        for status in &report.statuses {
            told.statuses.insert(status.uid, status.clone());
        }
        if report.capacity.is_some() {
            told.capacity.clone_from(&report.capacity);
        }
    }

    fn close(&mut self, session: SessionId) {
        self.leader_ends(session);
        self.sessions.remove(&session);
        self.greetings.remove(&session);
    }

    fn leader_ends(&mut self, session: SessionId) {
        if let Some(told) = self.sessions.get(&session).and_then(|name| self.clusters.get_mut(name))
            && told.leader.as_ref().is_some_and(|lead| lead.session == session)
        {
            told.leader = None;
        }
    }

    fn lead(&mut self, session: SessionId) -> Option<&mut Lead> {
        let told = self.clusters.get_mut(self.sessions.get(&session)?)?;
        told.leader.as_mut().filter(|lead| lead.session == session)
    }
}

impl Told {
    /// Whether anything was reported of a life.
    pub(super) fn knows(&self, uid: Uid) -> bool {
        self.statuses.contains_key(&uid)
    }

    pub(super) fn ready(&self, uid: Uid) -> u32 {
        self.statuses.get(&uid).map_or(0, |status| status.ready.min(status.pods))
    }

    pub(super) fn unschedulable(&self, uid: Uid) -> u32 {
        self.statuses.get(&uid).map_or(0, |status| status.unschedulable)
    }

    pub(super) fn replicas(&self, uid: Uid) -> u32 {
        self.statuses.get(&uid).map_or(0, |status| status.replicas)
    }

    pub(super) fn bound(&self, uid: Uid) -> u32 {
        self.statuses.get(&uid).map_or(0, |status| status.bound)
    }
}
