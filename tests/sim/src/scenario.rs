//! What a story needs: a world to begin with, applications to deploy, and waiting for what shall come.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use godwit_common::bounds::{Bounded, Bounds, Totals};
use godwit_common::policy::{self, Rule};
use godwit_common::{
    ClusterName, ObjectKey, PodShape, PolicyName, Uid, WorkloadId, WorkloadKind, stable_hash,
};
use godwit_hub_core::{
    Application, ClusterView, Command, Config, Deploy, Deployed, Hub, Key, ObjectSpec, Policy, PolicyChoice,
    Reader, Record, WorkloadRecord, WorkloadSpec, WorkloadView,
};

use crate::clock::Cx;
use crate::happening::{AgentId, Mend};
use crate::member::{GRACE, requests};
use crate::net::Way;
use crate::world::{Answered, Release, Sink, World, cx};

/// How a world begins.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Decides everything that chance decides.
    pub seed: u64,
    /// The settings of every hub.
    pub hub: Config,
    /// How many hubs there are; only the first starts by itself.
    pub hubs: usize,
    /// The members.
    pub clusters: Vec<ClusterSetup>,
    /// Where the trace goes.
    pub trace: Option<Sink>,
}

/// How a member begins.
#[derive(Debug, Clone)]
pub struct ClusterSetup {
    /// Its name.
    pub name: String,
    /// How many agents it has.
    pub agents: usize,
    /// How many nodes it has.
    pub nodes: u32,
    /// How much CPU each of them has.
    pub cpu_millis: u64,
    /// Its agents put supervisors into pods (S9).
    pub supervises: bool,
    /// Of which release its agents are at first.
    pub release: Release,
}

impl Setup {
    /// Clusters of these names with one agent each, and room for 400 replicas of [`app`].
    pub fn of(seed: u64, names: &[&str]) -> Self {
        let cluster = |name: &&str| ClusterSetup {
            name: (*name).to_owned(),
            agents: 1,
            nodes: 4,
            cpu_millis: 10_000,
            supervises: true,
            release: Release::default(),
        };
        Self {
            seed,
            hub: Config::default(),
            hubs: 1,
            clusters: names.iter().map(cluster).collect(),
            trace: None,
        }
    }
}

/// The kind of what scales a workload in a cluster.
pub const AUTOSCALER: &str = "HorizontalPodAutoscaler";
/// The revision of manifests whose pods never get ready.
pub const BAD: u32 = 13;

/// One Deployment and its ConfigMap; each replica asks for a tenth of a core.
pub fn app(name: &str, replicas: u32) -> Application {
    workload("Deployment", name, replicas, 100, 1)
}

/// A workload of a kind, its ConfigMap, and what one replica asks for.
pub fn workload(kind: &str, name: &str, replicas: u32, cpu_millis: u64, revision: u32) -> Application {
    let manifest: Arc<str> = format!("{{\"cpu\":{cpu_millis},\"revision\":{revision}}}").into();
    let id = id(kind, name);
    let spec = WorkloadSpec {
        api_version: WorkloadKind::of(&id).api_version().into(),
        id,
        replicas,
        policy: None,
        labels: [("app".into(), name.into())].into(),
        needs: Vec::new(),
        pod: PodShape { requests: requests(&manifest), ..PodShape::default() },
        claims: kind == "StatefulSet",
        surges: false,
        obstacle: None,
        grace: Duration::from_millis(GRACE),
        supervised: false,
        scale_only: false,
        manifest: manifest.clone(),
        overrides: Default::default(),
    };
    let object = ObjectSpec {
        key: ObjectKey::new("v1", "ConfigMap", "shop", name).expect("a scenario names objects well"),
        manifest,
    };
    Application { workloads: vec![spec], objects: vec![object] }
}

/// The same with an autoscaler of its own, whose bounds are totals (S29).
pub fn with_autoscaler(mut application: Application, max: u32) -> Application {
    for id in application.workloads.iter().map(|workload| &workload.id) {
        application.objects.push(ObjectSpec {
            key: ObjectKey::new("autoscaling/v2", AUTOSCALER, &id.namespace, &id.name)
                .expect("a scenario names objects well"),
            manifest: autoscaler(&id.kind, 2, max.into()),
        });
    }
    application
}

/// An autoscaler's manifest, of a workload of its own name.
pub fn autoscaler(kind: &str, min: u64, max: u64) -> Arc<str> {
    format!("{{\"of\":\"{kind}\",\"min\":{min},\"max\":{max}}}").into()
}

