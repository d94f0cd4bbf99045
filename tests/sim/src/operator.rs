//! The operator: deploys, scales, deletes, changes policies, and ends freezes. Never quite sure whether it was heard.

use std::sync::Arc;
use std::time::Duration;

use godwit_agent_core::Stamp;
use godwit_common::policy::overrides::{Change, Image};
use godwit_common::policy::{
    self, ClusterSelector, ClusterToleration, Data, Drift, FailBack, GroupBy, ObjectSelector, OnFailure,
    Override, Prestage, Rebalance, Rollout, Rule, SpreadConstraint, Strategy, Survivor, Tiers, TrafficGate,
    WorkloadSelector,
};
use godwit_common::quota::Quota;
use godwit_common::{ClusterName, PolicyName, Taint, TaintEffect, Toleration, Uid, WorkloadId, WorkloadKind};
use godwit_hub_core::{
    AccessOrder, Application, Command, DrainOrder, DrainState, DrainTerms, Issuer, Key, MigrationOrder,
    MigrationState, Policy, PolicyChoice, Purpose, QuotaRecord, Record, Revocation, RolloutOrder,
    RolloutState, ShownIssuer,
};

use crate::clock::Cx;
use crate::happening::{AgentId, Happening};
use crate::member::{Member, is_bad};
use crate::scenario::{BAD, deploy, id, policy_name, with_autoscaler, workload};
use crate::world::{World, cx};

/// The names that its applications take turns in: a deleted one comes back under the same name.
const NAMES: [&str; 8] = ["api", "backup", "cart", "import", "logs", "search", "web", "worker"];
const POLICIES: [&str; 2] = ["steady", "spread"];
/// A workload that others are deployed with, near, or away from.
const COMPANION: &str = "cache";
/// What makes clusters fail together.
const DOMAIN: &str = "topology.godwit.dev/failure-domain";
const TIERS: [&str; 2] = ["own", "rented"];

/// What the operator may want.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Operator {
    /// The most milliseconds between two wishes; zero for none.
    pub every: u64,
    /// Nothing new is wished: freezes end, and what was put on clusters and namespaces is taken away.
    pub winds_up: bool,
    /// The most replicas of a workload.
    pub replicas_max: u64,
    /// All replicas ask for the same.
    pub uniform: bool,
    /// Nothing may run twice, and all of it ends with its lease.
    pub gated: bool,
    /// Clusters were forgotten as they were: what still was in them may be an orphan when they join again.
    pub forgets: bool,
}

impl World {
    /// From now on the operator wants things.
    pub fn begin_operator(&mut self, operator: Operator) {
        self.operator = operator;
        cx!(self).after((0, operator.every), Happening::Operate);
    }

    pub(crate) fn operate(&mut self) {
        let every = self.operator.every;
        if every == 0 {
            return;
        }
        cx!(self).after((1, every), Happening::Operate);
        if self.operator.winds_up {
            self.finish_upgrades();
        }
        let Some(core) = &self.hubs[0].core else { return };
        let frozen = core.federation().freeze.is_some();
        let held = self.members.iter().find(|member| {
            let view = core.cluster(&member.name);
            view.is_some_and(|view| view.removals_held > 0)
        });
        let held = held.map(|member| member.name.clone());
        let dead = self.members.iter().position(|member| member.dead && !member.abandoned);
        let dead = dead.filter(|_| self.rng.one_in(3));
        let missing = self.missing_policy().filter(|_| frozen && self.rng.one_in(2));
        let command = match held {
            _ if missing.is_some() => {
                let name = missing.unwrap_or_else(|| policy_name(POLICIES[0]));
                Command::ApplyPolicy(Policy { name, ..self.policy() })
            }
            _ if frozen && self.rng.one_in(2) => match self.rng.one_in(2) {
                true => Command::ReleaseFreeze,
                false => Command::ConfirmFreeze,
            },
            Some(cluster) => Command::ConfirmRemoval { cluster },
            None if dead.is_some() => {
                let member = &mut self.members[dead.unwrap_or(0)];
                // What an operator says is so from before he says it.
                member.abandoned = true;
                Command::ConfirmDead { cluster: member.name.clone() }
            }
            None if self.operator.winds_up => {
                let left = self.leftover().or_else(|| self.remove_strays());
                match left.or_else(|| self.settle_takeovers()) {
                    Some(command) => command,
                    None => return,
                }
            }
            None => self.wish(),
        };
        if let Command::Retire { terms, .. } = &command {
            self.operator.forgets |= terms.force;
        }
        self.command(0, command);
    }

