//! The rows that this cluster shall hold, as the hub's targets say, and the lives that have ended (S25, S27).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::bounds::Bounds;
use godwit_common::link::{
    Charter, Difference, ObjectTarget, Original, Targets, Tombstone, Tombstoned, WorkloadTarget,
};
use godwit_common::{Digest, Fence, Generation, Need, ObjectKey, Tally, Time, Uid, WorkloadId, WorkloadKind};

use crate::Kind;

/// What is never removed implicitly: it may hold what no manifest can bring back (S28).
const KEPT_KINDS: [&str; 3] = ["Namespace", "CustomResourceDefinition", "PersistentVolumeClaim"];

/// The order of application: what others need goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Namespaces, and definitions of kinds.
    Ground,
    /// Objects that workloads lean on.
    Object,
    Workload,
}

/// An object to be held, and how far it is.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) key: ObjectKey,
    pub(crate) revision: u64,
    /// For a workload, its number here: `spec.replicas`, or whether it may run.
    pub(crate) replicas: Option<u32>,
    /// How much higher its ordinals begin than its manifest says (S32).
    pub(crate) ordinals: u32,
    /// The bounds that stand in place of the manifest's (S29).
    pub(crate) bounds: Bounds,
    /// What is different here from the manifest; may be empty.
    pub(crate) overrides: Arc<str>,
    pub(crate) manifest: Arc<str>,
    /// What is kept on the object of a workload for a hub that has lost its store (S10).
    pub(crate) charter: Option<Arc<Charter>>,
    /// What it needs of the cluster, of this revision; shared, because a change of the count keeps them.
    needs: Arc<[Need]>,
    /// Its pods have a supervisor (S9).
    pub(crate) supervised: bool,
    /// Only its count is written (S33).
    pub(crate) scale_only: bool,
    /// The object of this UID becomes Godwit's, although it does not say so (S34).
    pub(crate) adopts: Option<Original>,
    hash: u64,
    /// The oldest generation that this state of the row may belong to.
    since: Generation,
    /// What hinders it; may be empty.
    pub(crate) problem: Arc<str>,
    pub(crate) attempts: Attempts,
    /// A write was answered with this version, which the watch has not shown yet.
    pub(crate) written: Option<Arc<str>>,
    /// A write on top of this version was not answered: it may yet come about, for as long as the object has it.
    pub(crate) unanswered: Option<Arc<str>>,
    /// When it was last written for this target.
    pub(crate) wrote_at: Option<Time>,
    /// How often since then it had to be set right.
    pub(crate) corrections: u32,
    /// What counts as altered right after our own apply: what the API server does not keep, or what its admission changes.
    /// None as long as this agent has not applied it, or tried to.
    pub(crate) unkept: Option<Arc<str>>,
    pub(crate) drift: Drift,
}

/// What may be different from a row, and what is (S29).
#[derive(Debug, Clone, Default)]
pub(crate) struct Drift {
    /// What somebody changes by hand is left as it is.
    pub(crate) tolerated: bool,
    /// The cluster has shown the object as the row says: what is different later was changed by hand.
    pub(crate) shown: bool,
    /// The count is another than the hub wanted before, and was not written yet: an autoscaler begins from it.
    pub(crate) recount: bool,
    /// What is different, and left so.
    pub(crate) found: Option<Difference>,
    /// The fields that are, and who changed them; may be empty.
    pub(crate) edited: Arc<str>,
}

/// A life that has ended, and how far its removal is.
#[derive(Debug, Clone)]
pub(crate) struct Grave {
    pub(crate) key: ObjectKey,
    /// The workload, if it was one: its pods must be gone, too.
    pub(crate) workload: Option<WorkloadId>,
    /// Nothing of it is removed.
    pub(crate) kept: bool,
    pub(crate) done: bool,
    pub(crate) problem: Arc<str>,
    pub(crate) attempts: Attempts,
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

impl Row {
    pub(crate) fn stage(&self) -> Stage {
        match (self.replicas, &*self.key.kind) {
            (Some(_), _) => Stage::Workload,
            (None, "Namespace" | "CustomResourceDefinition") => Stage::Ground,
            (None, _) => Stage::Object,
        }
    }

    pub(crate) fn workload(&self) -> Option<WorkloadId> {
        self.replicas.map(|_| workload_of(&self.key))
    }

