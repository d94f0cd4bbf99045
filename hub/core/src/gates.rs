//! The traffic gate: ready copies that are to stop are announced first, and stop once whoever routes traffic could see it,
//! or has said that none goes there any more (S20). The mover asks here last, after everything else allows a step.
//!
//! Announcements are not durable: a hub that starts announces anew, under marks that were never used.

use std::collections::BTreeMap;

use godwit_common::policy::TrafficGate;
use godwit_common::{ClusterName, Time, Uid, WallTime, WorkloadId};

use crate::commands::{no_cluster, no_workload, refused};
use crate::contract::{
    Action, Answer, Cause, MigrationCause, Refused, RefusedKind, Severity, Subject, WithdrawalId,
    WithdrawalView,
};
use crate::hub::{Hub, Timer};
use crate::state::{SeatState, Workload};

/// Ready copies that are about to stop: nobody is to be sent to them any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Withdrawal {
    pub(crate) id: WithdrawalId,
    /// So many stay.
    stays: u32,
    since: Time,
    announced: WallTime,
    acknowledged: bool,
}

impl Withdrawal {
    fn has_passed(&self, gate: TrafficGate, now: Time) -> bool {
        let in_time = gate.delay().is_some_and(|delay| now.since(self.since) >= delay);
        self.acknowledged || in_time
    }
}

impl Workload {
    /// The ready copies in a cluster that are neither told nor announced to stop.
    pub(crate) fn serving(&self, name: &ClusterName, seat: &SeatState) -> u32 {
        let stays = self.withdrawals.get(name).map_or(u32::MAX, |withdrawal| withdrawal.stays);
        seat.staying().min(stays)
    }
}

impl Hub {
    /// To what a target may go now, given the gate. `least` is what the shrink rule allows at this moment, `steady` what
    /// it allowed for long enough.
    ///
    /// One announcement is in force until it has passed, or until nothing of it is to stop any more: however often more
    /// could stop meanwhile, that is announced after it, so that none is put off for ever.
    pub(crate) fn gated(&mut self, uid: Uid, name: &ClusterName, least: u32, steady: u32) -> u32 {
        let gate = self.gate_of(uid, name);
        let (now, number) = (self.now, self.withdrawals);
        let id = WithdrawalId { epoch: self.federation.epoch, number };
        let announced =
            self.workloads.get(&uid).is_some_and(|workload| workload.withdrawals.contains_key(name));
        if gate == TrafficGate::None && !announced {
            return steady;
        }
        let Some(workload) = self.workloads.get_mut(&uid) else { return steady };
        let Some(seat) = workload.seats.get(name) else { return steady };
        // What is not ready serves nobody: it stops without any of this.
        let ready = seat.ready().min(seat.seat.target);
        let known = workload.withdrawals.remove(name);
        // Where fewer suffice than did, more stay; those who route traffic may come back to them.
        let raised = known.map(|known| Withdrawal { stays: known.stays.max(least), ..known });
        let in_force = raised.filter(|raised| gate != TrafficGate::None && raised.stays < ready);
        let (next, target) = match in_force {
            Some(passed) if passed.has_passed(gate, now.time) => (None, passed.stays),
            Some(waiting) => (Some(waiting), steady.max(ready)),
            None if gate == TrafficGate::None || steady >= ready => (None, steady),
            None => {
                let (since, announced) = (now.time, now.wall);
                (Some(Withdrawal { id, stays: steady, since, announced, acknowledged: false }), ready)
            }
        };
        workload.withdrawals.extend(next.map(|next| (name.clone(), next)));
        if next.is_some_and(|next| next.id == id) {
            self.withdrawals += 1;
            if let Some(delay) = gate.delay() {
                self.wake_at(now.time + delay, Timer::Shrink(uid));
            }
        }
        if next != known {
            self.withdrawal_changed(uid, name);
        }
        target
    }

    /// Whatever is announced to stop in a cluster stays for now.
    pub(crate) fn drop_withdrawal(&mut self, uid: Uid, name: &ClusterName) {
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        if workload.withdrawals.remove(name).is_some() {
            self.withdrawal_changed(uid, name);
        }
    }

    /// The same wherever the plan asks for no fewer any more.
    pub(crate) fn drop_needless_withdrawals(&mut self, uid: Uid) {
        let Some(workload) = self.workloads.get(&uid) else { return };
        let needless = workload.withdrawals.keys().filter(|name| !workload.above.contains(*name));
        let needless: Vec<ClusterName> = needless.cloned().collect();
        for name in needless {
            self.drop_withdrawal(uid, &name);
        }
    }

    fn withdrawal_changed(&mut self, uid: Uid, name: &ClusterName) {
        self.touched.subjects.insert(Subject::Workload(uid));
        self.touched.subjects.insert(Subject::Cluster(name.clone()));
    }

