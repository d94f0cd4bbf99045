//! What an authority is known by before its certificate is trusted.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use rustls_pki_types::CertificateDer;

use crate::hex::{self, Hex};
use crate::identity::{IdentityError, parse};

/// The SHA-256 of a certificate's public key (its `SubjectPublicKeyInfo`, as RFC 7469 pins keys). Unlike a fingerprint it
/// stays the same when an authority's certificate is renewed with its key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pin(pub [u8; 32]);

impl Pin {
    /// The pin of a certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, IdentityError> {
        Ok(Self(sha256(parse(certificate)?.public_key().raw)))
    }
}

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Pin {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        hex::read(text).map(Self).ok_or(())
    }
}
