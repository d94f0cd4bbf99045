//! The HTTP API: what the store holds, in the shapes and with the manners of Kubernetes.

pub(crate) mod call;
mod columns;
mod content;
mod discovery;
pub(crate) mod faults;
mod handler;
mod log;
mod patching;
mod rbac;
mod read;
mod resource;
pub(crate) mod selectors;
mod subresource;
mod table;
mod watch;
mod write;

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::sync::watch::Sender;

pub(crate) use handler::handle;

use crate::issuer::Keys;
use crate::kinds::Registry;
use crate::store::Store;
use faults::Faults;

/// The body of a response.
pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What requests are answered from.
#[derive(Debug)]
pub(crate) struct Api {
    /// The objects.
    pub(crate) store: Arc<Store>,
    /// The kinds.
    pub(crate) registry: Arc<Registry>,
    /// The faults that are injected.
    pub(crate) faults: Faults,
    /// The keys that sign service accounts' tokens.
    pub(crate) keys: Keys,
    /// The token that every request carries; `None` on a cluster without authentication.
    pub(crate) token: Option<String>,
    /// Counts up when all watches are to end.
    pub(crate) cut: Sender<u64>,
}
