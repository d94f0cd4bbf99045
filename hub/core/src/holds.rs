//! Holds: what a paused migration keeps from starting and from stopping. They are counted when it is paused, because who
//! moves a workload later writes its own cause over what was there; and they are never more than what a cluster has yet
//! to start or to stop by its plan.

use std::collections::BTreeMap;

use godwit_common::{ClusterName, Uid};

use crate::contract::{Held, MigrationCause, MigrationId, MigrationState};
use crate::hub::Hub;
use crate::migrations::MigrationEntry;
use crate::state::Workload;

/// What is held, of which workload in which cluster.
pub(crate) type Holds = BTreeMap<Uid, BTreeMap<ClusterName, Held>>;

impl Hub {
    /// What all paused migrations hold of a workload in a cluster.
    pub(crate) fn held(&self, workload: &Workload, name: &ClusterName) -> Held {
        self.held_but(workload, name, None)
    }

    /// Whether any paused migration holds something of a workload.
    pub(crate) fn is_held(&self, workload: &Workload) -> bool {
        let holds = |id: &MigrationId| {
            self.migrations
                .get(id)
                .is_some_and(|entry| entry.migration.held.contains_key(&workload.record.uid))
        };
        workload.migrations.iter().any(holds)
    }

    /// The first paused migration that holds something of a workload in a cluster.
    pub(crate) fn held_by(&self, workload: &Workload, name: &ClusterName) -> Option<MigrationId> {
        let holds = |id: &&MigrationId| {
            let entry = self.migrations.get(id);
            entry.is_some_and(|entry| entry.held(workload.record.uid, name).is_some())
        };
        workload.migrations.iter().find(holds).copied()
    }

    fn held_but(&self, workload: &Workload, name: &ClusterName, but: Option<MigrationId>) -> Held {
        let mut sum = Held::default();
        for id in workload.migrations.iter().filter(|id| Some(**id) != but) {
            let entry = self.migrations.get(id);
            if let Some(held) = entry.and_then(|entry| entry.held(workload.record.uid, name)) {
                sum.starts = sum.starts.saturating_add(held.starts);
                sum.stops = sum.stops.saturating_add(held.stops);
            }
        }
        sum
    }

    /// What of a migration has neither started nor stopped yet: of what a cluster has yet to start or to stop, as much as
    /// its moves ask for. What others hold is theirs.
    pub(crate) fn left_of(&self, id: MigrationId) -> Holds {
        let mut all = Holds::new();
        let Some(entry) = self.migrations.get(&id) else { return all };
        let migration = &entry.migration;
        match migration.state {
            MigrationState::Running => {}
            MigrationState::Paused => return migration.held.clone(),
            MigrationState::Cancelled | MigrationState::Completed => return all,
        }
        for moved in migration.moves.iter() {
            let Some(workload) = self.workloads.get(&moved.workload) else { continue };
            let places = [(moved.to.as_ref(), true), (moved.from.as_ref(), false)];
            for (name, starts) in places.into_iter().filter_map(|(name, starts)| Some((name?, starts))) {
                let free = gap(workload, name);
                let others = self.held_but(workload, name, Some(id));
                let mine = all.entry(moved.workload).or_default().entry(name.clone()).or_default();
                let (mine, free, others) = match starts {
                    true => (&mut mine.starts, free.starts, others.starts),
                    false => (&mut mine.stops, free.stops, others.stops),
                };
                *mine += moved.replicas.min(free.saturating_sub(others).saturating_sub(*mine));
            }
        }
        all.retain(|_, places| {
            places.retain(|_, held| *held != Held::default());
            !places.is_empty()
        });
        all
    }

    /// The plan or the target of a workload in a cluster has changed: what is held there is no more than what is left.
    pub(crate) fn trim_holds(&mut self, uid: Uid, name: &ClusterName) {
        let Some(workload) = self.workloads.get(&uid).filter(|workload| !workload.migrations.is_empty())
        else {
            return;
        };
        let mut left = gap(workload, name);
        let mut trimmed = Vec::new();
        for id in &workload.migrations {
            let Some(held) = self.migrations.get(id).and_then(|entry| entry.held(uid, name)) else {
                continue;
            };
            let kept = Held { starts: held.starts.min(left.starts), stops: held.stops.min(left.stops) };
            left = Held { starts: left.starts - kept.starts, stops: left.stops - kept.stops };
            if kept != held {
                trimmed.push((*id, kept));
            }
        }
        for (id, kept) in trimmed {
            let Some(entry) = self.migrations.get_mut(&id) else { continue };
            let held = &mut entry.migration.held;
            let places = held.entry(uid).or_default();
            match kept == Held::default() {
                true => places.remove(name),
                false => places.insert(name.clone(), kept),
            };
            if places.is_empty() {
                held.remove(&uid);
            }
            self.migration_changed(id);
            // It may be over by this.
            self.moving.insert(uid);
        }
    }

    /// Nothing of a workload is held any longer.
    pub(crate) fn drop_holds(&mut self, id: MigrationId, uid: Uid) {
        let holds = |entry: &MigrationEntry| entry.migration.held.contains_key(&uid);
        if self.migrations.get(&id).is_some_and(|entry| holds(entry))
            && let Some(entry) = self.migrations.get_mut(&id)
        {
            entry.migration.held.remove(&uid);
            self.migration_changed(id);
        }
    }

    /// Nothing is held any longer: what was may move.
    pub(crate) fn release_holds(&mut self, id: MigrationId) {
        let Some(entry) = self.migrations.get_mut(&id) else { return };
        for uid in std::mem::take(&mut entry.migration.held).into_keys() {
            self.moving.insert(uid);
            let settled = !entry.unsettled.contains_key(&uid);
            if let Some(workload) = self.workloads.get_mut(&uid).filter(|_| settled) {
                workload.migrations.remove(&id);
            }
        }
    }

    /// The cluster whose drain a migration belongs to: it stands still and goes on with that drain. A cluster that is
    /// lost is a drain no longer (S22).
    pub(crate) fn drain_behind<'a>(&self, cause: &'a MigrationCause) -> Option<&'a ClusterName> {
        let MigrationCause::Drained(name) = cause else { return None };
        let cluster = self.clusters.get(name)?;
        let drained = cluster.record.drain.is_some() && cluster.health.lost_through.is_none();
        drained.then_some(name)
    }
}

/// How many replicas of a workload a cluster has yet to start, or to stop, by its plan.
fn gap(workload: &Workload, name: &ClusterName) -> Held {
    let seat = workload.seats.get(name).map(|state| (state.seat.placed, state.seat.target));
    let (placed, target) = seat.unwrap_or_default();
    Held { starts: placed.saturating_sub(target), stops: target.saturating_sub(placed) }
}
