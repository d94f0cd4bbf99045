//! How targets are merged into the rows: whether they fit, and what they change.

use std::collections::BTreeSet;
use std::sync::Arc;

use godwit_common::link::{Targets, Tombstone, Tombstoned};
use godwit_common::{Digest, Generation, Need, Uid, WorkloadId};

use super::{Attempts, Drift, Grave, Row, Rows, is_kept, key_of, of};

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

impl Rows {
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
}