    /// The gate that a planned step has to pass. What a loss left over, and what gives way to a higher priority, is not
    /// planned: it must not wait for anybody.
    fn gate_of(&self, uid: Uid, name: &ClusterName) -> TrafficGate {
        let Some(workload) = self.workloads.get(&uid) else { return TrafficGate::None };
        let Some(policy) = self.policies.get(&workload.record.policy) else { return TrafficGate::None };
        let seat = workload.seats.get(name);
        // What the guard holds back does not stop, so there is nothing to announce (S27).
        let unplanned = seat.is_some_and(|seat| seat.held_back || self.is_urgent(seat.seat.cause));
        if unplanned { TrafficGate::None } else { policy.policy.placement.motion.traffic_gate }
    }

    fn is_urgent(&self, cause: Option<Cause>) -> bool {
        let Some(Cause::Migration(id)) = cause else { return false };
        self.migrations.get(&id).is_some_and(|entry| match entry.migration.cause {
            MigrationCause::ClusterLost(_) | MigrationCause::Preempted(_) => true,
            // The replacements are where traffic goes by now.
            MigrationCause::Returned(_)
            | MigrationCause::PolicyChanged(_)
            | MigrationCause::ClusterDeleted(_)
            | MigrationCause::ClusterChanged(_)
            | MigrationCause::Drained(_)
            | MigrationCause::FailedBack(_)
            | MigrationCause::RoomAppeared(_)
            | MigrationCause::QuotaFreed(_)
            | MigrationCause::Fenced(_)
            | MigrationCause::Affinity(_)
            | MigrationCause::Unready(_)
            | MigrationCause::Unschedulable(_)
            | MigrationCause::Rebalance(_) => false,
        })
    }

    /// Whoever routes traffic says that none goes to what is announced to stop. Without an id, whatever is announced now
    /// is meant.
    pub(crate) fn acknowledge(
        &mut self,
        id: &WorkloadId,
        name: &ClusterName,
        withdrawal: Option<WithdrawalId>,
    ) -> Result<Answer, Refused> {
        let uid = self.ids.get(id).copied().ok_or_else(|| no_workload(id))?;
        if !self.clusters.contains_key(name) {
            return Err(no_cluster(name));
        }
        let Some(workload) = self.workloads.get_mut(&uid) else { return Err(no_workload(id)) };
        let before = workload.acknowledged.get(name).copied();
        let again = |id: WithdrawalId| Answer::Acknowledged { action: Action::Unchanged, withdrawal: id };
        let announced = match (workload.withdrawals.get_mut(name), withdrawal) {
            // An answer that was lost is asked for again.
            (_, Some(asked)) if before == Some(asked) => return Ok(again(asked)),
            (None, _) => {
                let message = format!(
                    "no replica of {id} in cluster {name} waits for traffic to be routed away: WatchPlacements says \
                     when one does"
                );
                return Err(refused(RefusedKind::FailedPrecondition, message));
            }
            (Some(announced), Some(asked)) if announced.id != asked => {
                let message = format!(
                    "revision {asked} of {id} in cluster {name} is over: {} is in force, see WatchPlacements",
                    announced.id
                );
                return Err(refused(RefusedKind::FailedPrecondition, message));
            }
            (Some(announced), _) => announced,
        };
        announced.acknowledged = true;
        let announced = announced.id;
        workload.acknowledged.insert(name.clone(), announced);
        self.moving.insert(uid);
        let message = format!("no traffic goes to what stops in cluster {name}");
        self.note_command(Severity::Normal, "S20", "TrafficRoutedAway", id.to_string(), message);
        Ok(Answer::Acknowledged { action: Action::Configured, withdrawal: announced })
    }

    /// What is announced to stop of a workload, by cluster; nothing of one that ends, or is gone.
    pub fn withdrawals(&self, uid: Uid) -> BTreeMap<ClusterName, WithdrawalView> {
        let Some(workload) = self.workloads.get(&uid) else { return BTreeMap::new() };
        let names = workload.withdrawals.keys().filter(|name| workload.seats.contains_key(*name));
        names.filter_map(|name| Some((name.clone(), self.withdrawal(workload, name)?))).collect()
    }

    /// What is announced to stop of a workload in a cluster.
    pub(crate) fn withdrawal(&self, workload: &Workload, name: &ClusterName) -> Option<WithdrawalView> {
        let Withdrawal { id, stays, announced, .. } = *workload.withdrawals.get(name)?;
        let gate = self.gate_of(workload.record.uid, name);
        let until = gate.delay().map(|delay| {
            let delay = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
            WallTime(announced.0.saturating_add(delay))
        });
        Some(WithdrawalView { id, gate, stays, until })
    }
}
