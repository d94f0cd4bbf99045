//! Applies rows (S26): in order of stages, a bounded number at once, one call for each object. A row that cannot be
//! applied waits for its next attempt and holds nobody up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use godwit_common::link::Difference;
use godwit_common::policy::overrides::mark;
use godwit_common::{Time, Uid};

use crate::cx::{Cx, Purpose};
use crate::judge::{Authority, Left, Verdict, is_at_least, judge};
use crate::leadership::describe;
use crate::report::Dirty;
use crate::rows::{Row, Rows, Stage};
use crate::schedule::Schedule;
use crate::view::View;
use crate::{Apply, Call, CallError, Kind, Log, ObjectSeen, Reply, Stamp};

/// Between the first failures of a row, and at most.
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_CAP: Duration = Duration::from_secs(30);
/// After so many writes whose precondition did not hold, the row waits like after a failure.
const OUTDATED_MAX: u32 = 3;

/// Which rows are looked at, and when.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    ready: BTreeSet<(Stage, Uid)>,
    waits: Schedule,
    /// When rows that somebody kept changing have been left alone for long enough.
    quiet: Schedule,
    busy: BTreeMap<Uid, Busy>,
    /// Kinds that rows wait for because their objects have not been listed yet, with the rows' stage.
    starting: BTreeMap<Kind, Stage>,
}

#[derive(Debug)]
struct Busy {
    stage: Stage,
    /// The call under way, if it is an apply.
    apply: Option<Apply>,
}

/// What the writer works on.
pub(crate) struct Desk<'a> {
    pub(crate) rows: &'a mut Rows,
    pub(crate) view: &'a View,
    pub(crate) dirty: &'a mut Dirty,
    pub(crate) mine: Authority,
    /// Whether pods can have a supervisor here (S9).
    pub(crate) supervises: bool,
}

impl Writer {
    pub(crate) fn in_flight(&self) -> usize {
        self.busy.len()
    }

    /// A call for this row is under way.
    pub(crate) fn is_busy(&self, uid: Uid) -> bool {
        self.busy.contains_key(&uid)
    }

    /// Looks at a row as soon as its turn comes.
    pub(crate) fn enqueue(&mut self, rows: &Rows, uid: Uid) {
        if let Some(row) = rows.row(uid) {
            self.waits.cancel(&uid);
            self.ready.insert((row.stage(), uid));
        }
    }

    /// The reign is over. Calls under way end by themselves.
    pub(crate) fn clear(&mut self) {
        self.ready.clear();
        self.waits.clear();
        self.quiet.clear();
        self.starting.clear();
    }

    /// The watch shows the row's object anew, or shows that it is gone.
    pub(crate) fn object_changed(&mut self, rows: &mut Rows, view: &View, uid: Uid) {
        let Some(row) = rows.row_mut(uid) else { return };
        if view.object(&row.key).is_none() {
            row.written = None;
            self.enqueue(rows, uid);
        } else if row.written.is_some() {
            self.look_for_echo(rows, view, uid);
        } else if !self.waits.contains(&uid) {
            // A row in trouble keeps its pace, however often its object changes.
            self.enqueue(rows, uid);
        }
    }

    /// All objects of a kind were listed anew, so that none of its writes is still to be shown.
    pub(crate) fn kind_settled(&mut self, rows: &mut Rows, kind: &Kind) {
        self.starting.remove(kind);
        let of_kind = rows.rows().filter(|(_, row)| Kind::of(&row.key) == *kind);
        let uids: Vec<Uid> = of_kind.map(|(uid, _)| uid).collect();
        for uid in uids {
            if let Some(row) = rows.row_mut(uid) {
                row.written = None;
            }
            self.enqueue(rows, uid);
        }
    }

    /// Starts what may start, as long as fewer than `room` calls are begun.
    pub(crate) fn pump(&mut self, cx: &mut Cx, desk: &mut Desk, room: usize) {
        let busy_before = self.busy.len();
        while let Some(uid) = self.waits.pop(cx.now).or_else(|| self.quiet.pop(cx.now)) {
            self.enqueue(desk.rows, uid);
        }
        while self.busy.len() < busy_before + room {
            let Some((stage, uid)) = self.next() else { break };
            self.ready.remove(&(stage, uid));
            self.look(cx, desk, uid);
        }
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        [self.waits.next(), self.quiet.next()].into_iter().flatten().min()
    }

