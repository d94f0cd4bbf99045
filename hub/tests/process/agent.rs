//! An agent for tests: it holds rows in memory, and what it is told to run is ready at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use godwit_common::link::{
    Capacity, Down, Hello, LeaderTerm, Leadership, Region, Report, Status, Targets, Tombstoned, Up, VERSIONS,
    WorkloadTarget, rows_digest,
};
use godwit_common::{Digest, Fence, Generation, NodeClass, Resources, Term, Uid};
use godwit_proto::agent::{DownInbox, up_to_wire};
use godwit_proto::v1::agent_service_client::AgentServiceClient;
use godwit_proto::v1::{AttachRequest, AttachResponse};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::federation::{Federation, PATIENCE};

/// One session of one agent.
pub(crate) struct Agent {
    up: mpsc::Sender<AttachRequest>,
    down: Streaming<AttachResponse>,
    inbox: DownInbox,
    heartbeats: tokio::task::JoinHandle<()>,
    pub(crate) workloads: BTreeMap<Uid, WorkloadTarget>,
    pub(crate) objects: BTreeMap<Uid, godwit_common::link::ObjectTarget>,
    pub(crate) fence: Fence,
}

impl Agent {
    /// Opens a session and says nothing.
    pub(crate) async fn dial(federation: &Federation, cluster: &str) -> Result<Self, tonic::Status> {
        let connection = federation.connect(&federation.agent_files(cluster)).await;
        let (up, messages) = mpsc::channel(64);
        let mut client = AgentServiceClient::new(connection).max_decoding_message_size(usize::MAX);
        let down = client.attach(ReceiverStream::new(messages)).await?.into_inner();
        Ok(Self {
            up,
            down,
            inbox: DownInbox::default(),
            heartbeats: tokio::spawn(async {}),
            workloads: BTreeMap::new(),
            objects: BTreeMap::new(),
            fence: Fence::default(),
        })
    }

    /// Opens a session, leads, and brings an inventory with plenty of room.
    pub(crate) async fn attach(federation: &Federation, cluster: &str) -> Self {
        let mut agent = Self::dial(federation, cluster).await.expect("attached");
        agent.say(Up::Hello(hello(cluster))).await;
        let Down::Welcome(welcome) = agent.hear().await.expect("a welcome") else {
            panic!("no welcome");
        };
        agent.beat(welcome.heartbeat / 4);
        agent
            .say(Up::Leadership(Leadership::Leading {
                term: LeaderTerm { lease: Uid(7), transitions: Term(1) },
                fence: Fence::default(),
                base: Generation(0),
                digest: Digest(0),
            }))
            .await;
        agent
            .say(Up::Report(Report { complete: true, capacity: Some(capacity()), ..Report::default() }))
            .await;
        agent
    }

    fn beat(&mut self, every: Duration) {
        let up = self.up.clone();
        self.heartbeats = tokio::spawn(async move {
            let beats = std::iter::repeat_with(|| up_to_wire(&Up::Heartbeat)).flatten();
            for beat in beats {
                if up.send(beat).await.is_err() {
                    return;
                }
                tokio::time::sleep(every).await;
            }
        });
    }

    pub(crate) async fn say(&self, up: Up) {
        for part in up_to_wire(&up) {
            self.say_raw(part).await;
        }
    }

    pub(crate) async fn say_raw(&self, wire: AttachRequest) {
        // The hub may have ended the session: what it said tells why.
        let _ = self.up.send(wire).await;
    }

    /// Says that so many of its ten nodes are ready.
    pub(crate) async fn report_nodes_ready(&self, nodes_ready: u32) {
        let capacity = Capacity { nodes_ready, ..capacity() };
        self.say(Up::Report(Report { capacity: Some(capacity), ..Report::default() })).await;
    }

