//! What is worth knowing of a peer's certificate, read once.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use rustls_pki_types::CertificateDer;

use crate::authority::CLOCK_SKEW;
use crate::hex::Hex;
use crate::identity::{Identity, IdentityError, parse};
use crate::pin::sha256;

/// What is worth knowing of a peer's certificate, from the leaf of a chain that rustls has verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Who it speaks for.
    pub identity: Identity,
    /// What tells this certificate from every other one.
    pub fingerprint: Fingerprint,
    /// What its authority calls it.
    pub serial: Serial,
    /// When it begins. Our own authority lets certificates begin an hour before they are made.
    pub not_before: SystemTime,
    /// When it ends; the peer should have a new one well before.
    pub not_after: SystemTime,
}

impl Leaf {
    /// When it was made, if our own authority has made it.
    pub fn issued(&self) -> SystemTime {
        self.not_before + CLOCK_SKEW
    }

    /// Reads a certificate; its chain must have been verified before.
    pub fn from_certificate(certificate: &CertificateDer<'_>) -> Result<Self, IdentityError> {
        let parsed = parse(certificate)?;
        Ok(Self {
            identity: Identity::from_x509(&parsed)?,
            fingerprint: Fingerprint::of(certificate),
            serial: Serial::of(parsed.raw_serial()),
            not_before: system_time(parsed.validity().not_before.timestamp()),
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
        Self(sha256(certificate))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The serial number of a certificate, in hexadecimal as `openssl x509 -serial` shows it, in lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(String);

/// A text that is no serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is not a serial number: write 1 to {SERIAL_DIGITS_MAX} hexadecimal digits, as `openssl x509 -serial` shows them"
)]
pub struct SerialError;

/// RFC 5280 allows 20 octets, and a zero before them.
const SERIAL_DIGITS_MAX: usize = 42;

impl Serial {
    fn of(raw: &[u8]) -> Self {
        Self(without_zeros(&Hex(raw).to_string()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Serial {
    type Err = SerialError;

    /// Colons between the digits, and zeros before them, mean nothing.
    fn from_str(text: &str) -> Result<Self, SerialError> {
        let digits: String = text.chars().filter(|c| *c != ':').collect();
        let fits = (1..=SERIAL_DIGITS_MAX).contains(&digits.len());
        if !fits || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(SerialError);
        }
        Ok(Self(without_zeros(&digits.to_lowercase())))
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A number is the same however many zeros stand before it.
fn without_zeros(digits: &str) -> String {
    match digits.trim_start_matches('0') {
        "" => "0".to_owned(),
        digits => digits.to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_is_the_same_however_it_is_written() {
        for text in ["4a0b", "4A0B", "4a:0b", "004A0B"] {
            assert_eq!(text.parse::<Serial>().unwrap(), Serial::of(&[0, 0x4a, 0x0b]), "{text}");
        }
        assert_eq!("00".parse::<Serial>().unwrap(), Serial::of(&[0]));
        for text in ["", ":", "4g", "-1", &"a".repeat(43)] {
            assert_eq!(text.parse::<Serial>(), Err(SerialError), "{text}");
        }
    }
}
