//! What comes in: each event, and each answer to a call, goes to the part that it concerns.

use godwit_common::Uid;

use super::{Agent, Hold, STOP_LIMIT};
use crate::cx::{Cx, Purpose};
use crate::leadership::describe;
use crate::view::Touched;
use crate::{CallError, Effect, Event, Kind, Reply, Scope, link};

impl Agent {
    pub(super) fn take_in(&mut self, cx: &mut Cx, event: Event) {
        match event {
            Event::Tick => {}
            Event::Received { session, message } => match self.link.received(cx, session, message) {
                link::News::Nothing | link::News::Lost => {}
                link::News::Welcomed(welcome) => self.welcomed(welcome),
                link::News::Granted(number, lease) => self.granted(number, lease),
                link::News::Recall(known) => {
                    if self.may_answer() {
                        let federation = self.keeper.record().fence.federation;
                        self.recall.begin(&self.view, federation, &known);
                    }
                }
                link::News::Summons(summons) => self.summoner.offer(summons),
                link::News::Targets(targets) => {
                    if self.keeper.is_claimed() {
                        self.keeper.offer(targets, &mut self.link.outbox, cx.now);
                    }
                }
            },
            Event::Sent { session } => self.link.sent(session),
            Event::Closed { session, reason } => {
                self.link.closed(cx, session, &reason);
            }
            Event::Done { op, result } => {
                if let Some(purpose) = cx.ops.close(op) {
                    self.done(cx, purpose, result);
                }
            }
            Event::Watched { watch, change } if self.summoner.is_own(watch) => {
                if self.summoner.heard(&change) {
                    self.link.summoned(cx.now);
                }
            }
            Event::Watched { watch, change } => {
                let touched = self.view.apply(cx.now, watch, change);
                self.touched(touched);
            }
            Event::Asked { ask, mut uids } => {
                let lasts = self.grants.lasts(cx.now).filter(|_| self.term().is_some());
                uids.retain(|uid| lasts.is_some() && self.rows.admits(*uid));
                cx.effects.push(Effect::Admit { ask, lasts, uids });
            }
            Event::Stop => {
                if self.stopping.is_none() {
                    self.stopping = Some(cx.now + STOP_LIMIT);
                    self.link.stop(cx);
                }
            }
        }
    }

    fn done(&mut self, cx: &mut Cx, purpose: Purpose, result: Result<Reply, CallError>) {
        match purpose {
            Purpose::Identity => self.identified(cx, result),
            Purpose::Lease => {
                let campaign = self.link.is_up() && self.stopping.is_none();
                let news = self.leadership.done(cx, result, campaign);
                self.leadership_news(cx, news);
            }
            Purpose::Fence => {
                let news = self.keeper.done(cx, result);
                self.fence_news(cx, news);
            }
            Purpose::Row(uid) => {
                // While rows are held, a write that is done is done, but nothing follows from any other answer.
                let counts = self.hold == Hold::Open || matches!(result, Ok(Reply::Applied(_)));
                match self.writer_desk().filter(|_| counts) {
                    Some((writer, mut desk)) => writer.done(cx, &mut desk, uid, result),
                    None => {
                        self.writer.abandon(&mut self.rows, &self.view, uid, result);
                        self.writer.enqueue(&self.rows, uid);
                    }
                }
                if self.rows.grave(uid).is_some() {
                    self.remover.enqueue(uid);
                }
            }
            Purpose::Grave(uid) => {
                if self.term().is_none() {
                    self.remover.abandon(uid);
                } else {
                    let (remover, mut desk) = self.remover_desk();
                    if remover.done(cx, &mut desk, uid, result) {
                        self.buried(uid);
                    }
                }
            }
            Purpose::Recall(key) => self.recall.done(&key, result),
            Purpose::Summons => self.summoner.done(cx, result),
            Purpose::Need(need) => {
                if self.needs.done(cx, &need, result) {
                    self.reporter.need_changed(need);
                }
            }
        }
    }

    fn identified(&mut self, cx: &mut Cx, result: Result<Reply, CallError>) {
        self.identity_asked = false;
        match result {
            Ok(Reply::Identity(identity)) => self.identity = Some(identity),
            other => self.identity_retry.failed(cx, "identifying the cluster", describe(other)),
        }
    }

    fn touched(&mut self, touched: Touched) {
        for key in &touched.objects {
            let gone = self.view.object(key).is_none();
            let (rows, graves): (Vec<Uid>, Vec<Uid>) =
                (self.rows.rows_of(key).collect(), self.rows.graves_of(key).collect());
            rows.into_iter().for_each(|uid| self.writer.object_changed(&mut self.rows, &self.view, uid));
            graves.into_iter().for_each(|uid| self.remover.changed(uid, gone));
        }
        for id in &touched.workloads {
            let gone = self.view.tally(id).is_none();
            self.rows.graves_of_workload(id).for_each(|uid| self.remover.changed(uid, gone));
        }
        if let Some(Scope::Workloads(kind) | Scope::Scaled(kind) | Scope::Objects(kind)) = &touched.settled {
            self.writer.kind_settled(&mut self.rows, kind);
            let graves = self.rows.graves().filter(|(_, grave)| Kind::of(&grave.key) == *kind);
            graves.for_each(|(uid, _)| self.remover.enqueue(uid));
        }
        self.reporter.touched(touched, &self.view, &self.rows);
    }

    /// A former life is gone: the next one may begin.
    pub(super) fn buried(&mut self, uid: Uid) {
        let Some(key) = self.rows.grave(uid).map(|grave| grave.key.clone()) else {
            return;
        };
        self.rows.rows_of(&key).for_each(|uid| self.writer.enqueue(&self.rows, uid));
    }
}
