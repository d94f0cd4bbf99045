//! The command line of `godwit dev`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use godwit_common::ClusterName;

use super::control::Request;
use super::names;
use crate::error::Error;

/// Every cluster is two processes.
const CLUSTERS_MAX: i64 = 100;
/// What kubesim takes.
const NODES_MAX: i64 = 5_000;

/// Start a federation on this machine, or make accidents in it.
///
/// A hub, simulated clusters and an agent for each run as processes of their own, over real mutual TLS on loopback.
/// Ctrl-C stops them all. Meanwhile, commands that run in this folder or below find the federation by themselves.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
#[command(after_help = "\
Examples:
  godwit dev
  godwit dev --clusters 5 --lost-after 3s
  godwit dev --kubeconfig ~/.kube/east.yaml,~/.kube/west.yaml
  godwit dev kill-cluster bravo      (from another terminal)
  godwit dev heal bravo")]
pub(crate) struct Dev {
    #[command(flatten)]
    pub(super) start: Start,
    /// The federation's folder
    #[arg(long, global = true, value_name = "DIR", help = "The federation's folder [default: .godwit/dev]")]
    pub(super) dir: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) action: Option<Action>,
}

/// What to start.
#[derive(Debug, Args)]
pub(super) struct Start {
    /// How many simulated clusters
    #[arg(long, value_name = "N", default_value_t = 3,
          value_parser = clap::value_parser!(u32).range(1..=CLUSTERS_MAX))]
    clusters: u32,
    /// How many nodes each of them has
    #[arg(long, value_name = "N", default_value_t = 3,
          value_parser = clap::value_parser!(u32).range(0..=NODES_MAX))]
    nodes: u32,
    /// Use these real clusters instead; agents run here, and act on the clusters' API servers
    #[arg(long, value_name = "FILE,...", value_delimiter = ',', conflicts_with_all = ["clusters", "nodes"])]
    kubeconfig: Vec<PathBuf>,
    /// Where the hub listens [default: 127.0.0.1:7443, or any free port]
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<SocketAddr>,
    /// When silence counts as a loss, for policies that do not say, such as 3s [default: the hub's]
    #[arg(long, value_name = "DURATION")]
    lost_after: Option<String>,
}

/// What to do to a federation that runs.
#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Kill a cluster's agent: what runs there runs on, unseen
    KillAgent {
        /// The cluster
        name: String,
    },
    /// Kill a simulated cluster and its agent: everything there is gone
    KillCluster {
        /// The cluster
        name: String,
    },
    /// Cut the link between a cluster's agent and the hub: no packet passes
    CutLink {
        /// The cluster
        name: String,
    },
    /// Undo what was done to a cluster, or start a dead hub again
    Heal {
        /// The cluster, or hub
        name: String,
    },
    /// Show which processes run
    Status,
}

/// What to start, sorted out.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) clusters: Clusters,
    pub(super) listen: Option<SocketAddr>,
    pub(super) lost_after: Option<String>,
}

/// The member clusters.
#[derive(Debug)]
pub(super) enum Clusters {
    /// So many simulated ones, with so many nodes each.
    Simulated { count: u32, nodes: u32 },
    /// Real ones, by their kubeconfigs.
    Real(Vec<PathBuf>),
}

impl Start {
    pub(super) fn options(self) -> Options {
        let clusters = match self.kubeconfig.is_empty() {
            true => Clusters::Simulated { count: self.clusters, nodes: self.nodes },
            false => Clusters::Real(self.kubeconfig),
        };
        Options { clusters, listen: self.listen, lost_after: self.lost_after }
    }
}

impl Clusters {
    /// In words.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Simulated { count: 1, .. } => "a simulated cluster".to_owned(),
            Self::Simulated { count, .. } => format!("{count} simulated clusters"),
            Self::Real(paths) => format!("agents for {} clusters", paths.len()),
        }
    }

    pub(super) fn names(&self) -> Result<Vec<ClusterName>, Error> {
        match self {
            Self::Simulated { count, .. } => names::simulated(usize::try_from(*count).unwrap_or(usize::MAX)),
            Self::Real(paths) => names::of_kubeconfigs(paths),
        }
    }
}

impl Action {
    pub(super) fn request(self) -> Request {
        match self {
            Self::KillAgent { name } => Request::KillAgent { name },
            Self::KillCluster { name } => Request::KillCluster { name },
            Self::CutLink { name } => Request::CutLink { name },
            Self::Heal { name } => Request::Heal { name },
            Self::Status => Request::Status {},
        }
    }
}
