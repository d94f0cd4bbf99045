//! Dialling a hub: one fresh connection per session, so that each picks up renewed certificates and today's addresses.

mod connection;
mod endpoint;
mod error;

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::AsyncBufReadExt;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use connection::Connection;
pub use endpoint::{Endpoint, EndpointError};
pub use error::DialError;

use crate::limits::{self, DialTimeouts};
use crate::socket;
use crate::tls::ClientTls;

/// Opens a connection to `endpoint`. It returns only after the hub has sent its first HTTP/2 frame, and so has taken
/// this side's certificate: in TLS 1.3 a client's handshake ends before the server judges the client.
pub async fn dial(
    endpoint: &Endpoint,
    tls: &ClientTls,
    timeouts: DialTimeouts,
) -> Result<Connection, DialError> {
    dial_with(endpoint, tls.current(), timeouts).await
}

/// The same with a configuration of the moment.
pub async fn dial_with(
    endpoint: &Endpoint,
    tls: Arc<ClientConfig>,
    timeouts: DialTimeouts,
) -> Result<Connection, DialError> {
    // Boxed, so that callers' futures do not carry the handshake's size for their whole life.
    let open = Box::pin(open(endpoint, tls, timeouts));
    let timed_out = |_| DialError::Timeout { endpoint: endpoint.to_string(), after: timeouts.total };
    timeout(timeouts.total, open).await.map_err(timed_out)?
}

async fn open(
    endpoint: &Endpoint,
    tls: Arc<ClientConfig>,
    timeouts: DialTimeouts,
) -> Result<Connection, DialError> {
    let tcp = connect(endpoint, timeouts).await?;
    let stream = handshake(endpoint, tls, tcp).await?;
    let (sender, driver) = builder()
        .handshake(TokioIo::new(Box::new(stream)))
        .await
        .map_err(|error| DialError::Http2 { endpoint: endpoint.to_string(), reason: error.to_string() })?;
    Ok(Connection::spawn(endpoint, sender, driver))
}

/// Tries the name's addresses in the resolver's order.
async fn connect(endpoint: &Endpoint, timeouts: DialTimeouts) -> Result<TcpStream, DialError> {
    let host = endpoint.host();
    let dns = |reason: String| DialError::Dns { host: host.to_owned(), reason };
    let found = lookup_host((host, endpoint.port())).await.map_err(|error| dns(error.to_string()))?;
    let mut failed = Vec::new();
    for address in found.take(limits::DIAL_ADDRESSES_MAX) {
        match connect_one(address, timeouts).await {
            Ok(stream) => return Ok(stream),
            Err(reason) => failed.push(format!("{address}: {reason}")),
        }
    }
    if failed.is_empty() {
        return Err(dns("the name has no addresses".to_owned()));
    }
    Err(DialError::Tcp { endpoint: endpoint.to_string(), reason: failed.join(", ") })
}

async fn connect_one(address: SocketAddr, timeouts: DialTimeouts) -> Result<TcpStream, String> {
    let stream = timeout(timeouts.connect, TcpStream::connect(address))
        .await
        .map_err(|_| format!("no answer within {:?}", timeouts.connect))?
        .map_err(|error| error.to_string())?;
    socket::prepare(&stream).map_err(|error| error.to_string())?;
    Ok(stream)
}

async fn handshake(
    endpoint: &Endpoint,
    tls: Arc<ClientConfig>,
    tcp: TcpStream,
) -> Result<TlsStream<TcpStream>, DialError> {
    let wrong = |error: std::io::Error| error::tls(endpoint, &error);
    let name = ServerName::try_from(endpoint.host().to_owned()).expect("an endpoint's host was checked");
    let mut stream = TlsConnector::from(tls).connect(name, tcp).await.map_err(wrong)?;
    // A look at the first bytes, which stay in the buffer for HTTP/2. A refusal arrives here as a TLS alert.
    if stream.fill_buf().await.map_err(wrong)?.is_empty() {
        let reason = "the hub closed the connection without a word; its log says why".to_owned();
        return Err(DialError::Http2 { endpoint: endpoint.to_string(), reason });
    }
    Ok(stream)
}

fn builder() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(limits::HEADER_LIST_BYTES_MAX)
        .max_local_error_reset_streams(limits::LOCAL_RESETS_MAX)
        .max_send_buf_size(limits::SEND_BUFFER_BYTES_MAX)
        .max_frame_size(limits::FRAME_BYTES_MAX)
        .initial_connection_window_size(limits::CONNECTION_WINDOW_BYTES)
        .initial_stream_window_size(limits::STREAM_WINDOW_BYTES)
        .keep_alive_interval(limits::KEEPALIVE_INTERVAL)
        .keep_alive_timeout(limits::KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    builder
}
