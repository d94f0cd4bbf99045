//! Serving gRPC over mutual TLS, with every cost of a peer bounded.
//!
//! tonic's own server takes no rustls configuration, bounds neither handshakes nor connections, spins when descriptors
//! run out and waits for ever on streams at its end; hence an accept loop of our own over hyper's HTTP/2.

mod connection;
mod peer;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use http::{Request, Response};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::Service;

pub use peer::Peer;

use crate::limits::{ACCEPT_PAUSE, REFUSAL_LOG_INTERVAL, ServerLimits};
use crate::shares::Shares;
use crate::tls::ServerTls;
use connection::Connection;

/// What can be served: `tonic::service::Routes`, or anything else of its shape.
pub trait GrpcService:
    Service<
        Request<Incoming>,
        Response = Response<tonic::body::Body>,
        Error = Infallible,
        Future: Future<Output = Result<Response<tonic::body::Body>, Infallible>> + Send + 'static,
    > + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> GrpcService for S where
    S: Service<
            Request<Incoming>,
            Response = Response<tonic::body::Body>,
            Error = Infallible,
            Future: Future<Output = Result<Response<tonic::body::Body>, Infallible>> + Send + 'static,
        > + Clone
        + Send
        + Sync
        + 'static
{
}

/// Serves `service` on `listener` until `stop`. Every request carries its [`Peer`] among its extensions. A connection ends
/// with its peer's certificate, whatever runs on it.
///
/// When `stop` is cancelled, nothing more is accepted and every connection hears GOAWAY: its streams go on, new ones are
/// refused. Handlers listen to the same token, say goodbye and end their streams. This returns when the last
/// connection has ended, or was cut after `limits.drain_timeout`.
pub async fn serve<S: GrpcService>(
    listener: TcpListener,
    tls: Arc<ServerTls>,
    service: S,
    limits: ServerLimits,
    stop: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(limits.connections_max));
    let handshakes = Arc::new(Semaphore::new(limits.handshakes_max));
    let shares = Shares::of(limits.connections_max);
    let mut connections = JoinSet::new();
    let mut warned = None;
    for id in 0_u64.. {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        // Tasks that have ended would otherwise keep their memory until the stop.
        while connections.try_join_next().is_some() {}
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                pause_after(&error, &stop).await;
                continue;
            }
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            warn_full(&mut warned, limits);
            continue;
        };
        let connection = Connection {
            id,
            address,
            tls: Arc::clone(&tls),
            service: service.clone(),
            limits,
            handshakes: Arc::clone(&handshakes),
            shares: shares.clone(),
            stop: stop.clone(),
        };
        connections.spawn(async move {
            connection.run(stream).await;
            drop(slot);
        });
    }
    // Closed before the wait, so that peers who dial again find another hub, or a refusal, at once.
    drop(listener);
    drain(connections, limits).await;
}

/// Connections end by themselves when their streams do; what has not ended in time is cut.
async fn drain(mut connections: JoinSet<()>, limits: ServerLimits) {
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(limits.drain_timeout, all).await.is_err() {
        while connections.try_join_next().is_some() {}
        tracing::warn!(connections = connections.len(), "connections did not end in time: they are cut");
        connections.shutdown().await;
    }
}

fn warn_full(warned: &mut Option<Instant>, limits: ServerLimits) {
    if warned.is_none_or(|warned| warned.elapsed() >= REFUSAL_LOG_INTERVAL) {
        *warned = Some(Instant::now());
        tracing::warn!(
            limit = limits.connections_max,
            "the connection limit is reached: new ones are closed"
        );
    }
}

/// A connection that died in the backlog is its peer's matter. Any other error, such as no free descriptors, stays
/// until something else ends: asking again at once would only spin.
async fn pause_after(error: &io::Error, stop: &CancellationToken) {
    if is_of_one_peer(error) {
        return;
    }
    tracing::warn!(%error, "cannot accept connections; trying again shortly");
    tokio::select! {
        () = stop.cancelled() => {}
        () = sleep(ACCEPT_PAUSE) => {}
    }
}

fn is_of_one_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn running_out_of_descriptors_pauses_and_a_dead_peer_does_not() {
        const EMFILE: i32 = 24;
        const ECONNABORTED: i32 = 103;
        let stop = CancellationToken::new();
        assert!(!pauses(ECONNABORTED, &stop).await);
        assert!(pauses(EMFILE, &stop).await);
        stop.cancel();
        assert!(!pauses(EMFILE, &stop).await);
    }

    /// Whether the accept loop would wait, rather than go on at once.
    async fn pauses(code: i32, stop: &CancellationToken) -> bool {
        let error = io::Error::from_raw_os_error(code);
        tokio::select! {
            biased;
            () = pause_after(&error, stop) => false,
            () = std::future::ready(()) => true,
        }
    }
}
