//! Ordered fallback groups: the first group that can hold all is used, and nothing runs in the others.

use crate::candidate::Candidate;
use crate::strategy::{Limit, Limits};

/// What a group holds, and could hold.
#[derive(Debug, Clone, Copy, Default)]
struct Group {
    kept: u64,
    cap: u64,
}

/// Whether the candidates are in more than one group.
pub(crate) fn matters(candidates: &[Candidate<'_>]) -> bool {
    candidates.iter().any(|candidate| candidate.fallback > 0)
}

/// Leaves all candidates outside of the chosen group without any room.
///
/// The first group that can hold all of `wanted` is chosen. Where replicas do not move for balance (`stay`), that is the
/// group that holds most of them, as long as it can hold all; and where no group can, it stays as well.
pub(crate) fn choose(wanted: u32, stay: bool, candidates: &[Candidate<'_>], limits: &mut [Limits]) {
    let last = candidates.iter().map(|candidate| candidate.fallback).max().unwrap_or(0);
    // Numbers come from the policy's list, which is short.
    let mut groups = vec![Group::default(); last as usize + 1];
    for (candidate, limits) in candidates.iter().zip(limits.iter()) {
        let group = &mut groups[candidate.fallback as usize];
        group.kept += u64::from(limits.kept);
        group.cap += u64::from(limits.cap);
    }
    let holds_all = |group: &Group| group.cap >= u64::from(wanted);
    // Of equals the first.
    let most = |key: fn(&Group) -> u64| {
        let best = groups.iter().enumerate().rev().max_by_key(|(_, group)| key(group));
        best.map_or(0, |(number, _)| number)
    };
    let home = most(|group| group.kept);
    let first = groups.iter().position(holds_all);
    let home = Some(home).filter(|home| groups[*home].kept > 0);
    let chosen = match (home.filter(|_| stay), first) {
        (Some(home), first) if holds_all(&groups[home]) || first.is_none() => home,
        (_, Some(first)) => first,
        (_, None) => most(|group| group.cap),
    };
    for (candidate, limits) in candidates.iter().zip(limits.iter_mut()) {
        if candidate.fallback as usize != chosen {
            (limits.cap, limits.floor, limits.kept) = (0, 0, 0);
            limits.limit = Limit::Fallback;
        }
    }
}
