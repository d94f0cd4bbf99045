//! The planner's rules as they are spoken: one replica at a time, the slow and plain way.

use std::cmp::Ordering;

use godwit_planner::{Candidate, Growth, Room, Rule};

/// The policy's own division.
pub(crate) fn own(wanted: u32, candidates: &[Candidate<'_>]) -> Vec<u32> {
    let mut counts = vec![0; candidates.len()];
    give(wanted, candidates, &mut counts);
    counts
}

/// What is held, clipped; then the missing given, or the surplus taken, one by one.
pub(crate) fn keep(wanted: u32, candidates: &[Candidate<'_>]) -> Vec<u32> {
    let mut counts: Vec<u32> = candidates.iter().map(|c| c.held.min(most(c))).collect();
    let placed: u32 = counts.iter().sum();
    for _ in wanted..placed {
        let last = (0..counts.len())
            .filter(|i| counts[*i] > 0)
            .max_by(|i, j| before(candidates, (*i, counts[*i] - 1), (*j, counts[*j] - 1)));
        counts[last.expect("a surplus is held by somebody")] -= 1;
    }
    give(wanted.saturating_sub(placed), candidates, &mut counts);
    counts
}

fn give(seats: u32, candidates: &[Candidate<'_>], counts: &mut [u32]) {
    for _ in 0..seats {
        let first = (0..counts.len())
            .filter(|i| counts[*i] < cap(&candidates[*i]))
            .min_by(|i, j| before(candidates, (*i, counts[*i]), (*j, counts[*j])));
        let Some(first) = first else { return };
        counts[first] += 1;
    }
}

/// Which of two clusters gets its next replica first, given how many each has.
pub(crate) fn before(
    candidates: &[Candidate<'_>],
    (i, has_i): (usize, u32),
    (j, has_j): (usize, u32),
) -> Ordering {
    let (a, b) = (&candidates[i], &candidates[j]);
    let beyond_minimum = |c: &Candidate<'_>, has: u32| has >= rule(c).min();
    let priority = |c: &Candidate<'_>| i128::from(rule(c).weight());
    // a / (2x + 1) > b / (2y + 1), multiplied out; a weight of zero makes it a priority of zero.
    let a_first = priority(a) * (2 * i128::from(has_j) + 1);
    let b_first = priority(b) * (2 * i128::from(has_i) + 1);
    let names = || a.cluster.cmp(b.cluster);
    match (beyond_minimum(a, has_i), beyond_minimum(b, has_j)) {
        (false, true) => Ordering::Less,
        (true, false) => Ordering::Greater,
        (false, false) => priority(b).cmp(&priority(a)).then_with(names).then(has_i.cmp(&has_j)),
        (true, true) => {
            let by_weight = b_first.cmp(&a_first).then(has_i.cmp(&has_j));
            by_weight.then(a.tie.cmp(&b.tie)).then_with(names)
        }
    }
}

/// The most that a cluster may hold, its weight included.
pub(crate) fn cap(c: &Candidate<'_>) -> u32 {
    match rule(c).weight() {
        0 => most(c).min(rule(c).min().max(c.held)),
        _ => most(c),
    }
}

/// The most that a cluster may hold by policy, room and state.
pub(crate) fn most(c: &Candidate<'_>) -> u32 {
    let room = match c.room {
        Room::Unlimited => u32::MAX,
        Room::Limited { replicas, .. } => replicas,
    };
    let growth = match (c.growth, c.rule) {
        (Growth::Excluded(_), _) | (_, None) => 0,
        (Growth::Closed(_), Some(_)) => c.held,
        (Growth::Allowed, Some(_)) => u32::MAX,
    };
    room.min(growth).min(rule(c).max().unwrap_or(u32::MAX))
}

fn rule(c: &Candidate<'_>) -> Rule {
    c.rule.unwrap_or_default()
}
