//! Carries out tombstones (S27, S28): an object is deleted only if it is the very one, and it counts as gone only when
//! the watch shows neither it nor its pods, and a read of the source agrees.

use std::collections::BTreeSet;
use std::sync::Arc;

use godwit_common::{Time, Uid};

use crate::cx::{Cx, Purpose};
use crate::leadership::describe;
use crate::report::Dirty;
use crate::rows::{Grave, Rows};
use crate::schedule::Schedule;
use crate::view::View;
use crate::writer::{Writer, retry_wait};
use crate::{Call, CallError, Kind, Log, ObjectSeen, Reply};

/// So often pods are waited for that the watch shows, longer each time, before a read is to say whose they are.
const PATIENCE: u32 = 7;

#[derive(Debug, Default)]
pub(crate) struct Remover {
    ready: BTreeSet<Uid>,
    waits: Schedule,
    busy: BTreeSet<Uid>,
}

/// What the remover works on.
pub(crate) struct Desk<'a> {
    pub(crate) rows: &'a mut Rows,
    pub(crate) view: &'a View,
    pub(crate) writer: &'a Writer,
    pub(crate) dirty: &'a mut Dirty,
    /// Before this nothing is taken to be gone for good: an earlier leader may bring it back (S28).
    pub(crate) alone_from: Time,
}

impl Remover {
    pub(crate) fn in_flight(&self) -> usize {
        self.busy.len()
    }

    /// Looks at a grave as soon as there is room: it is new, say.
    pub(crate) fn enqueue(&mut self, uid: Uid) {
        self.waits.cancel(&uid);
        self.ready.insert(uid);
    }

    /// What a grave waits for has changed. One in trouble keeps its pace unless what it waits for is `gone`.
    pub(crate) fn changed(&mut self, uid: Uid, gone: bool) {
        if gone || !self.waits.contains(&uid) {
            self.enqueue(uid);
        }
    }

    /// A call has ended after the reign that began it.
    pub(crate) fn abandon(&mut self, uid: Uid) {
        self.busy.remove(&uid);
    }

    pub(crate) fn clear(&mut self) {
        self.ready.clear();
        self.waits.clear();
    }

    /// Starts what may start, as long as fewer than `room` calls are begun. Says which graves are done.
    pub(crate) fn pump(&mut self, cx: &mut Cx, desk: &mut Desk, room: usize) -> Vec<Uid> {
        let (mut done, busy_before) = (Vec::new(), self.busy.len());
        while let Some(uid) = self.waits.pop(cx.now) {
            self.ready.insert(uid);
        }
        while self.busy.len() < busy_before + room {
            let next = self.ready.iter().find(|uid| !self.busy.contains(uid)).copied();
            let Some(uid) = next else { break };
            self.ready.remove(&uid);
            if self.look(cx, desk, uid) {
                done.push(uid);
            }
        }
        done
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        self.waits.next()
    }

    /// Takes in the end of a call; true when the grave is done.
    pub(crate) fn done(
        &mut self,
        cx: &mut Cx,
        desk: &mut Desk,
        uid: Uid,
        result: Result<Reply, CallError>,
    ) -> bool {
        self.busy.remove(&uid);
        let Some(grave) = desk.rows.grave_mut(uid) else {
            return false;
        };
        match result {
            Ok(Reply::Object { object, pods, manifest: _ }) => match object {
                Some(object) if is_of(&object, uid) && object.deleting => self.wait(cx, desk, uid),
                Some(object) if is_of(&object, uid) => {
                    let foreground = grave.owns_unknown();
                    self.delete(cx, &object, uid, foreground);
                    false
                }
                None if pods > 0 => self.wait(cx, desk, uid),
                // It is gone, or its name belongs to somebody else now: this life is over.
                Some(_) | None => self.finish(cx, desk, uid),
            },
            Ok(Reply::Deleted) => {
                grave.attempts = Default::default();
                desk.set_problem(uid, &Arc::default());
                // The watch brings it back; a look now and then guards against a finalizer that never ends.
                self.wait(cx, desk, uid)
            }
            Err(CallError::Outdated) if grave.attempts.outdated == 0 => {
                grave.attempts.outdated += 1;
                self.read(cx, grave, uid);
                false
            }
            other => self.fail(cx, desk, uid, describe(other)),
        }
    }

