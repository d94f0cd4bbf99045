//! Turns: what is queued, stepped, committed, shown and let go.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use godwit_common::Epoch;
use godwit_common::link::Down;
use godwit_hub_core::{Effect, Event, Hub, Record, Refused, RefusedKind, SessionId, Severity};
use godwit_rt::health::Pulse;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::Instant;

use super::clock::Clock;
use super::view::{Projector, View};
use super::wait::Waiting;
use super::{DriverError, Input, Question, WhichParts};
use crate::sessions::Outbox;
use crate::store::{Batch, Store};

/// Inputs of one turn, and so of one commit. More would make the first of them wait for the steps of the last.
const TURN_MAX: usize = 256;

/// While others wait for their turn, the view is brought up to date only so often: what changes again meanwhile is shown
/// once.
const SHOWN_EVERY: Duration = Duration::from_millis(100);

/// How many may wait to be told what would be. Each holds a copy of the state, of which it shares what has not changed.
const QUESTIONS_MAX: usize = 16;

pub(super) struct Driver {
    hub: Hub,
    store: Store,
    clock: Clock,
    queue: mpsc::Receiver<Input>,
    /// Of the newest record of the federation: what guards the store.
    epoch: Epoch,
    outboxes: HashMap<SessionId, Outbox>,
    waiting: Waiting,
    /// Room for those who ask what would be.
    questions: Arc<Semaphore>,
    projector: Projector,
    view: watch::Sender<Arc<View>>,
    /// When it was last brought up to date.
    shown: Instant,
    /// Whether it gets on.
    pulse: Pulse,
}

/// What may leave for the agents once the turn's records are durable.
enum Release {
    Send(SessionId, Down),
    Close(SessionId),
}

/// Whether another turn follows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Turn,
    End,
}

impl Driver {
    pub(super) fn new(
        hub: Hub,
        store: Store,
        clock: Clock,
        queue: mpsc::Receiver<Input>,
        projector: Projector,
        view: watch::Sender<Arc<View>>,
    ) -> Self {
        Self {
            epoch: hub.federation().epoch,
            hub,
            store,
            clock,
            queue,
            outboxes: HashMap::new(),
            waiting: Waiting::default(),
            questions: Arc::new(Semaphore::new(QUESTIONS_MAX)),
            projector,
            view,
            shown: Instant::now(),
            pulse: Pulse::new(),
        }
    }

    pub(super) fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Turns until a stop, until nobody holds a handle any more, or until the store fails.
    pub(super) async fn turn_until_stopped(mut self) -> Result<(), DriverError> {
        let mut inputs = Vec::with_capacity(TURN_MAX);
        loop {
            let due = self.clock.instant(self.hub.deadline());
            let closed = tokio::select! {
                biased;
                taken = self.queue.recv_many(&mut inputs, TURN_MAX) => taken == 0,
                () = tokio::time::sleep_until(due) => false,
            };
            if closed {
                return Ok(());
            }
            self.pulse.begin();
            let next = self.turn(&mut inputs)?;
            self.pulse.end();
            if next == Next::End {
                return Ok(());
            }
        }
    }

    /// One turn; without inputs it is the machine's tick.
    fn turn(&mut self, inputs: &mut Vec<Input>) -> Result<Next, DriverError> {
        let mut effects = Vec::new();
        let mut questions = Vec::new();
        let mut next = Next::Turn;
        if inputs.is_empty() {
            self.hub.step(self.clock.now(), Event::Tick, &mut effects);
        }
        for input in inputs.drain(..) {
            let event = match self.take(input, &mut questions) {
                Some(event) => event,
                None => continue,
            };
            if matches!(event, Event::Stopping) {
                next = Next::End;
            }
            self.hub.step(self.clock.now(), event, &mut effects);
            if next == Next::End {
                // After the goodbye nothing counts: closing streams are no losses.
                break;
            }
        }
        self.settle(effects)?;
        questions.into_iter().for_each(|question| self.answer(question));
        Ok(next)
    }

    /// Answers from the state that is durable by now. Whoever asked may have left. What would be is found out beside the
    /// turns, on a copy, which costs little.
    fn answer(&self, question: Question) {
        match question {
            Question::Plan { workload, reply } => drop(reply.send(self.hub.plan(&workload))),
            Question::History { workload, reply } => drop(reply.send(self.hub.history(&workload))),
            Question::Parts { what, reply } => {
                let WhichParts { workload, only, after, most } = *what;
                drop(reply.send(self.hub.parts(&workload, &only, after.as_ref(), most)));
            }
            Question::Rehearse { by, command, reply } => {
                let now = self.clock.now();
                self.find_out(reply, move |copy| copy.rehearse(now, by, *command));
            }
            Question::WhatIf { what, reply } => self.find_out(reply, move |copy| copy.what_if(&what)),
        }
    }