    /// A policy of which a hub that has lost its store knows only the name.
    fn missing_policy(&self) -> Option<PolicyName> {
        let record = self.hubs[0].store.get(&Key::Federation)?;
        let Record::Federation(federation) = record else { return None };
        federation.recovery.as_ref()?.missing.first().cloned()
    }

    /// What ends the next quota, cordon, window, taint or pause that is left; and what lets every cluster be a member again.
    fn leftover(&self) -> Option<Command> {
        let ended = |record: &Record| match record {
            Record::Cluster(cluster)
                if cluster.maintenance.is_none()
                    && cluster.drain.as_ref().is_some_and(|drain| drain.state == DrainState::Cleaning) =>
            {
                // It leaves, and cannot be called back.
                None
            }
            Record::Retired(retired) => Some(Command::Readmit { cluster: retired.name.clone() }),
            Record::Revocation(record) if record.readmitted.is_none() => {
                Some(Command::Access(AccessOrder::EndRevocation(record.what.clone())))
            }
            Record::Revocation(_) | Record::Token(_) | Record::RoleBinding(_) | Record::Issuer(_) => None,
            Record::Quota(quota) => Some(Command::DeleteQuota { namespace: quota.namespace.clone() }),
            Record::Cluster(cluster) if cluster.maintenance.is_some() => {
                Some(Command::Maintain { cluster: cluster.name.clone(), within: None, drain: None })
            }
            Record::Cluster(cluster) if cluster.cordoned => {
                Some(Command::Cordon { cluster: cluster.name.clone(), cordoned: false })
            }
            Record::Cluster(cluster) if !cluster.taints.is_empty() => {
                let remove = cluster.taints.iter().map(|one| (one.taint.key.clone(), None)).collect();
                let cluster = cluster.name.clone();
                Some(Command::Taint { cluster, add: Vec::new(), remove })
            }
            Record::Federation(_) | Record::Cluster(_) | Record::Policy(_) | Record::Workload(_) => None,
            Record::Seat { .. } | Record::Object(_) | Record::ObjectRow { .. } | Record::Ended(_) => None,
            Record::Migration(migration) if migration.state == MigrationState::Paused => {
                Some(Command::Migrate { migration: migration.id, order: MigrationOrder::Resume })
            }
            Record::Migration(_) | Record::Journal(_) | Record::Request(_) | Record::Revision(_) => None,
        };
        let store = &self.hubs[0].store;
        let rebuilt = || self.members.iter().find_map(|member| self.rebuilt(member.index));
        let mended = || store.values().find_map(|record| self.mended(record));
        store.values().find_map(ended).or_else(rebuilt).or_else(mended)
    }

    /// What lets a workload's rollout come to a good end.
    fn mended(&self, record: &Record) -> Option<Command> {
        let Record::Workload(workload) = record else { return None };
        let revision = self.hubs[0].store.get(&Key::Revision(workload.uid, workload.revision));
        let bad = matches!(revision, Some(Record::Revision(revision)) if is_bad(&revision.spec.manifest));
        let WorkloadId { kind, name, .. } = &workload.spec.id;
        if bad && **kind == *"Job" {
            // It is made once, and gets no better.
            return Some(Command::DeleteWorkload { workload: workload.spec.id.clone() });
        }
        if bad {
            let replicas = workload.spec.replicas;
            return Some(deploy(mending(kind, name, replicas), PolicyChoice::Annotated));
        }
        let held = match workload.rollout.as_ref()?.state {
            RolloutState::Paused | RolloutState::PausedAfterFirst | RolloutState::Failed => true,
            RolloutState::Running | RolloutState::Completed => false,
        };
        let resume = Command::Rollout { workload: workload.spec.id.clone(), order: RolloutOrder::Resume };
        held.then_some(resume)
    }

