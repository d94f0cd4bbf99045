//! One workload at a time, as a controller does it that reconciles object by object: for each, a heap over its clusters,
//! replica by replica, against rooms that are kept by name.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::fleet::Fleet;

/// Gives what each of so many workloads has lost with the first cluster to its other clusters. Returns how many were
/// placed.
pub(crate) fn one_at_a_time(fleet: &Fleet, lost: usize) -> u64 {
    let mut rooms: BTreeMap<String, u64> =
        (0..fleet.clusters()).map(|index| (fleet.name(index).to_string(), 100_000)).collect();
    let mut placed = 0;
    for _ in 0..lost {
        let mut heap: BinaryHeap<Reverse<(u64, String)>> = BinaryHeap::new();
        for index in 1..fleet.eligible {
            let name = fleet.name(index).to_string();
            if rooms.get(&name).is_some_and(|room| *room > 0) {
                // One replica runs there: the next has the quotient 3.
                heap.push(Reverse((3, name)));
            }
        }
        if let Some(Reverse((_, name))) = heap.pop()
            && let Some(room) = rooms.get_mut(&name)
        {
            *room -= 1;
            placed += 1;
        }
    }
    placed
}
