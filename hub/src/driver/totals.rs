//! Sums over the whole view, kept by what changes: reading them costs the same with one workload as with a million.

use godwit_hub_core::{ClusterState, ClusterView, MigrationState, MigrationView, WorkloadView};

use super::shortages::Shortages;
use super::shown::Shown;

/// All sums. Cloning them is cheap, as with the view: they hold no more than one number for a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) clusters: ClusterTotals,
    pub(crate) shortages: Shortages,
    pub(crate) workloads: WorkloadTotals,
    pub(crate) migrations: MigrationTotals,
}

/// Over all clusters: how many are in each state, and what they have together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ClusterTotals {
    /// In the order of [`Shown::ALL`].
    pub(crate) states: [u64; Shown::ALL.len()],
    /// Connected, whatever an operator or a fault makes of them.
    pub(crate) connected: u64,
    pub(crate) cordoned: u64,
    pub(crate) flapping: u64,
    pub(crate) survives: u64,
    pub(crate) short: u64,
    pub(crate) unchecked: u64,
    pub(crate) agents: u64,
    pub(crate) removals_held: u64,
    pub(crate) orphans: u64,
}

/// Over all workloads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct WorkloadTotals {
    /// Those that are wanted: not the ones that are ending.
    pub(crate) count: u64,
    pub(crate) replicas: u64,
    pub(crate) wanted: u64,
    pub(crate) placed: u64,
    pub(crate) ready: u64,
    pub(crate) pending: u64,
    pub(crate) possible_over_run: u64,
    /// In how many clusters they differ from what those were told, over all of them.
    pub(crate) drifted: u64,
}

/// Over all migrations that are kept: how many are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MigrationTotals {
    pub(crate) running: u64,
    pub(crate) paused: u64,
    pub(crate) cancelled: u64,
    pub(crate) completed: u64,
}

/// Sums in which each item of one kind has its part.
pub(super) trait Sums: Default {
    type Item;

    /// The part of one item.
    fn of(item: &Self::Item) -> Self;

    /// Every sum, always in the same order.
    fn each(&mut self) -> impl Iterator<Item = &mut u64>;

    /// An item has changed, come or gone.
    fn change(&mut self, old: Option<&Self::Item>, new: Option<&Self::Item>) {
        let of = |item: Option<&Self::Item>| item.map(Self::of).unwrap_or_default();
        let (mut old, mut new) = (of(old), of(new));
        for ((sum, old), new) in self.each().zip(old.each()).zip(new.each()) {
            *sum = sum.saturating_sub(*old).saturating_add(*new);
        }
    }
}

impl ClusterTotals {
    /// How many clusters are in each state, zeros included.
    pub(crate) fn by_state(&self) -> impl Iterator<Item = (Shown, u64)> {
        Shown::ALL.into_iter().zip(self.states)
    }

    /// How many clusters the federation could lose, each alone, with nothing left without a place; how many not; and of
    /// how many that is not known.
    pub(crate) fn by_verdict(&self) -> [(&'static str, u64); 3] {
        [("survives", self.survives), ("short", self.short), ("unknown", self.unchecked)]
    }
}

impl Sums for ClusterTotals {
    type Item = ClusterView;

    fn of(cluster: &ClusterView) -> Self {
        let shown = Shown::of(cluster);
        let mut part = Self {
            states: Shown::ALL.map(|state| u64::from(state == shown)),
            connected: u64::from(cluster.state == ClusterState::Ready),
            cordoned: u64::from(cluster.cordoned),
            flapping: u64::from(cluster.flapping.is_some()),
            agents: u64::from(cluster.agents),
            removals_held: u64::from(cluster.removals_held),
            orphans: cluster.orphans.len() as u64,
            ..Self::default()
        };
        let verdict = match &cluster.survival {
            None => &mut part.unchecked,
            Some(survival) if survival.unplaced == 0 => &mut part.survives,
            Some(_) => &mut part.short,
        };
        *verdict = 1;
        part
    }

    fn each(&mut self) -> impl Iterator<Item = &mut u64> {
        let Self {
            states,
            connected,
            cordoned,
            flapping,
            survives,
            short,
            unchecked,
            agents,
            removals_held,
            orphans,
        } = self;
        let sums =
            [connected, cordoned, flapping, survives, short, unchecked, agents, removals_held, orphans];
        states.iter_mut().chain(sums)
    }
}

impl Sums for WorkloadTotals {
    type Item = WorkloadView;

    fn of(workload: &WorkloadView) -> Self {
        Self {
            count: u64::from(!workload.deleting),
            replicas: u64::from(workload.replicas),
            wanted: u64::from(workload.wanted),
            placed: workload.placements.iter().map(|placement| u64::from(placement.target)).sum(),
            ready: u64::from(workload.ready),
            pending: u64::from(workload.pending),
            possible_over_run: u64::from(workload.possible_over_run),
            drifted: workload.placements.iter().filter(|placement| placement.is_drifted()).count() as u64,
        }
    }

    fn each(&mut self) -> impl Iterator<Item = &mut u64> {
        let Self { count, replicas, wanted, placed, ready, pending, possible_over_run, drifted } = self;
        [count, replicas, wanted, placed, ready, pending, possible_over_run, drifted].into_iter()
    }
}

impl MigrationTotals {
    /// How many migrations are in each state, zeros included.
    pub(crate) fn by_state(&self) -> [(MigrationState, u64); 4] {
        let Self { running, paused, cancelled, completed } = *self;
        [
            (MigrationState::Running, running),
            (MigrationState::Paused, paused),
            (MigrationState::Cancelled, cancelled),
            (MigrationState::Completed, completed),
        ]
    }
}

impl Sums for MigrationTotals {
    type Item = MigrationView;

