//! What a row is made of: the target that was sent, and what of it is held already.

use std::sync::Arc;

use godwit_common::link::{ObjectTarget, WorkloadTarget};
use godwit_common::{Generation, Uid};

use super::{Drift, Row, Rows, key_of};

impl Rows {
    pub(super) fn row_from_object(&self, target: &ObjectTarget, since: Generation) -> Row {
        let manifest = self.manifest(target.uid, &target.manifest);
        let row = Row::new(target.key.clone(), target.revision, None, manifest, target.hash(), since);
        // It has no number: whether it was once as it was told, its stamp says.
        let drift = Drift { tolerated: target.tolerates_drift, shown: true, ..Drift::default() };
        let overrides = target.overrides.clone();
        let unkept = self.unkept(target.uid, target.revision, &overrides);
        Row { bounds: target.bounds, overrides, adopts: target.adopts, drift, unkept, ..row }
    }

    pub(super) fn row_from_workload(&self, target: &WorkloadTarget, since: Generation) -> Row {
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
