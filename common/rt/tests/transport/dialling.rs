//! What a user reads when dialling fails.

use std::time::Duration;

use godwit_rt::dial::{DialError, Endpoint, dial};
use godwit_rt::limits::{DialTimeouts, ServerLimits};
use godwit_rt::tls::{ClientTls, TlsError, TlsFiles};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::fixture::{Hub, mint, within};

#[tokio::test]
async fn each_step_that_fails_says_so_in_one_line() {
    let hub = Hub::start(ServerLimits::default()).await;
    let port = hub.address.port();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();

    let error = fails(&hub, "https://no-such-hub.invalid:7443").await;
    assert!(matches!(error, DialError::Dns { .. }), "{error}");
    let error = fails(&hub, &format!("https://{closed}")).await;
    assert!(matches!(error, DialError::Tcp { .. }) && error.to_string().contains("refused"), "{error}");
    let error = fails(&hub, &format!("https://127.0.0.2:{port}")).await;
    assert!(matches!(error, DialError::Tcp { .. }), "{error}");
    let error = fails(&hub, &format!("https://localhost:{port}")).await;
    assert!(error.to_string().contains("certificate is not for \"localhost\""), "{error}");
}

#[tokio::test]
async fn a_port_that_speaks_something_else_is_named() {
    let hub = Hub::start(ServerLimits::default()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let error = fails(&hub, &format!("https://{address}")).await;
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
}

#[tokio::test]
async fn a_hub_that_closes_right_after_the_handshake_is_no_success() {
    let hub = Hub::start(ServerLimits::default()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(hub.tls.current());
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        acceptor.accept(stream).await.unwrap().shutdown().await.unwrap();
    });
    let error = fails(&hub, &format!("https://{address}")).await;
    assert!(matches!(error, DialError::Http2 { .. }), "{error}");
    assert!(error.to_string().contains("closed the connection without a word"), "{error}");
}

#[tokio::test]
async fn a_port_that_says_nothing_is_given_up() {
    let hub = Hub::start(ServerLimits::default()).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint: Endpoint = format!("https://{}", silent.local_addr().unwrap()).parse().unwrap();
    let tls = ClientTls::client(hub.agent().clone()).unwrap();
    let timeouts = DialTimeouts { total: Duration::from_millis(200), ..DialTimeouts::default() };
    let error = within(dial(&endpoint, &tls, timeouts)).await.unwrap_err();
    assert!(matches!(error, DialError::Timeout { .. }), "{error}");
}

#[test]
fn files_that_cannot_be_used_are_named_with_a_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let files = mint(&dir);
    let agent = files.agents.values().next().unwrap();
    let load = |files: TlsFiles| ClientTls::client(files).map(|_| ()).unwrap_err().to_string();

    let missing = dir.path().join("missing.pem");
    let error = load(TlsFiles { ca: missing.clone(), ..agent.clone() });
    assert!(error.contains("CA file") && error.contains("missing.pem"), "{error}");
    let error = load(TlsFiles { key: files.admin.key.clone(), ..agent.clone() });
    assert!(error.contains("admin.key") && error.contains("does not belong to"), "{error}");
    let error = load(TlsFiles { certificate: agent.key.clone(), ..agent.clone() });
    assert!(error.contains("certificate file") && error.contains("no certificate"), "{error}");
    let error = load(TlsFiles { key: agent.certificate.clone(), ..agent.clone() });
    assert!(error.contains("no unencrypted private key"), "{error}");

    let large = dir.path().join("large.pem");
    std::fs::File::create(&large).unwrap().set_len(2 * 1024 * 1024).unwrap();
    let error = ClientTls::client(TlsFiles { ca: large, ..agent.clone() }).map(|_| ()).unwrap_err();
    assert!(matches!(error, TlsError::TooLarge { .. }), "{error}");
}

async fn fails(hub: &Hub, endpoint: &str) -> DialError {
    let endpoint: Endpoint = endpoint.parse().unwrap();
    let tls = ClientTls::client(hub.agent().clone()).unwrap();
    let error = within(dial(&endpoint, &tls, DialTimeouts::default())).await.unwrap_err();
    assert_eq!(error.to_string().lines().count(), 1, "{error}");
    error
}
