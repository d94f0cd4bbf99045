//! Mass loss: when many clusters vanish at once, the fault is likelier between them and the hub than in all of them.
//! Then losses are taken slowly, or not at all (S6). What fails together, a failure domain, counts as one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use godwit_common::{ClusterName, Time, Uid};

use crate::contract::{
    ClusterState, Freeze, FreezeCause, Key, Migration, MigrationCause, MigrationState, Severity, Subject,
};
use crate::hub::{Hub, Timer};
use crate::shared::Shared;
use crate::state::Cluster;

/// What is known of a mass loss in progress. Not durable: after a restart every cluster has its startup window (S5),
/// and whoever is missing at its end counts as vanished again.
#[derive(Debug, Clone, Default)]
pub(crate) struct MassLoss {
    /// Losses taken slowly: the failure domain whose replacements are on their way, and until when it blocks the next.
    slow: Option<(Domain, Time)>,
    /// An alarm was raised and has not ended.
    alarmed: bool,
    /// Since when the share has been below the freezing one, while frozen.
    calm_since: Option<Time>,
    /// The share as of this step: when many are lost together, the fleet is counted once.
    share: Option<Share>,
}

/// How many clusters are gone, out of how many that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share {
    vanished: usize,
    counted: usize,
    /// In how many failure domains those are that are gone.
    domains: usize,
}

/// Clusters that fail together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Domain {
    /// All with this value of the label.
    Labelled(Arc<str>),
    /// A cluster without the label fails alone.
    Alone(ClusterName),
}

impl Share {
    fn percent_at_least(self, percent: u32) -> bool {
        self.vanished * 100 >= self.counted * percent as usize
    }
}

impl Hub {
    /// Whether this loss may be decided now. If not, whoever says no has made sure that the question comes up again.
    pub(crate) fn may_lose(&mut self, name: &ClusterName) -> bool {
        if self.federation.freeze.is_some() {
            return false;
        }
        let Some(cluster) = self.clusters.get(name) else {
            return false;
        };
        // Decided before: its loss was confirmed, or a shorter window has run out already. One that is too short to be
        // seen together with others has decided for nobody but itself. Of what is awaited nothing would move.
        let decided = |through: Duration| through >= self.config.vanished_after();
        let awaited = cluster.record.awaited.is_some();
        if cluster.health.confirmed || awaited || cluster.health.lost_through.is_some_and(decided) {
            return true;
        }
        let share = self.vanished();
        if self.freezes(share) {
            let message = format!(
                "{} of {} clusters vanished at once: failover is frozen. If they are really gone, \
                 `godwit freeze confirm` moves their replicas; `godwit freeze release` waits for them anew",
                share.vanished, share.counted
            );
            self.mass_loss.calm_since = None;
            self.freeze(FreezeCause::MassLoss, message);
            self.watch_freeze();
            return false;
        }
        if !self.slows(share) {
            self.mass_loss.alarmed = false;
            return true;
        }
        self.raise_alarm(share);
        // Where nothing is placed there is no move to hold back.
        !self.places_something(name) || self.is_next(name)
    }

    fn raise_alarm(&mut self, share: Share) {
        if !std::mem::replace(&mut self.mass_loss.alarmed, true) {
            let Share { vanished, counted, domains } = share;
            let how = match domains {
                1 => "all in one failure domain: what they held goes elsewhere".to_owned(),
                _ => format!("in {domains} failure domains: they are evacuated one after the other"),
            };
            let message = format!("{vanished} of {counted} clusters vanished, {how}");
            self.note(Severity::Warning, "S6", "MassLoss", "", message);
        }
    }

    /// What a cluster fails together with.
    pub(crate) fn domain_of(&self, cluster: &Cluster) -> Domain {
        match cluster.record.traits.label(&self.config.failure_domain_label) {
            Some(value) => Domain::Labelled(value.into()),
            None => Domain::Alone(cluster.record.name.clone()),
        }
    }

