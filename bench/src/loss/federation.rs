//! A hub in a process of its own, and its operator.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use godwit_certs::{Development, mint_development};
use godwit_common::ClusterName;
use godwit_proto::v1;
use godwit_proto::v1::policy_service_client::PolicyServiceClient;
use godwit_proto::v1::workload_service_client::WorkloadServiceClient;
use godwit_rt::dial::{Connection, Endpoint, dial};
use godwit_rt::limits::DialTimeouts;
use godwit_rt::tls::{ClientTls, TlsFiles};

/// A Deploy takes at most 1,000 objects.
const BATCH: usize = 500;
const POLICY: &str = "first";

/// A running hub. It ends with this value.
pub(super) struct Federation {
    pub(super) endpoint: Endpoint,
    pub(super) clusters: Vec<ClusterName>,
    pub(super) certificates: Development,
    workloads: WorkloadServiceClient<Connection>,
    policies: PolicyServiceClient<Connection>,
    hub: Child,
    _folder: tempfile::TempDir,
}

impl Federation {
    /// Starts a hub for so many clusters.
    pub(super) async fn start(clusters: usize) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let clusters: Vec<ClusterName> =
            (0..clusters).map(|index| format!("c{index:03}").parse()).collect::<Result<_, _>>()?;
        let certificates = mint_development(folder.path(), &clusters, &["127.0.0.1".to_owned()])?;
        let (hub, endpoint) = start_hub(folder.path(), &certificates.hub)?;
        let tls = client(&certificates.admin)?;
        let connection = dial(&endpoint, &tls, DialTimeouts::default()).await?;
        let workloads = WorkloadServiceClient::new(connection.clone());
        let policies = PolicyServiceClient::new(connection);
        Ok(Self { endpoint, clusters, certificates, workloads, policies, hub, _folder: folder })
    }

    /// A policy that places everything on the first cluster, and calls it lost the moment its stream ends.
    pub(super) async fn apply_policy(&self) -> Result<()> {
        let rule = |weight| v1::ClusterRule { weight: Some(weight), min: None, max: None };
        let first = self.clusters.first().context("there are clusters")?.to_string();
        let spec = v1::PolicySpec {
            default: Some(rule(1)),
            clusters: BTreeMap::from([(first, rule(1_000_000))]),
            lost_after: Some(prost_types::Duration::default()),
            ..v1::PolicySpec::default()
        };
        let policy = v1::Policy { name: POLICY.to_owned(), spec: Some(spec), workloads: 0 };
        let request = v1::ApplyPolicyRequest { policy: Some(policy), dry_run: false };
        self.policies.clone().apply_policy(request).await?;
        Ok(())
    }

    /// Deploys so many workloads of one replica each.
    pub(super) async fn deploy(&self, count: usize) -> Result<()> {
        for start in (0..count).step_by(BATCH) {
            let manifests: String = (start..count.min(start + BATCH)).map(manifest).collect();
            let policy = Some(v1::deploy_request::Policy::PolicyName(POLICY.to_owned()));
            let request = v1::DeployRequest { manifests, policy, ..v1::DeployRequest::default() };
            let response = self.workloads.clone().deploy(request).await?.into_inner();
            if let Some(pending) = response.workloads.iter().find(|workload| workload.pending > 0) {
                bail!("{} is pending: {}", pending.name, pending.reasons.join("; "));
            }
        }
        Ok(())
    }

    /// Changes the total of one workload.
    pub(super) async fn scale(&self, index: usize, replicas: i64) -> Result<()> {
        let request =
            v1::ScaleWorkloadRequest { name: name(index), replicas, ..v1::ScaleWorkloadRequest::default() };
        self.workloads.clone().scale_workload(request).await?;
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
pub(super) fn client(files: &TlsFiles) -> Result<Arc<ClientTls>> {
    Ok(ClientTls::client(files.clone())?)
}

fn start_hub(folder: &Path, tls: &TlsFiles) -> Result<(Child, Endpoint)> {
    let mut hub = Command::new(std::env::current_exe()?)
        .arg(crate::HUB)
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

fn manifest(index: usize) -> String {
    let name = name(index);
    format!(
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: 1\n  \
         selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    \
         spec:\n      containers: [{{name: main, image: registry.example/main:1, resources: {{requests: {{cpu: 10m, memory: 16Mi}}}}}}]\n"
    )
}
