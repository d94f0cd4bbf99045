//! The cluster's own authority and certificate, made at each start and kept in memory.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::Context;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// What the server shows, and what its clients trust.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) server: Arc<ServerConfig>,
    /// The authority's certificate, in PEM.
    pub(crate) authority: String,
}

/// Makes an authority for the cluster `name`, and a certificate for a server at `address`.
pub(crate) fn identity(name: &str, address: IpAddr) -> anyhow::Result<Identity> {
    let mut authority = CertificateParams::new(Vec::<String>::new())?;
    authority.distinguished_name.push(DnType::CommonName, format!("{name} authority"));
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;

    let mut names = vec![address.to_string()];
    for known in ["127.0.0.1", "::1", "localhost", "kubernetes", "kubernetes.default.svc"] {
        if !names.iter().any(|name| name == known) {
            names.push(known.to_owned());
        }
    }
    let mut leaf = CertificateParams::new(names)?;
    leaf.distinguished_name.push(DnType::CommonName, format!("{name} API server"));
    leaf.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let leaf = leaf.signed_by(&key, &authority)?;

    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("the cryptography offers no TLS version")?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .context("the certificate was refused")?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Identity { server: Arc::new(server), authority: authority.pem() })
}
