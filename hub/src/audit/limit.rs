//! How many refusals of one caller are written.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Callers that are remembered; beyond, those whose window is over are forgotten.
const CALLERS_MAX: usize = 1_024;

/// By caller: when its window began, how many were written in it, and how many were not since the last line.
pub(super) struct Limit {
    most: u32,
    window: Duration,
    callers: Mutex<BTreeMap<String, Counted>>,
}

struct Counted {
    since: Instant,
    written: u32,
    skipped: u32,
}

impl Limit {
    pub(super) fn new(most: u32, window: Duration) -> Self {
        Self { most, window, callers: Mutex::default() }
    }

    /// Whether a line is to be written, and how many were left out before it. What is no refusal always is.
    pub(super) fn take(&self, who: &str, is_refusal: bool) -> Option<u32> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if callers.len() >= CALLERS_MAX {
            callers.retain(|_, counted| now.duration_since(counted.since) < self.window);
        }
        if !is_refusal {
            return Some(callers.get_mut(who).map_or(0, |counted| std::mem::take(&mut counted.skipped)));
        }
        let fresh = || Counted { since: now, written: 0, skipped: 0 };
        let counted = callers.entry(who.to_owned()).or_insert_with(fresh);
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
}
