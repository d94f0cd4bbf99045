//! S1, S5, S6, S22: a cluster is given up only after it was silent for as long as every policy that moves something
//! asks, with no stream alive, outside an announced window, and not together with all others.

use std::collections::{BTreeMap, BTreeSet};

use godwit_common::link::Down;
use godwit_common::{ClusterName, Time};
use godwit_hub_core::{Command, Effect, Event, Key, Migration, MigrationCause, Record, Revocation};

use crate::hub_process::Step;

use super::Records;
use super::witness::Witness;

/// How long a hub that has started waits for each cluster, in milliseconds.
const STARTUP: u64 = 30_000;
/// A hub that made no step for longer has stalled, in milliseconds: silence proves nothing.
const HEARTBEAT: u64 = 2_000;
/// After so long without a sign of life a cluster has vanished, in milliseconds: 1.5 heartbeats.
const VANISHED: u64 = 3_000;
/// Windows below this, in milliseconds, act before mass losses can be seen.
const SHORT: u64 = 5_000;

/// A moment, in true time and on the hub's own clock, which stops while its machine is suspended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    pub(super) truly: u64,
    pub(super) own: Time,
}

/// When one life of a hub heard of whom.
#[derive(Debug, Default)]
pub(super) struct Silence {
    started: Moment,
    /// When it last made a step, and when it last began to wait anew for everybody.
    stepped: u64,
    restarted: Moment,
    heard: BTreeMap<ClusterName, Moment>,
    /// Given up before, and not connected since.
    lost: BTreeSet<ClusterName>,
    /// An operator said that they are gone, and they were not connected since.
    confirmed: BTreeSet<ClusterName>,
}

impl Silence {
    /// The life begins.
    pub(super) fn since(started: Moment) -> Self {
        Self { started, stepped: started.truly, ..Self::default() }
    }

    /// The hub is about to hear something.
    pub(super) fn hear(&mut self, witness: &Witness, event: &Event, now: Moment) {
        let released = matches!(event, Event::Command { command: Command::ReleaseFreeze, .. });
        if released || now.truly - self.stepped > HEARTBEAT {
            self.restarted = now;
        }
        self.stepped = now.truly;
        if let Event::Message { session, .. } = event
            && let Some(cluster) = witness.cluster_of(*session)
        {
            self.heard.insert(cluster.clone(), now);
        }
    }

    /// After a step: what it gave up, in the migrations that began in it, it may give up.
    pub(super) fn check(
        &mut self,
        records: &Records,
        witness: &Witness,
        (step, begun): (&Step<'_>, &[&Migration]),
        now: Moment,
    ) {
        // Whoever connects is there when the step decides.
        if let Some(Event::Opened { cluster, .. }) = step.event
            && step.effects.iter().any(is_welcome)
        {
            self.heard.insert(cluster.clone(), now);
            self.confirmed.remove(cluster);
        }
        if let Some(Event::Command { command: Command::ConfirmFreeze, .. }) = step.event {
            let silent = clusters(records).filter(|cluster| !witness.is_connected(cluster));
            self.confirmed = silent.cloned().collect();
        }
        for migration in begun {
            if let MigrationCause::ClusterLost(cluster) = &migration.cause
                && self.lost.insert(cluster.clone())
            {
                self.check_loss(records, witness, cluster, migration, now);
            }
        }
        // Where nothing was placed nothing moves, and it is decided all the same.
        for effect in step.effects {
            if let Effect::Put(Record::Journal(entry)) = effect
                && &*entry.reason == "ClusterLost"
            {
                let named = |cluster: &&ClusterName| cluster.as_str() == &*entry.subject;
                self.lost.extend(clusters(records).filter(named).cloned());
            }
        }
    }

    /// After a step: who has brought an inventory.
    pub(super) fn returned(&mut self, witness: &Witness, step: &Step<'_>) {
        match step.event {
            Some(Event::Message { .. }) => self.lost.retain(|cluster| witness.reports(cluster).is_none()),
            Some(Event::Opened { .. } | Event::Command { .. } | Event::Closed { .. }) => {}
            Some(Event::Stopping | Event::Tick) | None => {}
        }
    }

    fn check_loss(
        &self,
        records: &Records,
        witness: &Witness,
        cluster: &ClusterName,
        migration: &Migration,
        now: Moment,
    ) {
        assert!(!witness.is_connected(cluster), "S1: {cluster} is given up while a stream is alive");
        if records.contains_key(&Key::Revocation(Revocation::Cluster(cluster.clone()))) {
            // An operator's word, too (S23).
            return;
        }
        if let Some(Record::Cluster(record)) = records.get(&Key::Cluster(cluster.clone())) {
            if record.dead.is_some() {
                // An operator's word, and no silence (S9).
                return;
            }
            assert!(record.maintenance.is_none(), "S22: {cluster} is given up within its window");
        }
        // What waited for a place before the loss has lost nothing by it.
        let moved = migration.moves.iter().filter(|moved| moved.from.as_ref() == Some(cluster));
        let windows = moved.filter_map(|moved| {
            let Some(Record::Workload(workload)) = records.get(&Key::Workload(moved.workload)) else {
                return None;
            };
            let policy = records.get(&Key::Policy(workload.policy.clone()))?;
            let Record::Policy(policy) = policy else { return None };
            u64::try_from(policy.lost_after.as_millis()).ok()
        });
        let window = windows.max().unwrap_or(0);
        let heard = self.heard.get(cluster).copied();
        let least = if heard.is_none() { window.max(STARTUP) } else { window };
        let silent = now.truly - heard.unwrap_or(self.started).truly;
        // The hub's clock may run a little fast.
        assert!(
            silent + 1 + least / 1_000 >= least,
            "S1: {cluster} is given up after {silent} ms of silence, and {least} were to pass"
        );
        let sudden = window < SHORT || self.confirmed.contains(cluster);
        let alone = sudden || clusters(records).any(|other| !self.has_vanished(other, now));
        assert!(
            alone,
            "S6: {cluster} is given up while all clusters are silent, and nobody has confirmed it"
        );
    }

    fn has_vanished(&self, cluster: &ClusterName, now: Moment) -> bool {
        if self.confirmed.contains(cluster) {
            return false;
        }
        let silent = |since: Moment| now.own.since(since.max(self.restarted).own).as_millis();
        match self.heard.get(cluster) {
            Some(heard) => silent(*heard) >= u128::from(VANISHED),
            None => silent(self.started) >= u128::from(STARTUP),
        }
    }
}

fn is_welcome(effect: &Effect) -> bool {
    matches!(effect, Effect::Send { message: Down::Welcome(_), .. })
}

fn clusters<'r>(records: &'r Records) -> impl Iterator<Item = &'r ClusterName> {
    let from = Key::Cluster("0".parse().expect("a valid name, below or equal to every other"));
    let name =
        |record: &'r Record| if let Record::Cluster(cluster) = record { Some(&cluster.name) } else { None };
    records.range(from..).map_while(move |(_, record)| name(record))
}
