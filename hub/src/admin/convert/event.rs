//! Entries of the journal.

use godwit_hub_core::{JournalEntry, Severity};
use godwit_proto::v1;

use super::timestamp;

pub(crate) fn event(entry: &JournalEntry) -> v1::Event {
    let JournalEntry { number, at, severity, reason, rule, subject, message, inputs } = entry;
    let kind = match severity {
        Severity::Normal => "Normal",
        Severity::Warning => "Warning",
    };
    v1::Event {
        sequence: *number,
        time: Some(timestamp(*at)),
        r#type: kind.to_owned(),
        reason: reason.to_string(),
        rule: rule.to_string(),
        subject: subject.to_string(),
        message: message.to_string(),
        inputs: inputs.to_string(),
    }
}
