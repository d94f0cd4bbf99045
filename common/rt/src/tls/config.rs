//! Configurations of rustls: TLS 1.3 only, certificates on both sides but where a door is for strangers, nothing resumed.

use std::sync::Arc;

use godwit_certs::{Pin, TlsFiles};
use rustls::client::Resumption;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};

use super::door::{Door, Doorkeeper};
use super::files::{Material, content, mismatch};
use super::neighbour::Neighbour;
use super::pinned::Pinned;
use super::{TlsError, provider};

const ALPN_H2: &[u8] = b"h2";

pub(super) fn server(files: &TlsFiles, material: Material, door: Door) -> Result<ServerConfig, TlsError> {
    let roots = Arc::new(material.roots);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
        .build()
        .map_err(|error| content("CA", &files.ca, error.to_string()))?;
    let verifier = Arc::new(Doorkeeper { verifier, door });
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect("aws-lc-rs has cipher suites for TLS 1.3")
        .with_client_cert_verifier(verifier)
        .with_single_cert(material.chain, material.key)
        .map_err(|error| mismatch(files, &error))?;
    // A resumed session skips the client-certificate verifier: an expired or revoked peer would walk in.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    Ok(config)
}

pub(super) fn client(files: &TlsFiles, material: Material) -> Result<ClientConfig, TlsError> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect("aws-lc-rs has cipher suites for TLS 1.3")
        .with_root_certificates(material.roots)
        .with_client_auth_cert(material.chain, material.key)
        .map_err(|error| mismatch(files, &error))?;
    Ok(as_ever(config))
}

/// A client among others of its own identity, to whom another of them is a server.
pub(super) fn neighbour(files: &TlsFiles, material: Material) -> Result<ClientConfig, TlsError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(material.roots), provider())
        .build()
        .map_err(|error| content("CA", &files.ca, error.to_string()))?;
    let verifier = Neighbour { verifier, identity: material.leaf.identity };
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect("aws-lc-rs has cipher suites for TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(material.chain, material.key)
        .map_err(|error| mismatch(files, &error))?;
    Ok(as_ever(config))
}

/// A client without a certificate, to whom only a hub of this authority is one.
pub(super) fn pinned(authority: Pin) -> ClientConfig {
    let verifier = Pinned { authority, provider: provider() };
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect("aws-lc-rs has cipher suites for TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    as_ever(config)
}

fn as_ever(mut config: ClientConfig) -> ClientConfig {
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    config
}
