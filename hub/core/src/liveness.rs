//! Liveness: when a stream is lost, when a cluster is, and what follows at once (S1, S2, S5, S11).

use std::collections::BTreeSet;
use std::time::Duration;

use godwit_common::{ClusterName, Time, Uid, WallTime};

use crate::contract::{ClusterState, Effect, Key, MigrationId, SessionId, Severity, Subject};
use crate::hub::{Hub, Timer};
use crate::placement::Reason;
use crate::state::SeatState;

impl Hub {
    /// A cluster has given a sign of life. This is all that a heartbeat costs.
    pub(crate) fn cluster_heard(&mut self, name: &ClusterName, session: SessionId) {
        let now = self.now.time;
        let Some(cluster) = self.clusters.get_mut(name) else {
            return;
        };
        cluster.health.heard = now;
        if let Some(session) = cluster.sessions.get_mut(&session) {
            session.heard = now;
        }
    }

    /// A cluster has a live stream: back at once from Suspect, through an inventory from Lost (S1, S11).
    pub(crate) fn cluster_connected(&mut self, name: &ClusterName) {
        let now = self.now;
        let Some(cluster) = self.clusters.get_mut(name) else {
            return;
        };
        let health = &mut cluster.health;
        let first = health.away_since.take().is_some();
        health.seen = now.wall;
        health.grace = Duration::ZERO;
        self.touched.subjects.insert(Subject::Cluster(name.clone()));
        if !first {
            return;
        }
        let was = health.state;
        health.confirmed = false;
        health.expired = false;
        self.rises(name);
        match was {
            ClusterState::Unknown | ClusterState::Suspect => {
                self.enter(name, ClusterState::Ready, "connected");
            }
            ClusterState::Lost => {
                self.enter(name, ClusterState::Returning, "connected again; its inventory comes first");
                self.note(
                    Severity::Normal,
                    "S11",
                    "ClusterReturning",
                    name.as_str(),
                    "inventory first, then targets",
                );
            }
            ClusterState::Joining => {
                self.enter(name, ClusterState::Joining, "connected; its inventory comes first")
            }
            ClusterState::Ready | ClusterState::Returning => {}
        }
        self.count_flap(name);
        self.wake_at(now.time + self.config.stream_timeout(), Timer::Silence(name.clone()));
    }

    /// A stream was cut because the certificate of its agent has ended. If it was the last, nothing has been heard of a
    /// loss: it is not counted as one, however long it lasts (S1).
    pub(crate) fn certificate_ended(&mut self, session: SessionId, spoken: &mut Vec<Effect>) {
        let name = self.sessions.get(&session).cloned();
        self.end_session(session, "its certificate has ended: nothing moves for that alone", spoken);
        if let Some(cluster) = name.and_then(|name| self.clusters.get_mut(&name)) {
            cluster.health.expired = !cluster.live();
        }
    }

    /// A stream of a cluster has ended; was it the last (S1)?
    pub(crate) fn cluster_disconnected(&mut self, name: &ClusterName, reason: &str) {
        let now = self.now.time;
        let Some(cluster) = self.clusters.get_mut(name) else {
            return;
        };
        self.touched.subjects.insert(Subject::Cluster(name.clone()));
        if cluster.live() || cluster.health.away_since.is_some() {
            return;
        }
        cluster.health.away_since = Some(now);
        let silent = u64::try_from(now.since(cluster.health.heard).as_millis()).unwrap_or(u64::MAX);
        cluster.health.seen = WallTime(self.now.wall.0.saturating_sub(silent));
        let state = cluster.health.state;
        if matches!(state, ClusterState::Ready | ClusterState::Returning) {
            cluster.health.ready_until = Some(now);
        }
        match state {
            ClusterState::Ready => {
                self.left(name);
                self.enter(name, ClusterState::Suspect, reason);
            }
            // A return that broke off: the loss still stands.
            ClusterState::Returning => self.enter(name, ClusterState::Lost, reason),
            ClusterState::Joining | ClusterState::Unknown | ClusterState::Suspect | ClusterState::Lost => {}
        }
        self.show_seats(name);
        // What waits for replacements that were there waits anew.
        self.moving_at(name);
        self.wake_at(now, Timer::Silence(name.clone()));
    }

