//! A federation of processes: one hub, and clusters with their agents.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output};
use std::sync::Arc;

use godwit_certs::{Development, TlsFiles, mint_development};
use godwit_common::ClusterName;
use godwit_proto::v1;
use tempfile::TempDir;

use super::admin::Admin;
use super::cluster::{Cluster, ClusterSpec, Place, Shown};
use super::hub::{Authority, Hub, own_loopback};
use super::manifest::Deployment;
use super::netns::Network;
use super::process::program;
use super::relay::Relay;
use super::wait::{wait_for, within};

/// Nobody is lost, nor even suspected, for being silent: however busy the machine is, an agent gets its turn within the half
/// minute that this bears. A stream that closes is noticed at once all the same.
const PATIENT: [(&str, &str); 3] =
    [("federation.heartbeat", "10s"), ("federation.lost_after", "10m"), ("federation.startup_grace", "10m")];

/// Faster than the defaults, so that tests of a loss are short, and slow enough for a busy machine. The rules hold at any
/// speed.
const HASTY: [(&str, &str); 4] = [
    ("federation.heartbeat", "1s"),
    ("federation.lost_after", "5s"),
    ("federation.goodbye_grace", "10s"),
    ("federation.startup_grace", "15s"),
];

/// What to start.
pub(crate) struct Builder {
    clusters: Vec<ClusterSpec>,
    settings: Vec<(String, String)>,
    /// Who is in a network of its own.
    remote: Option<Remote>,
    /// The cluster whose wire to the hub is a relay.
    relayed: Option<String>,
    /// The hub has an authority of its own, and agents enrol.
    enrols: bool,
}

/// Who is at the other end of the cable.
#[derive(Debug, PartialEq, Eq)]
enum Remote {
    Cluster(String),
    Hub,
}

/// The running processes. They end with it.
pub(crate) struct Federation {
    pub(crate) admin: Admin,
    clusters: BTreeMap<String, Cluster>,
    hub: Hub,
    pub(crate) certificates: Development,
    cable: Option<Arc<Network>>,
    relay: Option<Relay>,
    enrols: bool,
    dir: TempDir,
}

impl Builder {
    /// Clusters with room enough, and with a hub that is patient.
    pub(crate) fn new(clusters: &[&str]) -> Self {
        Self {
            clusters: clusters.iter().map(|name| ClusterSpec::new(name)).collect(),
            settings: Vec::new(),
            remote: None,
            relayed: None,
            enrols: false,
        }
        .settings(&PATIENT)
    }

    /// Clusters that are away are lost within seconds: for tests of that.
    pub(crate) fn hasty(self) -> Self {
        self.settings(&HASTY)
    }

    /// The hub's own timings.
    pub(crate) fn default_timings(mut self) -> Self {
        self.settings.clear();
        self
    }

    /// Keys of the hub's configuration; the last word on a key counts.
    pub(crate) fn settings(mut self, settings: &[(&str, &str)]) -> Self {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        self.settings.extend(settings.iter().map(owned));
        self
    }

    /// Puts a cluster into a network of its own.
    pub(crate) fn behind_a_cable(mut self, cluster: &str) -> Self {
        self.remote = Some(Remote::Cluster(cluster.to_owned()));
        self
    }

    /// Puts the hub into a network of its own: it hears all clusters, and its operators, over one cable.
    pub(crate) fn hub_behind_a_cable(mut self) -> Self {
        self.remote = Some(Remote::Hub);
        self
    }

    /// Puts a relay between a cluster and the hub.
    pub(crate) fn through_a_relay(mut self, cluster: &str) -> Self {
        self.relayed = Some(cluster.to_owned());
        self
    }

    /// The hub has an authority of its own, and each cluster's agent enrols with a token.
    pub(crate) fn enrolling(mut self) -> Self {
        self.enrols = true;
        self
    }

    /// Changes what every cluster is like.
    pub(crate) fn each(mut self, change: impl FnMut(&mut ClusterSpec)) -> Self {
        self.clusters.iter_mut().for_each(change);
        self
    }

