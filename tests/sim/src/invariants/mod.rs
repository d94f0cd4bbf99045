//! What must be so after every step, whatever goes wrong. Each file watches one thing; all of them go by what the hub
//! was told and what it wrote and said, never by what it believes.

mod at_most;
mod fence;
mod gates;
mod imports;
mod issuers;
mod kinds;
mod lease;
mod loss;
mod pause;
mod placement;
mod releases;
mod removal;
mod rollout;
mod room;
pub(crate) mod shrink;
mod wire;
mod witness;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use godwit_common::{ClusterName, Digest, Epoch, Generation, Now, Uid, WorkloadId};
use godwit_hub_core::{
    Answer, Command, Config, Effect, Event, Freeze, FreezeCause, Hub, Key, Migration, MigrationCause,
    MigrationState, Record, Refused, Seat,
};

use crate::hub_process::Step;
use crate::member::{Deed, GRACE, Member};
use crate::world::Release;
use gates::Announced;
use lease::{GivenUp, Leases};
use loss::Moment;
use witness::Witness;

/// Records by key, as a hub's machine has them: those of steps that are not durable yet included.
pub type Records = BTreeMap<Key, Record>;

/// Watches over every step of every hub, and every deed in a member.
#[derive(Debug, Default)]
pub struct Checker {
    hubs: BTreeMap<usize, Watched>,
    /// Lives whose end was ever durable, and where.
    ended: BTreeSet<(Uid, ClusterName)>,
    /// Lives that a late write may have brought back.
    late: BTreeSet<(ClusterName, Uid)>,
    /// What was said under each authority.
    said: BTreeMap<(ClusterName, Epoch, Generation), Digest>,
    /// The true time, in milliseconds.
    pub now: u64,
    /// A scenario takes a store away, or lets two hubs speak: a hub may find that it is behind.
    pub histories_may_fork: bool,
    /// What may run only once, and was started since it was last looked at.
    started: BTreeSet<(usize, Uid)>,
    /// What counts as gone since, because its lease has run out.
    fenced: Vec<(usize, (Uid, ClusterName))>,
    /// What was given up for that, and from which generation on its cluster knows.
    given_up: GivenUp,
    /// Clusters that were forgotten as they are, by an operator's word: what runs there is nobody's any more (S23).
    forgotten: BTreeSet<ClusterName>,
    /// What was imported, and may be taken over.
    imports: imports::Imports,
    /// Which clusters had agents that know overrides, and what was different where.
    knowing: releases::Knowing,
    /// After so many milliseconds without a lease everything has ended (S9).
    wait: u64,
    /// What was seen, so that a run can tell whether it has shown anything.
    pub seen: Seen,
}

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

/// What is known of one hub.
#[derive(Debug, Default)]
struct Watched {
    records: Records,
    witness: Witness,
    silence: loss::Silence,
    zeros: removal::Zeros,
    announced: Announced,
    leases: Leases,
}

/// A seat before and after a step.
#[derive(Debug)]
struct SeatChange {
    workload: Uid,
    cluster: ClusterName,
    before: Seat,
    after: Seat,
}

