//! When to look at what again.

use std::collections::{BTreeMap, BTreeSet};

use godwit_common::{Time, Uid};

/// At most one moment for each key, in order of time.
#[derive(Debug)]
pub(crate) struct Schedule<K = Uid> {
    due: BTreeSet<(Time, K)>,
    at: BTreeMap<K, Time>,
}

impl<K> Default for Schedule<K> {
    fn default() -> Self {
        Self { due: BTreeSet::new(), at: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> Schedule<K> {
    pub(crate) fn set(&mut self, key: K, at: Time) {
        self.cancel(&key);
        self.at.insert(key.clone(), at);
        self.due.insert((at, key));
    }

    pub(crate) fn cancel(&mut self, key: &K) {
        if let Some((key, at)) = self.at.remove_entry(key) {
            self.due.remove(&(at, key));
        }
    }

    pub(crate) fn contains(&self, key: &K) -> bool {
        self.at.contains_key(key)
    }

    pub(crate) fn pop(&mut self, now: Time) -> Option<K> {
        self.due.first().filter(|(at, _)| *at <= now)?;
        let (_, key) = self.due.pop_first()?;
        self.at.remove(&key);
        Some(key)
    }

    pub(crate) fn next(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    pub(crate) fn clear(&mut self) {
        self.due.clear();
        self.at.clear();
    }
}
