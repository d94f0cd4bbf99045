//! What waits to be said to the hub: the newest of each kind, so that a slow stream never builds a queue (S25).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use godwit_common::link::{Alarm, Leadership, TEXT_MAX, Up};
use godwit_common::{Digest, Fence, Time};

/// A hub that sends what does not fit is asked for the whole no more often than this.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// One slot for each kind of message; reports and heartbeats are made when there is room for them.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    leadership: Option<Leadership>,
    alarms: BTreeMap<&'static str, Alarm>,
    accepted: Option<(Fence, Digest)>,
    /// Whether the API server is reached, as the hub was told in this session (S3), and as it is to be told.
    reached: Reached,
    sync_at: Option<Time>,
    synced_at: Option<Time>,
}

#[derive(Debug, Default)]
struct Reached {
    told_unreachable: bool,
    news: Option<Option<Arc<str>>>,
}

impl Outbox {
    /// A session begins or ends: what was for the old one is void.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Says this next, or nothing of what was to be said.
    pub(crate) fn leadership(&mut self, leadership: Option<Leadership>) {
        self.leadership = leadership;
    }

    pub(crate) fn accepted(&mut self, fence: Fence, digest: Digest) {
        self.accepted = Some((fence, digest));
    }

    pub(crate) fn alarm(&mut self, alarm: Alarm) {
        let kind = match alarm {
            Alarm::Stale { .. } => "stale",
            Alarm::Contradiction { .. } => "contradiction",
            Alarm::Foreign { .. } => "foreign",
        };
        self.alarms.insert(kind, alarm);
    }

    /// The API server is not reached for this reason, or it is: said once in a session, and once more when it changes.
    pub(crate) fn api_server(&mut self, unreachable: Option<&Arc<str>>) {
        if unreachable.is_some() != self.reached.told_unreachable {
            self.reached.told_unreachable = unreachable.is_some();
            self.reached.news = Some(unreachable.map(cut));
        }
    }

    pub(crate) fn want_sync(&mut self, now: Time) {
        let earliest = self.synced_at.map_or(now, |asked| asked + SYNC_INTERVAL);
        self.sync_at.get_or_insert(earliest.max(now));
    }

    /// A whole state was accepted: nothing more is wanted.
    pub(crate) fn have_sync(&mut self) {
        self.sync_at = None;
    }

    /// The next message, if one is ready.
    pub(crate) fn pop(&mut self, now: Time) -> Option<Up> {
        if let Some(leadership) = self.leadership.take() {
            return Some(Up::Leadership(leadership));
        }
        if let Some((_, alarm)) = self.alarms.pop_first() {
            return Some(Up::Alarm(alarm));
        }
        if let Some(unreachable) = self.reached.news.take() {
            return Some(Up::ApiServer { unreachable });
        }
        if let Some((fence, digest)) = self.accepted.take() {
            return Some(Up::Accepted { fence, digest });
        }
        if self.sync_at.is_some_and(|at| at <= now) {
            self.sync_at = None;
            self.synced_at = Some(now);
            return Some(Up::SyncWanted);
        }
        None
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        self.sync_at
    }
}

/// No longer than the wire takes.
fn cut(reason: &Arc<str>) -> Arc<str> {
    let end = reason.floor_char_boundary(TEXT_MAX);
    reason.get(..end).unwrap_or_default().into()
}
