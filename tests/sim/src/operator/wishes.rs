//! What the operator wishes for, at whatever moment: of workloads, clusters, migrations and quotas.

use std::sync::Arc;
use std::time::Duration;

use godwit_common::policy::ClusterSelector;
use godwit_common::quota::Quota;
use godwit_common::{Taint, TaintEffect, Uid, WorkloadKind};
use godwit_hub_core::{
    AccessOrder, Command, DrainOrder, DrainTerms, Issuer, MigrationOrder, PolicyChoice, QuotaRecord, Record,
    Revocation, RolloutOrder, ShownIssuer,
};

use super::{COMPANION, DOMAIN, NAMES, POLICIES, TIERS, tier};
use crate::scenario::{BAD, deploy, id, policy_name, with_autoscaler, workload};
use crate::world::World;

impl World {
    pub(super) fn wish(&mut self) -> Command {
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

/// What one pod asks for: those of a DaemonSet take no room, since the hub does not count on any for them.
pub(super) fn cpu_of(kind: &str, cpu: u64) -> u64 {
    if kind == "DaemonSet" { 0 } else { cpu }
}

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
