//! How a new revision goes over the clusters (S31).

use std::time::Duration;

use super::ClusterSelector;
use crate::ClusterName;
use crate::traits::Traits;

/// How a new revision goes over the clusters, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// Which clusters come first: those of the first selector, then those of the next; all others come after them.
    pub order: Vec<ClusterSelector>,
    /// How many clusters may be on their way to it at once; at least one.
    pub max_clusters_at_once: u32,
    /// After the first cluster it waits until an operator lets it go on.
    pub pause_after_first: bool,
    /// What happens when it fails in a cluster.
    pub on_failure: OnFailure,
    /// How long a cluster may show no progress before it has failed there.
    pub progress_deadline: Duration,
}

/// What happens to a revision that fails in a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum OnFailure {
    /// Everything stays as it is, until an operator says what is to be done.
    #[default]
    Stop,
    /// All clusters get the newest other revision that was ready somewhere.
    Rollback,
}

impl Default for Rollout {
    fn default() -> Self {
        Self {
            order: Vec::new(),
            max_clusters_at_once: 1,
            pause_after_first: false,
            on_failure: OnFailure::default(),
            progress_deadline: Duration::from_secs(600),
        }
    }
}

impl Rollout {
    /// The place of a cluster in the order; the lower comes first.
    pub fn place_of(&self, cluster: &ClusterName, traits: &Traits) -> usize {
        let found = self.order.iter().position(|selector| selector.matches(cluster, traits));
        found.unwrap_or(self.order.len())
    }
}

impl OnFailure {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Stop, Self::Rollback];

    /// Its name, as policies write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Rollback => "rollback",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_come_in_the_order_of_the_selectors_and_the_others_after_them() {
        let [canary, east, west] =
            ["canary", "east", "west"].map(|name| name.parse::<ClusterName>().unwrap());
        let eu = ClusterSelector { regions: ["eu".into()].into(), ..ClusterSelector::default() };
        let order = vec![ClusterSelector::of_names([canary.clone()]), eu];
        let rollout = Rollout { order, ..Rollout::default() };
        let traits = |region: &str| Traits { region: region.into(), ..Traits::default() };
        assert_eq!(rollout.place_of(&canary, &traits("eu")), 0);
        assert_eq!(rollout.place_of(&east, &traits("eu")), 1);
        assert_eq!(rollout.place_of(&west, &traits("us")), 2);
    }
}
