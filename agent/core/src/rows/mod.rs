//! The rows that this cluster shall hold, as the hub's targets say, and the lives that have ended (S25, S27).

mod grave;
mod merge;
mod row;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::link::Difference;
use godwit_common::{Digest, Fence, Generation, Need, ObjectKey, Tally, Uid, WorkloadId};

use crate::Kind;

pub(crate) use grave::{Grave, is_kept};
pub(crate) use merge::Changed;
pub(crate) use row::{Drift, Row, Stage};

/// All rows and graves, with their indices.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    fence: Fence,
    digest: Digest,
    rows: BTreeMap<Uid, Row>,
    graves: BTreeMap<Uid, Grave>,
    keys: BTreeSet<(ObjectKey, Uid)>,
    grave_keys: BTreeSet<(ObjectKey, Uid)>,
    workloads: BTreeMap<WorkloadId, Uid>,
    grave_workloads: BTreeSet<(WorkloadId, Uid)>,
    /// What the rows need, and how many of them.
    needs: Tally<Need>,
    /// The workloads that run here, and whose pods have a supervisor (S9).
    supervised: BTreeSet<Uid>,
    /// Rows whose state the watch has not shown yet.
    unseen: BTreeSet<(Generation, Uid)>,
    /// Problems of objects that are not workloads, by namespace: they hinder the workloads there.
    object_problems: BTreeMap<Arc<str>, BTreeMap<Uid, Arc<str>>>,
}

/// How often something failed in a row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attempts {
    pub(crate) failed: u32,
    /// Preconditions that did not hold, since the last success.
    pub(crate) outdated: u32,
    /// The missing namespace was made for it.
    pub(crate) made_namespace: bool,
}

/// As what the objects of a kind are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sight {
    Object,
    Workload,
    /// As workloads of which only the count is ours.
    Scaled,
}

impl Rows {
    /// The fence of the rows in memory; its generation is zero when there are none.
    pub(crate) fn fence(&self) -> Fence {
        self.fence
    }

    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    pub(crate) fn holds(&self, fence: Fence, digest: Digest) -> bool {
        self.fence == fence && self.digest == digest
    }

    pub(crate) fn row(&self, uid: Uid) -> Option<&Row> {
        self.rows.get(&uid)
    }

    pub(crate) fn row_mut(&mut self, uid: Uid) -> Option<&mut Row> {
        self.rows.get_mut(&uid)
    }

    pub(crate) fn grave(&self, uid: Uid) -> Option<&Grave> {
        self.graves.get(&uid)
    }

