//! A running cluster: its listener, its connections, its control loops.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::api::{self, Api};
use crate::controllers::engine::{Controller, run as run_controller};
use crate::controllers::{self, Cluster, Timing};
use crate::issuer::Keys;
use crate::kinds::Registry;
use crate::options::Config;
use crate::store::Store;
use crate::{kubeconfig, kubelet, scheduler, seed, tls};

/// More connections than this wait: a process has 20,000 descriptors at most, and needs some for itself.
const MAX_CONNECTIONS: usize = 4096;
/// Clients that do not finish the handshake by then are let go.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a listener that fails, for lack of descriptors for example, waits.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Watches are streams, and clients hold many on one connection.
const MAX_STREAMS: u32 = 1000;

/// A simulated cluster that listens. It answers once [`Simulation::run`] runs.
#[derive(Debug)]
pub struct Simulation {
    listener: TcpListener,
    address: SocketAddr,
    acceptor: Option<Arc<rustls::ServerConfig>>,
    kubeconfig: String,
    url: String,
    api: Arc<Api>,
    cluster: Arc<Cluster>,
}

impl Simulation {
    /// Makes the cluster and binds its address.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("--listen {}: cannot listen there", config.listen))?;
        let address = listener.local_addr().context("the listener has no address")?;
        let identity = match config.plain_http {
            true => None,
            false => Some(tls::identity(&config.name, address.ip()).context("no certificate could be made")?),
        };
        let token = match config.plain_http {
            true => None,
            false => Some(random_token()?),
        };
        let seed = match config.seed {
            Some(seed) => seed,
            None => getrandom::u64().map_err(|error| anyhow::anyhow!("no randomness: {error}"))?,
        };
        let authority = identity.as_ref().map(|identity| identity.authority.clone());
        let store = Arc::new(Store::new(config.watch_history, seed));
        let registry = Arc::new(Registry::builtin());
        let cluster = Arc::new(Cluster {
            store: store.clone(),
            registry: registry.clone(),
            timing: timing(&config),
            authority: authority.clone().unwrap_or_default(),
            events: std::sync::Mutex::default(),
        });
        seed::plant(&cluster, &config).context("the cluster could not be furnished")?;
        let scheme = if identity.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{address}");
        Ok(Self {
            kubeconfig: kubeconfig::text(&config.name, &url, authority.as_deref(), token.as_deref()),
            listener,
            address,
            acceptor: identity.map(|identity| identity.server),
            url,
            api: Arc::new(Api {
                store,
                registry,
                faults: api::faults::Faults::default(),
                keys: Keys::new()?,
                token,
                cut: tokio::sync::watch::Sender::new(0),
            }),
            cluster,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as a URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The text of a kubeconfig that leads to it.
    pub fn kubeconfig(&self) -> &str {
        &self.kubeconfig
    }

    /// Runs the cluster until `shutdown` is done; then everything ends at once.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let mut loops = JoinSet::new();
        start_controllers(&mut loops, &self.cluster);
        let connections = self.serve();
        tokio::pin!(shutdown);
        tokio::select! {
            () = &mut shutdown => Ok(()),
            never = connections => match never {},
            ended = loops.join_next() => match ended {
                Some(Err(error)) => Err(anyhow::anyhow!("a control loop ended: {error}")),
                Some(Ok(())) | None => Err(anyhow::anyhow!("a control loop ended")),
            },
        }
    }

    async fn serve(&self) -> std::convert::Infallible {
        let limit = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let Ok(permit) = limit.clone().acquire_owned().await else {
                // Nobody closes the semaphore.
                std::future::pending::<()>().await;
                continue;
            };
            let Ok((stream, _)) = self.listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            while connections.try_join_next().is_some() {}
            let (api, acceptor) = (self.api.clone(), self.acceptor.clone());
            connections.spawn(async move {
                serve_stream(api, acceptor, stream).await;
                drop(permit);
            });
        }
    }
}

fn timing(config: &Config) -> Timing {
    Timing {
        startup_min: config.startup_delay.0,
        startup_max: config.startup_delay.1,
        termination: config.termination_delay,
        eviction: config.eviction_delay,
        run: config.run_time,
    }
}

fn random_token() -> anyhow::Result<String> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn start_controllers(loops: &mut JoinSet<()>, cluster: &Arc<Cluster>) {
    fn start<C: Controller>(loops: &mut JoinSet<()>, cluster: &Arc<Cluster>, controller: C) {
        loops.spawn(run_controller(cluster.clone(), controller));
    }
    start(loops, cluster, controllers::namespace::Namespaces);
    start(loops, cluster, controllers::garbage::Garbage);
    start(loops, cluster, controllers::deployment::Deployments);
    start(loops, cluster, controllers::replicaset::ReplicaSets);
    start(loops, cluster, controllers::statefulset::StatefulSets);
    start(loops, cluster, controllers::daemonset::DaemonSets);
    start(loops, cluster, controllers::job::Jobs);
    start(loops, cluster, controllers::cronjob::CronJobs);
    start(loops, cluster, controllers::endpoints::Endpoints);
    start(loops, cluster, controllers::disruption::Budgets);
    start(loops, cluster, controllers::volume::Claims);
    start(loops, cluster, controllers::custom::Definitions::default());
    start(loops, cluster, controllers::node::Nodes::default());
    start(loops, cluster, scheduler::Scheduler::default());
    start(loops, cluster, kubelet::Kubelets::default());
}

async fn serve_stream(api: Arc<Api>, acceptor: Option<Arc<rustls::ServerConfig>>, stream: TcpStream) {
    // A socket that cannot be told so is only slower.
    let _ = stream.set_nodelay(true);
    let Some(config) = acceptor else {
        return serve_connection(api, stream).await;
    };
    let handshake = TlsAcceptor::from(config).accept(stream);
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
        Ok(Ok(stream)) => serve_connection(api, stream).await,
        Ok(Err(error)) => tracing::debug!(%error, "handshake failed"),
        Err(_) => tracing::debug!("handshake took too long"),
    }
}

async fn serve_connection(api: Arc<Api>, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
    let service = service_fn(move |request| api::handle(api.clone(), request));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new());
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(MAX_STREAMS);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "connection ended");
    }
}

#[cfg(test)]
mod tests {
    use godwit_common::Uid;

    use super::*;
    use crate::object::{Key, uid};
    use crate::store::NAMESPACES;

    #[tokio::test]
    async fn a_cluster_keeps_a_chosen_identity() {
        let config = Config { uid: Some(Uid(7)), ..Config::default() };
        let simulation = Simulation::start(config).await.expect("a cluster");
        let namespace = |name| simulation.cluster.store.get(NAMESPACES, &Key::new("", name)).expect(name);
        assert_eq!(uid(&namespace("kube-system")), Uid(7).to_string());
        assert_ne!(uid(&namespace("default")), Uid(7).to_string());
    }
}
