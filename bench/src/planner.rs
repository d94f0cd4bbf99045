//! T1: dividing one workload over many clusters, at a cost that does not grow with the replicas.

mod baseline;

use std::hint::black_box;

use godwit_common::ClusterName;
use godwit_common::policy::{Rebalance, Rule, Strategy};
use godwit_common::rng::Rng;
use godwit_planner::{Barrier, Candidate, Demand, Growth, Room, Scarce, Scratch, divide};

use crate::measure::{Took, median};

const CLUSTERS: [usize; 3] = [100, 300, 1000];
const REPLICAS: [u32; 3] = [1_000, 1_000_000, 1_000_000_000];
/// The heap walks replica by replica; beyond this it would take minutes.
const HEAP_MAX: u32 = 1_000_000;
const REPLICAS_OF_KINDS: u32 = 1_000_000;
const SEED: u64 = 1;

/// Prints the tables.
pub(crate) fn run() -> anyhow::Result<()> {
    against_baselines();
    kinds();
    Ok(())
}

fn against_baselines() {
    println!("T1: one fresh division, random weights 1..=1000 (medians)\n");
    println!("| clusters | replicas | divide | greedy heap | ratio | largest remainder | ratio |");
    println!("|---:|---:|---:|---:|---:|---:|---:|");
    for count in CLUSTERS {
        let names = names(count);
        let fleet = fleet(&names);
        for replicas in REPLICAS {
            let mut scratch = Scratch::default();
            let demand = demand(replicas, u32::MAX);
            let ours = median(|| divide(&demand, black_box(&fleet), &mut scratch).pending);
            let heap = (replicas <= HEAP_MAX).then(|| {
                let counts = baseline::heap(replicas, &fleet);
                let same = counts == divide(&demand, &fleet, &mut scratch).counts;
                assert!(same, "the baseline divides {replicas} over {count} in another way");
                median(|| baseline::heap(replicas, black_box(&fleet)))
            });
            let remainder = median(|| baseline::largest_remainder(replicas, black_box(&fleet)));
            let heap_time = heap.map_or("-".to_owned(), |heap| heap.to_string());
            let heap_ratio = heap.map_or("-".to_owned(), |heap| format!("{:.1}", heap.ratio(ours)));
            println!(
                "| {count} | {replicas} | {ours} | {heap_time} | {heap_ratio} | {remainder} | {:.1} |",
                remainder.ratio(ours)
            );
        }
    }
}

/// A kind of division: its name, what it makes of a fleet that holds nothing, and what may move.
type Kind = (&'static str, fn(&mut [Candidate<'_>]), Rebalance);

const KINDS: [Kind; 5] = [
    ("fresh", |_| {}, Rebalance::Never),
    ("fresh, equal weights", equal, Rebalance::Never),
    ("fresh, tight rooms", tight, Rebalance::Never),
    ("one cluster lost", lost, Rebalance::Never),
    ("half are back, gradual step", back, Rebalance::Gradual),
];

fn kinds() {
    let [few, some, many] = CLUSTERS;
    println!(
        "\nT1: other kinds, {REPLICAS_OF_KINDS} replicas (medians), and growth against {few} clusters\n"
    );
    println!("| kind | {few} clusters | {some} | {many} | growth |");
    println!("|---|---:|---:|---:|---:|");
    for (kind, change, rebalance) in KINDS {
        let [one, three, ten] = CLUSTERS.map(|count| timed(count, change, rebalance));
        println!("| {kind} | {one} | {three} | {ten} | x1 x{:.1} x{:.1} |", three.ratio(one), ten.ratio(one));
    }
}

fn timed(count: usize, change: fn(&mut [Candidate<'_>]), rebalance: Rebalance) -> Took {
    let names = names(count);
    let mut fleet = fleet(&names);
    change(&mut fleet);
    let mut scratch = Scratch::default();
    let demand = demand(REPLICAS_OF_KINDS, rebalance.moves(REPLICAS_OF_KINDS));
    median(|| divide(&demand, black_box(&fleet), &mut scratch).pending)
}

fn demand(replicas: u32, moves: u32) -> Demand<'static> {
    Demand { replicas, at_most: u32::MAX, moves, strategy: &Strategy::Weighted }
}

fn equal(fleet: &mut [Candidate<'_>]) {
    fleet.iter_mut().for_each(|cluster| cluster.rule = Ok(Rule::default()));
}

/// Every other cluster has less room than its share, some have none.
fn tight(fleet: &mut [Candidate<'_>]) {
    settle(fleet);
    for (index, cluster) in fleet.iter_mut().enumerate().step_by(2) {
        let replicas = cluster.held / 4 * (index as u32 % 4);
        cluster.room = Room::Limited { replicas, scarce: Scarce::Cpu };
    }
    fleet.iter_mut().for_each(|cluster| cluster.held = 0);
}

fn lost(fleet: &mut [Candidate<'_>]) {
    settle(fleet);
    if let Some(first) = fleet.first_mut() {
        first.growth = Growth::Excluded(Barrier::Lost);
    }
}

/// Half of the clusters were lost and are back: far more is to move than one step moves.
fn back(fleet: &mut [Candidate<'_>]) {
    settle(fleet);
    fleet.iter_mut().step_by(2).for_each(|cluster| cluster.growth = Growth::Excluded(Barrier::Lost));
    settle(fleet);
    fleet.iter_mut().for_each(|cluster| cluster.growth = Growth::Allowed);
}

/// What is planned runs.
fn settle(fleet: &mut [Candidate<'_>]) {
    let counts = divide(&demand(REPLICAS_OF_KINDS, 0), fleet, &mut Scratch::default()).counts.to_vec();
    for (cluster, held) in fleet.iter_mut().zip(counts) {
        cluster.held = held;
    }
}

fn names(count: usize) -> Vec<ClusterName> {
    (0..count).map(|index| format!("cluster-{index:04}").parse().expect("it is an RFC 1123 label")).collect()
}

/// Clusters of random weights that hold nothing.
fn fleet(names: &[ClusterName]) -> Vec<Candidate<'_>> {
    let mut rng = Rng::new(SEED);
    let mut rule = || Rule::new(1 + rng.below(1000) as u32, 0, None).expect("it is within bounds");
    let candidate = |cluster| Candidate {
        cluster,
        rule: Ok(rule()),
        held: 0,
        room: Room::Unlimited,
        growth: Growth::Allowed,
        avoided: false,
        tier: 0,
        fallback: 0,
        groups: &[],
        tie: 0,
    };
    names.iter().map(candidate).collect()
}
