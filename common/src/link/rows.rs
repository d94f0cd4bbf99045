//! The state that a cluster shall hold, as rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Charter;
use crate::bounds::Bounds;
use crate::{Digest, Fence, Generation, Need, ObjectKey, Uid, WorkloadId, stable_hash};

/// What a cluster shall hold: all of it when `base` is zero, else what changed after `base`.
/// Rows that a whole state lacks are orphans in the member, never deletions (S27).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Targets {
    /// Whose state this is, and its generation (S10).
    pub fence: Fence,
    /// The generation that the receiver must hold for these changes to fit; zero for a whole state.
    pub base: Generation,
    /// The digest of all live rows once these changes are in.
    pub digest: Digest,
    /// Objects that workloads lean on, to be applied before them.
    pub objects: Vec<ObjectTarget>,
    /// Workloads.
    pub workloads: Vec<WorkloadTarget>,
    /// Lives that have ended.
    pub tombstones: Vec<Tombstone>,
}

/// An object that goes ahead of the workloads: a ConfigMap, a Service (S33).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectTarget {
    /// This life of it.
    pub uid: Uid,
    /// Which.
    pub key: ObjectKey,
    /// Rises with each change of the manifest within a life.
    pub revision: u64,
    /// The manifest as JSON; absent when the receiver, being at the base, has had it.
    pub manifest: Option<Arc<str>>,
    /// What somebody changes of it by hand in the member is left as it is, and reported (S29). No part of the digest:
    /// whoever does not know of it sets it right.
    pub tolerates_drift: bool,
    /// This cluster's share of the bounds that the manifest sets over all of them (S29).
    pub bounds: Bounds,
    /// See [`WorkloadTarget::adopts`].
    pub adopts: Option<Original>,
    /// What is different here from the manifest; see [`crate::policy::overrides::changes_in`].
    pub overrides: Arc<str>,
}

/// A workload and how many replicas of it this cluster runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadTarget {
    /// This life of it (S28).
    pub uid: Uid,
    /// Which.
    pub workload: WorkloadId,
    /// The manifest's `apiVersion`.
    pub api_version: Arc<str>,
    /// Rises with each change of the manifest within a life.
    pub revision: u64,
    /// Absolute (S25); zero keeps the object ready for a failover (S33).
    pub replicas: u32,
    /// How much higher its ordinals begin here than its manifest says, so that no other cluster has the same (S32).
    pub ordinals: u32,
    /// What is different here from the manifest; see [`crate::policy::overrides::changes_in`].
    pub overrides: Arc<str>,
    /// The manifest as JSON, without `spec.replicas`; absent when the receiver, being at the base, has had it.
    pub manifest: Option<Arc<str>>,
    /// What the workload needs of the cluster and does not bring along: sorted, each once, at most
    /// [`super::NEEDS_MAX`]. They belong to the revision and travel with its manifest: without it there are none here.
    pub needs: Vec<Need>,
    /// Its pods are to have a supervisor (S9). Belongs to the revision as well, and is said with every row.
    pub supervised: bool,
    /// Only its count is written: the object is somebody else's to make, to change and to delete (S33). Belongs to the
    /// revision as well.
    pub scale_only: bool,
    /// What a hub has to know of it that has lost its store: kept on the object (S10). No part of the digest.
    pub charter: Option<Arc<Charter>>,
    /// What somebody changes by hand in the member is left as it is, and reported (S29). No part of the digest: whoever
    /// does not know of it sets it right.
    pub tolerates_drift: bool,
    /// The cluster has shown the object as this row says: what is different now was changed by hand. Only where that is
    /// tolerated, and no part of the digest either.
    pub shown: bool,
    /// This object is there already, and becomes Godwit's: it was imported (S34). No part of the digest: it says what was
    /// there once, and means nothing from when the object carries Godwit's labels.
    pub adopts: Option<Original>,
}

/// An object as it was when it was imported (S34).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Original {
    /// Its UID: one that was made anew since is somebody else's.
    pub uid: Uid,
    /// What stands for all that it said but its count: what says something else by now was changed since. Only agents make
    /// it and compare it; zero if it was imported before they did.
    pub content: u64,
}

impl Original {
    /// Whether it is `now` the same object, and says something else.
    pub fn is_changed(&self, now: &Self) -> bool {
        self.uid == now.uid && self.content != 0 && self.content != now.content
    }
}

/// The end of a life: the only thing that removes an object (S27).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tombstone {
    /// The life that ended.
    pub uid: Uid,
    /// What ended.
    pub what: Tombstoned,
}

