//! What the parts of the machine share during one step.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use godwit_common::backoff::Backoff;
use godwit_common::rng::Rng;
use godwit_common::{Need, ObjectKey, Time, Uid};

use crate::{Call, Effect, Log, OpId};

/// The first and the longest wait after a failed call of the API server.
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_CAP: Duration = Duration::from_secs(30);

/// One step: its moment, its effects, and what every part may draw on.
pub(crate) struct Cx<'a> {
    pub(crate) now: Time,
    pub(crate) rng: &'a mut Rng,
    pub(crate) effects: &'a mut Vec<Effect>,
    pub(crate) ops: &'a mut Ops,
}

impl Cx<'_> {
    /// Starts a call whose answer goes to `purpose`.
    pub(crate) fn call(&mut self, purpose: Purpose, call: Call) {
        let op = self.ops.open(purpose);
        self.effects.push(Effect::Call { op, call });
    }

    pub(crate) fn log(&mut self, line: Log) {
        self.effects.push(Effect::Log(line));
    }

    /// A duration between 80 % and 100 % of `full`, so that a fleet does not beat in step.
    pub(crate) fn jittered(&mut self, full: Duration) -> Duration {
        let ms = u64::try_from(full.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(ms - self.rng.below(ms / 5 + 1))
    }
}

/// Who waits for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    Identity,
    Lease,
    Fence,
    Row(Uid),
    Grave(Uid),
    Need(Need),
    Summons,
    Recall(ObjectKey),
}

/// The calls under way.
#[derive(Debug, Default)]
pub(crate) struct Ops {
    last: u64,
    open: BTreeMap<OpId, Purpose>,
}

impl Ops {
    fn open(&mut self, purpose: Purpose) -> OpId {
        self.last += 1;
        self.open.insert(OpId(self.last), purpose);
        OpId(self.last)
    }

    /// Who waited for it; `None` for an answer that came twice.
    pub(crate) fn close(&mut self, op: OpId) -> Option<Purpose> {
        self.open.remove(&op)
    }
}

/// When to try a failing call again, and whether its trouble was told already.
#[derive(Debug, Clone)]
pub(crate) struct Retry {
    backoff: Backoff,
    pub(crate) at: Time,
    told: Option<Arc<str>>,
}

impl Retry {
    /// A retry that is due at once; `cap` bounds its waits.
    pub(crate) fn new(cap: Duration) -> Self {
        Self { backoff: Backoff::new(RETRY_FIRST, cap.min(RETRY_CAP)), at: Time::default(), told: None }
    }

    pub(crate) fn due(&self, now: Time) -> bool {
        self.at <= now
    }

    pub(crate) fn succeeded(&mut self) {
        self.backoff.reset();
        self.told = None;
    }

    pub(crate) fn failed(&mut self, cx: &mut Cx, what: &'static str, reason: Arc<str>) {
        self.at = cx.now + RETRY_FIRST + self.backoff.next(cx.rng);
        if self.told.as_ref() != Some(&reason) {
            self.told = Some(reason.clone());
            cx.log(Log::Trouble { what, reason });
        }
    }
}
