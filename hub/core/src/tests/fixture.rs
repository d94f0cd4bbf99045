//! A federation in a box: the machine, a store, and members that do at once what they are told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use godwit_common::bounds::{Bounded, Bounds, Totals};
use godwit_common::link::{
    Capacity, Difference, Down, Edit, Finished, Hello, LeaderTerm, Leadership, ObjectTarget, Recalled,
    RecalledObject, Region, Report, Status, Targets, Unmanaged, Up, VERSIONS, WorkloadTarget,
};
use godwit_common::policy::Rule;
use godwit_common::{
    ClusterName, Digest, Epoch, Fence, Generation, NodeClass, Now, ObjectKey, PolicyName, Resources, Term,
    Time, Uid, WallTime, WorkloadId, WorkloadKind,
};
use godwit_common::{Need, NeedStatus, PodShape, stable_hash};

use crate::{
    Answer, Application, ClusterState, Command, Config, Deploy, Effect, Event, Hub, JournalEntry, Key,
    ObjectSpec, Policy, PolicyChoice, Reader, Record, Refused, SessionId, Ticket, WorkloadSpec, WorkloadView,
};

/// The kind of what scales a workload in a cluster.
const AUTOSCALER: &str = "HorizontalPodAutoscaler";
/// What makes a manifest one whose pods do not get ready.
pub(crate) const BAD: &str = "no-such-image";

/// A member cluster and its one agent.
#[derive(Debug, Default)]
pub(crate) struct Member {
    pub(crate) session: Option<SessionId>,
    /// It does not tell what it holds.
    pub(crate) reticent: bool,
    pub(crate) fence: Fence,
    pub(crate) rows: BTreeMap<Uid, WorkloadTarget>,
    pub(crate) objects: BTreeMap<Uid, ObjectTarget>,
    /// Whether new pods become ready.
    pub(crate) ready: bool,
    /// Pods of one core that fit, used ones included.
    pub(crate) cores: u32,
    /// Nodes that are not ready, of ten.
    pub(crate) broken: u32,
    /// What its workloads have been said to need, and what of it is not there.
    pub(crate) needs: BTreeSet<Need>,
    pub(crate) lacks: BTreeSet<Need>,
    /// What it says nothing about.
    pub(crate) mute: BTreeSet<Need>,
    pub(crate) zones: BTreeSet<std::sync::Arc<str>>,
    /// What is gone there since the last report.
    pub(crate) removed: Vec<Uid>,
    /// How many copies of each workload are not ready.
    pub(crate) unready: u32,
    /// For how long those have been ready that are.
    pub(crate) ready_for: Duration,
    /// No pods can be made there.
    pub(crate) podless: bool,
    /// What runs there that nobody here manages.
    pub(crate) unmanaged: Unmanaged,
    /// Its identity, if it is not the usual one of its name.
    pub(crate) uid: Option<Uid>,
    /// Its scheduler finds a node for no more than so many copies of each workload, whatever is free.
    pub(crate) schedules: Option<u32>,
    /// How many copies of each workload fail by themselves, and how many by the fault of their nodes.
    pub(crate) failing: u32,
    pub(crate) stranded: u32,
    /// Its controllers say so when a revision makes no progress.
    pub(crate) gives_up: bool,
    /// Its agent puts supervisors into pods, and says what it has accepted.
    pub(crate) supervises: bool,
    /// Its agent is of a release that knows no overrides.
    pub(crate) older: bool,
    /// The renewals of its lease that were answered, by number.
    pub(crate) granted: Vec<u64>,
    /// What somebody has made of a workload there: a number of copies, or that it is gone. It stays until the row says
    /// something else, where that is tolerated (S29).
    pub(crate) by_hand: BTreeMap<Uid, Option<u32>>,
    /// Fields that somebody has changed there by hand and that are left so: what the next reports say of each row.
    pub(crate) edits: BTreeMap<Uid, &'static str>,
    /// How the Jobs that it runs end, at once.
    pub(crate) ends: Option<Finished>,
}

