//! Migrations: every move of replicas belongs to one, with its cause; it is durable, fixed when it opens, and ends when
//! everything that it placed is ready, or an operator cancels it.

use std::collections::{BTreeMap, BTreeSet};

use godwit_common::{ClusterName, Uid, WallTime};

use crate::contract::{
    Cause, Held, Key, Loss, Migration, MigrationCause, MigrationId, MigrationState, Move, Severity, Subject,
};
use crate::hub::Hub;
use crate::shared::Shared;
use crate::state::Workload;

/// A migration and who it still waits for.
#[derive(Debug, Clone)]
pub(crate) struct MigrationEntry {
    /// Durable.
    pub(crate) migration: Migration,
    /// Workloads that are not ready in their new places yet.
    pub(crate) unsettled: BTreeMap<Uid, Arrivals>,
    /// Workloads of which something has not been told to start yet.
    untold: BTreeSet<Uid>,
    /// How many replicas go somewhere, and how many of them are ready there.
    pub(crate) replicas: u32,
    pub(crate) ready: u32,
    /// How many workloads move.
    pub(crate) workloads: u32,
}

/// Replicas of one workload on their way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Arrivals {
    /// Where they go, and how many.
    pub(crate) places: BTreeMap<ClusterName, u32>,
    /// How many of them are ready there.
    ready: u32,
}

impl MigrationEntry {
    /// A migration that waits for all of its moves.
    pub(crate) fn new(migration: Migration) -> Self {
        let mut unsettled: BTreeMap<Uid, Arrivals> = BTreeMap::new();
        let mut replicas = 0_u32;
        for moved in migration.moves.iter() {
            let arrivals = unsettled.entry(moved.workload).or_default();
            if let Some(to) = &moved.to {
                *arrivals.places.entry(to.clone()).or_default() += moved.replicas;
                replicas = replicas.saturating_add(moved.replicas);
            }
        }
        let workloads = u32::try_from(unsettled.len()).unwrap_or(u32::MAX);
        let mut ready = 0;
        if migration.state.ended() {
            unsettled.clear();
            ready = if migration.state == MigrationState::Completed { replicas } else { 0 };
        }
        let untold = unsettled.keys().filter(|_| migration.told.is_none()).copied().collect();
        Self { migration, unsettled, untold, replicas, ready, workloads }
    }

    /// How many replicas of a workload are ready in their new places now.
    fn arrived(&mut self, uid: Uid, ready: u32) {
        if let Some(arrivals) = self.unsettled.get_mut(&uid) {
            let before = std::mem::replace(&mut arrivals.ready, ready);
            self.ready = self.ready.saturating_sub(before).saturating_add(ready);
        }
    }

    /// A workload is waited for no longer; what is not ready of it never will be.
    fn settle(&mut self, uid: Uid, all_ready: bool) {
        if let Some(arrivals) = self.unsettled.remove(&uid) {
            let all = arrivals.places.values().fold(0, |sum: u32, replicas| sum.saturating_add(*replicas));
            let ready = if all_ready { all } else { arrivals.ready };
            self.ready = self.ready.saturating_sub(arrivals.ready).saturating_add(ready);
        }
    }

    /// What its pause holds of a workload in a cluster, if anything.
    pub(crate) fn held(&self, uid: Uid, name: &ClusterName) -> Option<Held> {
        self.migration.held.get(&uid)?.get(name).copied()
    }
}

impl Hub {
    /// Opens a migration: before its moves begin, in the same batch of records.
    pub(crate) fn open_migration(&mut self, cause: MigrationCause, moves: Vec<Move>) -> MigrationId {
        let id = MigrationId(self.federation.next_migration);
        self.federation.next_migration += 1;
        self.touched.keys.insert(Key::Federation);
        self.note_migration(id, &cause, &moves);
        let now = self.now.wall;
        let loss = if let MigrationCause::ClusterLost(name) = &cause { self.loss_of(name) } else { None };
        let entry = MigrationEntry::new(Migration {
            id,
            cause,
            state: MigrationState::Running,
            started: now,
            since: now,
            ready_before: 0,
            told: None,
            loss,
            inputs: self.inputs(),
            moves: moves.into(),
            held: BTreeMap::new(),
        });
        for uid in entry.unsettled.keys() {
            if let Some(workload) = self.workloads.get_mut(uid) {
                workload.migrations.insert(id);
            }
        }
        self.migrations.insert(id, Shared::new(entry));
        self.migration_changed(id);
        self.forget_old_migrations();
        id
    }

