//! Trust among the agents of one cluster, who have certificates for clients and no names: who is dialled shows the same kind
//! of certificate as who dials, and it is looked at in the same way.

use std::sync::Arc;

use godwit_certs::Identity;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::server::danger::ClientCertVerifier;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// Takes whoever has the same identity from the same authorities, under whatever address he is found.
#[derive(Debug)]
pub(super) struct Neighbour {
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
    pub(super) identity: Identity,
}

/// Why the other side is not meant.
#[derive(Debug, thiserror::Error)]
#[error("the certificate that was shown is another's: {found}, and not {expected}")]
struct Stranger {
    found: String,
    expected: Identity,
}

impl ServerCertVerifier for Neighbour {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verifier.verify_client_cert(end_entity, intermediates, now)?;
        let found = match Identity::from_certificate(end_entity) {
            Ok(found) if found == self.identity => return Ok(ServerCertVerified::assertion()),
            Ok(found) => found.to_string(),
            Err(problem) => problem.to_string(),
        };
        let stranger = Stranger { found, expected: self.identity.clone() };
        Err(CertificateError::Other(OtherError(Arc::new(stranger))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use godwit_certs::{Authority, CA_VALIDITY, Issued, LEAF_VALIDITY};
    use rustls::RootCertStore;
    use rustls::server::WebPkiClientVerifier;
    use rustls_pki_types::pem::PemObject;

    use super::super::provider;
    use super::*;

    #[test]
    fn only_an_agent_of_the_same_cluster_is_taken_whatever_its_address() {
        let (ours, theirs) = (authority(), authority());
        let agent = |authority: &Authority, name: &str| {
            authority.issue_agent(&name.parse().unwrap(), LEAF_VALIDITY).unwrap()
        };
        let now = SystemTime::now();
        judge(&ours, &agent(&ours, "east"), now).unwrap();
        let other = judge(&ours, &agent(&ours, "west"), now).unwrap_err();
        let Error::InvalidCertificate(CertificateError::Other(problem)) = &other else { panic!("{other}") };
        assert!(problem.to_string().contains("cluster/west"), "{problem}");
        judge(&ours, &agent(&theirs, "east"), now).unwrap_err();
        judge(&ours, &ours.issue_hub(&["hub.example.com".to_owned()], LEAF_VALIDITY).unwrap(), now)
            .unwrap_err();
        let late = judge(&ours, &agent(&ours, "east"), now + LEAF_VALIDITY + Duration::from_secs(3600));
        assert!(late.unwrap_err().to_string().contains("expired"));
    }

    /// An agent of `east` looks at who has answered.
    fn judge(authority: &Authority, leaf: &Issued, now: SystemTime) -> Result<(), Error> {
        let mut roots = RootCertStore::empty();
        roots.add(der(authority.certificate_pem())).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build().unwrap();
        let identity = Identity::Agent { cluster: "east".parse().unwrap() };
        let name = ServerName::try_from("192.0.2.7").unwrap();
        let now = UnixTime::since_unix_epoch(now.duration_since(SystemTime::UNIX_EPOCH).unwrap());
        let neighbour = Neighbour { verifier, identity };
        neighbour.verify_server_cert(&der(&leaf.certificate_pem), &[], &name, &[], now).map(|_| ())
    }

    fn authority() -> Authority {
        Authority::create(CA_VALIDITY).unwrap()
    }

    fn der(pem: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
    }
}
