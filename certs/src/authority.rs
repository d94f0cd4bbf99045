//! The certificate authority: it signs what it decides itself, and takes nothing but a public key from a request.

mod cross;

use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use godwit_common::ClusterName;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber, SubjectPublicKeyInfo,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer, ServerName};
use time::OffsetDateTime;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

use crate::atomic_file;
use crate::error::Error;
use crate::identity::{AdminName, Identity, parse};
use crate::leaf::Leaf;
use crate::pin::Pin;

/// How long an authority lives by default. Replacing it means handing a new trust root to every cluster.
pub const CA_VALIDITY: Duration = Duration::from_secs(10 * 365 * DAY_SECS);
/// How long a hub's, an agent's or an admin's certificate lives by default: a year leaves room for a fleet that is
/// renewed by hand, and the hub shows what ends soon.
pub const LEAF_VALIDITY: Duration = Duration::from_secs(365 * DAY_SECS);

/// A certificate authority: its certificate, and the key that signs with it.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    not_after: OffsetDateTime,
}

/// A new certificate, and its private key when the authority made that too.
pub struct Issued {
    /// The certificate.
    pub certificate_pem: String,
    /// The private key (PKCS #8); absent when the requester keeps its own.
    pub key_pem: Option<String>,
}

impl Authority {
    /// A new authority with a key of its own (ECDSA P-256).
    pub fn create(validity: Duration) -> Result<Self, Error> {
        let key = KeyPair::generate()?;
        let (not_before, not_after) = lifetime(validity)?;
        let mut params = CertificateParams::default();
        // A name of its own: where issuer and subject are equal, BoringSSL and Python call a leaf self-signed.
        // The random part tells two authorities apart that a trust bundle holds during a change of roots.
        let tag = u32::from_be_bytes(random()?);
        params.distinguished_name = distinguished_name(&format!("Godwit CA {tag:08x}"));
        // One authority below it: the next one, for which it vouches when it is replaced.
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.serial_number = Some(serial()?);
        (params.not_before, params.not_after) = (not_before, not_after);
        let certificate = params.self_signed(&key)?;
        let issuer = Issuer::from_ca_cert_der(certificate.der(), key)?;
        Ok(Self {
            issuer,
            certificate: certificate.der().clone(),
            certificate_pem: certificate.pem(),
            not_after,
        })
    }

    /// The authority in two PEM files; a new one is made where neither is there. A certificate whose key is missing is
    /// refused: others trust it, and nothing that a new one signs would be worth anything to them.
    pub fn keep(certificate_path: &Path, key_path: &Path) -> Result<Self, Error> {
        // The key is written first: one that is there alone was left by a crash, and nobody has seen its certificate.
        if certificate_path.exists() {
            return Self::load(certificate_path, key_path);
        }
        let authority = Self::create(CA_VALIDITY)?;
        authority.save(certificate_path, key_path)?;
        Ok(authority)
    }

    /// The authority in two PEM files, checked to belong together and to be in force.
    pub fn load(certificate_path: &Path, key_path: &Path) -> Result<Self, Error> {
        let authority = Self::load_at_any_time(certificate_path, key_path)?;
        let in_force =
            parse(&authority.certificate).is_ok_and(|certificate| certificate.validity().is_valid());
        if !in_force {
            let reason = "it is not in force now; check the clock, or create a new authority and enrol the agents again";
            return Err(Error::Authority { path: certificate_path.to_owned(), reason: reason.to_owned() });
        }
        Ok(authority)
    }