    pub(crate) fn grave_mut(&mut self, uid: Uid) -> Option<&mut Grave> {
        self.graves.get_mut(&uid)
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = (Uid, &Row)> {
        self.rows.iter().map(|(uid, row)| (*uid, row))
    }

    pub(crate) fn graves(&self) -> impl Iterator<Item = (Uid, &Grave)> {
        self.graves.iter().map(|(uid, grave)| (*uid, grave))
    }

    pub(crate) fn workload_ids(&self) -> impl Iterator<Item = &WorkloadId> {
        self.workloads.keys()
    }

    pub(crate) fn workload(&self, id: &WorkloadId) -> Option<(Uid, &Row)> {
        let uid = *self.workloads.get(id)?;
        Some((uid, self.rows.get(&uid)?))
    }

    /// Whether supervisors may let processes of this life run: it is to run here, as far as this agent has accepted (S9).
    pub(crate) fn admits(&self, uid: Uid) -> bool {
        self.supervised.contains(&uid)
    }

    /// Whether there is anything that supervisors may let run.
    pub(crate) fn admit_any(&self) -> bool {
        !self.supervised.is_empty()
    }

    /// What any row needs.
    pub(crate) fn needs(&self) -> impl Iterator<Item = &Need> {
        self.needs.kinds()
    }

    pub(crate) fn has_need(&self, need: &Need) -> bool {
        self.needs.contains(need)
    }

    pub(crate) fn rows_of(&self, key: &ObjectKey) -> impl Iterator<Item = Uid> {
        of(&self.keys, key)
    }

    pub(crate) fn graves_of(&self, key: &ObjectKey) -> impl Iterator<Item = Uid> {
        of(&self.grave_keys, key)
    }

    pub(crate) fn graves_of_workload(&self, id: &WorkloadId) -> impl Iterator<Item = Uid> {
        of(&self.grave_workloads, id)
    }

    /// A former life of the object has not left yet.
    pub(crate) fn is_blocked_by_grave(&self, key: &ObjectKey) -> bool {
        self.graves_of(key).any(|uid| self.graves.get(&uid).is_some_and(|grave| !grave.done))
    }

    /// The newest generation all of whose writes the watch has shown.
    pub(crate) fn reflects(&self) -> Generation {
        match self.unseen.first() {
            Some((since, _)) => Generation(since.0.saturating_sub(1)),
            None => self.fence.generation,
        }
    }

    /// The watch shows the row's state, or the row has failed and has nothing to show.
    pub(crate) fn mark_seen(&mut self, uid: Uid) {
        if let Some(row) = self.rows.get(&uid) {
            self.unseen.remove(&(row.since, uid));
        }
    }

    /// The watch shows the row's object as it shall be, or as it is left although it is different (S29); true if the latter
    /// is news.
    pub(crate) fn set_difference(&mut self, uid: Uid, difference: Option<Difference>) -> bool {
        let Some(row) = self.rows.get_mut(&uid) else { return false };
        row.drift.shown |= difference.is_none();
        row.drift.recount = false;
        std::mem::replace(&mut row.drift.found, difference) != difference
    }

    /// The same of fields.
    pub(crate) fn set_edited(&mut self, uid: Uid, edited: &Arc<str>) -> bool {
        let Some(row) = self.rows.get_mut(&uid).filter(|row| row.drift.edited != *edited) else {
            return false;
        };
        row.drift.edited = edited.clone();
        true
    }

    /// The fields of which somebody has changed something that is left so, for each row where there are any.
    pub(crate) fn edited(&self, uid: Uid) -> Arc<str> {
        self.rows.get(&uid).map(|row| row.drift.edited.clone()).unwrap_or_default()
    }

    /// Sets what hinders a row; true if that is news.
    pub(crate) fn set_problem(&mut self, uid: Uid, problem: &Arc<str>) -> bool {
        let Some(row) = self.rows.get_mut(&uid).filter(|row| row.problem != *problem) else {
            return false;
        };
        row.problem = problem.clone();
        if row.replicas.is_none() {
            let namespace = row.key.namespace.clone();
            let problems = self.object_problems.entry(namespace.clone()).or_default();
            match &**problem {
                "" => problems.remove(&uid),
                _ => problems.insert(uid, format!("{}: {problem}", row.key).into()),
            };
            if problems.is_empty() {
                self.object_problems.remove(&namespace);
            }
        }
        true
    }

    /// What hinders a workload beyond itself: an object of its namespace, or of the cluster, or its former life.
    pub(crate) fn problem_around(&self, id: &WorkloadId) -> Option<Arc<str>> {
        let of_objects = |namespace: &str| self.object_problems.get(namespace)?.values().next().cloned();
        let of_graves = || {
            let problems = self.graves_of_workload(id).filter_map(|uid| self.graves.get(&uid));
            problems.map(|grave| grave.problem.clone()).find(|problem| !problem.is_empty())
        };
        of_objects(&id.namespace).or_else(|| of_objects("")).or_else(of_graves)
    }

    /// Forgets everything: another agent may have led in between.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The kinds of all rows and graves, and as what.
pub(crate) fn kinds(rows: &Rows) -> BTreeSet<(Kind, Sight)> {
    let live = rows.rows().map(|(_, row)| (Kind::of(&row.key), row.sight()));
    let ended = rows.graves().map(|(_, grave)| (Kind::of(&grave.key), grave.sight()));
    live.chain(ended).collect()
}

pub(crate) fn workload_of(key: &ObjectKey) -> WorkloadId {
    WorkloadId { namespace: key.namespace.clone(), kind: key.kind.clone(), name: key.name.clone() }
}

fn key_of(id: &WorkloadId, api_version: &Arc<str>) -> ObjectKey {
    ObjectKey {
        api_version: api_version.clone(),
        kind: id.kind.clone(),
        namespace: id.namespace.clone(),
        name: id.name.clone(),
    }
}

fn of<K: Ord + Clone>(index: &BTreeSet<(K, Uid)>, key: &K) -> impl Iterator<Item = Uid> {
    let range = (key.clone(), Uid(0))..=(key.clone(), Uid(u128::MAX));
    index.range(range).map(|(_, uid)| *uid)
}
