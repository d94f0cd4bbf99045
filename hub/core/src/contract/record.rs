//! What is durable. A restart builds the machine from these alone; everything else is learned again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use godwit_common::bounds::Bounds;
use godwit_common::link::{Finished, Original, Tombstoned};
use godwit_common::quota::Quota;
use godwit_common::{
    ClusterName, Epoch, Generation, ObjectKey, PolicyName, Uid, WallTime, WorkloadId, policy,
};

use super::{
    ClusterRecord, Deployed, IssuerRecord, Migration, MigrationId, RetiredRecord, Revision, RevisionState,
    Revocation, RevocationRecord, RoleBinding, Rollout, StateRevision, TokenHash, TokenRecord, WorkloadSpec,
};

/// One durable record.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// The one record of the federation itself.
    Federation(FederationRecord),
    /// A policy.
    Policy(Policy),
    /// A workload.
    Workload(WorkloadRecord),
    /// What a workload was deployed as, once.
    Revision(Arc<Revision>),
    /// A workload in a cluster.
    Seat {
        /// The workload.
        workload: Uid,
        /// The cluster.
        cluster: ClusterName,
        /// The seat.
        seat: Seat,
    },
    /// An object that goes ahead of workloads.
    Object(ObjectRecord),
    /// An object in a cluster.
    ObjectRow {
        /// The object.
        object: Uid,
        /// The cluster.
        cluster: ClusterName,
        /// When it changed there.
        row: ObjectRow,
    },
    /// A life that has ended but is not yet gone everywhere.
    Ended(Ended),
    /// A member cluster.
    Cluster(ClusterRecord),
    /// A migration.
    Migration(Migration),
    /// An entry of the journal.
    Journal(JournalEntry),
    /// A request that was answered.
    Request(Request),
    /// What a namespace may hold.
    Quota(QuotaRecord),
    /// A cluster that has left for good.
    Retired(RetiredRecord),
    /// A join token.
    Token(TokenRecord),
    /// Somebody who is kept out.
    Revocation(RevocationRecord),
    /// What an operator may do.
    RoleBinding(RoleBinding),
    /// Who signs for the pods of a cluster.
    Issuer(IssuerRecord),
}

/// What a record is found under.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// See [`Record::Federation`].
    Federation,
    /// See [`Record::Policy`].
    Policy(PolicyName),
    /// See [`Record::Workload`].
    Workload(Uid),
    /// See [`Record::Revision`].
    Revision(Uid, u64),
    /// See [`Record::Seat`].
    Seat(Uid, ClusterName),
    /// See [`Record::Object`].
    Object(Uid),
    /// See [`Record::ObjectRow`].
    ObjectRow(Uid, ClusterName),
    /// See [`Record::Ended`].
    Ended(Uid),
    /// See [`Record::Cluster`].
    Cluster(ClusterName),
    /// See [`Record::Migration`].
    Migration(MigrationId),
    /// See [`Record::Journal`].
    Journal(u64),
    /// See [`Record::Request`].
    Request(Arc<str>),
    /// See [`Record::Quota`].
    Quota(Arc<str>),
    /// See [`Record::Retired`].
    Retired(Uid),
    /// See [`Record::Token`].
    Token(TokenHash),
    /// See [`Record::Revocation`].
    Revocation(Revocation),
    /// See [`Record::RoleBinding`].
    RoleBinding(Arc<str>),
    /// See [`Record::Issuer`].
    Issuer(ClusterName),
}

/// The federation itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederationRecord {
    /// Who it is; drawn once.
    pub uid: Uid,
    /// The epoch of the leadership that wrote this (S10).
    pub epoch: Epoch,
    /// The number of the next workload: its age (S16).
    pub next_workload: u64,
    /// The number of the next migration.
    pub next_migration: u64,
    /// The number of the next journal entry.
    pub next_entry: u64,
    /// Whether failover is frozen.
    pub freeze: Option<Freeze>,
    /// The longest lease that was ever granted in this federation: a hub that starts cannot know which of them still stand
    /// (S9).
    pub longest_lease: Duration,
    /// The view is rebuilt from what the members hold, and not accepted yet.
    pub recovery: Option<Recovery>,
}

/// How far the rebuilding of the hub's view is (S10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The store was empty: nothing is known of clusters but what they hold.
    pub from_nothing: bool,
    /// The federation's UID is its own, and not to be taken over from the first member.
    pub named: bool,
    /// Policies of which only the names are known.
    pub missing: BTreeSet<PolicyName>,
}

