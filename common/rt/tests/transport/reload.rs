//! Renewed certificates are taken without a restart, broken ones are not.

use std::fs;
use std::sync::Arc;

use godwit_certs::{Fingerprint, Issued, LEAF_VALIDITY};
use godwit_rt::dial::dial;
use godwit_rt::limits::{DialTimeouts, ServerLimits};
use godwit_rt::tls::{ClientTls, TlsFiles};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio_rustls::TlsConnector;

use crate::fixture::{Hub, check, east, names, watch_health, within};

#[tokio::test]
async fn new_handshakes_take_the_new_certificate_and_standing_streams_go_on() {
    let mut hub = Hub::start(ServerLimits::default()).await;
    tokio::spawn(Arc::clone(&hub.tls).watch(hub.stop.clone()));
    let before = shown_by(&hub).await;
    let standing = hub.dial(hub.agent()).await.unwrap();
    let stream = watch_health(&standing).await;

    save(&hub.authority().issue_hub(&names(), LEAF_VALIDITY).unwrap(), &hub.files.hub);
    let renewed = Fingerprint::of(&CertificateDer::from_pem_file(&hub.files.hub.certificate).unwrap());
    assert_ne!(before, renewed);
    within(async { while shown_by(&hub).await != renewed {} }).await;
    check(&standing).await.unwrap();

    drop((stream, standing));
    hub.stop.cancel();
    hub.finished().await;
}

#[tokio::test]
async fn a_client_dials_with_its_renewed_certificate() {
    let mut hub = Hub::start(ServerLimits::default()).await;
    let tls = ClientTls::client(hub.agent().clone()).unwrap();
    tokio::spawn(Arc::clone(&tls).watch(hub.stop.clone()));
    let before = tls.current();
    save(&hub.authority().issue_agent(&east(), LEAF_VALIDITY).unwrap(), hub.agent());
    let renewed = Fingerprint::of(&CertificateDer::from_pem_file(&hub.agent().certificate).unwrap());
    within(async {
        while Arc::ptr_eq(&before, &tls.current()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let endpoint = hub.endpoint();
    let dialled = within(dial(&endpoint, &tls, DialTimeouts::default())).await.unwrap();
    check(&dialled).await.unwrap();
    assert_eq!(within(hub.peers.recv()).await.unwrap().leaf.fingerprint, renewed);
}

fn save(issued: &Issued, files: &TlsFiles) {
    fs::write(&files.key, issued.key_pem.as_ref().unwrap()).unwrap();
    fs::write(&files.certificate, &issued.certificate_pem).unwrap();
}

/// The certificate that the hub shows to one who dials now.
async fn shown_by(hub: &Hub) -> Fingerprint {
    let tls = ClientTls::client(hub.agent().clone()).unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = within(TlsConnector::from(tls.current()).connect(name, hub.raw().await)).await.unwrap();
    let (_, session) = stream.get_ref();
    Fingerprint::of(&session.peer_certificates().unwrap()[0])
}