impl Checker {
    /// Over hubs with these settings.
    pub fn new(config: &Config) -> Self {
        let lease = config.gate_lease + config.gate_lease * config.gate_drift_percent / 100;
        let wait = lease + config.gate_margin + Duration::from_millis(GRACE);
        Self { wait: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX), ..Self::default() }
    }

    /// A hub has started from its store.
    pub fn hub_started(&mut self, hub: usize, core: &mut Hub, store: &Records, effects: &[Effect], now: Now) {
        let silence = loss::Silence::since(Moment { truly: self.now, own: now.time });
        let leases = Leases::since(self.now);
        let watched = Watched { records: store.clone(), silence, leases, ..Watched::default() };
        self.seen.restarts += 1;
        lease::restart(&mut self.given_up, store);
        check_epoch(store, effects);
        self.hubs.insert(hub, watched);
        self.hub_stepped(hub, core, &Step { event: None, foreseen: None, effects, now });
    }

    /// Looks at what was started, and must not run twice, in the members themselves.
    pub fn look_at_starts(&mut self, members: &[Member]) {
        for (hub, ended) in std::mem::take(&mut self.fenced) {
            if let Some(watched) = self.hubs.get(&hub).filter(|_| !self.histories_may_fork) {
                lease::check_ended(&watched.records, members, &ended);
            }
        }
        for (hub, uid) in std::mem::take(&mut self.started) {
            // A hub with an old store does not know what another told since, until it hears of it (S10).
            if self.histories_may_fork {
                continue;
            }
            if let Some(watched) = self.hubs.get(&hub) {
                at_most::check(&watched.records, members, &self.forgotten, uid);
                self.seen.bounded_starts += 1;
            }
        }
    }

    /// A hub has made a step.
    pub fn hub_stepped(&mut self, hub: usize, core: &mut Hub, step: &Step<'_>) {
        let Some(watched) = self.hubs.get_mut(&hub) else { return };
        let Watched { records, witness, silence, zeros, announced, leases } = watched;
        self.seen.steps += 1;
        let moment = Moment { truly: self.now, own: step.now.time };
        if let Some(event) = step.event {
            silence.hear(witness, event, moment);
            witness.hear(event);
            self.seen.upgrades += u64::from(self.knowing.hear(witness, event));
        }
        if let Some(foreseen) = step.foreseen {
            check_answer(foreseen, step.effects);
            self.seen.commands += 1;
        }
        let begun = begun(records, step.effects);
        begun.iter().for_each(|migration| self.seen.migrated(&migration.cause));
        self.seen.ordered(records, step.effects);
        let held = pause::holds(records);
        lease::leave(&mut self.given_up, records, step.effects);
        at_most::forget(&mut self.forgotten, step.effects);
        let bounded = at_most::bounded(records, step.effects);
        let seats = write(records, step.effects);
        let ended = leases.ended(records, step.effects, (&seats, &bounded), (self.wait, self.now));
        // A command may be carried out right before the silence of a cluster is noticed.
        let released =
            |event: &Event| matches!(event, Event::Command { command: Command::ReleaseFreeze, .. });
        let accepts = step.event.is_some_and(released);
        // What another hub had told is found, whatever an old store says is held.
        if !accepts {
            pause::check(records, &held, &ended, &seats);
        }
        self.seen.imports += self.imports.check(records, (step, &seats), self.histories_may_fork);
        room::check(records, witness, (&seats, &self.imports), accepts);
        witness.closed(step.effects);
        silence.check(records, witness, (step, &begun), moment);
        self.seen.count(step.effects, &seats);
        self.started.extend(at_most::started(records, &seats).into_iter().map(|uid| (hub, uid)));
        let changed = placement::check(records, core, step.effects);
        removal::check_zeros(records, &seats, self.histories_may_fork, zeros, self.now);
        shrink::check(records, witness, &ended, &seats);
        self.seen.turns += rollout::check(records, witness, &seats);
        self.seen.jobs += kinds::check(records, &seats);
        self.seen.gated += announced.check(records, witness, &seats, step);
        announced.follow(core, records, &changed, step);
        self.seen.announced = self.seen.announced.max(announced.count() as u64);
        for (uid, cluster) in ended {
            if let Some(Record::Cluster(record)) = records.get(&Key::Cluster(cluster.clone())) {
                self.given_up.insert((uid, cluster.clone()), record.generation);
            }
            self.fenced.push((hub, (uid, cluster)));
            self.seen.ended += 1;
        }
        if self.histories_may_fork {
            // What one hub has given up, another one may not have.
            self.given_up.clear();
        }
        leases.check(records, witness, (step.effects, &self.given_up), self.now);
        wire::check_order(step.effects);
        wire::check(records, witness, step.effects, &mut self.said);
        self.knowing.check(records, witness, step.effects, &seats);
        witness.spoken(step);
        silence.returned(witness, step);
        if !self.histories_may_fork {
            check_history(step.effects);
        }
    }

    /// A supervisor has started a process.
    pub fn process_starts(&mut self, member: &Member, id: &WorkloadId, life: Uid) {
        self.seen.processes += 1;
        if !self.histories_may_fork {
            lease::check_start(&mut self.given_up, member, id, life);
        }
    }

    /// A hub may find from now on that another one has spoken for its federation.
    pub fn history_forks(&mut self) {
        self.histories_may_fork = true;
    }

    /// A store has forgotten what was said: the same authority may say something else, to whom has not heard it.
    pub(crate) fn forgets_what_was_said(&mut self) {
        self.said.clear();
    }

    /// A hub goes on under another number.
    pub(crate) fn hub_moves(&mut self, from: usize, to: usize) {
        if let Some(watched) = self.hubs.remove(&from) {
            self.hubs.insert(to, watched);
        }
    }

    /// The controllers of a member have looked at something.
    pub(crate) fn look_at_imports(&mut self, members: &[Member]) {
        self.imports.check_members(members);
    }

    /// Agents of several releases will speak.
    pub(crate) fn releases_differ(&mut self) {
        self.knowing.releases_differ = true;
    }

    /// A batch of a hub has become durable.
    pub fn hub_committed(&mut self, store: &Records, written: &[Key]) {
        placement::check_stored(store, written);
        issuers::check_stored(store, written);
        for key in written {
            if let Some(Record::Ended(ended)) = store.get(key) {
                self.ended.extend(ended.held_by.keys().map(|name| (ended.uid, name.clone())));
            }
        }
    }

    /// An agent says which lives are gone from its member.
    pub fn agent_reports(&mut self, member: &Member, removed: &[Uid]) {
        removal::check_removed(member, removed, &self.late);
    }

    /// An agent has changed something in its member.
    pub fn member_did(&mut self, cluster: &ClusterName, deed: &Deed, release: Release) {
        fence::check(cluster, deed);
        self.knowing.check_deed(cluster, deed, release);
        let taken = self.imports.check_deed(cluster, deed, self.histories_may_fork);
        self.seen.taken += u64::from(taken);
        self.seen.older += u64::from(release == Release::Older);
        self.late.extend(removal::comes_late(cluster, deed, &self.ended).map(|uid| (cluster.clone(), uid)));
        if removal::check(cluster, deed, &self.ended) {
            self.seen.removals += 1;
        }
    }
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

    fn migrated(&mut self, cause: &MigrationCause) {
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
    fn ordered(&mut self, records: &Records, effects: &[Effect]) {
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

    fn count(&mut self, effects: &[Effect], seats: &[SeatChange]) {
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

/// The migrations that begin in a step. Where nothing has to start, they end in the same one.
fn begun<'e>(records: &Records, effects: &'e [Effect]) -> Vec<&'e Migration> {
    let begun = |effect: &'e Effect| {
        let Effect::Put(Record::Migration(migration)) = effect else { return None };
        (!records.contains_key(&Key::Migration(migration.id))).then_some(migration)
    };
    effects.iter().filter_map(begun).collect()
}