    fn of(migration: &MigrationView) -> Self {
        let mut part = Self::default();
        let count = match migration.state {
            MigrationState::Running => &mut part.running,
            MigrationState::Paused => &mut part.paused,
            MigrationState::Cancelled => &mut part.cancelled,
            MigrationState::Completed => &mut part.completed,
        };
        *count = 1;
        part
    }

    fn each(&mut self) -> impl Iterator<Item = &mut u64> {
        let Self { running, paused, cancelled, completed } = self;
        [running, paused, cancelled, completed].into_iter()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use godwit_common::{Generation, Resources, Traits, Uid, WallTime, WorkloadId};
    use godwit_hub_core::OrphanView;
    use godwit_hub_core::Survival;

    use super::*;
    use crate::driver::View;

    impl Totals {
        /// Summed anew, which only a test may do.
        pub(in crate::driver) fn over(view: &View) -> Self {
            let mut totals = Self::default();
            view.clusters.values().for_each(|cluster| totals.clusters.change(None, Some(cluster)));
            view.clusters.values().for_each(|cluster| totals.shortages.change(None, Some(cluster)));
            view.workloads.values().for_each(|workload| totals.workloads.change(None, Some(workload)));
            view.migrations.values().for_each(|migration| totals.migrations.change(None, Some(migration)));
            totals
        }
    }

    #[test]
    fn each_state_counts_for_itself_and_what_goes_takes_its_part_along() {
        let mut totals = ClusterTotals::default();
        let ready = cluster(ClusterState::Ready, 2, 0);
        totals.change(None, Some(&ready));
        assert_eq!((totals.connected, totals.agents, totals.orphans), (1, 2, 0));
        let degraded = ClusterView { degraded: "2 of 3 nodes".into(), ..cluster(ClusterState::Ready, 1, 3) };
        totals.change(Some(&ready), Some(&degraded));
        let expected: Vec<_> =
            Shown::ALL.into_iter().map(|state| (state, u64::from(state == Shown::Degraded))).collect();
        assert_eq!(totals.by_state().collect::<Vec<_>>(), expected);
        assert_eq!((totals.connected, totals.agents, totals.removals_held, totals.orphans), (1, 1, 4, 3));
        let marked = ClusterView { cordoned: true, ..cluster(ClusterState::Suspect, 0, 0) };
        totals.change(Some(&degraded), Some(&marked));
        assert_eq!((totals.connected, totals.cordoned), (0, 1));
        totals.change(Some(&marked), None);
        assert_eq!(totals, ClusterTotals::default());
    }

    #[test]
    fn the_largest_shortage_is_known_whatever_comes_and_goes() {
        let (mut totals, mut shortages) = (ClusterTotals::default(), Shortages::default());
        let with = |unplaced: Option<u64>| ClusterView {
            survival: unplaced.map(|unplaced| Survival {
                unplaced,
                workloads: 1,
                examples: Vec::new(),
                checked: WallTime(0),
            }),
            ..cluster(ClusterState::Ready, 0, 0)
        };
        let mut change = |old: Option<Option<u64>>, new: Option<Option<u64>>| {
            let (old, new) = (old.map(with), new.map(with));
            totals.change(old.as_ref(), new.as_ref());
            shortages.change(old.as_ref(), new.as_ref());
            (totals.by_verdict().map(|(_, clusters)| clusters), shortages.largest())
        };
        assert_eq!(change(None, Some(None)), ([0, 0, 1], 0));
        assert_eq!(change(Some(None), Some(Some(0))), ([1, 0, 0], 0));
        assert_eq!(change(None, Some(Some(7))), ([1, 1, 0], 7));
        assert_eq!(change(None, Some(Some(7))), ([1, 2, 0], 7));
        assert_eq!(change(None, Some(Some(3))), ([1, 3, 0], 7));
        assert_eq!(change(Some(Some(7)), Some(Some(9))), ([1, 3, 0], 9));
        assert_eq!(change(Some(Some(9)), None), ([1, 2, 0], 7));
        assert_eq!(change(Some(Some(7)), Some(Some(0))), ([2, 1, 0], 3));
        assert_eq!(change(Some(Some(3)), Some(None)), ([2, 0, 1], 0));
    }

    fn cluster(state: ClusterState, agents: u32, orphans: usize) -> ClusterView {
        let workload = WorkloadId::new("default", "Deployment", "web").unwrap();
        let orphan = OrphanView { workload, uid: Uid(7), revision: 1, pods: 2, ready: 1 };
        ClusterView {
            name: "east".parse().unwrap(),
            uid: Uid(1),
            claimant: None,
            state,
            reason: "".into(),
            since: WallTime(0),
            agents,
            leader: "".into(),
            traits: Traits::default(),
            taints: Vec::new(),
            cordoned: false,
            drain: None,
            maintenance: None,
            awaited: None,
            dead: None,
            unaccounted: 0,
            gate: None,
            degraded: "".into(),
            flapping: None,
            survival: None,
            nodes: 0,
            nodes_ready: 0,
            allocatable: Resources::default(),
            free: Resources::default(),
            unmanaged: Default::default(),
            workloads: 0,
            replicas: 0,
            ready: 0,
            generation: Generation(0),
            accepted: Generation(0),
            last_seen: WallTime(0),
            removals_held: 4 * u32::from(orphans > 0),
            orphans: vec![orphan; orphans],
            lost_after: Duration::ZERO,
        }
    }
}
