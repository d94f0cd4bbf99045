//! A hub in a process of its own, its operator, and agents: what benches over real streams have in common.

mod agent;
mod fleet;
mod mint;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use godwit_certs::Development;
use godwit_common::ClusterName;
use godwit_proto::v1;
use godwit_proto::v1::cluster_service_client::ClusterServiceClient;
use godwit_proto::v1::event_service_client::EventServiceClient;
use godwit_proto::v1::migration_service_client::MigrationServiceClient;
use godwit_proto::v1::policy_service_client::PolicyServiceClient;
use godwit_proto::v1::workload_service_client::WorkloadServiceClient;
use godwit_rt::dial::{Connection, Endpoint, dial};
use godwit_rt::limits::DialTimeouts;
use godwit_rt::tls::{ClientTls, TlsFiles};
use tokio::time::sleep;

pub(crate) use agent::{Told, What};
pub(crate) use fleet::{Fleet, run_inside};

/// A Deploy takes at most 1,000 objects.
const BATCH: usize = 500;
const POLICY: &str = "first";

/// How a hub under test is set up.
pub(crate) struct Setup {
    pub(crate) clusters: usize,
    pub(crate) heartbeat: Duration,
    /// Other settings, by key.
    pub(crate) settings: Vec<(&'static str, String)>,
}

/// A running hub. It ends with this value.
pub(crate) struct Federation {
    pub(crate) endpoint: Endpoint,
    pub(crate) clusters: Vec<ClusterName>,
    pub(crate) certificates: Development,
    pub(crate) heartbeat: Duration,
    workloads: WorkloadServiceClient<Connection>,
    policies: PolicyServiceClient<Connection>,
    drains: ClusterServiceClient<Connection>,
    migrations: MigrationServiceClient<Connection>,
    events: EventServiceClient<Connection>,
    hub: Child,
    _folder: tempfile::TempDir,
}

impl Federation {
    /// Starts a hub for so many clusters.
    pub(crate) async fn start(setup: &Setup) -> Result<Self> {
        Self::start_as(setup, &["127.0.0.1".to_owned()]).await
    }

    /// The same; agents reach it under these names.
    pub(crate) async fn start_as(setup: &Setup, names: &[String]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let clusters: Vec<ClusterName> =
            (0..setup.clusters).map(|index| format!("c{index:05}").parse()).collect::<Result<_, _>>()?;
        let certificates = mint::mint(folder.path(), &clusters, names)?;
        let (hub, endpoint) = start_hub(folder.path(), &certificates.hub, setup)?;
        let tls = client(&certificates.admin)?;
        let connection = dial(&endpoint, &tls, DialTimeouts::default()).await?;
        let federation = Self {
            endpoint,
            clusters,
            certificates,
            heartbeat: setup.heartbeat,
            workloads: WorkloadServiceClient::new(connection.clone()),
            policies: PolicyServiceClient::new(connection.clone()),
            drains: ClusterServiceClient::new(connection.clone()),
            migrations: MigrationServiceClient::new(connection.clone()),
            events: EventServiceClient::new(connection),
            hub,
            _folder: folder,
        };
        // Who asks for nothing for some seconds is cut off, and until thousands of agents are connected that is long.
        federation.migrations().await?;
        Ok(federation)
    }

    /// A policy that places everything on the first cluster, and calls it lost after this time of silence. After it, any
    /// of the first so many may run everything.
    pub(crate) async fn apply_policy(&self, lost_after: Duration, eligible: usize) -> Result<()> {
        let rule = |weight| v1::ClusterRule { weight: Some(weight), min: None, max: None };
        let first = self.clusters.first().context("there are clusters")?.to_string();
        let names = self.clusters.iter().take(eligible).map(ToString::to_string).collect();
        let spec = v1::PolicySpec {
            default: Some(rule(1)),
            clusters: BTreeMap::from([(first, rule(1_000_000))]),
            cluster_selector: Some(v1::ClusterSelector { names, ..v1::ClusterSelector::default() }),
            lost_after: Some(prost_types::Duration::try_from(lost_after)?),
            ..v1::PolicySpec::default()
        };
        self.apply(POLICY, spec).await
    }