/// The machine and everything around it.
pub(crate) struct Fixture {
    pub(crate) hub: Hub,
    pub(crate) config: Config,
    /// Who commands.
    pub(crate) operator: Arc<str>,
    pub(crate) now: Time,
    pub(crate) store: BTreeMap<Key, Record>,
    pub(crate) members: BTreeMap<ClusterName, Member>,
    pub(crate) journal: Vec<JournalEntry>,
    /// Every session that was told to stand by, and for how long.
    pub(crate) waits: Vec<(SessionId, Duration)>,
    /// Who was called, and through which session.
    pub(crate) summoned: Vec<(SessionId, Vec<String>)>,
    /// Every target that was sent, in order: (cluster, workload, replicas).
    pub(crate) sent: Vec<(ClusterName, Uid, u32)>,
    answers: BTreeMap<Ticket, Result<Answer, Refused>>,
    next: u64,
}

pub(crate) fn cluster(name: &str) -> ClusterName {
    name.parse().expect("a valid cluster name")
}

pub(crate) fn web() -> WorkloadId {
    WorkloadId::new("default", "Deployment", "web").expect("a valid identity")
}

/// A Deployment of the namespace `default`.
pub(crate) fn deployment_id(name: &str) -> WorkloadId {
    WorkloadId::new("default", "Deployment", name).expect("a valid identity")
}

pub(crate) fn policy(name: &str, weights: &[(&str, u32)]) -> Policy {
    let rule = |weight| Rule::new(weight, 0, None).expect("a valid rule");
    let clusters = weights.iter().map(|(name, weight)| (cluster(name), rule(*weight))).collect();
    let placement = godwit_common::policy::Policy { clusters, ..Default::default() };
    let name: PolicyName = name.parse().expect("a valid policy name");
    Policy { name, placement, lost_after: Duration::from_secs(10) }
}

pub(crate) fn spec(id: WorkloadId, replicas: u32) -> WorkloadSpec {
    let requests = Resources { cpu_millis: 1000, pods: 1, ..Resources::default() };
    let pod = PodShape { requests, ..PodShape::default() };
    let claims = &*id.kind == "StatefulSet";
    let manifest = format!("{{\"name\":{:?}}}", &*id.name).into();
    let api_version = "apps/v1".into();
    let (labels, needs) = (Default::default(), Vec::new());
    WorkloadSpec {
        id,
        api_version,
        replicas,
        policy: None,
        labels,
        needs,
        pod,
        claims,
        surges: false,
        obstacle: None,
        grace: Duration::from_secs(30),
        supervised: false,
        scale_only: false,
        manifest,
        overrides: Default::default(),
    }
}

fn edit(uid: Uid, fields: &str) -> Edit {
    Edit { uid, fields: fields.into() }
}

/// The bounds in the manifest of [`autoscaler`].
fn totals(key: &ObjectKey, manifest: &str) -> Option<Totals> {
    if &*key.kind != AUTOSCALER {
        return None;
    }
    let (min, max) = manifest.split_once('/').expect("bounds");
    let bounds = Bounds { min: min.parse().ok(), max: max.parse().ok() };
    Some(Totals { bounds, of: Bounded::Scaled(deployment_id(&key.name)) })
}

/// What was deployed, of the manifests of [`spec`].
fn read(key: &ObjectKey, _: &std::sync::Arc<str>, _: &[std::sync::Arc<str>]) -> Result<WorkloadSpec, String> {
    let (namespace, kind, name) = (key.namespace.clone(), key.kind.clone(), key.name.clone());
    Ok(spec(WorkloadId { namespace, kind, name }, 0))
}

impl Fixture {
    /// A federation of connected clusters, each with room for so many pods.
    pub(crate) fn new(clusters: &[(&str, u32)]) -> Self {
        let overrides = |_: &ObjectKey, _: &str, text: &str| match text.contains("bad") {
            true => Err("it cannot be carried out".to_owned()),
            false => Ok(()),
        };
        let reader = Reader { totals, overrides, ..Reader::of_workloads(read) };
        let config = Config { reader, ..Config::default() };
        let now = Time(1_000_000);
        let mut effects = Vec::new();
        let hub = Hub::restore(config.clone(), 7, [], at(now), &mut effects).expect("an empty store fits");
        let mut fixture = Self {
            hub,
            config,
            operator: "ann".into(),
            now,
            store: BTreeMap::new(),
            members: BTreeMap::new(),
            journal: Vec::new(),
            waits: Vec::new(),
            summoned: Vec::new(),
            sent: Vec::new(),
            answers: BTreeMap::new(),
            next: 0,
        };
        fixture.carry_out(effects);
        for (name, cores) in clusters {
            fixture.add_member(name, *cores);
            fixture.connect(name);
        }
        fixture
    }

