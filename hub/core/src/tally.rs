//! Sums over the seats of a cluster, and over those of a workload, kept as the seats change.

use std::collections::BTreeMap;
use std::time::Duration;

/// One seat's part of a [`Tally`], and of [`Sums`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) placed: u32,
    /// What its cluster was told to run.
    pub(crate) told: u32,
    pub(crate) ready: u32,
    /// Ready copies that are to stay, as long as the cluster reports (S20).
    pub(crate) staying: u32,
    pub(crate) held_back: bool,
    /// Copies planned, told or seen.
    pub(crate) left: u32,
    /// The window of its policy, while there are any (S1).
    pub(crate) window: Option<Duration>,
}

/// Sums over the seats of a workload, kept as they change: a report costs the same in how many clusters it may run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    placed: u64,
    told: u64,
    staying: u64,
}

impl Sums {
    /// A seat's part has changed.
    pub(crate) fn change(&mut self, before: Share, after: Share) {
        let change = |sum: &mut u64, before: u32, after: u32| {
            *sum = sum.saturating_sub(before.into()).saturating_add(after.into());
        };
        change(&mut self.placed, before.placed, after.placed);
        change(&mut self.told, before.told, after.told);
        change(&mut self.staying, before.staying, after.staying);
    }

    /// How many are placed in all.
    pub(crate) fn placed(&self) -> u32 {
        narrow(self.placed)
    }

    /// What all clusters together were told to run, but for what some of them were.
    pub(crate) fn told_but(&self, some: u64) -> u32 {
        narrow(self.told.saturating_sub(some))
    }

    /// Ready copies that are to stay, in clusters that report.
    pub(crate) fn staying(&self) -> u32 {
        narrow(self.staying)
    }
}

fn narrow(sum: u64) -> u32 {
    u32::try_from(sum).unwrap_or(u32::MAX)
}

/// Sums over the seats of a cluster, kept as they change: looking at a cluster costs the same whatever it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Seats where something is placed, and how much in all.
    pub(crate) workloads: u32,
    pub(crate) replicas: u32,
    /// Ready copies, as last reported.
    pub(crate) ready: u32,
    /// Seats of which the guard holds a step back (S27).
    pub(crate) held_back: u32,
    /// Copies planned, told or seen.
    pub(crate) left: u32,
    /// The windows of the policies that have something here, and how many seats have each (S1).
    pub(crate) windows: BTreeMap<Duration, u32>,
}

impl Tally {
    /// A seat's part has changed.
    pub(crate) fn change(&mut self, before: Share, after: Share) {
        let change = |sum: &mut u32, before: u32, after: u32| {
            *sum = sum.saturating_sub(before).saturating_add(after);
        };
        change(&mut self.workloads, u32::from(before.placed > 0), u32::from(after.placed > 0));
        change(&mut self.replicas, before.placed, after.placed);
        change(&mut self.ready, before.ready, after.ready);
        change(&mut self.left, before.left, after.left);
        change(&mut self.held_back, u32::from(before.held_back), u32::from(after.held_back));
        if before.window == after.window {
            return;
        }
        if let Some(window) = before.window
            && let Some(seats) = self.windows.get_mut(&window)
        {
            *seats = seats.saturating_sub(1);
            if *seats == 0 {
                self.windows.remove(&window);
            }
        }
        if let Some(window) = after.window {
            *self.windows.entry(window).or_default() += 1;
        }
    }
}
