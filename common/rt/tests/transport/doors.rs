//! Who is let in at which door, who is kept out, and how long.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use godwit_certs::{Authority, CA_VALIDITY, Leaf, Pin, Revoked};
use godwit_rt::dial::{Connection, DialError, dial_with};
use godwit_rt::limits::{DialTimeouts, ServerLimits};
use godwit_rt::tls::{self, Door, TlsFiles, Vouching};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tonic::Code;

use crate::fixture::{Hub, check, east, mint, watch_health, within};

#[tokio::test]
async fn who_is_revoked_is_refused_with_the_cause_and_cut_where_it_is_connected() {
    let hub = Hub::start(ServerLimits::default()).await;
    let (agent, admin) = (hub.dial(hub.agent()).await.unwrap(), hub.dial(&hub.files.admin).await.unwrap());
    let (mut ending, _open) = (watch_health(&agent).await, watch_health(&admin).await);

    let clusters = [(east(), None)].into();
    hub.revoked.send_replace(Arc::new(Revoked { clusters, ..Revoked::default() }));

    within(ending.message()).await.unwrap_err();
    within(agent.closed()).await;
    let error = hub.dial(hub.agent()).await.unwrap_err();
    assert!(matches!(error, DialError::Tls { .. }), "{error}");
    assert!(error.to_string().contains("revoked"), "{error}");
    check(&admin).await.unwrap();

    hub.revoked.send_replace(Arc::default());
    hub.assert_serves().await;
}

#[tokio::test]
async fn a_connection_outlasts_its_first_certificate_if_its_peer_gets_a_new_one_over_it() {
    let mut hub = Hub::start(short_sighted()).await;
    let (_dir, files) = hub.short(Duration::from_secs(8));
    let renewed = hub.dial(&files).await.unwrap();
    check(&renewed).await.unwrap();
    let peer = within(hub.peers.recv()).await.unwrap();
    let left = hub.dial(&files).await.unwrap();
    let mut ending = watch_health(&left).await;

    // What is made out to somebody else changes nothing.
    peer.renew(certificate(&hub.files.admin));
    assert_eq!(peer.ends(), peer.leaf.not_after);
    peer.renew(certificate(hub.agent()));
    assert!(peer.ends() > SystemTime::now() + Duration::from_secs(3600));

    within(ending.message()).await.unwrap_err();
    within(left.closed()).await;
    check(&renewed).await.unwrap();

    // The new one counts from now on, the old one still.
    let serials = [leaf(hub.agent()).serial].into();
    hub.revoked.send_replace(Arc::new(Revoked { serials, ..Revoked::default() }));
    within(renewed.closed()).await;
}

#[tokio::test]
async fn who_is_of_an_authority_that_was_given_up_is_cut_unless_there_is_something_newer() {
    let mut hub = Hub::start(ServerLimits::default()).await;
    let (renewed, left) = (hub.dial(hub.agent()).await.unwrap(), hub.dial(&hub.files.admin).await.unwrap());
    check(&renewed).await.unwrap();
    let agent = within(hub.peers.recv()).await.unwrap();
    let mut ending = watch_health(&left).await;
    let admin = within(hub.peers.recv()).await.unwrap();

    // As long as both are trusted, everybody stays.
    let (former, next) = (hub.authority(), Authority::create(CA_VALIDITY).unwrap());
    let both = former.certificate_pem().to_owned() + next.certificate_pem();
    hub.vouching.send_replace(Some(Vouching::by(&both).unwrap()));
    agent.renew(next.issue_agent(&east(), CA_VALIDITY).unwrap().certificate());
    check(&left).await.unwrap();

    hub.vouching.send_replace(Some(Vouching::by(next.certificate_pem()).unwrap()));
    within(ending.message()).await.unwrap_err();
    within(left.closed()).await;
    assert!(admin.is_disowned() && !agent.is_disowned());
    check(&renewed).await.unwrap();
    // Whoever has come by a handshake that was begun before is looked at, too.
    let late = hub.dial(hub.agent()).await;
    if let Ok(late) = late {
        within(late.closed()).await;
    }
    assert!(Vouching::by("").is_err());
}

