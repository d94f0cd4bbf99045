//! The machine's root: it hands each event to the part that it concerns, then lets every part do what is due.

mod due;
mod events;
mod reign;
mod session;

use std::time::Duration;

use godwit_common::link::LeaderTerm;
use godwit_common::rng::Rng;
use godwit_common::{Epoch, Fence, Time, Uid};

use crate::cx::{Cx, Ops, Retry};
use crate::fence::Keeper;
use crate::grants::Grants;
use crate::judge::Authority;
use crate::leadership::Leadership;
use crate::link::Link;
use crate::needs::Needs;
use crate::recall::Recall;
use crate::remover::Remover;
use crate::report::Reporter;
use crate::rows::Rows;
use crate::summons::Summoner;
use crate::view::View;
use crate::writer::Writer;
use crate::{Config, Effect, Event, Identity, remover, writer};

/// How long the end of the process may wait for its goodbye and its Lease.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// How long a leader that still has its rows in memory waits after its inventory for newer ones, before it goes on with
/// those (S11). The hub answers an inventory at once if it has anything else in mind.
const HOLD: Duration = Duration::from_secs(2);

/// The agent of one member cluster.
///
/// The contract: the shell calls [`Agent::step`] with [`Event::Tick`] once at the start, then with every event in the
/// order of its arrival, and does the effects in order. It calls `step` with [`Event::Tick`] when [`Agent::deadline`]
/// has come. `now` never goes back. Equal construction and equal events yield equal effects, byte for byte.
/// `step` never blocks and never fails: what is wrong with an event becomes an effect.
#[derive(Debug)]
pub struct Agent {
    config: Config,
    /// The time of the last step.
    now: Time,
    rng: Rng,
    ops: Ops,
    identity: Option<Identity>,
    identity_asked: bool,
    identity_retry: Retry,
    link: Link,
    leadership: Leadership,
    keeper: Keeper,
    rows: Rows,
    view: View,
    writer: Writer,
    remover: Remover,
    reporter: Reporter,
    needs: Needs,
    summoner: Summoner,
    grants: Grants,
    /// Which hub speaks, and under which epoch: that of its welcome, or a later one of targets that were accepted.
    hub: (Uid, Epoch),
    recall: Recall,
    /// The highest epoch heard of the cluster's own federation, beyond what the fence says (S10).
    heard: (Uid, Epoch),
    applied: Fence,
    hold: Hold,
    /// When the process ends at the latest.
    stopping: Option<Time>,
    exited: bool,
}

/// Whether rows may be worked on: a cluster that returns starts nothing before the hub has seen its inventory (S11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    Open,
    /// The inventory of this session has not been sent.
    Inventory,
    /// It has: the hub's answer would come before this.
    Answer(Time),
}

impl Agent {
    /// An agent that has just started and knows nothing.
    pub fn new(config: Config, rng: Rng) -> Self {
        Self {
            now: Time::default(),
            rng,
            ops: Ops::default(),
            identity: None,
            identity_asked: false,
            identity_retry: Retry::new(config.dial_cap),
            link: Link::new(&config),
            leadership: Leadership::new(&config),
            keeper: Keeper::new(&config),
            rows: Rows::default(),
            view: View::default(),
            writer: Writer::default(),
            remover: Remover::default(),
            reporter: Reporter::new(&config),
            needs: Needs::new(&config),
            summoner: Summoner::new(&config),
            grants: Grants::default(),
            hub: (Uid::default(), Epoch::default()),
            recall: Recall::default(),
            heard: (Uid::default(), Epoch::default()),
            applied: Fence::default(),
            hold: Hold::Open,
            stopping: None,
            exited: false,
            config,
        }
    }

    /// Takes in one event and says what shall be done.
    pub fn step(&mut self, now: Time, event: Event, effects: &mut Vec<Effect>) {
        if self.exited {
            return;
        }
        self.now = now;
        let mut rng = self.rng.clone();
        let mut ops = std::mem::take(&mut self.ops);
        let mut cx = Cx { now, rng: &mut rng, effects, ops: &mut ops };
        self.take_in(&mut cx, event);
        self.settle(&mut cx);
        self.rng = rng;
        self.ops = ops;
    }

