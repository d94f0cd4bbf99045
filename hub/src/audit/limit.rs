//! How many refusals of one caller are written.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Below so many callers none is forgotten.
const SWEPT_MIN: usize = 1_024;
/// Callers that are told apart. More of them within one window, as of strangers with many addresses, count as one.
const CALLERS_MAX: usize = 16_384;

/// What of whose refusals was written of late.
pub(super) struct Limit {
    most: u32,
    window: Duration,
    counts: Mutex<Counts>,
}

struct Counts {
    callers: BTreeMap<String, Counted>,
    /// All those that are too many to be told apart.
    others: Counted,
    /// With how many callers those are forgotten whose window is over, and from when on in any case.
    sweep_at: (usize, Instant),
}

/// When a window began, how many were written in it, and how many were not since the last line.
struct Counted {
    since: Instant,
    written: u32,
    skipped: u32,
}

impl Limit {
    pub(super) fn new(most: u32, window: Duration) -> Self {
        let now = Instant::now();
        let (others, sweep_at) = (Counted::from(now), (SWEPT_MIN, now + window));
        Self { most, window, counts: Mutex::new(Counts { callers: BTreeMap::new(), others, sweep_at }) }
    }

    /// Whether a line is to be written, and how many were left out before it. What is no refusal always is.
    pub(super) fn take(&self, who: &str, is_refusal: bool) -> Option<u32> {
        self.take_at(Instant::now(), who, is_refusal)
    }

    fn take_at(&self, now: Instant, who: &str, is_refusal: bool) -> Option<u32> {
        let mut counts = self.counts();
        if !is_refusal {
            return Some(
                counts.callers.get_mut(who).map_or(0, |counted| std::mem::take(&mut counted.skipped)),
            );
        }
        let counted = counts.of(now, who, self.window);
        if now.duration_since(counted.since) >= self.window {
            (counted.since, counted.written) = (now, 0);
        }
        if counted.written >= self.most {
            counted.skipped = counted.skipped.saturating_add(1);
            return None;
        }
        counted.written += 1;
        Some(std::mem::take(&mut counted.skipped))
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn of(&mut self, now: Instant, who: &str, window: Duration) -> &mut Counted {
        if !self.callers.contains_key(who) {
            self.sweep(now, window);
            if self.callers.len() >= CALLERS_MAX {
                return &mut self.others;
            }
        }
        self.callers.entry(who.to_owned()).or_insert_with(|| Counted::from(now))
    }

    /// Looks at all of them only when there are twice as many as were left the last time, or once in a window: so it costs each
    /// call little, however many there are.
    fn sweep(&mut self, now: Instant, window: Duration) {
        let (count, time) = self.sweep_at;
        if self.callers.len() < count && (self.callers.len() < CALLERS_MAX || now < time) {
            return;
        }
        self.callers.retain(|_, counted| now.duration_since(counted.since) < window);
        self.sweep_at = ((2 * self.callers.len()).max(SWEPT_MIN), now + window);
    }
}

impl From<Instant> for Counted {
    fn from(since: Instant) -> Self {
        Self { since, written: 0, skipped: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    #[test]
    fn however_many_are_refused_within_a_window_they_fill_no_memory() {
        let limit = Limit::new(2, WINDOW);
        let now = Instant::now();
        let refused = |at: Instant, who: usize| limit.take_at(at, &who.to_string(), true);
        let written = (0..3 * CALLERS_MAX).filter(|who| refused(now, *who).is_some()).count();
        assert_eq!(limit.counts().callers.len(), CALLERS_MAX);
        assert_eq!(written, CALLERS_MAX + 2, "of those beyond, as much as of one");
        // Who is known is still told apart, and what is done is written.
        assert_eq!((refused(now, 0), refused(now, 0)), (Some(0), None));
        assert_eq!(limit.take_at(now, "0", false), Some(1));
        assert_eq!(limit.take_at(now, "new", false), Some(0));
    }

    #[test]
    fn callers_are_forgotten_when_their_window_is_over_and_not_looked_for_all_the_time() {
        let limit = Limit::new(2, WINDOW);
        let now = Instant::now();
        for who in 0..2 * CALLERS_MAX {
            limit.take_at(now, &who.to_string(), true);
        }
        // Nothing could be forgotten, so it is not tried again with each call.
        assert!(limit.counts().sweep_at.0 > CALLERS_MAX);
        let skipped = u32::try_from(CALLERS_MAX).unwrap() - 2;
        assert_eq!(limit.counts().others.skipped, skipped);
        let later = now + WINDOW;
        assert_eq!(limit.take_at(later, "a", true), Some(0));
        assert_eq!(limit.counts().callers.len(), 1);
        for who in 0..SWEPT_MIN {
            limit.take_at(later, &who.to_string(), true);
        }
        assert_eq!(limit.counts().callers.len(), SWEPT_MIN + 1);
    }
}
