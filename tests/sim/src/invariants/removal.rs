//! I2, S27, S28: nothing is removed without a tombstone, nothing takes the place of a life that has not left, and no
//! target becomes zero without a cause.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use godwit_common::{ClusterName, Uid};
use godwit_hub_core::{Key, Record, Seat};

use super::{Records, SeatChange};
use crate::member::{Deed, Member};

/// Over which time the guard counts, in milliseconds; a little less, for the hub's clock is another one.
const WINDOW: u64 = 595_000;
/// How many of a cluster's workloads may go, in percent.
const PERCENT: usize = 30;

/// After a deed in a member. True if it removed something, as it may.
pub(super) fn check(cluster: &ClusterName, deed: &Deed, ended: &BTreeSet<(Uid, ClusterName)>) -> bool {
    match deed {
        Deed::Fence { .. } => false,
        Deed::Deleted { key, stamp } => {
            let Some(stamp) = stamp else {
                panic!("I2: {key} in {cluster} was deleted, and is not even ours");
            };
            assert!(
                ended.contains(&(stamp.uid, cluster.clone())),
                "I2: {key} in {cluster} was deleted; no tombstone there names its life {}",
                stamp.uid
            );
            true
        }
        Deed::Applied { key, before, after, .. } => {
            if let Some(before) = before {
                assert!(
                    before.uid == after.uid,
                    "S28: {key} in {cluster} of life {} was overwritten by {}",
                    before.uid,
                    after.uid
                );
            }
            false
        }
    }
}

/// An object whose life has ended was removed once, or was not there before: what is there of it now has come late, and
/// its tombstone still stands (S28).
pub(super) fn comes_late(
    cluster: &ClusterName,
    deed: &Deed,
    ended: &BTreeSet<(Uid, ClusterName)>,
) -> Option<Uid> {
    match deed {
        Deed::Deleted { stamp, .. } => stamp.map(|stamp| stamp.uid),
        Deed::Applied { before: None, after, .. } => {
            ended.contains(&(after.uid, cluster.clone())).then_some(after.uid)
        }
        Deed::Applied { .. } | Deed::Fence { .. } => None,
    }
}

/// When an agent says that lives are gone: they are, but for what has come back late.
pub(super) fn check_removed(member: &Member, removed: &[Uid], late: &BTreeSet<(ClusterName, Uid)>) {
    for object in member.objects.values() {
        let Some(stamp) = object.seen.stamp.filter(|stamp| removed.contains(&stamp.uid)) else {
            continue;
        };
        if late.contains(&(member.name.clone(), stamp.uid)) {
            continue;
        }
        let (key, cluster) = (&object.seen.key, &member.name);
        panic!("S28: {key} of {} is said to be gone from {cluster}, and is not", stamp.uid);
    }
}

/// Targets that one life of a hub took to zero without a cause, by cluster, and when.
pub(super) type Zeros = BTreeMap<ClusterName, VecDeque<u64>>;

/// After a step of a hub. Whatever it raises has a cause. What it has found may lack one, where another history had left it
/// behind or a cluster was let in with it; then the guard counts.
pub(super) fn check_zeros(
    records: &Records,
    seats: &[SeatChange],
    forked: bool,
    zeros: &mut Zeros,
    now: u64,
) {
    for seat in seats {
        if seat.after.cause.is_some() {
            continue;
        }
        let (workload, cluster, before) = (seat.workload, &seat.cluster, &seat.before);
        let found = *before == Seat::default();
        let raised = seat.after.target > before.target && !found;
        assert!(
            forked || !raised,
            "S27: {workload} in {cluster} was raised from {} without a cause",
            before.target
        );
        let ended = records.get(&Key::Workload(workload));
        let ended = matches!(ended, Some(Record::Workload(workload)) if workload.finished.is_some());
        if seat.after.target > 0 || before.target == 0 || ended {
            continue;
        }
        let zeros = zeros.entry(cluster.clone()).or_default();
        zeros.push_back(now);
        while zeros.front().is_some_and(|at| at + WINDOW < now) {
            zeros.pop_front();
        }
        let held = records.keys().filter(|key| matches!(key, Key::Seat(_, name) if name == cluster));
        let most = (held.count() * PERCENT / 100).max(1);
        let count = zeros.len();
        assert!(
            count <= most,
            "S27: {count} workloads went to zero in {cluster} without a cause, and {most} may"
        );
    }
}
