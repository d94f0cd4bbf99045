//! What is paused stands still: no step starts or stops what a paused migration holds, unless the plan itself has become
//! another, or fewer are wanted.

use std::collections::BTreeMap;

use godwit_common::{ClusterName, Uid};
use godwit_hub_core::{Held, Key, Migration, MigrationId, MigrationState, Record};

use super::lease::Ended;
use super::{Records, SeatChange, is_dead};

/// What is held, by migration.
pub(super) type Holds = BTreeMap<MigrationId, BTreeMap<Uid, BTreeMap<ClusterName, Held>>>;

/// What paused migrations hold.
pub(super) fn holds(records: &Records) -> Holds {
    let migrations = records.range(Key::Migration(MigrationId(0))..).map_while(|(_, record)| match record {
        Record::Migration(migration) => Some(migration),
        _ => None,
    });
    let paused = |one: &Migration| match one.state {
        MigrationState::Paused => Some((one.id, one.held.clone())),
        MigrationState::Running | MigrationState::Cancelled | MigrationState::Completed => {
            assert!(one.held.is_empty(), "{} holds something, and is {:?}", one.id, one.state);
            None
        }
    };
    migrations.filter_map(paused).collect()
}

/// After a step of a hub.
pub(super) fn check(records: &Records, before: &Holds, ended: &Ended, seats: &[SeatChange]) {
    let still = |id: &MigrationId| match records.get(&Key::Migration(*id)) {
        Some(Record::Migration(Migration { state, .. })) => *state == MigrationState::Paused,
        _ => false,
    };
    // What is said to be dead, or has ended by itself, is told to run nothing, whatever else is held (S9).
    let gone = |change: &SeatChange| {
        is_dead(records, &change.cluster) || ended.contains(&(change.workload, change.cluster.clone()))
    };
    let same = |change: &&SeatChange| change.before.cause == change.after.cause && !gone(change);
    for change in seats.iter().filter(same) {
        let Some(Record::Workload(workload)) = records.get(&Key::Workload(change.workload)) else { continue };
        let here = |(id, held): (&MigrationId, &BTreeMap<Uid, BTreeMap<ClusterName, Held>>)| {
            held.get(&change.workload)?.get(&change.cluster).copied().filter(|_| still(id))
        };
        let (mut starts, mut stops) = (0, 0);
        for held in before.iter().filter_map(here) {
            (starts, stops) = (starts + held.starts, stops + held.stops);
        }
        let most = change.after.placed.saturating_sub(starts).max(change.before.target);
        let least = (change.after.placed + stops).min(workload.wanted).min(change.before.target);
        let target = change.after.target;
        assert!(
            least <= target && (starts == 0 || target <= most),
            "a paused migration holds {starts} starts and {stops} stops: {change:?}"
        );
    }
}
