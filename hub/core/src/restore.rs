//! Restart: the machine is built from its durable records alone, as at every start (S5, S10).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use godwit_common::policy::{self, DEFAULT_POLICY, Fencing, Mode, Motion, Rebalance, STATEFUL_POLICY};
use godwit_common::rng::Rng;
use godwit_common::{ClusterName, Epoch, Now, PolicyName, Uid};
use godwit_planner::Scratch;

use crate::config::Config;
use crate::contract::{ClusterState, Effect, FederationRecord, Key, Policy, Record, Severity, Subject};
use crate::flapping::Census;
use crate::grants::is_gated;
use crate::hub::{Hub, Timer};
use crate::mass_loss::MassLoss;
use crate::migrations::MigrationEntry;
use crate::quotas::QuotaState;
use crate::returns::lets_return;
use crate::rows::Touched;
use crate::shared::Shared;
use crate::state::{Cluster, Object, PolicyState, SeatState, Workload};

/// The policies that every federation has: they may be configured, and not be deleted.
pub(crate) const BUILT_IN_POLICIES: [&str; 2] = [DEFAULT_POLICY, STATEFUL_POLICY];

/// The records do not fit together: the store is damaged, or was written by something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreError {
    key: String,
    problem: String,
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "record {} does not fit the others: {}; restore a backup of the store",
            self.key, self.problem
        )
    }
}

impl std::error::Error for RestoreError {}

impl Hub {
    /// Builds the machine. Without records it is a new federation, its UID drawn from the seed. Either way it takes the
    /// next epoch (S10), and every known cluster has its full startup window (S5).
    pub fn restore(
        config: Config,
        seed: u64,
        records: impl IntoIterator<Item = Record>,
        now: Now,
        effects: &mut Vec<Effect>,
    ) -> Result<Hub, RestoreError> {
        let mut hub = Hub::empty(config, seed, now);
        let mut attached = Vec::new();
        let mut entries = Vec::new();
        for record in records {
            match record {
                Record::Revision(_) | Record::Seat { .. } | Record::ObjectRow { .. } => attached.push(record),
                Record::Journal(entry) => entries.push(entry.number),
                Record::Federation(_)
                | Record::Policy(_)
                | Record::Workload(_)
                | Record::Object(_)
                | Record::Ended(_)
                | Record::Cluster(_)
                | Record::Migration(_)
                | Record::Quota(_)
                | Record::Retired(_)
                | Record::Token(_)
                | Record::Revocation(_)
                | Record::RoleBinding(_)
                | Record::Issuer(_)
                | Record::Request(_) => hub.load(record),
            }
        }
        if !hub.is_whole() {
            let (key, problem) = (format!("{:?}", Key::Federation), "it is not there".to_owned());
            return Err(RestoreError { key, problem });
        }
        for record in attached {
            hub.attach(record)?;
        }
        hub.relate()?;
        hub.forget_entries(entries);
        hub.take_over();
        hub.finish(Vec::new(), effects);
        hub.show_everything();
        Ok(hub)
    }

