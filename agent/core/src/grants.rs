//! The cluster's lease (S9): for how long supervisors may start processes and let them run although the hub counts them as
//! ended when it has run out.
//!
//! It counts from when the renewal that was answered was *sent*, on a clock that runs on while the machine is suspended.
//! Every link of the chain counts like that: the hub waits from when it received the renewal, and a supervisor counts what
//! it is told from when it asked. So whoever comes later in the chain is done before those who come earlier.

use std::collections::BTreeMap;
use std::time::Duration;

use godwit_common::Time;
use godwit_common::link::Up;

use crate::cx::Cx;
use crate::link::Link;

/// Renewals that are remembered while no answer has come; the oldest would renew least.
const ASKED_MAX: usize = 32;
/// A lease that was renewed is renewed again after so many heartbeats, and well before it ends.
const BEATS: u32 = 5;

#[derive(Debug, Default)]
pub(crate) struct Grants {
    /// The number of the last renewal; no other of this process has it.
    last: u64,
    /// The renewals of this session that were not answered: when each was sent.
    asked: BTreeMap<u64, Time>,
    next: Time,
    /// When the lease ends. Only an answer moves it: neither a new session nor a new reign does.
    until: Time,
}

impl Grants {
    /// A session begins: what was asked in the one before is not answered in it.
    pub(crate) fn begin(&mut self, now: Time) {
        self.asked.clear();
        self.next = now;
    }

    /// Asks for a renewal, if it is time. `leads`: this agent may act, and there is something to let run.
    pub(crate) fn pump(&mut self, cx: &mut Cx, link: &mut Link, leads: bool) {
        let Some(heartbeat) = link.heartbeat().filter(|_| leads && self.next <= cx.now && link.has_room())
        else {
            return;
        };
        self.last += 1;
        self.asked.insert(self.last, cx.now);
        if self.asked.len() > ASKED_MAX {
            self.asked.pop_first();
        }
        self.next = cx.now + cx.jittered(heartbeat);
        link.send(cx, Up::Renewal { number: self.last });
    }

    /// A renewal was answered.
    pub(crate) fn granted(&mut self, now: Time, number: u64, lease: Duration, heartbeat: Duration) {
        let Some(sent) = self.asked.remove(&number) else { return };
        if now.since(sent) >= lease {
            // It has ended before it came.
            return;
        }
        // Those sent before would end sooner.
        self.asked.retain(|other, _| *other > number);
        self.until = self.until.max(sent + lease);
        self.next = self.next.max(sent + (heartbeat * BEATS).min(lease / 4));
    }

    /// How long what is to run here may do so from now on, as far as this agent may say.
    pub(crate) fn lasts(&self, now: Time) -> Option<Duration> {
        let lasts = self.until.since(now);
        (!lasts.is_zero()).then_some(lasts)
    }

    pub(crate) fn deadline(&self) -> Time {
        self.next
    }
}
