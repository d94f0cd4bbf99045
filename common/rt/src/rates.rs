//! How often something may be had: so many at once by who has been quiet, and so many a second by who goes on (the generic
//! cell rate algorithm, ITU-T I.371). One peer that asks for more waits, or is refused; it takes nothing from the others.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::limits::RATE_BURST_SECONDS;

/// Below so many keys nothing is swept.
const SWEPT_MIN: usize = 1_024;

/// What each of many has had of late. Clones share it.
#[derive(Debug)]
pub struct Rates<K: Hash + Eq + Clone>(Arc<Inner<K>>);

#[derive(Debug)]
struct Inner<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, HashMapStateStore<K>, DefaultClock>,
    burst: NonZeroU32,
    /// With how many keys those are forgotten that have been quiet for long enough to count as new.
    sweep_at: AtomicUsize,
}

impl<K: Hash + Eq + Clone> Rates<K> {
    /// So many a second for each key, and [`RATE_BURST_SECONDS`] times as many at once. None where that is 0: nothing is bounded.
    pub fn of(per_second: u32) -> Option<Self> {
        let rate = NonZeroU32::new(per_second)?;
        let burst = rate.saturating_mul(RATE_BURST_SECONDS);
        let quota = Quota::per_second(rate).allow_burst(burst);
        let limiter = RateLimiter::new(quota, HashMapStateStore::default(), DefaultClock::default());
        Some(Self(Arc::new(Inner { limiter, burst, sweep_at: AtomicUsize::new(SWEPT_MIN) })))
    }

    /// Takes so many for a key, or nothing.
    ///
    /// # Errors
    ///
    /// How long to wait until they can be had. More than can ever be had at once count as what can.
    pub fn take(&self, key: &K, count: u32) -> Result<(), Duration> {
        let Inner { limiter, burst, .. } = &*self.0;
        let Some(count) = NonZeroU32::new(count) else { return Ok(()) };
        self.sweep();
        match limiter.check_key_n(key, count.min(*burst)) {
            Ok(Err(later)) => Err(later.wait_time_from(limiter.clock().now())),
            // The second cannot be, since the count is bounded.
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }

    /// Waits until so many can be had, and takes them.
    pub async fn wait(&self, key: &K, count: u32) {
        while let Err(wait) = self.take(key, count) {
            tokio::time::sleep(wait).await;
        }
    }

    /// Who has been quiet is as good as new, so nothing is kept of them: whoever comes under many names fills no memory.
    fn sweep(&self) {
        let Inner { limiter, sweep_at, .. } = &*self.0;
        if limiter.len() >= sweep_at.load(Ordering::Relaxed) {
            limiter.retain_recent();
            sweep_at.store((2 * limiter.len()).max(SWEPT_MIN), Ordering::Relaxed);
        }
    }
}

impl<K: Hash + Eq + Clone> Clone for Rates<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_no_more_and_others_have_theirs() {
        let rates = Rates::of(1).unwrap();
        let greedy = (0..100).take_while(|_| rates.take(&"greedy", 1).is_ok()).count();
        assert!(greedy >= RATE_BURST_SECONDS.get() as usize && greedy < 100, "{greedy}");
        let wait = rates.take(&"greedy", 1).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
        assert!(rates.take(&"modest", 1).is_ok());
    }

    #[test]
    fn more_than_a_burst_is_had_by_who_has_been_quiet() {
        let rates = Rates::of(10).unwrap();
        assert!(rates.take(&(), u32::MAX).is_ok());
        assert!(rates.take(&(), 1).is_err());
        assert!(rates.take(&(), 0).is_ok());
        assert!(Rates::<()>::of(0).is_none());
    }

    #[test]
    fn those_who_have_been_quiet_are_forgotten() {
        // Fast enough that each is as good as new a moment later.
        let rates = Rates::of(u32::MAX).unwrap();
        for key in 0..20 * SWEPT_MIN {
            assert!(rates.take(&key, 1).is_ok());
        }
        assert!(rates.0.limiter.len() < 10 * SWEPT_MIN, "{}", rates.0.limiter.len());
    }
}
