//! Progress: how far a migration is, when it may end, and what it waits for.

use std::borrow::Cow;

use godwit_common::WallTime;

use crate::contract::{
    ArrivalView, DrainState, FreezeCause, Migration, MigrationId, MigrationState, MigrationView,
};
use crate::hub::Hub;
use crate::migrations::MigrationEntry;

/// How many of the workloads that a migration waits for are looked at.
const WAITING_MAX: usize = 20;

impl Hub {
    /// A migration; none if it is forgotten.
    pub fn migration(&self, id: MigrationId) -> Option<MigrationView> {
        let entry = self.migrations.get(&id)?;
        let migration = entry.migration.clone();
        let (state, halted) = self.halted(&migration);
        let unsettled = u32::try_from(entry.unsettled.len()).unwrap_or(u32::MAX);
        let goes_on = state == MigrationState::Running && halted.is_empty();
        Some(MigrationView {
            state,
            halted,
            replicas: entry.replicas,
            replicas_ready: entry.ready,
            workloads: entry.workloads,
            workloads_ready: entry.workloads.saturating_sub(unsettled),
            estimated_end: if goes_on { self.estimated_end(entry) } else { None },
            waiting: self.arrivals(entry),
            migration,
        })
    }

    /// The state that is shown, and why nothing goes on, if nothing does.
    fn halted(&self, migration: &Migration) -> (MigrationState, String) {
        match migration.state {
            MigrationState::Running => {}
            MigrationState::Paused => return (MigrationState::Paused, paused(migration.id)),
            MigrationState::Cancelled | MigrationState::Completed => {
                return (migration.state, String::new());
            }
        }
        if let Some(name) = self.drain_behind(&migration.cause)
            && let Some(drain) = self.drain_of(name)
        {
            let what = match drain.state {
                DrainState::Paused => Some("paused"),
                DrainState::Overdue => Some("overdue"),
                DrainState::Running | DrainState::Done | DrainState::Cleaning => None,
            };
            if let Some(what) = what {
                let why = format!(
                    "the drain of cluster {name} is {what}: `godwit drain cluster {name} --resume` goes on"
                );
                return (MigrationState::Paused, why);
            }
        }
        let commanded = self.is_commanded(crate::contract::Cause::Migration(migration.id));
        let frozen = match self.federation.freeze.as_ref().map(|freeze| freeze.cause) {
            None => false,
            Some(FreezeCause::MassLoss) => !commanded,
            Some(FreezeCause::NewerHistory | FreezeCause::Recovery) => true,
        };
        let why = if frozen { "failover is frozen: `godwit describe federation` says why" } else { "" };
        (MigrationState::Running, why.to_owned())
    }

    /// When the last replica is ready, if the rest takes as long for each as those took that became ready since it began
    /// or was resumed.
    fn estimated_end(&self, entry: &MigrationEntry) -> Option<WallTime> {
        let migration = &entry.migration;
        let ready = u128::from(entry.ready.saturating_sub(migration.ready_before));
        let left = u128::from(entry.replicas.saturating_sub(entry.ready));
        let took = u128::from(self.now.wall.0.saturating_sub(migration.since.0));
        let takes = u64::try_from((left * took).checked_div(ready)?).unwrap_or(u64::MAX);
        Some(WallTime(self.now.wall.0.saturating_add(takes)))
    }

    /// What the first workloads wait for that are not ready in their new places.
    fn arrivals(&self, entry: &MigrationEntry) -> Vec<ArrivalView> {
        let mut waiting = Vec::new();
        for (uid, arrivals) in entry.unsettled.iter().take(WAITING_MAX) {
            let Some(workload) = self.workloads.get(uid) else { continue };
            for (name, replicas) in &arrivals.places {
                let missing = self.missing_at(workload, name).min(*replicas);
                let Some(seat) = workload.seats.get(name).filter(|_| missing > 0) else { continue };
                let reason = match self.standing(name, seat, workload) {
                    Cow::Borrowed("") => Cow::Borrowed("starting"),
                    reason => reason,
                };
                waiting.push(ArrivalView {
                    id: workload.id().clone(),
                    cluster: name.clone(),
                    missing,
                    reason,
                });
            }
        }
        waiting.truncate(WAITING_MAX);
        waiting
    }
}

/// What is said of whatever a paused migration holds.
pub(crate) fn paused(id: MigrationId) -> String {
    format!("{id} is paused: `godwit resume migration {id}` goes on")
}
