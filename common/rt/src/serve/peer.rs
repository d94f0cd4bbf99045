//! Who is at the other end, known from the certificate alone.

use std::net::SocketAddr;
use std::time::SystemTime;

use godwit_certs::{Fingerprint, Identity, IdentityError, Leaf};
use rustls_pki_types::CertificateDer;
use tonic::Status;

/// Who is at the other end of a connection: read once after the handshake, and carried by each of its requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Whom the verified certificate speaks for.
    pub identity: Identity,
    /// Where it connects from.
    pub address: SocketAddr,
    /// The connection's number, unique in this process.
    pub connection: u64,
    /// Which certificate it is.
    pub fingerprint: Fingerprint,
    /// When that certificate, and with it the connection, ends.
    pub not_after: SystemTime,
}

impl Peer {
    /// The peer that sent `request`.
    pub fn of<T>(request: &tonic::Request<T>) -> Result<&Self, Status> {
        // Missing only where a service is called without `serve`, which then lets nobody in.
        request
            .extensions()
            .get()
            .ok_or_else(|| Status::unauthenticated("the connection has no verified peer"))
    }

    pub(super) fn from_chain(
        chain: Option<&[CertificateDer<'_>]>,
        address: SocketAddr,
        connection: u64,
    ) -> Result<Self, IdentityError> {
        let leaf = chain.and_then(|chain| chain.first()).ok_or(IdentityError::Missing)?;
        let Leaf { identity, fingerprint, not_after } = Leaf::from_certificate(leaf)?;
        Ok(Self { identity, address, connection, fingerprint, not_after })
    }
}
