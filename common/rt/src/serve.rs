//! Serving gRPC over mutual TLS, with every cost of a peer bounded.
//!
//! tonic's own server takes no rustls configuration, bounds neither handshakes nor connections, spins when descriptors
//! run out and waits for ever on streams at its end; hence an accept loop of our own over hyper's HTTP/2.

mod connection;
mod peer;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use godwit_certs::Identity;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::Service;

pub use peer::{Peer, address_in, address_of};

pub use crate::accept::origin;
use crate::accept::{Acceptor, Place};
use crate::limits::ServerLimits;
use crate::rates::Rates;
use crate::shares::Shares;
use crate::tls::{Door, ServerTls};
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

/// Serves `service` on `listener` until `stop`. Every request carries its [`Peer`] among its extensions; where the door is
/// for strangers, only if it has one. A connection ends with its peer's certificate, or when that is revoked, or when no
/// authority vouches for it any more, whatever runs on it. `tls` must be for the same door.
///
/// When `stop` is cancelled, nothing more is accepted and every connection hears GOAWAY: its streams go on, new ones are
/// refused. Handlers listen to the same token, say goodbye and end their streams. This returns when the last
/// connection has ended, or was cut after `limits.drain_timeout`.
pub async fn serve<S: GrpcService>(
    listener: TcpListener,
    tls: Arc<ServerTls>,
    door: Door,
    service: S,
    limits: ServerLimits,
    stop: CancellationToken,
) {
    let handshakes = Arc::new(Semaphore::new(limits.handshakes_max));
    let shares: Shares<Identity> = Shares::of(limits.connections_max);
    let mut ids = 0_u64..;
    let (connections_max, rates) = (limits.connections_max, Rates::of(limits.connections_per_second));
    let acceptor = Acceptor { listener, connections_max, rates, stop: stop.clone() };
    let connection = |stream, address, place: Place| {
        let connection = Connection {
            id: ids.next().unwrap_or(u64::MAX),
            address,
            tls: Arc::clone(&tls),
            door: door.clone(),
            service: service.clone(),
            limits,
            handshakes: Arc::clone(&handshakes),
            shares: shares.clone(),
            stop: stop.clone(),
        };
        connection.run(stream, place)
    };
    // The listener is closed before the wait, so that peers who dial again find another hub, or a refusal, at once.
    let connections = acceptor.run(connection).await;
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
