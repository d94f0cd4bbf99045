//! Agents that do at once what they are told: real streams, no cluster behind them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use godwit_common::link::{
    Capacity, Down, Hello, LeaderTerm, Leadership, Region, Report, Status, Targets, Up, VERSIONS,
};
use godwit_common::{ClusterName, Digest, Epoch, Fence, Generation, NodeClass, Resources, Term, Uid};
use godwit_proto::agent::{DownInbox, up_to_wire};
use godwit_proto::v1::AttachRequest;
use godwit_proto::v1::agent_service_client::AgentServiceClient;
use godwit_rt::dial::{Endpoint, dial};
use godwit_rt::limits::DialTimeouts;
use godwit_rt::tls::ClientTls;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;

use super::federation::{Federation, client};

/// One row that an agent was sent.
struct Row {
    cluster: usize,
    uid: Uid,
    replicas: u32,
    at: Instant,
}

/// All agents, and what they were sent.
pub(super) struct Fleet {
    agents: Vec<JoinHandle<Result<()>>>,
    rows: mpsc::Receiver<Row>,
    held: BTreeMap<(usize, Uid), u32>,
}

impl Fleet {
    /// Connects one agent for each cluster.
    pub(super) async fn connect(federation: &Federation) -> Result<Self> {
        let (told, rows) = mpsc::channel(1_000_000);
        let mut agents = Vec::new();
        let (ready, mut connected) = mpsc::channel(federation.clusters.len());
        for (index, name) in federation.clusters.iter().enumerate() {
            let files =
                federation.certificates.agents.get(name).context("every cluster has a certificate")?;
            let agent = Agent {
                index,
                name: name.clone(),
                tls: client(files)?,
                endpoint: federation.endpoint.clone(),
                told: told.clone(),
                ready: ready.clone(),
            };
            agents.push(tokio::spawn(agent.run()));
        }
        for _ in &agents {
            connected.recv().await.context("an agent ended before it was connected")?;
        }
        Ok(Self { agents, rows, held: BTreeMap::new() })
    }

    /// The first cluster dies.
    pub(super) fn kill_first(&self) {
        if let Some(first) = self.agents.first() {
            first.abort();
        }
    }

    /// Waits until so many replicas have been placed in all.
    pub(super) async fn wait_for_replicas(&mut self, count: usize, patience: Duration) -> Result<()> {
        self.wait(patience, |held| held.values().map(|replicas| *replicas as usize).sum::<usize>() == count)
            .await
    }

    /// Waits until so many rows hold this number of replicas.
    pub(super) async fn wait_for_rows_with(
        &mut self,
        replicas: u32,
        count: usize,
        patience: Duration,
    ) -> Result<()> {
        self.wait(patience, |held| held.values().filter(|held| **held == replicas).count() == count).await
    }

    /// Waits until so many replicas have come to the surviving clusters; says when the first and the last did.
    pub(super) async fn wait_for_moves(
        &mut self,
        count: usize,
        start: Instant,
        patience: Duration,
    ) -> Result<(Duration, Duration)> {
        let (mut first, mut last, mut moved) = (None, start, 0);
        while moved < count {
            let row = self.next(patience).await.with_context(|| format!("{moved} of {count} moved"))?;
            if row.cluster != 0 && row.replicas > 0 {
                moved += 1;
                last = row.at;
                first.get_or_insert(row.at);
            }
        }
        Ok((first.unwrap_or(last) - start, last - start))
    }

    async fn wait(
        &mut self,
        patience: Duration,
        done: impl Fn(&BTreeMap<(usize, Uid), u32>) -> bool,
    ) -> Result<()> {
        while !done(&self.held) {
            self.next(patience).await?;
            while !self.rows.is_empty() {
                self.next(patience).await?;
            }
        }
        Ok(())
    }

    async fn next(&mut self, patience: Duration) -> Result<Row> {
        let Ok(Some(row)) = tokio::time::timeout(patience, self.rows.recv()).await else {
            bail!("nothing came for {} s", patience.as_secs());
        };
        self.held.insert((row.cluster, row.uid), row.replicas);
        Ok(row)
    }
}