    /// By what the hub knows a cluster.
    fn uid_of(&self, cluster: &ClusterName) -> Option<Uid> {
        Some(self.hubs[0].core.as_ref()?.cluster(cluster)?.uid)
    }

    /// What lets a cluster in that was built anew, once the old one is not heard any more.
    fn rebuilt(&self, member: usize) -> Option<Command> {
        let cluster = &self.members[member].name;
        let view = self.hubs[0].core.as_ref()?.cluster(cluster)?;
        let uid = view.claimant.filter(|_| view.agents == 0)?;
        if view.unaccounted > 0 {
            // Nothing of the old one is left: that has to be said of what may run only once (S9).
            return Some(Command::ConfirmDead { cluster: cluster.clone() });
        }
        let (cluster, retires) =
            (cluster.clone(), view.drain.is_some_and(|view| view.drain.purpose == Purpose::Retire));
        let terms = DrainTerms { force: true, ..DrainTerms::default() };
        Some(if retires { Command::Retire { cluster, terms } } else { Command::Rebuilt { cluster, uid } })
    }

    /// What a forgotten history, or another federation, has left in the members is removed by hand (S27).
    fn remove_strays(&mut self) -> Option<Command> {
        if !self.checker.histories_may_fork && !self.operator.forgets {
            return None;
        }
        let store = &self.hubs[0].store;
        let federation = store.get(&Key::Federation);
        let Some(Record::Federation(federation)) = federation else { return None };
        // A life may be known, and not in a cluster that was forgotten with it and let in again.
        let known = |uid: Uid, name: &ClusterName| {
            let rows = [Key::Seat(uid, name.clone()), Key::ObjectRow(uid, name.clone())];
            rows.iter().any(|key| store.contains_key(key)) || store.contains_key(&Key::Ended(uid))
        };
        let ours = federation.uid;
        let mut strays = Vec::new();
        for (cluster, member) in self.members.iter().enumerate() {
            // Lives of a forked history may be known here, and the objects be the other federation's all the same.
            let stray = |stamp: Stamp| stamp.fence.federation != ours || !known(stamp.uid, &member.name);
            let found = member.objects.iter().filter(|(_, object)| object.seen.stamp.is_some_and(stray));
            strays.extend(found.map(|(key, _)| (cluster, key.clone())));
        }
        let of_others = |member: &Member| {
            member.fence.as_ref().is_some_and(|fence| fence.record.fence.federation != ours)
        };
        let foreign: Vec<usize> =
            self.members.iter().filter(|one| of_others(one)).map(|one| one.index).collect();
        for cluster in foreign {
            // Its agents have read the fence once, and read it again when they start.
            self.note(|| {
                format!("a person removes the fence of cluster {cluster}: it is of another federation")
            });
            self.members[cluster].fence = None;
            for agent in 0..self.agents[cluster].len() {
                self.crash_and_restart(AgentId { cluster, agent });
            }
        }
        for (cluster, key) in strays {
            self.note(|| format!("a person removes {key} from cluster {cluster}: it is not this hub's"));
            self.members[cluster].remove(cx!(self), &key);
        }
        None
    }

