//! A heap for one workload after the other, and nothing else: no policy, no quota, no reasons. Everything that the decision
//! is made from lies in arrays before the time is taken, and the answer is the hub's.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use anyhow::{Result, ensure};
use godwit_common::{ClusterName, PodShape, WorkloadId};
use godwit_hub_core::WhatIfView;
use godwit_planner::{ClusterRoom, Tie};

/// What is lost with one cluster, and where it could go.
pub(crate) struct Baseline<'f> {
    pub(crate) lost: Vec<Lost>,
    /// By the index of the cluster.
    pub(crate) places: Vec<Place<'f>>,
}

/// A workload that lost one replica.
pub(crate) struct Lost {
    pub(crate) id: WorkloadId,
    pub(crate) pod: PodShape,
    /// Its other clusters, each with one replica.
    pub(crate) others: Vec<usize>,
}

pub(crate) struct Place<'f> {
    pub(crate) name: &'f ClusterName,
    pub(crate) room: ClusterRoom,
}

/// The cluster that each lost replica goes to; none for one that finds no room.
pub(crate) type Answer = Vec<Option<usize>>;

impl Baseline<'_> {
    /// The rooms before anything is taken.
    pub(crate) fn rooms(&self) -> Vec<ClusterRoom> {
        self.places.iter().map(|place| place.room.clone()).collect()
    }

    /// Gives each lost replica the seat of the highest priority, and takes its room.
    pub(crate) fn place(&self, rooms: &mut [ClusterRoom]) -> Answer {
        // Names are hashed once, as in a batch of the hub.
        let hashes: Vec<u64> = self.places.iter().map(|place| Tie::hash(place.name)).collect();
        let mut heap = BinaryHeap::new();
        let place = |lost: &Lost| {
            let ties = Tie::of(Some(&lost.id));
            heap.clear();
            for index in lost.others.iter().copied() {
                if rooms[index].fits(&lost.pod, 1).replicas > 0 {
                    // One replica runs there: the next has the quotient 3, everywhere.
                    heap.push(Reverse((3, ties.with(hashes[index]), index)));
                }
            }
            let Reverse((_, _, index)) = heap.pop()?;
            rooms[index].take(&lost.pod, 1);
            Some(index)
        };
        self.lost.iter().map(place).collect()
    }

    /// Whether the hub says the same, as far as its answer names the changes.
    pub(crate) fn compare(&self, answer: &Answer, view: &WhatIfView) -> Result<()> {
        ensure!(view.changes.total == self.lost.len() as u64, "not all that is lost is planned");
        ensure!(!view.changes.plans.is_empty(), "the answer names no change");
        for ((change, lost), index) in view.changes.plans.iter().zip(&self.lost).zip(answer) {
            ensure!(change.id == lost.id, "{} comes before {}", change.id, lost.id);
            let gains = change.counts.iter().find(|(_, before, after)| before < after);
            let (hub, here) = (gains.map(|(name, ..)| name), index.map(|index| self.places[index].name));
            ensure!(hub == here, "{} goes to {hub:?}, or to {here:?}", lost.id);
        }
        Ok(())
    }
}
