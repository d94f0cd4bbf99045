//! One member cluster: its API server if it is a simulated one, its agent, and the wire between agent and hub.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use godwit_common::rng::Rng;
use godwit_common::{ClusterName, Uid};
use godwit_rt::tls::TlsFiles;
use tokio::sync::mpsc;

use super::control::Part;
use super::layout::Layout;
use super::process::{Death, Process, tail};
use super::proxy::Proxy;
use crate::error::Error;

/// How long a simulated cluster may take to serve.
const SERVE_WITHIN: Duration = Duration::from_secs(30);
/// How often it is looked after.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// One member cluster.
#[derive(Debug)]
pub(super) struct Member {
    name: ClusterName,
    kind: Kind,
    tls: TlsFiles,
    link: Proxy,
    agent: Option<Process>,
    layout: Layout,
    deaths: mpsc::Sender<Death>,
}

/// What sort of cluster it is.
#[derive(Debug)]
enum Kind {
    Simulated {
        nodes: u32,
        /// Kept over a restart: it is the same cluster then, with nothing left in it.
        uid: Uid,
        server: Option<Process>,
    },
    Real {
        kubeconfig: PathBuf,
    },
}

/// What a member needs from its surroundings.
pub(super) struct Surroundings<'a> {
    /// The folder.
    pub(super) layout: &'a Layout,
    /// Who hears of a child's unexpected end.
    pub(super) deaths: &'a mpsc::Sender<Death>,
    /// Where the hub listens.
    pub(super) hub: SocketAddr,
}

impl Member {
    /// A simulated cluster; nothing of it runs yet.
    pub(super) async fn simulated(
        name: ClusterName,
        nodes: u32,
        tls: TlsFiles,
        rng: &mut Rng,
        around: &Surroundings<'_>,
    ) -> Result<Self, Error> {
        let kind = Kind::Simulated { nodes, uid: rng.uid(), server: None };
        Self::new(name, kind, tls, around).await
    }

    /// A real cluster; its agent does not run yet.
    pub(super) async fn real(
        name: ClusterName,
        kubeconfig: PathBuf,
        tls: TlsFiles,
        around: &Surroundings<'_>,
    ) -> Result<Self, Error> {
        Self::new(name, Kind::Real { kubeconfig }, tls, around).await
    }

    async fn new(
        name: ClusterName,
        kind: Kind,
        tls: TlsFiles,
        around: &Surroundings<'_>,
    ) -> Result<Self, Error> {
        let link = Proxy::start(around.hub).await;
        Ok(Self {
            link: link.map_err(|error| Error::failed(format!("no wire for {name}: {error}")))?,
            name,
            kind,
            tls,
            agent: None,
            layout: around.layout.clone(),
            deaths: around.deaths.clone(),
        })
    }

    /// Its name.
    pub(super) fn name(&self) -> &ClusterName {
        &self.name
    }

    /// What `kubectl --kubeconfig` takes.
    pub(super) fn kubeconfig(&self) -> PathBuf {
        match &self.kind {
            Kind::Simulated { .. } => self.layout.kubeconfig(self.name.as_str()),
            Kind::Real { kubeconfig } => kubeconfig.clone(),
        }
    }

    /// Whether nothing of it runs outside of this federation.
    pub(super) fn is_simulated(&self) -> bool {
        matches!(self.kind, Kind::Simulated { .. })
    }

    /// Whether its API server runs, as far as this process knows.
    pub(super) fn cluster_runs(&self) -> bool {
        match &self.kind {
            Kind::Simulated { server, .. } => server.as_ref().is_some_and(Process::is_running),
            Kind::Real { .. } => true,
        }
    }

    /// Whether its agent runs.
    pub(super) fn agent_runs(&self) -> bool {
        self.agent.as_ref().is_some_and(Process::is_running)
    }

    /// The wire to the hub.
    pub(super) fn link(&self) -> &Proxy {
        &self.link
    }

