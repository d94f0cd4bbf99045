//! The machine's root: it hands each event to the part that it concerns, then lets every part do what is due.

use std::time::Duration;

use godwit_common::link::{Hello, Leadership as LeadershipMessage, Targets, Up, VERSIONS, Welcome};
use godwit_common::rng::Rng;
use godwit_common::{Epoch, Fence, Time, Uid};

use crate::cx::{Cx, Ops, Purpose, Retry};
use crate::fence::{Keeper, still_holds};
use crate::grants::Grants;
use crate::judge::Authority;
use crate::leadership::{Leadership, describe};
use crate::link::Link;
use crate::needs::Needs;
use crate::recall::Recall;
use crate::remover::Remover;
use crate::report::Reporter;
use crate::rows::{Changed, Rows, kinds};
use crate::summons::Summoner;
use crate::view::{Touched, View};
use crate::writer::Writer;
use crate::{
    Call, CallError, Config, Effect, Event, FenceRecord, Identity, Kind, Log, Reply, Scope, fence,
    leadership, link,
};
use crate::{remover, writer};

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

    fn take_in(&mut self, cx: &mut Cx, event: Event) {
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

    /// Lets every part do what is due. The order matters in one place only: what must be said goes before reports.
    fn settle(&mut self, cx: &mut Cx) {
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

    fn welcomed(&mut self, welcome: Welcome) {
        if self.heard.0 != welcome.federation {
            self.heard = (welcome.federation, Epoch::default());
        }
        self.heard.1 = self.heard.1.max(welcome.epoch);
        self.hub = (welcome.federation, welcome.epoch);
        self.grants.begin(self.now);
        self.announce();
    }

    /// The hub has renewed the cluster's lease: if it is the one that leads, as far as this cluster has heard (S9, S10).
    fn granted(&mut self, number: u64, lease: Duration) {
        let held = self.keeper.record().fence;
        let heard = if self.heard.0 == held.federation { self.heard.1 } else { Epoch::default() };
        let leads = self.hub.0 == held.federation && self.hub.1 >= held.epoch.max(heard);
        if let Some(heartbeat) = self.link.heartbeat().filter(|_| leads && self.term().is_some()) {
            self.grants.granted(self.now, number, lease, heartbeat);
        }
    }

    /// Tells the hub that this agent leads, if it does, and begins its reports anew.
    fn announce(&mut self) {
        let Some(term) = self.term() else { return };
        self.reporter.restart();
        self.recall.end();
        self.hold = Hold::Inventory;
        self.link.outbox.leadership(Some(LeadershipMessage::Leading {
            term,
            fence: self.keeper.record().fence,
            base: self.rows.fence().generation,
            digest: self.rows.digest(),
        }));
    }

    fn leadership_news(&mut self, cx: &mut Cx, news: leadership::News) {
        match news {
            leadership::News::Nothing => {}
            leadership::News::Won(term) => {
                self.keeper.begin(term);
                self.view.start(cx);
            }
            leadership::News::Lost(why) => self.end_reign(cx, why),
        }
    }

    fn fence_news(&mut self, cx: &mut Cx, news: fence::News) {
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
        let following = self.link.is_up().then_some(LeadershipMessage::Following);
        self.link.outbox.leadership(following);
        cx.log(Log::Following(why));
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
    fn buried(&mut self, uid: Uid) {
        let Some(key) = self.rows.grave(uid).map(|grave| grave.key.clone()) else {
            return;
        };
        self.rows.rows_of(&key).for_each(|uid| self.writer.enqueue(&self.rows, uid));
    }

    /// A leader may go on as long as its stream is up, or for a little while after it was lost (S24).
    fn may_keep_leading(&self, now: Time) -> bool {
        self.stopping.is_none() && self.link.was_up_within(self.config.resign_after, now)
    }

    /// The term of this agent's reign, once the fence knows it and as long as it may act.
    fn term(&self) -> Option<godwit_common::link::LeaderTerm> {
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

/// The first message of a session; not before the agent knows which cluster it is in, and what that holds.
fn hello(
    config: &Config,
    identity: Option<&Identity>,
    keeper: &Keeper,
    heard: (Uid, Epoch),
) -> Option<Hello> {
    let identity = identity.filter(|_| keeper.is_known())?;
    let held = keeper.record().fence;
    let federation = Some(held.federation).filter(|federation| *federation != Uid::default());
    let heard = if heard.0 == held.federation { heard.1 } else { Epoch::default() };
    Some(Hello {
        versions: VERSIONS,
        build: config.build.clone(),
        instance: config.instance.clone(),
        zone: identity.zone.clone(),
        cluster_uid: identity.cluster_uid,
        federation,
        highest_epoch: held.epoch.max(heard),
        region: identity.region.clone(),
        supervises: config.supervises,
        knows_overrides: true,
    })
}
