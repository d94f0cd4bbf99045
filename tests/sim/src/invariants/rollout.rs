//! S31: a cluster that runs copies is told another revision only when it can hear that, and never while as many others as
//! the policy allows are on their way.

use std::collections::BTreeSet;

use godwit_common::Uid;
use godwit_hub_core::{Key, Record};

use super::witness::Witness;
use super::{Records, SeatChange, seats_of};

/// After a step of a hub; says how many clusters were told.
pub(super) fn check(records: &Records, witness: &Witness, seats: &[SeatChange]) -> u64 {
    let begins = |seat: &&SeatChange| seat.after.rolling && !seat.before.rolling;
    let begun: Vec<&SeatChange> = seats.iter().filter(begins).collect();
    for seat in &begun {
        assert!(
            witness.reports(&seat.cluster).is_some(),
            "S31: {} begins with revision {} in {}, which the hub cannot see",
            seat.workload,
            seat.after.revision,
            seat.cluster
        );
    }
    for seat in seats {
        let of = Key::Revision(seat.workload, seat.after.revision);
        assert!(records.contains_key(&of), "S31: {} is told {of:?}, which is not kept", seat.cluster);
    }
    let workloads: BTreeSet<Uid> = begun.iter().map(|seat| seat.workload).collect();
    workloads.into_iter().for_each(|uid| check_workload(records, witness, uid));
    begun.len() as u64
}

fn check_workload(records: &Records, witness: &Witness, uid: Uid) {
    let Some(Record::Workload(workload)) = records.get(&Key::Workload(uid)) else { return };
    let Some(Record::Policy(policy)) = records.get(&Key::Policy(workload.policy.clone())) else { return };
    let rolling = seats_of(records, uid);
    let rolling = rolling.filter(|(name, seat)| seat.rolling && witness.reports(name).is_some()).count();
    let most = policy.placement.rollout.max_clusters_at_once as usize;
    assert!(
        rolling <= most,
        "S31: {} is on its way in {rolling} clusters at once, and {most} are allowed",
        workload.spec.id
    );
}
