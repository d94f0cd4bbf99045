//! How serving ends.

use std::time::Duration;

use godwit_rt::limits::ServerLimits;
use tokio::net::TcpStream;
use tonic::Code;

use crate::fixture::{Hub, check, watch_health, within};

/// Longer than a test's patience: whoever needs it has failed.
const NEVER: Duration = Duration::from_secs(600);

#[tokio::test]
async fn idle_connections_end_with_the_stop() {
    let mut hub = Hub::start(ServerLimits { drain_timeout: NEVER, ..ServerLimits::default() }).await;
    let idle = hub.dial(hub.agent()).await.unwrap();
    check(&idle).await.unwrap();
    hub.stop.cancel();
    hub.finished().await;
    within(idle.closed()).await;
    assert!(TcpStream::connect(hub.address).await.is_err(), "the port is still open");
}

#[tokio::test]
async fn a_peer_in_its_handshake_does_not_hold_up_the_stop() {
    let limits = ServerLimits { drain_timeout: NEVER, handshake_timeout: NEVER, ..ServerLimits::default() };
    let mut hub = Hub::start(limits).await;
    let _silent = hub.raw().await;
    // The silent one was accepted before, since accepting keeps the order.
    hub.assert_serves().await;
    hub.stop.cancel();
    hub.finished().await;
}

#[tokio::test]
async fn streams_go_on_after_the_stop_until_they_end() {
    let mut hub = Hub::start(ServerLimits { drain_timeout: NEVER, ..ServerLimits::default() }).await;
    let connection = hub.dial(hub.agent()).await.unwrap();
    let mut stream = watch_health(&connection).await;
    hub.stop.cancel();
    let refused = within(async {
        loop {
            if let Err(status) = check(&connection).await {
                return status;
            }
        }
    });
    assert_eq!(refused.await.code(), Code::Unavailable);

    hub.health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
    within(stream.message()).await.unwrap().expect("a last word");
    drop(stream);
    hub.finished().await;
}

#[tokio::test]
async fn a_stream_that_never_ends_is_cut() {
    let drain_timeout = Duration::from_millis(200);
    let mut hub = Hub::start(ServerLimits { drain_timeout, ..ServerLimits::default() }).await;
    let connection = hub.dial(hub.agent()).await.unwrap();
    let mut stream = watch_health(&connection).await;
    hub.stop.cancel();
    hub.finished().await;
    let lost = within(stream.message()).await.unwrap_err();
    assert_ne!(lost.code(), Code::Ok);
    within(connection.closed()).await;
    assert_eq!(check(&connection).await.unwrap_err().code(), Code::Unavailable);
}
