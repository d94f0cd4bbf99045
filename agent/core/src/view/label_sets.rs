//! Sets of labels, of which equal ones are kept once.

use std::collections::BTreeSet;
use std::sync::Arc;

use godwit_common::selector::Labels;

/// So many sets of labels are kept, whether anybody has them or not.
const SETS_MIN: usize = 100;

/// Sets of labels, of which equal ones are kept once: the pods of a workload have the same.
#[derive(Debug, Default)]
pub(super) struct LabelSets {
    sets: BTreeSet<Arc<Labels>>,
    /// How many there were when those were dropped that nobody has any more.
    kept: usize,
}

impl LabelSets {
    pub(super) fn shared(&mut self, labels: Arc<Labels>) -> Arc<Labels> {
        if let Some(known) = self.sets.get(&labels) {
            return known.clone();
        }
        if self.sets.len() > 2 * self.kept + SETS_MIN {
            self.sets.retain(|labels| Arc::strong_count(labels) > 1);
            self.kept = self.sets.len();
        }
        self.sets.insert(labels.clone());
        labels
    }
}