/// Writes what a step puts and deletes; returns the seats of living workloads that it changed.
fn write(records: &mut Records, effects: &[Effect]) -> Vec<SeatChange> {
    let mut changes = Vec::new();
    for effect in effects {
        match effect {
            Effect::Put(Record::Seat { workload, cluster, seat }) => {
                let key = Key::Seat(*workload, cluster.clone());
                let record = effect_record(effect);
                let before = records.insert(key, record).and_then(seat_of).unwrap_or_default();
                changes.push(SeatChange {
                    workload: *workload,
                    cluster: cluster.clone(),
                    before,
                    after: seat.clone(),
                });
            }
            Effect::Put(Record::Journal(_)) | Effect::Delete(Key::Journal(_)) => {}
            Effect::Put(record) => {
                records.insert(record.key(), record.clone());
            }
            Effect::Delete(key) => {
                records.remove(key);
            }
            Effect::Send { .. } | Effect::Close { .. } | Effect::Answer { .. } => {}
        }
    }
    changes.retain(|change| records.contains_key(&Key::Workload(change.workload)));
    changes
}

fn effect_record(effect: &Effect) -> Record {
    match effect {
        Effect::Put(record) => record.clone(),
        Effect::Delete(_) | Effect::Send { .. } | Effect::Close { .. } | Effect::Answer { .. } => {
            unreachable!("only what is put is a record")
        }
    }
}

fn seat_of(record: Record) -> Option<Seat> {
    if let Record::Seat { seat, .. } = record {
        return Some(seat);
    }
    None
}

/// The seats of a workload.
fn seats_of(records: &Records, uid: Uid) -> impl Iterator<Item = (&ClusterName, &Seat)> {
    let from = Key::Seat(uid, "0".parse().expect("a valid name, below or equal to every other"));
    records.range(from..).map_while(move |(key, record)| {
        if let (Key::Seat(workload, cluster), Record::Seat { seat, .. }) = (key, record)
            && *workload == uid
        {
            return Some((cluster, seat));
        }
        None
    })
}

/// The seat of a workload in a cluster.
fn seat_in<'r>(records: &'r Records, uid: Uid, cluster: &ClusterName) -> Option<&'r Seat> {
    match records.get(&Key::Seat(uid, cluster.clone()))? {
        Record::Seat { seat, .. } => Some(seat),
        _ => None,
    }
}

/// A command comes to what its rehearsal said (S30).
fn check_answer(foreseen: &Result<Answer, Refused>, effects: &[Effect]) {
    let answers = effects.iter().filter_map(|effect| match effect {
        Effect::Answer { answer, .. } => Some(answer),
        Effect::Put(_) | Effect::Delete(_) | Effect::Send { .. } | Effect::Close { .. } => None,
    });
    for answer in answers {
        assert_eq!(foreseen, answer, "S30: a rehearsal foresaw something else");
    }
}

/// A hub begins under an epoch that its store does not know (S10).
fn check_epoch(store: &Records, effects: &[Effect]) {
    let epoch =
        |record: &Record| if let Record::Federation(record) = record { Some(record.epoch) } else { None };
    let taken =
        effects.iter().find_map(|effect| if let Effect::Put(record) = effect { epoch(record) } else { None });
    let known = store.get(&Key::Federation).and_then(epoch);
    assert!(taken > known, "S10: a hub starts under epoch {taken:?}, and its store knows {known:?}");
}

/// A hub that alone writes its store, before it speaks, never hears of a later history than its own (S10).
fn check_history(effects: &[Effect]) {
    for effect in effects {
        if let Effect::Put(Record::Federation(federation)) = effect
            && let Some(Freeze { cause, message, .. }) = &federation.freeze
        {
            assert!(
                *cause != FreezeCause::NewerHistory,
                "S10: the only hub there is believes that another one has spoken: {message}"
            );
        }
    }
}

/// Whether an operator has said that a cluster is dead (S9).
fn is_dead(records: &Records, name: &ClusterName) -> bool {
    let cluster = records.get(&Key::Cluster(name.clone()));
    matches!(cluster, Some(Record::Cluster(cluster)) if cluster.dead.is_some())
}