    /// Whether an operator's command is behind this, and not the state of some cluster (S6).
    pub(crate) fn is_commanded(&self, cause: Cause) -> bool {
        let id = match cause {
            Cause::Command(_) => return true,
            Cause::Migration(id) => id,
        };
        self.migrations.get(&id).is_some_and(|entry| match entry.migration.cause {
            MigrationCause::PolicyChanged(_)
            | MigrationCause::ClusterDeleted(_)
            | MigrationCause::ClusterChanged(_)
            | MigrationCause::Fenced(_)
            | MigrationCause::Drained(_) => true,
            MigrationCause::ClusterLost(_)
            | MigrationCause::RoomAppeared(_)
            | MigrationCause::QuotaFreed(_)
            | MigrationCause::Preempted(_)
            | MigrationCause::Unready(_)
            | MigrationCause::Unschedulable(_)
            | MigrationCause::Affinity(_)
            | MigrationCause::Returned(_)
            | MigrationCause::FailedBack(_)
            | MigrationCause::Rebalance(_) => false,
        })
    }

    /// Whether copies that this takes from their place leave in good order (S20): nothing has happened to them.
    pub(crate) fn is_planned(&self, cause: Cause) -> bool {
        let Cause::Migration(id) = cause else { return false };
        self.migrations.get(&id).is_some_and(|entry| match entry.migration.cause {
            MigrationCause::PolicyChanged(_)
            | MigrationCause::Rebalance(_)
            | MigrationCause::ClusterDeleted(_)
            | MigrationCause::ClusterChanged(_)
            | MigrationCause::Drained(_)
            | MigrationCause::FailedBack(_)
            | MigrationCause::Affinity(_) => true,
            MigrationCause::ClusterLost(_)
            | MigrationCause::Returned(_)
            | MigrationCause::RoomAppeared(_)
            | MigrationCause::QuotaFreed(_)
            | MigrationCause::Fenced(_)
            | MigrationCause::Preempted(_)
            | MigrationCause::Unready(_)
            | MigrationCause::Unschedulable(_) => false,
        })
    }

    /// Looks how far a workload is on its ways, and lets the migrations go that need not wait for it any longer: it is
    /// ready where they placed it.
    pub(crate) fn look_at_migrations(&mut self, uid: Uid) {
        let Some(workload) = self.workloads.get(&uid) else { return };
        let mut settled = BTreeSet::new();
        let mut found = Vec::new();
        for id in &workload.migrations {
            let Some(entry) = self.migrations.get(id) else {
                settled.insert(*id);
                continue;
            };
            let (mut ready, mut all_ready, mut told) = (0_u32, true, true);
            for (name, replicas) in entry.unsettled.get(&uid).into_iter().flat_map(|one| &one.places) {
                let missing = self.missing_at(workload, name);
                ready = ready.saturating_add(replicas.saturating_sub(missing));
                all_ready &= missing == 0;
                told &= !workload.below.contains(name);
            }
            if all_ready && !entry.migration.held.contains_key(&uid) {
                settled.insert(*id);
            }
            found.push((*id, ready, told));
        }
        for (id, ready, told) in found {
            self.progress(id, uid, ready, told);
        }
        self.settle_migrations(settled, uid);
    }

    /// How many replicas of a workload are not ready where the plan has them.
    pub(crate) fn missing_at(&self, workload: &Workload, name: &ClusterName) -> u32 {
        let Some(seat) = workload.seats.get(name) else { return 0 };
        let ready = if self.reporting(name) { seat.ready() } else { 0 };
        seat.seat.placed.saturating_sub(ready)
    }

    fn progress(&mut self, id: MigrationId, uid: Uid, ready: u32, told: bool) {
        self.touched.subjects.insert(Subject::Migration(id));
        let now = self.now.wall;
        let Some(entry) = self.migrations.get_mut(&id) else { return };
        entry.arrived(uid, ready);
        if told && entry.untold.remove(&uid) && entry.untold.is_empty() {
            entry.migration.told = Some(now);
            self.touched.keys.insert(Key::Migration(id));
        }
    }

    /// These migrations wait for a workload no longer.
    pub(crate) fn settle_migrations(&mut self, ids: BTreeSet<MigrationId>, uid: Uid) {
        for id in ids {
            let lives =
                self.workloads.get_mut(&uid).map(|workload| workload.migrations.remove(&id)).is_some();
            self.drop_holds(id, uid);
            let Some(entry) = self.migrations.get_mut(&id) else {
                continue;
            };
            entry.settle(uid, lives);
            self.touched.subjects.insert(Subject::Migration(id));
            self.complete_migration(id);
        }
    }

    /// A migration that waits for nobody any more, and holds nothing, is completed.
    pub(crate) fn complete_migration(&mut self, id: MigrationId) {
        let Some(entry) = self.migrations.get(&id) else { return };
        let over = entry.unsettled.is_empty() && entry.migration.held.is_empty();
        if over && !entry.migration.state.ended() {
            let replicas = entry.ready;
            self.end_migration(id, MigrationState::Completed);
            let message = format!("{replicas} replicas of {id} are ready in their new places");
            self.note(Severity::Normal, "", "MigrationCompleted", id.to_string(), message);
        }
    }

