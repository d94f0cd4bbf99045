//! Who a certificate speaks for: one SPIFFE URI, read from nothing else.

use std::fmt;
use std::str::FromStr;

use godwit_common::ClusterName;
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

/// Everything after this is the path of an identity in Godwit's trust domain.
const TRUST_DOMAIN: &str = "spiffe://godwit/";

/// Who a certificate speaks for. It is written as exactly one URI among the certificate's subject alternative names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// The hub: `spiffe://godwit/hub`.
    Hub,
    /// An operator or a tool that calls the admin API: `spiffe://godwit/admin/NAME`.
    Admin {
        /// The name that the hub records with what this admin does.
        name: AdminName,
    },
    /// The agent of one member cluster: `spiffe://godwit/cluster/NAME/agent`.
    Agent {
        /// The one cluster that this agent may speak for.
        cluster: ClusterName,
    },
}

impl Identity {
    /// The identity that a certificate carries. The certificate must be the leaf of a chain that rustls has verified:
    /// nothing here looks at signatures or dates.
    pub fn from_certificate(certificate: &CertificateDer<'_>) -> Result<Self, IdentityError> {
        Self::from_x509(&parse(certificate)?)
    }

    pub(crate) fn from_x509(certificate: &X509Certificate<'_>) -> Result<Self, IdentityError> {
        let names = certificate.subject_alternative_name().map_err(|_| IdentityError::Malformed)?;
        let names = names.map_or(&[][..], |extension| &extension.value.general_names[..]);
        let mut uris = Vec::new();
        for name in names {
            match name {
                GeneralName::URI(uri) => uris.push(*uri),
                GeneralName::Invalid(..) => return Err(IdentityError::Malformed),
                // Server names stand beside the hub's identity; they say where it is, not who it is.
                _ => {}
            }
        }
        match uris[..] {
            [] => Err(IdentityError::Missing),
            [uri] => uri.parse(),
            [..] => Err(IdentityError::Several { count: uris.len() }),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hub => write!(f, "{TRUST_DOMAIN}hub"),
            Self::Admin { name } => write!(f, "{TRUST_DOMAIN}admin/{name}"),
            Self::Agent { cluster } => write!(f, "{TRUST_DOMAIN}cluster/{cluster}/agent"),
        }
    }
}

impl FromStr for Identity {
    type Err = IdentityError;

    fn from_str(uri: &str) -> Result<Self, IdentityError> {
        let unknown = || IdentityError::Unknown { uri: uri.chars().take(URI_SHOWN).collect() };
        let path = uri.strip_prefix(TRUST_DOMAIN).ok_or_else(unknown)?;
        let parts: Vec<&str> = path.split('/').collect();
        match parts[..] {
            ["hub"] => Ok(Self::Hub),
            ["admin", name] => Ok(Self::Admin { name: name.parse()? }),
            ["cluster", name, "agent"] => {
                let cluster = name.parse().map_err(IdentityError::Cluster)?;
                Ok(Self::Agent { cluster })
            }
            [..] => Err(unknown()),
        }
    }
}

/// An admin's name: 1 to 64 letters, digits, `.`, `_`, `-` or `@`, beginning with a letter or digit.
/// Login names and mail addresses fit; nothing that needs escaping in a URI or a log line does.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AdminName(String);

impl AdminName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AdminName {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-@".contains(&b);
        let begins_well = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        if begins_well && text.len() <= ADMIN_NAME_MAX && text.bytes().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        Err(IdentityError::Admin { name: text.chars().take(URI_SHOWN).collect() })
    }
}

impl fmt::Display for AdminName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for AdminName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why a certificate gives no identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// It is not a well-formed X.509 certificate.
    #[error(
        "the certificate is malformed: it is not X.509 in DER, or its subject alternative names cannot be read"
    )]
    Malformed,
    /// It carries no URI at all, as certificates from other authorities do.
    #[error("the certificate carries no identity: it needs one URI such as {TRUST_DOMAIN}cluster/NAME/agent")]
    Missing,
    /// It carries several URIs, so it does not say which of them is meant.
    #[error("the certificate carries {count} URIs, but an identity is exactly one")]
    Several {
        /// How many there are.
        count: usize,
    },
    /// Its URI is none of the three forms.
    #[error(
        "identity {uri:?} is unknown: it must be {TRUST_DOMAIN}hub, {TRUST_DOMAIN}admin/NAME or {TRUST_DOMAIN}cluster/NAME/agent"
    )]
    Unknown {
        /// The URI, clipped.
        uri: String,
    },
    /// The cluster in the URI is not a valid name.
    #[error("the identity names no valid cluster")]
    Cluster(#[source] godwit_common::NameError),
    /// An admin's name is not valid.
    #[error(
        "admin name {name:?} is not valid: it must be 1 to 64 letters, digits, '.', '_', '-' or '@', beginning with a letter or digit"
    )]
    Admin {
        /// The name, clipped.
        name: String,
    },
}

