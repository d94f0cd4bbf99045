//! When to look at what again.

use std::collections::{BTreeMap, BTreeSet};

use godwit_common::{Time, Uid};

/// At most one moment for each identity, in order of time.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    due: BTreeSet<(Time, Uid)>,
    at: BTreeMap<Uid, Time>,
}

impl Schedule {
    pub(crate) fn set(&mut self, uid: Uid, at: Time) {
        self.cancel(uid);
        self.at.insert(uid, at);
        self.due.insert((at, uid));
    }

    pub(crate) fn cancel(&mut self, uid: Uid) {
        if let Some(at) = self.at.remove(&uid) {
            self.due.remove(&(at, uid));
        }
    }

    pub(crate) fn contains(&self, uid: Uid) -> bool {
        self.at.contains_key(&uid)
    }

    pub(crate) fn pop(&mut self, now: Time) -> Option<Uid> {
        let (at, uid) = self.due.first().copied().filter(|(at, _)| *at <= now)?;
        self.due.remove(&(at, uid));
        self.at.remove(&uid);
        Some(uid)
    }

    pub(crate) fn next(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    pub(crate) fn clear(&mut self) {
        self.due.clear();
        self.at.clear();
    }
}