    /// Another cluster, which has not been heard of yet.
    pub(crate) fn add_member(&mut self, name: &str, cores: u32) {
        self.members.insert(cluster(name), Member { ready: true, cores, ..Member::default() });
    }

    /// The hub dies and starts again from its store; all sessions are gone.
    pub(crate) fn restart(&mut self) {
        let records: Vec<Record> = self.store.values().cloned().collect();
        let mut effects = Vec::new();
        self.next += 1;
        let restored = Hub::restore(self.config.clone(), self.next, records, at(self.now), &mut effects);
        self.hub = restored.expect("the store fits");
        self.members.values_mut().for_each(|member| member.session = None);
        self.carry_out(effects);
    }

    /// An agent connects, leads, and brings its inventory.
    pub(crate) fn connect(&mut self, name: &str) -> SessionId {
        let session = self.open(name);
        self.lead(name);
        session
    }

    /// A cluster's usual agent opens a session.
    pub(crate) fn open(&mut self, name: &str) -> SessionId {
        self.open_as(name, "agent")
    }

    /// One of a cluster's agents opens a session, and from now on speaks for it here.
    pub(crate) fn open_as(&mut self, name: &str, instance: &str) -> SessionId {
        self.open_in(name, instance, "")
    }

    /// The same, on a node in a zone.
    pub(crate) fn open_in(&mut self, name: &str, instance: &str, zone: &str) -> SessionId {
        self.next += 1;
        let session = SessionId(self.next);
        let member = self.members.get_mut(&cluster(name)).expect("a member");
        member.session = Some(session);
        let federation = (member.fence.federation != Uid(0)).then_some(member.fence.federation);
        let hello = Hello {
            versions: VERSIONS,
            build: "test".into(),
            instance: instance.into(),
            zone: zone.into(),
            cluster_uid: member.uid.unwrap_or(Uid(stable_hash([name.as_bytes()]).into())),
            federation,
            highest_epoch: member.fence.epoch,
            region: Region::default(),
            supervises: member.supervises,
            knows_overrides: !member.older,
        };
        self.step(Event::Opened { session, cluster: cluster(name), hello });
        session
    }

    /// The agent of a cluster begins to lead and brings its inventory.
    pub(crate) fn lead(&mut self, name: &str) {
        self.begin_to_lead(name);
        self.report(name, true);
    }

    /// The same, when the inventory shows the effects of targets up to this generation only.
    pub(crate) fn lead_reflecting(&mut self, name: &str, generation: u64) {
        self.begin_to_lead(name);
        let fence = self.members.get_mut(&cluster(name)).expect("a member").fence;
        self.members.get_mut(&cluster(name)).expect("a member").fence.generation = Generation(generation);
        self.report(name, true);
        self.members.get_mut(&cluster(name)).expect("a member").fence = fence;
    }

    pub(crate) fn begin_to_lead(&mut self, name: &str) {
        let member = self.members.get(&cluster(name)).expect("a member");
        let term = LeaderTerm { lease: Uid(1), transitions: Term(1) };
        let mut digest = Digest::default();
        member.rows.values().for_each(|row| digest += row.hash());
        let base = if member.objects.is_empty() { member.fence.generation } else { Generation(0) };
        let leading = Leadership::Leading { term, fence: member.fence, base, digest };
        self.say(name, Up::Leadership(leading));
    }

    pub(crate) fn disconnect(&mut self, name: &str) {
        let session = self.members.get_mut(&cluster(name)).and_then(|member| member.session.take());
        if let Some(session) = session {
            self.step(Event::Closed { session, expired: false });
        }
    }

    pub(crate) fn say(&mut self, name: &str, message: Up) {
        if let Some(session) = self.members.get(&cluster(name)).and_then(|member| member.session) {
            self.step(Event::Message { session, message });
        }
    }

