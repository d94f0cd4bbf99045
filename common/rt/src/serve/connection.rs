//! One connection, from the TCP stream to its end.

use std::convert::Infallible;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use godwit_certs::{Identity, IdentityError};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::peer::Remote;
use super::{GrpcService, Peer};
use crate::accept::Place;
use crate::limits::{self, ServerLimits};
use crate::revocations::Changed;
use crate::shares::{Share, Shares};
use crate::socket;
use crate::tls::{Door, ServerTls};

/// What a connection needs to run.
pub(super) struct Connection<S> {
    pub(super) id: u64,
    pub(super) address: SocketAddr,
    pub(super) tls: Arc<ServerTls>,
    pub(super) door: Door,
    pub(super) service: S,
    pub(super) limits: ServerLimits,
    pub(super) handshakes: Arc<Semaphore>,
    pub(super) shares: Shares<Identity>,
    pub(super) stop: CancellationToken,
}

/// The part of the connections that this one is of.
enum Held {
    Member { _share: Share<Identity> },
    Stranger { _share: Share<IpAddr> },
}

/// Why a connection ended before it was served. It is the peer's doing: one line at debug level, no alarm.
type Refused = Box<dyn Error + Send + Sync>;

impl<S: GrpcService> Connection<S> {
    /// Runs the connection to its end. Dropping the future cuts it.
    pub(super) async fn run(self, stream: TcpStream, place: Place) {
        // The handshake's future is large and short-lived: it is boxed, so that the task does not keep room for it.
        let stop = self.stop.clone();
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = Box::pin(self.accept(stream)) => accepted,
        };
        let (address, id) = (self.address, self.id);
        match accepted {
            Ok((stream, peer)) => self.serve(stream, peer, place).await,
            Err(error) => tracing::debug!(%address, connection = id, error = &*error, "connection refused"),
        }
    }

    async fn accept(&self, stream: TcpStream) -> Result<(TlsStream<TcpStream>, Option<Peer>), Refused> {
        socket::prepare(&stream)?;
        let limit = self.limits.handshake_timeout;
        // Whoever says nothing waits here, and takes no turn away from those who do.
        timeout(limit, stream.peek(&mut [0])).await??;
        // Whoever has waited for so long has given up by now: a handshake would be made for nobody.
        let turn = timeout(limits::HANDSHAKE_WAIT_MAX, self.handshakes.acquire()).await??;
        let acceptor = TlsAcceptor::from(self.tls.current());
        let stream = timeout(limit, acceptor.accept(stream)).await??;
        drop(turn);
        let (_, session) = stream.get_ref();
        let chain = session.peer_certificates().unwrap_or_default();
        let peer = match Peer::of_chain(chain, self.address, self.id) {
            Some(peer) => Some(peer?),
            None if self.door.takes_strangers() => None,
            None => return Err(IdentityError::Missing.into()),
        };
        Ok((stream, peer))
    }

    async fn serve(self, stream: TlsStream<TcpStream>, peer: Option<Peer>, place: Place) {
        let (address, id, stop) = (self.address, self.id, self.stop);
        let holder = match &peer {
            Some(peer) => peer.leaf.identity.to_string(),
            None => "a stranger".to_owned(),
        };
        let Place { slot: _slot, share } = place;
        let _held = match &peer {
            // Many may come from one address: from now on it is the certificate that counts.
            Some(peer) => match self.shares.take(&peer.leaf.identity) {
                Some(share) => Held::Member { _share: share },
                None => {
                    tracing::debug!(%address, connection = id, peer = %holder, "too many connections of one peer");
                    return;
                }
            },
            None => Held::Stranger { _share: share },
        };
        tracing::debug!(%address, connection = id, peer = %holder, "connection begins");
        let asked = Arc::new(AtomicBool::new(false));
        let life = Life::of(&self.door, peer.clone());
        let mut revocations = self.door.revocations().clone();
        let service = Identified { peer, address, asked: Arc::clone(&asked), service: self.service };
        let connection = builder().serve_connection(TokioIo::new(Box::new(stream)), service);
        let mut connection = pin!(connection);
        // First for the first request, then for the end of the certificate: one timer serves both.
        let mut timer = pin!(sleep(self.limits.first_request_timeout));
        let mut stopping = false;
        // Before the first wait: an authority may have been given up since the handshake.
        let (mut look_again, mut disowned) = (true, false);
        let ended = loop {
            // Before the first wait too: who was revoked since the handshake is served nothing.
            if life.peer.as_ref().is_some_and(|peer| peer.is_refused(&revocations)) {
                tracing::warn!(%address, peer = %holder, "the peer's certificate is revoked: its connection is cut");
                return;
            }
            if std::mem::take(&mut look_again) && !disowned {
                disowned = life.peer.as_ref().is_some_and(|peer| peer.disown_by(&revocations));
                if disowned {
                    tracing::warn!(
                        %address, peer = %holder,
                        "the authority of the peer's certificate is trusted no more: its connection ends"
                    );
                    // What was asked before may have been that very step: its answer still leaves.
                    connection.as_mut().graceful_shutdown();
                    timer.as_mut().reset(Instant::now() + limits::DISOWNED_MAX);
                }
            }
            tokio::select! {
                ended = &mut connection => break ended,
                () = &mut timer => {
                    if disowned {
                        return;
                    }
                    if !asked.load(Ordering::Relaxed) {
                        tracing::debug!(%address, connection = id, "no request in time: the connection is cut");
                        return;
                    }
                    let left = life.left();
                    if left.is_zero() {
                        life.say_over(address, &holder);
                        return;
                    }
                    timer.as_mut().reset(Instant::now() + left.min(limits::CERTIFICATE_LOOK_MAX));
                }
                changed = revocations.changed() => look_again = changed == Changed::Vouching,
                () = stop.cancelled(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        };
        let error = ended.as_ref().err().map(|error| error as &dyn Error);
        tracing::debug!(%address, connection = id, error, "connection ended");
    }
}

/// How long a connection may last.
struct Life {
    peer: Option<Peer>,
    /// At a door for strangers.
    until: Option<Instant>,
}

impl Life {
    fn of(door: &Door, peer: Option<Peer>) -> Self {
        let until = door.takes_strangers().then(|| Instant::now() + limits::STRANGER_CONNECTION_MAX);
        Self { peer, until }
    }

    fn left(&self) -> Duration {
        match (self.until, &self.peer) {
            // The certificate may have ended before.
            (Some(until), _) => until.saturating_duration_since(Instant::now()),
            (None, Some(peer)) => peer.ends().duration_since(SystemTime::now()).unwrap_or_default(),
            (None, None) => Duration::ZERO,
        }
    }

    fn say_over(&self, address: SocketAddr, holder: &str) {
        match self.until {
            Some(_) => {
                tracing::debug!(%address, peer = %holder, "the connection has lasted for long enough: it is cut")
            }
            None => {
                tracing::warn!(%address, peer = %holder, "the peer's certificate has ended: its connection is cut")
            }
        }
    }
}

/// Adds the peer to each request, and notes that there was one.
struct Identified<S> {
    peer: Option<Peer>,
    address: SocketAddr,
    asked: Arc<AtomicBool>,
    service: S,
}

impl<S: GrpcService> hyper::service::Service<Request<Incoming>> for Identified<S> {
    type Response = Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = tower::util::Oneshot<S, Request<Incoming>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        self.asked.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(Remote(self.address));
        if let Some(peer) = &self.peer {
            request.extensions_mut().insert(peer.clone());
        }
        tower::ServiceExt::oneshot(self.service.clone(), request)
    }
}

fn builder() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits::STREAMS_PER_CONNECTION_MAX)
        .max_header_list_size(limits::HEADER_LIST_BYTES_MAX)
        .max_pending_accept_reset_streams(limits::PENDING_RESETS_MAX)
        .max_local_error_reset_streams(limits::LOCAL_RESETS_MAX)
        .max_send_buf_size(limits::SEND_BUFFER_BYTES_MAX)
        .max_frame_size(limits::FRAME_BYTES_MAX)
        .initial_connection_window_size(limits::CONNECTION_WINDOW_BYTES)
        .initial_stream_window_size(limits::STREAM_WINDOW_BYTES)
        .keep_alive_interval(limits::KEEPALIVE_INTERVAL)
        .keep_alive_timeout(limits::KEEPALIVE_TIMEOUT);
    builder
}
