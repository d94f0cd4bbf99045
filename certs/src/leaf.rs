//! What is worth knowing of a peer's certificate, read once.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest;
use rustls_pki_types::CertificateDer;

use crate::identity::{Identity, IdentityError, parse};

/// What is worth knowing of a peer's certificate, from the leaf of a chain that rustls has verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Who it speaks for.
    pub identity: Identity,
    /// What tells this certificate from every other one.
    pub fingerprint: Fingerprint,
    /// When it ends; the peer should have a new one well before.
    pub not_after: SystemTime,
}

impl Leaf {
    /// Reads a certificate; its chain must have been verified before.
    pub fn from_certificate(certificate: &CertificateDer<'_>) -> Result<Self, IdentityError> {
        let parsed = parse(certificate)?;
        Ok(Self {
            identity: Identity::from_x509(&parsed)?,
            fingerprint: Fingerprint::of(certificate),
            not_after: system_time(parsed.validity().not_after.timestamp()),
        })
    }
}

/// A certificate's SHA-256, shown in hexadecimal as `openssl x509 -fingerprint -sha256` does, without the colons.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        let digest = digest::digest(&digest::SHA256, certificate);
        Self(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Certificates count seconds since 1970, and may begin or end before.
fn system_time(unix_seconds: i64) -> SystemTime {
    let distance = Duration::from_secs(unix_seconds.unsigned_abs());
    let time = if unix_seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}
