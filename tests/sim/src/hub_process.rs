//! A hub as a process: the real machine, a store that survives it, and a driver which makes a batch durable before it
//! speaks. A crash can fall anywhere: before the commit, after it, and between any two things that are said.

use std::collections::{BTreeMap, VecDeque};

use godwit_common::Now;
use godwit_hub_core::{Answer, Config, Effect, Event, Hub, Key, Record, Refused, SessionId, Ticket};

use crate::clock::{Clock, Cx};
use crate::happening::Happening;
use crate::scenario::reader;

/// How many events one commit covers at most.
const BATCH: usize = 32;
/// How long a commit takes.
const COMMIT: (u64, u64) = (0, 8);
/// How long it takes when the disk is busy, one time in [`SLOW_ONE_IN`].
const COMMIT_SLOW: (u64, u64) = (50, 700);
const SLOW_ONE_IN: u64 = 200;

/// A hub and its store.
#[derive(Debug)]
pub struct HubProcess {
    /// Its number in the world.
    pub index: usize,
    /// The machine, while the process lives.
    pub core: Option<Hub>,
    /// Rises with each start and each end: what was meant for another life is void.
    pub life: u64,
    /// What is durable. The journal is not kept.
    pub store: BTreeMap<Key, Record>,
    /// The settings of the machine.
    pub config: Config,
    /// It does nothing until then.
    pub stalled_until: u64,
    /// It was asked to end: it takes no new connection and hears nothing more.
    stopping: bool,
    /// It has told its machine so: after the goodbye nothing counts.
    said_goodbye: bool,
    clock: Clock,
    inbox: VecDeque<Event>,
    /// The effects of the batch that is being made durable.
    pending: Option<Vec<Effect>>,
    last_session: u64,
    last_ticket: u64,
    tick_at: Option<u64>,
}

/// What happened in one step of the machine, for those who watch over it.
#[derive(Debug)]
pub struct Step<'a> {
    /// What the machine was told; none for its start.
    pub event: Option<&'a Event>,
    /// What a rehearsal said right before, if that was a command (S30).
    pub foreseen: Option<&'a Result<Answer, Refused>>,
    /// What it wants done.
    pub effects: &'a [Effect],
    /// What its clock said.
    pub now: Now,
}

impl HubProcess {
    /// A hub that has not started, on an empty store.
    pub(crate) fn new(index: usize, config: Config, cx: &mut Cx<Happening>) -> Self {
        Self {
            index,
            core: None,
            life: 0,
            store: BTreeMap::new(),
            config: Config { reader: reader(), ..config },
            stalled_until: 0,
            stopping: false,
            said_goodbye: false,
            clock: Clock::new(cx.now, cx.rng),
            inbox: VecDeque::new(),
            pending: None,
            last_session: 0,
            last_ticket: 0,
            tick_at: None,
        }
    }

    /// Starts the process on its store. The effects of the restoration are its first batch.
    pub(crate) fn start(&mut self, cx: &mut Cx<Happening>) -> (Vec<Effect>, Now) {
        self.life += 1;
        self.clock = Clock::new(cx.now, cx.rng);
        self.stalled_until = 0;
        (self.stopping, self.said_goodbye) = (false, false);
        let mut records: Vec<Record> = self.store.values().cloned().collect();
        shuffle(&mut records, cx);
        let (seed, now) = (cx.rng.next_u64(), self.clock.now(cx.now));
        let mut effects = Vec::new();
        match Hub::restore(self.config.clone(), seed, records, now, &mut effects) {
            Ok(hub) => self.core = Some(hub),
            Err(error) => panic!("S5: the hub's own records do not restore: {error}"),
        }
        // Whoever said so leaves it out the next time.
        self.config.recover = false;
        self.commit_later(cx, effects.clone());
        (effects, now)
    }

    /// The process is gone, with all that it had not made durable.
    pub fn crash(&mut self) {
        self.life += 1;
        self.core = None;
        self.inbox.clear();
        self.pending = None;
        self.tick_at = None;
        self.last_session = 0;
    }

    /// Its machine is about to be suspended for so long, and its clock with it.
    pub(crate) fn clock_stops(&mut self, lasts: u64) {
        self.clock.lose(lasts);
    }

    /// Another process takes its place, on a copy of its store, and this one goes on in that one's. Both begin another
    /// life by this, so that what was meant for either is void; what this one has begun, it ends in the new one.
    pub(crate) fn is_replaced(&mut self, heir: &mut Self, cx: &mut Cx<Happening>) {
        heir.store = self.store.clone();
        heir.last_ticket = self.last_ticket;
        std::mem::swap(&mut self.index, &mut heir.index);
        self.life = self.life.max(heir.life) + 1;
        heir.life = self.life;
        let (hub, life) = (self.index, self.life);
        if self.pending.is_some() {
            cx.queue.push(cx.now, Happening::HubCommits { hub, life });
        }
        cx.queue.push(self.stalled_until.max(cx.now), Happening::HubResumes { hub, life });
        self.tick_at = None;
        self.set_tick(cx);
    }