    /// Whether an object has the number of this row: what runs on every node has none (S33).
    pub(crate) fn is_counted(&self, seen: Option<u32>) -> bool {
        let everywhere = WorkloadKind::of_name(&self.key.kind).is_some_and(WorkloadKind::everywhere);
        self.replicas.is_none() || everywhere || seen == self.replicas
    }
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

    /// Whether the targets can be merged: their base is held, no manifest is missing, and the digest will be theirs.
    pub(crate) fn fit(&self, targets: &Targets) -> Result<(), &'static str> {
        let whole = targets.base == Generation(0);
        let same = self.fence.federation == targets.fence.federation;
        if !whole && (!same || targets.base != self.fence.generation) {
            return Err("they build on a generation that is not held");
        }
        let mut digest = if whole { Digest::default() } else { self.digest };
        let objects =
            targets.objects.iter().map(|row| (row.uid, row.revision, row.manifest.is_some(), row.hash()));
        let workloads =
            targets.workloads.iter().map(|row| (row.uid, row.revision, row.manifest.is_some(), row.hash()));
        for (uid, revision, has_manifest, hash) in objects.chain(workloads) {
            let old = self.rows.get(&uid);
            if !has_manifest && old.is_none_or(|old| old.revision != revision) {
                return Err("a manifest is missing that was never sent");
            }
            if !whole {
                digest -= old.map_or(0, |old| old.hash);
            }
            digest += hash;
        }
        if !whole {
            let ended = targets.tombstones.iter().filter_map(|ended| self.rows.get(&ended.uid));
            ended.for_each(|old| digest -= old.hash);
        }
        if digest != targets.digest {
            return Err("their digest does not match their rows");
        }
        Ok(())
    }

    /// Takes in targets that fit; says which rows and graves are new or changed.
    pub(crate) fn merge(&mut self, targets: &Targets) -> Changed {
        let since = self.fence.generation.next();
        let mut changed = Changed::default();
        if targets.base == Generation(0) {
            self.retain_listed(targets, &mut changed);
        }
        for ended in &targets.tombstones {
            self.bury(ended, &mut changed);
        }
        for target in &targets.objects {
            let row = self.row_from_object(target, since);
            self.put(target.uid, row, &mut changed);
        }
        for target in &targets.workloads {
            let row = self.row_from_workload(target, since);
            if self.put(target.uid, row, &mut changed) {
                changed.asked.extend(target.needs.iter().cloned());
            }
        }
        self.fence = targets.fence;
        self.digest = targets.digest;
        changed
    }

