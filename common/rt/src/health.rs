//! Whether a process is well, as a kubelet asks it: over plain HTTP, with a page for liveness and one for readiness.
//!
//! Liveness is about what only a restart mends: a loop that has stopped turning. It never depends on a peer, since
//! restarting one process does not bring another one back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::plain::Page;

/// Where liveness is asked.
pub const LIVE: &str = "/livez";
/// Where readiness is asked.
pub const READY: &str = "/readyz";

const CONTENT_TYPE: &str = "text/plain; charset=utf-8";

/// How one loop gets on: it says when it begins a turn and when it has ended it. Waiting for something to do is no turn.
/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pulse {
    origin: Instant,
    /// When the present turn began, in milliseconds after the origin and one; zero between turns.
    began: Arc<AtomicU64>,
}

impl Pulse {
    /// Of a loop that has not begun to turn.
    pub fn new() -> Self {
        Self { origin: Instant::now(), began: Arc::default() }
    }

    /// A turn begins.
    pub fn begin(&self) {
        let after = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.began.store(after.saturating_add(1), Ordering::Relaxed);
    }

    /// It has ended.
    pub fn end(&self) {
        self.began.store(0, Ordering::Relaxed);
    }

    /// For how long the present turn has lasted.
    pub fn busy_for(&self) -> Duration {
        match self.began.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            began => self.origin.elapsed().saturating_sub(Duration::from_millis(began - 1)),
        }
    }
}

impl Default for Pulse {
    fn default() -> Self {
        Self::new()
    }
}

/// The two pages. A loop whose turn lasts for longer than `turn_max` is not alive; `ready` says why the process is not
/// ready, and must be quick.
pub fn pages(
    pulse: Pulse,
    turn_max: Duration,
    ready: impl Fn() -> Result<(), String> + Send + Sync + 'static,
) -> [Page; 2] {
    let alive = move || match pulse.busy_for() {
        busy if busy > turn_max => Err(format!("one turn has lasted for {} s\n", busy.as_secs())),
        _ => Ok("ok\n".to_owned()),
    };
    let is_ready = move || match ready() {
        Ok(()) => Ok("ok\n".to_owned()),
        Err(reason) => Err(format!("{reason}\n")),
    };
    [
        Page { path: LIVE, content_type: CONTENT_TYPE, render: Arc::new(alive) },
        Page { path: READY, content_type: CONTENT_TYPE, render: Arc::new(is_ready) },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_that_does_not_end_is_no_life() {
        let pulse = Pulse::new();
        let [live, _] = pages(pulse.clone(), Duration::ZERO, || Ok(()));
        assert!((live.render)().is_ok(), "between turns");
        pulse.begin();
        while pulse.busy_for() < Duration::from_millis(2) {
            std::thread::yield_now();
        }
        assert!((live.render)().unwrap_err().contains("one turn has lasted"));
        pulse.end();
        assert!((live.render)().is_ok(), "it goes on");
    }

    #[test]
    fn what_is_not_ready_says_why() {
        let [_, ready] = pages(Pulse::new(), Duration::MAX, || Err("no hub".to_owned()));
        assert_eq!((ready.render)(), Err("no hub\n".to_owned()));
    }
}
