//! Moves in good order: how many replicas may run meanwhile beyond those that are wanted, and how long replacements must
//! have been ready before what they replace stops (S20). The mover asks here.

use godwit_common::policy::most;
use godwit_common::{ClusterName, Uid};

use crate::contract::DrainState;
use crate::hub::{Hub, Timer};
use crate::state::{Cluster, SeatState, Workload};

impl Hub {
    /// Whether copies in a cluster that are beyond its plan leave in good order: a drain wants it, or another move that was
    /// planned. Not so what a loss left behind (S12), and what is wanted no longer.
    pub(crate) fn leaves_in_order(&self, name: &ClusterName, seat: &SeatState) -> bool {
        self.drain_of(name).is_some() || seat.seat.cause.is_some_and(|cause| self.is_planned(cause))
    }

    /// How many more replicas of a workload may start while copies of it leave in good order; none if none do, or only
    /// from clusters that are lost: then it is a loss (S22). All causes share one budget.
    pub(crate) fn surge_left(&self, workload: &Workload) -> Option<u32> {
        let wanted = workload.record.wanted;
        let policy = self.policies.get(&workload.record.policy)?;
        let own = policy.policy.placement.motion.max_surge;
        let mut surge = None;
        for name in &workload.above {
            let Some(cluster) = self.clusters.get(name).filter(|cluster| !self.lost_to(workload, cluster))
            else {
                continue;
            };
            let at_most = match &cluster.record.drain {
                Some(drain) if drain.state == DrainState::Running => {
                    most(wanted, drain.max_surge.unwrap_or(own))
                }
                // What waits leaves room for nothing beyond what is wanted (S21).
                Some(_) => wanted,
                None if workload.seats.get(name).is_some_and(|seat| self.leaves_in_order(name, seat)) => {
                    most(wanted, own)
                }
                None => continue,
            };
            surge = Some(at_most.max(surge.unwrap_or(0)));
        }
        Some(surge?.saturating_sub(self.told(workload)))
    }

    /// What clusters that are not lost were told to run of a workload.
    fn told(&self, workload: &Workload) -> u32 {
        let lost = |name: &&ClusterName| {
            self.clusters.get(*name).is_some_and(|cluster| self.lost_to(workload, cluster))
        };
        let lost = self.lost.iter().filter(lost).filter_map(|name| workload.seats.get(name));
        workload.sums.told_but(lost.map(|seat| u64::from(seat.seat.target)).sum())
    }

    /// Whether the policy of a workload counts a cluster as lost.
    pub(crate) fn lost_to(&self, workload: &Workload, cluster: &Cluster) -> bool {
        let policy = self.policies.get(&workload.record.policy);
        policy.is_some_and(|policy| cluster.lost_for(policy.policy.lost_after))
    }

    /// What a target could go down to is found out anew.
    pub(crate) fn forget_could_shrink(&mut self, uid: Uid, name: &ClusterName) {
        if let Some(seat) = self.workloads.get_mut(&uid).and_then(|workload| workload.seats.get_mut(name)) {
            seat.could_shrink = None;
        }
    }

    /// To what the target of copies that are moved in good order may go, where `least` is what the shrink rule allows now:
    /// it must have allowed as little for a while (S20).
    pub(crate) fn steadily(&mut self, uid: Uid, name: &ClusterName, least: u32) -> u32 {
        let (now, min_ready) = (self.now.time, self.config.min_ready);
        let Some(seat) = self.workloads.get_mut(&uid).and_then(|workload| workload.seats.get_mut(name))
        else {
            return least;
        };
        let target = seat.seat.target;
        let (since, level) = seat.could_shrink.unwrap_or((now, target));
        let level = level.max(least);
        let reached = if now.since(since) >= min_ready { level.min(target) } else { target };
        // What was used up, or was not allowed all along, begins anew.
        let next = if reached < target || level >= target { (now, least) } else { (since, level) };
        seat.could_shrink = (next.1 < reached).then_some(next);
        if next.1 < reached {
            self.wake_at(next.0 + min_ready, Timer::Shrink(uid));
        }
        reached
    }
}