    fn look(&mut self, cx: &mut Cx, desk: &mut Desk, uid: Uid) -> bool {
        let Some(grave) = desk.rows.grave_mut(uid) else { return false };
        if grave.kept {
            return !grave.done && desk.finish(uid);
        }
        // The last write of an agent that led before may arrive after the removal, and bring the object back.
        let is_back = |seen: &ObjectSeen| is_of(seen, uid);
        grave.done &= !desk.view.object(&grave.key).is_some_and(is_back);
        if grave.done {
            return false;
        }
        // A write of this very life is still under way: what it leaves is to be removed, and its end brings us back.
        if desk.writer.is_busy(uid) {
            return false;
        }
        let Some(grave) = desk.rows.grave(uid) else { return false };
        match desk.view.readiness(&Kind::of(&grave.key), grave.sight()) {
            None => return false,
            Some(Err(reason)) => {
                let problem = format!("its kind cannot be watched: {reason}").into();
                return self.fail(cx, desk, uid, problem);
            }
            Some(Ok(())) => {}
        }
        let pods = grave.workload.as_ref().and_then(|id| desk.view.tally(id));
        match desk.view.object(&grave.key) {
            Some(object) if is_of(object, uid) && object.deleting => {}
            Some(object) if is_of(object, uid) => self.delete(cx, object, uid, grave.owns_unknown()),
            // They end after it; only a read shows whether those that stay are of an object of its name that is nobody's.
            None if pods.is_some_and(|tally| tally.exist > 0) => {
                let ends = pods.is_some_and(|tally| tally.terminating > 0);
                match ends || grave.attempts.failed < PATIENCE {
                    true => return self.wait(cx, desk, uid),
                    false => self.read(cx, grave, uid),
                }
            }
            Some(_) | None => self.read(cx, grave, uid),
        }
        false
    }

    fn finish(&mut self, cx: &mut Cx, desk: &mut Desk, uid: Uid) -> bool {
        if cx.now < desk.alone_from {
            self.waits.set(uid, desk.alone_from);
            return false;
        }
        desk.finish(uid)
    }

    fn delete(&mut self, cx: &mut Cx, object: &ObjectSeen, uid: Uid, foreground: bool) {
        self.busy.insert(uid);
        let call = Call::Delete {
            key: object.key.clone(),
            uid: object.uid.clone(),
            version: object.version.clone(),
            foreground,
        };
        cx.call(Purpose::Grave(uid), call);
    }

    fn read(&mut self, cx: &mut Cx, grave: &Grave, uid: Uid) {
        self.busy.insert(uid);
        let (key, pods) = (grave.key.clone(), grave.workload.is_some());
        cx.call(Purpose::Grave(uid), Call::Read { key, pods });
    }

    fn wait(&mut self, cx: &mut Cx, desk: &mut Desk, uid: Uid) -> bool {
        if let Some(grave) = desk.rows.grave_mut(uid) {
            let wait = retry_wait(cx, grave.attempts.failed);
            grave.attempts.failed += 1;
            grave.attempts.outdated = 0;
            self.waits.set(uid, cx.now + wait);
        }
        false
    }

    fn fail(&mut self, cx: &mut Cx, desk: &mut Desk, uid: Uid, problem: Arc<str>) -> bool {
        self.wait(cx, desk, uid);
        if desk.set_problem(uid, &problem)
            && let Some(grave) = desk.rows.grave(uid)
        {
            let key = grave.key.clone();
            cx.log(Log::Problem { key, problem });
        }
        false
    }
}

impl Desk<'_> {
    fn finish(&mut self, uid: Uid) -> bool {
        self.set_problem(uid, &Arc::default());
        if let Some(grave) = self.rows.grave_mut(uid) {
            grave.done = true;
        }
        self.dirty.removed.insert(uid);
        true
    }

    fn set_problem(&mut self, uid: Uid, problem: &Arc<str>) -> bool {
        let Some(grave) = self.rows.grave_mut(uid).filter(|grave| grave.problem != *problem) else {
            return false;
        };
        grave.problem = problem.clone();
        self.dirty.ids.extend(grave.workload.clone());
        true
    }
}

impl Grave {
    /// It was a workload, and it alone can say which pods are its own.
    fn owns_unknown(&self) -> bool {
        self.workload.is_some() && Kind::of(&self.key).is_custom()
    }
}

/// Whether the object is of this life.
fn is_of(object: &ObjectSeen, life: Uid) -> bool {
    object.stamp.is_some_and(|stamp| stamp.uid == life)
}
