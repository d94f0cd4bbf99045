//! A reign: how it begins, which targets are accepted in it, and how it ends.

use godwit_common::link::{Leadership, Targets};

use super::{Agent, Hold};
use crate::cx::Cx;
use crate::fence::still_holds;
use crate::rows::{Changed, kinds};
use crate::{FenceRecord, Kind, Log, fence, leadership};

impl Agent {
    pub(super) fn leadership_news(&mut self, cx: &mut Cx, news: leadership::News) {
        match news {
            leadership::News::Nothing => {}
            leadership::News::Won(term) => {
                self.keeper.begin(term);
                self.view.start(cx);
            }
            leadership::News::Lost(why) => self.end_reign(cx, why),
        }
    }

    pub(super) fn fence_news(&mut self, cx: &mut Cx, news: fence::News) {
        match news {
            fence::News::Nothing => {}
            fence::News::Claimed => self.claimed(cx),
            fence::News::Deposed => {
                self.leadership.depose(cx);
                self.end_reign(cx, "another agent has led since");
            }
            fence::News::Accepted(targets) => self.accepted(cx, &targets),
        }
    }

    fn claimed(&mut self, cx: &mut Cx) {
        if !still_holds(&self.rows, &self.keeper.record()) {
            self.rows.clear();
        }
        for (kind, sight) in kinds(&self.rows) {
            self.view.ensure(cx, kind, sight);
        }
        let FenceRecord { kinds, scaled, .. } = self.keeper.record();
        self.view.require(cx, kinds, scaled);
        let all = Changed {
            rows: self.rows.rows().map(|(uid, _)| uid).collect(),
            graves: self.rows.graves().map(|(uid, _)| uid).collect(),
            ..Changed::default()
        };
        self.needs.begin(&self.rows);
        self.look_at(all);
        self.announce();
    }

    fn accepted(&mut self, cx: &mut Cx, targets: &Targets) {
        let changed = self.rows.merge(targets);
        self.hub.1 = self.hub.1.max(targets.fence.epoch);
        self.hold = Hold::Open;
        let rows = changed.rows.iter().filter_map(|uid| self.rows.row(*uid));
        let rows = rows.map(|row| (Kind::of(&row.key), row.sight()));
        let graves = changed.graves.iter().filter_map(|uid| self.rows.grave(*uid));
        let graves = graves.map(|grave| (Kind::of(&grave.key), grave.sight()));
        for (kind, sight) in rows.chain(graves) {
            self.view.ensure(cx, kind, sight);
        }
        // Who says again that a life has ended does not know yet that it is gone.
        let again = targets.tombstones.iter().map(|ended| ended.uid);
        let gone = again.filter(|uid| self.rows.grave(*uid).is_some_and(|grave| grave.done));
        self.reporter.dirty.removed.extend(gone);
        self.look_at(changed);
        self.link.outbox.have_sync();
        self.link.outbox.accepted(self.rows.fence(), self.rows.digest());
        cx.log(Log::Accepted(targets.fence));
    }

    fn look_at(&mut self, changed: Changed) {
        for uid in changed.rows {
            self.writer.enqueue(&self.rows, uid);
        }
        for uid in changed.graves {
            self.remover.enqueue(uid);
        }
        self.reporter.dirty.ids.extend(changed.workloads);
        for need in &changed.needs {
            if self.rows.has_need(need) {
                self.needs.want(need);
            } else {
                self.needs.forget(need);
                self.reporter.forget_need(need);
            }
        }
        for need in changed.asked.into_iter().filter(|need| self.needs.met(need).is_some()) {
            self.reporter.forget_need(&need);
            self.reporter.need_changed(need);
        }
    }

    fn end_reign(&mut self, cx: &mut Cx, why: &'static str) {
        let why = if self.stopping.is_some() { "this agent is ending" } else { why };
        self.keeper.end();
        self.recall.end();
        self.writer.clear();
        self.remover.clear();
        // What was to be said once there is a stream again is not so any more.
        let following = self.link.is_up().then_some(Leadership::Following);
        self.link.outbox.leadership(following);
        cx.log(Log::Following(why));
    }
}