/// What a tombstone removes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tombstoned {
    /// A workload, with its pods.
    Workload {
        /// Which.
        workload: WorkloadId,
        /// The manifest's `apiVersion`.
        api_version: Arc<str>,
    },
    /// Nothing: the count of a workload is written no more, and its object stays as it is (S33).
    Scaled {
        /// Which.
        workload: WorkloadId,
        /// The manifest's `apiVersion`.
        api_version: Arc<str>,
    },
    /// An object that no workload leans on any more.
    Object(ObjectKey),
}

impl ObjectTarget {
    /// This row's part of the digest.
    pub fn hash(&self) -> u64 {
        Self::hash_of(self.uid, self.revision, self.bounds, &self.overrides)
    }

    /// The part of the digest of a row that is not at hand as one.
    pub fn hash_of(uid: Uid, revision: u64, bounds: Bounds, overrides: &str) -> u64 {
        // Builds that know of no bounds take the same rows for the same, as long as there are none.
        let part = |bound: Option<u32>| bound.map_or(0, |bound| bound.saturating_add(1));
        row_hash(b"object", uid, revision, [part(bounds.min), part(bounds.max)], overrides)
    }
}

impl WorkloadTarget {
    /// This row's part of the digest.
    pub fn hash(&self) -> u64 {
        Self::hash_of(self.uid, self.revision, self.replicas, self.ordinals, &self.overrides)
    }

    /// The part of the digest of a row that is not at hand as one.
    pub fn hash_of(uid: Uid, revision: u64, replicas: u32, ordinals: u32, overrides: &str) -> u64 {
        row_hash(b"workload", uid, revision, [replicas, ordinals], overrides)
    }
}

impl Targets {
    /// Puts newer changes over these, as if both had been sent as one: newest per UID (S25). A whole state replaces.
    /// False, and unchanged, when `newer` does not follow: the two do not meet, or come from different authorities.
    pub fn merge(&mut self, newer: Targets) -> bool {
        if newer.base == Generation(0) {
            *self = newer;
            return true;
        }
        let same = self.fence.federation == newer.fence.federation && self.fence.epoch == newer.fence.epoch;
        if !same || newer.base != self.fence.generation {
            return false;
        }
        self.fence = newer.fence;
        self.digest = newer.digest;
        for ended in &newer.tombstones {
            self.objects.retain(|row| row.uid != ended.uid);
            self.workloads.retain(|row| row.uid != ended.uid);
        }
        overlay(
            &mut self.objects,
            newer.objects,
            |row| row.uid,
            |old, new| {
                if new.manifest.is_none() && old.revision == new.revision {
                    new.manifest = old.manifest;
                }
            },
        );
        overlay(
            &mut self.workloads,
            newer.workloads,
            |row| row.uid,
            |old, new| {
                if new.manifest.is_none() && old.revision == new.revision {
                    (new.manifest, new.needs) = (old.manifest, old.needs);
                }
            },
        );
        overlay(&mut self.tombstones, newer.tombstones, |row| row.uid, |_, _| {});
        true
    }
}

/// The digest of a set of live rows.
pub fn rows_digest<'a>(
    objects: impl IntoIterator<Item = &'a ObjectTarget>,
    workloads: impl IntoIterator<Item = &'a WorkloadTarget>,
) -> Digest {
    let mut digest = Digest::default();
    objects.into_iter().for_each(|row| digest += row.hash());
    workloads.into_iter().for_each(|row| digest += row.hash());
    digest
}

fn row_hash(kind: &[u8], uid: Uid, revision: u64, [replicas, ordinals]: [u32; 2], overrides: &str) -> u64 {
    let parts: [&[u8]; 4] = [kind, &uid.0.to_le_bytes(), &revision.to_le_bytes(), &replicas.to_le_bytes()];
    let ordinals = ordinals.to_le_bytes();
    // Builds that know of no ordinals, or overrides, take the same rows for the same, as long as there are none.
    let more = (ordinals != [0; 4]).then_some(&ordinals[..]);
    let overrides = [b"overrides", overrides.as_bytes()].into_iter().filter(|_| !overrides.is_empty());
    stable_hash(parts.into_iter().chain(more).chain(overrides))
}

