//! Trust in a hub of which only its authority's key is known: how an agent meets it for the first time.

use std::fmt;
use std::sync::Arc;

use godwit_certs::{Identity, Pin};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// Takes a hub whose chain brings the pinned authority along, and is signed by it. Everything else is as usual: the name,
/// the dates, what the certificate may be used for.
pub(super) struct Pinned {
    pub(super) authority: Pin,
    pub(super) provider: Arc<CryptoProvider>,
}

/// Why a hub is not the one that is meant.
#[derive(Debug, thiserror::Error)]
enum Stranger {
    #[error(
        "the hub's authority is not the one that the join token is for: the token is from another hub, the authority was \
         replaced, or somebody stands in between. Nothing was shown to it; make a token at this very hub"
    )]
    Authority,
    #[error("the certificate is the authority's, and not a hub's: check host and port")]
    NoHub,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let pinned = |one: &&CertificateDer<'_>| Pin::of(one).is_ok_and(|pin| pin == self.authority);
        let authority = intermediates.iter().find(pinned).ok_or_else(|| refused(Stranger::Authority))?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
                .build()
                .map_err(|error| Error::General(error.to_string()))?;
        let verified =
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        match Identity::from_certificate(end_entity) {
            Ok(Identity::Hub) => Ok(verified),
            Ok(Identity::Admin { .. } | Identity::Agent { .. }) | Err(_) => Err(refused(Stranger::NoHub)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pinned").field("authority", &self.authority).finish_non_exhaustive()
    }
}

fn refused(stranger: Stranger) -> Error {
    CertificateError::Other(OtherError(Arc::new(stranger))).into()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use godwit_certs::{Authority, CA_VALIDITY, Issued, LEAF_VALIDITY};
    use rustls_pki_types::pem::PemObject;

    use super::super::provider;
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn only_a_hub_of_the_pinned_authority_is_taken_under_its_name_and_in_its_time() {
        let (ours, theirs) = (authority(), authority());
        let (hub, agent) = (issue(&ours), ours.issue_agent(&"east".parse().unwrap(), LEAF_VALIDITY).unwrap());
        let now = SystemTime::now();
        let judge = |leaf: &Issued, chain: &Authority, name, now| {
            let pinned = Pinned { authority: ours.pin(), provider: provider() };
            verify(&pinned, leaf, chain, name, now)
        };
        judge(&hub, &ours, "hub.example.com", now).unwrap();

        // Their chain, or theirs under a hub's certificate of ours, or ours brought along by them.
        for (leaf, chain) in [(&issue(&theirs), &theirs), (&hub, &theirs)] {
            let error = judge(leaf, chain, "hub.example.com", now).unwrap_err();
            let Error::InvalidCertificate(CertificateError::Other(problem)) = &error else {
                panic!("{error}")
            };
            assert!(problem.to_string().contains("not the one that the join token is for"), "{problem}");
        }
        judge(&issue(&theirs), &ours, "hub.example.com", now).unwrap_err();
        judge(&hub, &ours, "other.example.com", now).unwrap_err();
        judge(&agent, &ours, "hub.example.com", now).unwrap_err();

        // A clock that is slow by more than certificates begin before their time, or that is fast by their whole life.
        judge(&hub, &ours, "hub.example.com", now - HOUR / 2).unwrap();
        for (now, word) in [(now - 2 * HOUR, "not valid yet"), (now + LEAF_VALIDITY + HOUR, "expired")] {
            let error = judge(&hub, &ours, "hub.example.com", now).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    /// A token that was made before the authority was replaced.
    #[test]
    fn a_hub_of_the_next_authority_is_taken_if_the_pinned_one_vouches_for_it() {
        let (old, new, other) = (authority(), authority(), authority());
        let pinned = |authority: &Authority| Pinned { authority: authority.pin(), provider: provider() };
        let hub = issue(&new);
        let judge = |pinned: &Pinned, chain: &[&str]| {
            let chain: Vec<_> = chain.iter().map(|pem| der(pem)).collect();
            let name = ServerName::try_from("hub.example.com").unwrap();
            pinned.verify_server_cert(&der(&hub.certificate_pem), &chain, &name, &[], UnixTime::now())
        };
        let (vouched, forged) = (old.vouch_for(&new).unwrap(), other.vouch_for(&new).unwrap());
        let [old_pem, new_pem] = [old.certificate_pem(), new.certificate_pem()];
        for authority in [&old, &new] {
            judge(&pinned(authority), &[&vouched, new_pem, old_pem]).unwrap();
        }
        judge(&pinned(&old), &[new_pem, old_pem]).unwrap_err();
        judge(&pinned(&old), &[&forged, new_pem, old_pem]).unwrap_err();
        judge(&pinned(&other), &[&vouched, new_pem, old_pem]).unwrap_err();
    }

    fn verify(
        pinned: &Pinned,
        leaf: &Issued,
        chain: &Authority,
        name: &str,
        now: SystemTime,
    ) -> Result<(), Error> {
        let now = UnixTime::since_unix_epoch(now.duration_since(SystemTime::UNIX_EPOCH).unwrap());
        let [leaf, authority] = [leaf.certificate_pem.as_str(), chain.certificate_pem()].map(der);
        let name = ServerName::try_from(name.to_owned()).unwrap();
        pinned.verify_server_cert(&leaf, &[authority], &name, &[], now).map(|_| ())
    }

    fn authority() -> Authority {
        Authority::create(CA_VALIDITY).unwrap()
    }

    fn issue(authority: &Authority) -> Issued {
        authority.issue_hub(&["hub.example.com".to_owned()], LEAF_VALIDITY).unwrap()
    }

    fn der(pem: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
    }
}