    /// A policy that spreads everything over all clusters alike.
    pub(crate) async fn spread_evenly(&self, lost_after: Duration) -> Result<()> {
        let lost_after = Some(prost_types::Duration::try_from(lost_after)?);
        self.apply(POLICY, v1::PolicySpec { lost_after, ..v1::PolicySpec::default() }).await
    }

    async fn apply(&self, name: &str, spec: v1::PolicySpec) -> Result<()> {
        let policy = v1::Policy { name: name.to_owned(), spec: Some(spec), workloads: 0 };
        let request = v1::ApplyPolicyRequest { policy: Some(policy), dry_run: false };
        self.policies.clone().apply_policy(request).await?;
        Ok(())
    }

    /// Takes everything out of the first cluster, surge first.
    pub(crate) async fn drain_first(&self) -> Result<()> {
        let name = self.clusters.first().context("there are clusters")?.to_string();
        let request = v1::DrainClusterRequest {
            name,
            order: v1::DrainOrder::Start.into(),
            ..v1::DrainClusterRequest::default()
        };
        self.drains.clone().drain_cluster(request).await?;
        Ok(())
    }

    /// How many migrations there were.
    pub(crate) async fn migrations(&self) -> Result<usize> {
        let request = v1::ListMigrationsRequest::default();
        Ok(self.migrations.clone().list_migrations(request).await?.into_inner().items.len())
    }

