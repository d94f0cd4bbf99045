//! Who is let in, as whom.

use std::sync::Arc;
use std::time::Duration;

use godwit_certs::{Identity, Leaf};
use godwit_rt::dial::DialError;
use godwit_rt::limits::ServerLimits;
use godwit_rt::tls::TlsFiles;
use rcgen::{Certificate, CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair};
use rustls::client::WebPkiServerVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::AsyncReadExt;
use tokio_rustls::TlsConnector;

use crate::fixture::{Hub, check, east, mint, watch_health, within};

#[tokio::test]
async fn each_request_carries_the_peer_of_its_certificate() {
    let mut hub = Hub::start(ServerLimits::default()).await;
    let agent = hub.dial(hub.agent()).await.unwrap();
    let admin = hub.dial(&hub.files.admin).await.unwrap();
    for connection in [&agent, &agent, &admin] {
        check(connection).await.unwrap();
    }
    let mut peers = Vec::new();
    for _ in 0..3 {
        peers.push(within(hub.peers.recv()).await.unwrap());
    }
    let leaf = Leaf::from_certificate(&certificate(hub.agent())).unwrap();
    assert_eq!(leaf.identity, Identity::Agent { cluster: east() });
    assert_eq!((&peers[0].leaf, peers[0].ends()), (&leaf, leaf.not_after));
    assert!(peers[0].address.ip().is_loopback());
    assert_eq!((&peers[0].leaf, peers[0].connection), (&peers[1].leaf, peers[1].connection));
    assert_eq!(peers[2].leaf.identity.to_string(), "spiffe://godwit/admin/dev");
    assert_ne!(peers[0].connection, peers[2].connection);
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused() {
    let mut hub = Hub::start(ServerLimits::default()).await;
    let alert = read_refusal(&hub, anonymous(&hub, &TLS13)).await;
    assert_eq!(alert, Some(AlertDescription::CertificateRequired));
    hub.assert_serves().await;
    assert!(matches!(within(hub.peers.recv()).await.unwrap().leaf.identity, Identity::Agent { .. }));
    assert!(hub.peers.try_recv().is_err(), "the refused client was served");
}

#[tokio::test]
async fn a_certificate_of_a_foreign_authority_is_refused() {
    let hub = Hub::start(ServerLimits::default()).await;
    let dir = tempfile::tempdir().unwrap();
    let foreign = mint(&dir).agents[&east()].clone();

    let error = hub.dial(&TlsFiles { ca: hub.files.hub.ca.clone(), ..foreign.clone() }).await.unwrap_err();
    assert!(matches!(error, DialError::Tls { .. }), "{error}");
    assert!(error.to_string().contains("the hub refused our certificate"), "{error}");

    let error = hub.dial(&foreign).await.unwrap_err();
    assert!(error.to_string().contains("not signed by an authority in our CA file"), "{error}");
    hub.assert_serves().await;
}

#[tokio::test]
async fn our_authority_alone_is_not_enough_without_an_identity() {
    let hub = Hub::start(ServerLimits::default()).await;
    let params = CertificateParams::new(vec!["east".to_owned()]).unwrap();
    let (nameless, own_key) = sign(&hub, params);
    let config = builder(&hub, &TLS13)
        .with_client_auth_cert(
            vec![nameless.der().clone()],
            PrivateKeyDer::from_pem_slice(own_key.serialize_pem().as_bytes()).unwrap(),
        )
        .unwrap();
    assert_eq!(read_refusal(&hub, config).await, None);
    hub.assert_serves().await;
}

#[tokio::test]
async fn a_connection_ends_with_its_peers_certificate() {
    // Shorter than the certificate lasts, so that it is over for good when that ends.
    let first_request_timeout = Duration::from_secs(3);
    let hub = Hub::start(ServerLimits { first_request_timeout, ..ServerLimits::default() }).await;
    let lasting = hub.dial(hub.agent()).await.unwrap();
    let _open = watch_health(&lasting).await;
    let (_dir, files) = hub.short(Duration::from_secs(8));
    let brief = hub.dial(&files).await.unwrap();
    let mut ending = watch_health(&brief).await;
    within(ending.message()).await.unwrap_err();
    within(brief.closed()).await;
    check(&lasting).await.unwrap();
}

#[tokio::test]
async fn an_agents_certificate_does_not_make_a_hub() {
    let hub = Hub::start(ServerLimits::default()).await;
    let roots = Arc::new(roots(&hub));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider).build().unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let verify = |files: &TlsFiles| {
        let now = rustls_pki_types::UnixTime::now();
        verifier.verify_server_cert(&certificate(files), &[], &name, &[], now)
    };
    use rustls::client::danger::ServerCertVerifier;
    verify(&hub.files.hub).unwrap();
    verify(hub.agent()).unwrap_err();
}

#[tokio::test]
async fn older_tls_is_refused() {
    let hub = Hub::start(ServerLimits::default()).await;
    let connector = TlsConnector::from(Arc::new(anonymous(&hub, &TLS12)));
    let name = ServerName::try_from("127.0.0.1").unwrap();
    within(connector.connect(name, hub.raw().await)).await.unwrap_err();
    hub.assert_serves().await;
}

#[tokio::test]
async fn nothing_is_resumed() {
    let hub = Hub::start(ServerLimits::default()).await;
    let files = hub.agent();
    let key = PrivateKeyDer::from_pem_file(&files.key).unwrap();
    let mut config = builder(&hub, &TLS13).with_client_auth_cert(vec![certificate(files)], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    // This client would resume gladly: rustls keeps tickets by default.
    let connector = TlsConnector::from(Arc::new(config));
    for _ in 0..2 {
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut stream = within(connector.connect(name, hub.raw().await)).await.unwrap();
        let mut first = [0; 9];
        within(stream.read_exact(&mut first)).await.unwrap();
        let (_, session) = stream.get_ref();
        assert_eq!(session.handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(session.tls13_tickets_received(), 0);
    }
}

/// A client's certificate of the hub's own authority, with whatever `params` say.
fn sign(hub: &Hub, mut params: CertificateParams) -> (Certificate, KeyPair) {
    let authority_key = KeyPair::from_pem(&std::fs::read_to_string(hub.authority_key()).unwrap()).unwrap();
    let issuer = Issuer::from_ca_cert_pem(hub.authority().certificate_pem(), authority_key).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, &issuer).unwrap(), key)
}

/// The alert with which the hub refuses a client, or `None` where it just closes.
async fn read_refusal(hub: &Hub, config: ClientConfig) -> Option<AlertDescription> {
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let refused = match within(connector.connect(name, hub.raw().await)).await {
        Ok(mut stream) => {
            let mut received = Vec::new();
            let ended = within(stream.read_to_end(&mut received)).await;
            assert_eq!(received, b"", "a refused client hears nothing");
            ended.err()?
        }
        Err(error) => error,
    };
    match refused.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        other => panic!("an alert was expected, not {other}"),
    }
}

fn anonymous(hub: &Hub, version: &'static SupportedProtocolVersion) -> ClientConfig {
    builder(hub, version).with_no_client_auth()
}

fn builder(
    hub: &Hub,
    version: &'static SupportedProtocolVersion,
) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots(hub))
}

fn roots(hub: &Hub) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&hub.files.hub.ca).unwrap()).unwrap();
    roots
}

fn certificate(files: &TlsFiles) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(&files.certificate).unwrap()
}