    /// The same of one that may have ended: those that it signed for may still be about.
    pub fn load_at_any_time(certificate_path: &Path, key_path: &Path) -> Result<Self, Error> {
        let certificate_pem = read(certificate_path)?;
        let key_pem = read(key_path)?;
        let wrong =
            |path: &Path, reason: &str| Error::Authority { path: path.to_owned(), reason: reason.to_owned() };
        let key = KeyPair::from_pem(&key_pem).map_err(|_| {
            wrong(key_path, "it is not an unencrypted private key in PEM; restore the key that belongs to the certificate")
        })?;
        let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes()).map_err(|_| {
            wrong(certificate_path, "it holds no certificate in PEM; restore the one that belongs to the key")
        })?;
        let parsed = parse(&certificate).map_err(|error| wrong(certificate_path, &error.to_string()))?;
        if !parsed.is_ca() {
            return Err(wrong(certificate_path, "it is not an authority's certificate (CA:TRUE is missing)"));
        }
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(wrong(key_path, "it does not belong to the certificate; restore the matching key"));
        }
        let not_after = parsed.validity().not_after.to_datetime();
        let issuer = Issuer::from_ca_cert_der(&certificate, key)?;
        Ok(Self { issuer, certificate, certificate_pem, not_after })
    }

    /// Writes both PEM files, each atomically and the key first, readable by its owner alone.
    pub fn save(&self, certificate_path: &Path, key_path: &Path) -> Result<(), Error> {
        write(key_path, &self.issuer.key().serialize_pem(), atomic_file::PRIVATE)?;
        write(certificate_path, &self.certificate_pem, atomic_file::PUBLIC)
    }

    /// The authority's certificate: what every peer has to trust.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The end of the authority's certificate.
    pub fn ends(&self) -> SystemTime {
        self.not_after.into()
    }

    /// What the authority is known by to those who do not trust it yet.
    pub fn pin(&self) -> Pin {
        Pin::of(&self.certificate).expect("an authority's certificate was read, or made by ourselves")
    }

    /// A server certificate for a hub that is dialled by `names`: DNS names and IP addresses.
    pub fn issue_hub(&self, names: &[String], validity: Duration) -> Result<Issued, Error> {
        if names.is_empty() {
            return Err(Error::NoServerName);
        }
        let names = names.iter().map(|name| server_name(name)).collect::<Result<_, _>>()?;
        self.issue(&Identity::Hub, names, validity)
    }

    /// A client certificate for the agent of `cluster`.
    pub fn issue_agent(&self, cluster: &ClusterName, validity: Duration) -> Result<Issued, Error> {
        self.issue(&Identity::Agent { cluster: cluster.clone() }, Vec::new(), validity)
    }

    /// A client certificate for an admin.
    pub fn issue_admin(&self, name: &AdminName, validity: Duration) -> Result<Issued, Error> {
        self.issue(&Identity::Admin { name: name.clone() }, Vec::new(), validity)
    }

    /// A client certificate for the key of a signing request. Only the public key is taken from the request, after its
    /// signature shows that the requester holds the private one; the names and rights it asks for are ignored.
    pub fn issue_from_csr(
        &self,
        csr_pem: &str,
        identity: &Identity,
        validity: Duration,
    ) -> Result<Issued, Error> {
        match identity {
            Identity::Hub => {
                return Err(refuse("a hub's certificate needs server names; issue it with its key instead"));
            }
            Identity::Admin { .. } | Identity::Agent { .. } => {}
        }
        let key = requested_key(csr_pem)?;
        let params = leaf_params(identity, Vec::new(), validity, self.not_after)?;
        Ok(Issued { certificate_pem: params.signed_by(&key, &self.issuer)?.pem(), key_pem: None })
    }

    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    fn issue(&self, identity: &Identity, names: Vec<SanType>, validity: Duration) -> Result<Issued, Error> {
        let key = KeyPair::generate()?;
        let params = leaf_params(identity, names, validity, self.not_after)?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Issued { certificate_pem: certificate.pem(), key_pem: Some(key.serialize_pem()) })
    }
}

impl Issued {
    /// What the certificate says.
    pub fn leaf(&self) -> Leaf {
        Leaf::from_certificate(&self.certificate())
            .expect("an authority issues certificates with an identity")
    }

    /// The certificate, as it is shown.
    pub fn certificate(&self) -> CertificateDer<'static> {
        let read = CertificateDer::from_pem_slice(self.certificate_pem.as_bytes());
        read.expect("an authority issues certificates in PEM")
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

impl fmt::Debug for Issued {
    /// The key stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").field("certificate_pem", &self.certificate_pem).finish_non_exhaustive()
    }
}

const DAY_SECS: u64 = 24 * 60 * 60;
/// Certificates begin a little in the past, so that a member whose clock is behind accepts a new one at once.
pub(crate) const CLOCK_SKEW: Duration = Duration::from_secs(60 * 60);
const VALIDITY_MIN: Duration = Duration::from_secs(1);
const VALIDITY_MAX: Duration = Duration::from_secs(100 * 365 * DAY_SECS);
/// A request with a P-384 key and a few names is below 2 KiB.
const CSR_BYTES_MAX: usize = 16 * 1024;
/// RFC 5280 allows 20 octets; 16 random ones cannot be guessed or meet.
const SERIAL_BYTES: usize = 16;
/// What TLS 1.3 peers can sign with, and no key that is weak by its parameters.
static ACCEPTED_KEYS: [&rcgen::SignatureAlgorithm; 3] =
    [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519];

