//! An agent over a real stream, with a cluster behind it that does at once what it is told: its pods are ready after a
//! fixed time, and gone at once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use godwit_common::link::{
    Capacity, Down, Hello, LeaderTerm, Leadership, Region, Report, Status, Targets, Up, VERSIONS,
    WorkloadTarget,
};
use godwit_common::{ClusterName, Digest, Epoch, Fence, Generation, NodeClass, Resources, Term, Uid};
use godwit_proto::agent::{DownInbox, up_to_wire};
use godwit_proto::v1::AttachRequest;
use godwit_proto::v1::agent_service_client::AgentServiceClient;
use godwit_rt::dial::{Endpoint, dial};
use godwit_rt::limits::DialTimeouts;
use godwit_rt::tls::ClientTls;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, interval_at, sleep, sleep_until};
use tokio_stream::wrappers::ReceiverStream;

/// How soon an agent whose stream has ended dials again.
const AGAIN: Duration = Duration::from_millis(500);

/// Something that happened in a cluster.
pub(crate) struct Told {
    pub(crate) cluster: usize,
    pub(crate) uid: Uid,
    pub(crate) replicas: u32,
    pub(crate) what: What,
    pub(crate) at: Instant,
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// It was told to run so many.
    Sent,
    /// So many are ready now.
    Ready,
}

pub(super) struct Agent {
    pub(super) index: usize,
    pub(super) name: ClusterName,
    pub(super) tls: Arc<ClientTls>,
    pub(super) endpoint: Endpoint,
    pub(super) heartbeat: Duration,
    /// How long pods take.
    pub(super) ready_after: Duration,
    pub(super) told: mpsc::Sender<Told>,
    pub(super) connected: mpsc::Sender<()>,
    /// Clusters from here on say and hear nothing, with their streams open.
    pub(super) silent: watch::Receiver<std::ops::Range<usize>>,
}

/// What a cluster runs.
#[derive(Default)]
struct Cluster {
    held: BTreeMap<Uid, Held>,
    /// In the order of their time, which is that of their coming.
    starting: VecDeque<(Instant, Vec<Uid>)>,
    reflects: Generation,
}

struct Held {
    row: WorkloadTarget,
    ready: u32,
}

impl Agent {
    /// Runs until it is aborted. When its stream ends, it begins anew with what its cluster holds, as a real one would.
    pub(super) async fn run(mut self) {
        let mut cluster = Cluster::default();
        loop {
            // Why it ended is the hub's log's matter; benches see what comes of it.
            let _ = self.session(&mut cluster).await;
            sleep(AGAIN).await;
        }
    }