    /// When a [`Event::Tick`] is wanted next: always after the last step, so that a clock that jumps from deadline to
    /// deadline gets on.
    pub fn deadline(&self) -> Option<Time> {
        if self.exited {
            return None;
        }
        let active = self.stopping.is_none();
        let (campaign, keep) = (active && self.link.is_up(), self.may_keep_leading(self.now));
        let identity =
            (active && self.identity.is_none() && !self.identity_asked).then_some(self.identity_retry.at);
        let grace_ends = self.link.down_since().map(|since| since + self.config.resign_after);
        let resign = grace_ends.filter(|_| keep && self.leadership.term().is_some());
        let work = [self.writer.deadline(), self.remover.deadline()].into_iter().flatten().min();
        let hold = match self.hold {
            Hold::Open => work,
            Hold::Inventory => None,
            Hold::Answer(until) => Some(until),
        };
        let knows_itself = self.identity.is_some() && self.keeper.is_known();
        let all = [
            identity,
            self.link.deadline().filter(|_| knows_itself || self.link.is_up()),
            self.leadership.deadline(campaign, keep),
            resign,
            self.keeper.deadline(),
            self.summoner.deadline(),
            hold.filter(|_| self.term().is_some()),
            self.may_check().then(|| self.needs.deadline()).flatten(),
            (self.may_ask() && self.link.has_room()).then(|| self.grants.deadline()),
            self.may_report().then(|| self.reporter.deadline(&self.rows)).flatten(),
            self.stopping,
        ];
        let next = all.into_iter().flatten().min();
        next.map(|next| next.max(self.now + Duration::from_millis(1)))
    }

    /// Whether a hub has this agent: a session stands, or the hub has told it to stand by.
    pub fn is_attached(&self) -> bool {
        self.link.is_up() || self.link.stands_by()
    }

    /// A leader may go on as long as its stream is up, or for a little while after it was lost (S24).
    fn may_keep_leading(&self, now: Time) -> bool {
        self.stopping.is_none() && self.link.was_up_within(self.config.resign_after, now)
    }

    /// The term of this agent's reign, once the fence knows it and as long as it may act.
    fn term(&self) -> Option<LeaderTerm> {
        let acts = self.keeper.is_claimed() && self.stopping.is_none();
        self.leadership.term().filter(|_| acts)
    }

    /// A report that waits behind other messages would be old before it leaves.
    fn may_report(&self) -> bool {
        self.term().is_some() && self.link.is_idle() && self.view.is_synced()
    }

    /// Only a leader asks for its cluster's lease to be renewed, where supervisors have something to let run (S9).
    fn may_ask(&self) -> bool {
        self.config.supervises && self.term().is_some() && self.link.is_up() && self.rows.admit_any()
    }

    /// Whether the hub may be told what is here: only a leader that has seen all of it knows.
    fn may_answer(&self) -> bool {
        self.term().is_some() && self.link.is_up() && self.view.is_synced()
    }

    /// Only a leader looks for what workloads need, and not before it has seen what is there.
    fn may_check(&self) -> bool {
        self.term().is_some() && self.view.is_synced()
    }

    fn writer_desk(&mut self) -> Option<(&mut Writer, writer::Desk<'_>)> {
        let mine = Authority { fence: self.rows.fence(), term: self.term()? };
        let supervises = self.config.supervises;
        let dirty = &mut self.reporter.dirty;
        let desk = writer::Desk { rows: &mut self.rows, view: &self.view, dirty, mine, supervises };
        Some((&mut self.writer, desk))
    }

    fn remover_desk(&mut self) -> (&mut Remover, remover::Desk<'_>) {
        let desk = remover::Desk {
            rows: &mut self.rows,
            view: &self.view,
            writer: &self.writer,
            dirty: &mut self.reporter.dirty,
            alone_from: self.leadership.alone_from(),
        };
        (&mut self.remover, desk)
    }
}