/// The key of a signing request, whose signature shows that the private one is held.
pub(crate) fn requested_key(csr_pem: &str) -> Result<SubjectPublicKeyInfo, Error> {
    if csr_pem.len() > CSR_BYTES_MAX {
        return Err(refuse("it is longer than 16 KiB"));
    }
    let der = CertificateSigningRequestDer::from_pem_slice(csr_pem.as_bytes())
        .map_err(|_| refuse("it is not PEM with a CERTIFICATE REQUEST in it"))?;
    let Ok(([], request)) = X509CertificationRequest::from_der(&der) else {
        return Err(refuse("it is not a PKCS #10 request in DER"));
    };
    request.verify_signature().map_err(|_| refuse("its signature does not fit its public key"))?;
    SubjectPublicKeyInfo::from_der(request.certification_request_info.subject_pki.raw)
        .ok()
        .filter(|key| ACCEPTED_KEYS.contains(&key.algorithm()))
        .ok_or_else(|| refuse("its key must be ECDSA P-256, ECDSA P-384 or Ed25519"))
}

fn refuse(reason: &str) -> Error {
    Error::Request { reason: reason.to_owned() }
}

fn leaf_params(
    identity: &Identity,
    names: Vec<SanType>,
    validity: Duration,
    authority_ends: OffsetDateTime,
) -> Result<CertificateParams, Error> {
    let (not_before, not_after) = lifetime(validity)?;
    let (common_name, usage) = match identity {
        Identity::Hub => ("hub".to_owned(), ExtendedKeyUsagePurpose::ServerAuth),
        Identity::Admin { name } => (format!("admin {name}"), ExtendedKeyUsagePurpose::ClientAuth),
        Identity::Agent { cluster } => (format!("agent {cluster}"), ExtendedKeyUsagePurpose::ClientAuth),
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished_name(&clip_common_name(common_name));
    params.subject_alt_names = names;
    params.subject_alt_names.push(SanType::URI(identity.to_string().try_into()?));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(serial()?);
    params.not_before = not_before;
    // No chain outlives its root; saying so in the leaf keeps renewal dates honest.
    params.not_after = not_after.min(authority_ends);
    Ok(params)
}

fn distinguished_name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "Godwit");
    name.push(DnType::CommonName, common_name);
    name
}

/// X.509 allows 64 characters here. The common name is for people; the identity is the URI.
fn clip_common_name(name: String) -> String {
    name.chars().take(64).collect()
}

fn server_name(name: &str) -> Result<SanType, Error> {
    let wrong = || Error::ServerName { value: name.chars().take(80).collect() };
    match ServerName::try_from(name).map_err(|_| wrong())? {
        ServerName::DnsName(dns) => Ok(SanType::DnsName(dns.as_ref().try_into().map_err(|_| wrong())?)),
        ServerName::IpAddress(address) => Ok(SanType::IpAddress(IpAddr::from(address))),
        // The enum is open for names that TLS may gain later.
        _ => Err(wrong()),
    }
}

fn lifetime(validity: Duration) -> Result<(OffsetDateTime, OffsetDateTime), Error> {
    if !(VALIDITY_MIN..=VALIDITY_MAX).contains(&validity) {
        return Err(Error::Validity { days: validity.as_secs() / DAY_SECS });
    }
    let now = OffsetDateTime::now_utc();
    Ok((now - CLOCK_SKEW, now + validity))
}

fn serial() -> Result<SerialNumber, Error> {
    let mut bytes: [u8; SERIAL_BYTES] = random()?;
    // The first bit must be 0 (a positive number) and some bit of the first octet 1 (no leading zero octet).
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::Random)?;
    Ok(bytes)
}

pub(crate) fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}

pub(crate) fn write(path: &Path, content: &str, mode: u32) -> Result<(), Error> {
    atomic_file::write(path, content.as_bytes(), mode)
        .map_err(|source| Error::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
