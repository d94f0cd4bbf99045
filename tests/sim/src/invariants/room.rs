//! I8, S15: no room is counted twice. Whenever a step lets a cluster have more, all that is on its way there fits into
//! what the cluster reported as free.

use std::collections::BTreeSet;

use godwit_common::{ClusterName, Resources, Uid};
use godwit_hub_core::{Key, Record, Seat};

use super::imports::Imports;
use super::witness::{Told, Witness};
use super::{Records, SeatChange};

/// After a step of a hub. In a step that `accepts` what the members hold, what they have been told already is nobody's to
/// give (S10).
pub(super) fn check(
    records: &Records,
    witness: &Witness,
    (seats, imports): (&[SeatChange], &Imports),
    accepts: bool,
) {
    // What was found running where nothing was known of it was given by nobody (S27).
    let has = |seat: &SeatChange| {
        let told = witness.reports(&seat.cluster);
        told.map_or(0, |told| told.replicas(seat.workload)) >= occupied(&seat.after)
    };
    let found = |seat: &SeatChange| {
        (seat.before.generation.0 == 0 && seat.after.placed == 0) || (accepts && has(seat))
    };
    // What was taken over has its room already (S29), and so has what was imported (S34).
    let runs = |seat: &SeatChange| {
        let told = witness.reports(&seat.cluster);
        told.map_or(0, |told| has_room(told, imports, seat.workload, &seat.cluster)) >= occupied(&seat.after)
    };
    let more =
        |seat: &&SeatChange| occupied(&seat.after) > occupied(&seat.before) && !found(seat) && !runs(seat);
    let clusters: BTreeSet<&ClusterName> = seats.iter().filter(more).map(|seat| &seat.cluster).collect();
    for cluster in clusters {
        check_cluster(records, witness, cluster, (seats, imports));
    }
}

fn check_cluster(
    records: &Records,
    witness: &Witness,
    cluster: &ClusterName,
    (seats, imports): (&[SeatChange], &Imports),
) {
    let Some(told) = witness.reports(cluster) else {
        panic!("S14: {cluster}, which the hub cannot see, is given more: {seats:?}");
    };
    let mut free = Resources::default();
    for class in told.capacity.iter().flat_map(|capacity| &capacity.classes) {
        add(&mut free, &class.free, u64::from(class.nodes));
    }
    let mut demand = Resources::default();
    for (key, record) in records.range(Key::Workload(Uid(0))..) {
        let (Key::Workload(uid), Record::Workload(workload)) = (key, record) else {
            break;
        };
        if let Some(Record::Seat { seat, .. }) = records.get(&Key::Seat(*uid, cluster.clone())) {
            // What the scheduler has found no place for does not stand in the way of what fits.
            let here = has_room(told, imports, *uid, cluster) + told.unschedulable(*uid);
            let on_the_way = occupied(seat).saturating_sub(here);
            add(&mut demand, &workload.spec.pod.requests, u64::from(on_the_way));
        }
    }
    assert!(
        demand.cpu_millis <= free.cpu_millis
            && demand.pods <= free.pods
            && demand.memory_bytes <= free.memory_bytes,
        "I8: {cluster} has {free:?} free, and {demand:?} is on its way there: {seats:?}"
    );
}

/// How many copies of a life have their room in a cluster: as reported, or as found where nothing was reported yet.
fn has_room(told: &Told, imports: &Imports, uid: Uid, cluster: &ClusterName) -> u32 {
    if told.knows(uid) { told.bound(uid) } else { imports.found_in(uid, cluster) }
}

fn occupied(seat: &Seat) -> u32 {
    seat.placed.max(seat.target)
}

fn add(sum: &mut Resources, each: &Resources, times: u64) {
    sum.cpu_millis += each.cpu_millis * times;
    sum.memory_bytes += each.memory_bytes * times;
    sum.pods += each.pods * times;
}
