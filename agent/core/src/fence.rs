//! The fence in the member cluster (S10, I7): a ConfigMap that only ever rises, changed by compare-and-swap before any
//! target is applied, so that a stale hub and a stale agent alike are harmless.
//!
//! A new leader first writes its term into it (the claim). From then on nobody else's swap succeeds unseen: whoever
//! finds another term there than his own has been replaced.

use std::sync::Arc;

use godwit_common::link::{Alarm, LeaderTerm, Targets, WorkloadTarget};
use godwit_common::{Digest, Fence, Generation, Time, Uid};

use crate::cx::{Cx, Purpose, Retry};
use crate::leadership::describe;
use crate::outbox::Outbox;
use crate::rows::Rows;
use crate::{Call, CallError, Config, FenceRecord, FenceSeen, Kind, Log, Reply};

#[derive(Debug)]
pub(crate) enum News {
    Nothing,
    /// The term stands in the fence: this agent may act.
    Claimed,
    /// Another agent's term stands in the fence.
    Deposed,
    /// These targets hold now.
    Accepted(Arc<Targets>),
}

#[derive(Debug)]
pub(crate) struct Keeper {
    /// The newest knowledge; `None` before the first read, `Some(None)` when there is no ConfigMap.
    seen: Option<Option<FenceSeen>>,
    claim: Claim,
    busy: Option<Doing>,
    /// What we believe about the ConfigMap is in doubt: read before the next write.
    reread: bool,
    retry: Retry,
    /// The targets being judged, and those that came meanwhile, merged.
    current: Option<Arc<Targets>>,
    next: Option<Targets>,
    /// Why targets were last rejected, since some were accepted: said once.
    told: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    None,
    Wanted(LeaderTerm),
    Held(LeaderTerm),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Reading,
    Claiming,
    Raising,
}

/// What becomes of targets.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// Raise the fence, then hold them.
    Raise,
    /// The fence says so already; hold the rows.
    Hold,
    /// Known and held already.
    Known,
    /// Not at their base, or they do not add up: ask for the whole.
    Unfit(&'static str),
    Refuse(Alarm),
}

