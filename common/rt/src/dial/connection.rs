//! An open connection, as the transport of tonic's clients.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::uri::PathAndQuery;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tower::Service;

use super::Endpoint;

/// An open connection to one hub. Give a clone of it to the `new` of any tonic client. It never dials again: when it
/// is lost, calls on it fail with UNAVAILABLE at once, and the owner dials a new one. It ends with its last clone and
/// the last stream on it.
#[derive(Debug, Clone)]
pub struct Connection {
    endpoint: Endpoint,
    sender: SendRequest<Body>,
    closed: CancellationToken,
}

impl Connection {
    /// Where it leads.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Waits until the connection is gone, whichever side ended it.
    pub async fn closed(&self) {
        self.closed.cancelled().await;
    }

    pub(super) fn spawn<D>(endpoint: &Endpoint, sender: SendRequest<Body>, driver: D) -> Self
    where
        D: Future<Output = hyper::Result<()>> + Send + 'static,
    {
        let closed = CancellationToken::new();
        let ended = closed.clone().drop_guard();
        let to = endpoint.clone();
        tokio::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(endpoint = %to, error = &error as &dyn std::error::Error, "connection lost");
            }
            drop(ended);
        });
        Self { endpoint: endpoint.clone(), sender, closed }
    }
}

impl Service<Request<Body>> for Connection {
    type Response = Response<Incoming>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    /// Always ready: HTTP/2 queues by itself, and tonic would turn an error here into UNKNOWN.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = self.endpoint.uri(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
        let answer = self.sender.send_request(request);
        let endpoint = self.endpoint.clone();
        Box::pin(async move { answer.await.map_err(|error| status(&endpoint, error)) })
    }
}

/// A lost connection is UNAVAILABLE, which gRPC clients take as "try again"; the rest is as tonic maps it.
fn status(endpoint: &Endpoint, error: hyper::Error) -> Status {
    use std::error::Error;
    let of_stream =
        error.source().and_then(|source| source.downcast_ref::<h2::Error>()).is_some_and(h2::Error::is_reset);
    if of_stream {
        return Status::from_error(Box::new(error));
    }
    Status::unavailable(format!("the connection to {endpoint} is lost: {error}"))
}