#[tokio::test]
async fn strangers_are_served_at_their_own_door_alone() {
    let mut strangers = Hub::start_at(short_sighted(), Door::Strangers).await;
    let dial = async |hub: &Hub, config| dial_with(&hub.endpoint(), config, DialTimeouts::default()).await;
    let pin = pin(&strangers);
    check(&dial(&strangers, tls::pinned(pin)).await.unwrap()).await.unwrap();
    assert!(strangers.peers.try_recv().is_err(), "a stranger is nobody");

    let (_dir, files) = strangers.short(Duration::from_secs(1));
    let ended = expired(&strangers, &files).await;
    check(&ended).await.unwrap();
    let peer = within(strangers.peers.recv()).await.unwrap();
    assert!(peer.leaf.not_after <= SystemTime::now());

    // Somebody else's is no better for having ended, and who is revoked stays out.
    let dir = tempfile::tempdir().unwrap();
    let foreign = TlsFiles { ca: files.ca.clone(), ..mint(&dir).agents[&east()].clone() };
    let error = dial(&strangers, tls::client_of(&foreign).unwrap()).await.unwrap_err().to_string();
    assert!(error.contains("not signed by an authority"), "{error}");
    let clusters = [(east(), None)].into();
    strangers.revoked.send_replace(Arc::new(Revoked { clusters, ..Revoked::default() }));
    let error = dial(&strangers, tls::client_of(&files).unwrap()).await.unwrap_err().to_string();
    assert!(error.contains("revoked"), "{error}");

    let members = Hub::start(ServerLimits::default()).await;
    let pinned = tls::pinned(self::pin(&members));
    let error = dial(&members, pinned).await.unwrap_err().to_string();
    assert!(error.contains("asks for a client certificate"), "{error}");
    let (_dir, files) = members.short(Duration::from_secs(1));
    let error = loop {
        match dial(&members, tls::client_of(&files).unwrap()).await {
            Ok(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("expired"), "{error}");
}

#[tokio::test]
async fn a_hub_of_another_authority_hears_nothing_of_who_pins_one() {
    let hub = Hub::start_at(ServerLimits::default(), Door::Strangers).await;
    let config = tls::pinned(Pin([1; 32]));
    let error = dial_with(&hub.endpoint(), config, DialTimeouts::default()).await.unwrap_err();
    assert!(error.to_string().contains("not the one that the join token is for"), "{error}");
}

/// Dials until the hub takes the certificate for ended.
async fn expired(hub: &Hub, files: &TlsFiles) -> Connection {
    let ends = leaf(files).not_after;
    while SystemTime::now() <= ends {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let config = tls::client_of(files).unwrap();
    let connection = dial_with(&hub.endpoint(), config, DialTimeouts::default()).await.unwrap();
    let status = check(&connection).await;
    assert!(!matches!(&status, Err(status) if status.code() == Code::Unauthenticated), "{status:?}");
    connection
}

/// The chain of the fixture's hub has no authority in it: one that is met for the first time has to bring it along.
fn pin(hub: &Hub) -> Pin {
    let mut chain = std::fs::read_to_string(&hub.files.hub.certificate).unwrap();
    chain.push_str(&std::fs::read_to_string(&hub.files.hub.ca).unwrap());
    std::fs::write(&hub.files.hub.certificate, chain).unwrap();
    hub.tls.reload();
    Pin::of(&CertificateDer::from_pem_file(&hub.files.hub.ca).unwrap()).unwrap()
}

fn short_sighted() -> ServerLimits {
    ServerLimits { first_request_timeout: Duration::from_secs(3), ..ServerLimits::default() }
}

fn certificate(files: &TlsFiles) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(&files.certificate).unwrap()
}

fn leaf(files: &TlsFiles) -> Leaf {
    Leaf::from_certificate(&certificate(files)).unwrap()
}
