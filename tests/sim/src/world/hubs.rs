//! What happens to hubs: they start, step, make durable what they decided, speak, and die at any point in between.

use godwit_common::link::Down;
use godwit_hub_core::{self as hub, Hub};

use super::{RESTART, World, cx};
use crate::clock::Cx;
use crate::happening::Happening;
use crate::net::{Item, KEEPALIVE, Way};

impl World {
    /// A hub starts on its store.
    pub fn start_hub(&mut self, hub: usize) {
        if self.hubs[hub].core.is_some() {
            return;
        }
        let (effects, now) = self.hubs[hub].start(cx!(self));
        self.note(|| format!("hub-{hub} starts"));
        let process = &mut self.hubs[hub];
        if let Some(core) = &mut process.core {
            self.checker.hub_started(hub, core, &process.store, &effects, now);
        }
        self.trace_journal(&effects);
        self.hubs[hub].set_tick(cx!(self));
    }

    /// A hub's process dies; its machine, too, if nobody is there to reset its connections.
    pub fn crash_hub(&mut self, hub: usize, silently: bool) {
        self.note(|| format!("hub-{hub} dies{}", if silently { " silently" } else { "" }));
        self.hubs[hub].crash();
        for number in self.net.of_hub(hub) {
            if silently {
                if let Some(session) = self.net.sessions.get_mut(&number) {
                    session.hub_open = false;
                }
                self.queue.push(self.now + KEEPALIVE, Happening::Keepalive { session: number });
                self.net.forget(number);
            } else {
                let lose = self.rng.one_in(2);
                self.net.end(cx!(self), number, Way::Down, lose);
            }
        }
    }

    /// A hub steps through what waits for it.
    pub fn run_hub(&mut self, hub: usize) {
        let (checker, members, trace) = (&mut self.checker, &self.members, self.trace);
        let mut said = Vec::new();
        self.hubs[hub].run(cx!(self), |core: &mut Hub, step| {
            checker.hub_stepped(hub, core, &step);
            checker.look_at_starts(members);
            if trace.is_some() {
                said.extend_from_slice(step.effects);
            }
        });
        self.trace_journal(&said);
        self.hubs[hub].set_tick(cx!(self));
    }

    pub(super) fn commit(&mut self, hub: usize) {
        if self.faults.hub_falls(&mut self.rng) {
            self.note(|| format!("hub-{hub} falls before its commit"));
            return self.fall(hub);
        }
        let (spoken, written) = self.hubs[hub].commit();
        self.checker.hub_committed(&self.hubs[hub].store, &written);
        let falls = self.faults.hub_falls(&mut self.rng);
        let spoken_max = match falls {
            true => usize::try_from(self.rng.below(spoken.len() as u64 + 1)).unwrap_or(0),
            false => spoken.len(),
        };
        for effect in spoken.into_iter().take(spoken_max) {
            self.speak(hub, effect);
        }
        if falls {
            self.note(|| format!("hub-{hub} falls after its commit"));
            return self.fall(hub);
        }
        if self.hubs[hub].has_ended() {
            return self.crash_hub(hub, false);
        }
        self.run_hub(hub);
    }

    fn fall(&mut self, hub: usize) {
        let silently = self.rng.one_in(4);
        self.crash_hub(hub, silently);
        // One that was replaced is started by nobody.
        if hub == 0 {
            cx!(self).after(RESTART, Happening::HubStarts(hub));
        }
    }

    fn speak(&mut self, hub: usize, effect: hub::Effect) {
        let life = self.hubs[hub].life;
        match effect {
            hub::Effect::Send { session, message } => {
                if let Some(number) = self.net.of_hub_session(hub, (life, session)) {
                    let twice = matches!(message, Down::Targets(_)) && self.faults.is_doubled(&mut self.rng);
                    let again = twice.then(|| Item::Down(message.clone()));
                    for item in [Some(Item::Down(message)), again].into_iter().flatten() {
                        self.net.send(cx!(self), number, Way::Down, item);
                    }
                }
            }
            hub::Effect::Close { session } => {
                if let Some(number) = self.net.of_hub_session(hub, (life, session)) {
                    self.net.end(cx!(self), number, Way::Down, false);
                }
            }
            hub::Effect::Answer { ticket, answer } => {
                self.note(|| format!("hub-{hub} -> operator: {answer:?}"));
                self.answers.insert((hub, ticket), answer);
            }
            hub::Effect::Put(_) | hub::Effect::Delete(_) => {}
        }
    }

    pub(super) fn trace_journal(&self, effects: &[hub::Effect]) {
        for effect in effects {
            if let hub::Effect::Put(hub::Record::Journal(entry)) = effect {
                self.note(|| {
                    let (rule, subject, message) = (&entry.rule, &entry.subject, &entry.message);
                    format!("journal {rule} {} {subject}: {message}", entry.reason)
                });
            }
        }
    }
}
