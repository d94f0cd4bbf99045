//! How often an object is set right that somebody keeps changing, and when that is said (S29).

use std::sync::Arc;
use std::time::Duration;

use godwit_common::Time;

use crate::rows::Row;
use crate::{Apply, ObjectSeen};

/// An object that somebody keeps changing is set right no more often than this at first, and at last.
const CORRECTION_FIRST: Duration = Duration::from_secs(5);
const CORRECTION_CAP: Duration = Duration::from_secs(80);
/// After so many corrections it is said that somebody keeps changing it, until it has been left alone for so long.
const CORRECTIONS_MAX: u32 = 3;
const QUIET: Duration = Duration::from_secs(600);

impl Row {
    /// It was written. A write for an older target does not slow down the one for this.
    pub(crate) fn note_write(&mut self, now: Time, apply: &Apply) {
        let stamp = (apply.stamp.revision, apply.stamp.ordinals, apply.stamp.bounds, &apply.overrides);
        let is_this = stamp == (self.revision, self.ordinals, self.bounds, &self.overrides)
            && apply.replicas == self.replicas
            && apply.charter == self.charter;
        let again = self.wrote_at.is_some_and(|wrote| now.since(wrote) < QUIET);
        self.corrections = if is_this && again { self.corrections.saturating_add(1) } else { 0 };
        self.wrote_at = is_this.then_some(now);
    }

    /// When it may be written again for the same target: from the third time on twice as late each time.
    pub(crate) fn next_correction(&self) -> Option<Time> {
        let doublings = self.corrections.saturating_sub(CORRECTIONS_MAX - 1);
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        Some(self.wrote_at? + CORRECTION_FIRST.saturating_mul(factor).min(CORRECTION_CAP))
    }

    /// Until when it counts as what somebody keeps changing, if it does.
    pub(crate) fn disputed_until(&self) -> Option<Time> {
        self.wrote_at.filter(|_| self.corrections >= CORRECTIONS_MAX).map(|wrote| wrote + QUIET)
    }

    /// What is wrong with an object that has to be set right again and again; empty if it has not.
    pub(crate) fn dispute(&self, now: Time, seen: Option<&ObjectSeen>) -> Arc<str> {
        if self.disputed_until().is_none_or(|until| until <= now) {
            return Arc::default();
        }
        let fields = match seen {
            Some(seen) if !seen.altered.is_empty() => &*seen.altered,
            Some(_) => "its count",
            None => "it, by deleting it",
        };
        let every = CORRECTION_CAP.as_secs();
        format!("somebody keeps changing {fields}; it is set right, at most every {every} s").into()
    }
}
