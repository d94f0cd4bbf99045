//! A served hub with certificates of its own, and what tests do to it.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use godwit_certs::{Authority, Development, Revoked, mint_development};
use godwit_common::ClusterName;
use godwit_rt::Revocations;
use godwit_rt::dial::{Connection, DialError, Endpoint, dial};
use godwit_rt::limits::{DialTimeouts, ServerLimits};
use godwit_rt::serve::{Peer, address_of, serve};
use godwit_rt::tls::{ClientTls, Door, ServerTls, TlsFiles, Vouching};
use hyper::body::Incoming;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::service::Routes;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::server::HealthReporter;
use tower::Service;

/// Nothing here takes long; a test that waits for something that never comes should still end.
const PATIENCE: Duration = Duration::from_secs(60);
/// More requests than any test makes.
const PEERS_KEPT: usize = 256;

/// A hub that serves gRPC's health service, and writes down who asked.
pub(crate) struct Hub {
    dir: TempDir,
    pub(crate) files: Development,
    pub(crate) address: SocketAddr,
    pub(crate) tls: Arc<ServerTls>,
    pub(crate) stop: CancellationToken,
    pub(crate) health: HealthReporter,
    pub(crate) peers: mpsc::Receiver<Peer>,
    pub(crate) revoked: watch::Sender<Arc<Revoked>>,
    pub(crate) vouching: watch::Sender<Option<Vouching>>,
    served: JoinHandle<()>,
}

impl Hub {
    pub(crate) async fn start(limits: ServerLimits) -> Self {
        Self::start_at(limits, Door::Members).await
    }

    /// The same behind another door.
    pub(crate) async fn start_at(limits: ServerLimits, door: fn(Revocations) -> Door) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = mint(&dir);
        let (revoked, _) = watch::channel(Arc::default());
        let vouching = watch::Sender::default();
        let door = door(Revocations::following(revoked.subscribe()).vouched(vouching.subscribe()));
        let tls = ServerTls::server(files.hub.clone(), door.clone()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (health, health_service) = tonic_health::server::health_reporter();
        let (seen, peers) = mpsc::channel(PEERS_KEPT);
        let service = Witness { seen, routes: Routes::new(health_service) };
        let stop = CancellationToken::new();
        let served = tokio::spawn(serve(listener, Arc::clone(&tls), door, service, limits, stop.clone()));
        Self { dir, files, address, tls, stop, health, peers, revoked, vouching, served }
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        format!("https://{}", self.address).parse().unwrap()
    }

    pub(crate) fn agent(&self) -> &TlsFiles {
        &self.files.agents[&east()]
    }

    /// The authority that signed everything here.
    pub(crate) fn authority(&self) -> Authority {
        Authority::load(&self.files.hub.ca, &self.authority_key()).unwrap()
    }

    pub(crate) fn authority_key(&self) -> PathBuf {
        self.dir.path().join("ca.key")
    }

    /// An agent's files whose certificate ends so soon.
    pub(crate) fn short(&self, validity: Duration) -> (TempDir, TlsFiles) {
        let issued = self.authority().issue_agent(&east(), validity).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let files = TlsFiles {
            ca: self.files.hub.ca.clone(),
            certificate: dir.path().join("short.pem"),
            key: dir.path().join("short.key"),
        };
        std::fs::write(&files.certificate, issued.certificate_pem).unwrap();
        std::fs::write(&files.key, issued.key_pem.unwrap()).unwrap();
        (dir, files)
    }

    pub(crate) async fn dial(&self, files: &TlsFiles) -> Result<Connection, DialError> {
        let tls = ClientTls::client(files.clone()).unwrap();
        within(dial(&self.endpoint(), &tls, DialTimeouts::default())).await
    }

    pub(crate) async fn raw(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A good client is served: the proof that whatever happened before did no harm.
    pub(crate) async fn assert_serves(&self) {
        check(&self.dial(self.agent()).await.unwrap()).await.unwrap();
    }

    /// Waits for `serve` to return.
    pub(crate) async fn finished(&mut self) {
        within(&mut self.served).await.unwrap();
    }
}

/// One health check over `connection`.
pub(crate) async fn check(connection: &Connection) -> Result<(), Status> {
    let call = async { HealthClient::new(connection.clone()).check(HealthCheckRequest::default()).await };
    within(call).await.map(|_| ())
}

/// A stream that stays open until either side ends it.
pub(crate) async fn watch_health(
    connection: &Connection,
) -> tonic::Streaming<tonic_health::pb::HealthCheckResponse> {
    let mut client = HealthClient::new(connection.clone());
    let mut stream = within(client.watch(HealthCheckRequest::default())).await.unwrap().into_inner();
    within(stream.message()).await.unwrap().expect("the state at the beginning");
    stream
}

pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it did not happen in a minute")
}

pub(crate) fn mint(dir: &TempDir) -> Development {
    mint_development(dir.path(), &[east()], &names()).unwrap()
}

pub(crate) fn names() -> Vec<String> {
    vec!["127.0.0.1".to_owned()]
}

pub(crate) fn east() -> ClusterName {
    "east".parse().unwrap()
}

/// Writes down the peer of each request, as a handler would find it.
#[derive(Clone)]
struct Witness {
    seen: mpsc::Sender<Peer>,
    routes: Routes,
}

impl Service<http::Request<Incoming>> for Witness {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = <Routes as Service<http::Request<Incoming>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<http::Request<Incoming>>::poll_ready(&mut self.routes, context)
    }

    fn call(&mut self, request: http::Request<Incoming>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let request =
            tonic::Request::from_parts(tonic::metadata::MetadataMap::new(), parts.extensions.clone(), ());
        assert!(address_of(&request).unwrap().ip().is_loopback());
        // A stranger is nobody.
        if let Ok(peer) = Peer::of(&request) {
            self.seen.try_send(peer.clone()).unwrap();
        }
        self.routes.call(http::Request::from_parts(parts, body))
    }
}