    /// Waits until so many clusters are connected.
    pub(crate) async fn wait_for_clusters(&self, count: usize, patience: Duration) -> Result<()> {
        let start = Instant::now();
        loop {
            let request = v1::ListClustersRequest { page_size: 1_000, ..v1::ListClustersRequest::default() };
            let clusters = self.drains.clone().list_clusters(request).await?.into_inner().items;
            let ready = clusters.iter().filter(|cluster| cluster.state == "Ready").count();
            if ready == count {
                return Ok(());
            }
            ensure!(start.elapsed() < patience, "only {ready} of {count} clusters are connected");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// How often these clusters were suspect, and how often lost, as far back as the journal goes.
    pub(crate) async fn times_away(&self, clusters: Range<usize>) -> Result<[usize; 2]> {
        let (mut counts, mut page_token) = ([0; 2], String::new());
        loop {
            let request = v1::ListEventsRequest { page_token, ..v1::ListEventsRequest::default() };
            let page = self.events.clone().list_events(request).await?.into_inner();
            for event in page.items {
                let own = self.clusters[clusters.clone()].iter().any(|name| name.as_str() == event.subject);
                for (reason, count) in ["ClusterSuspect", "ClusterLost"].iter().zip(&mut counts) {
                    *count += usize::from(own && event.reason == *reason);
                }
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(counts);
            }
        }
    }

    /// What agents of these clusters have to know that run in another process, a line for each.
    pub(crate) fn orders(&self, clusters: Range<usize>) -> String {
        let line = |index: usize| {
            let name = self.clusters.get(index)?;
            let TlsFiles { ca, certificate, key } = self.certificates.agents.get(name)?;
            Some(format!("{index} {name} {} {} {}\n", ca.display(), certificate.display(), key.display()))
        };
        clusters.filter_map(line).collect()
    }

    /// Deploys so many workloads of one replica each.
    pub(crate) async fn deploy(&self, count: usize) -> Result<()> {
        for start in (0..count).step_by(BATCH) {
            let manifests: String =
                (start..count.min(start + BATCH)).map(|index| manifest(&name(index))).collect();
            self.deploy_under(POLICY, manifests).await?;
        }
        Ok(())
    }

    /// Deploys a workload that runs in the last cluster only; its name.
    pub(crate) async fn deploy_to_last(&self, lost_after: Duration) -> Result<String> {
        const PROBE: &str = "probe";
        let last = self.clusters.last().context("there are clusters")?.to_string();
        let rule = |weight| v1::ClusterRule { weight: Some(weight), min: None, max: None };
        let spec = v1::PolicySpec {
            default: Some(rule(0)),
            clusters: BTreeMap::from([(last, rule(1))]),
            lost_after: Some(prost_types::Duration::try_from(lost_after)?),
            ..v1::PolicySpec::default()
        };
        self.apply(PROBE, spec).await?;
        self.deploy_under(PROBE, manifest(PROBE)).await?;
        Ok(PROBE.to_owned())
    }

    /// Changes the total of one of the workloads that are alike.
    pub(crate) async fn scale(&self, index: usize, replicas: i64) -> Result<()> {
        self.scale_named(&name(index), replicas).await
    }

    /// Changes the total of a workload.
    pub(crate) async fn scale_named(&self, name: &str, replicas: i64) -> Result<()> {
        let name = name.to_owned();
        let request = v1::ScaleWorkloadRequest { name, replicas, ..v1::ScaleWorkloadRequest::default() };
        self.workloads.clone().scale_workload(request).await?;
        Ok(())
    }

    async fn deploy_under(&self, policy: &str, manifests: String) -> Result<()> {
        let policy = Some(v1::deploy_request::Policy::PolicyName(policy.to_owned()));
        let request = v1::DeployRequest { manifests, policy, ..v1::DeployRequest::default() };
        let response = self.workloads.clone().deploy(request).await?.into_inner();
        if let Some(pending) = response.workloads.iter().find(|workload| workload.pending > 0) {
            bail!("{} is pending: {}", pending.name, pending.reasons.join("; "));
        }
        Ok(())
    }
}

impl Drop for Federation {
    fn drop(&mut self) {
        // It may be gone already; then there is nothing to stop.
        let _ = self.hub.kill();
        let _ = self.hub.wait();
    }
}

/// The client's side of TLS.
pub(crate) fn client(files: &TlsFiles) -> Result<Arc<ClientTls>> {
    Ok(ClientTls::client(files.clone())?)
}

fn start_hub(folder: &Path, tls: &TlsFiles, setup: &Setup) -> Result<(Child, Endpoint)> {
    let heartbeat = ("federation.heartbeat", format!("{}ms", setup.heartbeat.as_millis()));
    let settings = setup.settings.iter().chain([&heartbeat]);
    let mut hub = Command::new(std::env::current_exe()?)
        .arg(crate::HUB)
        .args(settings.flat_map(|(key, value)| ["--set".to_owned(), format!("{key}={value}")]))
        .args(["--listen", "127.0.0.1:0", "--exit-with-stdin"])
        .args(["--set", "log.filter=warn"])
        .arg("--set")
        .arg(format!("data_dir={}", folder.join("hub").display()))
        .arg("--set")
        .arg(format!("tls.ca={}", tls.ca.display()))
        .arg("--set")
        .arg(format!("tls.certificate={}", tls.certificate.display()))
        .arg("--set")
        .arg(format!("tls.key={}", tls.key.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("starting the hub")?;
    let stdout = hub.stdout.take().context("the hub's output")?;
    for line in BufReader::new(stdout).lines() {
        if let Some(address) = line?.strip_prefix("godwit-hub ready ") {
            let endpoint = format!("https://{address}").parse()?;
            return Ok((hub, endpoint));
        }
    }
    bail!("the hub ended before it was ready")
}

fn name(index: usize) -> String {
    format!("w{index:05}")
}

fn manifest(name: &str) -> String {
    format!(
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: 1\n  \
         selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    \
         spec:\n      containers: [{{name: main, image: registry.example/main:1, resources: {{requests: {{cpu: 10m, memory: 16Mi}}}}}}]\n"
    )
}