/// Failover stands still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// Why.
    pub cause: FreezeCause,
    /// Since when.
    pub since: WallTime,
    /// For people.
    pub message: Arc<str>,
}

/// Why failover is frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FreezeCause {
    /// Too many clusters vanished at once (S6).
    MassLoss,
    /// An agent knew more than this hub's store: the store was restored, or another hub speaks (S10).
    NewerHistory,
    /// The hub was started with the word that its store is empty, or older than the federation (S10).
    Recovery,
}

/// How totals are divided, and what a loss means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its name.
    pub name: PolicyName,
    /// How replicas are divided, and moved.
    pub placement: policy::Policy,
    /// When silence counts as a loss (S1).
    pub lost_after: Duration,
}

/// A workload: its total, and where it stands as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadRecord {
    /// This life of it (S28).
    pub uid: Uid,
    /// Its number in the order of creation: its age (S16).
    pub number: u64,
    /// When it was created, for people.
    pub created: WallTime,
    /// What was asked for. Its `policy` and `replicas` are those in force; what else it says is that of the newest
    /// revision, in whose record its manifest is: here there is none.
    pub spec: WorkloadSpec,
    /// The policy in force.
    pub policy: PolicyName,
    /// The newest revision: it rises with each change of the manifest.
    pub revision: u64,
    /// What is known of the revisions that are kept (S31).
    pub history: BTreeMap<u64, RevisionState>,
    /// How far the newest is on its way over the clusters; none as long as there was only the first.
    pub rollout: Option<Rollout>,
    /// The objects that it leans on.
    pub objects: BTreeSet<Uid>,
    /// Those that only its older revisions lean on: they go when the newest is everywhere (S31).
    pub leaving: BTreeSet<Uid>,
    /// How many replicas the plan divides: the total, times the chosen clusters under `duplicate`.
    pub wanted: u32,
    /// What of it may not run: a quota does not let it (S16), or old copies are not fenced (S9).
    pub withheld: u32,
    /// What is wanted but not placed (S14).
    pub pending: u32,
    /// Why not.
    pub pending_reasons: Vec<Arc<str>>,
    /// The workload whose clusters it shares: the first of its application (`colocate`).
    pub leader: Option<WorkloadId>,
    /// What it has given up for higher priorities, by cluster (S16).
    pub yielded: BTreeMap<ClusterName, Yield>,
    /// What losses and drains took from clusters and has not come back, by cluster (S12, S13).
    pub displaced: BTreeMap<ClusterName, u32>,
    /// When what was asked for of it last changed: the epoch, and the number of the journal's next entry. The members keep
    /// that with what was asked for, so that the newest of them can be told (S10).
    pub chartered: (Epoch, u64),
    /// How it has ended, if it is a Job and has: then it is asked for no replicas (S33).
    pub finished: Option<Finished>,
}

/// Replicas given up in one cluster for a workload of a higher priority that found no room there (S16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Yield {
    /// For whom. As long as it waits, the one that gave way gets nothing new in that cluster.
    pub to: Uid,
    /// How many.
    pub replicas: u32,
}

/// A workload in a cluster. It exists for every eligible cluster, with zeros where nothing runs, so that a failover
/// needs only a number (S33).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seat {
    /// The plan: how many shall run here (S14). The sum over the clusters and the pending make up the total.
    pub placed: u32,
    /// How many the cluster was told to run. The mover brings it to `placed`: up as the pace allows (S7), down as the
    /// shrink rule allows (S20), and never while the cluster is away.
    pub target: u32,
    /// The revision that the cluster was told to run (S31).
    pub revision: u64,
    /// It was told another one while copies ran, and has not shown since that all of them are of it, and ready.
    pub rolling: bool,
    /// At most so many of its pods may exist there: what the cluster was told, and what it reported (S8). Where nothing
    /// bounds the pods in existence, it may be higher than it needs to.
    pub may_run: u32,
    /// All of those have a supervisor, which ends their processes when the cluster's lease does (S9).
    pub supervised: bool,
    /// The generation in which the row last changed.
    pub generation: Generation,
    /// The generation in which the manifest last changed: whoever holds a later one has it.
    pub manifest_generation: Generation,
    /// Who set `placed` as it is: what exempts a shrink to zero from the guard (S27).
    pub cause: Option<Cause>,
    /// The revision of which replicas left for not being ready here, which they do once; zero for none (S3).
    pub given_up: u64,
    /// How much higher its ordinals begin here than its manifest says; none as long as it was not divided. It is given once
    /// and kept, so that replicas keep their names, and their volumes (S32).
    pub ordinals: Option<u32>,
    /// The cluster has shown it as this row says, where what is different later is left as it is (S29).
    pub shown: bool,
    /// The object that was there before, and was imported (S34).
    pub adopts: Option<Original>,
}

