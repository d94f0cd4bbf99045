//! A hub's machine that holds a whole fleet, every cluster connected.

use std::time::Duration;

use anyhow::{Result, ensure};
use godwit_common::link::{Capacity, Hello, LeaderTerm, Leadership, Region, Report, Status, Up, VERSIONS};
use godwit_common::policy::Rule;
use godwit_common::{
    ClusterName, Epoch, Fence, Generation, NodeClass, Now, PodShape, PolicyName, Resources, Term, Time, Uid,
    WallTime, WorkloadId,
};
use godwit_hub_core::{
    ClusterRecord, ClusterState, Config, Effect, Event, FederationRecord, Hub, Policy, Record, Revision,
    RevisionState, Seat, SessionId, WorkloadRecord, WorkloadSpec,
};
use godwit_planner::ClusterRoom;

use super::baseline::{Baseline, Lost, Place};

const FEDERATION: Uid = Uid(1);
const NOW: Now = Now { time: Time(1_000_000), wall: WallTime(1_000_000) };

/// The machine, and what it was made of.
pub(crate) struct Fleet {
    pub(crate) hub: Hub,
    workloads: usize,
    eligible: usize,
    clusters: Vec<ClusterName>,
}

impl Fleet {
    /// So many clusters and workloads; each workload has one replica in each of its eligible clusters, which are
    /// neighbours.
    pub(crate) fn new(clusters: usize, workloads: usize, eligible: usize) -> Result<Self> {
        let names: Vec<ClusterName> = (0..clusters).map(cluster_name).collect();
        let config = Config { policies: clusters.max(10_000), ..Config::default() };
        let records = records(&names, workloads, eligible);
        let hub = Hub::restore(config, 1, records, NOW, &mut Vec::new())?;
        let mut fleet = Self { hub, workloads, eligible, clusters: names };
        for index in 0..clusters {
            fleet.connect(index);
        }
        let ready =
            |name| fleet.hub.cluster(name).is_some_and(|cluster| cluster.state == ClusterState::Ready);
        ensure!(fleet.clusters.iter().all(ready), "the hub has turned a cluster away");
        Ok(fleet)
    }

    pub(crate) fn name(&self, index: usize) -> &ClusterName {
        &self.clusters[index]
    }

    /// The stream of a cluster ends, and with it the patience of all policies: the whole step in which what it holds goes
    /// elsewhere.
    pub(crate) fn lose(&mut self, index: usize) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.hub.step(NOW, Event::Closed { session: session(index), expired: false }, &mut effects);
        effects
    }

    /// The decision for the baseline: what is lost with a cluster, where else it runs, and all rooms.
    pub(crate) fn baseline(&self, cluster: usize) -> Baseline<'_> {
        let clusters = self.clusters.len();
        // Older workloads are served first.
        let mut held: Vec<usize> = held_by(cluster, clusters, self.workloads, self.eligible).collect();
        held.sort_unstable();
        let lost = held.into_iter().map(|number| Lost {
            id: id(number),
            pod: pod(),
            others: eligible_for(number, clusters, self.eligible).filter(|other| *other != cluster).collect(),
        });
        let room = || {
            let Capacity { classes, mixed_labels, .. } = capacity();
            ClusterRoom::new(classes, mixed_labels)
        };
        let places = self.clusters.iter().map(|name| Place { name, room: room() });
        Baseline { lost: lost.collect(), places: places.collect() }
    }

    /// The agent of a cluster connects, leads, and says that everything runs and as much again has room.
    fn connect(&mut self, index: usize) {
        let session = session(index);
        let cluster = self.clusters[index].clone();
        self.step(Event::Opened { session, cluster, hello: hello(index) });
        let fence = Fence { federation: FEDERATION, epoch: Epoch(1), generation: Generation(1) };
        let term = LeaderTerm { lease: Uid(7), transitions: Term(1) };
        let leading = Leadership::Leading { term, fence, base: Generation(0), digest: Default::default() };
        self.step(Event::Message { session, message: Up::Leadership(leading) });
        let held = held_by(index, self.clusters.len(), self.workloads, self.eligible);
        let report = Report {
            complete: true,
            reflects: Generation(1),
            statuses: held.map(status).collect(),
            capacity: Some(capacity()),
            ..Report::default()
        };
        self.step(Event::Message { session, message: Up::Report(report) });
    }

    fn step(&mut self, event: Event) {
        self.hub.step(NOW, event, &mut Vec::new());
        // Views are not looked at here.
        self.hub.changes();
    }
}

fn cluster_name(index: usize) -> ClusterName {
    format!("cluster-{index:04}").parse().expect("an RFC 1123 label")
}

fn session(index: usize) -> SessionId {
    SessionId(index as u64 + 1)
}

fn policy_name(first: usize) -> PolicyName {
    format!("from-{first:04}").parse().expect("an RFC 1123 label")
}

/// The first eligible cluster of a workload.
fn first_of(workload: usize, clusters: usize) -> usize {
    workload % clusters
}

/// The clusters that a workload may run in, and does.
fn eligible_for(workload: usize, clusters: usize, eligible: usize) -> impl Iterator<Item = usize> {
    (0..eligible).map(move |next| (first_of(workload, clusters) + next) % clusters)
}

/// The workloads that a cluster holds: those that begin there, or so few clusters before it.
fn held_by(
    cluster: usize,
    clusters: usize,
    workloads: usize,
    eligible: usize,
) -> impl Iterator<Item = usize> {
    let begins = move |back| (cluster + clusters - back) % clusters;
    (0..eligible).flat_map(move |back| (begins(back)..workloads).step_by(clusters))
}

