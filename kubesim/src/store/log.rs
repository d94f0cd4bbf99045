//! The bounded history of changes that watches and controllers read.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

use crate::object::Key;

/// What happened to an object.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// The resource version that the change made.
    pub(crate) version: u64,
    /// The resource of the object.
    pub(crate) resource: Arc<str>,
    /// The object's key.
    pub(crate) key: Key,
    /// The object before; `None` when the change created it.
    pub(crate) before: Option<Arc<Value>>,
    /// The object after; its last state when the change removed it.
    pub(crate) after: Arc<Value>,
    /// Whether the change removed the object.
    pub(crate) removed: bool,
}

/// The asked position is no longer in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone {
    /// The oldest version after which everything is still known.
    pub(crate) oldest: u64,
}

/// The last changes in order. Every change takes the next version, so a version is a position.
#[derive(Debug)]
pub(super) struct ChangeLog {
    changes: VecDeque<Arc<Change>>,
    capacity: usize,
    /// The version of the last change that was dropped, or that preceded the log.
    oldest: u64,
}

impl ChangeLog {
    pub(super) fn new(capacity: usize, start: u64) -> Self {
        Self { changes: VecDeque::new(), capacity, oldest: start }
    }

    pub(super) fn push(&mut self, change: Change) {
        self.changes.push_back(Arc::new(change));
        if self.changes.len() > self.capacity
            && let Some(dropped) = self.changes.pop_front()
        {
            self.oldest = dropped.version;
        }
    }

    /// Forgets everything, as a compaction does.
    pub(super) fn clear(&mut self) {
        if let Some(last) = self.changes.back() {
            self.oldest = last.version;
        }
        self.changes.clear();
    }

    /// The changes after `version`.
    pub(super) fn after(&self, version: u64) -> Result<impl Iterator<Item = &Arc<Change>>, Gone> {
        let skipped = version.checked_sub(self.oldest).ok_or(Gone { oldest: self.oldest })?;
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        Ok(self.changes.iter().skip(skipped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(version: u64) -> Change {
        Change {
            version,
            resource: "pods".into(),
            key: Key::new("", "a"),
            before: None,
            after: Arc::new(Value::Null),
            removed: false,
        }
    }

    #[test]
    fn the_window_slides_and_says_so() {
        let mut log = ChangeLog::new(3, 10);
        for version in 11..=15 {
            log.push(change(version));
        }
        assert_eq!(log.after(11).err(), Some(Gone { oldest: 12 }));
        let seen: Vec<u64> = log.after(13).expect("in the window").map(|c| c.version).collect();
        assert_eq!(seen, [14, 15]);
        assert_eq!(log.after(15).expect("current").count(), 0);
        log.clear();
        assert!(log.after(14).is_err());
        assert!(log.after(15).is_ok());
    }
}