/// Who decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// An operator's command, by its entry in the journal.
    Command(u64),
    /// A migration.
    Migration(MigrationId),
}

/// An object that goes ahead of workloads; shared by all that lean on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRecord {
    /// This life of it.
    pub uid: Uid,
    /// Which.
    pub key: ObjectKey,
    /// Rises with each change of the manifest.
    pub revision: u64,
    /// The manifest as JSON.
    pub manifest: Arc<str>,
    /// What is different about it in some of the clusters, as in a [`WorkloadSpec`].
    pub overrides: Arc<[policy::Override]>,
}

/// An object in a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ObjectRow {
    /// The generation in which it last changed, its manifest included.
    pub generation: Generation,
    /// The cluster's share of the bounds that its manifest sets over all clusters, as it was told (S29).
    pub bounds: Bounds,
    /// See [`Seat::adopts`].
    pub adopts: Option<Original>,
}

/// A life that has ended: everywhere, or in clusters that are retired (S23). It stays until every cluster that held it
/// reports it gone, or has left (S28).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The life.
    pub uid: Uid,
    /// What ended.
    pub what: Tombstoned,
    /// When, for people.
    pub since: WallTime,
    /// Who still holds it, and the generation in which each was told.
    pub held_by: BTreeMap<ClusterName, Generation>,
    /// The command that ended it.
    pub cause: Option<Cause>,
}

/// What a namespace may hold, over all clusters together (S16).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaRecord {
    /// Which namespace.
    pub namespace: Arc<str>,
    /// The bounds.
    pub quota: Quota,
}

/// A decision, recorded with its cause and rule (S30).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    /// Rises by one.
    pub number: u64,
    /// When.
    pub at: WallTime,
    /// How bad.
    pub severity: Severity,
    /// One word for programs, such as `ClusterLost`.
    pub reason: Arc<str>,
    /// The rule that decided, such as `S1`; may be empty.
    pub rule: Arc<str>,
    /// What it is about: a cluster's name, or `Deployment default/web`; may be empty.
    pub subject: Arc<str>,
    /// For people: what was decided, before and after.
    pub message: Arc<str>,
    /// What it was decided on (S30).
    pub inputs: StateRevision,
}

/// How bad an entry of the journal is, after Kubernetes' event types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Normal,
    /// An operator should look.
    Warning,
}

/// A request that was answered: the same again gets the same answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The caller's mark.
    pub id: Arc<str>,
    /// A hash over its content.
    pub fingerprint: u64,
    /// When it was answered.
    pub at: WallTime,
    /// The answer, without what it said about plans.
    pub answer: Deployed,
}

impl Record {
    /// What the record is found under.
    pub fn key(&self) -> Key {
        match self {
            Record::Federation(_) => Key::Federation,
            Record::Policy(policy) => Key::Policy(policy.name.clone()),
            Record::Workload(workload) => Key::Workload(workload.uid),
            Record::Revision(revision) => Key::Revision(revision.workload, revision.number),
            Record::Seat { workload, cluster, .. } => Key::Seat(*workload, cluster.clone()),
            Record::Object(object) => Key::Object(object.uid),
            Record::ObjectRow { object, cluster, .. } => Key::ObjectRow(*object, cluster.clone()),
            Record::Ended(ended) => Key::Ended(ended.uid),
            Record::Cluster(cluster) => Key::Cluster(cluster.name.clone()),
            Record::Migration(migration) => Key::Migration(migration.id),
            Record::Journal(entry) => Key::Journal(entry.number),
            Record::Request(request) => Key::Request(request.id.clone()),
            Record::Quota(quota) => Key::Quota(quota.namespace.clone()),
            Record::Retired(retired) => Key::Retired(retired.uid),
            Record::Token(token) => Key::Token(token.hash),
            Record::Revocation(revocation) => Key::Revocation(revocation.what.clone()),
            Record::RoleBinding(binding) => Key::RoleBinding(binding.name.clone()),
            Record::Issuer(pinned) => Key::Issuer(pinned.cluster.clone()),
        }
    }
}
