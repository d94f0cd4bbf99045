//! Who is at the other end, known from the certificate alone.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
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
    /// What it was given since over this very connection.
    renewed: Arc<Mutex<Option<Leaf>>>,
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
    pub fn renew(&self, leaf: Leaf) {
        if leaf.identity == self.leaf.identity {
            *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = Some(leaf);
        }
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

    pub(super) fn from_leaf(
        leaf: &CertificateDer<'_>,
        address: SocketAddr,
        connection: u64,
    ) -> Result<Self, IdentityError> {
        let leaf = Leaf::from_certificate(leaf)?;
        Ok(Self { leaf, address, connection, renewed: Arc::default() })
    }

    fn newest<T>(&self, read: impl FnOnce(&Leaf) -> T) -> Option<T> {
        self.renewed.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(read)
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
