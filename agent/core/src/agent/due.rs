//! What is due after every event, of every part in turn.

use godwit_common::link::Up;

use super::session::hello;
use super::{Agent, HOLD, Hold};
use crate::cx::{Cx, Purpose};
use crate::{Call, Effect, Log, fence};

impl Agent {
    /// Lets every part do what is due. The order matters in one place only: what must be said goes before reports.
    pub(super) fn settle(&mut self, cx: &mut Cx) {
        if self.identity.is_none()
            && !self.identity_asked
            && self.identity_retry.due(cx.now)
            && self.stopping.is_none()
        {
            self.identity_asked = true;
            cx.call(Purpose::Identity, Call::ReadIdentity);
        }
        let hello = || hello(&self.config, self.identity.as_ref(), &self.keeper, self.heard);
        self.link.pump(cx, hello);
        let active = self.stopping.is_none();
        let campaign = active && self.link.is_up();
        let keep = self.may_keep_leading(cx.now);
        let news = self.leadership.pump(cx, campaign, keep);
        self.leadership_news(cx, news);
        loop {
            match self.keeper.pump(cx, &self.rows, &mut self.link.outbox) {
                fence::News::Nothing => break,
                news => self.fence_news(cx, news),
            }
        }
        if self.leadership.is_led_by_other() {
            self.view.stop(cx);
        }
        if self.link.is_up() {
            self.link.outbox.api_server(self.leadership.unreachable());
        }
        let (up, stands_by) = (self.link.is_up(), self.link.stands_by());
        self.summoner.pump(cx, up, stands_by, || self.view.name_watch());
        self.work(cx);
        if self.may_check() {
            self.needs.pump(cx);
        }
        self.link.flush(cx);
        let asks = self.may_ask();
        self.grants.pump(cx, &mut self.link, asks);
        if self.may_report()
            && let Some(report) = self.reporter.pop(cx.now, &self.view, &self.rows, &self.needs)
        {
            if self.hold == Hold::Inventory {
                self.hold = Hold::Answer(cx.now + HOLD);
            }
            self.link.send(cx, Up::Report(report));
        }
        if self.may_answer() {
            self.recall.pump(cx, &mut self.link);
        }
        self.link.beat(cx);
        self.end(cx);
    }

    fn work(&mut self, cx: &mut Cx) {
        if matches!(self.hold, Hold::Answer(until) if until <= cx.now) {
            self.hold = Hold::Open;
        }
        if self.term().is_none() || self.hold != Hold::Open {
            return;
        }
        let room = |agent: &Self| {
            let used = agent.writer.in_flight() + agent.remover.in_flight();
            agent.config.calls_in_flight.saturating_sub(used)
        };
        let for_removals = room(self);
        let (remover, mut desk) = self.remover_desk();
        let buried = remover.pump(cx, &mut desk, for_removals);
        buried.into_iter().for_each(|uid| self.buried(uid));
        let for_writes = room(self);
        if let Some((writer, mut desk)) = self.writer_desk() {
            writer.pump(cx, &mut desk, for_writes);
        }
        let held = self.rows.fence();
        if self.rows.reflects() == held.generation && self.applied != held {
            self.applied = held;
            cx.log(Log::Applied(held));
        }
    }

    fn end(&mut self, cx: &mut Cx) {
        let Some(limit) = self.stopping else { return };
        let quiet = self.link.is_drained() && self.leadership.is_released();
        if quiet || limit <= cx.now {
            self.view.stop(cx);
            self.link.close(cx);
            cx.effects.push(Effect::Exit);
            self.exited = true;
        }
    }
}