    fn empty(config: Config, seed: u64, now: Now) -> Hub {
        let mut rng = Rng::new(seed);
        let federation = FederationRecord {
            uid: rng.uid(),
            epoch: Epoch(0),
            next_workload: 1,
            next_migration: 1,
            next_entry: 1,
            freeze: None,
            longest_lease: Duration::ZERO,
            recovery: None,
        };
        let roles = Arc::new(config.roles.clone());
        Hub {
            config,
            rng,
            now,
            events: 0,
            operator: "".into(),
            federation,
            policies: BTreeMap::new(),
            workloads: Default::default(),
            ids: Default::default(),
            objects: Default::default(),
            object_keys: Default::default(),
            ended: Default::default(),
            buried: BTreeMap::new(),
            clusters: Default::default(),
            retired: Default::default(),
            tokens: Default::default(),
            revocations: Default::default(),
            roles,
            issuers: Default::default(),
            arrivals: BTreeMap::new(),
            lost: Default::default(),
            sessions: Default::default(),
            migrations: Default::default(),
            journal: BTreeMap::new(),
            requests: Default::default(),
            quotas: BTreeMap::new(),
            unquotaed: Default::default(),
            displaced: Default::default(),
            followers: Default::default(),
            bonded_policies: 0,
            gated_policies: 0,
            returning_policies: 0,
            roomless: Default::default(),
            fleet_changes: 0,
            checking_survival: false,
            pending: Default::default(),
            unheard: Default::default(),
            cramped: Default::default(),
            dirty: BTreeMap::new(),
            roomier: Default::default(),
            moving: Default::default(),
            timers: Default::default(),
            mass_loss: MassLoss::default(),
            said_goodbye: false,
            census: Census::default(),
            withdrawals: 0,
            summons: 0,
            touched: Touched::default(),
            recalls: Default::default(),
            before: None,
            supposing: false,
            scratch: Scratch::default(),
        }
    }

    fn load(&mut self, record: Record) {
        match record {
            Record::Federation(federation) => self.federation = federation,
            Record::Policy(policy) => self.add_policy(policy),
            Record::Workload(record) => {
                self.ids.insert(record.spec.id.clone(), record.uid);
                self.workloads.insert(record.uid, Shared::new(Workload::new(record)));
            }
            Record::Object(record) => {
                self.object_keys.insert(record.key.clone(), record.uid);
                let object = Object::new(record);
                self.objects.insert(object.record.uid, Shared::new(object));
            }
            Record::Ended(ended) => {
                self.ended.insert(ended.uid, ended);
            }
            Record::Cluster(record) => {
                let cluster = Cluster::new(record, ClusterState::Unknown, self.now);
                self.clusters.insert(cluster.record.name.clone(), Shared::new(cluster));
            }
            Record::Migration(migration) => {
                self.migrations.insert(migration.id, Shared::new(MigrationEntry::new(migration)));
            }
            Record::Request(request) => {
                self.requests.insert(request.id.clone(), request);
            }
            Record::Quota(record) => {
                let state = QuotaState { record, used: Default::default() };
                self.quotas.insert(state.record.namespace.clone(), state);
            }
            Record::Retired(retired) => {
                self.retired.insert(retired.uid, retired);
            }
            Record::Token(token) => {
                self.tokens.insert(token.hash, token);
            }
            Record::Revocation(revocation) => {
                self.revocations.insert(revocation.what.clone(), revocation);
            }
            Record::RoleBinding(binding) => {
                Arc::make_mut(&mut self.roles).bindings.insert(binding.name.clone(), binding);
            }
            Record::Issuer(pinned) => {
                Arc::make_mut(&mut self.issuers).insert(pinned.cluster.clone(), pinned);
            }
            // Revisions, seats and rows are attached once everything that they belong to is there; the journal is the store's.
            Record::Revision(_) | Record::Seat { .. } | Record::ObjectRow { .. } | Record::Journal(_) => {}
        }
    }

    /// Whether the record of the federation was there, or nothing was: a new UID is for a new federation only, since the
    /// members of another one refuse it (S10).
    fn is_whole(&self) -> bool {
        let empty = self.policies.is_empty() && self.clusters.is_empty() && self.workloads.is_empty();
        empty || self.federation.epoch > Epoch(0)
    }