/// Long enough for login names and most mail addresses; X.509 allows 64 characters in a common name.
const ADMIN_NAME_MAX: usize = 64;
/// Errors quote what they refuse, but never a megabyte of it.
const URI_SHOWN: usize = 100;

pub(crate) fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, IdentityError> {
    match X509Certificate::from_der(certificate) {
        Ok(([], parsed)) => Ok(parsed),
        Ok(_) | Err(_) => Err(IdentityError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, SanType};

    #[test]
    fn identities_round_trip_as_uris() {
        for uri in [
            "spiffe://godwit/hub",
            "spiffe://godwit/admin/ops@example.com",
            "spiffe://godwit/cluster/east-1/agent",
        ] {
            assert_eq!(uri.parse::<Identity>().unwrap().to_string(), uri);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!("spiffe://godwit/admin/{}", "a".repeat(65));
        for uri in [
            "",
            "hub",
            "https://godwit/hub",
            "spiffe://other/hub",
            "spiffe://godwit.evil/hub",
            "spiffe://GODWIT/hub",
            "spiffe://godwit",
            "spiffe://godwit/",
            "spiffe://godwit/hub/",
            "spiffe://godwit/hub?x",
            "spiffe://godwit//hub",
            "spiffe://godwit/admin",
            "spiffe://godwit/admin/",
            "spiffe://godwit/admin/.hidden",
            "spiffe://godwit/admin/a b",
            "spiffe://godwit/admin/a%2fb",
            "spiffe://godwit/admin/é",
            &long,
            "spiffe://godwit/cluster/east",
            "spiffe://godwit/cluster//agent",
            "spiffe://godwit/cluster/East/agent",
            "spiffe://godwit/cluster/../agent",
            "spiffe://godwit/cluster/east/agent/more",
        ] {
            assert!(uri.parse::<Identity>().is_err(), "{uri:?} was taken");
        }
    }

    #[test]
    fn a_certificate_needs_exactly_one_uri() {
        let hub = "spiffe://godwit/hub";
        assert_eq!(read(&[hub]), Ok(Identity::Hub));
        assert_eq!(read(&[]), Err(IdentityError::Missing));
        assert_eq!(read(&[hub, hub]), Err(IdentityError::Several { count: 2 }));
        assert_eq!(read(&[hub, "https://example.com"]), Err(IdentityError::Several { count: 2 }));
        assert!(matches!(read(&["spiffe://godwit/x"]), Err(IdentityError::Unknown { .. })));
    }

    #[test]
    fn bytes_that_are_no_certificate_are_refused() {
        for bytes in [&b""[..], b"\x30", b"\x30\x82\xff\xff", &[0x30; 4096]] {
            let certificate = CertificateDer::from(bytes);
            assert_eq!(Identity::from_certificate(&certificate), Err(IdentityError::Malformed));
        }
        let mut longer = certificate(&["spiffe://godwit/hub"]).to_vec();
        longer.push(0);
        let longer = CertificateDer::from(longer);
        assert_eq!(Identity::from_certificate(&longer), Err(IdentityError::Malformed));
    }

    #[test]
    fn errors_quote_little() {
        let error = "x".repeat(100_000).parse::<Identity>().unwrap_err().to_string();
        assert!(error.len() < 400, "{} bytes", error.len());
    }

    fn read(uris: &[&str]) -> Result<Identity, IdentityError> {
        Identity::from_certificate(&certificate(uris))
    }

    fn certificate(uris: &[&str]) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["hub.example.com".to_owned()]).unwrap();
        for uri in uris {
            params.subject_alt_names.push(SanType::URI((*uri).try_into().unwrap()));
        }
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }
}