    /// So many questions wait for their turn, each with its copy; the next one is told to come again.
    fn find_out<T: Send + 'static>(
        &self,
        reply: oneshot::Sender<Result<T, Refused>>,
        find: impl FnOnce(&Hub) -> Result<T, Refused> + Send + 'static,
    ) {
        let Ok(room) = Arc::clone(&self.questions).try_acquire_owned() else {
            let message = "too many ask what would be: try again in a moment".to_owned();
            return drop(reply.send(Err(Refused { kind: RefusedKind::ResourceExhausted, message })));
        };
        let copy = self.hub.clone();
        tokio::task::spawn_blocking(move || {
            if !reply.is_closed() {
                // Whoever asked may have left meanwhile.
                drop(reply.send(find(&copy)));
            }
            drop(room);
        });
    }

    /// What the machine is told of an input; nothing of a question.
    fn take(&mut self, input: Input, questions: &mut Vec<Question>) -> Option<Event> {
        match input {
            Input::Opened { session, cluster, hello, outbox } => {
                self.outboxes.insert(session, outbox);
                let hello = *hello;
                Some(Event::Opened { session, cluster, hello })
            }
            Input::Message { session, message, room } => {
                drop(room);
                Some(Event::Message { session, message: *message })
            }
            Input::Closed { session, expired } => {
                self.outboxes.remove(&session);
                Some(Event::Closed { session, expired })
            }
            Input::Command { by, command, reply } => {
                Some(Event::Command { ticket: self.waiting.add(reply), by, command: *command })
            }
            Input::Question(question) => {
                questions.push(question);
                None
            }
            Input::Stop => Some(Event::Stopping),
        }
    }

    /// Makes the records durable, then lets targets go, then shows what has changed, then answers: who was answered
    /// finds in the view what was done. With nobody to answer, and others in the queue, it may be shown with what they
    /// change.
    pub(super) fn settle(&mut self, effects: Vec<Effect>) -> Result<(), DriverError> {
        let mut batch = Batch::default();
        let (mut releases, mut answers) = (Vec::new(), Vec::new());
        let mut entries = Vec::new();
        for effect in effects {
            match effect {
                Effect::Put(record) => {
                    batch.put(&record);
                    match record {
                        Record::Federation(federation) => self.epoch = federation.epoch,
                        Record::Journal(entry) => entries.push(Arc::new(entry)),
                        Record::Policy(_)
                        | Record::Workload(_)
                        | Record::Revision(_)
                        | Record::Seat { .. }
                        | Record::Object(_)
                        | Record::ObjectRow { .. }
                        | Record::Ended(_)
                        | Record::Cluster(_)
                        | Record::Migration(_)
                        | Record::Request(_)
                        | Record::Quota(_)
                        | Record::Retired(_)
                        | Record::Token(_)
                        | Record::Revocation(_)
                        | Record::RoleBinding(_)
                        | Record::Issuer(_) => {}
                    }
                }
                Effect::Delete(key) => {
                    batch.delete(&key);
                    self.projector.deleted(&key);
                }
                Effect::Send { session, message } => releases.push(Release::Send(session, message)),
                Effect::Close { session } => releases.push(Release::Close(session)),
                Effect::Answer { ticket, answer } => answers.push((ticket, answer)),
            }
        }
        if !batch.is_empty() {
            self.store.commit(self.epoch, &batch)?;
        }
        releases.into_iter().for_each(|release| self.release(release));
        for entry in entries {
            log(&entry);
            self.projector.journal_put(entry);
        }
        let busy = !self.queue.is_empty() && self.shown.elapsed() < SHOWN_EVERY;
        if !busy || !answers.is_empty() {
            self.shown = Instant::now();
            if let Some(view) = self.projector.project(&mut self.hub) {
                self.view.send_replace(Arc::new(view));
            }
        }
        for (ticket, answer) in answers {
            self.waiting.answer(ticket, answer);
        }
        Ok(())
    }

    fn release(&mut self, release: Release) {
        match release {
            Release::Send(session, message) => {
                if let Some(outbox) = self.outboxes.get(&session) {
                    outbox.push(message);
                }
            }
            Release::Close(session) => {
                if let Some(outbox) = self.outboxes.remove(&session) {
                    outbox.close();
                }
            }
        }
    }
}

/// The journal is the log of decisions: what the machine records is said once, here.
fn log(entry: &godwit_hub_core::JournalEntry) {
    let (number, reason, rule) = (entry.number, &*entry.reason, &*entry.rule);
    let (subject, message) = (&*entry.subject, &*entry.message);
    match entry.severity {
        Severity::Normal => tracing::info!(number, reason, rule, subject, "{message}"),
        Severity::Warning => tracing::warn!(number, reason, rule, subject, "{message}"),
    }
}