/// Puts `newer` rows in the place of those of the same UID; `inherit` lets a new row take over from the old one: a
/// manifest not yet delivered must not be lost when a newer row, which counts on it, replaces its row.
fn overlay<T>(rows: &mut Vec<T>, newer: Vec<T>, uid: fn(&T) -> Uid, inherit: fn(T, &mut T)) {
    let mut by_uid: BTreeMap<Uid, T> = rows.drain(..).map(|row| (uid(&row), row)).collect();
    for mut row in newer {
        if let Some(old) = by_uid.remove(&uid(&row)) {
            inherit(old, &mut row);
        }
        by_uid.insert(uid(&row), row);
    }
    rows.extend(by_uid.into_values());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Epoch;

    fn row(uid: u128, revision: u64, replicas: u32, manifest: Option<&str>) -> WorkloadTarget {
        WorkloadTarget {
            uid: Uid(uid),
            workload: WorkloadId::new("default", "Deployment", "web").expect("a valid name"),
            api_version: "apps/v1".into(),
            revision,
            replicas,
            ordinals: 0,
            overrides: Arc::default(),
            manifest: manifest.map(Into::into),
            needs: manifest.map(|_| need()).into_iter().collect(),
            supervised: false,
            scale_only: false,
            charter: None,
            tolerates_drift: false,
            shown: false,
            adopts: None,
        }
    }

    fn need() -> Need {
        Need::Object(ObjectKey::new("v1", "Secret", "default", "pull").expect("valid"))
    }

    fn targets(base: u64, generation: u64, workloads: Vec<WorkloadTarget>) -> Targets {
        let fence = Fence { federation: Uid(1), epoch: Epoch(1), generation: Generation(generation) };
        Targets { fence, base: Generation(base), workloads, ..Targets::default() }
    }

    #[test]
    fn the_newest_row_wins_and_inherits_an_undelivered_manifest() {
        let mut waiting = targets(0, 3, vec![row(1, 1, 5, Some("{}")), row(2, 1, 5, Some("{}"))]);
        assert!(waiting.merge(targets(3, 4, vec![row(1, 1, 7, None)])));
        assert_eq!(waiting, targets(0, 4, vec![row(1, 1, 7, Some("{}")), row(2, 1, 5, Some("{}"))]));
    }

    #[test]
    fn needs_travel_with_the_manifest_alone() {
        let mut waiting = targets(0, 3, vec![row(1, 1, 5, Some("{}"))]);
        assert!(waiting.merge(targets(3, 4, vec![row(1, 1, 7, None)])));
        assert_eq!(waiting.workloads[0].needs, [need()], "inherited with an undelivered manifest");
        let newer = WorkloadTarget { needs: Vec::new(), ..row(1, 2, 7, Some("{}")) };
        assert!(waiting.merge(targets(4, 5, vec![newer])));
        assert_eq!(waiting.workloads[0].needs, [], "another revision has its own");
        let mut waiting = targets(2, 3, vec![row(1, 1, 5, None)]);
        assert!(waiting.merge(targets(3, 4, vec![row(1, 1, 7, None)])));
        assert_eq!(waiting.workloads[0].needs, []);
    }

    #[test]
    fn a_tombstone_takes_the_place_of_the_row() {
        let mut waiting = targets(0, 3, vec![row(1, 1, 5, Some("{}"))]);
        let what = Tombstoned::Object(ObjectKey::new("v1", "ConfigMap", "default", "c").expect("valid"));
        let end = Tombstone { uid: Uid(1), what };
        let newer = Targets { tombstones: vec![end.clone()], ..targets(3, 4, vec![]) };
        assert!(waiting.merge(newer));
        assert_eq!((waiting.workloads.len(), waiting.tombstones), (0, vec![end]));
    }

    #[test]
    fn changes_that_do_not_meet_are_not_merged() {
        let mut waiting = targets(0, 3, vec![row(1, 1, 5, Some("{}"))]);
        assert!(!waiting.merge(targets(4, 5, vec![row(1, 1, 7, None)])));
        assert_eq!(waiting.fence.generation, Generation(3));
        assert!(waiting.merge(targets(0, 9, vec![])), "a whole state replaces anything");
        assert_eq!(waiting.fence.generation, Generation(9));
    }

    #[test]
    fn the_digest_sees_every_part_of_a_row() {
        let digest = |row: &WorkloadTarget| rows_digest([], [row]);
        let base = row(1, 1, 1, None);
        let numbered = WorkloadTarget { ordinals: 10_000, ..base.clone() };
        let different = WorkloadTarget { overrides: "[{}]".into(), ..base.clone() };
        for other in [row(2, 1, 1, None), row(1, 2, 1, None), row(1, 1, 2, None), numbered, different] {
            assert_ne!(digest(&base), digest(&other));
        }
        assert_eq!(digest(&base), digest(&row(1, 1, 1, Some("the manifest is the revision's"))));
    }
}
