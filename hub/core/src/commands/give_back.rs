//! Giving back: replicas that were to start elsewhere, and have not, are the plan of the cluster again in which they still
//! run. The end of a drain and the end of a migration do it alike (S14, S21).

use std::collections::BTreeMap;

use godwit_common::{ClusterName, Uid};

use crate::contract::Cause;
use crate::hub::Hub;
use crate::placement::Reason;

/// What of a workload may be given back to one cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Unstarted {
    /// Of what is pending.
    pub(super) pending: u32,
    /// Of what is planned elsewhere and has not started there.
    pub(super) places: BTreeMap<ClusterName, u32>,
}

impl Hub {
    /// What still runs of a workload in a cluster is its plan again, by a command whose entry in the journal this is, as
    /// far as nothing was started in its place anywhere.
    pub(crate) fn give_back_all(&mut self, uid: Uid, name: &ClusterName, entry: u64) {
        let unstarted = self.unstarted_beside(uid, name);
        let reason = Reason::Cluster(name.clone(), Some(entry));
        self.give_back(uid, name, &unstarted, (Cause::Command(entry), reason));
    }

    /// All of a workload that has not started in other clusters than this one.
    fn unstarted_beside(&self, uid: Uid, name: &ClusterName) -> Unstarted {
        let Some(workload) = self.workloads.get(&uid) else { return Unstarted::default() };
        let others = workload.seats.iter().filter(|(other, _)| *other != name);
        let places = others.map(|(other, seat)| (other, seat.seat.placed.saturating_sub(seat.seat.target)));
        let places = places.filter(|(_, unstarted)| *unstarted > 0);
        Unstarted {
            pending: workload.record.pending,
            places: places.map(|(other, unstarted)| (other.clone(), unstarted)).collect(),
        }
    }

    /// What still runs of a workload in a cluster is its plan again, as far as nothing was started in its place; returns
    /// how many replicas that is. Whether the cluster may hold them at all, the planner says.
    pub(super) fn give_back(
        &mut self,
        uid: Uid,
        name: &ClusterName,
        unstarted: &Unstarted,
        (cause, reason): (Cause, Reason),
    ) -> u32 {
        self.moving.insert(uid);
        let Some(workload) = self.workloads.get(&uid) else { return 0 };
        let Some(seat) = workload.seats.get(name) else { return 0 };
        let (placed, record) = (seat.seat.placed, &workload.record);
        let mut left = seat.seat.target.saturating_sub(placed);
        let (wanted, mut pending) = (record.wanted, record.pending);
        let reasons = record.pending_reasons.clone();
        let from_pending = left.min(pending).min(unstarted.pending);
        (left, pending) = (left - from_pending, pending - from_pending);
        let mut returned = from_pending;
        let planned = |(other, most): (&ClusterName, &u32)| {
            let seat = &workload.seats.get(other)?.seat;
            let unstarted = seat.placed.saturating_sub(seat.target).min(*most);
            Some((other.clone(), seat.placed, unstarted))
        };
        let planned: Vec<(ClusterName, u32, u32)> = unstarted.places.iter().filter_map(planned).collect();
        for (other, planned, unstarted) in planned {
            let back = unstarted.min(left);
            if back > 0 {
                self.set_placed(uid, &other, planned - back, cause);
                (left, returned) = (left - back, returned + back);
            }
        }
        if returned > 0 {
            self.set_placed(uid, name, placed + returned, cause);
            self.came_back(uid, name, returned);
            let reasons = if pending > 0 { reasons } else { Vec::new() };
            self.set_pending(uid, wanted, pending, reasons);
            self.dirty.entry(uid).or_insert(reason);
        }
        returned
    }
}
