//! Serving a few pages over plain HTTP/1.1, without identity: for what anybody who reaches the port may know, such as
//! metrics and health. Every cost of a peer is bounded.

use std::convert::Infallible;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::accept::Acceptor;
use crate::limits::{HEADER_LIST_BYTES_MAX, PlainLimits};
use crate::socket;

/// A page. Cheap to clone.
#[derive(Clone)]
pub struct Page {
    /// Where it is, such as `/metrics`.
    pub path: &'static str,
    /// What it is.
    pub content_type: &'static str,
    /// Writes it, anew for each request; or says why there is nothing good to say, which is answered with 503. It must be
    /// quick: it runs where connections are served.
    pub render: Arc<dyn Fn() -> Result<String, String> + Send + Sync>,
}

/// Serves `pages` on `listener` until `stop`: GET of their paths and nothing else. A connection serves one request: the next
/// scrape is many seconds away, and nobody holds a place until then.
///
/// When `stop` is cancelled, nothing more is accepted. This returns when the last answer on its way has left, or was cut
/// after `limits.drain_timeout`.
pub async fn serve(
    listener: TcpListener,
    pages: impl Into<Arc<[Page]>>,
    limits: PlainLimits,
    stop: CancellationToken,
) {
    let pages = pages.into();
    let connections_max = limits.connections_max;
    let acceptor = Acceptor { listener, connections_max, rates: None, stop: stop.clone() };
    let connection = |stream, address, place| {
        let connection = run(stream, Arc::clone(&pages), limits, stop.clone());
        async move {
            if let Err(error) = connection.await {
                tracing::debug!(%address, error = &*error, "plain connection ended");
            }
            drop(place);
        }
    };
    let mut connections = acceptor.run(connection).await;
    // Each of them keeps the time itself.
    while connections.join_next().await.is_some() {}
}

/// The answer to one request, whose body nobody reads: what has not come with its head is left where it is.
fn answer(pages: &[Page], request: &Request<Incoming>) -> Response<String> {
    let Some(page) = pages.iter().find(|page| page.path == request.uri().path()) else {
        let paths: Vec<&str> = pages.iter().map(|page| page.path).collect();
        let are = if paths.len() == 1 { "is" } else { "are" };
        return refusal(StatusCode::NOT_FOUND, format!("only {} {are} here\n", paths.join(", ")));
    };
    if request.method() != Method::GET {
        let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, "only GET is served\n".to_owned());
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        return response;
    }
    match (page.render)() {
        Ok(text) => {
            let mut response = Response::new(text);
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(page.content_type));
            response
        }
        Err(reason) => refusal(StatusCode::SERVICE_UNAVAILABLE, reason),
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Why a connection ended early. It is the peer's doing, or the stop's.
type Ended = Box<dyn std::error::Error + Send + Sync>;

async fn run(
    stream: TcpStream,
    pages: Arc<[Page]>,
    limits: PlainLimits,
    stop: CancellationToken,
) -> Result<(), Ended> {
    socket::prepare(&stream)?;
    let service = service_fn(move |request| {
        let response = answer(&pages, &request);
        async { Ok::<_, Infallible>(response) }
    });
    let connection = builder(limits).serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let mut deadline = pin!(sleep(limits.connection_timeout));
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = &mut connection => return Ok(ended?),
            () = &mut deadline => return Err("it took too long".into()),
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
                deadline.as_mut().reset(Instant::now() + limits.drain_timeout);
            }
        }
    }
}

fn builder(limits: PlainLimits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .keep_alive(false)
        // Some clients close their half once they have asked; the deadline bounds those that only vanish.
        .half_close(true)
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(HEADER_LIST_BYTES_MAX as usize);
    builder
}

fn refusal(status: StatusCode, words: String) -> Response<String> {
    let mut response = Response::new(words);
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}
