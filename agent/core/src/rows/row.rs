//! One row, and how far it is: an object to be held, and what may be different from it.

use std::sync::Arc;

use godwit_common::bounds::Bounds;
use godwit_common::link::{Charter, Difference, Original};
use godwit_common::{Generation, Need, ObjectKey, Time, WorkloadId, WorkloadKind};

use super::{Attempts, Sight, workload_of};

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
    pub(super) needs: Arc<[Need]>,
    /// Its pods have a supervisor (S9).
    pub(crate) supervised: bool,
    /// Only its count is written (S33).
    pub(crate) scale_only: bool,
    /// The object of this UID becomes Godwit's, although it does not say so (S34).
    pub(crate) adopts: Option<Original>,
    pub(super) hash: u64,
    /// The oldest generation that this state of the row may belong to.
    pub(super) since: Generation,
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

/// The order of application: what others need goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Namespaces, and definitions of kinds.
    Ground,
    /// Objects that workloads lean on.
    Object,
    Workload,
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

    pub(crate) fn sight(&self) -> Sight {
        match (self.replicas, self.scale_only) {
            (None, _) => Sight::Object,
            (Some(_), false) => Sight::Workload,
            (Some(_), true) => Sight::Scaled,
        }
    }

    pub(super) fn new(
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