/// How manifests of scenarios are read.
pub fn reader() -> Reader {
    // Of an autoscaler, bounds are all that may be different.
    Reader {
        totals,
        alike: |key, one, other| one == other || &*key.kind == AUTOSCALER,
        ..Reader::of_workloads(read)
    }
}

/// What the manifest of [`with_autoscaler`] says.
pub fn totals(key: &ObjectKey, manifest: &str) -> Option<Totals> {
    if &*key.kind != AUTOSCALER {
        return None;
    }
    let after = |field: &str| Some(manifest.split(&format!("\"{field}\":")).nth(1)?.trim_start_matches('"'));
    let word = |text: &str| text.split(|c: char| !c.is_ascii_alphanumeric()).next().map(str::to_owned);
    let number = |field: &str| word(after(field)?)?.parse().ok();
    let bounds = Bounds { min: number("min"), max: number("max") };
    Some(Totals { bounds, of: Bounded::Scaled(id(&word(after("of")?)?, &key.name)) })
}

/// What was deployed of a manifest of [`workload`].
pub fn read(key: &ObjectKey, manifest: &Arc<str>, _: &[Arc<str>]) -> Result<WorkloadSpec, String> {
    let number = |field: &str| -> Option<u32> {
        let text = manifest.split(field).nth(1)?;
        text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    let (cpu, revision) = (number("\"cpu\":"), number("\"revision\":"));
    let (cpu, revision) = cpu.zip(revision).ok_or("it is no manifest of a scenario")?;
    let [spec] = <[_; 1]>::try_from(workload(&key.kind, &key.name, 0, cpu.into(), revision).workloads)
        .map_err(|_| "a scenario has one workload")?;
    Ok(spec)
}

/// The identity of a workload of [`workload`].
pub fn id(kind: &str, name: &str) -> WorkloadId {
    WorkloadId::new("shop", kind, name).expect("a scenario names workloads well")
}

/// A policy of weights by cluster.
pub fn weights(name: &str, weights: &[(&str, u32)]) -> Policy {
    let rule = |(name, weight): &(&str, u32)| {
        let rule = Rule::new(*weight, 0, None).expect("a scenario has rules within bounds");
        (cluster_name(name), rule)
    };
    Policy {
        name: policy_name(name),
        placement: policy::Policy {
            clusters: weights.iter().map(rule).collect(),
            ..policy::Policy::default()
        },
        lost_after: Duration::from_secs(10),
    }
}

/// A policy's name.
pub fn policy_name(name: &str) -> PolicyName {
    name.parse().expect("a scenario names policies well")
}

/// A cluster's name.
pub fn cluster_name(name: &str) -> ClusterName {
    name.parse().expect("a scenario names clusters well")
}

/// A request to deploy; the mark is derived from the content, as a careful client does.
pub fn deploy(application: Application, policy: PolicyChoice) -> Command {
    let fingerprint = stable_hash([format!("{application:?}{policy:?}").as_bytes()]);
    Command::Deploy(Deploy { request_id: "".into(), fingerprint, application, policy, import: None })
}

impl World {
    /// Lets some seconds pass.
    pub fn run(&mut self, seconds: u64) {
        self.run_to(self.now + seconds * 1000);
    }

    /// Lets time pass until something is so; it must be within so many seconds. Returns how long it took, in ms.
    pub fn until(&mut self, what: &str, seconds: u64, done: impl Fn(&World) -> bool) -> u64 {
        let (begin, end) = (self.now, self.now + seconds * 1000);
        while !done(self) {
            assert!(self.now < end, "it did not come within {seconds} s: {what}");
            self.run_to(self.now + 50);
        }
        self.now - begin
    }

    /// Waits until everything is as it shall be.
    pub fn settles(&mut self, seconds: u64) {
        let end = self.now + seconds * 1000;
        loop {
            let missing = self.unsettled();
            if missing.is_empty() {
                return;
            }
            assert!(self.now < end, "it does not settle within {seconds} s: {missing:#?}");
            self.run_to(self.now + 250);
        }
    }

    /// The probe of a pod fails from now on, or succeeds again.
    pub fn probe(&mut self, cluster: usize, pod: &Arc<str>, ready: bool) {
        self.members[cluster].set_ready(cx!(self), pod, ready);
    }

    /// A node is suspended, with all that runs on it.
    pub fn suspend(&mut self, cluster: usize, node: &Arc<str>) {
        self.members[cluster].suspend_node(cx!(self), node);
    }

    /// A node is heard no more; what runs on it runs on.
    pub fn stop_node(&mut self, cluster: usize, node: &Arc<str>) {
        self.members[cluster].stop_node(cx!(self), node);
    }

    /// All nodes of a cluster are heard again, and run.
    pub fn wake_nodes(&mut self, cluster: usize) {
        self.mend(Mend::Nodes(cluster));
    }

    /// A person scales a workload in a cluster.
    pub fn scale_by_hand(&mut self, cluster: usize, id: &WorkloadId, replicas: u32) {
        let api_version = WorkloadKind::of(id).api_version();
        let key = ObjectKey::new(api_version, &id.kind, &id.namespace, &id.name)
            .expect("a scenario names workloads well");
        self.members[cluster].scale_by_hand(cx!(self), &key, replicas);
    }

    /// Cuts the link of an agent.
    pub fn cut(&mut self, agent: AgentId, ways: &[Way]) {
        for way in ways {
            self.net.cut(cx!(self), agent, *way);
        }
    }

    /// Makes the link of an agent whole.
    pub fn mend_links(&mut self, agent: AgentId) {
        for way in [Way::Up, Way::Down] {
            self.mend(Mend::Link(agent, way));
        }
    }

    /// Asks hub 0 for something, and waits for the answer.
    pub fn ask(&mut self, command: Command) -> Answered {
        let ticket = self.command(0, command);
        self.until("the answer", 10, |world| world.answers.contains_key(&(0, ticket)));
        self.answers.remove(&(0, ticket)).expect("it has just come")
    }

    /// The same, of what cannot be refused.
    pub fn order(&mut self, command: Command) -> godwit_hub_core::Answer {
        self.ask(command).expect("a scenario asks for what is possible")
    }

    /// Deploys an application under a policy.
    pub fn deploy(&mut self, application: Application, policy: PolicyChoice) -> Deployed {
        match self.order(deploy(application, policy)) {
            godwit_hub_core::Answer::Deployed(deployed) => deployed,
            other => panic!("an odd answer to a deployment: {other:?}"),
        }
    }

    /// The machine of hub 0, which runs.
    pub fn hub(&self) -> &Hub {
        self.hubs[0].core.as_ref().expect("the scenario's hub runs")
    }

    /// What hub 0 shows of a cluster.
    pub fn cluster(&self, name: &str) -> ClusterView {
        self.hub().cluster(&cluster_name(name)).expect("a member of the federation")
    }

    /// The number of a cluster in the world.
    pub fn index(&self, name: &str) -> usize {
        let is = |member: &crate::member::Member| member.name.as_str() == name;
        self.members.iter().position(is).expect("a cluster of the scenario")
    }

    /// The live workload of an identity, as hub 0 has stored it.
    pub fn record(&self, id: &WorkloadId) -> Option<&WorkloadRecord> {
        self.hubs[0].store.values().find_map(|record| {
            if let Record::Workload(workload) = record
                && workload.spec.id == *id
            {
                return Some(workload);
            }
            None
        })
    }

    /// What hub 0 shows of a workload.
    pub fn view(&self, id: &WorkloadId) -> WorkloadView {
        let uid = self.record(id).expect("a deployed workload").uid;
        self.hub().workload(uid).expect("the hub shows what it has stored")
    }

    /// What hub 0 has placed and told, by cluster, where it is not zero.
    pub fn placed(&self, id: &WorkloadId) -> Vec<(String, u32)> {
        let view = self.view(id);
        let placed = view.placements.iter().filter(|row| row.target > 0);
        placed.map(|row| (row.cluster.to_string(), row.target)).collect()
    }

    /// The same of every cluster, zeros included.
    pub fn counts(&self, id: &WorkloadId) -> BTreeMap<ClusterName, u32> {
        self.view(id).placements.iter().map(|row| (row.cluster.clone(), row.target)).collect()
    }

    /// How many pods of a workload are ready in all members, whatever anybody knows.
    pub fn ready(&self, id: &WorkloadId) -> u32 {
        self.members.iter().map(|member| member.ready_of(id)).sum()
    }

    /// The same in one cluster.
    pub fn ready_in(&self, cluster: &str, id: &WorkloadId) -> u32 {
        self.members[self.index(cluster)].ready_of(id)
    }

    /// What hub 0 has told a cluster to run of a workload.
    pub fn target_in(&self, cluster: &str, id: &WorkloadId) -> u32 {
        let uid = self.record(id).expect("a deployed workload").uid;
        self.seat(uid, &cluster_name(cluster)).map_or(0, |seat| seat.target)
    }

    /// The lives whose ends are remembered.
    pub fn ended(&self) -> Vec<Uid> {
        let ended = |key: &Key| if let Key::Ended(uid) = key { Some(*uid) } else { None };
        self.hubs[0].store.keys().filter_map(ended).collect()
    }
}
