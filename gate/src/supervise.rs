//! The supervisor at work.

use std::ffi::OsString;
use std::time::Duration;

use rustix::process::Signal;

use crate::holder::{Holder, Terms};
use crate::processes::{self, Processes};
use crate::signals::Inbox;
use crate::stage::{self, Act, Stage};
use crate::{clock, say};

/// The lease has ended what ran, whatever that says of itself: who asks whether a Job has succeeded must not hear so.
const LEASE_ENDED: u8 = 75;
/// Nothing was started before somebody stopped it.
const STOPPED: u8 = 143;

/// Runs a command as long as there is a lease for it, and gives the exit status.
pub(crate) fn run(terms: Terms, grace: Duration, command: Vec<OsString>) -> Result<u8, String> {
    clock::is_the_machines()?;
    let holder = Holder::new(terms, clock::boot()?);
    processes::adopt_orphans()?;
    if !processes::is_first() {
        say("this is not the first process of a container: should it be killed, what it has started runs on");
    }
    let inbox = Inbox::open().map_err(|error| format!("signals cannot be handled: {error}"))?;
    let mut supervisor = Supervisor { holder, grace, command, stage: Stage::Waits, processes: None };
    say("waiting for the lease");
    let status = loop {
        if let Some(status) = supervisor.turn() {
            break status;
        }
        let rest = supervisor.stage.rest(clock::now(), supervisor.holder.until());
        if let Some(signal) = inbox.wait(rest)
            && let Some(status) = supervisor.pass_on(signal)
        {
            break status;
        }
    };
    // What the process leaves behind has no lease either.
    while processes::kill_all() {
        if let Some(left) = &mut supervisor.processes {
            left.reap();
        }
        let _ = inbox.wait(stage::ENDS);
    }
    Ok(status)
}

struct Supervisor {
    holder: Holder,
    grace: Duration,
    command: Vec<OsString>,
    stage: Stage,
    /// What was started.
    processes: Option<Processes>,
}

impl Supervisor {
    /// Does what is due; the exit status if that was the last.
    fn turn(&mut self) -> Option<u8> {
        if let Some(problem) = self.holder.look(clock::now()) {
            say(&problem);
        }
        if let Some(status) = self.processes.as_mut().and_then(Processes::reap) {
            return Some(if self.stage.is_over() { LEASE_ENDED } else { status });
        }
        // Read after the lease: a start that took long is not let through by an old look at the clock.
        match self.stage.step(clock::now(), self.holder.until(), self.grace) {
            Act::Nothing => {}
            Act::Start => match processes::start(&self.command) {
                Ok(started) => self.processes = Some(started),
                Err((status, problem)) => {
                    say(&problem);
                    return Some(status);
                }
            },
            Act::Stop => {
                say(&format!("the lease has ended: stopping, for {:?} at most", self.grace));
                self.signal(Signal::TERM);
            }
            Act::Kill => {
                say("the lease has ended: killing");
                return Some(LEASE_ENDED);
            }
        }
        None
    }

    /// A signal has come that is the process's business.
    fn pass_on(&self, signal: Signal) -> Option<u8> {
        if self.processes.is_none() {
            let ends = matches!(signal, Signal::TERM | Signal::INT | Signal::QUIT | Signal::HUP);
            return ends.then_some(STOPPED);
        }
        self.signal(signal);
        None
    }

    fn signal(&self, signal: Signal) {
        if let Some(processes) = &self.processes {
            processes.signal(signal);
        }
    }
}