    /// Looks at the windows of a cluster that may have run out, and sets the next one.
    pub(crate) fn look_at_silence(&mut self, name: &ClusterName, spoken: &mut Vec<Effect>) {
        let (now, timeout) = (self.now.time, self.config.stream_timeout());
        let Some(cluster) = self.clusters.get(name) else {
            return;
        };
        if cluster.live() {
            let silent = |heard: Time| now.since(heard) >= timeout;
            let dead: Vec<SessionId> = cluster
                .sessions
                .iter()
                .filter(|(_, session)| silent(session.heard))
                .map(|(id, _)| *id)
                .collect();
            for session in dead {
                spoken.push(Effect::Close { session });
                self.end_session(session, "its last stream fell silent", spoken);
            }
        }
        let Some(cluster) = self.clusters.get(name) else {
            return;
        };
        if let Some(oldest) = cluster.sessions.values().map(|session| session.heard).min() {
            self.wake_at(oldest + timeout, Timer::Silence(name.clone()));
            return;
        }
        self.look_at_loss(name);
    }

    /// A cluster is away: which policies count it as lost by now, and when does the next one?
    fn look_at_loss(&mut self, name: &ClusterName) {
        let now = self.now.time;
        let windows = self.windows_of(name);
        let Some(cluster) = self.clusters.get(name) else {
            return;
        };
        if cluster.health.state == ClusterState::Joining || cluster.health.expired {
            return;
        }
        let through = cluster.health.lost_through;
        let open = |window: &&Duration| through.is_none_or(|through| **window > through);
        let Some(window) = windows.iter().find(open).copied() else {
            return;
        };
        let due = self.lost_at(name, window);
        if due > now {
            self.wake_at(due, Timer::Silence(name.clone()));
            return;
        }
        if self.may_lose(name) {
            self.lose(name, window);
            self.wake_at(now, Timer::Silence(name.clone()));
        }
    }

    /// The windows of the policies that place something on a cluster; the fleet's own if none does. Ascending.
    pub(crate) fn windows_of(&self, name: &ClusterName) -> BTreeSet<Duration> {
        let mut windows: BTreeSet<Duration> = match self.clusters.get(name) {
            Some(cluster) => cluster.tally.windows.keys().copied().collect(),
            None => BTreeSet::new(),
        };
        if windows.is_empty() {
            windows.insert(self.config.lost_after);
        }
        windows
    }

    /// When a window runs out: counted from the last message, but not before the last stream died (S1).
    fn lost_at(&self, name: &ClusterName, window: Duration) -> Time {
        let Some(cluster) = self.clusters.get(name) else {
            return Time(u64::MAX);
        };
        let health = &cluster.health;
        let died = health.away_since.unwrap_or(self.now.time);
        let spared = health.spared_until + window;
        let at = match health.state {
            // Not seen since the hub started: the full startup window first (S5).
            ClusterState::Unknown => (health.heard + self.config.startup_grace).max(health.heard + window),
            ClusterState::Joining
            | ClusterState::Ready
            | ClusterState::Suspect
            | ClusterState::Lost
            | ClusterState::Returning => (health.heard + window).max(died) + health.grace,
        };
        if health.spared_until > Time::default() { at.max(spared) } else { at }
    }

    /// The loss decision: everything that policies with this window, or a shorter one, placed there goes elsewhere.
    pub(crate) fn lose(&mut self, name: &ClusterName, window: Duration) {
        let Some(cluster) = self.clusters.get_mut(name) else {
            return;
        };
        let first = cluster.health.lost_through.is_none();
        cluster.health.lost_through = Some(window);
        self.lost.insert(name.clone());
        if cluster.health.state == ClusterState::Unknown {
            // It counted as connected until now (S6).
            cluster.health.ready_until = Some(self.now.time);
        }
        if let Some(migration) = cluster.record.awaited {
            return self.go_on_awaiting(name, migration, first);
        }
        let seats: Vec<Uid> = cluster.seats.iter().copied().collect();
        let silent = self.now.time.since(cluster.health.heard);
        let (mut workloads, mut replicas, mut running) = (0_u64, 0_u64, 0_u64);
        for uid in seats {
            let Some(workload) = self.workloads.get(&uid) else {
                continue;
            };
            let Some(policy) = self.policies.get(&workload.record.policy) else {
                continue;
            };
            let seat = workload.seats.get(name);
            let placed = seat.map_or(0, |seat| seat.seat.placed);
            if policy.policy.lost_after <= window {
                running += u64::from(seat.map_or(0, SeatState::occupied));
            }
            if placed > 0 && policy.policy.lost_after <= window {
                workloads += 1;
                replicas += u64::from(placed);
                self.dirty.entry(uid).or_insert_with(|| Reason::Lost(name.clone()));
            }
        }
        let (revoked, silent) =
            (self.is_revoked(name), format!("no sign of life for {:.1} s", silent.as_secs_f64()));
        let (reason, why) = match revoked {
            true => ("its certificates are revoked", "its certificates are revoked".to_owned()),
            false => ("no sign of life", silent),
        };
        if first {
            self.enter(name, ClusterState::Lost, reason);
        }
        self.show_seats(name);
        // What a drain held back waits for it no longer, and goes anywhere (S22).
        self.moving_at(name);
        if self.drain_of(name).is_some_and(|drain| drain.to.is_some()) {
            for uid in self.waiting_in(name) {
                self.dirty.entry(uid).or_insert_with(|| Reason::Lost(name.clone()));
            }
        }
        let message = format!(
            "{why}: {replicas} replicas of {workloads} workloads go elsewhere; up to {running} copies may still be \
             running there"
        );
        self.note(Severity::Warning, "S1", "ClusterLost", name.as_str(), message);
        self.wake_at(self.now.time, Timer::Gate(name.clone()));
    }