    /// The member does what it was told, and says so.
    pub(crate) fn report(&mut self, name: &str, complete: bool) {
        let member = self.members.get_mut(&cluster(name)).expect("a member");
        let statuses = member.rows.values().map(|row| {
            let seen = status(row, member.ready && !member.podless);
            if let Some(seen) = member.as_its_kind(row, &seen) {
                return seen;
            }
            let pods = if member.podless { 0 } else { seen.pods };
            let bound = member.schedules.map_or(pods, |most| most.min(pods));
            let sick = member.unready + member.failing + member.stranded;
            let ready = seen.ready.min(bound.saturating_sub(sick));
            let seen = Status {
                pods,
                bound,
                unschedulable: pods - bound,
                ready,
                updated_ready: seen.updated_ready.min(ready),
                failing: member.failing.min(bound),
                stranded: member.stranded.min(bound),
                ready_for: member.ready_for,
                ..seen
            };
            let seen = member.by_hand.get(&row.uid).map_or(seen.clone(), |hand| changed(seen, row, *hand));
            match row.manifest.as_deref().is_some_and(|manifest| manifest.contains(BAD)) {
                // One new copy does not get ready, and the old ones run on.
                true => Status {
                    updated: row.replicas.min(1),
                    updated_ready: 0,
                    stalled: member.gives_up,
                    ..seen
                },
                false => seen,
            }
        });
        let statuses: Vec<Status> = statuses.collect();
        let told = member.rows.values().map(|row| row.replicas);
        let used: u32 = told.map(|told| member.schedules.map_or(told, |most| most.min(told))).sum();
        let free = member.cores.saturating_sub(used);
        let class = NodeClass {
            nodes: free,
            free: Resources { cpu_millis: 1000, pods: 1, ..Resources::default() },
            ..NodeClass::default()
        };
        let capacity = Capacity {
            classes: vec![class],
            allocatable: Resources {
                cpu_millis: u64::from(member.cores) * 1000,
                pods: member.cores.into(),
                ..Resources::default()
            },
            running_pods: used,
            zones: member.zones.clone(),
            nodes: 10,
            nodes_ready: 10 - member.broken,
            unmanaged: member.unmanaged.clone(),
            ..Capacity::default()
        };
        let report = Report {
            complete,
            reflects: member.fence.generation,
            statuses,
            removed: std::mem::take(&mut member.removed),
            capacity: Some(capacity),
            needs: member.needs.difference(&member.mute).map(|need| member.status_of(need)).collect(),
            edits: member.edits.iter().map(|(uid, fields)| edit(*uid, fields)).collect(),
        };
        let accepted = member.supervises.then_some(member.fence);
        self.say(name, Up::Report(report));
        if let Some(fence) = accepted.filter(|fence| fence.federation != Uid(0)) {
            self.say(name, Up::Accepted { fence, digest: Digest::default() });
        }
    }

