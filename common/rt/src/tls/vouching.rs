//! Who vouches for those who are connected already.

use std::sync::Arc;

use godwit_certs::Leaf;
use rustls::RootCertStore;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};

use super::door::last_moment;
use super::provider;

/// The authorities of a moment. A handshake has seen those of its own moment: after one of them was given up, whoever is
/// connected is looked at again by what is left.
#[derive(Debug, Clone)]
pub struct Vouching(Arc<dyn ClientCertVerifier>);

impl Vouching {
    /// By these authorities' certificates, in PEM.
    pub fn by(authorities: &str) -> Result<Self, VerifierBuilderError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(authorities.as_bytes()).flatten());
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build().map(Self)
    }

    /// Whether one of them does for the first certificate of a chain, which is `leaf`'s. When that ends is no matter of theirs.
    pub(crate) fn for_chain(&self, chain: &[CertificateDer<'_>], leaf: &Leaf) -> bool {
        let Some((first, between)) = chain.split_first() else { return false };
        let moment = UnixTime::now().min(last_moment(leaf));
        self.0.verify_client_cert(first, between, moment).is_ok()
    }
}
