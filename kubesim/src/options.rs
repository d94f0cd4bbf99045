//! The command line, and what it comes to.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Parser;
use godwit_common::Uid;

use crate::scheduler::quantity;

/// More nodes than this are refused: they would be no small cluster.
const MAX_NODES: u32 = 5000;

/// A small Kubernetes API server with simulated nodes, scheduler and kubelets.
#[derive(Debug, Parser)]
#[command(name = "kubesim", version, about)]
pub(crate) struct Options {
    /// The cluster's name: of its context in the kubeconfig, and of its nodes
    #[arg(long, default_value = "kubesim")]
    pub(crate) name: String,
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    /// How many nodes there are
    #[arg(long, default_value_t = 3)]
    pub(crate) nodes: u32,
    /// The CPU of each node
    #[arg(long, default_value = "16", value_name = "QUANTITY")]
    pub(crate) node_cpu: String,
    /// The memory of each node
    #[arg(long, default_value = "64Gi", value_name = "QUANTITY")]
    pub(crate) node_memory: String,
    /// How many pods each node takes
    #[arg(long, default_value_t = 110)]
    pub(crate) node_pods: u32,
    /// The zones, over which the nodes are dealt out in turn
    #[arg(long, value_delimiter = ',')]
    pub(crate) zones: Vec<String>,
    /// The region of all nodes
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// How long pods take to become ready: from MIN to MAX milliseconds
    #[arg(long, default_value = "200..800", value_name = "MIN..MAX")]
    pub(crate) startup_delay_ms: String,
    /// How long pods take to stop, unless their own grace is shorter
    #[arg(long, default_value_t = 500, value_name = "MILLISECONDS")]
    pub(crate) termination_delay_ms: u64,
    /// How long the pods of a failed node stay before they are evicted
    #[arg(long, default_value_t = 5000, value_name = "MILLISECONDS")]
    pub(crate) eviction_delay_ms: u64,
    /// How long containers run that end by themselves, such as those of jobs
    #[arg(long, default_value_t = 500, value_name = "MILLISECONDS")]
    pub(crate) run_ms: u64,
    /// How many changes watches can look back
    #[arg(long, default_value_t = 16_384, value_name = "CHANGES")]
    pub(crate) watch_history: usize,
    /// What makes start-up delays, UIDs and generated names; random when absent
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// The cluster's identity: the UID of its namespace kube-system; random when absent
    #[arg(long)]
    pub(crate) uid: Option<Uid>,
    /// Where to write a kubeconfig
    #[arg(long, value_name = "PATH")]
    pub(crate) kubeconfig_out: Option<PathBuf>,
    /// Serve plain HTTP without authentication
    #[arg(long)]
    pub(crate) plain_http: bool,
    /// Stop when stdin ends, so that no cluster outlives whoever started it
    #[arg(long)]
    pub(crate) exit_with_stdin: bool,
}

/// What a simulated cluster is like.
#[derive(Debug, Clone)]
pub struct Config {
    /// The cluster's name.
    pub name: String,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How many nodes there are.
    pub nodes: u32,
    /// The CPU of each node, as a quantity.
    pub node_cpu: String,
    /// The memory of each node, as a quantity.
    pub node_memory: String,
    /// How many pods each node takes.
    pub node_pods: u32,
    /// The zones, over which the nodes are dealt out in turn.
    pub zones: Vec<String>,
    /// The region of all nodes.
    pub region: Option<String>,
    /// The shortest and the longest time that a pod takes to become ready.
    pub startup_delay: (Duration, Duration),
    /// How long pods take to stop, unless their own grace is shorter.
    pub termination_delay: Duration,
    /// How long the pods of a failed node stay before they are evicted.
    pub eviction_delay: Duration,
    /// How long containers run that end by themselves.
    pub run_time: Duration,
    /// How many changes watches can look back.
    pub watch_history: usize,
    /// What makes start-up delays, UIDs and generated names; random when absent.
    pub seed: Option<u64>,
    /// The cluster's identity: the UID of its namespace kube-system; random when absent.
    pub uid: Option<Uid>,
    /// Whether to serve plain HTTP without authentication.
    pub plain_http: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "kubesim".into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            nodes: 3,
            node_cpu: "16".into(),
            node_memory: "64Gi".into(),
            node_pods: 110,
            zones: Vec::new(),
            region: None,
            startup_delay: (Duration::from_millis(200), Duration::from_millis(800)),
            termination_delay: Duration::from_millis(500),
            eviction_delay: Duration::from_secs(5),
            run_time: Duration::from_millis(500),
            watch_history: 16_384,
            seed: None,
            uid: None,
            plain_http: false,
        }
    }
}

