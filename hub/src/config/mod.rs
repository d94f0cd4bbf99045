//! The configuration: what an operator sets, checked as a whole before anything is opened or bound.
//!
//! Defaults come first, then the file (`--config`, TOML), then the environment (`GODWIT_HUB_LISTEN`; two underscores
//! stand for a dot, as in `GODWIT_HUB_TLS__CA`), then flags (`--listen`, or `--set KEY=VALUE` for any key).

mod check;
mod federation;
mod identity;
mod limits;
mod load;
mod observability;
mod span;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::store::{KeyError, Keys};

pub(crate) use identity::ASKS;

pub use federation::Federation;
pub use identity::{Access, Authority, Enrolment, Tls};
pub use limits::Limits;
pub use load::{ConfigError, Loaded, Mistake, Sources, load};
pub use observability::{AuditLog, Log, Metrics, Webhook};
pub use span::{Span, SpanError};

/// Everything that can be set. The names are those of the keys: `tls.ca` is `ca` under `[tls]` in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The address, with its port, on which agents and operators connect. Port 0 takes any free one.
    pub listen: String,
    /// The folder of the store. It is made if it is not there; one hub at a time may use it.
    pub data_dir: PathBuf,
    /// How the store is kept.
    pub store: StoreKeys,
    /// Who the hub is, and whom it trusts, where certificates come from elsewhere.
    pub tls: Tls,
    /// The same, where the hub has an authority of its own.
    pub authority: Authority,
    /// How agents come by their certificates from it.
    pub enrolment: Enrolment,
    /// What operators may do of whom nothing else is said.
    pub access: Access,
    /// What is written down of what operators do.
    pub audit: AuditLog,
    /// What the hub says about itself.
    pub log: Log,
    /// What the hub measures.
    pub metrics: Metrics,
    /// Whom the hub tells of events.
    pub webhook: Webhook,
    /// What the hub takes from its peers.
    pub limits: Limits,
    /// How the federation behaves.
    pub federation: Federation,
}

/// Keys under which the store is kept. Each is a file with 64 hexadecimal digits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreKeys {
    /// The key of all that is written; empty: the store is in the clear. A store that is under another one is written anew at
    /// the start.
    pub key_file: PathBuf,
    /// Those under which it may have been until now, separated by commas.
    pub former_key_files: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:8443".to_owned(),
            data_dir: PathBuf::from("/var/lib/godwit-hub"),
            store: StoreKeys::default(),
            tls: Tls::default(),
            authority: Authority::default(),
            enrolment: Enrolment::default(),
            access: Access::default(),
            audit: AuditLog::default(),
            log: Log::default(),
            metrics: Metrics::default(),
            webhook: Webhook::default(),
            limits: Limits::default(),
            federation: Federation::default(),
        }
    }
}

impl StoreKeys {
    /// Reads them.
    pub(crate) fn keys(&self) -> Result<Keys, KeyError> {
        let current = (!self.key_file.as_os_str().is_empty()).then_some(self.key_file.as_path());
        Keys::read(current, &listed(&self.former_key_files).map(PathBuf::from).collect::<Vec<_>>())
    }
}

/// What a setting lists, separated by commas.
fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

/// Defaults are far below the limit of 32 bits, which settings keep so that they read alike on every machine.
fn narrow(default: usize) -> u32 {
    u32::try_from(default).unwrap_or(u32::MAX)
}
