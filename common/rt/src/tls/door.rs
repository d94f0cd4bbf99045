//! Whose certificates a listener takes.

use std::sync::Arc;
use std::time::SystemTime;

use godwit_certs::Leaf;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::revocations::Revocations;

/// Whom a listener lets in. Both doors ask the same authorities, and keep out who is revoked.
#[derive(Debug, Clone)]
pub enum Door {
    /// Who shows a certificate that has not ended.
    Members(Revocations),
    /// Who shows one that may have ended, or none at all. What is served there has to look at each caller itself.
    Strangers(Revocations),
}

impl Door {
    pub(crate) fn revocations(&self) -> &Revocations {
        match self {
            Self::Members(revocations) | Self::Strangers(revocations) => revocations,
        }
    }

    pub(crate) fn takes_strangers(&self) -> bool {
        match self {
            Self::Members(_) => false,
            Self::Strangers(_) => true,
        }
    }
}

/// rustls' own verifier, and what a door adds to it.
#[derive(Debug)]
pub(super) struct Doorkeeper {
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
    pub(super) door: Door,
}

impl ClientCertVerifier for Doorkeeper {
    fn client_auth_mandatory(&self) -> bool {
        !self.door.takes_strangers()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verifier.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        // One without an identity is refused after the handshake, by whoever looks for the identity.
        let leaf = Leaf::from_certificate(end_entity).ok();
        let verified = match (self.verifier.verify_client_cert(end_entity, intermediates, now), &leaf) {
            (Err(error), Some(leaf)) if self.door.takes_strangers() && has_ended(&error) => {
                // Its chain is looked at as it was in its last moment.
                self.verifier.verify_client_cert(end_entity, intermediates, last_moment(leaf))?
            }
            (verified, _) => verified?,
        };
        if leaf.is_some_and(|leaf| self.door.revocations().refuse(&leaf)) {
            return Err(CertificateError::Revoked.into());
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

fn has_ended(error: &Error) -> bool {
    let Error::InvalidCertificate(problem) = error else { return false };
    matches!(problem, CertificateError::Expired | CertificateError::ExpiredContext { .. })
}

pub(super) fn last_moment(leaf: &Leaf) -> UnixTime {
    UnixTime::since_unix_epoch(leaf.not_after.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}
