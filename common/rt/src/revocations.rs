//! Whom nobody lets in any more, as it is known at each moment.

use std::future::pending;
use std::sync::Arc;

use godwit_certs::{Leaf, Revoked};
use rustls_pki_types::CertificateDer;
use tokio::sync::watch;

use crate::tls::Vouching;

/// Whom nobody lets in any more. Whoever decides that publishes it anew: handshakes look at the newest, and connections
/// that stand are looked at again at once. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Revocations {
    revoked: watch::Receiver<Arc<Revoked>>,
    vouching: watch::Receiver<Option<Vouching>>,
}

/// What has changed about who is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    Revoked,
    Vouching,
}

impl Revocations {
    /// Follows what is published.
    pub fn following(revoked: watch::Receiver<Arc<Revoked>>) -> Self {
        Self { revoked, vouching: watch::channel(None).1 }
    }

    /// Nobody is kept out, ever.
    pub fn none() -> Self {
        Self::following(watch::channel(Arc::default()).1)
    }

    /// And follows who vouches for those who are connected; nothing until somebody else does than at their handshakes.
    #[must_use]
    pub fn vouched(self, vouching: watch::Receiver<Option<Vouching>>) -> Self {
        Self { vouching, ..self }
    }

    /// Whether whoever shows this certificate is kept out now.
    pub fn refuse(&self, leaf: &Leaf) -> bool {
        self.revoked.borrow().refuses(leaf)
    }

    /// Whether nobody vouches any more for whoever has shown these certificates, the first of which is `leaf`'s.
    pub(crate) fn disown(&self, chain: &[CertificateDer<'_>], leaf: &Leaf) -> bool {
        let vouching = self.vouching.borrow().clone();
        vouching.is_some_and(|vouching| !vouching.for_chain(chain, leaf))
    }

    /// Waits until there is something else than at the last call.
    pub(crate) async fn changed(&mut self) -> Changed {
        tokio::select! {
            () = news(&mut self.revoked) => Changed::Revoked,
            () = news(&mut self.vouching) => Changed::Vouching,
        }
    }
}

async fn news<T>(published: &mut watch::Receiver<T>) {
    if published.changed().await.is_err() {
        // Nobody will publish anything any more.
        pending().await
    }
}
