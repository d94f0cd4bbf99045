//! The largest shortage that the loss of one cluster would lead to.

use godwit_hub_core::ClusterView;
use imbl::OrdMap;

/// How many clusters would leave how many replicas without a place if they were lost. The largest of a set is no sum: it
/// cannot be kept by differences alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shortages(OrdMap<u64, u64>);

impl Shortages {
    /// The largest; zero when every cluster that was looked at can be lost.
    pub(crate) fn largest(&self) -> u64 {
        self.0.get_max().map_or(0, |(unplaced, _)| *unplaced)
    }

    /// A cluster has changed, come or gone.
    pub(super) fn change(&mut self, old: Option<&ClusterView>, new: Option<&ClusterView>) {
        let of = |cluster: Option<&ClusterView>| {
            let survival = cluster.and_then(|cluster| cluster.survival.as_ref());
            survival.map(|survival| survival.unplaced).filter(|unplaced| *unplaced > 0)
        };
        let (old, new) = (of(old), of(new));
        if old == new {
            return;
        }
        if let Some(old) = old {
            match self.0.get(&old).copied() {
                Some(clusters) if clusters > 1 => self.0.insert(old, clusters - 1),
                Some(_) | None => self.0.remove(&old),
            };
        }
        if let Some(new) = new {
            *self.0.entry(new).or_insert(0) += 1;
        }
    }
}

#[cfg(test)]
impl Shortages {
    /// One cluster, whose loss would leave so many replicas without a place.
    pub(crate) fn of(unplaced: u64) -> Self {
        Self(OrdMap::unit(unplaced, 1))
    }
}