    async fn session(&mut self, cluster: &mut Cluster) -> Result<()> {
        let connection = dial(&self.endpoint, &self.tls, DialTimeouts::default()).await?;
        let (say, sent) = mpsc::channel(1024);
        tell(&say, &Up::Hello(self.hello())).await?;
        let mut stream = AgentServiceClient::new(connection)
            .max_decoding_message_size(godwit_rt::limits::AGENT_MESSAGE_BYTES_MAX)
            .attach(ReceiverStream::new(sent))
            .await?
            .into_inner();
        let mut inbox = DownInbox::default();
        // Spread over the interval, as real ones are.
        let first = Instant::now() + self.heartbeat.mul_f64((self.index % 97) as f64 / 97.0);
        let mut heartbeat = interval_at(first, self.heartbeat);
        loop {
            let ready_at = cluster.starting.front().map(|(at, _)| *at);
            let message = tokio::select! {
                _ = self.silent.changed() => {
                    if self.silent.borrow().contains(&self.index) {
                        // The stream stays as it is, until the process ends.
                        std::future::pending::<()>().await;
                    }
                    continue;
                }
                message = stream.message() => message?.context("the hub ended the stream")?,
                _ = heartbeat.tick() => {
                    tell(&say, &Up::Heartbeat).await?;
                    continue;
                }
                () = sleep_until(ready_at.unwrap_or(first)), if ready_at.is_some() => {
                    let report = self.get_ready(cluster).await?;
                    tell(&say, &Up::Report(report)).await?;
                    continue;
                }
            };
            match inbox.take(message)? {
                Some(Down::Welcome(_)) => {
                    tell(&say, &Up::Leadership(leading())).await?;
                    tell(&say, &Up::Report(cluster.inventory())).await?;
                    // Nobody waits any more for one that comes again.
                    let _ = self.connected.send(()).await;
                }
                Some(Down::Targets(targets)) => {
                    for up in self.obey(&targets, cluster).await? {
                        tell(&say, &up).await?;
                    }
                }
                Some(
                    Down::Standby { .. }
                    | Down::Grant { .. }
                    | Down::Recall(_)
                    | Down::Summons(_)
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

    /// Does what it is told; says so, and what is there by then.
    async fn obey(&self, targets: &Targets, cluster: &mut Cluster) -> Result<[Up; 2]> {
        let now = Instant::now();
        cluster.reflects = targets.fence.generation;
        let (mut statuses, mut starting) = (Vec::new(), Vec::new());
        for row in &targets.workloads {
            self.happened(row.uid, row.replicas, What::Sent, now).await?;
            let held = cluster.held.entry(row.uid).or_insert_with(|| Held { row: row.clone(), ready: 0 });
            held.row = row.clone();
            let before = held.ready;
            held.ready = match self.ready_after {
                Duration::ZERO => row.replicas,
                _ => before.min(row.replicas),
            };
            if held.ready != before {
                self.happened(row.uid, held.ready, What::Ready, now).await?;
            }
            if held.ready < row.replicas {
                starting.push(row.uid);
            }
            statuses.push(held.status());
        }
        if !starting.is_empty() {
            cluster.starting.push_back((now + self.ready_after, starting));
        }
        let report = Report { reflects: cluster.reflects, statuses, ..Report::default() };
        Ok([Up::Accepted { fence: targets.fence, digest: targets.digest }, Up::Report(report)])
    }

    /// The time of the first ones that are starting has come.
    async fn get_ready(&self, cluster: &mut Cluster) -> Result<Report> {
        let mut statuses = Vec::new();
        let now = Instant::now();
        let (_, started) = cluster.starting.pop_front().unwrap_or((now, Vec::new()));
        for uid in started {
            let Some(held) = cluster.held.get_mut(&uid) else { continue };
            if held.ready != held.row.replicas {
                held.ready = held.row.replicas;
                self.happened(uid, held.ready, What::Ready, now).await?;
                statuses.push(held.status());
            }
        }
        Ok(Report { reflects: cluster.reflects, statuses, ..Report::default() })
    }

    async fn happened(&self, uid: Uid, replicas: u32, what: What, at: Instant) -> Result<()> {
        Ok(self.told.send(Told { cluster: self.index, uid, replicas, what, at }).await?)
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
            knows_overrides: true,
        }
    }
}

impl Cluster {
    /// All that is there, and room for everything.
    fn inventory(&self) -> Report {
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
        let statuses = self.held.values().map(Held::status).collect();
        Report { complete: true, capacity: Some(capacity), statuses, ..Report::default() }
    }
}

impl Held {
    fn status(&self) -> Status {
        let Self { row, ready } = self;
        Status {
            workload: row.workload.clone(),
            uid: row.uid,
            revision: row.revision,
            replicas: row.replicas,
            pods: row.replicas,
            bound: row.replicas,
            ready: *ready,
            unschedulable: 0,
            failing: 0,
            stranded: 0,
            updated: row.replicas,
            updated_ready: *ready,
            stalled: false,
            finished: None,
            terminating: 0,
            ready_for: Duration::ZERO,
            difference: None,
            supervised: 0,
            problem: "".into(),
            exists: true,
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
