//! Peers that are silent, noisy or too many.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use godwit_common::rng::Rng;
use godwit_rt::dial::DialError;
use godwit_rt::limits::ServerLimits;
use godwit_rt::tls::ClientTls;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use crate::fixture::{Hub, check, watch_health, within};

/// Short enough to wait for, long enough for a handshake on a busy machine where a test needs one to succeed.
const SOON: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_peer_that_never_begins_its_handshake_is_cut() {
    let hub = Hub::start(ServerLimits { handshake_timeout: SOON, ..ServerLimits::default() }).await;
    assert_cut(hub.raw().await).await;
}

#[tokio::test]
async fn a_peer_that_stops_in_its_handshake_is_cut() {
    let hub = Hub::start(ServerLimits { handshake_timeout: SOON, ..ServerLimits::default() }).await;
    assert_cut(stalled(&hub).await).await;
}

#[tokio::test]
async fn silent_peers_take_no_turn_of_a_handshake() {
    let never = Duration::from_secs(600);
    let limits = ServerLimits { handshakes_max: 1, handshake_timeout: never, ..ServerLimits::default() };
    let hub = Hub::start(limits).await;
    let _silent = [hub.raw().await, hub.raw().await];
    hub.assert_serves().await;
}

#[tokio::test]
async fn peers_that_stop_in_their_handshake_delay_others_but_do_not_lock_them_out() {
    let limits = ServerLimits { handshakes_max: 1, handshake_timeout: SOON, ..ServerLimits::default() };
    let hub = Hub::start(limits).await;
    let _stalled = [stalled(&hub).await, stalled(&hub).await];
    hub.assert_serves().await;
}

#[tokio::test]
async fn a_peer_that_asks_nothing_is_cut_and_one_that_asked_stays() {
    let limits = ServerLimits { first_request_timeout: SOON, ..ServerLimits::default() };
    let hub = Hub::start(limits).await;
    let asked = hub.dial(hub.agent()).await.unwrap();
    check(&asked).await.unwrap();
    let silent = hub.dial(hub.agent()).await.unwrap();
    within(silent.closed()).await;
    // It began earlier, so its time was up earlier too.
    check(&asked).await.unwrap();
}

#[tokio::test]
async fn random_bytes_do_no_harm() {
    let hub = Hub::start(ServerLimits::default()).await;
    let mut rng = Rng::new(7);
    for _ in 0..50 {
        let mut stream = hub.raw().await;
        // The hub may close before all is written, which is as good.
        let _ = stream.write_all(&noise(&mut rng)).await;
        let _ = stream.shutdown().await;
        assert_cut(stream).await;
    }
    let tls = ClientTls::client(hub.agent().clone()).unwrap();
    for round in 0..50 {
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let connector = TlsConnector::from(Arc::clone(&tls.current()));
        let mut stream = within(connector.connect(name, hub.raw().await)).await.unwrap();
        if round % 2 == 0 {
            let _ = stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        }
        let _ = stream.write_all(&noise(&mut rng)).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = within(stream.read_to_end(&mut answer)).await;
    }
    hub.assert_serves().await;
}

#[tokio::test]
async fn one_connection_too_many_is_closed_at_once() {
    let hub = Hub::start(ServerLimits { connections_max: 1, ..ServerLimits::default() }).await;
    let first = hub.dial(hub.agent()).await.unwrap();
    let stream = watch_health(&first).await;
    let error = hub.dial(hub.agent()).await.unwrap_err();
    assert!(matches!(error, DialError::Tls { .. }), "{error}");
    check(&first).await.unwrap();

    drop((stream, first));
    // The hub notices a little later that the first is gone.
    within(async { while hub.dial(hub.agent()).await.is_err() {} }).await;
}

#[tokio::test]
async fn one_address_leaves_room_for_others_before_anybody_has_shown_anything() {
    let never = Duration::from_secs(600);
    let limits = ServerLimits { connections_max: 128, handshake_timeout: never, ..ServerLimits::default() };
    let hub = Hub::start(limits).await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        silent.push(socket.connect(hub.address).await.unwrap());
    }
    // From another address.
    hub.assert_serves().await;
    let last = silent.pop().unwrap();
    assert_cut(last).await;
}

#[tokio::test]
async fn one_stream_too_many_waits_for_its_turn() {
    let hub = Hub::start(ServerLimits::default()).await;
    let connection = hub.dial(hub.agent()).await.unwrap();
    let mut streams = Vec::new();
    for _ in 0..godwit_rt::limits::STREAMS_PER_CONNECTION_MAX {
        streams.push(watch_health(&connection).await);
    }
    let mut one_more = std::pin::pin!(check(&connection));
    tokio::select! {
        biased;
        _ = &mut one_more => panic!("more streams are open than allowed"),
        () = hub.assert_serves() => {}
    }
    streams.pop();
    one_more.await.unwrap();
}

/// A peer that sends the header of a TLS record of 512 bytes, and nothing after it.
async fn stalled(hub: &Hub) -> TcpStream {
    let mut stream = hub.raw().await;
    stream.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00]).await.unwrap();
    stream
}

fn noise(rng: &mut Rng) -> Vec<u8> {
    let length = rng.below(2_000);
    (0..length).map(|_| rng.below(256) as u8).collect()
}

async fn assert_cut(mut stream: TcpStream) {
    let mut answer = Vec::new();
    match within(stream.read_to_end(&mut answer)).await {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}