fn records(names: &[ClusterName], workloads: usize, eligible: usize) -> impl Iterator<Item = Record> {
    let clusters = names.len();
    let federation = FederationRecord {
        uid: FEDERATION,
        epoch: Epoch(1),
        next_workload: workloads as u64 + 1,
        next_migration: 1,
        next_entry: 1,
        freeze: None,
        longest_lease: Duration::ZERO,
        recovery: None,
    };
    let members = names.iter().enumerate().map(|(index, name)| Record::Cluster(member(index, name)));
    let policies = (0..clusters).map(move |first| Record::Policy(policy(names, first, eligible)));
    let described = (0..workloads).map(move |number| Record::Workload(workload(number, clusters, eligible)));
    let revisions = (0..workloads).map(move |number| Record::Revision(revision(number, eligible).into()));
    let seats = (0..workloads).flat_map(move |number| {
        eligible_for(number, clusters, eligible).map(move |index| Record::Seat {
            workload: uid(number),
            cluster: names[index].clone(),
            seat: Seat {
                placed: 1,
                target: 1,
                revision: 1,
                rolling: false,
                may_run: 1,
                supervised: false,
                generation: Generation(1),
                manifest_generation: Generation(1),
                given_up: 0,
                cause: None,
                ordinals: None,
                shown: false,
                adopts: None,
            },
        })
    });
    std::iter::once(Record::Federation(federation))
        .chain(members)
        .chain(policies)
        .chain(described)
        .chain(revisions)
        .chain(seats)
}

fn member(index: usize, name: &ClusterName) -> ClusterRecord {
    ClusterRecord {
        name: name.clone(),
        uid: Uid(1_000_000_000 + index as u128),
        generation: Generation(1),
        joined: WallTime(0),
        inventoried: true,
        traits: Default::default(),
        taints: Vec::new(),
        cordoned: false,
        drain: None,
        maintenance: None,
        awaited: None,
        dead: None,
        knows_overrides: true,
    }
}

fn policy(names: &[ClusterName], first: usize, eligible: usize) -> Policy {
    let chosen = (0..eligible).map(|next| (names[(first + next) % names.len()].clone(), Rule::default()));
    let placement = godwit_common::policy::Policy { clusters: chosen.collect(), ..Default::default() };
    Policy { name: policy_name(first), placement, lost_after: Duration::ZERO }
}

fn spec(number: usize, eligible: usize) -> WorkloadSpec {
    WorkloadSpec {
        id: id(number),
        api_version: "apps/v1".into(),
        replicas: eligible as u32,
        policy: None,
        labels: Default::default(),
        needs: Vec::new(),
        pod: pod(),
        claims: false,
        surges: false,
        obstacle: None,
        grace: Duration::from_secs(30),
        supervised: false,
        scale_only: false,
        manifest: "".into(),
        overrides: Default::default(),
    }
}

fn revision(number: usize, eligible: usize) -> Revision {
    // A manifest is shared with nobody, and counts; this one is as short as one can be.
    let spec = WorkloadSpec { manifest: "{}".into(), ..spec(number, eligible) };
    Revision {
        workload: uid(number),
        number: 1,
        spec,
        objects: Default::default(),
        created: WallTime(0),
        by: "bench".into(),
    }
}

fn workload(number: usize, clusters: usize, eligible: usize) -> WorkloadRecord {
    let spec = spec(number, eligible);
    WorkloadRecord {
        uid: uid(number),
        number: number as u64 + 1,
        created: WallTime(0),
        policy: policy_name(first_of(number, clusters)),
        revision: 1,
        history: [(1, RevisionState::Proven)].into(),
        rollout: None,
        objects: Default::default(),
        leaving: Default::default(),
        wanted: spec.replicas,
        withheld: 0,
        pending: 0,
        pending_reasons: Vec::new(),
        leader: None,
        yielded: Default::default(),
        displaced: Default::default(),
        chartered: Default::default(),
        finished: None,
        spec,
    }
}

fn pod() -> PodShape {
    let requests = Resources { cpu_millis: 100, memory_bytes: 64 << 20, pods: 1, ..Resources::default() };
    PodShape { requests, ..PodShape::default() }
}

fn uid(number: usize) -> Uid {
    Uid(number as u128 + 1)
}

fn id(number: usize) -> WorkloadId {
    WorkloadId::new("shop", "Deployment", &format!("web-{number:07}")).expect("valid names")
}

fn hello(index: usize) -> Hello {
    Hello {
        versions: VERSIONS,
        build: "bench".into(),
        instance: "agent".into(),
        zone: "".into(),
        cluster_uid: Uid(1_000_000_000 + index as u128),
        federation: Some(FEDERATION),
        highest_epoch: Epoch(1),
        region: Region::default(),
        supervises: false,
        knows_overrides: true,
    }
}

fn status(number: usize) -> Status {
    Status {
        workload: id(number),
        uid: uid(number),
        revision: 1,
        replicas: 1,
        pods: 1,
        bound: 1,
        ready: 1,
        unschedulable: 0,
        failing: 0,
        stranded: 0,
        updated: 1,
        updated_ready: 1,
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

/// Ten kinds of nodes, with room for far more than a neighbour can lose.
fn capacity() -> Capacity {
    let class = |number: u64| NodeClass {
        labels: [("kind".into(), number.to_string().into())].into(),
        nodes: 100,
        free: Resources {
            cpu_millis: 4_000 + number * 100,
            memory_bytes: 8 << 30,
            pods: 50,
            ..Resources::default()
        },
        ..NodeClass::default()
    };
    Capacity {
        classes: (0..10).map(class).collect(),
        running_pods: 8_000,
        nodes: 1_000,
        nodes_ready: 1_000,
        ..Capacity::default()
    }
}
