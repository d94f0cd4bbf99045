//! A migration by an operator's word: it stands still, goes on, or ends where it is.

use std::collections::BTreeMap;

use godwit_common::{ClusterName, Uid};

use super::give_back::Unstarted;
use super::refused;
use crate::contract::{
    Action, Answer, Cause, Changes, Key, Migration, MigrationCause, MigrationId, MigrationOrder,
    MigrationState, Refused, RefusedKind, Severity, Subject,
};
use crate::holds::Holds;
use crate::hub::Hub;
use crate::placement::Reason;

/// By workload and by the cluster where it still runs: what may be given back there.
type Returns = BTreeMap<(Uid, ClusterName), Unstarted>;

impl Hub {
    /// Does what an operator wants of a migration.
    pub(super) fn migrate(&mut self, id: MigrationId, order: MigrationOrder) -> Result<Answer, Refused> {
        let migration = &self.migrations.get(&id).ok_or_else(|| no_migration(id))?.migration;
        self.check_order(migration, order)?;
        match (order, migration.state) {
            (MigrationOrder::Pause, MigrationState::Paused)
            | (MigrationOrder::Resume, MigrationState::Running)
            | (MigrationOrder::Cancel, MigrationState::Cancelled) => {
                Ok(Answer::Applied { action: Action::Unchanged, changes: Changes::default() })
            }
            (MigrationOrder::Pause, _) => Ok(self.pause_migration(id)),
            (MigrationOrder::Resume, _) => Ok(self.resume_migration(id)),
            (MigrationOrder::Cancel, _) => self.cancel_migration(id),
        }
    }

    /// What is over is over; and what a drain moves stands still, goes on and ends with the drain, so that there is one
    /// way only.
    fn check_order(&self, migration: &Migration, order: MigrationOrder) -> Result<(), Refused> {
        let id = migration.id;
        let word = match order {
            MigrationOrder::Pause => "pause",
            MigrationOrder::Resume => "resume",
            MigrationOrder::Cancel => "cancel",
        };
        let again = order == MigrationOrder::Cancel && migration.state == MigrationState::Cancelled;
        if migration.state.ended() && !again {
            let state = migration.state.as_str().to_lowercase();
            let message = format!("{id} is {state}: there is nothing to {word}");
            return Err(refused(RefusedKind::FailedPrecondition, message));
        }
        match self.drain_behind(&migration.cause).filter(|_| !again) {
            None => Ok(()),
            Some(name) => {
                let message = format!(
                    "{id} belongs to the drain of cluster {name}: `godwit drain cluster {name} --{word}` does that \
                     with all of it"
                );
                Err(refused(RefusedKind::FailedPrecondition, message))
            }
        }
    }

    fn pause_migration(&mut self, id: MigrationId) -> Answer {
        let (held, now) = (self.left_of(id), self.now.wall);
        let message = format!("nothing more starts or stops for it: {}", in_words(&held));
        for uid in held.keys() {
            if let Some(workload) = self.workloads.get_mut(uid) {
                workload.migrations.insert(id);
            }
            self.touched.subjects.insert(Subject::Workload(*uid));
            // What was announced to stop stays (S20).
            self.moving.insert(*uid);
        }
        if let Some(entry) = self.migrations.get_mut(&id) {
            let migration = &mut entry.migration;
            (migration.state, migration.since, migration.held) = (MigrationState::Paused, now, held);
        }
        self.migration_changed(id);
        self.note_command(Severity::Normal, "", "MigrationPaused", id.to_string(), message);
        // Others need not wait for what stands still (S6).
        self.next_slow_loss();
        Answer::Applied { action: Action::Configured, changes: Changes::default() }
    }

    fn resume_migration(&mut self, id: MigrationId) -> Answer {
        let now = self.now.wall;
        self.release_holds(id);
        if let Some(entry) = self.migrations.get_mut(&id) {
            let (ready, migration) = (entry.ready, &mut entry.migration);
            (migration.state, migration.since, migration.ready_before) =
                (MigrationState::Running, now, ready);
        }
        self.migration_changed(id);
        self.note_command(Severity::Normal, "", "MigrationResumed", id.to_string(), "it goes on");
        // Its replicas may have been ready before it went on.
        self.complete_migration(id);
        Answer::Applied { action: Action::Configured, changes: Changes::default() }
    }