    fn wish(&mut self) -> Command {
        if let Some(command) = self.wish_of_import() {
            return command;
        }
        let name = NAMES[self.pick(NAMES.len())];
        let name = self.brown_name().unwrap_or(name);
        let kind = kind_of(name);
        let replicas = u32::try_from(self.rng.below(self.operator.replicas_max + 1)).unwrap_or(0);
        let replicas = match WorkloadKind::of_name(kind) {
            Some(kind) if kind.single() => replicas.min(1),
            Some(kind) if kind.everywhere() => 0,
            Some(_) | None => replicas,
        };
        if let Some(command) = self.wish_of_migration() {
            return command;
        }
        match self.rng.below(16) {
            0..=3 => {
                let cpu = if self.operator.uniform { 100 } else { 50 << self.rng.below(4) };
                let revision = u32::try_from(self.rng.below(3)).unwrap_or(0);
                let revision = if self.rng.one_in(6) { BAD } else { revision };
                let policy = match self.rng.below(3) {
                    0 => PolicyChoice::Annotated,
                    1 => PolicyChoice::Inline(self.policy()),
                    _ => PolicyChoice::Named(policy_name(POLICIES[self.pick(POLICIES.len())])),
                };
                let mut application = workload(kind, name, replicas, cpu_of(kind, cpu), revision);
                // Data that stays, of a StatefulSet or of replicas that are alike (S32).
                let claims = self.rng.one_in(if kind == "StatefulSet" { 2 } else { 6 });
                application.workloads.iter_mut().for_each(|workload| workload.claims = claims);
                if self.rng.one_in(3) && WorkloadKind::of_name(kind).is_some_and(WorkloadKind::counted) {
                    let max = u32::try_from(2 + self.rng.below(40)).unwrap_or(2);
                    application = with_autoscaler(application, max);
                }
                if self.rng.one_in(4) {
                    // Two workloads that may share their clusters.
                    let other = workload("Deployment", COMPANION, 1 + replicas / 2, cpu, revision);
                    application.workloads.extend(other.workloads);
                    application.objects.extend(other.objects);
                }
                deploy(application, policy)
            }
            4..=6 => Command::Scale { workload: id(kind, name), replicas },
            7 => Command::DeleteWorkload { workload: id(kind, name) },
            8 | 9 => self.wish_of_cluster(),
            10 => self.wish_of_quota(),
            11 | 12 => {
                let order = match self.rng.below(4) {
                    0 => RolloutOrder::Pause,
                    1 => RolloutOrder::Resume,
                    2 => RolloutOrder::Undo { to: None },
                    _ => RolloutOrder::Undo { to: Some(1 + self.rng.below(8)) },
                };
                Command::Rollout { workload: id(kind, name), order }
            }
            _ => Command::ApplyPolicy(self.policy()),
        }
    }

    fn wish_of_cluster(&mut self) -> Command {
        let member = self.pick(self.members.len());
        let cluster = self.members[member].name.clone();
        match self.rng.below(8) {
            7 => match self.rebuilt(member) {
                Some(command) => command,
                None if self.rng.one_in(3) => {
                    let what = Revocation::Cluster(cluster);
                    Command::Access(match self.rng.one_in(3) {
                        true => AccessOrder::Revoke(what),
                        false => AccessOrder::EndRevocation(what),
                    })
                }
                None => {
                    let uid = self.uid_of(&cluster).unwrap_or(Uid(0));
                    let issuer = issuer_of(member, self.rng.one_in(2));
                    Command::Access(AccessOrder::PinIssuer { cluster, uid, issuer })
                }
            },
            6 => {
                let with = self.pick(self.members.len());
                let with = self.members[with].name.clone();
                Command::Replace { cluster, with, terms: DrainTerms { to: None, ..self.terms() } }
            }
            5 if self.rng.one_in(4) => Command::Readmit { cluster },
            5 => Command::Retire { cluster, terms: self.terms() },
            4 => {
                let seconds = self.rng.one_in(2).then(|| 1 + self.rng.below(120));
                let drain = (seconds.is_some() && self.rng.one_in(2)).then(|| self.terms());
                Command::Maintain { cluster, within: seconds.map(Duration::from_secs), drain }
            }
            3 => {
                let order = match self.rng.below(8) {
                    0 => DrainOrder::Pause,
                    1 => DrainOrder::Resume,
                    2 => DrainOrder::Cancel,
                    _ => DrainOrder::Start(self.terms()),
                };
                Command::Drain { cluster, order }
            }
            0 => Command::Cordon { cluster, cordoned: self.rng.one_in(3) },
            1 => {
                let tier = TIERS[self.pick(TIERS.len())];
                let key = if self.rng.one_in(4) { DOMAIN } else { "tier" };
                let set = [(key.into(), tier.into())].into();
                Command::Label { cluster, set, remove: Default::default() }
            }
            _ => {
                let effects =
                    [TaintEffect::NoSchedule, TaintEffect::PreferNoSchedule, TaintEffect::NoExecute];
                let effect = effects[self.pick(effects.len())];
                let taint = Taint { key: "old".into(), value: "".into(), effect };
                let (add, remove) = match self.rng.one_in(3) {
                    true => (vec![taint], Vec::new()),
                    false => (Vec::new(), vec![("old".into(), None)]),
                };
                Command::Taint { cluster, add, remove }
            }
        }
    }

