//! API servers to try the agent on: always a simulated one, and real ones where somebody names them.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::DeleteParams;
use kube::config::Kubeconfig;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::stage::Stage;

/// Kubeconfigs of clusters that tests may write to, comma separated: each test has namespaces of its own there, and makes
/// nothing else. Credentials must allow everything.
const VARIABLE: &str = "GODWIT_TEST_KUBECONFIGS";

/// Runs a test on each server, one after the other.
pub(crate) async fn on_each_server(name: &str, test: impl AsyncFn(Place)) {
    test(Place { stage: Stage::new().await, namespace: "shop".to_owned(), kubeconfig: None }).await;
    let named = std::env::var(VARIABLE).unwrap_or_default();
    let paths: Vec<&str> = named.split(',').map(str::trim).filter(|path| !path.is_empty()).collect();
    if paths.is_empty() {
        say(&format!("{name}: tried on kubesim alone; {VARIABLE} names no real API server"));
    }
    for path in paths {
        let kubeconfig =
            std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{VARIABLE}: {path}: {error}"));
        let mark = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
        let namespace = format!("godwit-test-{}-{mark}", name.replace('_', "-"));
        let stage = Stage::beside(&kubeconfig, &format!("{namespace}-own")).await;
        say(&format!("{name}: tried on {path}, in namespace {namespace}"));
        let client = stage.client.clone();
        test(Place { stage, namespace: namespace.clone(), kubeconfig: Some(kubeconfig) }).await;
        // What a test has left behind that failed is there to be looked at.
        for name in [format!("{namespace}-own"), namespace] {
            let namespaces = Api::<Namespace>::all(client.clone());
            if let Err(error) = namespaces.delete(&name, &DeleteParams::default()).await {
                say(&format!("namespace {name} is left behind: {error}"));
            }
        }
    }
}

/// What was tried and what was not is said even of tests that pass.
pub(crate) fn say(line: &str) {
    // Without a terminal there is nobody to hear it.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Where a test takes place.
pub(crate) struct Place {
    pub(crate) stage: Stage,
    /// Its applications' namespace.
    pub(crate) namespace: String,
    /// Of a real server.
    pub(crate) kubeconfig: Option<String>,
}

/// A way to an API server that can be cut, as if the server were started anew.
pub(crate) struct Way {
    open: Arc<AtomicBool>,
    /// A kubeconfig that leads over it.
    pub(crate) kubeconfig: String,
    _carrier: tokio::task::JoinHandle<()>,
}

impl Way {
    pub(crate) async fn to(kubeconfig: &str) -> Self {
        let mut config = Kubeconfig::from_yaml(kubeconfig).unwrap();
        let cluster = config.clusters[0].cluster.as_mut().unwrap();
        let url: String = cluster.server.clone().unwrap();
        let host = url.split("://").nth(1).unwrap().trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        cluster.server = Some(format!("https://{address}"));
        cluster.tls_server_name =
            Some(host.rsplit_once(':').map_or(host.clone(), |(name, _)| name.to_owned()));
        let open = Arc::new(AtomicBool::new(true));
        let carrier = tokio::spawn(carry(listener, host, Arc::clone(&open)));
        let kubeconfig = serde_json::to_string(&config).unwrap();
        Self { open, kubeconfig, _carrier: carrier }
    }

    /// Breaks all connections, and refuses new ones until it is open again.
    pub(crate) fn set_open(&self, open: bool) {
        self.open.store(open, Ordering::SeqCst);
    }
}

async fn carry(listener: TcpListener, server: String, open: Arc<AtomicBool>) {
    let mut connections = JoinSet::new();
    loop {
        let looked = tokio::time::timeout(std::time::Duration::from_millis(20), listener.accept()).await;
        if !open.load(Ordering::SeqCst) {
            connections.abort_all();
            continue;
        }
        let Ok(Ok((mut inner, _))) = looked else { continue };
        let server = server.clone();
        connections.spawn(async move {
            let Ok(mut outer) = TcpStream::connect(&server).await else { return };
            // However it ends, it has ended.
            let _ = copy_bidirectional(&mut inner, &mut outer).await;
        });
    }
}
