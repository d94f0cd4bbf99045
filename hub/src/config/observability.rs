//! What the hub says: its log, what it measures, what it writes down of operators, and whom it tells of events.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Span;

/// Log lines go to standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `text` for people, or `json` for machines.
    pub format: String,
    /// A level (`error`, `warn`, `info`, `debug`, `trace`), or a list such as `info,godwit_hub=debug`.
    pub filter: String,
}

/// Metrics for Prometheus, over plain HTTP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// The address, with its port, of a listener of their own. Port 0 takes any free one; empty is none.
    pub listen: String,
}

/// The audit log, in files beside the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditLog {
    /// How long a file may become, in bytes, before another is begun.
    pub file_bytes: u32,
    /// How many files there are at most; the oldest is dropped.
    pub files: u32,
}

/// Where events are posted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhook {
    /// The address; empty is none.
    pub url: String,
    /// The authorities whose certificates are accepted from it, as a PEM file; empty: those that the system trusts.
    pub ca: PathBuf,
    /// A file with a token that is sent along as a bearer's. It is read again each time.
    pub token_file: PathBuf,
    /// `Normal` for all events, `Warning` for those that somebody should look at.
    pub severity: String,
    /// How long an answer may take.
    pub timeout: Span,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: "text".to_owned(), filter: "info".to_owned() }
    }
}

impl Default for AuditLog {
    fn default() -> Self {
        Self { file_bytes: 64 << 20, files: 16 }
    }
}

impl Default for Webhook {
    fn default() -> Self {
        Self {
            url: String::new(),
            ca: PathBuf::new(),
            token_file: PathBuf::new(),
            severity: "Warning".to_owned(),
            timeout: Span(Duration::from_secs(10)),
        }
    }
}
