//! Fair shares of what there is a bounded number of: one peer that takes all it can get leaves enough for the others.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::limits::{SHARE_DIVISOR, SHARE_MIN};

/// Counts what each peer holds, up to its share.
#[derive(Debug)]
pub struct Shares<K> {
    held: Arc<Mutex<HashMap<K, usize>>>,
    max: usize,
}

/// One unit of a peer's share; dropping it gives it back.
#[derive(Debug)]
pub struct Share<K: Hash + Eq> {
    held: Arc<Mutex<HashMap<K, usize>>>,
    key: K,
}

impl<K: Hash + Eq + Clone> Shares<K> {
    /// Shares in `all` units.
    pub fn of(all: usize) -> Self {
        let max = (all / SHARE_DIVISOR).max(SHARE_MIN).min(all);
        Self { held: Arc::default(), max }
    }

    /// One more unit for a peer; nothing if it holds its whole share.
    pub fn take(&self, key: &K) -> Option<Share<K>> {
        let mut held = lock(&self.held);
        let count = held.entry(key.clone()).or_default();
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(Share { held: Arc::clone(&self.held), key: key.clone() })
    }
}

impl<K> Clone for Shares<K> {
    fn clone(&self) -> Self {
        Self { held: Arc::clone(&self.held), max: self.max }
    }
}

impl<K: Hash + Eq> Drop for Share<K> {
    fn drop(&mut self) {
        let mut held = lock(&self.held);
        if let Some(count) = held.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.key);
            }
        }
    }
}

/// The map is whole whenever the lock is free, so a poisoned one is as good.
fn lock<K>(held: &Mutex<HashMap<K, usize>>) -> MutexGuard<'_, HashMap<K, usize>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_peer_leaves_room_for_others_and_gives_back_what_it_had() {
        let shares = Shares::of(1_000);
        let mut taken: Vec<_> = std::iter::from_fn(|| shares.take(&"greedy")).collect();
        assert_eq!(taken.len(), 250);
        assert!(shares.take(&"modest").is_some());
        assert_eq!(lock(&shares.held).len(), 1, "nothing is kept of who holds nothing");
        taken.pop();
        assert!(shares.take(&"greedy").is_some());
    }

    #[test]
    fn of_few_units_one_peer_may_have_all() {
        let shares = Shares::of(3);
        assert_eq!(std::iter::from_fn(|| shares.take(&"only")).take(10).collect::<Vec<_>>().len(), 3);
    }
}