    /// From now on a migration is over: it waits for nobody, and holds nothing.
    pub(crate) fn end_migration(&mut self, id: MigrationId, state: MigrationState) {
        let now = self.now.wall;
        self.release_holds(id);
        let Some(entry) = self.migrations.get_mut(&id) else { return };
        entry.migration.state = state;
        entry.migration.since = now;
        for uid in std::mem::take(&mut entry.unsettled).into_keys() {
            if let Some(workload) = self.workloads.get_mut(&uid) {
                workload.migrations.remove(&id);
            }
        }
        self.migration_changed(id);
        self.next_slow_loss();
    }

    /// Those that are not over, in order.
    pub(crate) fn open_migrations(&self) -> impl Iterator<Item = &Migration> {
        self.migrations.values().map(|entry| &entry.migration).filter(|migration| !migration.state.ended())
    }

    /// Whether those go on that are not over may have changed.
    pub(crate) fn show_migrations(&mut self) {
        let open: Vec<Subject> = self.open_migrations().map(|one| Subject::Migration(one.id)).collect();
        self.touched.subjects.extend(open);
    }

    /// How a cluster was lost that is lost now.
    fn loss_of(&self, name: &ClusterName) -> Option<Loss> {
        let health = &self.clusters.get(name)?.health;
        let before = |time| {
            let ago = u64::try_from(self.now.time.since(time).as_millis()).unwrap_or(u64::MAX);
            WallTime(self.now.wall.0.saturating_sub(ago))
        };
        // What came before the hub's start it cannot know.
        let seen = health.seen > WallTime::default();
        let heard = seen.then(|| before(health.heard));
        let suspect = health.away_since.filter(|_| seen).map(before);
        Some(Loss { heard, suspect, lost: self.now.wall })
    }

    pub(crate) fn migration_changed(&mut self, id: MigrationId) {
        self.touched.keys.insert(Key::Migration(id));
        self.touched.subjects.insert(Subject::Migration(id));
    }

    fn note_migration(&mut self, id: MigrationId, cause: &MigrationCause, moves: &[Move]) {
        let (rule, what) = match cause {
            MigrationCause::ClusterLost(name) => ("S1", format!("cluster {name} is lost")),
            MigrationCause::RoomAppeared(name) => ("S14", format!("room appeared in cluster {name}")),
            MigrationCause::PolicyChanged(name) => ("S18", format!("policy {name} changed")),
            MigrationCause::Rebalance(name) => ("S18", format!("policy {name} rebalances")),
            MigrationCause::ClusterDeleted(name) => ("S23", format!("cluster {name} was deleted")),
            MigrationCause::ClusterChanged(name) => {
                ("S18", format!("cluster {name} is otherwise than before"))
            }
            MigrationCause::Drained(name) => ("S20", format!("cluster {name} is drained")),
            MigrationCause::Returned(name) => {
                ("S12", format!("cluster {name} has returned, and its copies stay"))
            }
            MigrationCause::FailedBack(name) => ("S13", format!("replicas go back to cluster {name}")),
            MigrationCause::QuotaFreed(namespace) => {
                ("S16", format!("the quota of namespace {namespace} lets more be placed"))
            }
            MigrationCause::Preempted(id) => ("S16", format!("{id} has a higher priority and finds no room")),
            MigrationCause::Fenced(name) => {
                ("S9", format!("what cluster {name} may still have run is accounted for"))
            }
            MigrationCause::Unready(name) => ("S3", format!("replicas are not ready in cluster {name}")),
            MigrationCause::Unschedulable(name) => {
                ("S17", format!("cluster {name} cannot schedule all replicas"))
            }
            MigrationCause::Affinity(id) => ("S18", format!("{id} is placed otherwise than before")),
        };
        let workloads: BTreeSet<Uid> = moves.iter().map(|moved| moved.workload).collect();
        let mut to: BTreeMap<Option<&ClusterName>, u64> = BTreeMap::new();
        for moved in moves {
            *to.entry(moved.to.as_ref()).or_default() += u64::from(moved.replicas);
        }
        let parts: Vec<String> = to
            .into_iter()
            .map(|(to, replicas)| match to {
                Some(name) => format!("{replicas} to {name}"),
                None => format!("{replicas} pending"),
            })
            .collect();
        let message = format!("{what}: of {} workloads, {}", workloads.len(), parts.join(", "));
        self.note(Severity::Normal, rule, "MigrationStarted", id.to_string(), message);
    }

    /// The oldest make room: those that are over before those that run, which are more than one for each cluster only if many
    /// of them never end.
    fn forget_old_migrations(&mut self) {
        let completed = |entry: &MigrationEntry| entry.migration.state.ended();
        while self.migrations.len() > self.config.migrations {
            let crowded = self.migrations.len() > self.config.migrations + self.config.clusters;
            let done = self.migrations.iter().find(|(_, entry)| completed(entry)).map(|(id, _)| *id);
            let oldest = || self.migrations.keys().next().copied().filter(|_| crowded);
            let Some(id) = done.or_else(oldest) else {
                return;
            };
            self.release_holds(id);
            self.migrations.remove(&id);
            self.migration_changed(id);
        }
    }
}