    /// The next message; none when the session is over.
    pub(crate) async fn hear(&mut self) -> Option<Down> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.down.message()).await.expect("the hub speaks");
            if let Some(down) = self.inbox.take(message.ok()??).expect("a valid message") {
                return Some(down);
            }
        }
    }

    /// Hears and obeys until the rows are as wanted.
    pub(crate) async fn run_until(&mut self, wanted: impl Fn(&Self) -> bool) {
        while !wanted(self) {
            self.run_once().await;
        }
    }

    /// Hears and obeys one message.
    pub(crate) async fn run_once(&mut self) {
        match self.hear().await {
            Some(Down::Targets(targets)) => self.obey(&targets).await,
            other => panic!("not targets but {other:?}"),
        }
    }

    /// How many replicas the workload of that name shall have.
    pub(crate) fn replicas(&self, name: &str) -> Option<u32> {
        let row = self.workloads.values().find(|row| &*row.workload.name == name)?;
        Some(row.replicas)
    }

    /// Goes on obeying in the background, until the hub ends the session; gives what ended it.
    pub(crate) fn keep_running(mut self) -> tokio::task::JoinHandle<Option<Down>> {
        tokio::spawn(async move {
            loop {
                match self.hear().await {
                    Some(Down::Targets(targets)) => self.obey(&targets).await,
                    other => return other,
                }
            }
        })
    }

    async fn obey(&mut self, targets: &Arc<Targets>) {
        if targets.base == Generation(0) {
            self.workloads.clear();
            self.objects.clear();
        }
        let mut removed = Vec::new();
        for ended in &targets.tombstones {
            let was = match ended.what {
                Tombstoned::Workload { .. } | Tombstoned::Scaled { .. } => {
                    self.workloads.remove(&ended.uid).is_some()
                }
                Tombstoned::Object(_) => self.objects.remove(&ended.uid).is_some(),
            };
            assert!(was, "the tombstone of what was never there");
            removed.push(ended.uid);
        }
        for row in &targets.objects {
            self.objects.insert(row.uid, row.clone());
        }
        for row in &targets.workloads {
            let known = self.workloads.get(&row.uid).and_then(|known| known.manifest.clone());
            let manifest = row.manifest.clone().or(known);
            assert!(manifest.is_some(), "a row without a manifest, which was never sent");
            self.workloads.insert(row.uid, WorkloadTarget { manifest, ..row.clone() });
        }
        self.fence = targets.fence;
        let digest = rows_digest(self.objects.values(), self.workloads.values());
        assert_eq!(digest, targets.digest, "the rows add up");
        self.say(Up::Accepted { fence: targets.fence, digest }).await;
        let statuses = targets.workloads.iter().map(status).collect();
        let report = Report {
            reflects: targets.fence.generation,
            statuses,
            removed,
            capacity: Some(capacity()),
            ..Report::default()
        };
        self.say(Up::Report(report)).await;
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.heartbeats.abort();
    }
}

pub(crate) fn hello(cluster: &str) -> Hello {
    Hello {
        versions: VERSIONS,
        build: "test".into(),
        instance: "agent-0".into(),
        zone: "".into(),
        cluster_uid: Uid(u128::from(godwit_common::stable_hash([cluster.as_bytes()]))),
        federation: None,
        highest_epoch: Default::default(),
        region: Region::default(),
        supervises: false,
        knows_overrides: true,
    }
}

fn capacity() -> Capacity {
    let free = Resources {
        cpu_millis: 64_000,
        memory_bytes: 256 << 30,
        ephemeral_bytes: 1 << 40,
        pods: 110,
        ..Resources::default()
    };
    Capacity {
        classes: vec![NodeClass { nodes: 10, free: free.clone(), ..NodeClass::default() }],
        allocatable: free,
        running_pods: 0,
        nodes: 10,
        nodes_ready: 10,
        ..Capacity::default()
    }
}

fn status(row: &WorkloadTarget) -> Status {
    let all = row.replicas;
    Status {
        workload: row.workload.clone(),
        uid: row.uid,
        revision: row.revision,
        replicas: all,
        pods: all,
        bound: all,
        ready: all,
        unschedulable: 0,
        failing: 0,
        stranded: 0,
        updated: row.replicas,
        updated_ready: row.replicas,
        stalled: false,
        finished: None,
        terminating: 0,
        ready_for: std::time::Duration::ZERO,
        supervised: 0,
        difference: None,
        problem: "".into(),
        exists: true,
    }
}