    /// Starts the API server of a simulated cluster, and waits until it serves.
    pub(super) async fn start_cluster(&mut self) -> Result<(), Error> {
        let kubeconfig = self.kubeconfig();
        let Kind::Simulated { nodes, uid, server } = &mut self.kind else { return Ok(()) };
        // It is written when the cluster serves.
        Layout::remove(&kubeconfig)?;
        let name = self.name.as_str();
        let region = format!("region-{name}");
        let zones: Vec<String> = ["a", "b", "c"].map(|zone| format!("{region}{zone}")).into();
        let args = flags(
            super::KUBESIM,
            [
                ("--name", name.into()),
                ("--nodes", nodes.to_string().into()),
                ("--uid", uid.to_string().into()),
                ("--region", region.into()),
                ("--zones", zones.join(",").into()),
                ("--kubeconfig-out", kubeconfig.clone().into()),
            ],
        );
        let log = self.layout.log(name);
        let child = Process::start(name, args, &log, self.deaths.clone())
            .map_err(|error| Error::failed(format!("cluster {name} cannot be started: {error}")))?;
        let child = server.insert(child);
        served(&kubeconfig, child, &log).await.map_err(|why| Error::failed(format!("cluster {name} {why}")))
    }

    /// What the agent says.
    pub(super) fn agent_log(&self) -> PathBuf {
        self.layout.log(&self.agent_name())
    }

    fn agent_name(&self) -> String {
        format!("{}-agent", self.name)
    }

    /// Starts the agent.
    pub(super) fn start_agent(&mut self) -> Result<(), Error> {
        let child = self.agent_name();
        let args = flags(
            super::AGENT,
            [
                ("--hub", self.link.address().to_string().into()),
                ("--kubeconfig", self.kubeconfig().into()),
                ("--instance", child.clone().into()),
                ("--tls-ca", self.tls.ca.clone().into()),
                ("--tls-certificate", self.tls.certificate.clone().into()),
                ("--tls-key", self.tls.key.clone().into()),
            ],
        );
        let started = Process::start(&child, args, &self.agent_log(), self.deaths.clone());
        let started = started
            .map_err(|error| Error::failed(format!("the agent {child} cannot be started: {error}")))?;
        self.agent = Some(started);
        Ok(())
    }

    /// Kills the agent; its process's number, if it ran.
    pub(super) async fn kill_agent(&mut self) -> Option<u32> {
        kill(&mut self.agent).await
    }

    /// Kills the API server of a simulated cluster.
    pub(super) async fn kill_cluster(&mut self) -> Option<u32> {
        match &mut self.kind {
            Kind::Simulated { server, .. } => kill(server).await,
            Kind::Real { .. } => None,
        }
    }

    /// Stops the agent, in order.
    pub(super) async fn stop_agent(&mut self) {
        if let Some(agent) = self.agent.take() {
            agent.stop().await;
        }
    }

    /// Stops the API server, in order.
    pub(super) async fn stop_cluster(&mut self) {
        if let Kind::Simulated { server, .. } = &mut self.kind
            && let Some(server) = server.take()
        {
            server.stop().await;
        }
    }

    /// What runs of it.
    pub(super) fn status(&self) -> Part {
        Part {
            name: self.name.to_string(),
            process: match &self.kind {
                Kind::Simulated { server, .. } => running(server.as_ref()),
                Kind::Real { .. } => "real".to_owned(),
            },
            agent: running(self.agent.as_ref()),
            link: if self.link.is_cut() { "cut" } else { "up" }.to_owned(),
        }
    }
}

/// The arguments of a child: its hidden name, its flags, and that it ends with its parent.
pub(super) fn flags<const N: usize>(child: &str, flags: [(&str, OsString); N]) -> Vec<OsString> {
    let mut args = vec![OsString::from(child), OsString::from("--exit-with-stdin")];
    for (flag, value) in flags {
        args.extend([OsString::from(flag), value]);
    }
    args
}

/// A process in one word.
pub(super) fn running(process: Option<&Process>) -> String {
    match process.filter(|process| process.is_running()) {
        Some(process) => format!("pid {}", process.pid()),
        None => "dead".to_owned(),
    }
}

/// Waits for the file by which a child says that it serves.
pub(super) async fn served(file: &Path, child: &Process, log: &Path) -> Result<(), String> {
    let wait = async {
        while !file.exists() {
            if !child.is_running() {
                return Err(format!(
                    "ended while it started; {} says:\n{}",
                    log.display(),
                    tail(log).join("\n")
                ));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    };
    let late = || Err(format!("does not serve after {SERVE_WITHIN:?}; see {}", log.display()));
    tokio::time::timeout(SERVE_WITHIN, wait).await.unwrap_or_else(|_| late())
}

async fn kill(process: &mut Option<Process>) -> Option<u32> {
    let running = process.take().filter(Process::is_running)?;
    let pid = running.pid();
    running.kill().await;
    Some(pid)
}