    /// How a cluster is to be emptied.
    fn terms(&mut self) -> DrainTerms {
        let to = self.rng.one_in(3).then(|| match self.rng.one_in(2) {
            true => tier(TIERS[self.pick(TIERS.len())]),
            false => {
                let member = self.pick(self.members.len());
                ClusterSelector::of_names([self.members[member].name.clone()])
            }
        });
        DrainTerms {
            within: Duration::from_secs(10 + self.rng.below(60)),
            max_surge: u32::try_from(self.rng.below(100)).ok().filter(|percent| *percent > 0),
            force: self.rng.one_in(6),
            to,
        }
    }

    /// Something for a migration that is under way, at whatever moment that is.
    fn wish_of_migration(&mut self) -> Option<Command> {
        let open = |record: &Record| {
            if let Record::Migration(migration) = record {
                return (!migration.state.ended()).then_some(migration.id);
            }
            None
        };
        let open: Vec<_> = self.hubs[0].store.values().filter_map(open).collect();
        if open.is_empty() || self.rng.one_in(3) {
            return None;
        }
        let migration = open[self.pick(open.len())];
        let orders =
            [MigrationOrder::Pause, MigrationOrder::Resume, MigrationOrder::Cancel, MigrationOrder::Cancel];
        let order = orders[self.pick(orders.len())];
        Some(Command::Migrate { migration, order })
    }

    fn wish_of_quota(&mut self) -> Command {
        let namespace: Arc<str> = "shop".into();
        if self.rng.one_in(2) {
            return Command::DeleteQuota { namespace };
        }
        let quota = Quota { replicas: Some(self.rng.below(60)), ..Quota::default() };
        Command::ApplyQuota(QuotaRecord { namespace, quota })
    }

    fn strategy(&mut self) -> Strategy {
        match self.rng.below(10) {
            0 => Strategy::Capacity,
            1 => Strategy::Spread(self.constraints()),
            2 => Strategy::Pack,
            3 => Strategy::Duplicate,
            4 => {
                let mut tiers = vec![Vec::new(), Vec::new()];
                for member in &self.members {
                    tiers[usize::from(self.rng.one_in(2))].push(member.name.clone());
                }
                tiers.retain(|tier| !tier.is_empty());
                let tiers = tiers.into_iter().map(ClusterSelector::of_names).collect();
                Tiers::new(tiers).map_or(Strategy::Weighted, Strategy::Ordered)
            }
            _ => Strategy::Weighted,
        }
    }

