//! I2, S27, S28: nothing is removed without a tombstone, nothing takes the place of a life that has not left, and no
//! target becomes zero without a cause.

use std::collections::BTreeSet;

use godwit_common::{ClusterName, Uid};

use super::SeatChange;
use crate::member::{Deed, Member};

/// After a deed in a member. True if it removed something, as it may.
pub(super) fn check(cluster: &ClusterName, deed: &Deed, ended: &BTreeSet<Uid>) -> bool {
    match deed {
        Deed::Fence { .. } => false,
        Deed::Deleted { key, stamp } => {
            let Some(stamp) = stamp else {
                panic!("I2: {key} in {cluster} was deleted, and is not even ours");
            };
            assert!(
                ended.contains(&stamp.uid),
                "I2: {key} in {cluster} was deleted; no tombstone names its life {}",
                stamp.uid
            );
            true
        }
        Deed::Applied { key, before, after } => {
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

/// When an agent says that lives are gone: they are, with their pods.
pub(super) fn check_removed(member: &Member, removed: &[Uid]) {
    for object in member.objects.values() {
        let Some(stamp) = object.seen.stamp.filter(|stamp| removed.contains(&stamp.uid)) else {
            continue;
        };
        let (key, cluster) = (&object.seen.key, &member.name);
        panic!("S28: {key} of {} is said to be gone from {cluster}, and is not", stamp.uid);
    }
}

/// After a step of a hub.
pub(super) fn check_zeros(seats: &[SeatChange]) {
    for seat in seats {
        assert!(
            seat.after.target > 0 || seat.before.target == 0 || seat.after.cause.is_some(),
            "S27: {} in {} went from {} to zero without a cause",
            seat.workload,
            seat.cluster,
            seat.before.target
        );
    }
}
