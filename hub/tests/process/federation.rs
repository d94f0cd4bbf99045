//! A hub of its own for each test, with certificates minted on the spot.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use godwit_certs::{Development, TlsFiles, mint_development};
use godwit_common::ClusterName;
use godwit_proto::v1;
use godwit_proto::v1::workload_service_client::WorkloadServiceClient;
use godwit_rt::dial::{Connection, dial};
use godwit_rt::limits::DialTimeouts;
use godwit_rt::tls::ClientTls;
use tonic::Status;

/// Far longer than anything here takes; only a hang reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) const WEB: &str = "
{apiVersion: v1, kind: ConfigMap, metadata: {name: web}, data: {a: b}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 10, selector: {matchLabels: {a: b}},
 template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i, resources: {requests: {cpu: 100m}}}]}}}}
";

/// Certificates, a store, and a hub that runs on them.
pub(crate) struct Federation {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) certificates: Development,
    settings: Vec<(String, String)>,
    hub: Option<Child>,
    address: Option<SocketAddr>,
}

impl Federation {
    /// A new federation whose hub serves.
    pub(crate) fn start(clusters: &[&str]) -> Self {
        let mut federation = Self::stopped(clusters);
        federation.start_hub();
        federation
    }

    /// The same, with settings by their environment's names, less the prefix.
    pub(crate) fn start_with(clusters: &[&str], settings: &[(&str, &str)]) -> Self {
        let mut federation = Self::stopped(clusters);
        let own = |(name, value): &(&str, &str)| (format!("GODWIT_HUB_{name}"), (*value).to_owned());
        federation.settings = settings.iter().map(own).collect();
        federation.start_hub();
        federation
    }

    /// The same, before its hub is started.
    pub(crate) fn stopped(clusters: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let names: Vec<ClusterName> = clusters.iter().map(|name| name.parse().expect("valid")).collect();
        let certificates =
            mint_development(folder.path(), &names, &["127.0.0.1".to_owned()]).expect("certificates");
        Self { folder, certificates, settings: Vec::new(), hub: None, address: None }
    }

    /// The command line of the hub.
    pub(crate) fn command(&self) -> Command {
        let TlsFiles { ca, certificate, key } = &self.certificates.hub;
        let mut command = Command::new(env!("CARGO_BIN_EXE_godwit-hub"));
        // By the environment, so that a test may say otherwise by flags.
        command.env("GODWIT_HUB_LISTEN", "127.0.0.1:0").env("GODWIT_HUB_DATA_DIR", self.data());
        command.env("GODWIT_HUB_TLS__CA", ca);
        command.env("GODWIT_HUB_TLS__CERTIFICATE", certificate).env("GODWIT_HUB_TLS__KEY", key);
        // Nobody is suspected or lost for being silent, however busy the machine is: tests of that say how soon.
        command.env("GODWIT_HUB_FEDERATION__HEARTBEAT", "10s");
        command.env("GODWIT_HUB_FEDERATION__LOST_AFTER", "10m");
        command.env("GODWIT_HUB_FEDERATION__STARTUP_GRACE", "10m");
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn start_hub(&mut self) {
        self.serve_by(self.command());
    }

    /// The same; what it says on standard error is in [`Self::log`] instead of the test's.
    pub(crate) fn start_hub_logged(&mut self, settings: &[(&str, &str)]) {
        let mut command = self.command();
        command.envs(settings.iter().map(|(name, value)| (format!("GODWIT_HUB_{name}"), value)));
        command.stderr(std::fs::File::create(self.log_path()).expect("a file"));
        self.serve_by(command);
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).expect("a log")
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("hub.log")
    }

    /// The same, by a shell's script, which finds the program as `$0`.
    pub(crate) fn start_hub_by(&mut self, script: &str) {
        let hub = self.command();
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg(hub.get_program());
        command.envs(hub.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        self.serve_by(command);
    }

    fn serve_by(&mut self, mut command: Command) {
        let mut hub = command.spawn().expect("the hub starts");
        let mut lines = BufReader::new(hub.stdout.take().expect("piped")).lines();
        let line = lines.next().expect("the hub says that it is ready").expect("text");
        let address = line.strip_prefix("godwit-hub ready ").expect("a ready line");
        self.address = Some(address.parse().expect("an address"));
        self.hub = Some(hub);
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address.expect("the hub was started")
    }

    pub(crate) fn kill_hub(&mut self) {
        let mut hub = self.hub.take().expect("the hub runs");
        hub.kill().expect("SIGKILL");
        hub.wait().expect("it ends");
    }

    /// Asks the hub to stop, and waits until it has.
    pub(crate) async fn stop_hub(&mut self) -> ExitStatus {
        let id = self.hub.as_ref().expect("the hub runs").id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
        assert!(sent.success());
        self.wait_for_end().await
    }

    pub(crate) async fn wait_for_end(&mut self) -> ExitStatus {
        let mut hub = self.hub.take().expect("the hub runs");
        let ended = tokio::task::spawn_blocking(move || hub.wait().expect("it ends"));
        tokio::time::timeout(PATIENCE, ended).await.expect("the hub stops in time").expect("no panic")
    }

    pub(crate) async fn connect(&self, files: &TlsFiles) -> Connection {
        let tls = ClientTls::client(files.clone()).expect("files");
        let endpoint = format!("https://{}", self.address()).parse().expect("an endpoint");
        dial(&endpoint, &tls, DialTimeouts::default()).await.expect("the hub takes the connection")
    }

    pub(crate) async fn operator(&self) -> Connection {
        self.connect(&self.certificates.admin).await
    }

    pub(crate) fn agent_files(&self, cluster: &str) -> TlsFiles {
        self.certificates.agents[&cluster.parse::<ClusterName>().expect("valid")].clone()
    }

    pub(crate) async fn workload(&self, name: &str) -> Result<v1::Workload, Status> {
        let request = v1::GetWorkloadRequest { name: name.to_owned(), ..Default::default() };
        let answer = WorkloadServiceClient::new(self.operator().await).get_workload(request).await?;
        Ok(answer.into_inner().workload.expect("a workload"))
    }

    /// Waits until the workload is as wanted.
    pub(crate) async fn workload_when(
        &self,
        name: &str,
        wanted: impl Fn(&v1::Workload) -> bool,
    ) -> v1::Workload {
        let mut last = None;
        let waiting = async {
            loop {
                last = self.workload(name).await.ok();
                if let Some(workload) = last.as_ref().filter(|workload| wanted(workload)) {
                    return workload.clone();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(workload) => workload,
            Err(_) => panic!("still {last:?}"),
        }
    }
}

impl Drop for Federation {
    fn drop(&mut self) {
        if let Some(hub) = &mut self.hub {
            let _ = hub.kill();
            let _ = hub.wait();
        }
    }
}

pub(crate) fn deploy(manifests: &str) -> v1::DeployRequest {
    v1::DeployRequest { manifests: manifests.to_owned(), ..Default::default() }
}

/// Where an authority of somebody else's leaves its certificates.
pub(crate) fn foreign(folder: &Path) -> Development {
    mint_development(folder, &["east".parse().expect("valid")], &["127.0.0.1".to_owned()])
        .expect("certificates")
}
