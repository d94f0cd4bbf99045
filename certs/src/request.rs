//! What a peer makes for itself before it asks for a certificate: its private key, which never leaves it.

use std::fmt;

use rcgen::{CertificateParams, DistinguishedName, KeyPair, PublicKeyData};

use crate::authority::requested_key;
use crate::error::Error;
use crate::pin::sha256;

/// A new private key, and the request that proves it is held.
#[derive(Clone)]
pub struct KeyRequest {
    /// The private key (PKCS #8).
    pub key_pem: String,
    /// The signing request (PKCS #10). It asks for nothing: the authority takes only the public key from it.
    pub csr_pem: String,
}

impl KeyRequest {
    /// Makes a key (ECDSA P-256) and its request.
    pub fn create() -> Result<Self, Error> {
        Self::of(&KeyPair::generate()?)
    }

    /// The request of a key that was made before.
    pub fn of_key(key_pem: &str) -> Result<Self, Error> {
        Self::of(&KeyPair::from_pem(key_pem)?)
    }

    /// What tells the key of a signing request from every other one: the SHA-256 of its public half. A request that no
    /// authority would sign is refused.
    pub fn fingerprint(csr_pem: &str) -> Result<[u8; 32], Error> {
        Ok(sha256(&requested_key(csr_pem)?.subject_public_key_info()))
    }

    fn of(key: &KeyPair) -> Result<Self, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let csr_pem = params.serialize_request(key)?.pem()?;
        Ok(Self { key_pem: key.serialize_pem(), csr_pem })
    }
}

impl fmt::Debug for KeyRequest {
    /// The key stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRequest").field("csr_pem", &self.csr_pem).finish_non_exhaustive()
    }
}
