//! Leases for pods (S9). The agent that leads holds the cluster's lease; on each node an agent asks it what may run there and
//! until when, and writes that down where the supervisors of the node's pods read it.
//!
//! Everybody counts what he is told from when he *asked*, so that nobody's lease ends after that of whom he has it from.
//! Between the agent of a node and its supervisors there is nothing to count: one machine has one clock.

mod files;
mod leader;
mod node;
mod service;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use godwit_manifest::supervisor::Supervisor;
use godwit_proto::agent::lease::Admitted;
use godwit_rt::Revocations;
use godwit_rt::tls::{ClientTls, Door, ServerTls, TlsFiles};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::cluster::Cluster;
use godwit_common::Uid;

/// Questions that wait for the machine.
const QUESTIONS_MAX: usize = 64;

/// What it takes to put supervisors into pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GateSettings {
    /// The folder of the leases, the same on the node and for this process.
    pub(crate) directory: PathBuf,
    /// The image with the supervisor.
    pub(crate) image: String,
    /// Where the cluster's other agents ask this one.
    pub(crate) listen: SocketAddr,
    /// The address by which they find it; that of `listen` if there is none.
    pub(crate) address: Option<IpAddr>,
}

/// A question of an agent to the machine, of which it is told here.
pub(crate) struct Question {
    pub(crate) lives: Vec<Uid>,
    pub(crate) answer: oneshot::Sender<Admitted>,
}

/// A gate whose port is bound.
pub(crate) struct Gate {
    settings: GateSettings,
    listener: TcpListener,
    /// `HOST:PORT` for the others.
    address: String,
}

impl Gate {
    /// Binds the port, and looks whether leases can be written here.
    pub(crate) async fn open(settings: GateSettings) -> anyhow::Result<Self> {
        godwit_gate::clock::is_the_machines().map_err(anyhow::Error::msg)?;
        files::check(&settings.directory)?;
        let listener = TcpListener::bind(settings.listen).await.with_context(|| {
            format!(
                "gate.listen = {} cannot be bound: choose a free port, or stop what holds it",
                settings.listen
            )
        })?;
        let bound = listener.local_addr().context("the bound address of gate.listen is unknown")?;
        let address = SocketAddr::new(settings.address.unwrap_or(bound.ip()), bound.port()).to_string();
        tracing::info!(%address, directory = %settings.directory.display(), "leases are written for this node");
        Ok(Self { settings, listener, address })
    }

    /// Where this agent can be asked.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// What pods get.
    pub(crate) fn supervisor(&self) -> Supervisor {
        let GateSettings { image, directory, .. } = &self.settings;
        Supervisor { image: image.clone(), directory: directory.display().to_string() }
    }

    /// Answers the cluster's agents, and writes this node's leases, until `stop`. The questions are the machine's to answer.
    pub(crate) fn start(
        self,
        files: TlsFiles,
        cluster: Cluster,
        stop: &CancellationToken,
    ) -> anyhow::Result<mpsc::Receiver<Question>> {
        let wrong = "the agent's certificate cannot be used among agents";
        let door = Door::Members(Revocations::none());
        let server = ServerTls::server(files.clone(), door.clone()).context(wrong)?;
        let client = ClientTls::neighbour(files.clone()).context(wrong)?;
        let identity = godwit_rt::tls::identity_of(&files).context(wrong)?;
        tokio::spawn(Arc::clone(&server).watch(stop.clone()));
        tokio::spawn(Arc::clone(&client).watch(stop.clone()));
        let (sender, questions) = mpsc::channel(QUESTIONS_MAX);
        tokio::spawn(service::serve(self.listener, server, door, identity, sender, stop.clone()));
        let boot = godwit_gate::clock::boot().map_err(anyhow::Error::msg)?;
        let leases = files::Leases::new(self.settings.directory, boot);
        let node = node::Node::new(leases, leader::Leader::new(client, cluster));
        let stop = stop.clone();
        tokio::spawn(async move { stop.run_until_cancelled(node.run()).await });
        Ok(questions)
    }
}
