//! I3, S8: no start takes the pods of an `atMost` workload that exist anywhere above the number wanted. Here what exists is
//! what does: in every member, whatever the hub can see.

use std::collections::BTreeSet;

use godwit_common::policy::Strategy;
use godwit_common::{ClusterName, Uid};
use godwit_hub_core::{Effect, Key, Record, Seat};

use super::{Records, SeatChange, seat_in};
use crate::member::Member;

/// The `atMost` workloads of which a step of a hub starts more.
pub(super) fn started(records: &Records, seats: &[SeatChange]) -> BTreeSet<Uid> {
    // What a cluster brings along that is let in was not started.
    let found = |seat: &&SeatChange| seat.before == Seat::default() && seat.after.cause.is_none();
    let raised = seats.iter().filter(|seat| seat.after.target > seat.before.target && !found(seat));
    raised.map(|seat| seat.workload).filter(|uid| is_bounded(records, *uid)).collect()
}

/// Those that were `atMost` before a step that writes a seat of theirs.
pub(super) fn bounded(records: &Records, effects: &[Effect]) -> BTreeSet<Uid> {
    let seats = effects.iter().filter_map(|effect| match effect {
        Effect::Put(Record::Seat { workload, .. }) => Some(*workload),
        Effect::Put(_) | Effect::Delete(_) => None,
        Effect::Send { .. } | Effect::Close { .. } | Effect::Answer { .. } => None,
    });
    seats.filter(|uid| is_bounded(records, *uid)).collect()
}

/// After a step in which the hub started more of a workload.
pub(super) fn check(records: &Records, members: &[Member], forgotten: &BTreeSet<ClusterName>, uid: Uid) {
    let Some(Record::Workload(workload)) = records.get(&Key::Workload(uid)) else { return };
    let id = &workload.spec.id;
    let mut exist = Vec::new();
    for member in members.iter().filter(|member| !forgotten.contains(&member.name)) {
        let told = seat_in(records, uid, &member.name).map_or(0, |seat| seat.target);
        let Some(most) = member.may_exist(id, uid, told) else { return };
        exist.push((member.name.as_str(), most));
    }
    let sum: u32 = exist.iter().map(|(_, most)| most).sum();
    assert!(
        sum <= workload.wanted,
        "I3: {} of {id} are wanted, and these may exist: {exist:?}",
        workload.wanted
    );
}

/// Who is forgotten as he is, and who comes back.
pub(super) fn forget(forgotten: &mut BTreeSet<ClusterName>, effects: &[Effect]) {
    for effect in effects {
        match effect {
            Effect::Put(Record::Journal(entry))
                if &*entry.reason == "ClusterRetired" && entry.message.contains("forgotten as it is") =>
            {
                forgotten.extend(entry.subject.parse::<ClusterName>());
            }
            Effect::Put(Record::Cluster(cluster)) => {
                forgotten.remove(&cluster.name);
            }
            Effect::Put(_) | Effect::Delete(_) => {}
            Effect::Send { .. } | Effect::Close { .. } | Effect::Answer { .. } => {}
        }
    }
}

fn is_bounded(records: &Records, uid: Uid) -> bool {
    let Some(Record::Workload(workload)) = records.get(&Key::Workload(uid)) else { return false };
    let Some(Record::Policy(policy)) = records.get(&Key::Policy(workload.policy.clone())) else {
        return false;
    };
    let placement = &policy.placement;
    placement.motion.is_at_most() && placement.strategy != Strategy::Duplicate
}