    /// Lets time pass: heartbeats, reports of what was done, and ticks.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.now = self.now + Duration::from_millis(500);
            let connected: Vec<ClusterName> = self.connected();
            for name in connected {
                self.report(name.as_str(), false);
            }
            self.step(Event::Tick);
        }
    }

    /// Lets time pass with heartbeats only: nobody reports anything.
    pub(crate) fn pass_silently(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.now = self.now + Duration::from_millis(500);
            for name in self.connected() {
                self.say(name.as_str(), Up::Heartbeat);
            }
            self.step(Event::Tick);
        }
    }

    fn connected(&self) -> Vec<ClusterName> {
        self.members
            .iter()
            .filter(|(_, member)| member.session.is_some())
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Every command is rehearsed first: both answer the same (S30).
    pub(crate) fn command(&mut self, command: Command) -> Result<Answer, Refused> {
        let marked = matches!(&command, Command::Deploy(deploy) if !deploy.request_id.is_empty());
        let rehearsed = self.rehearse(command.clone());
        self.next += 1;
        let ticket = Ticket(self.next);
        self.step(Event::Command { ticket, by: self.operator.clone(), command });
        let real = self.answers.remove(&ticket).expect("every command is answered in its step");
        assert!(marked || rehearsed == real, "foreseen {rehearsed:#?}, but it came to {real:#?}");
        real
    }

    /// What a command would come to.
    pub(crate) fn rehearse(&self, command: Command) -> Result<Answer, Refused> {
        self.hub.rehearse(at(self.now), self.operator.clone(), command)
    }

    pub(crate) fn deploy(&mut self, spec: WorkloadSpec, policy: PolicyChoice) -> Result<Answer, Refused> {
        let application = Application { workloads: vec![spec], objects: Vec::new() };
        self.command(Command::Deploy(deployment(application, policy)))
    }

    /// Deploys `web` by weights.
    pub(crate) fn deploy_web(&mut self, replicas: u32, weights: &[(&str, u32)]) {
        let choice = PolicyChoice::Inline(policy("weighted", weights));
        self.deploy(spec(web(), replicas), choice).expect("a good deployment");
    }

    pub(crate) fn step(&mut self, event: Event) {
        let mut effects = Vec::new();
        self.hub.step(at(self.now), event, &mut effects);
        self.carry_out(effects);
        self.check();
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        let mut spoken = false;
        for effect in effects {
            match effect {
                Effect::Put(record) => {
                    assert!(!spoken, "a record after something was said: {record:?}");
                    if let Record::Journal(entry) = &record {
                        self.journal.push(entry.clone());
                    }
                    self.store.insert(record.key(), record);
                }
                Effect::Delete(key) => {
                    assert!(!spoken, "a record after something was said: {key:?}");
                    self.store.remove(&key);
                }
                Effect::Send { session, message } => {
                    spoken = true;
                    if let Down::Summons(summons) = &message {
                        self.summoned
                            .push((session, summons.agents.iter().map(ToString::to_string).collect()));
                    }
                    if let Down::Standby { retry_after } = message {
                        self.waits.push((session, retry_after));
                    }
                    self.receive(session, message);
                }
                Effect::Close { session } => {
                    spoken = true;
                    self.members.values_mut().filter(|member| member.session == Some(session)).for_each(
                        |member| {
                            member.session = None;
                        },
                    );
                }
                Effect::Answer { ticket, answer } => {
                    spoken = true;
                    self.answers.insert(ticket, answer);
                }
            }
        }
    }

    fn receive(&mut self, session: SessionId, message: Down) {
        let found = self.members.iter_mut().find(|(_, member)| member.session == Some(session));
        let Some((name, member)) = found else { return };
        if let Down::Grant { number, .. } = message {
            member.granted.push(number);
        }
        let targets = match message {
            Down::Targets(targets) => targets,
            Down::Recall(known) => {
                let name = name.clone();
                let told = if member.reticent { Vec::new() } else { member.tell(&known) };
                told.into_iter().for_each(|told| self.say(name.as_str(), Up::Recalled(told)));
                return;
            }
            _ => return,
        };
        for row in &targets.workloads {
            self.sent.push((name.clone(), row.uid, row.replicas));
        }
        member.accept(&targets);
    }

    /// I1, after every step; and what is kept in step is what a recount finds.
    fn check(&self) {
        for (name, cluster) in self.hub.clusters.iter() {
            let mut recount = crate::tally::Tally::default();
            let seats = self.hub.workloads.values().filter_map(|workload| workload.seats.get(name));
            seats.for_each(|seat| recount.change(Default::default(), seat.share));
            assert_eq!(cluster.tally, recount, "the tally of {name}");
        }
        for workload in self.hub.workloads.values() {
            for (name, seat) in &workload.seats {
                let (target, placed) = (seat.seat.target, seat.seat.placed);
                assert_eq!(workload.below.contains(name), target < placed, "{name} of {}", workload.id());
                assert_eq!(workload.above.contains(name), target > placed, "{name} of {}", workload.id());
                let (rolling, behind) = (seat.seat.rolling, seat.seat.revision != workload.record.revision);
                assert_eq!(workload.rolling.contains(name), rolling, "{name} of {}", workload.id());
                assert_eq!(workload.behind.contains(name), behind, "{name} of {}", workload.id());
                assert!(workload.revisions.contains_key(&seat.seat.revision), "{name} of {}", workload.id());
            }
        }
        let mut recount = self.hub.clone();
        recount.relate_displaced();
        assert_eq!(*self.hub.displaced, *recount.displaced, "what was displaced, by cluster");
        for (namespace, quota) in &self.hub.quotas {
            let mut used = godwit_common::quota::Usage::default();
            for workload in self.hub.workloads.values().filter(|one| one.id().namespace == *namespace) {
                used.add(&workload.shape().requests, workload.placed().into());
            }
            assert_eq!(quota.used, used, "the usage of {namespace}");
        }
        for view in self.views() {
            let placed: u32 = view.placements.iter().map(|placement| placement.target).sum();
            assert_eq!(placed + view.pending, view.wanted, "I1: {view:?}");
        }
    }

    pub(crate) fn views(&self) -> Vec<WorkloadView> {
        let uids = self.store.keys().filter_map(|key| match key {
            Key::Workload(uid) => Some(*uid),
            _ => None,
        });
        uids.filter_map(|uid| self.hub.workload(uid)).collect()
    }

    pub(crate) fn web(&self) -> WorkloadView {
        self.views().into_iter().find(|view| view.id == web()).expect("web is deployed")
    }

    /// The plan of `web`: (cluster, target) where there is one.
    pub(crate) fn plan(&self) -> Vec<(String, u32)> {
        let placements = self.web().placements;
        placements.into_iter().filter(|p| p.target > 0).map(|p| (p.cluster.to_string(), p.target)).collect()
    }

    /// Where a workload of the namespace `default` is placed.
    pub(crate) fn placed(&self, name: &str) -> Vec<(String, u32)> {
        let view = self.view(name);
        let placements = view.placements.into_iter().filter(|placement| placement.target > 0);
        placements.map(|placement| (placement.cluster.to_string(), placement.target)).collect()
    }

    pub(crate) fn view(&self, name: &str) -> WorkloadView {
        self.views().into_iter().find(|view| &*view.id.name == name).expect("it is deployed")
    }

    /// What decided the number of a workload in a cluster.
    pub(crate) fn reason(&self, name: &str, cluster: &str) -> String {
        let plan = self.hub.plan(&deployment_id(name)).expect("it is deployed");
        let row = plan.report.into_iter().find(|row| row.cluster.as_str() == cluster);
        row.expect("a row for the cluster").reason
    }

    /// Deploys some replicas of one core each under a policy.
    pub(crate) fn run(&mut self, name: &str, replicas: u32, policy: Policy) {
        let spec = spec(deployment_id(name), replicas);
        self.deploy(spec, PolicyChoice::Inline(policy)).expect("a good deployment");
    }

    /// Which revision of `web` each member runs copies of.
    pub(crate) fn revisions(&self) -> Vec<(String, u64)> {
        let row = |member: &Member| member.rows.values().find(|row| row.replicas > 0).map(|row| row.revision);
        let members = self.members.iter();
        members.filter_map(|(name, member)| Some((name.to_string(), row(member)?))).collect()
    }

    /// How many copies of `web` each member runs.
    pub(crate) fn running(&self) -> Vec<(String, u32)> {
        let sum = |member: &Member| member.rows.values().map(|row| row.replicas).sum::<u32>();
        self.members
            .iter()
            .map(|(name, member)| (name.to_string(), sum(member)))
            .filter(|(_, n)| *n > 0)
            .collect()
    }

    pub(crate) fn state(&self, name: &str) -> ClusterState {
        self.hub.cluster(&cluster(name)).expect("a member").state
    }

    pub(crate) fn noted(&self, reason: &str) -> usize {
        self.journal.iter().filter(|entry| &*entry.reason == reason).count()
    }
}

