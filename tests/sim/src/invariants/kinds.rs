//! S32, S33: what has ended does not run again, what is everywhere has no number, and what is divided has other ordinals in
//! each cluster, which it keeps.

use std::collections::{BTreeMap, BTreeSet};

use godwit_common::{ClusterName, Uid};
use godwit_hub_core::{Key, Record, WorkloadRecord};

use super::{Records, SeatChange, seats_of};

/// After a step of a hub; says how many Jobs were stopped because they have ended.
pub(super) fn check(records: &Records, seats: &[SeatChange]) -> u64 {
    let mut stopped = 0;
    let mut workloads = BTreeSet::new();
    for seat in seats {
        let Some(Record::Workload(workload)) = records.get(&Key::Workload(seat.workload)) else { continue };
        check_kind(workload, seat);
        let given = |before: Option<u32>| before.is_none() || before == seat.after.ordinals;
        assert!(
            given(seat.before.ordinals),
            "S32: the ordinals of {} in {} change",
            seat.workload,
            seat.cluster
        );
        workloads.insert(seat.workload);
        stopped += u64::from(workload.finished.is_some() && seat.after.target < seat.before.target);
    }
    workloads.into_iter().for_each(|uid| check_ordinals(records, uid));
    stopped
}

fn check_kind(workload: &WorkloadRecord, seat: &SeatChange) {
    let (id, kind) = (&workload.spec.id, workload.spec.kind());
    let (before, after) = (seat.before.target, seat.after.target);
    assert!(
        workload.finished.is_none() || after <= before,
        "S33: {id} has ended, and {} is told to run it: {after} after {before}",
        seat.cluster
    );
    assert!(!kind.everywhere() || (after, seat.after.placed) == (0, 0), "S33: {id} is counted");
    assert!(!kind.single() || after <= 1, "S33: {id} is told to run {after} times in {}", seat.cluster);
}

fn check_ordinals(records: &Records, uid: Uid) {
    let mut starts: BTreeMap<u32, &ClusterName> = BTreeMap::new();
    for (name, seat) in seats_of(records, uid) {
        let Some(start) = seat.ordinals else { continue };
        if let Some(other) = starts.insert(start, name) {
            panic!("S32: {other} and {name} have the same ordinals, from {start}");
        }
    }
}