    /// Starts everything, and waits until every cluster is Ready with all its agents.
    pub(crate) async fn start(self) -> Federation {
        let dir = tempfile::Builder::new().prefix("godwit-e2e-").tempdir().unwrap();
        let cable = self.remote.is_some().then(|| Arc::new(Network::new()));
        let with_the_hub = cable.clone().filter(|_| self.remote == Some(Remote::Hub));
        let ip = match (&cable, &with_the_hub) {
            (_, Some(network)) => network.home(),
            (Some(network), None) => network.here(),
            (None, None) => own_loopback(),
        };
        let names: Vec<ClusterName> = self.clusters.iter().map(|spec| spec.name.parse().unwrap()).collect();
        let mut certificates = mint_development(&dir.path().join("pki"), &names, &[ip.to_string()]).unwrap();
        let authority = if self.enrols { Authority::Own } else { Authority::Files(&certificates.hub) };
        let hub = Hub::start(dir.path(), ip, authority, self.settings, with_the_hub).await;
        if self.enrols {
            certificates.admin = hub.issue_admin("ops").await;
        }
        let admin = Admin::new(hub.address(), certificates.admin.clone());
        let relay = match &self.relayed {
            Some(_) => Some(Relay::start(ip, hub.address()).await),
            None => None,
        };
        let (enrols, clusters) = (self.enrols, BTreeMap::new());
        let mut federation = Federation { admin, clusters, hub, certificates, cable, relay, enrols, dir };
        for spec in self.clusters {
            let is_remote = self.remote == Some(Remote::Cluster(spec.name.clone()));
            let is_relayed = self.relayed.as_ref() == Some(&spec.name);
            federation.join(spec, is_remote, is_relayed).await;
        }
        for name in names {
            federation.cluster_is(name.as_str(), "Ready").await;
        }
        federation
    }
}

impl Federation {
    /// Clusters with room enough, and with a hub that is patient.
    pub(crate) async fn of(clusters: &[&str]) -> Self {
        Builder::new(clusters).start().await
    }

    /// The same with a hub that loses who is away within seconds.
    pub(crate) async fn hasty(clusters: &[&str]) -> Self {
        Builder::new(clusters).hasty().start().await
    }

    /// A file with a new token for a cluster.
    pub(crate) async fn token(&self, cluster: &str, again: bool) -> PathBuf {
        let path = self.dir.path().join(format!("{cluster}.token"));
        fs::write(&path, self.admin.create_token(cluster, again).await.unwrap().token).unwrap();
        path
    }

    /// Starts a cluster that nobody has waited for yet.
    pub(crate) async fn add(&mut self, name: &str) {
        self.join(ClusterSpec::new(name), false, false).await;
    }

    /// Starts a cluster whose certificate is there already, or whose agent gets a token.
    async fn join(&mut self, spec: ClusterSpec, is_remote: bool, is_relayed: bool) {
        let name: ClusterName = spec.name.parse().unwrap();
        let shown = match self.enrols {
            true => Shown::Token(self.token(name.as_str(), false).await),
            false => Shown::Files(self.certificates.agents[&name].clone()),
        };
        let relay = self.relay.as_ref().filter(|_| is_relayed);
        let place = Place {
            dir: self.dir.path().to_owned(),
            shown,
            hub: relay.map_or(self.hub.address(), Relay::address).to_owned(),
            network: self.cable.as_ref().filter(|_| is_remote).map(Arc::clone),
        };
        let cluster = Cluster::start(spec, place).await;
        self.clusters.insert(name.as_str().to_owned(), cluster);
    }

    /// The relay of [`Builder::through_a_relay`].
    pub(crate) fn relay(&self) -> &Relay {
        self.relay.as_ref().expect("a cluster is behind a relay")
    }

    /// The cable of [`Builder::behind_a_cable`] and [`Builder::hub_behind_a_cable`].
    pub(crate) fn cable(&self) -> &Network {
        self.cable.as_ref().expect("somebody is behind a cable")
    }

    /// `kill -9` of the hub.
    pub(crate) async fn kill_hub(&mut self) {
        self.hub.kill();
        self.admin.hang_up().await;
    }

    /// Stops the hub the polite way.
    pub(crate) async fn stop_hub(&mut self) -> ExitStatus {
        let status = self.hub.stop().await;
        self.admin.hang_up().await;
        status
    }

    /// Starts the hub again, at the same address and with the same store.
    pub(crate) async fn restart_hub(&mut self) {
        self.hub.restart().await;
    }

