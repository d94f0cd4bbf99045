//! What holds for every input.

mod reference;

use godwit_common::ClusterName;
use godwit_common::policy::{ClusterSelector, Rule, Strategy, Tiers, Unchosen};
use godwit_planner::{
    Barrier, Bound, Candidate, Cap, Choice, Demand, Division, Entrant, Growth, Room, Scarce, Scratch, Share,
    Turns, divide,
};
use proptest::prelude::{Strategy as Draw, *};
use reference::Question;

/// Constraints are tried apart from the rest.
const OWN_GROUP: &[Option<u32>] = &[];

/// A cluster as drawn; its name comes from its index.
#[derive(Debug, Clone)]
struct Drawn {
    rule: Result<Rule, Unchosen>,
    held: u32,
    room: Option<u32>,
    growth: Growth,
    avoided: bool,
    tier: u32,
    tie: u64,
}

/// Numbers of which all kinds matter: zero, small, beyond any total.
fn number(large: u32) -> impl Draw<Value = u32> {
    prop_oneof![1 => Just(0), 4 => 0..=8_u32, 4 => 0..=large]
}

fn rules(weight: u32, large: u32) -> impl Draw<Value = Result<Rule, Unchosen>> {
    let weights = prop_oneof![1 => Just(0), 6 => 1..=4_u32, 4 => 0..=weight];
    let max = prop_oneof![3 => Just(None), 1 => number(large).prop_map(Some)];
    let rule =
        (weights, prop_oneof![3 => Just(0), 1 => number(large)], max).prop_map(|(weight, min, max)| {
            Rule::new(weight, min, max.map(|max| max.max(min))).expect("max is at least min")
        });
    prop_oneof![1 => Just(Err(Unchosen::NoRule)), 12 => rule.prop_map(Ok)]
}

fn clusters(most: usize, weight: u32, large: u32) -> impl Draw<Value = Vec<Drawn>> {
    let growth = prop_oneof![
        8 => Just(Growth::Allowed),
        1 => Just(Growth::Closed(Barrier::Suspect)),
        1 => Just(Growth::Excluded(Barrier::Lost)),
    ];
    let room = prop_oneof![2 => Just(None), 1 => number(large).prop_map(Some)];
    let avoided = prop::bool::weighted(0.1);
    let drawn = (rules(weight, large), number(large), room, growth, avoided, 0..3_u32, 0..3_u64).prop_map(
        |(rule, held, room, growth, avoided, tier, tie)| Drawn {
            rule,
            held,
            room,
            growth,
            avoided,
            tier,
            tie,
        },
    );
    prop::collection::vec(drawn, 0..=most)
}

/// What becomes of a cluster that changes.
fn changed() -> impl Draw<Value = Drawn> {
    clusters(1, 50, 50).prop_filter_map("it is one", |drawn| drawn.into_iter().next())
}

fn names(count: usize) -> Vec<ClusterName> {
    (0..count).map(|index| format!("c{index:04}").parse().expect("an RFC 1123 label")).collect()
}

fn candidates<'a>(drawn: &[Drawn], names: &'a [ClusterName]) -> Vec<Candidate<'a>> {
    let candidate = |(drawn, cluster): (&Drawn, &'a ClusterName)| Candidate {
        cluster,
        rule: drawn.rule,
        held: drawn.held,
        room: drawn.room.map_or(Room::Unlimited, |replicas| Room::Limited { replicas, scarce: Scarce::Cpu }),
        growth: drawn.growth.clone(),
        avoided: drawn.avoided,
        tier: drawn.tier,
        fallback: 0,
        groups: OWN_GROUP,
        tie: drawn.tie,
    };
    drawn.iter().zip(names).map(candidate).collect()
}

/// Every strategy; which tier a cluster is in is drawn with it.
fn strategies() -> impl Draw<Value = Strategy> {
    let tier = ClusterSelector::of_names(names(1));
    prop_oneof![
        3 => Just(Strategy::Weighted),
        1 => Just(Strategy::Capacity),
        1 => Just(Strategy::Spread(Vec::new())),
        1 => Just(Strategy::Pack),
        1 => Just(Strategy::Ordered(Tiers::new(vec![tier]).expect("a name"))),
        1 => Just(Strategy::Duplicate),
    ]
}

