//! Whom nobody lets in any more, as it is known at each moment.

use std::future::pending;
use std::sync::Arc;

use godwit_certs::{Leaf, Revoked};
use tokio::sync::watch;

/// Whom nobody lets in any more. Whoever decides that publishes it anew: handshakes look at the newest, and connections
/// that stand are looked at again at once. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Revocations(watch::Receiver<Arc<Revoked>>);

impl Revocations {
    /// Follows what is published.
    pub fn following(published: watch::Receiver<Arc<Revoked>>) -> Self {
        Self(published)
    }

    /// Nobody is kept out, ever.
    pub fn none() -> Self {
        Self(watch::channel(Arc::default()).1)
    }

    /// Whether whoever shows this certificate is kept out now.
    pub fn refuse(&self, leaf: &Leaf) -> bool {
        self.0.borrow().refuses(leaf)
    }

    /// Waits until there are others than at the last call.
    pub(crate) async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody will publish anything any more.
            pending().await
        }
    }
}