    /// What has not started goes back to where it still runs. Were a cluster lost for it that is still away, its return is
    /// awaited from now on: what it gets back, and what it has left, stays its plan.
    fn cancel_migration(&mut self, id: MigrationId) -> Result<Answer, Refused> {
        let Some(entry) = self.migrations.get(&id) else { return Err(no_migration(id)) };
        let cause = entry.migration.cause.clone();
        let awaited = self.lost_by(&cause);
        let outstanding = self.left_of(id);
        let returns = self.returns(&entry.migration, &outstanding, awaited.as_ref());
        if returns.is_empty() {
            return Err(nothing_to_cancel(id, &outstanding));
        }
        let message = match &awaited {
            Some(name) => format!(
                "what has not started is the plan of cluster {name} again, and so is what is left there: its return \
                 is awaited; `godwit drain cluster {name}` ends that"
            ),
            None => "what has not started stays where it still runs".to_owned(),
        };
        let entry = self.note_command(Severity::Normal, "", "MigrationCancelled", id.to_string(), message);
        if let Some(name) = awaited {
            self.await_return(&name, id);
        }
        self.end_migration(id, MigrationState::Cancelled);
        // The loss is over, or waited out: what may not stay moves for what keeps it from staying.
        let cause = match cause {
            MigrationCause::ClusterLost(name) => MigrationCause::ClusterChanged(name),
            other => other,
        };
        for ((uid, name), unstarted) in returns {
            let reason = Reason::Cancelled(cause.clone(), entry);
            // What stops there yet leaves in as good an order as before (S20).
            self.give_back(uid, &name, &unstarted, (Cause::Migration(id), reason));
        }
        self.make_plans();
        Ok(Answer::Applied { action: Action::Configured, changes: self.plan_changes() })
    }

    /// The migrations of a drain that is cancelled are so with it, unless all of them has started.
    pub(crate) fn cancel_migrations_of_drain(&mut self, name: &ClusterName) {
        let cause = MigrationCause::Drained(name.clone());
        let unstarted = |id: &MigrationId| {
            self.left_of(*id).values().flat_map(BTreeMap::values).any(|held| held.starts > 0)
        };
        let of_drain = self.open_migrations().filter(|one| one.cause == cause).map(|one| one.id);
        let ids: Vec<MigrationId> = of_drain.filter(unstarted).collect();
        for id in ids {
            self.end_migration(id, MigrationState::Cancelled);
        }
    }

    /// What can be given back of what has not started: to where its copies were told to run and still are, as far as the
    /// hub can tell. A cluster that is lost gets nothing back, unless its return is awaited.
    fn returns(&self, migration: &Migration, outstanding: &Holds, awaited: Option<&ClusterName>) -> Returns {
        let mut left = outstanding.clone();
        let mut returns = Returns::new();
        for moved in migration.moves.iter() {
            let Some(from) = &moved.from else { continue };
            let Some(workload) = self.workloads.get(&moved.workload) else { continue };
            let lost = self.clusters.get(from).is_none_or(|cluster| self.lost_to(workload, cluster));
            let Some(places) = left.get_mut(&moved.workload).filter(|_| !lost || awaited == Some(from))
            else {
                continue;
            };
            let running = places.get(from).map_or(0, |held| held.stops);
            let waiting = match &moved.to {
                None => workload.record.pending,
                Some(to) => places.get(to).map_or(0, |held| held.starts),
            };
            let back = moved.replicas.min(running).min(waiting);
            if back == 0 {
                continue;
            }
            let unstarted = returns.entry((moved.workload, from.clone())).or_default();
            if let Some(held) = places.get_mut(from) {
                held.stops -= back;
            }
            match &moved.to {
                None => unstarted.pending += back,
                Some(to) => {
                    *unstarted.places.entry(to.clone()).or_default() += back;
                    if let Some(held) = places.get_mut(to) {
                        held.starts -= back;
                    }
                }
            }
        }
        returns
    }

    /// The cluster whose loss is the cause of a migration, if it is still away.
    fn lost_by(&self, cause: &MigrationCause) -> Option<ClusterName> {
        let MigrationCause::ClusterLost(name) = cause else { return None };
        let cluster = self.clusters.get(name)?;
        (!cluster.reporting() && cluster.health.lost_through.is_some()).then(|| name.clone())
    }

    fn await_return(&mut self, name: &ClusterName, id: MigrationId) {
        if let Some(cluster) = self.clusters.get_mut(name) {
            cluster.record.awaited = Some(id);
        }
        self.touched.keys.insert(Key::Cluster(name.clone()));
        self.touched.subjects.insert(Subject::Cluster(name.clone()));
        self.fleet_changed();
    }
}

fn no_migration(id: MigrationId) -> Refused {
    let message =
        format!("migration {id} is not known, or no longer; `godwit get migrations` lists those that are");
    refused(RefusedKind::NotFound, message)
}

fn nothing_to_cancel(id: MigrationId, outstanding: &Holds) -> Refused {
    let starts =
        outstanding.values().flat_map(BTreeMap::values).map(|held| u64::from(held.starts)).sum::<u64>();
    let message = match starts {
        0 => {
            format!("everything of {id} has started, and what has started stays: there is nothing to cancel")
        }
        starts => format!(
            "{starts} replicas of {id} have not started, and run nowhere else to be given back to; \
             `godwit pause migration {id}` holds them"
        ),
    };
    refused(RefusedKind::FailedPrecondition, message)
}

fn in_words(held: &Holds) -> String {
    let sum = |of: fn(&crate::contract::Held) -> u32| {
        held.values().flat_map(BTreeMap::values).map(|held| u64::from(of(held))).sum::<u64>()
    };
    let (starts, stops) = (sum(|held| held.starts), sum(|held| held.stops));
    format!("{starts} replicas have yet to start, and {stops} to stop")
}