    /// Attaches a seat or an object's row to what it belongs to.
    fn attach(&mut self, record: Record) -> Result<(), RestoreError> {
        let key = format!("{:?}", record.key());
        let unknown =
            |what: &str| RestoreError { key: key.clone(), problem: format!("its {what} is not there") };
        match record {
            Record::Revision(revision) => {
                let entry = self.workloads.get_mut(&revision.workload).ok_or_else(|| unknown("workload"))?;
                entry.revisions.insert(revision.number, revision);
            }
            Record::Seat { workload, cluster: name, seat } => {
                let cluster = self.clusters.get_mut(&name).ok_or_else(|| unknown("cluster"))?;
                let entry = self.workloads.get_mut(&workload).ok_or_else(|| unknown("workload"))?;
                cluster.seats.insert(workload);
                // What is different there is not known before all revisions are there.
                cluster.digest += seat.hash(workload, "");
                let everywhere = entry.record.spec.kind().everywhere();
                entry.seats.insert(name.clone(), SeatState::new(seat, everywhere));
                self.seat_observed(workload, &name);
                self.moving.insert(workload);
            }
            Record::ObjectRow { object, cluster: name, row } => {
                let cluster = self.clusters.get_mut(&name).ok_or_else(|| unknown("cluster"))?;
                let entry = self.objects.get_mut(&object).ok_or_else(|| unknown("object"))?;
                cluster.objects.insert(object);
                entry.differ_in(&cluster.record);
                entry.rows.insert(name.clone(), row);
                cluster.digest += entry.hash_in(&name);
            }
            Record::Federation(_)
            | Record::Policy(_)
            | Record::Workload(_)
            | Record::Object(_)
            | Record::Ended(_)
            | Record::Cluster(_)
            | Record::Migration(_)
            | Record::Journal(_)
            | Record::Quota(_)
            | Record::Retired(_)
            | Record::Token(_)
            | Record::Revocation(_)
            | Record::RoleBinding(_)
            | Record::Issuer(_)
            | Record::Request(_) => {}
        }
        Ok(())
    }

    /// Derives what records imply about each other, and checks it.
    fn relate(&mut self) -> Result<(), RestoreError> {
        let uids: Vec<Uid> = self.workloads.keys().copied().collect();
        for uid in uids {
            let Some(workload) = self.workloads.get(&uid) else {
                continue;
            };
            let record = workload.record.clone();
            let (wanted, placed) = (u64::from(record.wanted), u64::from(workload.placed()));
            let wrong = |problem: String| RestoreError { key: format!("{:?}", Key::Workload(uid)), problem };
            if placed + u64::from(record.pending) != wanted {
                let pending = record.pending;
                return Err(wrong(format!(
                    "{placed} placed and {pending} pending do not make {wanted} wanted"
                )));
            }
            self.relate_revisions(uid).map_err(wrong)?;
            self.write_charter(uid);
            let policy = self.policies.get_mut(&record.policy);
            let policy = policy.ok_or_else(|| wrong(format!("policy {} is not there", record.policy)))?;
            policy.users.insert(uid);
            if policy.policy.placement.rebalance != Rebalance::Never {
                self.cramped.insert(uid);
            }
            if let Some(leader) = &record.leader {
                self.followers.entry(leader.clone()).or_default().insert(uid);
            }
            for object in record.objects.union(&record.leaving) {
                let object = self.objects.get_mut(object);
                object
                    .ok_or_else(|| wrong("an object that it leans on is not there".into()))?
                    .users
                    .insert(uid);
            }
            if record.pending > 0 {
                let rank = self.rank_of(&record);
                self.pending.insert(rank);
                // What was said of clusters that were not heard then may have been over long before.
                self.unheard.insert(uid);
            }
            for given in record.yielded.values() {
                if let Some(waiting) = self.workloads.get_mut(&given.to) {
                    waiting.preempting.insert(uid);
                }
            }
        }
        self.recall_tolerance();
        for object in self.objects.keys().copied().collect::<Vec<_>>() {
            self.relate_bounds(object);
        }
        self.relate_displaced();
        self.relate_revocations();
        for ended in self.ended.values() {
            for name in ended.held_by.keys() {
                if let Some(cluster) = self.clusters.get_mut(name) {
                    cluster.ended.insert(ended.uid);
                }
            }
        }
        for (id, entry) in self.migrations.iter_mut() {
            // Whoever was deleted while it moved is waited for no longer.
            entry.unsettled.retain(|uid, _| self.workloads.contains_key(uid));
            for uid in entry.unsettled.keys() {
                if let Some(workload) = self.workloads.get_mut(uid) {
                    workload.migrations.insert(*id);
                }
            }
        }
        Ok(())
    }