    /// The same, when the store is gone or is an older one: it is to learn from the members.
    pub(crate) async fn recover_hub(&mut self) {
        self.hub.restart_with(&["--recover"]).await;
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    pub(crate) fn hub_mut(&mut self) -> &mut Hub {
        &mut self.hub
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn cluster(&self, name: &str) -> &Cluster {
        &self.clusters[name]
    }

    pub(crate) fn cluster_mut(&mut self, name: &str) -> &mut Cluster {
        self.clusters.get_mut(name).expect("a cluster of this federation")
    }

    pub(crate) fn clusters(&self) -> impl Iterator<Item = &Cluster> {
        self.clusters.values()
    }

    /// A client that shows another certificate.
    pub(crate) fn client(&self, files: &TlsFiles) -> Admin {
        Admin::new(self.hub.address(), files.clone())
    }

    /// Runs the operator's command.
    pub(crate) async fn godwit(&self, args: &[&str]) -> Output {
        self.godwit_as(self.admin.files(), args).await
    }

    /// The same for another operator: trusted authorities, certificate, key.
    pub(crate) async fn godwit_as(&self, files: [&Path; 3], args: &[&str]) -> Output {
        let [ca, certificate, key] = files.map(Path::display);
        let context = self.dir().join("context.yaml");
        let url = self.admin.url();
        let places = format!("address: {url}\nca: {ca}\ncertificate: {certificate}\nkey: {key}\n");
        fs::write(&context, places).unwrap();
        let mut command = tokio::process::Command::from(program("cli", args.iter().copied()));
        command.env("GODWIT_CONFIG", context).kill_on_drop(true);
        within(&format!("godwit {args:?}"), command.output()).await.unwrap()
    }

    /// The same for what must succeed; gives what it prints.
    pub(crate) async fn must(&self, args: &[&str]) -> String {
        let ran = self.godwit(args).await;
        assert!(ran.status.success(), "godwit {args:?}: {ran:?}");
        String::from_utf8_lossy(&ran.stdout).into_owned()
    }

    /// Deploys what must be taken.
    pub(crate) async fn deploy(&self, deployment: &Deployment<'_>) -> v1::DeployedWorkload {
        let answer = self.admin.deploy(deployment.request()).await.unwrap();
        let [workload] = &answer.workloads[..] else {
            panic!("one workload was deployed: {answer:?}");
        };
        workload.clone()
    }

    /// Waits until the hub says that a cluster is in `state`. One that is Ready gets nothing new before it has said what it
    /// holds and has room for, and whoever waits for it means to give it something: that is waited for, too.
    pub(crate) async fn cluster_is(&self, name: &str, state: &str) -> v1::Cluster {
        wait_for(&format!("{name} to be {state}"), async || {
            let cluster = self.admin.cluster(name).await.map_err(|error| error.to_string())?;
            let reports = cluster.nodes > 0 && !cluster.leader.is_empty();
            if cluster.state == state && (reports || state != "Ready") {
                Ok(cluster)
            } else {
                let v1::Cluster { state, reason, leader, nodes, .. } = cluster;
                Err(format!("{state} ({reason}), led by {leader:?}, with {nodes} nodes"))
            }
        })
        .await
    }

    /// Waits until a cluster is no member any more.
    pub(crate) async fn cluster_leaves(&self, name: &str) {
        wait_for(&format!("{name} to leave"), async || match self.admin.cluster(name).await {
            Err(status) if status.code() == tonic::Code::NotFound => Ok(()),
            Err(status) => Err(status.to_string()),
            Ok(cluster) => Err(format!("{} {:?}", cluster.state, cluster.drain)),
        })
        .await;
    }

    /// Waits until a Deployment's targets are `shares`, its pods run and are ready there, and nothing else runs where the
    /// hub can see.
    pub(crate) async fn settles(&self, name: &str, shares: &[(&str, u32)]) -> v1::Workload {
        wait_for(&format!("{name} to run as {shares:?}"), async || {
            let workload = self.admin.workload(name).await.map_err(|error| error.to_string())?;
            let total: u32 = shares.iter().map(|(_, count)| count).sum();
            let row = |placement: &v1::Placement| {
                let wanted = shares.iter().find(|(cluster, _)| *cluster == placement.cluster);
                let wanted = wanted.map_or(0, |(_, count)| *count);
                let counts = [placement.target, placement.sent, placement.observed, placement.ready];
                counts == [wanted; 4] || (!placement.live && wanted == 0 && placement.target == 0)
            };
            if workload.ready == total && workload.placements.iter().all(row) {
                Ok(workload)
            } else {
                Err(summary(&workload))
            }
        })
        .await
    }

    /// Waits for an entry of the journal.
    pub(crate) async fn event(&self, reason: &str, subject: &str) -> v1::Event {
        wait_for(&format!("the event {reason} {subject}"), async || {
            let events = self.admin.events().await.map_err(|error| error.to_string())?;
            let found = events.iter().rev().find(|event| event.reason == reason && event.subject == subject);
            found.cloned().ok_or_else(|| {
                let seen: Vec<String> =
                    events.iter().map(|event| format!("{} {}", event.reason, event.subject)).collect();
                seen.join(", ")
            })
        })
        .await
    }
}

/// The targets of a workload, by cluster; those without any are left out.
pub(crate) fn targets(workload: &v1::Workload) -> Vec<(&str, u32)> {
    let placements = workload.placements.iter().filter(|placement| placement.target > 0);
    placements.map(|placement| (placement.cluster.as_str(), placement.target)).collect()
}

fn summary(workload: &v1::Workload) -> String {
    let rows: Vec<String> = workload
        .placements
        .iter()
        .map(|row| {
            format!(
                "{}: target {} sent {} observed {} ready {} live {}",
                row.cluster, row.target, row.sent, row.observed, row.ready, row.live
            )
        })
        .collect();
    format!(
        "ready {} pending {} {:?}; {}",
        workload.ready,
        workload.pending,
        workload.problems,
        rows.join("; ")
    )
}