    /// The hub has started again, or a longer window has run out, and still an operator wants the return of a cluster to
    /// be awaited: nothing goes elsewhere.
    fn go_on_awaiting(&mut self, name: &ClusterName, migration: MigrationId, first: bool) {
        if first {
            self.enter(name, ClusterState::Lost, "no sign of life; its return is awaited");
            let message = format!("no sign of life; {migration} was cancelled: its return is awaited");
            self.note(Severity::Warning, "S1", "ClusterAwaited", name.as_str(), message);
        }
    }

    /// The inventory of a cluster has come: it takes part again (S11).
    pub(crate) fn inventory_came(&mut self, name: &ClusterName) {
        let Some(cluster) = self.clusters.get_mut(name) else {
            return;
        };
        let state = cluster.health.state;
        if !std::mem::replace(&mut cluster.record.inventoried, true) {
            self.touched.keys.insert(Key::Cluster(name.clone()));
            self.seat_everything(name);
        }
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        let generation = cluster.record.generation;
        cluster.grants_from.get_or_insert(generation);
        if cluster.record.awaited.take().is_some() {
            self.touched.keys.insert(Key::Cluster(name.clone()));
        }
        match state {
            ClusterState::Joining | ClusterState::Returning => {
                cluster.health.lost_through = None;
                self.lost.remove(name);
                self.enter(name, ClusterState::Ready, "connected");
                if state == ClusterState::Returning {
                    let message = "its inventory has come; surplus copies stop as soon as the others suffice";
                    self.note(Severity::Normal, "S12", "ClusterReturned", name.as_str(), message);
                    self.originals_return(name);
                }
            }
            ClusterState::Ready | ClusterState::Unknown | ClusterState::Suspect | ClusterState::Lost => {}
        }
        self.recall_due(name);
        self.touched.send.insert(name.clone());
        self.roomier.insert(name.clone());
        self.all_are_heard(name);
        self.fenced(name);
        self.show_seats(name);
        self.moving_at(name);
    }

    /// The hub's own loop stalled: what it did not hear in that time nobody can be blamed for (S1).
    pub(crate) fn restart_windows(&mut self) {
        let now = self.now.time;
        self.excuse_all();
        for cluster in self.clusters.values_mut() {
            cluster.health.heard = now;
            for session in cluster.sessions.values_mut() {
                session.heard = now;
            }
            if let Some(since) = &mut cluster.health.away_since {
                *since = now;
            }
        }
    }

    pub(crate) fn enter(&mut self, name: &ClusterName, state: ClusterState, reason: &str) {
        let Some(cluster) = self.clusters.get_mut(name) else {
            return;
        };
        let health = &mut cluster.health;
        if health.state != state {
            let before = std::mem::replace(&mut health.state, state);
            health.since = self.now.wall;
            health.stable_since = (state == ClusterState::Ready).then_some(self.now.time);
            self.count_state(before, Some(state));
            self.await_steadiness(name);
            if state == ClusterState::Suspect {
                let message = format!("{} -> Suspect: {reason}; nothing moves yet", before.as_str());
                self.note(Severity::Warning, "S1", "ClusterSuspect", name.as_str(), message);
            } else if before == ClusterState::Suspect && state == ClusterState::Ready {
                self.note(
                    Severity::Normal,
                    "S1",
                    "ClusterReady",
                    name.as_str(),
                    "Suspect -> Ready: connected again",
                );
            }
        }
        self.fleet_changed();
        if let Some(cluster) = self.clusters.get_mut(name) {
            cluster.health.reason = reason.into();
        }
        self.touched.subjects.insert(Subject::Cluster(name.clone()));
    }
}
