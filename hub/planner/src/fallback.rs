//! Ordered fallback groups: the first group that can hold all is used, and nothing runs in the others.
//!
//! Where replicas do not move for balance, a group is not left as long as it can hold all. On the way back, a step at a
//! time, two groups are in use: what runs in either stays, and what is new goes to the earlier one.

use crate::candidate::Candidate;
use crate::groups::Held;
use crate::strategy::{Limit, Limits};

/// What the candidates of a group may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// What they can.
    All,
    /// What they hold.
    Kept,
    /// Nothing.
    None,
}

/// How many groups the candidates are in.
pub(crate) fn count(candidates: &[Candidate<'_>]) -> u32 {
    candidates.iter().map(|candidate| candidate.fallback).max().map_or(1, |last| last.saturating_add(1))
}

/// Restricts all candidates to the parts of their groups.
pub(crate) fn restrict(parts: &[Part], candidates: &[Candidate<'_>], limits: &mut [Limits]) {
    for (candidate, limits) in candidates.iter().zip(limits.iter_mut()) {
        let most = match parts.get(candidate.fallback as usize) {
            Some(Part::All) => continue,
            Some(Part::Kept) => limits.kept,
            Some(Part::None) | None => 0,
        };
        (limits.cap, limits.kept) = (most, limits.kept.min(most));
        limits.floor = limits.floor.min(most);
        limits.limit = Limit::Fallback;
    }
}

/// The part of each group, given what each holds, and could hold.
pub(crate) fn parts(wanted: u32, stay: bool, groups: &[Held]) -> Vec<Part> {
    let holds_all = |group: &Held| group.cap >= u64::from(wanted);
    // Of equals the first.
    let most = |key: fn(&Held) -> u64| {
        let best = groups.iter().enumerate().rev().max_by_key(|(_, group)| key(group));
        best.map_or(0, |(number, _)| number)
    };
    let home = Some(most(|group| group.kept)).filter(|home| stay && groups[*home].kept > 0);
    let first = groups.iter().position(holds_all);
    let used = match (home, first) {
        // On the way there already.
        (Some(_), Some(first)) if groups[first].kept > 0 => first,
        (Some(home), first) if holds_all(&groups[home]) || first.is_none() => home,
        (_, Some(first)) => first,
        (_, None) => most(|group| group.cap),
    };
    let part = |(number, group): (usize, &Held)| match number == used {
        true => Part::All,
        false if stay && holds_all(group) => Part::Kept,
        false => Part::None,
    };
    groups.iter().enumerate().map(part).collect()
}
