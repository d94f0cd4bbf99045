//! What holds for every spread over groups of clusters, and for fallback groups.

use godwit_common::ClusterName;
use godwit_common::policy::{GroupBy, Rule, SpreadConstraint, Strategy};
use godwit_planner::{Barrier, Bound, Candidate, Demand, Growth, Room, Scarce, Scratch, bounds, divide};
use proptest::prelude::{Strategy as Draw, *};

/// A cluster as drawn; its name comes from its index.
#[derive(Debug, Clone)]
struct Drawn {
    held: u32,
    room: Option<u32>,
    growth: Growth,
    avoided: bool,
    groups: Vec<Option<u32>>,
    fallback: u32,
    tie: u64,
}

fn clusters(levels: usize, fallbacks: u32) -> impl Draw<Value = Vec<Drawn>> {
    let growth = prop_oneof![
        8 => Just(Growth::Allowed),
        1 => Just(Growth::Closed(Barrier::Suspect)),
        1 => Just(Growth::Excluded(Barrier::Lost)),
    ];
    let room = prop_oneof![1 => Just(None), 2 => (0..30_u32).prop_map(Some)];
    let group = prop_oneof![1 => Just(None), 9 => (0..4_u32).prop_map(Some)];
    let groups = prop::collection::vec(group, levels);
    let held = prop_oneof![2 => Just(0), 1 => 0..20_u32];
    let drawn = (held, room, growth, prop::bool::weighted(0.1), groups, 0..=fallbacks, 0..3_u64).prop_map(
        |(held, room, growth, avoided, groups, fallback, tie)| Drawn {
            held,
            room,
            growth,
            avoided,
            groups,
            fallback,
            tie,
        },
    );
    prop::collection::vec(drawn, 0..12)
}

fn constraints(levels: usize) -> impl Draw<Value = Vec<SpreadConstraint>> {
    let bound = |most: u32| prop_oneof![1 => Just(None), 1 => (1..most).prop_map(Some)];
    let constraint =
        (bound(4), bound(4), bound(6), any::<bool>()).prop_map(|(min_groups, max_groups, max_skew, soft)| {
            let by = GroupBy::Label("group".into());
            SpreadConstraint { by, min_groups, max_groups, max_skew, soft }
        });
    prop::collection::vec(constraint, levels)
}

/// Constraints that only make groups, and clusters within them.
fn plain(levels: usize) -> Vec<SpreadConstraint> {
    let by = GroupBy::Label("group".into());
    let one = SpreadConstraint { by, min_groups: None, max_groups: None, max_skew: None, soft: true };
    vec![one; levels]
}

fn names(count: usize) -> Vec<ClusterName> {
    (0..count).map(|index| format!("c{index:04}").parse().expect("an RFC 1123 label")).collect()
}

fn candidates<'a>(drawn: &'a [Drawn], names: &'a [ClusterName]) -> Vec<Candidate<'a>> {
    let candidate = |(drawn, cluster): (&'a Drawn, &'a ClusterName)| Candidate {
        cluster,
        rule: Ok(Rule::default()),
        held: drawn.held,
        room: drawn.room.map_or(Room::Unlimited, |replicas| Room::Limited { replicas, scarce: Scarce::Cpu }),
        growth: drawn.growth.clone(),
        avoided: drawn.avoided,
        tier: 0,
        fallback: drawn.fallback,
        groups: &drawn.groups,
        tie: drawn.tie,
    };
    drawn.iter().zip(names).map(candidate).collect()
}

