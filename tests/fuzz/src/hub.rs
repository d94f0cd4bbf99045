//! What the hub's machine is given: by its store, and by agents that may say anything.

use std::time::Duration;

use godwit_common::link::{Capacity, Hello, LeaderTerm, Leadership, Region, Report, Up, VERSIONS};
use godwit_common::{
    ClusterName, Epoch, Fence, Generation, NodeClass, Now, ObjectKey, PodShape, Resources, Term, Time, Uid,
    WallTime, WorkloadId,
};
use godwit_hub::store::codec;
use godwit_hub_core::{
    Application, Command, Config, Deploy, Event, Hub, ObjectSpec, Policy, PolicyChoice, SessionId, Subject,
    Ticket, WorkloadSpec,
};
use godwit_proto::agent::UpInbox;
use godwit_proto::v1;
use prost::Message;

use crate::pieces::pieces;

/// The clusters of the fuzzed federation; each has one session, of its number.
const CLUSTERS: u64 = 2;

/// Records of a store: each is refused, or encoded again as the same. Together they are refused, or a hub begins with them
/// that goes on deciding.
pub fn records(data: &[u8]) {
    let mut records = Vec::new();
    for (_, piece) in pieces(data) {
        // A row is kept under the key that the record itself says; whatever stands before the first zero is the key here.
        let Some(end) = piece.iter().position(|byte| *byte == 0) else { continue };
        let Ok(key) = std::str::from_utf8(&piece[..end]) else { continue };
        let Ok(record) = codec::decode(key, &piece[end + 1..]) else { continue };
        assert_eq!(codec::decode(key, &codec::encode(&record)).as_ref(), Ok(&record));
        records.push(record);
    }
    let mut effects = Vec::new();
    let Ok(mut hub) = Hub::restore(Config::default(), 1, records, now(0), &mut effects) else { return };
    for tick in 1..20 {
        hub.step(now(tick * 5_000), Event::Tick, &mut effects);
        look(&mut hub);
    }
}

/// Agents of two clusters say anything, to a hub that has two workloads there. The tag of a piece says whose message it is,
/// or that time passes.
pub fn hub_hears(data: &[u8]) {
    let mut world = World::begin();
    let mut inboxes: [UpInbox; CLUSTERS as usize] = Default::default();
    for (tag, piece) in pieces(data) {
        let session = u64::from(tag) % (CLUSTERS + 1);
        if session == CLUSTERS {
            world.time += 100 * u64::from(tag);
            world.step(Event::Tick);
            continue;
        }
        let Ok(request) = v1::AttachRequest::decode(piece) else { continue };
        // A session that says what cannot be ends, as one that is closed does.
        match inboxes[session as usize].take(request) {
            Ok(Some(message)) => world.step(Event::Message { session: SessionId(session), message }),
            Ok(None) => {}
            Err(_) => return,
        }
    }
    for _ in 0..10 {
        world.time += 5_000;
        world.step(Event::Tick);
    }
}

/// A hub's machine whose clusters are connected and ready.
struct World {
    hub: Hub,
    time: u64,
}

impl World {
    fn begin() -> Self {
        let hub =
            Hub::restore(Config::default(), 1, [], now(0), &mut Vec::new()).expect("an empty store is one");
        let mut world = Self { hub, time: 0 };
        for index in 0..CLUSTERS {
            let (session, cluster) = (SessionId(index), cluster(index));
            world.step(Event::Opened { session, cluster, hello: hello(index) });
            let fence = Fence { federation: Uid(0), epoch: Epoch(0), generation: Generation(0) };
            let term = LeaderTerm { lease: Uid(7), transitions: Term(1) };
            let leading =
                Leadership::Leading { term, fence, base: Generation(0), digest: Default::default() };
            world.step(Event::Message { session, message: Up::Leadership(leading) });
            let report = Report { complete: true, capacity: Some(capacity()), ..Report::default() };
            world.step(Event::Message { session, message: Up::Report(report) });
        }
        let policy = Policy {
            name: "default".parse().expect("a name"),
            placement: Default::default(),
            lost_after: Duration::from_secs(10),
        };
        world.command(Command::ApplyPolicy(policy));
        let workloads = ["web", "api"].map(spec).into();
        let key = ObjectKey::new("v1", "ConfigMap", "shop", "web").expect("a key");
        let objects = vec![ObjectSpec { key, manifest: "{}".into() }];
        let application = Application { workloads, objects };
        let policy = PolicyChoice::Named("default".parse().expect("a name"));
        world.command(Command::Deploy(Deploy {
            request_id: "".into(),
            fingerprint: 0,
            application,
            policy,
            import: None,
        }));
        world
    }

    fn command(&mut self, command: Command) {
        self.step(Event::Command { ticket: Ticket(1), by: "fuzz".into(), command });
    }

    fn step(&mut self, event: Event) {
        self.hub.step(now(self.time), event, &mut Vec::new());
        look(&mut self.hub);
    }
}

/// What the page and the admin API would show.
fn look(hub: &mut Hub) {
    hub.federation();
    for subject in hub.changes() {
        match subject {
            Subject::Workload(uid) => drop(hub.workload(uid)),
            Subject::Cluster(name) => drop(hub.cluster(&name)),
            Subject::Policy(name) => drop(hub.policy(&name)),
            Subject::Federation | Subject::Migration(_) | Subject::Quota(_) => {}
        }
    }
}

fn now(milliseconds: u64) -> Now {
    Now { time: Time(1_000 + milliseconds), wall: WallTime(1_000 + milliseconds) }
}

fn cluster(index: u64) -> ClusterName {
    format!("c{index}").parse().expect("a name")
}

fn spec(name: &str) -> WorkloadSpec {
    let requests = Resources { cpu_millis: 100, pods: 1, ..Resources::default() };
    WorkloadSpec {
        id: WorkloadId::new("shop", "Deployment", name).expect("an identity"),
        api_version: "apps/v1".into(),
        replicas: 6,
        policy: None,
        labels: Default::default(),
        needs: Vec::new(),
        pod: PodShape { requests, ..PodShape::default() },
        claims: false,
        surges: false,
        obstacle: None,
        grace: Duration::from_secs(30),
        supervised: false,
        scale_only: false,
        manifest: "{}".into(),
        overrides: Default::default(),
    }
}

fn hello(index: u64) -> Hello {
    Hello {
        versions: VERSIONS,
        build: "fuzz".into(),
        knows_overrides: true,
        instance: "agent".into(),
        zone: "".into(),
        cluster_uid: Uid(u128::from(index) + 1),
        federation: None,
        highest_epoch: Epoch(0),
        region: Region::default(),
        supervises: true,
    }
}

fn capacity() -> Capacity {
    let free = Resources { cpu_millis: 4_000, memory_bytes: 8 << 30, pods: 50, ..Resources::default() };
    Capacity {
        classes: vec![NodeClass { nodes: 3, free, ..NodeClass::default() }],
        nodes: 3,
        ..Capacity::default()
    }
}