    /// Forgets everything: another agent may have led in between.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn retain_listed(&mut self, targets: &Targets, changed: &mut Changed) {
        let objects = targets.objects.iter().map(|row| row.uid);
        let live: BTreeSet<Uid> = objects.chain(targets.workloads.iter().map(|row| row.uid)).collect();
        let ended: BTreeSet<Uid> = targets.tombstones.iter().map(|ended| ended.uid).collect();
        let absent: Vec<Uid> = self.rows.keys().filter(|uid| !live.contains(uid)).copied().collect();
        absent.into_iter().for_each(|uid| self.drop_row(uid, changed));
        let forgotten: Vec<Uid> = self.graves.keys().filter(|uid| !ended.contains(uid)).copied().collect();
        forgotten.into_iter().for_each(|uid| self.forget_grave(uid, changed));
    }

    /// An end is remembered no longer.
    fn forget_grave(&mut self, uid: Uid, changed: &mut Changed) {
        let Some(grave) = self.graves.remove(&uid) else { return };
        self.grave_keys.remove(&(grave.key.clone(), uid));
        if let Some(workload) = grave.workload {
            self.grave_workloads.remove(&(workload, uid));
        }
        changed.rows.extend(of(&self.keys, &grave.key));
    }

    fn bury(&mut self, ended: &Tombstone, changed: &mut Changed) {
        self.drop_row(ended.uid, changed);
        if self.graves.contains_key(&ended.uid) {
            return;
        }
        let (key, workload) = match &ended.what {
            Tombstoned::Workload { workload, api_version } | Tombstoned::Scaled { workload, api_version } => {
                (key_of(workload, api_version), Some(workload.clone()))
            }
            Tombstoned::Object(key) => (key.clone(), None),
        };
        self.grave_keys.insert((key.clone(), ended.uid));
        if let Some(workload) = &workload {
            self.grave_workloads.insert((workload.clone(), ended.uid));
        }
        let kept = is_kept(&key) || matches!(ended.what, Tombstoned::Scaled { .. });
        let (problem, attempts) = (Arc::default(), Attempts::default());
        let grave = Grave { key, workload, kept, done: false, problem, attempts };
        self.graves.insert(ended.uid, grave);
        changed.graves.push(ended.uid);
    }

    fn drop_row(&mut self, uid: Uid, changed: &mut Changed) {
        self.set_problem(uid, &Arc::default());
        self.mark_seen(uid);
        self.supervised.remove(&uid);
        if let Some(row) = self.rows.remove(&uid) {
            if let Some(id) = row.workload() {
                if self.workloads.get(&id) == Some(&uid) {
                    self.workloads.remove(&id);
                }
                changed.workloads.push(id);
            }
            self.lack(&row.needs, changed);
            self.keys.remove(&(row.key, uid));
        }
    }

    /// Puts a row in the place of its former state; false if it is the same.
    fn put(&mut self, uid: Uid, mut row: Row, changed: &mut Changed) -> bool {
        // What ended in this cluster alone may come again (S33); and a hub that has lost its store may have found the life
        // elsewhere, and not know that it had ended here (S10).
        self.forget_grave(uid, changed);
        // What is told again where it was left different is to be so again: the hub had something else in mind in between.
        let differs = |drift: &Drift| drift.found.is_some() || !drift.edited.is_empty();
        let meant = |old: &Row| row.drift.tolerated && !row.drift.shown && differs(&old.drift);
        let same = |old: &&mut Row| old.hash == row.hash && old.key == row.key && !meant(old);
        if let Some(old) = self.rows.get_mut(&uid).filter(same) {
            if old.charter != row.charter {
                old.charter = row.charter.clone();
                changed.rows.push(uid);
            }
            // It was imported, or imported again, since it was told first (S34).
            if std::mem::replace(&mut old.adopts, row.adopts) != row.adopts {
                changed.rows.push(uid);
            }
            old.drift.shown |= row.drift.shown;
            if std::mem::replace(&mut old.drift.tolerated, row.drift.tolerated) != row.drift.tolerated {
                changed.rows.push(uid);
            }
            if old.needs == row.needs {
                return false;
            }
            // A newer build of the hub reads more needs out of the same manifest.
            let old_needs = std::mem::replace(&mut old.needs, row.needs.clone());
            self.lack(&old_needs, changed);
            self.need(&row.needs, changed);
            return true;
        }
        if let Some(old) = self.rows.get_mut(&uid).filter(|old| old.key == row.key) {
            // What was written for the row before is yet to be seen, or to come about.
            (row.written, row.unanswered) = (old.written.take(), old.unanswered.take());
        }
        self.drop_row(uid, changed);
        self.need(&row.needs, changed);
        self.keys.insert((row.key.clone(), uid));
        self.unseen.insert((row.since, uid));
        if let Some(id) = row.workload() {
            if row.scale_only {
                // Only the row says whose life its object is.
                changed.workloads.push(id.clone());
            }
            self.workloads.insert(id, uid);
        }
        if row.supervised && row.replicas.is_some_and(|replicas| replicas > 0) {
            self.supervised.insert(uid);
        }
        self.rows.insert(uid, row);
        changed.rows.push(uid);
        true
    }

    fn need(&mut self, needs: &[Need], changed: &mut Changed) {
        for need in needs {
            self.needs.add(need.clone());
            changed.needs.insert(need.clone());
        }
    }

    fn lack(&mut self, needs: &[Need], changed: &mut Changed) {
        for need in needs {
            self.needs.remove(need);
            changed.needs.insert(need.clone());
        }
    }

    fn row_from_object(&self, target: &ObjectTarget, since: Generation) -> Row {
        let manifest = self.manifest(target.uid, &target.manifest);
        let row = Row::new(target.key.clone(), target.revision, None, manifest, target.hash(), since);
        // It has no number: whether it was once as it was told, its stamp says.
        let drift = Drift { tolerated: target.tolerates_drift, shown: true, ..Drift::default() };
        let overrides = target.overrides.clone();
        let unkept = self.unkept(target.uid, target.revision, &overrides);
        Row { bounds: target.bounds, overrides, adopts: target.adopts, drift, unkept, ..row }
    }

    fn row_from_workload(&self, target: &WorkloadTarget, since: Generation) -> Row {
        let manifest = self.manifest(target.uid, &target.manifest);
        let key = key_of(&target.workload, &target.api_version);
        let held = || self.rows.get(&target.uid).map(|row| row.needs.clone());
        let needs = match target.manifest {
            Some(_) => target.needs.as_slice().into(),
            None => held().unwrap_or_default(),
        };
        let held = self.rows.get(&target.uid);
        let drift = Drift {
            tolerated: target.tolerates_drift,
            shown: target.shown,
            recount: held
                .map_or(!target.shown, |held| held.drift.recount || held.replicas != Some(target.replicas)),
            ..Drift::default()
        };
        let row = Row::new(key, target.revision, Some(target.replicas), manifest, target.hash(), since);
        let charter = target.charter.clone();
        let overrides = target.overrides.clone();
        let unkept = self.unkept(target.uid, target.revision, &overrides);
        let WorkloadTarget { ordinals, supervised, scale_only, adopts, .. } = *target;
        Row { needs, ordinals, overrides, supervised, scale_only, adopts, charter, drift, unkept, ..row }
    }

    /// What an apply of this revision has left altered, as far as it is known.
    fn unkept(&self, uid: Uid, revision: u64, overrides: &Arc<str>) -> Option<Arc<str>> {
        let same = |held: &&Row| (held.revision, &held.overrides) == (revision, overrides);
        self.rows.get(&uid).filter(same)?.unkept.clone()
    }

    /// The manifest that was sent, or else the one that is held.
    fn manifest(&self, uid: Uid, sent: &Option<Arc<str>>) -> Arc<str> {
        let held = || self.rows.get(&uid).map(|row| row.manifest.clone());
        sent.clone().or_else(held).unwrap_or_default()
    }
}