    /// One failure domain after the other: is it the turn of this cluster's?
    fn is_next(&mut self, name: &ClusterName) -> bool {
        let now = self.now.time;
        let Some(domain) = self.clusters.get(name).map(|cluster| self.domain_of(cluster)) else {
            return false;
        };
        if let Some((current, until)) = &self.mass_loss.slow
            && *current != domain
            && *until > now
        {
            self.wake_at(*until, Timer::Silence(name.clone()));
            return false;
        }
        self.mass_loss.slow = Some((domain, now + self.config.start_window));
        true
    }

    fn places_something(&self, name: &ClusterName) -> bool {
        let placed = |uid: &Uid| {
            let seat = self.workloads.get(uid).and_then(|workload| workload.seats.get(name));
            seat.is_some_and(|seat| seat.seat.placed > 0)
        };
        self.clusters.get(name).is_some_and(|cluster| cluster.seats.iter().any(placed))
    }

    /// A migration is done: if losses are taken slowly, the next may come.
    pub(crate) fn next_slow_loss(&mut self) {
        let now = self.now.time;
        let Some((current, _)) = self.mass_loss.slow.clone() else {
            return;
        };
        let current = |name: &ClusterName| {
            self.clusters.get(name).is_some_and(|cluster| self.domain_of(cluster) == current)
        };
        // What is paused stands still, and the others do not wait for it.
        let moves = |one: &Migration| {
            let lost = matches!(&one.cause, MigrationCause::ClusterLost(name) if current(name));
            lost && one.state == MigrationState::Running
        };
        // One that went with it, and is not given up yet.
        let follows = |name: &ClusterName| {
            let state = self.clusters.get(name).map(|cluster| cluster.health.state);
            state == Some(ClusterState::Suspect) && self.places_something(name) && current(name)
        };
        if !self.open_migrations().any(moves) && !self.away().iter().any(follows) {
            self.mass_loss.slow = None;
            for name in self.away() {
                self.wake_at(now, Timer::Silence(name));
            }
        }
    }

    /// Stands still until an operator, or the clusters themselves, say otherwise.
    pub(crate) fn freeze(&mut self, cause: FreezeCause, message: String) {
        let rule = match cause {
            FreezeCause::MassLoss => "S6",
            FreezeCause::NewerHistory | FreezeCause::Recovery => "S10",
        };
        self.note(Severity::Warning, rule, "FailoverFrozen", "", &message);
        // A doubt about the hub's own history outweighs one about the clusters.
        if !self.in_doubt() {
            self.federation.freeze = Some(Freeze { cause, since: self.now.wall, message: message.into() });
        }
        self.show_migrations();
        self.touched.keys.insert(Key::Federation);
        self.touched.subjects.insert(Subject::Federation);
    }

    /// Whether nothing at all may be said to the members (S10).
    pub(crate) fn stopped_speaking(&self) -> bool {
        self.in_doubt()
    }

    /// Looks at a freeze again in a heartbeat, if it is one that may end by itself.
    pub(crate) fn watch_freeze(&mut self) {
        if self.frozen_by_mass_loss() {
            self.wake_at(self.now.time + self.config.heartbeat, Timer::MassLoss);
        }
    }

    fn frozen_by_mass_loss(&self) -> bool {
        self.federation.freeze.as_ref().is_some_and(|freeze| freeze.cause == FreezeCause::MassLoss)
    }

    /// While frozen by mass loss: has the share been down for a full window?
    pub(crate) fn look_at_freeze(&mut self) {
        let now = self.now.time;
        if !self.frozen_by_mass_loss() {
            return;
        }
        let share = self.vanished();
        let since = match self.mass_loss.calm_since {
            _ if self.freezes(share) => None,
            Some(since) => Some(since),
            None => Some(now),
        };
        self.mass_loss.calm_since = since;
        if since.is_some_and(|since| now.since(since) >= self.config.mass_loss_window) {
            self.thaw("the clusters have come back");
        } else {
            self.watch_freeze();
        }
    }

    /// An operator confirms the losses: as their windows end they are decided, and nobody asks again how many there are.
    pub(crate) fn confirm_freeze(&mut self) {
        for name in self.away() {
            if let Some(cluster) = self.clusters.get_mut(&name) {
                cluster.health.confirmed = true;
            }
        }
        let why = format!("{} confirmed that the clusters are gone", self.operator);
        self.thaw(&why);
    }

