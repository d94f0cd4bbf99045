//! All agents of a federation, and what happened in their clusters.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use godwit_common::{ClusterName, Uid};
use godwit_rt::dial::Endpoint;
use godwit_rt::tls::TlsFiles;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::agent::{Agent, Told, What};
use super::{Federation, client};

/// Agents that connect at once: more handshakes only make each other wait.
const CONNECTING: usize = 64;

/// One agent that is to run.
struct Order {
    index: usize,
    name: ClusterName,
    files: TlsFiles,
}

/// One agent for each cluster, and what its cluster runs.
pub(crate) struct Fleet {
    agents: Vec<JoinHandle<()>>,
    silent: watch::Sender<Range<usize>>,
    told: mpsc::Receiver<Told>,
    sent: BTreeMap<(usize, Uid), u32>,
    ready: BTreeMap<(usize, Uid), u32>,
}

impl Fleet {
    /// Connects one agent for each cluster, whose pods take so long to get ready.
    pub(crate) async fn connect(federation: &Federation, ready_after: Duration) -> Result<Self> {
        Self::connect_some(federation, 0..federation.clusters.len(), ready_after).await
    }

    /// The same, of these clusters.
    pub(crate) async fn connect_some(
        federation: &Federation,
        clusters: Range<usize>,
        ready_after: Duration,
    ) -> Result<Self> {
        let order = |index: usize| {
            let name = federation.clusters.get(index).context("a cluster")?.clone();
            let files =
                federation.certificates.agents.get(&name).context("every cluster has a certificate")?;
            Ok(Order { index, name, files: files.clone() })
        };
        let orders = clusters.map(order).collect::<Result<Vec<_>>>()?;
        Self::start(orders, &federation.endpoint, federation.heartbeat, ready_after).await
    }

    async fn start(
        orders: Vec<Order>,
        endpoint: &Endpoint,
        heartbeat: Duration,
        ready_after: Duration,
    ) -> Result<Self> {
        let (told, happened) = mpsc::channel(1_000_000);
        let (silent, hears) = watch::channel(0..0);
        let mut agents = Vec::new();
        let (connected, mut ready) = mpsc::channel(CONNECTING);
        for Order { index, name, files } in orders {
            let agent = Agent {
                index,
                name,
                tls: client(&files)?,
                endpoint: endpoint.clone(),
                heartbeat,
                ready_after,
                told: told.clone(),
                connected: connected.clone(),
                silent: hears.clone(),
            };
            agents.push(tokio::spawn(agent.run()));
            if agents.len() > CONNECTING {
                ready.recv().await.context("an agent ended before it was connected")?;
            }
        }
        for _ in 0..agents.len().min(CONNECTING) {
            ready.recv().await.context("an agent ended before it was connected")?;
        }
        Ok(Self { agents, silent, told: happened, sent: BTreeMap::new(), ready: BTreeMap::new() })
    }

    /// These clusters die: their streams end.
    pub(crate) fn kill(&self, clusters: Range<usize>) {
        self.agents[clusters].iter().for_each(JoinHandle::abort);
    }

    /// These clusters fall silent: their streams stay open, and nothing comes through them any more.
    pub(crate) fn silence(&self, clusters: Range<usize>) {
        self.silent.send_replace(clusters);
    }

    /// Waits until so many replicas are ready in all.
    pub(crate) async fn wait_for_replicas(&mut self, count: usize, patience: Duration) -> Result<()> {
        let total =
            |ready: &BTreeMap<_, u32>| ready.values().map(|replicas| *replicas as usize).sum::<usize>();
        self.wait(patience, |fleet| total(&fleet.ready) == count).await
    }

    /// Waits until so many rows were sent with this number of replicas.
    pub(crate) async fn wait_for_rows_with(
        &mut self,
        replicas: u32,
        count: usize,
        patience: Duration,
    ) -> Result<()> {
        let with = |sent: &BTreeMap<_, u32>| sent.values().filter(|sent| **sent == replicas).count();
        self.wait(patience, |fleet| with(&fleet.sent) == count).await
    }

    /// What happens until `done`, which looks at each thing in turn.
    pub(crate) async fn until(
        &mut self,
        patience: Duration,
        mut done: impl FnMut(&Told) -> bool,
    ) -> Result<Vec<Told>> {
        let deadline = Instant::now() + patience;
        let mut happened = Vec::new();
        loop {
            let told =
                self.next(deadline).await.with_context(|| format!("{} things happened", happened.len()))?;
            let end = done(&told);
            happened.push(told);
            if end {
                return Ok(happened);
            }
        }
    }

    /// What happens within a time.
    pub(crate) async fn during(&mut self, time: Duration) -> Vec<Told> {
        let deadline = Instant::now() + time;
        let mut happened = Vec::new();
        while let Ok(told) = self.next(deadline).await {
            happened.push(told);
        }
        happened
    }

    async fn wait(&mut self, patience: Duration, done: impl Fn(&Self) -> bool) -> Result<()> {
        let deadline = Instant::now() + patience;
        while !done(self) {
            self.next(deadline).await?;
            while !self.told.is_empty() {
                self.next(deadline).await?;
            }
        }
        Ok(())
    }

    async fn next(&mut self, deadline: Instant) -> Result<Told> {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(Some(told)) = timeout(left, self.told.recv()).await else {
            bail!("nothing more comes");
        };
        let known = match told.what {
            What::Sent => &mut self.sent,
            What::Ready => &mut self.ready,
        };
        known.insert((told.cluster, told.uid), told.replicas);
        Ok(told)
    }
}

/// Agents by the orders on standard input, until that ends: a line with the hub's address and the heartbeat in
/// milliseconds, then one for each agent, then an empty one.
pub(crate) fn run_inside() -> Result<()> {
    let mut lines = std::io::stdin().lock().lines();
    let first = lines.next().context("the first order")??;
    let (endpoint, heartbeat) = first.split_once(' ').context("an address and a heartbeat")?;
    let (endpoint, heartbeat) = (endpoint.parse()?, Duration::from_millis(heartbeat.parse()?));
    let orders = lines.map_while(|line| line.ok().filter(|line| !line.is_empty()));
    let orders = orders.map(|line| order(&line)).collect::<Result<Vec<_>>>()?;
    crate::runtime()?.block_on(async move {
        let mut fleet = Fleet::start(orders, &endpoint, heartbeat, Duration::ZERO).await?;
        loop {
            fleet.during(Duration::from_secs(60)).await;
        }
    })
}

fn order(line: &str) -> Result<Order> {
    let [index, name, ca, certificate, key] = line.split(' ').collect::<Vec<_>>()[..] else {
        bail!("an order has five parts: {line}");
    };
    let files = TlsFiles { ca: ca.into(), certificate: certificate.into(), key: key.into() };
    Ok(Order { index: index.parse()?, name: name.parse()?, files })
}
