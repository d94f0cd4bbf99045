//! The journal: every decision with its cause and rule (S30).

use crate::contract::{JournalEntry, Key, Severity, StateRevision};
use crate::hub::Hub;

impl Hub {
    /// What is decided now is decided on this (S30).
    pub(crate) fn inputs(&self) -> StateRevision {
        StateRevision { epoch: self.federation.epoch, event: self.events }
    }

    /// Records what an operator's command does, and whose it was.
    pub(crate) fn note_command(
        &mut self,
        severity: Severity,
        rule: &str,
        reason: &str,
        subject: impl AsRef<str>,
        message: impl AsRef<str>,
    ) -> u64 {
        let message = format!("{} (by {})", message.as_ref(), self.operator);
        self.note(severity, rule, reason, subject, message)
    }

    /// Records a decision; the number of the entry names it.
    pub(crate) fn note(
        &mut self,
        severity: Severity,
        rule: &str,
        reason: &str,
        subject: impl AsRef<str>,
        message: impl AsRef<str>,
    ) -> u64 {
        let number = self.federation.next_entry;
        self.federation.next_entry += 1;
        let entry = JournalEntry {
            number,
            at: self.now.wall,
            severity,
            reason: reason.into(),
            rule: rule.into(),
            subject: subject.as_ref().into(),
            message: message.as_ref().into(),
            inputs: self.inputs(),
        };
        self.journal.insert(number, entry);
        self.touched.keys.insert(Key::Federation);
        self.touched.keys.insert(Key::Journal(number));
        // The store forgets the oldest as the newest comes: its key has no record any more, so it is deleted.
        if let Some(oldest) = number.checked_sub(self.config.journal_entries) {
            self.touched.keys.insert(Key::Journal(oldest));
        }
        number
    }

    /// Of the entries that the store has, forgets those that are more than are kept by now: with a lower number than before
    /// they would stay for ever, since each new entry takes the place of one.
    pub(crate) fn forget_entries(&mut self, numbers: Vec<u64>) {
        let oldest = self.federation.next_entry.saturating_sub(self.config.journal_entries);
        let older = numbers.into_iter().filter(|number| *number < oldest);
        self.touched.keys.extend(older.map(Key::Journal));
    }
}
