//! A life that has ended, and how far its removal is.

use std::sync::Arc;

use godwit_common::{ObjectKey, WorkloadId};

use super::{Attempts, Sight};

/// What is never removed implicitly: it may hold what no manifest can bring back (S28).
const KEPT_KINDS: [&str; 3] = ["Namespace", "CustomResourceDefinition", "PersistentVolumeClaim"];

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

impl Grave {
    pub(crate) fn sight(&self) -> Sight {
        match (&self.workload, self.kept) {
            (None, _) => Sight::Object,
            (Some(_), false) => Sight::Workload,
            (Some(_), true) => Sight::Scaled,
        }
    }
}

/// Whether removing it is left to people.
pub(crate) fn is_kept(key: &ObjectKey) -> bool {
    KEPT_KINDS.contains(&&*key.kind)
}