    /// Something arrives; it waits while a batch is being made durable, or the process is stalled.
    pub fn hear(&mut self, event: Event) {
        if self.accepts() {
            self.stopping = matches!(event, Event::Stopping);
            self.inbox.push_back(event);
        }
    }

    /// Whether the process has nothing left to do but to end.
    pub fn has_ended(&self) -> bool {
        self.said_goodbye && self.pending.is_none()
    }

    /// Whether the process lives, and listens.
    pub fn accepts(&self) -> bool {
        self.core.is_some() && !self.stopping
    }

    /// A name for a new session.
    pub fn next_session(&mut self) -> SessionId {
        self.last_session += 1;
        SessionId(self.last_session)
    }

    /// A name for a new caller.
    pub fn next_ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        Ticket(self.last_ticket)
    }

    /// Steps through a batch of what waits, showing each step.
    pub(crate) fn run(&mut self, cx: &mut Cx<Happening>, mut show: impl FnMut(&mut Hub, Step<'_>)) {
        if self.pending.is_some() || self.inbox.is_empty() || cx.now < self.stalled_until {
            return;
        }
        let Some(core) = &mut self.core else { return };
        let mut batch = Vec::new();
        for event in self.inbox.drain(..self.inbox.len().min(BATCH)) {
            if self.said_goodbye {
                break;
            }
            self.said_goodbye = matches!(event, Event::Stopping);
            let mut effects = Vec::new();
            let now = self.clock.now(cx.now);
            let foreseen = match &event {
                Event::Command { by, command, .. } => Some(core.rehearse(now, by.clone(), command.clone())),
                Event::Opened { .. }
                | Event::Message { .. }
                | Event::Closed { .. }
                | Event::Stopping
                | Event::Tick => None,
            };
            core.step(now, event.clone(), &mut effects);
            let step = Step { event: Some(&event), foreseen: foreseen.as_ref(), effects: &effects, now };
            show(core, step);
            batch.append(&mut effects);
        }
        self.commit_later(cx, batch);
    }

    /// The batch is durable: its records are in the store. Returns what is to be said now, and what was written.
    pub fn commit(&mut self) -> (Vec<Effect>, Vec<Key>) {
        let (mut spoken, mut written) = (Vec::new(), Vec::new());
        for effect in self.pending.take().unwrap_or_default() {
            match effect {
                Effect::Put(Record::Journal(_)) | Effect::Delete(Key::Journal(_)) => {}
                Effect::Put(record) => {
                    written.push(record.key());
                    self.store.insert(record.key(), record);
                }
                Effect::Delete(key) => {
                    self.store.remove(&key);
                    written.push(key);
                }
                Effect::Send { .. } | Effect::Close { .. } | Effect::Answer { .. } => spoken.push(effect),
            }
        }
        (spoken, written)
    }

    /// Sets the next tick, unless one is set that comes early enough.
    pub(crate) fn set_tick(&mut self, cx: &mut Cx<Happening>) {
        let Some(core) =
            self.core.as_ref().filter(|_| self.pending.is_none() && cx.now >= self.stalled_until)
        else {
            return;
        };
        let at = self.clock.moment(core.deadline()).max(cx.now + 1);
        if self.tick_at.is_none_or(|set| set > at) {
            self.tick_at = Some(at);
            let (hub, life) = (self.index, self.life);
            cx.queue.push(at, Happening::HubTick { hub, life });
        }
    }

    /// A tick has come. It is wanted only once the deadline has.
    pub fn tick(&mut self, now: u64) {
        self.tick_at = None;
        let due = |core: &Hub| core.deadline() <= self.clock.read(now);
        if self.core.as_ref().is_some_and(due) {
            self.inbox.push_back(Event::Tick);
        }
    }

    /// Whether everything it heard is dealt with.
    pub fn is_idle(&self) -> bool {
        self.inbox.is_empty() && self.pending.is_none()
    }

    fn commit_later(&mut self, cx: &mut Cx<Happening>, batch: Vec<Effect>) {
        self.pending = Some(batch);
        let takes = if cx.rng.one_in(SLOW_ONE_IN) { COMMIT_SLOW } else { COMMIT };
        let (hub, life) = (self.index, self.life);
        cx.after(takes, Happening::HubCommits { hub, life });
    }
}

fn shuffle<T>(items: &mut [T], cx: &mut Cx<Happening>) {
    for last in (1..items.len()).rev() {
        let other = usize::try_from(cx.rng.below(last as u64 + 1)).unwrap_or(0);
        items.swap(last, other);
    }
}