/// Divides as a plan does.
fn plan<'s>(
    wanted: u32,
    moves: u32,
    strategy: &'s Strategy,
    candidates: &'s [Candidate<'_>],
    scratch: &'s mut Scratch,
) -> Division<'s> {
    divide(&Demand { replicas: wanted, at_most: u32::MAX, moves, strategy }, candidates, scratch)
}

fn counts(wanted: u32, moves: u32, strategy: &Strategy, candidates: &[Candidate<'_>]) -> Vec<u32> {
    plan(wanted, moves, strategy, candidates, &mut Scratch::default()).counts.to_vec()
}

fn sum(counts: &[u32]) -> u64 {
    counts.iter().map(|count| u64::from(*count)).sum()
}

/// How many replicas leave where they are.
fn moved(candidates: &[Candidate<'_>], to: &[u32]) -> u64 {
    candidates.iter().zip(to).map(|(c, to)| u64::from(c.held.saturating_sub(*to))).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn equal_to_the_greedy_answer(strategy in strategies(), drawn in clusters(12, 60, 60), wanted in 0..400_u32) {
        let names = names(drawn.len());
        let candidates = candidates(&drawn, &names);
        let asked = Question { strategy: &strategy, replicas: wanted, candidates: &candidates };
        prop_assert_eq!(counts(wanted, u32::MAX, &strategy, &candidates), asked.own());
        prop_assert_eq!(counts(wanted, 0, &strategy, &candidates), asked.keep());
    }

    // What is planned after a loss. The clusters that hold something keep it, and the rest is given seat by seat.
    #[test]
    fn what_is_missing_is_given_as_the_whole_division_gives_it(
        strategy in strategies(),
        drawn in clusters(24, 60, 60),
        few in 0..40_u32,
        alike: bool,
    ) {
        let mut drawn = drawn;
        for one in &mut drawn {
            // Most of them hold nothing, and many differ in nothing but their ties.
            one.held = if one.held % 3 == 0 { one.held / 3 } else { 0 };
            let rule = if alike { Rule::default() } else { one.rule.unwrap_or_default() };
            one.rule = Rule::new(rule.weight(), 0, rule.max()).map_or(one.rule, Ok);
        }
        let names = names(drawn.len());
        let candidates = candidates(&drawn, &names);
        let choice = |one: &Candidate<'_>| Choice { rule: one.rule, tier: one.tier, fallback: 0, groups: Box::from([]) };
        let choices: Vec<Choice> = candidates.iter().map(choice).collect();
        let entrant = |(one, choice): (&Candidate<'_>, _)| {
            let Candidate { avoided, ref growth, tie, .. } = *one;
            Entrant { choice, avoided, grows: *growth == Growth::Allowed, hash: tie }
        };
        let turns = Turns::new(&strategy, candidates.iter().zip(&choices).map(entrant));
        let alone = matches!(strategy, Strategy::Weighted | Strategy::Ordered(_) | Strategy::Spread(_));
        prop_assert_eq!(turns.is_some(), alone);
        let Some(turns) = turns else { return Ok(()) };
        let kept: Vec<u32> = candidates.iter().map(Candidate::kept).collect();
        let mut had: Vec<(usize, u32)> = kept.iter().copied().enumerate().filter(|(_, kept)| *kept > 0).collect();
        let name = |place: usize| names.get(place);
        let takes = |place: usize, count| candidates[place].takes_more_than(count);
        let given = turns.give(few, &mut had, |tie| tie, name, takes);
        let wanted = u32::try_from(sum(&kept)).expect("few") + few;
        let mut scratch = Scratch::default();
        let division = plan(wanted, 0, &strategy, &candidates, &mut scratch);
        if given {
            let mut all = vec![0; kept.len()];
            had.iter().for_each(|(place, count)| all[*place] = *count);
            prop_assert_eq!(all, division.counts.to_vec());
            prop_assert_eq!(division.pending, 0);
        }
        // Few clusters are so full that it is left to the division.
        prop_assert!(given || division.pending > 0 || candidates.len() > 16);
    }

    #[test]
    fn one_more_takes_nothing_away(strategy in strategies(), drawn in clusters(30, 1000, 1000), wanted in 0..20_000_u32) {
        let names = names(drawn.len());
        let candidates = candidates(&drawn, &names);
        for moves in [0, u32::MAX] {
            let (less, more) = (counts(wanted, moves, &strategy, &candidates), counts(wanted + 1, moves, &strategy, &candidates));
            prop_assert!(less.iter().zip(&more).all(|(less, more)| less <= more), "{less:?} {more:?}");
        }
    }

    #[test]
    fn bounds_hold_and_totals_add_up(strategy in strategies(), drawn in clusters(30, 1000, 1000), wanted: u32, moves: u32) {
        let names = names(drawn.len());
        let candidates = candidates(&drawn, &names);
        let mut scratch = Scratch::default();
        let asked = Question { strategy: &strategy, replicas: wanted, candidates: &candidates };
        for moves in [0, moves, u32::MAX] {
            let division = plan(wanted, moves, &strategy, &candidates, &mut scratch);
            prop_assert_eq!(division.wanted, asked.wanted());
            prop_assert_eq!(sum(division.counts) + u64::from(division.pending), u64::from(division.wanted));
            for (candidate, count) in candidates.iter().zip(division.counts) {
                prop_assert!(*count <= asked.cap(candidate));
            }
            // Nothing waits while there is a place, and what waits has a reason.
            if division.pending > 0 {
                prop_assert!(candidates.iter().zip(division.counts).all(|(c, count)| *count == asked.cap(c)));
                prop_assert_eq!(division.reasons.is_empty(), candidates.is_empty());
            } else {
                prop_assert!(division.reasons.is_empty());
            }
            // Minimums are floors as far as the total goes.
            let floors: Vec<u32> = candidates.iter().map(|c| floor(c).min(asked.cap(c))).collect();
            if moves == u32::MAX && sum(&floors) <= u64::from(wanted) {
                prop_assert!(floors.iter().zip(division.counts).all(|(floor, count)| floor <= count));
            }
            for (index, candidate) in candidates.iter().enumerate() {
                let bound = division.bound(index).expect("one for each candidate");
                prop_assert!(tells_the_truth(&bound, &asked, index, division.counts[index]), "{bound:?} {candidate:?}");
                let weight = candidate.rule.map_or(1, Rule::weight);
                let full = bound == Bound::Share(Share::Full);
                prop_assert!(division.pending == 0 || weight == 0 || full || matches!(bound, Bound::Cap(_)), "{bound:?}");
            }
        }
    }

    #[test]
    fn totals_add_up_and_have_reasons_on_the_way_between_fallback_groups(
        strategy in strategies(),
        drawn in clusters(8, 50, 50),
        groups in prop::collection::vec(0..3_u32, 8),
        wanted in 0..200_u32,
        moves in 1..20_u32,
    ) {
        let names = names(drawn.len());
        let grouped = candidates(&drawn, &names).into_iter().zip(groups);
        let candidates: Vec<_> = grouped.map(|(one, fallback)| Candidate { fallback, ..one }).collect();
        let mut scratch = Scratch::default();
        let division = plan(wanted, moves, &strategy, &candidates, &mut scratch);
        prop_assert_eq!(sum(division.counts) + u64::from(division.pending), u64::from(division.wanted));
        let capped = (0..candidates.len()).any(|index| division.cap(index).is_some());
        prop_assert!(division.pending == 0 || capped || candidates.is_empty());
    }

    #[test]
    fn never_moves_only_what_must(strategy in strategies(), drawn in clusters(20, 50, 50), wanted in 0..600_u32) {
        let names = names(drawn.len());
        let candidates = candidates(&drawn, &names);
        let counts = counts(wanted, 0, &strategy, &candidates);
        let asked = Question { strategy: &strategy, replicas: wanted, candidates: &candidates };
        let kept = asked.kept();
        let must = moved(&candidates, &kept) + sum(&kept).saturating_sub(u64::from(asked.wanted()));
        prop_assert_eq!(moved(&candidates, &counts), must);
    }

    // I6. The clusters of a division that was carried out change, some of them, and the total as well.
    #[test]
    fn a_plan_moves_at_most_what_changed_clusters_hold_and_the_surplus(
        strategy in strategies(),
        drawn in clusters(20, 50, 50),
        changes in prop::collection::vec(prop::option::weighted(0.3, changed()), 20),
        totals in (0..600_u32, 0..600_u32),
        is_scaled: bool,
    ) {
        let names = names(drawn.len());
        let (before, after) = (totals.0, if is_scaled { totals.1 } else { totals.0 });
        let settled = counts(before, u32::MAX, &strategy, &candidates(&drawn, &names));
        let mut now = drawn;
        for ((one, held), change) in now.iter_mut().zip(&settled).zip(&changes) {
            one.held = *held;
            if let Some(other) = change {
                *one = Drawn { held: *held, ..other.clone() };
            }
        }
        let candidates = candidates(&now, &names);
        let division = counts(after, 0, &strategy, &candidates);
        let asked = Question { strategy: &strategy, replicas: after, candidates: &candidates };
        let surplus = sum(&settled).saturating_sub(u64::from(asked.wanted()));
        // A full number in each cluster follows the total in each (`duplicate`).
        let of_all = if strategy == Strategy::Duplicate && after < before { sum(&settled) } else { 0 };
        // What changed clusters hold may all move; of what the others hold, the surplus only.
        let unchanged = |index: &usize| changes.get(*index).is_none_or(Option::is_none);
        let left = |index: usize| u64::from(settled[index].saturating_sub(division[index]));
        let moved: u64 = (0..settled.len()).filter(unchanged).map(left).sum();
        prop_assert!(moved <= surplus.max(of_all), "{moved} of {settled:?} moved: {division:?}");
    }

    #[test]
    fn gradual_is_one_step_from_what_is_kept_to_the_division(
        strategy in strategies(),
        drawn in clusters(20, 20, 40),
        wanted in 0..400_u32,
        step in 1..40_u32,
    ) {
        let names = names(drawn.len());
        let candidates = candidates(&drawn, &names);
        let [from, now, to] = [0, step, u32::MAX].map(|moves| counts(wanted, moves, &strategy, &candidates));
        let distance = |a: &[u32], b: &[u32]| -> u64 {
            a.iter().zip(b).map(|(a, b)| u64::from(a.saturating_sub(*b))).sum()
        };
        prop_assert_eq!(distance(&from, &now), distance(&from, &to).min(step.into()));
        prop_assert_eq!(distance(&from, &now) + distance(&now, &to), distance(&from, &to));
    }

    #[test]
    fn a_plan_that_was_carried_out_stays(strategy in strategies(), drawn in clusters(20, 50, 50), wanted in 0..600_u32, moves in 0..3_u32) {
        let moves = [0, 7, u32::MAX][moves as usize];
        let names = names(drawn.len());
        let mut now = drawn;
        // With steps of seven, 600 replicas need at most 86 of them.
        for _ in 0..90 {
            let next = counts(wanted, moves, &strategy, &candidates(&now, &names));
            for (drawn, count) in now.iter_mut().zip(&next) {
                drawn.held = *count;
            }
        }
        let settled: Vec<u32> = now.iter().map(|drawn| drawn.held).collect();
        prop_assert_eq!(counts(wanted, moves, &strategy, &candidates(&now, &names)), settled);
    }

    #[test]
    fn the_order_of_candidates_does_not_matter(
        strategy in strategies(),
        drawn in clusters(20, 8, 30),
        wanted in 0..300_u32,
        moves in 0..10_u32,
        seed: u64,
    ) {
        let names = names(drawn.len());
        let candidates = candidates(&drawn, &names);
        let mut order: Vec<usize> = (0..candidates.len()).collect();
        let mut rng = godwit_common::rng::Rng::new(seed);
        for end in (1..order.len()).rev() {
            order.swap(end, rng.below(end as u64 + 1) as usize);
        }
        let shuffled: Vec<_> = order.iter().map(|index| candidates[*index].clone()).collect();
        for moves in [moves, u32::MAX] {
            let straight = counts(wanted, moves, &strategy, &candidates);
            let expected: Vec<u32> = order.iter().map(|index| straight[*index]).collect();
            prop_assert_eq!(counts(wanted, moves, &strategy, &shuffled), expected);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Where a greedy walk would take hours, its end is recognised: no seat that is given comes after one that is not.
    #[test]
    fn first_seats_at_any_size(
        strategy in strategies(),
        drawn in clusters(200, 1_000_000, 1_000_000_000),
        wanted in prop_oneof![0..100_000_u32, 0..=1_000_000_000_u32, Just(u32::MAX)],
    ) {
        let names = names(drawn.len());
        let candidates = candidates(&drawn, &names);
        let asked = Question { strategy: &strategy, replicas: wanted, candidates: &candidates };
        let (kept, wanted) = (asked.kept(), asked.wanted());
        for (moves, floor) in [(u32::MAX, vec![0; kept.len()]), (0, kept)] {
            let counts = counts(asked.replicas, moves, &strategy, &candidates);
            let taking = u64::from(wanted) < sum(&floor);
            let from = |i: usize| if taking { 0 } else { floor[i] };
            let to = |i: usize| if taking { floor[i] } else { asked.cap(&candidates[i]) };
            let all: u64 = (0..counts.len()).map(|i| u64::from(to(i))).sum();
            prop_assert_eq!(sum(&counts), all.min(wanted.into()));
            prop_assert!((0..counts.len()).all(|i| (from(i)..=to(i)).contains(&counts[i])));
            let last_given = (0..counts.len()).filter(|i| counts[*i] > from(*i)).map(|i| (i, counts[i] - 1));
            let first_left = (0..counts.len()).filter(|i| counts[*i] < to(*i)).map(|i| (i, counts[i]));
            let last_given = last_given.max_by(|a, b| asked.before(*a, *b));
            let first_left = first_left.min_by(|a, b| asked.before(*a, *b));
            if let (Some(given), Some(left)) = (last_given, first_left) {
                prop_assert!(asked.before(given, left).is_lt(), "{:?} {:?}", given, left);
            }
        }
    }
}

/// Whether what is said to have decided a number agrees with it.
fn tells_the_truth(bound: &Bound, asked: &Question<'_>, index: usize, count: u32) -> bool {
    let candidate = &asked.candidates[index];
    let rule = candidate.rule.unwrap_or_default();
    match bound {
        Bound::Share(share) => rule.weight() > 0 && goes_with(*share, asked, candidate, count),
        Bound::Held { .. } => true,
        Bound::Minimum => count <= rule.min(),
        Bound::Step { goal } => *goal != count,
        Bound::Cap(Cap::Maximum) => rule.max() == Some(count),
        // It gets its minimum and no more, but keeps what it holds.
        Bound::Cap(Cap::ZeroWeight) => rule.weight() == 0 && count <= candidate.held.max(rule.min()),
        Bound::Cap(Cap::Skew | Cap::MaxGroups | Cap::MinGroups | Cap::NoGroup | Cap::Fallback) => false,
        Bound::Cap(Cap::Room(scarce)) => {
            candidate.room == Room::Limited { replicas: count, scarce: scarce.clone() }
        }
        Bound::Cap(Cap::Closed(barrier)) => {
            candidate.growth == Growth::Closed(barrier.clone()) && count == candidate.held
        }
        Bound::Cap(Cap::Excluded(Barrier::Unchosen(_))) => candidate.rule.is_err() && count == 0,
        Bound::Cap(Cap::Excluded(barrier)) => {
            candidate.growth == Growth::Excluded(barrier.clone()) && count == 0
        }
    }
}

fn goes_with(share: Share, asked: &Question<'_>, candidate: &Candidate<'_>, count: u32) -> bool {
    let tier = candidate.tier;
    match (share, asked.strategy) {
        (Share::Weight, Strategy::Weighted)
        | (Share::Room, Strategy::Capacity)
        | (Share::Even, Strategy::Spread(_))
        | (Share::Packed, Strategy::Pack) => true,
        (Share::PackedElsewhere, Strategy::Pack) => count == 0,
        (Share::Tier(number), Strategy::Ordered(_)) => tier == number - 1,
        (Share::EarlierTier(number), Strategy::Ordered(_)) => tier == number - 1 && count == 0,
        // What no number can count is not all given.
        (Share::Full, Strategy::Duplicate) => count == asked.replicas || asked.wanted() == u32::MAX,
        _ => false,
    }
}

fn floor(candidate: &Candidate<'_>) -> u32 {
    candidate.rule.map_or(0, Rule::min)
}
