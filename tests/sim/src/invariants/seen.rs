//! How often something was seen: so that a run can tell whether it has shown anything.

use godwit_hub_core::{Effect, MigrationCause, MigrationState, Record};

use super::{Records, SeatChange};

/// How often something was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Steps of hubs.
    pub steps: u64,
    /// Loss decisions.
    pub losses: u64,
    /// Targets that were lowered for a workload that lives on.
    pub shrinks: u64,
    /// Objects removed by tombstones.
    pub removals: u64,
    /// Freezes.
    pub freezes: u64,
    /// Targets that were raised, and checked against the room.
    pub starts: u64,
    /// Starts of hubs.
    pub restarts: u64,
    /// Migrations for a cluster's labels or taints.
    pub relabels: u64,
    /// Those of what a quota let be placed.
    pub quotas: u64,
    /// Those of what gave way to a higher priority.
    pub preemptions: u64,
    /// Those of what follows another workload, or keeps away from it.
    pub followers: u64,
    /// Those of what a drain moves.
    pub drains: u64,
    /// Those of clusters whose copies stay when they return.
    pub returns: u64,
    /// Those of what goes back.
    pub fail_backs: u64,
    /// Those of what may run only once, and was known to be gone (S9).
    pub fenced: u64,
    /// Steps that started more of what may run only once.
    pub bounded_starts: u64,
    /// Processes that supervisors have started.
    pub processes: u64,
    /// What counted as gone in a cluster because its lease had run out.
    pub ended: u64,
    /// Clusters that began to flap.
    pub flaps: u64,
    /// Those of what a cluster could not schedule.
    pub unschedulable: u64,
    /// Those of what did not get ready.
    pub unready: u64,
    /// Clusters that were told another revision while copies ran there.
    pub turns: u64,
    /// Rollouts that failed.
    pub failures: u64,
    /// Migrations that were paused, resumed and cancelled.
    pub pauses: u64,
    /// See `pauses`.
    pub resumptions: u64,
    /// See `pauses`.
    pub cancellations: u64,
    /// Lost clusters whose return is awaited by an operator's word.
    pub awaited: u64,
    /// Clusters that were retired.
    pub retired: u64,
    /// Clusters that were built anew, and let in.
    pub rebuilt: u64,
    /// The most that was announced to stop at once.
    pub announced: u64,
    /// Targets that were lowered because a gate let them.
    pub gated: u64,
    /// Jobs that ended, and were stopped everywhere.
    pub jobs: u64,
    /// Commands, each of which a rehearsal foresaw.
    pub commands: u64,
    /// Workloads that were imported.
    pub imports: u64,
    /// Objects that were nobody's, and are Godwit's.
    pub taken: u64,
    /// Deeds of agents that know no overrides.
    pub older: u64,
    /// Clusters of which an agent that does has led for the first time, while there are others.
    pub upgrades: u64,
}

impl Seen {
    /// Adds what another world has seen.
    pub fn add(&mut self, other: Seen) {
        self.steps += other.steps;
        self.losses += other.losses;
        self.shrinks += other.shrinks;
        self.removals += other.removals;
        self.freezes += other.freezes;
        self.starts += other.starts;
        self.restarts += other.restarts;
        self.relabels += other.relabels;
        self.quotas += other.quotas;
        self.preemptions += other.preemptions;
        self.followers += other.followers;
        self.fenced += other.fenced;
        self.bounded_starts += other.bounded_starts;
        self.processes += other.processes;
        self.ended += other.ended;
        self.drains += other.drains;
        self.returns += other.returns;
        self.fail_backs += other.fail_backs;
        self.flaps += other.flaps;
        self.unschedulable += other.unschedulable;
        self.unready += other.unready;
        self.turns += other.turns;
        self.failures += other.failures;
        self.pauses += other.pauses;
        self.resumptions += other.resumptions;
        self.cancellations += other.cancellations;
        self.awaited += other.awaited;
        self.retired += other.retired;
        self.rebuilt += other.rebuilt;
        self.announced = self.announced.max(other.announced);
        self.gated += other.gated;
        self.jobs += other.jobs;
        self.commands += other.commands;
        self.imports += other.imports;
        self.taken += other.taken;
        self.older += other.older;
        self.upgrades += other.upgrades;
    }

    pub(super) fn migrated(&mut self, cause: &MigrationCause) {
        match cause {
            MigrationCause::ClusterLost(_) => self.losses += 1,
            MigrationCause::ClusterChanged(_) => self.relabels += 1,
            MigrationCause::Drained(_) => self.drains += 1,
            MigrationCause::Returned(_) => self.returns += 1,
            MigrationCause::FailedBack(_) => self.fail_backs += 1,
            MigrationCause::QuotaFreed(_) => self.quotas += 1,
            MigrationCause::Preempted(_) => self.preemptions += 1,
            MigrationCause::Affinity(_) => self.followers += 1,
            MigrationCause::Unschedulable(_) => self.unschedulable += 1,
            MigrationCause::Unready(_) => self.unready += 1,
            MigrationCause::Fenced(_) => self.fenced += 1,
            MigrationCause::RoomAppeared(_) | MigrationCause::PolicyChanged(_) => {}
            MigrationCause::Rebalance(_) | MigrationCause::ClusterDeleted(_) => {}
        }
    }

    /// What became of migrations by an operator's word.
    pub(super) fn ordered(&mut self, records: &Records, effects: &[Effect]) {
        for effect in effects {
            let Effect::Put(record) = effect else { continue };
            match (records.get(&record.key()), record) {
                (Some(Record::Migration(before)), Record::Migration(after)) => {
                    match (before.state, after.state) {
                        (MigrationState::Running, MigrationState::Paused) => self.pauses += 1,
                        (MigrationState::Paused, MigrationState::Running) => self.resumptions += 1,
                        (before, MigrationState::Cancelled) if !before.ended() => self.cancellations += 1,
                        (_, _) => {}
                    }
                }
                (Some(Record::Cluster(before)), Record::Cluster(after)) => {
                    self.awaited += u64::from(before.awaited.is_none() && after.awaited.is_some());
                }
                (_, _) => {}
            }
        }
    }

    pub(super) fn count(&mut self, effects: &[Effect], seats: &[SeatChange]) {
        for effect in effects {
            match effect {
                Effect::Put(Record::Federation(federation)) if federation.freeze.is_some() => {
                    self.freezes += 1
                }
                Effect::Put(Record::Journal(entry)) => match &*entry.reason {
                    "ClusterFlapping" => self.flaps += 1,
                    "RolloutFailed" => self.failures += 1,
                    "ClusterReplaced" => self.rebuilt += 1,
                    _ => {}
                },
                Effect::Put(Record::Retired(_)) => self.retired += 1,
                Effect::Put(_) | Effect::Delete(_) => {}
                Effect::Send { .. } | Effect::Close { .. } | Effect::Answer { .. } => {}
            }
        }
        let (lowered, raised): (Vec<_>, Vec<_>) = seats
            .iter()
            .filter(|seat| seat.before.target != seat.after.target)
            .partition(|seat| seat.after.target < seat.before.target);
        self.shrinks += lowered.len() as u64;
        self.starts += raised.len() as u64;
    }
}