    pub(crate) fn done(&mut self, cx: &mut Cx, desk: &mut Desk, uid: Uid, result: Result<Reply, CallError>) {
        let Some(busy) = self.busy.remove(&uid) else {
            return;
        };
        let Some(row) = desk.rows.row_mut(uid) else { return };
        let result = match result {
            // Somebody made it after the read had found nothing: whose it is must be seen before anything is forced.
            Err(CallError::FieldConflict { .. }) if busy.is_first_apply() => Err(CallError::Outdated),
            other => other,
        };
        match result {
            Ok(Reply::Object { object, .. }) => self.act(cx, desk, uid, object.as_ref(), true),
            Ok(Reply::Applied(seen)) => {
                row.attempts.outdated = 0;
                row.attempts.made_namespace = false;
                row.unkept = Some(seen.altered);
                match busy.apply {
                    Some(apply) if !apply.dry_run => {
                        row.note_write(cx.now, &apply);
                        row.written = Some(seen.version);
                        self.look_for_echo(desk.rows, desk.view, uid);
                    }
                    Some(_) | None => self.enqueue(desk.rows, uid),
                }
            }
            // Who cannot be asked what a write would leave is taken at the books' word.
            Err(CallError::Refused(_)) if busy.is_dry_run() => {
                row.unkept = Some(Arc::default());
                self.enqueue(desk.rows, uid);
            }
            Ok(Reply::NamespaceReady) => self.enqueue(desk.rows, uid),
            Err(CallError::Outdated) if row.attempts.outdated < OUTDATED_MAX => {
                row.attempts.outdated += 1;
                let call = read(row);
                self.call(cx, uid, row.stage(), call);
            }
            Err(CallError::FieldConflict { message, .. }) => match busy.apply {
                // What the hub says anew is written, whoever had the field (S29).
                Some(apply) if !apply.force => {
                    cx.log(Log::Overruled { key: apply.key.clone(), message });
                    let call = Call::Apply(Apply { force: true, ..apply });
                    self.call(cx, uid, busy.stage, call);
                }
                Some(_) | None => self.fail(cx, desk, uid, message, true),
            },
            Err(CallError::NamespaceMissing) if !row.attempts.made_namespace => {
                row.attempts.made_namespace = true;
                let name = row.key.namespace.clone();
                self.call(cx, uid, busy.stage, Call::CreateNamespace { name });
            }
            // Whether it was written is unknown: the watch will show, or the next attempt.
            Err(CallError::Unavailable(reason)) => {
                row.unanswered = busy.builds_on();
                self.fail(cx, desk, uid, reason, false);
            }
            other => self.fail(cx, desk, uid, describe(other), true),
        }
    }

    /// A call has ended after the reign that began it, or while rows are held: what it came to is noted.
    pub(crate) fn abandon(
        &mut self,
        rows: &mut Rows,
        view: &View,
        uid: Uid,
        result: Result<Reply, CallError>,
    ) {
        let busy = self.busy.remove(&uid);
        let Some((row, busy)) = rows.row_mut(uid).zip(busy) else { return };
        match result {
            Ok(Reply::Applied(seen)) if !busy.is_dry_run() => {
                row.written = Some(seen.version);
                self.look_for_echo(rows, view, uid);
            }
            Err(CallError::Unavailable(_)) => row.unanswered = busy.builds_on(),
            Ok(_) | Err(_) => {}
        }
    }

    /// Looks at a row that was written once the watch shows the write.
    fn look_for_echo(&mut self, rows: &mut Rows, view: &View, uid: Uid) {
        let Some(row) = rows.row_mut(uid) else { return };
        let (Some(written), Some(seen)) = (&row.written, view.object(&row.key)) else {
            return;
        };
        if is_at_least(&seen.version, written) {
            row.written = None;
            self.enqueue(rows, uid);
        }
    }

    /// The first row in order, unless an earlier stage still has calls under way, or cannot say yet what it needs.
    fn next(&self) -> Option<(Stage, Uid)> {
        let mut candidates = self.ready.iter().filter(|(_, uid)| !self.busy.contains_key(uid));
        let (stage, uid) = candidates.next().copied()?;
        let mut under_way = self.busy.values().map(|busy| busy.stage).chain(self.starting.values().copied());
        let earlier = under_way.any(|other| other < stage);
        (!earlier).then_some((stage, uid))
    }

