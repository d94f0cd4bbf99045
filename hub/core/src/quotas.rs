//! Quotas of namespaces: how much of a namespace may be placed over all clusters together (S16). What runs is not cut;
//! what would exceed a quota waits, with that reason, and is placed as soon as the quota lets it.

use std::collections::BTreeMap;
use std::sync::Arc;

use godwit_common::quota::{Exhausted, Usage};
use godwit_common::{PodShape, Resources, Uid, WorkloadId};

use crate::ask::{Ask, Count};
use crate::batch::Batch;
use crate::contract::{QuotaRecord, QuotaView, Subject};
use crate::hub::Hub;
use crate::placement::Reason;

/// A quota, and what is placed under it.
#[derive(Debug, Clone)]
pub(crate) struct QuotaState {
    /// Durable.
    pub(crate) record: QuotaRecord,
    /// Kept as placements change.
    pub(crate) used: Usage,
}

/// What a batch has made of the usage of the namespaces that it touched.
#[derive(Debug, Default)]
pub(crate) struct Spent(BTreeMap<Arc<str>, Usage>);

impl Batch<'_> {
    /// How many replicas of a workload its namespace's quota allows in all, and what ends them; none without a quota.
    pub(crate) fn allowed(
        &self,
        id: &WorkloadId,
        request: &Resources,
        uid: Option<Uid>,
        held: u64,
    ) -> Option<(u64, Exhausted)> {
        let quota = self.hub.quotas.get(&id.namespace)?;
        let mut used = self.spent.0.get(&id.namespace).unwrap_or(&quota.used).clone();
        if let Some(shape) = self.shape_in_force(uid) {
            used.subtract(&shape.requests, held);
        }
        quota.record.quota.fits(&used, request)
    }

    /// What the answer to a question takes of a quota, or gives back.
    pub(crate) fn spend(&mut self, ask: &Ask<'_>, counts: &[Count]) {
        let namespace = &ask.spec.id.namespace;
        let Some(quota) = self.hub.quotas.get(namespace) else { return };
        let held = u64::from(ask.workload.placed());
        let change = |count: &Count| i64::from(count.after) - i64::from(count.before);
        let placed = held.saturating_add_signed(counts.iter().map(change).sum());
        let before = self.shape_in_force(ask.uid).map(|shape| shape.requests.clone());
        let used = self.spent.0.entry(namespace.clone()).or_insert_with(|| quota.used.clone());
        if let Some(before) = before {
            used.subtract(&before, held);
        }
        used.add(&ask.spec.pod.requests, placed);
    }

    fn shape_in_force(&self, uid: Option<Uid>) -> Option<&PodShape> {
        Some(self.hub.workloads.get(&uid?)?.shape())
    }
}

impl Hub {
    /// A namespace's quota, and what is placed under it.
    pub fn quota(&self, namespace: &Arc<str>) -> Option<QuotaView> {
        let state = self.quotas.get(namespace)?;
        Some(QuotaView { record: state.record.clone(), used: state.used.clone() })
    }

    /// A workload's placement in some cluster has changed.
    pub(crate) fn quota_follows(&mut self, uid: Uid, before: u32, after: u32) {
        let Some(workload) = self.workloads.get(&uid).filter(|_| before != after) else { return };
        let namespace = workload.id().namespace.clone();
        if self.quotas.contains_key(&namespace) {
            let request = workload.shape().requests.clone();
            self.use_quota(&namespace, (&request, before), (&request, after));
        }
    }

    /// Of what a namespace uses, so many replicas of one size are now so many of another.
    pub(crate) fn use_quota(
        &mut self,
        namespace: &Arc<str>,
        before: (&Resources, u32),
        after: (&Resources, u32),
    ) {
        let Some(quota) = self.quotas.get_mut(namespace).filter(|_| before != after) else { return };
        quota.used.subtract(before.0, before.1.into());
        quota.used.add(after.0, after.1.into());
        self.touched.subjects.insert(Subject::Quota(namespace.clone()));
        let only_grows = before.0 == after.0 && before.1 < after.1;
        if !only_grows {
            self.unquotaed.insert(namespace.clone());
        }
    }

    /// What a namespace's workloads amount to, counted anew: its quota is new, or was read at a restart.
    pub(crate) fn count_quota(&mut self, namespace: &Arc<str>) {
        let mut used = Usage::default();
        if !self.quotas.contains_key(namespace) {
            return;
        }
        for (_, uid) in self.in_namespace(namespace) {
            if let Some(workload) = self.workloads.get(uid) {
                used.add(&workload.shape().requests, workload.placed().into());
            }
        }
        if let Some(quota) = self.quotas.get_mut(namespace) {
            quota.used = used;
        }
        self.touched.subjects.insert(Subject::Quota(namespace.clone()));
        self.unquotaed.insert(namespace.clone());
    }

    /// Namespaces that may hold more than before: who waits in them is planned.
    pub(crate) fn quotas_possible(&mut self) {
        for namespace in std::mem::take(&mut self.unquotaed) {
            let waits =
                |uid: &Uid| self.workloads.get(uid).is_some_and(|workload| workload.record.pending > 0);
            let within = self.in_namespace(&namespace).map(|(_, uid)| *uid);
            let waiting: Vec<Uid> = within.filter(waits).collect();
            for uid in waiting {
                self.dirty.entry(uid).or_insert_with(|| Reason::Quota(namespace.clone()));
            }
        }
    }
}
