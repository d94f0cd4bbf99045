//! What others would do.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use godwit_common::policy::Rule;
use godwit_planner::Candidate;

/// Webster's method as it is usually written: a heap gives replica after replica to the cluster with the highest
/// priority. Exact, but its cost grows with the replicas.
pub(crate) fn heap(replicas: u32, fleet: &[Candidate<'_>]) -> Vec<u32> {
    let mut heap: BinaryHeap<Reverse<Entry>> = fleet
        .iter()
        .enumerate()
        .map(|(index, candidate)| Reverse(Entry { odd: 1, weight: weight(candidate), index }))
        .collect();
    let mut counts = vec![0; fleet.len()];
    for _ in 0..replicas {
        let Some(mut top) = heap.peek_mut() else { break };
        counts[top.0.index] += 1;
        top.0.odd += 2;
    }
    counts
}

/// A cluster by its next quotient `odd / weight`; the names of the fleet are in the order of its indices.
#[derive(PartialEq, Eq)]
struct Entry {
    odd: u64,
    weight: u64,
    index: usize,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let quotients = (self.odd * other.weight).cmp(&(other.odd * self.weight));
        quotients.then(self.odd.cmp(&other.odd)).then(self.index.cmp(&other.index))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The largest remainders (Hamilton's method), the usual way to divide by static weights: its cost does not grow with
/// the replicas either, but one more replica may take one away from a cluster (the Alabama paradox).
pub(crate) fn largest_remainder(replicas: u32, fleet: &[Candidate<'_>]) -> Vec<u32> {
    let total: u64 = fleet.iter().map(weight).sum::<u64>().max(1);
    let product = |candidate| weight(candidate) * u64::from(replicas);
    let mut counts: Vec<u32> = fleet.iter().map(|candidate| (product(candidate) / total) as u32).collect();
    let mut order: Vec<usize> = (0..fleet.len()).collect();
    order.sort_by_cached_key(|index| (Reverse(product(&fleet[*index]) % total), *index));
    let given: u64 = counts.iter().copied().map(u64::from).sum();
    for index in order.into_iter().take((u64::from(replicas) - given) as usize) {
        counts[index] += 1;
    }
    counts
}

fn weight(candidate: &Candidate<'_>) -> u64 {
    candidate.rule.map_or(0, Rule::weight).into()
}