impl Member {
    /// What it says of a row that is no number of replicas.
    fn as_its_kind(&self, row: &WorkloadTarget, seen: &Status) -> Option<Status> {
        match WorkloadKind::of(&row.workload) {
            WorkloadKind::DaemonSet => Some(daemons(seen.clone())),
            WorkloadKind::Job if self.ends.is_some() && row.replicas > 0 => {
                Some(Status { pods: 0, bound: 0, ready: 0, finished: self.ends, ..seen.clone() })
            }
            WorkloadKind::Deployment
            | WorkloadKind::StatefulSet
            | WorkloadKind::Job
            | WorkloadKind::CronJob => None,
        }
    }

    /// All that it holds, but for the manifests that are known.
    fn tell(&self, known: &[(Uid, u64)]) -> Vec<Recalled> {
        let new = |uid: Uid, revision: u64| !known.contains(&(uid, revision));
        let objects = self.objects.values().map(|object| RecalledObject {
            key: object.key.clone(),
            uid: object.uid,
            revision: object.revision,
            ordinals: 0,
            manifest: object.manifest.clone().filter(|_| new(object.uid, object.revision)),
            charter: None,
        });
        let workloads = self.rows.values().map(|row| RecalledObject {
            key: ObjectKey {
                api_version: row.api_version.clone(),
                kind: row.workload.kind.clone(),
                namespace: row.workload.namespace.clone(),
                name: row.workload.name.clone(),
            },
            uid: row.uid,
            revision: row.revision,
            ordinals: row.ordinals,
            manifest: row.manifest.clone().filter(|_| new(row.uid, row.revision)),
            charter: row.charter.clone(),
        });
        objects.chain(workloads).map(Recalled::Object).chain([Recalled::End]).collect()
    }