impl Row {
    fn new(
        key: ObjectKey,
        revision: u64,
        replicas: Option<u32>,
        manifest: Arc<str>,
        hash: u64,
        since: Generation,
    ) -> Self {
        Self {
            key,
            revision,
            replicas,
            ordinals: 0,
            bounds: Bounds::default(),
            overrides: Arc::default(),
            manifest,
            charter: None,
            needs: Arc::default(),
            supervised: false,
            scale_only: false,
            adopts: None,
            hash,
            since,
            problem: Arc::default(),
            attempts: Attempts::default(),
            written: None,
            unanswered: None,
            wrote_at: None,
            corrections: 0,
            unkept: None,
            drift: Drift::default(),
        }
    }
}

/// What a merge has changed.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    /// Rows to be looked at.
    pub(crate) rows: Vec<Uid>,
    /// Removals to begin.
    pub(crate) graves: Vec<Uid>,
    /// Workloads whose status may read differently now.
    pub(crate) workloads: Vec<WorkloadId>,
    /// Needs of rows that came, went or changed.
    pub(crate) needs: BTreeSet<Need>,
    /// Those of them that were sent: the hub wants to hear of each, even of what it was told before.
    pub(crate) asked: BTreeSet<Need>,
}

/// Whether removing it is left to people.
pub(crate) fn is_kept(key: &ObjectKey) -> bool {
    KEPT_KINDS.contains(&&*key.kind)
}

pub(crate) fn workload_of(key: &ObjectKey) -> WorkloadId {
    WorkloadId { namespace: key.namespace.clone(), kind: key.kind.clone(), name: key.name.clone() }
}

/// As what the objects of a kind are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sight {
    Object,
    Workload,
    /// As workloads of which only the count is ours.
    Scaled,
}

impl Row {
    pub(crate) fn sight(&self) -> Sight {
        match (self.replicas, self.scale_only) {
            (None, _) => Sight::Object,
            (Some(_), false) => Sight::Workload,
            (Some(_), true) => Sight::Scaled,
        }
    }
}

impl Grave {
    pub(crate) fn sight(&self) -> Sight {
        match (&self.workload, self.kept) {
            (None, _) => Sight::Object,
            (Some(_), false) => Sight::Workload,
            (Some(_), true) => Sight::Scaled,
        }
    }
}

/// The kinds of all rows and graves, and as what.
pub(crate) fn kinds(rows: &Rows) -> BTreeSet<(Kind, Sight)> {
    let live = rows.rows().map(|(_, row)| (Kind::of(&row.key), row.sight()));
    let ended = rows.graves().map(|(_, grave)| (Kind::of(&grave.key), grave.sight()));
    live.chain(ended).collect()
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