struct Agent {
    index: usize,
    name: ClusterName,
    tls: Arc<ClientTls>,
    endpoint: Endpoint,
    told: mpsc::Sender<Row>,
    ready: mpsc::Sender<()>,
}

impl Agent {
    async fn run(self) -> Result<()> {
        let connection = dial(&self.endpoint, &self.tls, DialTimeouts::default()).await?;
        let (say, sent) = mpsc::channel(1024);
        tell(&say, &Up::Hello(self.hello())).await?;
        let mut stream = AgentServiceClient::new(connection)
            .max_decoding_message_size(godwit_rt::limits::AGENT_MESSAGE_BYTES_MAX)
            .attach(ReceiverStream::new(sent))
            .await?
            .into_inner();
        let mut inbox = DownInbox::default();
        let mut heartbeat = tokio::time::interval(Duration::from_secs(1));
        loop {
            let message = tokio::select! {
                message = stream.message() => message?.context("the hub ended the stream")?,
                _ = heartbeat.tick() => {
                    tell(&say, &Up::Heartbeat).await?;
                    continue;
                }
            };
            match inbox.take(message)? {
                Some(Down::Welcome(_)) => {
                    tell(&say, &Up::Leadership(leading())).await?;
                    tell(&say, &Up::Report(inventory())).await?;
                    self.ready.send(()).await?;
                }
                Some(Down::Targets(targets)) => {
                    for up in self.obey(&targets).await? {
                        tell(&say, &up).await?;
                    }
                }
                Some(
                    Down::Standby { .. }
                    | Down::Grant { .. }
                    | Down::Redirect { .. }
                    | Down::Refusal(_)
                    | Down::Goodbye { .. },
                ) => {
                    bail!("the hub does not want cluster {}", self.name)
                }
                None => {}
            }
        }
    }

    async fn obey(&self, targets: &Targets) -> Result<[Up; 2]> {
        let at = Instant::now();
        for row in &targets.workloads {
            self.told.send(Row { cluster: self.index, uid: row.uid, replicas: row.replicas, at }).await?;
        }
        let statuses = targets.workloads.iter().map(|row| Status {
            workload: row.workload.clone(),
            uid: row.uid,
            revision: row.revision,
            replicas: row.replicas,
            pods: row.replicas,
            bound: row.replicas,
            ready: row.replicas,
            unschedulable: 0,
            failing: 0,
            stranded: 0,
            updated: row.replicas,
            updated_ready: row.replicas,
            stalled: false,
            terminating: 0,
            ready_for: std::time::Duration::ZERO,
            supervised: 0,
            difference: None,
            problem: "".into(),
            exists: true,
        });
        let report =
            Report { reflects: targets.fence.generation, statuses: statuses.collect(), ..Report::default() };
        Ok([Up::Accepted { fence: targets.fence, digest: targets.digest }, Up::Report(report)])
    }

    fn hello(&self) -> Hello {
        Hello {
            versions: VERSIONS,
            build: "bench".into(),
            instance: format!("{}-agent", self.name).into(),
            zone: "".into(),
            cluster_uid: Uid(self.index as u128 + 1),
            federation: None,
            highest_epoch: Epoch(0),
            region: Region::default(),
            supervises: false,
        }
    }
}

async fn tell(hub: &mpsc::Sender<AttachRequest>, up: &Up) -> Result<()> {
    for part in up_to_wire(up) {
        hub.send(part).await?;
    }
    Ok(())
}

fn leading() -> Leadership {
    let term = LeaderTerm { lease: Uid(1), transitions: Term(1) };
    Leadership::Leading { term, fence: Fence::default(), base: Generation(0), digest: Digest::default() }
}

/// An empty cluster with room for everything.
fn inventory() -> Report {
    let free =
        Resources { cpu_millis: 1_000_000, memory_bytes: 1 << 42, pods: 10_000, ..Resources::default() };
    let class = NodeClass { nodes: 100, free, ..NodeClass::default() };
    let capacity = Capacity {
        classes: vec![class],
        running_pods: 1000,
        nodes: 100,
        nodes_ready: 100,
        ..Capacity::default()
    };
    Report { complete: true, capacity: Some(capacity), ..Report::default() }
}
