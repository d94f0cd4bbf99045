//! Small cases, all of them or very many, against what anybody could work out by hand.

use godwit_common::ClusterName;
use godwit_common::policy::{Rule, Strategy};
use godwit_common::rng::Rng;
use godwit_planner::{Candidate, Demand, Growth, Room, Scarce, Scratch, divide};

/// A third of a million cases take a few seconds.
const CASES: u32 = 300_000;

fn names(count: usize) -> Vec<ClusterName> {
    (0..count).map(|index| format!("c{index}").parse().expect("an RFC 1123 label")).collect()
}

fn candidate(cluster: &ClusterName, weight: u32, held: u32, room: Option<u32>) -> Candidate<'_> {
    Candidate {
        cluster,
        rule: Ok(Rule::new(weight, 0, None).expect("a small weight")),
        held,
        room: room.map_or(Room::Unlimited, |replicas| Room::Limited { replicas, scarce: Scarce::Cpu }),
        growth: Growth::Allowed,
        avoided: false,
        tier: 0,
        fallback: 0,
        groups: &[],
        tie: 0,
    }
}

/// Webster's method as it is taught: the next seat goes to the greatest `weight / (2 * seats + 1)`.
fn webster(weights: &[u32], rooms: &[Option<u32>], replicas: u32) -> Vec<u32> {
    let mut seats = vec![0_u32; weights.len()];
    for _ in 0..replicas {
        let open =
            (0..weights.len()).filter(|i| weights[*i] > 0 && rooms[*i].is_none_or(|room| seats[*i] < room));
        // A greater quotient first, then fewer seats, then the name.
        let next = open.max_by(|a, b| {
            let quotient = |i: usize, j: usize| u64::from(weights[i]) * u64::from(2 * seats[j] + 1);
            quotient(*a, *b).cmp(&quotient(*b, *a)).then(seats[*b].cmp(&seats[*a])).then(b.cmp(a))
        });
        let Some(next) = next else { break };
        seats[next] += 1;
    }
    seats
}

#[test]
fn s19_equal_to_webster_seat_by_seat_in_very_many_cases() {
    let names = names(8);
    let (mut rng, mut scratch) = (Rng::new(20_260_101), Scratch::default());
    let mut below = |end: u64| u32::try_from(rng.below(end)).expect("a small number");
    for case in 0..CASES {
        let clusters = 1 + below(8) as usize;
        let most = [2, 7, 100, 5_000][below(4) as usize];
        let weights: Vec<u32> = (0..clusters).map(|_| below(most)).collect();
        let rooms: Vec<Option<u32>> =
            (0..clusters).map(|_| if below(3) == 0 { Some(below(12)) } else { None }).collect();
        let replicas = below(40);
        let candidates: Vec<Candidate<'_>> =
            (0..clusters).map(|i| candidate(&names[i], weights[i], 0, rooms[i])).collect();
        let strategy = Strategy::Weighted;
        let demand = Demand { replicas, at_most: u32::MAX, moves: u32::MAX, strategy: &strategy };
        let division = divide(&demand, &candidates, &mut scratch);
        let expected = webster(&weights, &rooms, replicas);
        assert_eq!(division.counts, expected, "case {case}: {replicas} by {weights:?} within {rooms:?}");
    }
}

/// Every way to place so many replicas within these rooms.
fn every_way(replicas: u32, rooms: &[u32]) -> Vec<Vec<u32>> {
    let Some((first, rest)) = rooms.split_first() else {
        return if replicas == 0 { vec![Vec::new()] } else { Vec::new() };
    };
    let with = |count: u32| {
        every_way(replicas - count, rest).into_iter().map(move |mut way| {
            way.insert(0, count);
            way
        })
    };
    (0..=replicas.min(*first)).flat_map(with).collect()
}

fn moved(from: &[u32], to: &[u32]) -> u32 {
    from.iter().zip(to).map(|(from, to)| from.saturating_sub(*to)).sum()
}

#[test]
fn s18_no_other_plan_that_places_as_many_moves_fewer() {
    let names = names(3);
    let (rooms_max, held_max) = (3_u32, 3_u32);
    let mut scratch = Scratch::default();
    let strategies = [Strategy::Weighted, Strategy::Capacity, Strategy::Spread(Vec::new()), Strategy::Pack];
    let triples = |most: u32| {
        let one = move |n: u32| [n % (most + 1), n / (most + 1) % (most + 1), n / (most + 1) / (most + 1)];
        (0..(most + 1).pow(3)).map(one)
    };
    for (rooms, held) in triples(rooms_max).flat_map(|rooms| triples(held_max).map(move |held| (rooms, held)))
    {
        let candidates: Vec<Candidate<'_>> =
            (0..3).map(|i| candidate(&names[i], 1 + i as u32, held[i], Some(rooms[i]))).collect();
        for (strategy, replicas) in strategies.iter().flat_map(|one| (0..8).map(move |n| (one, n))) {
            let demand = Demand { replicas, at_most: u32::MAX, moves: 0, strategy };
            let division = divide(&demand, &candidates, &mut scratch);
            let placed = replicas.min(rooms.iter().sum());
            assert_eq!(division.counts.iter().sum::<u32>(), placed);
            let fewest = every_way(placed, &rooms).iter().map(|way| moved(&held, way)).min();
            let moves = moved(&held, division.counts);
            assert_eq!(Some(moves), fewest, "{replicas} with {held:?} held within {rooms:?} by {strategy:?}");
        }
    }
}