    fn constraints(&mut self) -> Vec<SpreadConstraint> {
        let bound = |world: &mut Self, most: usize| {
            let bound = 1 + world.pick(most);
            world.rng.one_in(3).then(|| u32::try_from(bound).unwrap_or(1))
        };
        let constraint = SpreadConstraint {
            by: GroupBy::Label("tier".into()),
            min_groups: bound(self, 2),
            max_groups: bound(self, 3).map(|max| max.max(2)),
            max_skew: bound(self, 3),
            soft: self.rng.one_in(2),
        };
        if self.rng.one_in(2) { Vec::new() } else { vec![constraint] }
    }

    fn policy(&mut self) -> Policy {
        let names: Vec<_> = self.members.iter().map(|member| member.name.clone()).collect();
        let strategy = self.strategy();
        let grouped = !strategy.constraints().is_empty();
        let mut clusters = std::collections::BTreeMap::new();
        for name in names {
            let (weight, min) = (self.pick(4), if grouped { 0 } else { self.pick(2) });
            let max = self.rng.one_in(4).then(|| min + self.pick(12));
            let bound = |number: usize| u32::try_from(number).unwrap_or(0);
            let rule = Rule::new(bound(weight), bound(min), max.map(bound));
            if let Some(rule) = rule.ok().filter(|_| !self.rng.one_in(5)) {
                clusters.insert(name, rule);
            }
        }
        let rebalance = match self.rng.below(4) {
            0 => Rebalance::Always,
            1 => Rebalance::Gradual,
            _ => Rebalance::Never,
        };
        let priority = i32::try_from(self.rng.below(3)).unwrap_or(0);
        let mut placement = policy::Policy {
            strategy,
            default: self.rng.one_in(2).then(Rule::default),
            clusters,
            rebalance,
            priority,
            preemptible: self.rng.one_in(2),
            motion: self.motion(),
            rollout: self.rollout(),
            data: Data::ALL[self.pick(Data::ALL.len())],
            divide: self.rng.one_in(2),
            prestage: Prestage::ALL[usize::from(self.rng.one_in(4))],
            overrides: self.overrides(),
            ..policy::Policy::default()
        };
        if self.rng.one_in(3) {
            self.restrict(&mut placement);
        }
        Policy {
            name: policy_name(POLICIES[self.pick(POLICIES.len())]),
            placement,
            lost_after: Duration::from_secs([0, 6, 10, 20][self.pick(4)]),
        }
    }

    /// What is different in some clusters: by name, or by the label that operators change.
    fn overrides(&mut self) -> Vec<Override> {
        let rules = if self.rng.one_in(3) { self.pick(3) } else { 0 };
        let mut overrides = Vec::new();
        for _ in 0..rules {
            let cluster = self.pick(self.members.len());
            let mut selector = ClusterSelector::of_names([self.members[cluster].name.clone()]);
            if self.rng.one_in(2) {
                selector = tier(TIERS[self.pick(TIERS.len())]);
            }
            let kinds = if self.rng.one_in(3) { ["ConfigMap".into()].into() } else { Default::default() };
            let tag = Some(format!("{}", self.pick(3)).into());
            overrides.push(Override {
                selector,
                objects: ObjectSelector { kinds, ..ObjectSelector::default() },
                change: Change { image: Image { tag, ..Image::default() }, ..Change::default() },
            });
        }
        overrides
    }

    fn rollout(&mut self) -> Rollout {
        let first = self.pick(self.members.len());
        let first = ClusterSelector::of_names([self.members[first].name.clone()]);
        Rollout {
            order: if self.rng.one_in(2) { vec![first] } else { Vec::new() },
            max_clusters_at_once: 1 + u32::try_from(self.rng.below(3)).unwrap_or(0),
            pause_after_first: self.rng.one_in(6),
            on_failure: if self.rng.one_in(2) { OnFailure::Rollback } else { OnFailure::Stop },
            progress_deadline: Duration::from_secs(10 + self.rng.below(60)),
        }
    }

