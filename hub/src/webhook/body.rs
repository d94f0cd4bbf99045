//! Events as CloudEvents 1.0 in a batch (`application/cloudevents-batch+json`), which brokers and automation read as they
//! are; `data` is the event as `godwit get events -o json` has it.

use std::sync::Arc;

use bytes::Bytes;
use godwit_hub_core::JournalEntry;
use serde_json::{Value, json};

use crate::admin::convert;

/// What a request holds.
pub(super) const CONTENT_TYPE: &str = "application/cloudevents-batch+json; charset=utf-8";

pub(super) fn batch(federation: &str, entries: &[Arc<JournalEntry>]) -> Bytes {
    let events = entries.iter().map(|entry| event(federation, entry)).collect();
    Value::Array(events).to_string().into()
}

/// One event. An id is never used for another one: who has seen it before may pass over it.
fn event(federation: &str, entry: &JournalEntry) -> Value {
    let shown = convert::event(entry);
    let time = shown.time.map(|time| time.to_string());
    json!({
        "specversion": "1.0",
        "id": shown.sequence.to_string(),
        "source": format!("/godwit/federations/{federation}"),
        "type": format!("dev.godwit.{}", shown.reason),
        "subject": shown.subject,
        "time": time,
        "datacontenttype": "application/json",
        "data": {
            "sequence": shown.sequence.to_string(),
            "time": time,
            "type": shown.r#type,
            "reason": shown.reason,
            "rule": shown.rule,
            "subject": shown.subject,
            "message": shown.message,
        },
    })
}

#[cfg(test)]
mod tests {
    use godwit_common::WallTime;
    use godwit_hub_core::Severity;

    use super::*;

    #[test]
    fn an_event_says_what_the_journal_says() {
        let entry = JournalEntry {
            number: 7,
            at: WallTime(1_767_225_600_250),
            severity: Severity::Warning,
            reason: "ClusterLost".into(),
            rule: "S1".into(),
            subject: "east".into(),
            message: "it is \"away\"".into(),
            inputs: Default::default(),
        };
        let body: Value = serde_json::from_slice(&batch("f", &[Arc::new(entry)])).unwrap();
        let expected = json!([{
            "specversion": "1.0", "id": "7", "source": "/godwit/federations/f",
            "type": "dev.godwit.ClusterLost", "subject": "east", "time": "2026-01-01T00:00:00.250Z",
            "datacontenttype": "application/json",
            "data": {"sequence": "7", "time": "2026-01-01T00:00:00.250Z", "type": "Warning",
                     "reason": "ClusterLost", "rule": "S1", "subject": "east", "message": "it is \"away\""},
        }]);
        assert_eq!(body, expected);
    }
}
