//! Ordinals: a StatefulSet that is divided has other ones in each cluster, so that no two of its replicas have one name, and
//! none takes another's for its own (S32). A cluster is given the beginning of its range once, and keeps it: its replicas
//! keep their names, and find their volumes again. A StatefulSet grows at the end, and ends before the next range begins.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use godwit_common::{ClusterName, Uid};

use crate::commands::refused;
use crate::contract::{Policy, Refused, RefusedKind, WorkloadSpec};
use crate::hub::Hub;

/// From the beginning of one cluster's range to that of the next, and so the most replicas of a StatefulSet that is divided:
/// whatever moves, all of them have names in any one range.
const STRIDE: u32 = 10_000;

impl Hub {
    /// Gives a range to each cluster that is to run a part of a workload and has none. Where it ran whole before, its
    /// replicas keep the names that they have.
    pub(crate) fn give_ordinals(&mut self, uid: Uid) {
        let Some(workload) = self.workloads.get(&uid).filter(|one| one.record.spec.kind().ordered()) else {
            return;
        };
        if self.stays_whole(&workload.record) {
            return;
        }
        let seats = workload.seats.iter().map(|(name, state)| (name, &state.seat));
        let without =
            seats.clone().filter(|(_, seat)| seat.ordinals.is_none() && seat.placed.max(seat.target) > 0);
        let mut without: Vec<_> =
            without.map(|(name, seat)| (seat.placed == 0, Reverse(seat.target), name.clone())).collect();
        without.sort();
        let mut taken: BTreeSet<u32> = seats.filter_map(|(_, seat)| seat.ordinals).collect();
        for (_, _, name) in without {
            let free =
                (0_u32..).map(|range| range.saturating_mul(STRIDE)).find(|start| !taken.contains(start));
            let Some(start) = free else { return };
            taken.insert(start);
            self.set_ordinals(uid, &name, start);
        }
    }

    pub(crate) fn set_ordinals(&mut self, uid: Uid, name: &ClusterName, start: u32) {
        self.tell(uid, name, |state, _| state.seat.ordinals = Some(start));
    }

    /// Refuses more replicas than have names in a range.
    pub(crate) fn check_ordinals(spec: &WorkloadSpec, replicas: u32, policy: &Policy) -> Result<(), Refused> {
        if !spec.kind().ordered() || spec.is_whole(&policy.placement) || replicas <= STRIDE {
            return Ok(());
        }
        let message = format!(
            "{}: spec.replicas: {replicas} is too many for policy {}, which says divide: true: the ordinals of one \
             cluster end where those of another begin; at most {STRIDE}, or several StatefulSets",
            spec.id, policy.name
        );
        Err(refused(RefusedKind::FailedPrecondition, message))
    }
}
