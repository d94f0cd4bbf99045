//! Records as a hub's machine has them, and what a step changes in them.

use std::collections::BTreeMap;

use godwit_common::{ClusterName, Uid};
use godwit_hub_core::{Effect, Key, Migration, Record, Seat};

/// Records by key, as a hub's machine has them: those of steps that are not durable yet included.
pub type Records = BTreeMap<Key, Record>;

/// A seat before and after a step.
#[derive(Debug)]
pub(super) struct SeatChange {
    pub(super) workload: Uid,
    pub(super) cluster: ClusterName,
    pub(super) before: Seat,
    pub(super) after: Seat,
}

/// The migrations that begin in a step. Where nothing has to start, they end in the same one.
pub(super) fn begun<'e>(records: &Records, effects: &'e [Effect]) -> Vec<&'e Migration> {
    let begun = |effect: &'e Effect| {
        let Effect::Put(Record::Migration(migration)) = effect else { return None };
        (!records.contains_key(&Key::Migration(migration.id))).then_some(migration)
    };
    effects.iter().filter_map(begun).collect()
}

/// Writes what a step puts and deletes; returns the seats of living workloads that it changed.
pub(super) fn write(records: &mut Records, effects: &[Effect]) -> Vec<SeatChange> {
    let mut changes = Vec::new();
    for effect in effects {
        match effect {
            Effect::Put(Record::Seat { workload, cluster, seat }) => {
                let key = Key::Seat(*workload, cluster.clone());
                let record = effect_record(effect);
                let before = records.insert(key, record).and_then(seat_of).unwrap_or_default();
                changes.push(SeatChange {
                    workload: *workload,
                    cluster: cluster.clone(),
                    before,
                    after: seat.clone(),
                });
            }
            Effect::Put(Record::Journal(_)) | Effect::Delete(Key::Journal(_)) => {}
            Effect::Put(record) => {
                records.insert(record.key(), record.clone());
            }
            Effect::Delete(key) => {
                records.remove(key);
            }
            Effect::Send { .. } | Effect::Close { .. } | Effect::Answer { .. } => {}
        }
    }
    changes.retain(|change| records.contains_key(&Key::Workload(change.workload)));
    changes
}

fn effect_record(effect: &Effect) -> Record {
    match effect {
        Effect::Put(record) => record.clone(),
        Effect::Delete(_) | Effect::Send { .. } | Effect::Close { .. } | Effect::Answer { .. } => {
            unreachable!("only what is put is a record")
        }
    }
}

fn seat_of(record: Record) -> Option<Seat> {
    if let Record::Seat { seat, .. } = record {
        return Some(seat);
    }
    None
}

/// The seats of a workload.
pub(super) fn seats_of(records: &Records, uid: Uid) -> impl Iterator<Item = (&ClusterName, &Seat)> {
    let from = Key::Seat(uid, "0".parse().expect("a valid name, below or equal to every other"));
    records.range(from..).map_while(move |(key, record)| {
        if let (Key::Seat(workload, cluster), Record::Seat { seat, .. }) = (key, record)
            && *workload == uid
        {
            return Some((cluster, seat));
        }
        None
    })
}

/// The seat of a workload in a cluster.
pub(super) fn seat_in<'r>(records: &'r Records, uid: Uid, cluster: &ClusterName) -> Option<&'r Seat> {
    match records.get(&Key::Seat(uid, cluster.clone()))? {
        Record::Seat { seat, .. } => Some(seat),
        _ => None,
    }
}

/// Whether an operator has said that a cluster is dead (S9).
pub(super) fn is_dead(records: &Records, name: &ClusterName) -> bool {
    let cluster = records.get(&Key::Cluster(name.clone()));
    matches!(cluster, Some(Record::Cluster(cluster)) if cluster.dead.is_some())
}