    fn motion(&mut self) -> policy::Motion {
        // Of seven, four may run twice, and of the others two end by themselves.
        let mode = if self.operator.gated { 2 } else { [0, 0, 0, 0, 1, 2, 2][self.pick(7)] };
        let mode = policy::Mode::ALL[mode];
        let more = u32::try_from(self.rng.below(2)).unwrap_or(0);
        policy::Motion {
            mode,
            max_surge: [1, 25, 25, 100][self.pick(4)],
            max_unavailable: mode.default_unavailable() + more,
            traffic_gate: self.gate(),
            survivor: Survivor::ALL[self.pick(Survivor::ALL.len())],
            fail_back: FailBack::ALL[self.pick(FailBack::ALL.len())],
            unready_after: Duration::from_secs([10, 60, 300][self.pick(3)]),
            drift: Drift::ALL[self.pick(Drift::ALL.len())],
        }
    }

    fn gate(&mut self) -> TrafficGate {
        match self.rng.below(5) {
            0 | 1 => TrafficGate::Ack,
            2 => TrafficGate::Delay(Duration::from_secs(1 + self.rng.below(25))),
            _ => TrafficGate::None,
        }
    }

    /// One of the less usual wishes.
    fn restrict(&mut self, placement: &mut policy::Policy) {
        let other = || {
            let names = [COMPANION.into()].into();
            vec![WorkloadSelector { names, ..WorkloadSelector::default() }]
        };
        match self.rng.below(7) {
            0 => placement.selector = tier(TIERS[0]),
            1 => placement.rules = vec![(tier(TIERS[0]), Rule::default())],
            2 if placement.strategy != Strategy::Duplicate => {
                placement.fallback = vec![tier(TIERS[0]), tier(TIERS[1])];
            }
            2 | 3 => {
                let taints = Toleration { key: Some("old".into()), ..Toleration::default() };
                let seconds = self.rng.one_in(2).then_some(30);
                placement.tolerations = vec![ClusterToleration { taints, seconds }];
            }
            4 => placement.affinity.with = other(),
            5 => placement.affinity.without = other(),
            _ => placement.affinity.colocate = true,
        }
    }
}

/// The name of one of its policies.
pub(crate) fn a_policy(number: usize) -> PolicyName {
    policy_name(POLICIES[number % POLICIES.len()])
}

/// What kind each of its applications is of.
fn kind_of(name: &str) -> &'static str {
    match name {
        "backup" => "CronJob",
        "cart" => "StatefulSet",
        "import" => "Job",
        "logs" => "DaemonSet",
        _ => "Deployment",
    }
}

/// The clusters with that label.
fn tier(tier: &str) -> ClusterSelector {
    let mut selector = ClusterSelector::default();
    selector.labels.labels.insert("tier".into(), tier.into());
    selector
}

/// What an application is mended with: a revision that was never deployed before, and whose pods get ready.
fn mending(kind: &str, name: &str, replicas: u32) -> Application {
    workload(kind, name, replicas, cpu_of(kind, 100), 7)
}

/// What one pod asks for: those of a DaemonSet take no room, since the hub does not count on any for them.
/// Who signs for the pods of a member; of some, with a key that others have, too.
fn issuer_of(member: usize, signs_with_shared: bool) -> ShownIssuer {
    let own: Arc<str> = format!("key of {member}").into();
    let shared: Option<Arc<str>> = (member % 2 == 1).then(|| "key of several".into());
    // Some only name it, and some sign with it.
    let signer = shared.clone().filter(|_| signs_with_shared).unwrap_or_else(|| Arc::clone(&own));
    let issuer = Issuer {
        url: "https://kubernetes.default.svc".into(),
        subject: "system:serviceaccount:godwit-system:godwit-agent".into(),
        keys: shared.into_iter().chain([own]).collect(),
    };
    ShownIssuer { issuer, signer }
}

fn cpu_of(kind: &str, cpu: u64) -> u64 {
    if kind == "DaemonSet" { 0 } else { cpu }
}