fn counts(wanted: u32, moves: u32, strategy: &Strategy, candidates: &[Candidate<'_>]) -> Vec<u32> {
    let demand = Demand { replicas: wanted, at_most: u32::MAX, moves, strategy };
    divide(&demand, candidates, &mut Scratch::default()).counts.to_vec()
}

fn sum(counts: &[u32]) -> u64 {
    counts.iter().map(|count| u64::from(*count)).sum()
}

/// The most that a cluster may hold by itself.
fn most(candidate: &Candidate<'_>) -> u32 {
    let growth = match &candidate.growth {
        Growth::Allowed => u32::MAX,
        Growth::Closed(_) => candidate.held,
        Growth::Excluded(_) => 0,
    };
    candidate.room.total().min(growth)
}

/// One seat after the other: to the emptiest group that can take it, and within it likewise.
fn greedy(candidates: &[Candidate<'_>], start: Vec<u32>, give: u64) -> Vec<u32> {
    let mut counts = start;
    for _ in 0..give {
        let mut members: Vec<usize> =
            (0..candidates.len()).filter(|i| counts[*i] < most(&candidates[*i])).collect();
        let levels = candidates.first().map_or(0, |candidate| candidate.groups.len());
        let open = members.clone();
        for level in 0..levels {
            let path = |i: usize| &candidates[i].groups[..=level];
            let emptiest = members.iter().copied().min_by_key(|i| {
                let peers = || (0..candidates.len()).filter(|j| path(*j) == path(*i));
                let total: u64 = peers().map(|j| u64::from(counts[j])).sum();
                // Its first cluster stands for a group.
                let first = peers().map(|j| (candidates[j].tie, candidates[j].cluster)).min();
                (total, first)
            });
            let Some(emptiest) = emptiest else { return counts };
            members.retain(|i| path(*i) == path(emptiest));
        }
        // Within its group, what is avoided gets something only when nothing else can.
        let next = members.into_iter().min_by_key(|i| {
            let candidate = &candidates[*i];
            (candidate.avoided, counts[*i], candidate.tie, candidate.cluster)
        });
        let Some(next) = next.filter(|_| !open.is_empty()) else { return counts };
        counts[next] += 1;
    }
    counts
}

/// What each group of the first level holds.
fn by_group(candidates: &[Candidate<'_>], counts: &[u32]) -> std::collections::BTreeMap<Option<u32>, u64> {
    let mut groups = std::collections::BTreeMap::new();
    for (candidate, count) in candidates.iter().zip(counts) {
        *groups.entry(candidate.groups[0]).or_default() += u64::from(*count);
    }
    groups
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn groups_are_filled_evenly_as_one_seat_after_the_other(
        drawn in (1..3_usize).prop_flat_map(|levels| clusters(levels, 0)),
        wanted in 0..200_u32,
    ) {
        let names = names(drawn.len());
        let candidates = candidates(&drawn, &names);
        let levels = drawn.first().map_or(1, |drawn| drawn.groups.len());
        let strategy = Strategy::Spread(plain(levels));
        let own = greedy(&candidates, vec![0; candidates.len()], wanted.into());
        prop_assert_eq!(counts(wanted, u32::MAX, &strategy, &candidates), own);
        let kept: Vec<u32> = candidates.iter().map(|c| c.held.min(most(c))).collect();
        if let Some(missing) = u64::from(wanted).checked_sub(sum(&kept)) {
            prop_assert_eq!(counts(wanted, 0, &strategy, &candidates), greedy(&candidates, kept, missing));
        }
    }

    #[test]
    fn constraints_hold_and_totals_add_up(
        drawn in clusters(2, 2),
        constraints in constraints(2),
        wanted in 0..200_u32,
        moves in prop_oneof![Just(0), Just(u32::MAX), 1..20_u32],
    ) {
        let names = names(drawn.len());
        let candidates = candidates(&drawn, &names);
        let outer = constraints[0].clone();
        let strategy = Strategy::Spread(constraints);
        let demand = Demand { replicas: wanted, at_most: u32::MAX, moves, strategy: &strategy };
        let mut scratch = Scratch::default();
        let division = divide(&demand, &candidates, &mut scratch);
        prop_assert_eq!(sum(division.counts) + u64::from(division.pending), u64::from(wanted));
        prop_assert!(candidates.iter().zip(division.counts).all(|(c, count)| *count <= most(c)));
        prop_assert_eq!(division.reasons.is_empty(), division.pending == 0 || candidates.is_empty());
        for bound in bounds(&demand, &candidates, &division) {
            let told = matches!(bound, Bound::Cap(_) | Bound::Share(_) | Bound::Step { .. });
            prop_assert!(division.pending == 0 || told, "{bound:?}");
        }
        if outer.soft || moves != u32::MAX {
            return Ok(());
        }
        let groups = by_group(&candidates, division.counts);
        let used = groups.values().filter(|total| **total > 0).count();
        if let Some(max) = outer.max_groups {
            prop_assert!(used <= max as usize, "{groups:?}");
        }
        // Nothing new is placed in too few groups.
        if let (Some(min), true) = (outer.min_groups, sum(division.counts) > 0) {
            let new = candidates.iter().zip(division.counts).any(|(c, count)| *count > c.held);
            prop_assert!(!new || used >= (min.min(wanted) as usize).min(4) || sum(division.counts) < u64::from(min));
        }
    }

    #[test]
    fn one_more_takes_nothing_away_from_any_cluster(
        drawn in clusters(2, 0),
        mut constraints in constraints(2),
        wanted in 0..200_u32,
    ) {
        // A smaller total needs fewer groups: there this does not hold, and should not.
        constraints.iter_mut().for_each(|constraint| constraint.min_groups = None);
        let names = names(drawn.len());
        let candidates = candidates(&drawn, &names);
        let strategy = Strategy::Spread(constraints);
        for moves in [0, u32::MAX] {
            let (less, more) = (counts(wanted, moves, &strategy, &candidates), counts(wanted + 1, moves, &strategy, &candidates));
            prop_assert!(less.iter().zip(&more).all(|(less, more)| less <= more), "{less:?} {more:?}");
        }
    }

    #[test]
    fn a_spread_that_was_carried_out_stays(
        drawn in clusters(2, 2),
        constraints in constraints(2),
        wanted in 0..200_u32,
        moves in prop_oneof![Just(0), Just(u32::MAX)],
    ) {
        let names = names(drawn.len());
        let strategy = Strategy::Spread(constraints);
        let mut now = drawn;
        for _ in 0..3 {
            let next = counts(wanted, moves, &strategy, &candidates(&now, &names));
            now.iter_mut().zip(&next).for_each(|(drawn, count)| drawn.held = *count);
        }
        let settled: Vec<u32> = now.iter().map(|drawn| drawn.held).collect();
        prop_assert_eq!(counts(wanted, moves, &strategy, &candidates(&now, &names)), settled);
    }

    #[test]
    fn the_order_of_clusters_and_the_numbers_of_groups_do_not_matter(
        drawn in clusters(2, 2),
        constraints in constraints(2),
        wanted in 0..200_u32,
        seed: u64,
    ) {
        let names = names(drawn.len());
        let strategy = Strategy::Spread(constraints);
        let mut order: Vec<usize> = (0..drawn.len()).collect();
        let mut rng = godwit_common::rng::Rng::new(seed);
        for end in (1..order.len()).rev() {
            order.swap(end, rng.below(end as u64 + 1) as usize);
        }
        let renamed: Vec<Drawn> = order
            .iter()
            .map(|index| {
                let mut drawn = drawn[*index].clone();
                drawn.groups.iter_mut().flatten().for_each(|group| *group = 9 - *group);
                drawn
            })
            .collect();
        let shuffled: Vec<ClusterName> = order.iter().map(|index| names[*index].clone()).collect();
        for moves in [0, 3, u32::MAX] {
            let straight = counts(wanted, moves, &strategy, &candidates(&drawn, &names));
            let expected: Vec<u32> = order.iter().map(|index| straight[*index]).collect();
            prop_assert_eq!(counts(wanted, moves, &strategy, &candidates(&renamed, &shuffled)), expected);
        }
    }

    /// One fallback group holds everything, and it is the first that can hold all.
    #[test]
    fn the_first_fallback_group_that_holds_all_is_used(drawn in clusters(0, 2), wanted in 1..60_u32) {
        let names = names(drawn.len());
        let candidates = candidates(&drawn, &names);
        let own = counts(wanted, u32::MAX, &Strategy::Weighted, &candidates);
        let cap = |group: u32| {
            let members = candidates.iter().filter(|candidate| candidate.fallback == group);
            members.map(|candidate| u64::from(most(candidate))).sum::<u64>()
        };
        let capable = (0..=2).find(|group| cap(*group) >= u64::from(wanted));
        let used: std::collections::BTreeSet<u32> =
            candidates.iter().zip(&own).filter(|(_, count)| **count > 0).map(|(c, _)| c.fallback).collect();
        prop_assert!(used.len() <= 1, "{used:?}");
        if let Some(capable) = capable {
            prop_assert_eq!(used.first().copied(), Some(capable));
            prop_assert_eq!(sum(&own), u64::from(wanted));
        }
        // Where replicas do not move for balance, a group that holds all of them is not left.
        let kept = counts(wanted, 0, &Strategy::Weighted, &candidates);
        let homes: std::collections::BTreeSet<u32> =
            candidates.iter().filter(|c| c.held.min(most(c)) > 0).map(|c| c.fallback).collect();
        if let (1, Some(home)) = (homes.len(), homes.first())
            && cap(*home) >= u64::from(wanted)
        {
            prop_assert!(candidates.iter().zip(&kept).all(|(c, count)| *count == 0 || c.fallback == *home));
        }
    }
}
