//! The largest shortage that the loss of one cluster would lead to.

use godwit_common::Tally;
use godwit_hub_core::ClusterView;

/// How many clusters would leave how many replicas without a place if they were lost. The largest of a set is no sum: it
/// cannot be kept by differences alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shortages(Tally<u64>);

impl Shortages {
    /// The largest; zero when every cluster that was looked at can be lost.
    pub(crate) fn largest(&self) -> u64 {
        self.0.kinds().next_back().copied().unwrap_or(0)
    }

    /// A cluster has changed, come or gone.
    pub(super) fn change(&mut self, old: Option<&ClusterView>, new: Option<&ClusterView>) {
        let of = |cluster: Option<&ClusterView>| {
            let survival = cluster.and_then(|cluster| cluster.survival.as_ref());
            survival.map(|survival| survival.unplaced).filter(|unplaced| *unplaced > 0)
        };
        of(old).iter().for_each(|unplaced| self.0.remove(unplaced));
        of(new).into_iter().for_each(|unplaced| self.0.add(unplaced));
    }
}

#[cfg(test)]
impl Shortages {
    /// One cluster, whose loss would leave so many replicas without a place.
    pub(crate) fn of(unplaced: u64) -> Self {
        let mut tally = Tally::default();
        tally.add(unplaced);
        Self(tally)
    }
}