impl Keeper {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            seen: None,
            claim: Claim::None,
            busy: None,
            reread: false,
            retry: Retry::new(config.lease_poll),
            current: None,
            next: None,
            told: None,
        }
    }

    /// True once the ConfigMap was read.
    pub(crate) fn is_known(&self) -> bool {
        self.seen.is_some()
    }

    /// What the member holds as far as this agent knows.
    pub(crate) fn record(&self) -> FenceRecord {
        match &self.seen {
            Some(Some(seen)) => seen.record.clone(),
            Some(None) | None => FenceRecord::default(),
        }
    }

    pub(crate) fn is_claimed(&self) -> bool {
        matches!(self.claim, Claim::Held(_))
    }

    pub(crate) fn begin(&mut self, term: LeaderTerm) {
        self.claim = Claim::Wanted(term);
        self.retry.at = Time::default();
    }

    /// The reign is over: targets that have not been accepted are void.
    pub(crate) fn end(&mut self) {
        self.claim = Claim::None;
        self.current = None;
        self.next = None;
    }

    pub(crate) fn offer(&mut self, targets: Arc<Targets>, outbox: &mut Outbox, now: Time) {
        if self.current.is_none() {
            self.current = Some(targets);
            return;
        }
        let fits = match &mut self.next {
            Some(next) => next.merge(Targets::clone(&targets)),
            None => {
                self.next = Some(Targets::clone(&targets));
                true
            }
        };
        if !fits {
            outbox.want_sync(now);
        }
    }

    pub(crate) fn pump(&mut self, cx: &mut Cx, rows: &Rows, outbox: &mut Outbox) -> News {
        if self.busy.is_some() || !self.retry.due(cx.now) {
            return News::Nothing;
        }
        let Some(seen) = self.seen.as_ref().filter(|_| !self.reread) else {
            self.start(cx, Doing::Reading, Call::ReadFence);
            return News::Nothing;
        };
        let version = seen.as_ref().map(|seen| seen.version.clone());
        if self.is_deposed() {
            self.end();
            return News::Deposed;
        }
        match self.claim {
            Claim::None => News::Nothing,
            Claim::Wanted(term) => {
                let record = FenceRecord { term, ..self.record() };
                self.start(cx, Doing::Claiming, Call::WriteFence { record, version });
                News::Nothing
            }
            Claim::Held(term) => self.judge_current(cx, rows, outbox, term, version),
        }
    }

    pub(crate) fn done(&mut self, cx: &mut Cx, result: Result<Reply, CallError>) -> News {
        let Some(doing) = self.busy.take() else {
            return News::Nothing;
        };
        match result {
            Ok(Reply::Fence(seen)) => {
                // That the fence can be read does not mean that it can be written.
                if doing != Doing::Reading {
                    self.retry.succeeded();
                }
                self.reread = false;
                self.seen = Some(seen);
                match (doing, self.claim) {
                    (Doing::Reading, _) => News::Nothing,
                    (Doing::Claiming, Claim::Wanted(term)) if self.record().term == term => {
                        self.claim = Claim::Held(term);
                        News::Claimed
                    }
                    (Doing::Raising, Claim::Held(_)) => self.take_current(),
                    // The reign for which it was called has ended.
                    (Doing::Claiming | Doing::Raising, _) => News::Nothing,
                }
            }
            Err(CallError::Outdated) => {
                self.reread = true;
                News::Nothing
            }
            other => {
                self.reread = true;
                self.retry.failed(cx, "the fence", describe(other));
                News::Nothing
            }
        }
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        let wanted = self.seen.is_none()
            || self.reread
            || matches!(self.claim, Claim::Wanted(_))
            || (self.is_claimed() && self.current.is_some());
        (self.busy.is_none() && wanted).then_some(self.retry.at)
    }

    fn judge_current(
        &mut self,
        cx: &mut Cx,
        rows: &Rows,
        outbox: &mut Outbox,
        term: LeaderTerm,
        version: Option<Arc<str>>,
    ) -> News {
        if self.current.is_none() {
            self.current = self.next.take().map(Arc::new);
        }
        let Some(targets) = self.current.clone() else {
            return News::Nothing;
        };
        match judge(&targets, &self.record(), rows) {
            Verdict::Raise => {
                let (fence, digest) = (targets.fence, targets.digest);
                let before = self.record();
                let kinds = before.kinds.into_iter().chain(custom_kinds(&targets)).collect();
                let scaled = before.scaled.into_iter().chain(scaled_kinds(&targets)).collect();
                let record = FenceRecord { fence, digest, term, kinds, scaled };
                self.start(cx, Doing::Raising, Call::WriteFence { record, version });
                return News::Nothing;
            }
            Verdict::Hold => return self.take_current(),
            Verdict::Known => outbox.accepted(targets.fence, targets.digest),
            Verdict::Unfit(why) => {
                self.say_once(cx, why);
                outbox.want_sync(cx.now);
            }
            Verdict::Refuse(alarm) => {
                let why = match alarm {
                    Alarm::Stale { .. } => "they are older than the fence in this cluster",
                    Alarm::Contradiction { .. } => "the same generation was accepted with other content",
                    Alarm::Foreign { .. } => "they are another federation's",
                };
                self.say_once(cx, why);
                outbox.alarm(alarm);
            }
        }
        self.current = self.next.take().map(Arc::new);
        // At most two are held: the second is judged now, and there is no third.
        match self.current {
            Some(_) => self.judge_current(cx, rows, outbox, term, version),
            None => News::Nothing,
        }
    }

    fn say_once(&mut self, cx: &mut Cx, why: &'static str) {
        if self.told != Some(why) {
            self.told = Some(why);
            cx.log(Log::Rejected(why));
        }
    }

    fn take_current(&mut self) -> News {
        self.told = None;
        let taken = self.current.take();
        self.current = self.next.take().map(Arc::new);
        taken.map_or(News::Nothing, News::Accepted)
    }

    /// The fence names a reign that ends ours.
    fn is_deposed(&self) -> bool {
        let found = self.record().term;
        match self.claim {
            Claim::None => false,
            Claim::Wanted(term) => found.lease == term.lease && found.transitions > term.transitions,
            Claim::Held(term) => found != term,
        }
    }

    fn start(&mut self, cx: &mut Cx, doing: Doing, call: Call) {
        self.busy = Some(doing);
        cx.call(Purpose::Fence, call);
    }
}

/// The kinds of custom resources that are workloads.
fn custom_kinds(targets: &Targets) -> impl Iterator<Item = Kind> {
    targets.workloads.iter().filter(|row| !row.scale_only).map(kind_of).filter(Kind::is_custom)
}

/// The kinds of workloads of which only the count is ours.
fn scaled_kinds(targets: &Targets) -> impl Iterator<Item = Kind> {
    targets.workloads.iter().filter(|row| row.scale_only).map(kind_of)
}

fn kind_of(row: &WorkloadTarget) -> Kind {
    Kind { api_version: row.api_version.clone(), kind: row.workload.kind.clone() }
}

/// The whole rule of S10 and S25 for targets that arrive, in order of gravity.
fn judge(targets: &Targets, record: &FenceRecord, rows: &Rows) -> Verdict {
    let (sent, held) = (targets.fence, record.fence);
    let authority = |fence: Fence| (fence.epoch, fence.generation);
    if held.federation != Uid::default() && sent.federation != held.federation {
        return Verdict::Refuse(Alarm::Foreign { held: held.federation, sent: sent.federation });
    }
    if authority(sent) < authority(held) {
        return Verdict::Refuse(Alarm::Stale { held, sent });
    }
    let same = held.federation != Uid::default() && authority(sent) == authority(held);
    if same && targets.digest != record.digest {
        return Verdict::Refuse(Alarm::Contradiction { fence: sent });
    }
    if same && targets.base != Generation(0) && rows.holds(sent, targets.digest) {
        return Verdict::Known;
    }
    match rows.fit(targets) {
        Err(why) => Verdict::Unfit(why),
        Ok(()) if same => Verdict::Hold,
        Ok(()) => Verdict::Raise,
    }
}

/// The rows that a new leader still has in memory are good only if nobody has changed the fence since.
pub(crate) fn still_holds(rows: &Rows, record: &FenceRecord) -> bool {
    let held: (Fence, Digest) = (rows.fence(), rows.digest());
    record.fence.generation != Generation(0) && held == (record.fence, record.digest)
}
