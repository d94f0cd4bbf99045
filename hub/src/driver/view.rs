//! What may be read: copies that share what has not changed, so that a new view costs what the change costs.

use std::collections::BTreeMap;
use std::sync::Arc;

use godwit_common::{ClusterName, PolicyName, Uid, WorkloadId};
use godwit_hub_core::{
    ClusterView, FederationView, Hub, JournalEntry, Key, MigrationId, MigrationView, PolicyView, QuotaView,
    Subject, WorkloadView,
};
use imbl::OrdMap;

use super::times::Times;
use super::totals::{Sums, Totals};

/// A workload's place in the view: by name, and by life where one ends while the next has begun.
pub(crate) type WorkloadKey = (WorkloadId, Uid);

/// Everything that operators see, at one moment after a commit. Cloning it is cheap.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) federation: FederationView,
    pub(crate) clusters: OrdMap<ClusterName, Arc<ClusterView>>,
    pub(crate) workloads: OrdMap<WorkloadKey, Arc<WorkloadView>>,
    pub(crate) policies: OrdMap<PolicyName, Arc<PolicyView>>,
    pub(crate) quotas: OrdMap<Arc<str>, Arc<QuotaView>>,
    pub(crate) migrations: OrdMap<MigrationId, Arc<MigrationView>>,
    pub(crate) journal: OrdMap<u64, Arc<JournalEntry>>,
    pub(crate) totals: Totals,
    pub(crate) times: Times,
}

impl View {
    pub(crate) fn empty(federation: FederationView) -> Self {
        Self {
            federation,
            clusters: OrdMap::new(),
            workloads: OrdMap::new(),
            policies: OrdMap::new(),
            quotas: OrdMap::new(),
            migrations: OrdMap::new(),
            journal: OrdMap::new(),
            totals: Totals::default(),
            times: Times::default(),
        }
    }

    /// A workload by name: the life that is wanted, else one that is ending.
    pub(crate) fn workload(&self, id: &WorkloadId) -> Option<&Arc<WorkloadView>> {
        let lives = || {
            let all = (id.clone(), Uid(0))..=(id.clone(), Uid(u128::MAX));
            self.workloads.range(all).map(|(_, workload)| workload)
        };
        lives().find(|workload| !workload.deleting).or_else(|| lives().next())
    }
}

/// Keeps the next view in step with the machine.
#[derive(Debug, Default)]
pub(super) struct Projector {
    view: Option<View>,
    journal: OrdMap<u64, Arc<JournalEntry>>,
    /// The machine names a workload by its life only.
    ids: BTreeMap<Uid, WorkloadId>,
    journal_changed: bool,
}

impl Projector {
    pub(super) fn journal_put(&mut self, entry: Arc<JournalEntry>) {
        self.journal.insert(entry.number, entry);
        self.journal_changed = true;
    }

    /// Of what is deleted, only the journal is not among the machine's own changes.
    pub(super) fn deleted(&mut self, key: &Key) {
        if let Key::Journal(number) = key {
            self.journal.remove(number);
            self.journal_changed = true;
        }
    }

    /// The view after the machine's latest changes; none if there were none.
    pub(super) fn project(&mut self, hub: &mut Hub) -> Option<View> {
        let changes = hub.changes();
        if changes.is_empty() && !self.journal_changed {
            return None;
        }
        let restored = self.view.is_none();
        let mut view = self.view.take().unwrap_or_else(|| View::empty(hub.federation()));
        for subject in changes {
            self.take(hub, &mut view, subject);
        }
        if restored {
            // What was there before this process began was counted when it happened.
            view.times = Times::default();
        }
        if std::mem::take(&mut self.journal_changed) {
            view.journal = self.journal.clone();
        }
        self.view = Some(view.clone());
        Some(view)
    }

    fn take(&mut self, hub: &Hub, view: &mut View, subject: Subject) {
        match subject {
            Subject::Federation => view.federation = hub.federation(),
            Subject::Cluster(name) => {
                let cluster = hub.cluster(&name).map(Arc::new);
                let (old, new) = replace(&mut view.clusters, name, cluster);
                view.totals.clusters.change(old.as_deref(), new.as_deref());
                view.totals.shortages.change(old.as_deref(), new.as_deref());
            }
            Subject::Workload(uid) => self.take_workload(hub, view, uid),
            Subject::Policy(name) => {
                let policy = hub.policy(&name).map(Arc::new);
                replace(&mut view.policies, name, policy);
            }
            Subject::Quota(namespace) => {
                let quota = hub.quota(&namespace).map(Arc::new);
                replace(&mut view.quotas, namespace, quota);
            }
            Subject::Migration(id) => {
                let migration = hub.migration(id).map(Arc::new);
                let (old, new) = replace(&mut view.migrations, id, migration);
                view.totals.migrations.change(old.as_deref(), new.as_deref());
                view.times.saw(old.as_deref(), new.as_deref());
            }
        }
    }

    fn take_workload(&mut self, hub: &Hub, view: &mut View, uid: Uid) {
        let workload = hub.workload(uid).map(Arc::new);
        // What has no workload now may have had one; objects' lives never did.
        let id = match &workload {
            Some(workload) => {
                self.ids.insert(uid, workload.id.clone());
                workload.id.clone()
            }
            None => match self.ids.remove(&uid) {
                Some(id) => id,
                None => return,
            },
        };
        let (old, new) = replace(&mut view.workloads, (id, uid), workload);
        view.totals.workloads.change(old.as_deref(), new.as_deref());
    }
}

/// Puts a new value, or its absence, in the place of the old one; returns both.
fn replace<K: Ord + Clone, V>(
    map: &mut OrdMap<K, Arc<V>>,
    key: K,
    new: Option<Arc<V>>,
) -> (Option<Arc<V>>, Option<Arc<V>>) {
    let old = match &new {
        Some(value) => map.insert(key, value.clone()),
        None => map.remove(&key),
    };
    (old, new)
}
