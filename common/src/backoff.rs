//! When to try again.

use std::time::Duration;

use crate::rng::Rng;

/// Exponential back-off with full jitter: each wait is uniform between zero and a bound that doubles from `first` up
/// to `cap` (Brooker, "Exponential Backoff And Jitter", 2015). Full jitter spreads a fleet that lost its hub at one
/// moment evenly over the bound.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    attempts: u32,
}

impl Backoff {
    /// Starts with waits of up to `first`; no wait is longer than `cap`.
    pub fn new(first: Duration, cap: Duration) -> Self {
        Self { first, cap, attempts: 0 }
    }

    /// The wait before the next attempt.
    pub fn next(&mut self, rng: &mut Rng) -> Duration {
        let bound = self.first.saturating_mul(1 << self.attempts.min(16)).min(self.cap);
        self.attempts = self.attempts.saturating_add(1);
        let bound_ms = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(rng.below(bound_ms.saturating_add(1)))
    }

    /// How many waits were drawn since the last success.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Forget the failures: the peer answered.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_reset() {
        let (first, cap) = (Duration::from_millis(100), Duration::from_secs(5));
        let mut rng = Rng::new(3);
        let mut backoff = Backoff::new(first, cap);
        assert!(backoff.next(&mut rng) <= first);
        let longest = (0..1000).map(|_| backoff.next(&mut rng)).max().unwrap();
        assert!(longest <= cap && longest > cap / 2, "{longest:?}");
        backoff.reset();
        assert!(backoff.next(&mut rng) <= first);
    }
}