    fn look(&mut self, cx: &mut Cx, desk: &mut Desk, uid: Uid) {
        let Some(row) = desk.rows.row(uid) else { return };
        match desk.view.readiness(&Kind::of(&row.key), row.sight()) {
            None => {
                self.starting.insert(Kind::of(&row.key), row.stage());
            }
            Some(Err(reason)) => {
                let problem = format!("its kind cannot be watched: {reason}").into();
                self.fail(cx, desk, uid, problem, true);
            }
            // What was written has yet to be shown; that brings the row back.
            Some(Ok(())) if row.written.is_some() => {}
            Some(Ok(())) => match desk.view.object(&row.key) {
                // The watch shows only what is managed: what is not there may still exist.
                None => {
                    let (stage, call) = (row.stage(), read(row));
                    self.call(cx, uid, stage, call);
                }
                Some(seen) => self.act(cx, desk, uid, Some(seen), false),
            },
        }
    }

    /// Does what the sight of the object calls for; `fresh` if it comes from a read and not from the watch.
    fn act(&mut self, cx: &mut Cx, desk: &mut Desk, uid: Uid, seen: Option<&ObjectSeen>, fresh: bool) {
        let blocked = |row: &Row| desk.rows.is_blocked_by_grave(&row.key);
        if desk.rows.row(uid).is_some_and(blocked) {
            // A former life has not left yet; the end of its removal brings the row back.
            return;
        }
        let (mine, supervises) = (desk.mine, desk.supervises);
        let Some(row) = desk.rows.row_mut(uid) else { return };
        row.unanswered.take_if(|version| seen.is_none_or(|seen| seen.version != *version));
        let stage = row.stage();
        match judge(uid, row, seen, mine) {
            Verdict::Stays(left) => self.stays(cx, desk, uid, seen.filter(|_| fresh), left),
            Verdict::Write { version, force, replicas } => {
                if let Some(at) = row.next_correction().filter(|at| *at > cx.now) {
                    self.waits.set(uid, at);
                    return;
                }
                let problem = row.dispute(cx.now, seen);
                let whole = row.to_apply(uid, mine, supervises);
                let takes_over = seen.is_some_and(|seen| seen.stamp.is_none());
                let apply = Apply { replicas, version, force, takes_over, ..whole };
                if !problem.is_empty() && desk.set_problem(uid, &problem) {
                    cx.log(Log::Problem { key: apply.key.clone(), problem });
                }
                self.call(cx, uid, stage, Call::Apply(apply));
            }
            Verdict::Try { version, replicas } => {
                let whole = row.to_apply(uid, mine, supervises);
                let version = Some(version);
                let apply = Apply { replicas, version, force: true, dry_run: true, ..whole };
                self.call(cx, uid, stage, Call::Apply(apply));
            }
            Verdict::Blocked(problem) => self.fail(cx, desk, uid, problem, true),
            Verdict::Awaits(problem) => {
                row.attempts = Default::default();
                let key = row.key.clone();
                desk.rows.mark_seen(uid);
                if desk.set_problem(uid, &problem) {
                    cx.log(Log::Problem { key, problem });
                }
            }
        }
    }

    /// Nothing is to be written: the object is as it shall be, or is left as it is (S29). What only a read has shown is
    /// waited for in the watch.
    fn stays(&mut self, cx: &mut Cx, desk: &mut Desk, uid: Uid, read: Option<&ObjectSeen>, left: Left) {
        let Some(row) = desk.rows.row_mut(uid) else { return };
        row.attempts = Default::default();
        let (key, quiet) = (row.key.clone(), row.disputed_until().filter(|until| *until > cx.now));
        match read {
            Some(seen) => {
                row.written = Some(seen.version.clone());
                self.look_for_echo(desk.rows, desk.view, uid);
            }
            None => {
                desk.rows.mark_seen(uid);
                if desk.set_difference(uid, left.difference)
                    && let Some(difference) = left.difference
                {
                    cx.log(Log::Left { key: key.clone(), difference });
                }
                if desk.set_edited(uid, &left.edited) && !left.edited.is_empty() {
                    cx.log(Log::Edited { key, fields: left.edited });
                }
            }
        }
        match quiet {
            // As it is now, it is right; but who changed it may come back any moment.
            Some(until) => self.quiet.set(uid, until),
            None => desk.clear_problem(uid),
        }
    }

