//! S20: under a traffic gate no planned step stops ready copies that were not announced to stop, or before the gate lets
//! them; and what is announced leaves enough to send traffic to.

use std::collections::BTreeMap;

use godwit_common::policy::TrafficGate;
use godwit_common::{ClusterName, Time, Uid};
use godwit_hub_core::{
    Answer, Cause, Command, Effect, Event, Hub, Key, MigrationCause, PlacementView, Policy, Record,
    WithdrawalId, WorkloadRecord, WorkloadView,
};

use super::shrink::{lacking, needed};
use super::witness::Witness;
use super::{Records, SeatChange};
use crate::hub_process::Step;

/// What one life of a hub has announced, as it showed it.
#[derive(Debug, Default)]
pub(super) struct Announced(BTreeMap<(Uid, ClusterName), Announcement>);

#[derive(Debug)]
struct Announcement {
    id: WithdrawalId,
    stays: u32,
    since: Time,
    acknowledged: bool,
}

impl Announced {
    /// How many are in force.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// After a step of a hub, by what was announced before it. Returns how many targets passed a gate.
    pub(super) fn check(
        &mut self,
        records: &Records,
        witness: &Witness,
        seats: &[SeatChange],
        step: &Step<'_>,
    ) -> u64 {
        self.acknowledge(step);
        let lowered = seats.iter().filter(|seat| seat.after.target < seat.before.target);
        lowered.filter(|seat| self.has_passed(records, witness, seat, step)).count() as u64
    }

    /// What the hub shows after a step of the workloads that it changed.
    pub(super) fn follow(&mut self, core: &Hub, records: &Records, changed: &[Uid], step: &Step<'_>) {
        for uid in changed {
            // Most have nothing announced: for those nobody looks at all that is shown.
            let shown = core.withdrawals(*uid);
            let shown: BTreeMap<&ClusterName, (WithdrawalId, u32)> =
                shown.iter().map(|(name, withdrawal)| (name, (withdrawal.id, withdrawal.stays))).collect();
            let over = |(cluster, known): (&ClusterName, &Announcement)| {
                let same = shown.get(cluster).is_some_and(|(id, _)| *id == known.id);
                (!same).then(|| (*uid, cluster.clone()))
            };
            let over: Vec<(Uid, ClusterName)> = self.of(*uid).filter_map(over).collect();
            for key in &over {
                self.0.remove(key);
            }
            for (cluster, (id, stays)) in &shown {
                let since = step.now.time;
                let new = || Announcement { id: *id, stays: *stays, since, acknowledged: false };
                let known = self.0.entry((*uid, (*cluster).clone())).or_insert_with(new);
                assert!(*stays >= known.stays, "S20: {id} takes more away than it announced");
                known.stays = *stays;
            }
            if !shown.is_empty()
                && let Some(view) = core.workload(*uid)
            {
                let rows = view.placements.iter().filter(|row| row.withdrawal.is_some());
                assert!(!view.deleting && rows.count() == shown.len(), "S20: {uid} is shown in two ways");
                check_enough(records, &view);
            }
        }
    }

    /// Those of a workload.
    fn of(&self, uid: Uid) -> impl Iterator<Item = (&ClusterName, &Announcement)> {
        let from = (uid, "0".parse().expect("a valid name, below or equal to every other"));
        let own = self.0.range(from..).take_while(move |((life, _), _)| *life == uid);
        own.map(|((_, cluster), known)| (cluster, known))
    }

    fn acknowledge(&mut self, step: &Step<'_>) {
        let Some(Event::Command { command: Command::Acknowledge { .. }, .. }) = step.event else { return };
        for effect in step.effects {
            let Effect::Answer { answer: Ok(Answer::Acknowledged { withdrawal, .. }), .. } = effect else {
                continue;
            };
            for known in self.0.values_mut().filter(|known| known.id == *withdrawal) {
                known.acknowledged = true;
            }
        }
    }

    /// Whether a gate let this step pass; false if there is none for it.
    fn has_passed(&self, records: &Records, witness: &Witness, seat: &SeatChange, step: &Step<'_>) -> bool {
        let Some((_, policy)) = terms(records, seat.workload) else { return false };
        let gate = policy.map_or(TrafficGate::None, |policy| policy.placement.motion.traffic_gate);
        let told = witness.reports(&seat.cluster);
        let ready = told.map_or(0, |told| told.ready(seat.workload)).min(seat.before.target);
        if gate == TrafficGate::None || seat.after.target >= ready || is_urgent(records, seat) {
            return false;
        }
        let (uid, cluster) = (seat.workload, &seat.cluster);
        let Some(known) = self.0.get(&(uid, cluster.clone())) else {
            panic!(
                "S20: {uid} was lowered from {} to {} in {cluster}, where {ready} are ready, and nobody was told",
                seat.before.target, seat.after.target
            );
        };
        assert!(
            known.stays <= seat.after.target,
            "S20: {uid} was lowered to {} in {cluster}, and {} were announced to stay",
            seat.after.target,
            known.stays
        );
        let waited = step.now.time.since(known.since);
        assert!(
            known.acknowledged || gate.delay().is_some_and(|delay| waited >= delay),
            "S20: {uid} was lowered to {} in {cluster} {waited:?} after it was announced, and nobody has said that it may",
            seat.after.target
        );
        true
    }
}

/// What a loss left over, and what gives way to a higher priority, waits for nobody.
fn is_urgent(records: &Records, seat: &SeatChange) -> bool {
    let Some(Cause::Migration(id)) = seat.after.cause else { return false };
    let Some(Record::Migration(migration)) = records.get(&Key::Migration(id)) else { return false };
    matches!(migration.cause, MigrationCause::ClusterLost(_) | MigrationCause::Preempted(_))
}

/// As many as are needed may be sent traffic, as far as they are there at all.
fn check_enough(records: &Records, view: &WorkloadView) {
    let Some((workload, policy)) = terms(records, view.uid) else { return };
    // What a loss left over stops there without an announcement.
    let leaves = |row: &&PlacementView| row.withdrawal.is_some() || row.sent < row.ready;
    let forced = view.placements.iter().filter(leaves).any(|row| {
        let cluster = records.get(&Key::Cluster(row.cluster.clone()));
        let drain = if let Some(Record::Cluster(cluster)) = cluster { cluster.drain.as_ref() } else { None };
        drain.is_some_and(|drain| drain.force)
    });
    let forgone = if forced { workload.pending - lacking(workload, policy) } else { 0 };
    let needed = needed(workload, policy).saturating_sub(forgone);
    let serving: u32 = view.placements.iter().map(|row| row.serving).sum();
    assert!(
        serving >= view.ready.min(needed),
        "S20: {} has {} ready and needs {needed}, and only {serving} may be sent traffic: {:?}",
        view.id,
        view.ready,
        view.placements
    );
}

fn terms(records: &Records, uid: Uid) -> Option<(&WorkloadRecord, Option<&Policy>)> {
    let Some(Record::Workload(workload)) = records.get(&Key::Workload(uid)) else { return None };
    let policy = match records.get(&Key::Policy(workload.policy.clone())) {
        Some(Record::Policy(policy)) => Some(policy),
        Some(_) | None => None,
    };
    Some((workload, policy))
}