    fn status_of(&self, need: &Need) -> NeedStatus {
        NeedStatus { need: need.clone(), met: !self.lacks.contains(need) }
    }

    fn accept(&mut self, targets: &Targets) {
        assert!(targets.fence >= self.fence, "I7: {targets:?} after {:?}", self.fence);
        if targets.base == Generation(0) {
            self.rows.retain(|uid, _| targets.workloads.iter().any(|row| row.uid == *uid));
        } else {
            assert_eq!(targets.base, self.fence.generation, "changes meet what is held");
        }
        self.fence = targets.fence;
        for end in &targets.tombstones {
            self.rows.remove(&end.uid);
            self.objects.remove(&end.uid);
            self.removed.push(end.uid);
        }
        for row in &targets.objects {
            self.objects.insert(row.uid, row.clone());
        }
        for row in &targets.workloads {
            self.needs.extend(row.needs.iter().cloned());
            let known = self.rows.remove(&row.uid).filter(|known| known.revision == row.revision);
            if known
                .as_ref()
                .is_none_or(|known| known.replicas != row.replicas || !row.tolerates_drift || !row.shown)
            {
                self.by_hand.remove(&row.uid);
            }
            let known = known.and_then(|known| known.manifest);
            let manifest = row.manifest.clone().or(known).expect("a manifest that was sent once");
            self.rows.insert(row.uid, WorkloadTarget { manifest: Some(manifest), ..row.clone() });
        }
    }
}

/// What a cluster shows of a row whose object somebody has changed.
fn changed(seen: Status, row: &WorkloadTarget, hand: Option<u32>) -> Status {
    let replicas = hand.unwrap_or(0);
    let difference = match hand {
        None => Difference::Deleted,
        Some(_) => Difference::Scaled,
    };
    Status {
        replicas,
        pods: replicas,
        bound: replicas,
        ready: replicas,
        updated: replicas,
        updated_ready: replicas,
        unschedulable: 0,
        difference: Some(difference).filter(|_| hand != Some(row.replicas)),
        exists: hand.is_some(),
        ..seen
    }
}

/// What runs on every one of its two nodes.
fn daemons(status: Status) -> Status {
    let two = if status.exists { 2 } else { 0 };
    Status { replicas: two, pods: two, bound: two, ready: two, updated: two, updated_ready: two, ..status }
}

pub(crate) fn status(row: &WorkloadTarget, ready: bool) -> Status {
    Status {
        workload: row.workload.clone(),
        uid: row.uid,
        revision: row.revision,
        replicas: row.replicas,
        pods: row.replicas,
        bound: row.replicas,
        ready: if ready { row.replicas } else { 0 },
        unschedulable: 0,
        failing: 0,
        stranded: 0,
        updated: row.replicas,
        updated_ready: if ready { row.replicas } else { 0 },
        stalled: false,
        finished: None,
        terminating: 0,
        ready_for: Duration::ZERO,
        supervised: if row.supervised { row.replicas } else { 0 },
        difference: None,
        problem: "".into(),
        exists: true,
    }
}

pub(crate) fn deployment(application: Application, policy: PolicyChoice) -> Deploy {
    Deploy { request_id: "".into(), fingerprint: 0, application, policy, import: None }
}

pub(crate) fn object(name: &str) -> ObjectSpec {
    let key = ObjectKey::new("v1", "ConfigMap", "default", name).expect("a valid key");
    ObjectSpec { key, manifest: "{}".into() }
}

/// An autoscaler of a Deployment, with bounds over all clusters.
pub(crate) fn autoscaler(name: &str, min: u32, max: u32) -> ObjectSpec {
    let key = ObjectKey::new("autoscaling/v2", AUTOSCALER, "default", name).expect("a valid key");
    ObjectSpec { key, manifest: format!("{min}/{max}").into() }
}

pub(crate) fn shares(pairs: &[(&str, u32)]) -> Vec<(String, u32)> {
    pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

fn at(time: Time) -> Now {
    Now { time, wall: WallTime(time.0) }
}

#[test]
fn a_store_is_taken_over_with_the_next_epoch() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    let before = fixture.hub.federation();
    fixture.restart();
    let after = fixture.hub.federation();
    assert_eq!((after.uid, after.epoch), (before.uid, Epoch(before.epoch.0 + 1)));
}