    /// Tries again later. `certain`: nothing of this row was written, so nothing of it need be waited for.
    fn fail(&mut self, cx: &mut Cx, desk: &mut Desk, uid: Uid, problem: Arc<str>, certain: bool) {
        let Some(row) = desk.rows.row_mut(uid) else { return };
        self.waits.set(uid, cx.now + retry_wait(cx, row.attempts.failed));
        row.attempts.failed += 1;
        row.attempts.outdated = 0;
        row.attempts.made_namespace = false;
        let key = row.key.clone();
        if certain {
            desk.rows.mark_seen(uid);
        }
        if desk.set_problem(uid, &problem) {
            cx.log(Log::Problem { key, problem });
        }
    }

    fn call(&mut self, cx: &mut Cx, uid: Uid, stage: Stage, call: Call) {
        let apply = match &call {
            Call::Apply(apply) => Some(apply.clone()),
            Call::Read { .. } | Call::CreateNamespace { .. } | Call::Delete { .. } => None,
            Call::ReadIdentity | Call::ReadLease | Call::ReadFence | Call::ReadSummons => None,
            Call::WriteSummons { .. } => None,
            Call::WriteLease(_) | Call::WriteFence { .. } | Call::CheckNeed { .. } => None,
        };
        self.busy.insert(uid, Busy { stage, apply });
        cx.call(Purpose::Row(uid), call);
    }
}

impl Busy {
    /// The version that the call under way needs the object to have, if it writes.
    fn builds_on(&self) -> Option<Arc<str>> {
        self.apply.as_ref().filter(|apply| !apply.dry_run)?.version.clone()
    }

    /// The call under way writes nothing.
    fn is_dry_run(&self) -> bool {
        self.apply.as_ref().is_some_and(|apply| apply.dry_run)
    }

    /// The call under way is an apply of what was not there.
    fn is_first_apply(&self) -> bool {
        self.apply.as_ref().is_some_and(|apply| apply.version.is_none())
    }
}

impl Desk<'_> {
    fn set_problem(&mut self, uid: Uid, problem: &Arc<str>) -> bool {
        let news = self.rows.set_problem(uid, problem);
        if news && let Some(row) = self.rows.row(uid) {
            self.dirty.problem_of(row);
        }
        news
    }

    fn set_difference(&mut self, uid: Uid, difference: Option<Difference>) -> bool {
        let news = self.rows.set_difference(uid, difference);
        if news && let Some(row) = self.rows.row(uid) {
            self.dirty.problem_of(row);
        }
        news
    }

    fn set_edited(&mut self, uid: Uid, edited: &Arc<str>) -> bool {
        let news = self.rows.set_edited(uid, edited);
        if news {
            self.dirty.edits.insert(uid);
        }
        news
    }

    fn clear_problem(&mut self, uid: Uid) {
        self.set_problem(uid, &Arc::default());
    }
}

impl Row {
    /// What the row says, as a write.
    fn to_apply(&self, uid: Uid, mine: Authority, supervises: bool) -> Apply {
        Apply {
            key: self.key.clone(),
            manifest: self.manifest.clone(),
            overrides: self.overrides.clone(),
            replicas: self.replicas,
            supervised: self.supervised && supervises,
            stamp: Stamp {
                uid,
                revision: self.revision,
                ordinals: self.ordinals,
                bounds: self.bounds,
                overrides: mark(&self.overrides),
                fence: mine.fence,
                term: mine.term,
            },
            charter: self.charter.clone(),
            version: None,
            force: false,
            dry_run: false,
            scale_only: self.scale_only,
            takes_over: false,
        }
    }
}

/// Doubles from the first wait up to the longest; between half and all of it, so that rows do not move in step.
pub(crate) fn retry_wait(cx: &mut Cx, failed: u32) -> Duration {
    let full = RETRY_FIRST.saturating_mul(1 << failed.min(16)).min(RETRY_CAP);
    let half_ms = u64::try_from(full.as_millis() / 2).unwrap_or(0);
    full / 2 + Duration::from_millis(cx.rng.below(half_ms + 1))
}

fn read(row: &Row) -> Call {
    Call::Read { key: row.key.clone(), pods: false }
}