    /// An operator ends the freeze: all windows start afresh.
    pub(crate) fn release_freeze(&mut self) {
        self.restart_windows();
        let why = format!("{} released it", self.operator);
        self.thaw(&why);
    }

    fn thaw(&mut self, why: &str) {
        if self.stopped_speaking() {
            self.take_over_leases();
        }
        self.federation.freeze = None;
        self.show_migrations();
        self.mass_loss = MassLoss::default();
        self.touched.keys.insert(Key::Federation);
        self.touched.subjects.insert(Subject::Federation);
        self.note(Severity::Normal, "S6", "FreezeEnded", "", format!("failover goes on: {why}"));
        for name in self.away() {
            self.wake_at(self.now.time, Timer::Silence(name.clone()));
            self.wake_at(self.now.time, Timer::Gate(name));
        }
        self.touched.send.extend(self.clusters.keys().cloned());
        self.moving.extend(self.workloads.keys().copied());
    }

    fn away(&self) -> Vec<ClusterName> {
        let away = |cluster: &&Shared<Cluster>| !cluster.live();
        self.clusters.values().filter(away).map(|cluster| cluster.record.name.clone()).collect()
    }

    /// The share of clusters that have vanished, out of those that were connected within the window, or are awaited
    /// since the hub started. Whoever is not given up yet counts however long ago it went, so that a freeze does not end
    /// by lasting. Confirmed losses are out of the question.
    fn vanished(&mut self) -> Share {
        let share = self.mass_loss.share.unwrap_or_else(|| self.count_vanished());
        self.mass_loss.share = Some(share);
        share
    }

    /// The clock has moved on: what was counted may be another number now.
    pub(crate) fn count_anew(&mut self) {
        self.mass_loss.share = None;
    }

    fn count_vanished(&self) -> Share {
        let now = self.now.time;
        let mut share = Share { vanished: 0, counted: 0, domains: 0 };
        let mut domains = BTreeSet::new();
        for cluster in self.clusters.values() {
            let health = &cluster.health;
            let lately =
                health.ready_until.is_some_and(|until| now.since(until) <= self.config.mass_loss_window);
            let counts = match health.state {
                ClusterState::Ready | ClusterState::Returning => true,
                ClusterState::Unknown => health.lost_through.is_none(),
                ClusterState::Suspect => true,
                ClusterState::Lost => lately,
                ClusterState::Joining => false,
            };
            // Who was drained is missed by nobody, nor who announced that it would be away, or whose return is awaited.
            let record = &cluster.record;
            let drained = record.drain.as_ref().is_some_and(|drain| drain.state.is_empty());
            let announced = record.maintenance.is_some() || record.awaited.is_some();
            // A certificate that has ended is no sign of the network's.
            if !counts || health.confirmed || drained || announced || health.expired {
                continue;
            }
            share.counted += 1;
            // Whoever has not been seen since the hub started is awaited until its window ends (S5).
            let patience = match health.state {
                ClusterState::Unknown => self.config.startup_grace,
                ClusterState::Joining
                | ClusterState::Ready
                | ClusterState::Suspect
                | ClusterState::Lost
                | ClusterState::Returning => self.config.vanished_after(),
            };
            if now.since(health.heard) >= patience {
                share.vanished += 1;
                domains.insert(self.domain_of(cluster));
            }
        }
        share.domains = domains.len();
        share
    }

    fn freezes(&self, share: Share) -> bool {
        let all_gone = share.counted > 0 && share.vanished == share.counted;
        let small = share.counted < self.config.mass_loss_small_fleet;
        // One dead domain may well be what it looks like, however large it is.
        let several = !small && share.domains > 1;
        all_gone || (several && share.percent_at_least(self.config.mass_loss_freeze_percent))
    }

    fn slows(&self, share: Share) -> bool {
        let enough = share.vanished >= self.config.mass_loss_slow_least;
        let small = share.counted < self.config.mass_loss_small_fleet;
        enough && !small && share.percent_at_least(self.config.mass_loss_slow_percent)
    }
}