    /// The next epoch, and the windows of S5.
    fn take_over(&mut self) {
        self.federation.epoch = self.federation.epoch.next();
        self.touched.keys.insert(Key::Federation);
        for name in BUILT_IN_POLICIES.iter().filter_map(|name| name.parse().ok()) {
            self.build_in(name);
        }
        self.take_over_leases();
        for name in self.clusters.keys().cloned().collect::<Vec<_>>() {
            self.await_cluster(&name);
            self.await_tolerations(&name);
            self.await_drain(&name);
            self.await_maintenance(&name);
            self.wake_at(self.now.time, Timer::Retire(name));
        }
        for namespace in self.quotas.keys().cloned().collect::<Vec<_>>() {
            self.count_quota(&namespace);
        }
        self.watch_freeze();
        match self.in_doubt() {
            true => self.doubt(),
            false if self.config.recover => self.begin_recovery(),
            false => {}
        }
        let message = format!(
            "epoch {}: {} clusters, {} workloads; each cluster has {} s to connect",
            self.federation.epoch,
            self.clusters.len(),
            self.workloads.len(),
            self.config.startup_grace.as_secs()
        );
        self.note(Severity::Normal, "S5", "HubStarted", "", message);
    }

    /// Puts one of the policies in force that every federation has, unless an operator has said what it is to be.
    fn build_in(&mut self, name: PolicyName) {
        if self.policies.contains_key(&name) {
            return;
        }
        let motion = match name.as_str() {
            STATEFUL_POLICY => Motion::of(Mode::AtMost(Fencing::default())),
            _ => Motion::default(),
        };
        let placement = policy::Policy { motion, ..policy::Policy::default() };
        self.touched.keys.insert(Key::Policy(name.clone()));
        self.add_policy(Policy { name, placement, lost_after: self.config.lost_after });
    }

    /// A cluster has its startup window; one that never brought an inventory is still joining, and is not missed.
    fn await_cluster(&mut self, name: &ClusterName) {
        let joining = self.clusters.get(name).is_some_and(|cluster| !cluster.record.inventoried);
        let state = if joining { ClusterState::Joining } else { ClusterState::Unknown };
        self.enter(name, state, "not seen since the hub started");
        self.wake_at(self.now.time + self.config.startup_grace, Timer::Silence(name.clone()));
    }

    fn show_everything(&mut self) {
        let subjects = &mut self.touched.subjects;
        subjects.insert(Subject::Federation);
        subjects.extend(self.clusters.keys().cloned().map(Subject::Cluster));
        subjects.extend(self.workloads.keys().chain(self.ended.keys()).copied().map(Subject::Workload));
        subjects.extend(self.policies.keys().cloned().map(Subject::Policy));
        subjects.extend(self.migrations.keys().copied().map(Subject::Migration));
        subjects.extend(self.quotas.keys().cloned().map(Subject::Quota));
    }

    /// Takes a policy in, in the place of one of the same name.
    pub(crate) fn add_policy(&mut self, policy: Policy) {
        let name = policy.name.clone();
        let users = self.drop_policy(&name);
        self.bonded_policies += usize::from(!policy.placement.affinity.is_empty());
        self.gated_policies += usize::from(is_gated(&policy));
        self.returning_policies += usize::from(lets_return(&policy));
        self.policies.insert(name, Shared::new(PolicyState { policy, users }));
    }

    /// Forgets a policy; returns who used it.
    pub(crate) fn drop_policy(&mut self, name: &PolicyName) -> BTreeSet<Uid> {
        let Some(old) = self.policies.remove(name) else { return BTreeSet::new() };
        self.bonded_policies -= usize::from(!old.policy.placement.affinity.is_empty());
        self.gated_policies -= usize::from(is_gated(&old.policy));
        self.returning_policies -= usize::from(lets_return(&old.policy));
        old.into_inner().users
    }
}
