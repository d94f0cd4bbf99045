//! I4, S20: no step takes ready replicas below what is wanted, less what the policy allows; and no step lowers anything
//! in a cluster that the hub cannot see (S5, S11).

use std::collections::{BTreeMap, BTreeSet};

use godwit_common::policy::Strategy;
use godwit_common::{ClusterName, Uid};
use godwit_hub_core::{Key, Policy, Record, WorkloadRecord};

use super::lease::Ended;
use super::witness::Witness;
use super::{Records, SeatChange, is_dead, seats_of};

/// Below how many ready replicas no step may go.
pub(crate) fn needed(workload: &WorkloadRecord, policy: Option<&Policy>) -> u32 {
    let unavailable = policy.map_or(0, |policy| match workload.spec.moves_at_once(&policy.placement) {
        true => u32::MAX,
        false => policy.placement.motion.max_unavailable,
    });
    workload.wanted.saturating_sub(lacking(workload, policy)).saturating_sub(unavailable)
}

/// Of the pending replicas, those that nobody stands in for: what one cluster lacks of the full number, no other makes up
/// for; what was given up for a higher priority is missing until it has found another place; what a quota withholds is
/// not to run (S16).
pub(crate) fn lacking(workload: &WorkloadRecord, policy: Option<&Policy>) -> u32 {
    let whole = policy.is_some_and(|policy| workload.spec.is_whole(&policy.placement));
    let alone = match whole {
        // What is whole in one cluster grows there or not at all (S32).
        true => workload.pending < workload.wanted,
        false => policy.is_some_and(|policy| policy.placement.strategy == Strategy::Duplicate),
    };
    if alone {
        return workload.pending;
    }
    let given: u32 = workload.yielded.values().map(|given| given.replicas).sum();
    (given + workload.withheld).min(workload.pending)
}

/// After a step of a hub.
pub(super) fn check(records: &Records, witness: &Witness, ended: &Ended, seats: &[SeatChange]) {
    let lowered: Vec<&SeatChange> =
        seats.iter().filter(|seat| seat.after.target < seat.before.target).collect();
    // What is said to be dead, or has ended by itself, runs nothing that could be missed (S9).
    let gone = |seat: &SeatChange| {
        is_dead(records, &seat.cluster) || ended.contains(&(seat.workload, seat.cluster.clone()))
    };
    for seat in &lowered {
        assert!(
            witness.reports(&seat.cluster).is_some() || gone(seat),
            "S20: {} was lowered from {} to {} in {}, which the hub cannot see",
            seat.workload,
            seat.before.target,
            seat.after.target,
            seat.cluster
        );
    }
    let workloads: BTreeSet<Uid> = lowered.iter().map(|seat| seat.workload).collect();
    let mut changes: BTreeMap<Uid, BTreeMap<&ClusterName, &SeatChange>> = BTreeMap::new();
    for change in seats.iter().filter(|change| workloads.contains(&change.workload)) {
        changes.entry(change.workload).or_default().entry(&change.cluster).or_insert(change);
    }
    for (uid, changes) in changes {
        check_workload(records, witness, uid, &changes);
    }
}

fn check_workload(
    records: &Records,
    witness: &Witness,
    uid: Uid,
    changes: &BTreeMap<&ClusterName, &SeatChange>,
) {
    let Some(Record::Workload(workload)) = records.get(&Key::Workload(uid)) else {
        return;
    };
    let policy = records.get(&Key::Policy(workload.policy.clone()));
    let policy = if let Some(Record::Policy(policy)) = policy { Some(policy) } else { None };
    // Where a drain is forced, what has no place elsewhere is done without.
    let forced = |seat: &SeatChange| {
        let cluster = records.get(&Key::Cluster(seat.cluster.clone()));
        let drain = if let Some(Record::Cluster(cluster)) = cluster { cluster.drain.as_ref() } else { None };
        seat.after.target < seat.before.target && drain.is_some_and(|drain| drain.force)
    };
    let forced = changes.values().any(|seat| forced(seat));
    let forgone = if forced { workload.pending - lacking(workload, policy) } else { 0 };
    let needed = needed(workload, policy).saturating_sub(forgone);
    let (mut before, mut after) = (0, 0);
    for (cluster, seat) in seats_of(records, uid) {
        let Some(told) = witness.reports(cluster) else { continue };
        let change = changes.get(cluster);
        let target_before = change.map_or(seat.target, |change| change.before.target);
        // A copy that was told to stop counts no longer, gone or not.
        before += told.ready(uid).min(target_before);
        after += told.ready(uid).min(seat.target);
    }
    assert!(
        after >= before.min(needed),
        "I4: {} had {before} ready, {needed} are needed, and a step leaves {after}",
        workload.spec.id
    );
}
