//! What must be so after every step, whatever goes wrong. Each file watches one thing; all of them go by what the hub
//! was told and what it wrote and said, never by what it believes.

mod at_most;
mod fence;
mod gates;
mod history;
mod imports;
mod issuers;
mod kinds;
mod lease;
mod loss;
mod pause;
mod placement;
mod records;
mod releases;
mod removal;
mod rollout;
mod room;
mod seen;
pub(crate) mod shrink;
mod wire;
mod witness;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use godwit_common::{ClusterName, Digest, Epoch, Generation, Now, Uid, WorkloadId};
use godwit_hub_core::{Command, Config, Effect, Event, Hub, Key, Record};

use crate::hub_process::Step;
use crate::member::{Deed, GRACE, Member};
use crate::world::Release;
use gates::Announced;
use history::{check_answer, check_epoch, check_history};
use lease::{GivenUp, Leases};
use loss::Moment;
use records::{SeatChange, begun, is_dead, seat_in, seats_of, write};
use witness::Witness;

pub use records::Records;
pub use seen::Seen;

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
