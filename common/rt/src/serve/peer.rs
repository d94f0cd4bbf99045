//! Who is at the other end, known from the certificate alone.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use godwit_certs::{IdentityError, Leaf};
use rustls_pki_types::CertificateDer;
use tonic::Status;

use crate::revocations::Revocations;

/// Who is at the other end of a connection: read once after the handshake, and carried by each of its requests.
#[derive(Debug, Clone)]
pub struct Peer {
    /// What the verified certificate says, with which the connection began.
    pub leaf: Leaf,
    /// Where it connects from.
    pub address: SocketAddr,
    /// The connection's number, unique in this process.
    pub connection: u64,
    /// The certificate, and those that lead from it to an authority.
    shown: Arc<[CertificateDer<'static>]>,
    since: Arc<Mutex<Since>>,
}

/// What has become of a peer since the connection began.
#[derive(Debug, Default)]
struct Since {
    /// The certificate that it was given over this very connection.
    renewed: Option<(Leaf, CertificateDer<'static>)>,
    disowned: bool,
}

impl Peer {
    /// The peer that sent `request`.
    pub fn of<T>(request: &tonic::Request<T>) -> Result<&Self, Status> {
        // Missing only from strangers, and where a service is called without `serve`, which then lets nobody in.
        request
            .extensions()
            .get()
            .ok_or_else(|| Status::unauthenticated("the connection has no verified peer"))
    }

    /// The peer was given a new certificate over this connection, which lasts as long as that now. One for somebody else
    /// changes nothing.
    pub fn renew(&self, certificate: CertificateDer<'static>) {
        let leaf = Leaf::from_certificate(&certificate).ok();
        if let Some(leaf) = leaf.filter(|leaf| leaf.identity == self.leaf.identity) {
            self.since().renewed = Some((leaf, certificate));
        }
    }

    /// Whether the connection is about to end, since no authority vouches for the peer any more: nothing is done for it.
    pub fn is_disowned(&self) -> bool {
        self.since().disowned
    }

    /// When its certificate, and with it the connection, ends.
    pub fn ends(&self) -> SystemTime {
        self.newest(|leaf| leaf.not_after).unwrap_or(self.leaf.not_after)
    }

    /// When its newest certificate was made.
    pub fn issued(&self) -> SystemTime {
        self.newest(Leaf::issued).unwrap_or_else(|| self.leaf.issued())
    }

    /// Whether it is kept out, by what it began with or by what it got since.
    pub(super) fn is_refused(&self, revocations: &Revocations) -> bool {
        revocations.refuse(&self.leaf) || self.newest(|leaf| revocations.refuse(leaf)).unwrap_or(false)
    }

    /// Whether nobody vouches for it any more, neither for the newest that it got nor, if it got none, for what it began with.
    /// It is asked once: from then on the peer is disowned.
    pub(super) fn disown_by(&self, revocations: &Revocations) -> bool {
        let mut since = self.since();
        since.disowned = match &since.renewed {
            Some((leaf, certificate)) => revocations.disown(std::slice::from_ref(certificate), leaf),
            None => revocations.disown(&self.shown, &self.leaf),
        };
        since.disowned
    }

    /// None if the chain is empty.
    pub(super) fn of_chain(
        chain: &[CertificateDer<'static>],
        address: SocketAddr,
        connection: u64,
    ) -> Option<Result<Self, IdentityError>> {
        let leaf = Leaf::from_certificate(chain.first()?);
        Some(leaf.map(|leaf| Self { leaf, address, connection, shown: chain.into(), since: Arc::default() }))
    }

    fn newest<T>(&self, read: impl FnOnce(&Leaf) -> T) -> Option<T> {
        self.since().renewed.as_ref().map(|(leaf, _)| read(leaf))
    }

    fn since(&self) -> MutexGuard<'_, Since> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a request comes from, whoever sent it.
pub fn address_of<T>(request: &tonic::Request<T>) -> Option<SocketAddr> {
    request.extensions().get::<Remote>().map(|remote| remote.0)
}

/// The same, where the request is not gRPC's yet.
pub fn address_in(extensions: &http::Extensions) -> Option<SocketAddr> {
    extensions.get::<Remote>().map(|remote| remote.0)
}

/// The address of each request's connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remote(pub(super) SocketAddr);
