//! Migrations: every move of replicas belongs to one, with its cause; it is durable, fixed when it opens, and ends when
//! everything that it placed is ready.

use std::collections::{BTreeMap, BTreeSet};

use godwit_common::{ClusterName, Uid};

use crate::contract::{
    Cause, Key, Migration, MigrationCause, MigrationId, MigrationState, Move, Severity, Subject,
};
use crate::hub::Hub;
use crate::shared::Shared;

/// A migration and who it still waits for.
#[derive(Debug, Clone)]
pub(crate) struct MigrationEntry {
    /// Durable.
    pub(crate) migration: Migration,
    /// Workloads that are not ready in their new places yet, and those places.
    pub(crate) unsettled: BTreeMap<Uid, BTreeSet<ClusterName>>,
}

impl MigrationEntry {
    /// A migration that waits for all of its moves.
    pub(crate) fn new(migration: Migration) -> Self {
        let mut unsettled: BTreeMap<Uid, BTreeSet<ClusterName>> = BTreeMap::new();
        if migration.state == MigrationState::Running {
            for moved in &migration.moves {
                unsettled.entry(moved.workload).or_default().extend(moved.to.clone());
            }
        }
        Self { migration, unsettled }
    }
}

impl Hub {
    /// Opens a migration: before its moves begin, in the same batch of records.
    pub(crate) fn open_migration(&mut self, cause: MigrationCause, moves: Vec<Move>) -> MigrationId {
        let id = MigrationId(self.federation.next_migration);
        self.federation.next_migration += 1;
        self.touched.keys.insert(Key::Federation);
        self.note_migration(id, &cause, &moves);
        let (state, started) = (MigrationState::Running, self.now.wall);
        let entry = MigrationEntry::new(Migration { id, cause, state, started, completed: None, moves });
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
            | MigrationCause::Preempted(_)
            | MigrationCause::Unready(_)
            | MigrationCause::Unschedulable(_) => false,
        })
    }

    /// Which of the migrations that wait for a workload need not wait any longer: it is ready where they placed it.
    pub(crate) fn settled(&self, uid: Uid) -> BTreeSet<MigrationId> {
        let Some(workload) = self.workloads.get(&uid) else {
            return BTreeSet::new();
        };
        let there = |name: &ClusterName| {
            let placed = workload.seats.get(name).filter(|seat| seat.seat.placed > 0);
            placed.is_none_or(|seat| self.reporting(name) && seat.ready() >= seat.seat.placed)
        };
        let arrived = |id: &&MigrationId| {
            let places = self.migrations.get(id).and_then(|entry| entry.unsettled.get(&uid));
            places.is_none_or(|places| places.iter().all(there))
        };
        workload.migrations.iter().filter(arrived).copied().collect()
    }

    /// These migrations wait for a workload no longer.
    pub(crate) fn settle_migrations(&mut self, ids: BTreeSet<MigrationId>, uid: Uid) {
        for id in ids {
            if let Some(workload) = self.workloads.get_mut(&uid) {
                workload.migrations.remove(&id);
            }
            let Some(entry) = self.migrations.get_mut(&id) else {
                continue;
            };
            entry.unsettled.remove(&uid);
            self.touched.subjects.insert(Subject::Migration(id));
            if entry.unsettled.is_empty() && entry.migration.state == MigrationState::Running {
                entry.migration.state = MigrationState::Completed;
                entry.migration.completed = Some(self.now.wall);
                let arrived = entry.migration.moves.iter().filter(|moved| moved.to.is_some());
                let replicas: u64 = arrived.map(|moved| u64::from(moved.replicas)).sum();
                self.migration_changed(id);
                let message = format!("{replicas} replicas of {id} are ready in their new places");
                self.note(Severity::Normal, "", "MigrationCompleted", id.to_string(), message);
                self.next_slow_loss();
            }
        }
    }

    fn migration_changed(&mut self, id: MigrationId) {
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

    /// The oldest make room: completed ones before those that run, which are more than one for each cluster only if many
    /// of them never end.
    fn forget_old_migrations(&mut self) {
        let completed = |entry: &MigrationEntry| entry.migration.state == MigrationState::Completed;
        while self.migrations.len() > self.config.migrations {
            let crowded = self.migrations.len() > self.config.migrations + self.config.clusters;
            let done = self.migrations.iter().find(|(_, entry)| completed(entry)).map(|(id, _)| *id);
            let oldest = || self.migrations.keys().next().copied().filter(|_| crowded);
            let Some(id) = done.or_else(oldest) else {
                return;
            };
            self.migrations.remove(&id);
            self.migration_changed(id);
        }
    }
}