impl Options {
    /// The cluster that the options describe. An error names the option that makes no sense.
    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        let is_name = crate::admission::is_dns_label(&self.name);
        ensure!(is_name, "--name {:?}: must be a DNS label, such as cluster-1", self.name);
        ensure!(self.nodes <= MAX_NODES, "--nodes {}: must be at most {MAX_NODES}", self.nodes);
        ensure!(self.watch_history > 0, "--watch-history 0: must be at least 1");
        for (option, quantity) in [("--node-cpu", &self.node_cpu), ("--node-memory", &self.node_memory)] {
            let positive = quantity::parse_text(quantity).is_some_and(|amount| amount > 0);
            ensure!(positive, "{option} {quantity:?}: must be a quantity above zero, such as 16 or 64Gi");
        }
        Ok(Config {
            name: self.name.clone(),
            listen: self.listen,
            nodes: self.nodes,
            node_cpu: self.node_cpu.clone(),
            node_memory: self.node_memory.clone(),
            node_pods: self.node_pods,
            zones: self.zones.clone(),
            region: self.region.clone(),
            startup_delay: delays(&self.startup_delay_ms)?,
            termination_delay: Duration::from_millis(self.termination_delay_ms),
            eviction_delay: Duration::from_millis(self.eviction_delay_ms),
            run_time: Duration::from_millis(self.run_ms),
            watch_history: self.watch_history,
            seed: self.seed,
            uid: self.uid,
            plain_http: self.plain_http,
        })
    }
}

/// Reads `MIN..MAX`, or one number for both.
fn delays(text: &str) -> anyhow::Result<(Duration, Duration)> {
    let (min, max) = text.split_once("..").unwrap_or((text, text));
    let read = |part: &str| {
        part.parse().map(Duration::from_millis).with_context(|| {
            format!("--startup-delay-ms {text:?}: must be MIN..MAX in milliseconds, such as 200..800")
        })
    };
    let (min, max) = (read(min)?, read(max)?);
    ensure!(min <= max, "--startup-delay-ms {text:?}: the first number must not be above the second");
    Ok((min, max))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(args: &[&str]) -> Result<Config, String> {
        let options = Options::try_parse_from(std::iter::once("kubesim").chain(args.iter().copied()));
        options.map_err(|error| error.to_string())?.config().map_err(|error| error.to_string())
    }

    #[test]
    fn mistakes_are_named() {
        for (args, named) in [
            (["--name", "No Name"], "--name"),
            (["--node-cpu", "many"], "--node-cpu"),
            (["--startup-delay-ms", "9..1"], "--startup-delay-ms"),
            (["--startup-delay-ms", "soon"], "--startup-delay-ms"),
            (["--watch-history", "0"], "--watch-history"),
        ] {
            let error = config(&args).expect_err(named);
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn delays_are_a_range_or_a_number() {
        let config = config(&["--startup-delay-ms", "5", "--zones", "a,b"]).expect("good options");
        assert_eq!(config.startup_delay, (Duration::from_millis(5), Duration::from_millis(5)));
        assert_eq!(config.zones, ["a", "b"]);
    }
}
