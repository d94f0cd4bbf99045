//! I7: (epoch, generation, term) in a member never goes back, neither in the fence nor on an object.

use godwit_common::Fence;
use godwit_common::link::LeaderTerm;

use godwit_common::ClusterName;

use crate::member::Deed;

/// After a deed in a member.
pub(super) fn check(cluster: &ClusterName, deed: &Deed) {
    match deed {
        Deed::Fence { before, after } => {
            let Some(before) = before else { return };
            rises(cluster, "the fence", (before.fence, before.term), (after.fence, after.term));
            assert!(
                before.fence != after.fence || before.digest == after.digest,
                "S10: the fence of {cluster} holds two contents under {:?}",
                after.fence
            );
        }
        Deed::Applied { key, before, after, .. } => {
            let Some(before) = before.filter(|before| before.uid == after.uid) else {
                return;
            };
            let (before, after) = ((before.fence, before.term), (after.fence, after.term));
            rises(cluster, &key.to_string(), before, after);
        }
        Deed::Deleted { .. } => {}
    }
}

fn rises(cluster: &ClusterName, what: &str, before: (Fence, LeaderTerm), after: (Fence, LeaderTerm)) {
    let authority = |fence: Fence| (fence.epoch, fence.generation);
    let other = before.0.federation != after.0.federation;
    assert!(
        other || authority(before.0) <= authority(after.0),
        "I7: {what} of {cluster} went back from {:?} to {:?}",
        before.0,
        after.0
    );
    assert!(
        before.1.lease != after.1.lease || before.1.transitions <= after.1.transitions,
        "I7: {what} of {cluster} went back from {:?} to {:?}",
        before.1,
        after.1
    );
}
