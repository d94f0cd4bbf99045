//! Whole runs, each decided by its seed: safety while everything goes wrong, then everything is put right, and the
//! federation must settle. A seed that fails is printed with the line that runs it again.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use godwit_common::rng::Rng;
use godwit_hub_core::Config;
use sim::faults::Faults;
use sim::invariants::Seen;
use sim::operator::Operator;
use sim::scenario::ClusterSetup;
use sim::{Setup, World};

/// How many seeds are run when nobody says otherwise.
const SEEDS: u64 = 150;
/// How long everything must stay as it is, in seconds, to count as settled.
const CALM: u64 = 70;
/// Within how many seconds of the last accident everything must have settled.
const SETTLED: u64 = 1_200;

#[test]
fn every_seed_is_safe_and_settles() {
    let one = variable("GODWIT_SIM_SEED");
    let first = one.or_else(|| variable("GODWIT_SIM_FIRST")).unwrap_or(1);
    let count = one.map_or_else(|| variable("GODWIT_SIM_SEEDS").unwrap_or(SEEDS), |_| 1);
    let mut seen = Seen::default();
    for seed in first..first + count {
        let run = catch_unwind(AssertUnwindSafe(|| run(seed, one.is_some())));
        match run {
            Ok(more) => seen.add(more),
            Err(panic) => {
                println!("seed {seed} failed; to run it again, with a trace of all that happens:");
                println!("GODWIT_SIM_SEED={seed} cargo test -p sim --test seeds -- --nocapture");
                resume_unwind(panic);
            }
        }
    }
    println!("{count} seeds: {seen:?}");
    if count >= SEEDS {
        let basics = [seen.losses, seen.shrinks, seen.removals, seen.freezes, seen.starts, seen.restarts];
        let causes = [seen.relabels, seen.quotas, seen.preemptions, seen.followers, seen.drains];
        let all = basics.iter().chain(&causes).all(|times| *times > 0);
        assert!(all, "the seeds have not shown everything: {seen:?}");
    }
}

fn run(seed: u64, trace: bool) -> Seen {
    let mut rng = Rng::new(seed);
    let mut world = World::new(setup(seed, &mut rng, trace));
    world.run(5);
    let operator = Operator {
        every: 4_000 + rng.below(20_000),
        winds_up: false,
        replicas_max: 4 + rng.below(40),
        uniform: !rng.one_in(3),
    };
    world.begin_operator(operator);
    world.begin_faults(Faults::some(&mut rng));
    world.run(60 + rng.below(240));
    world.operator.winds_up = true;
    world.heal();
    settle(&mut world);
    world.checker.seen
}

/// Waits until everything is as it shall be, and stays so.
fn settle(world: &mut World) {
    let end = world.now + SETTLED * 1000;
    let (mut since, mut targets) = (world.now, world.targets());
    loop {
        world.run(1);
        let missing = world.unsettled();
        let now = world.targets();
        if !missing.is_empty() || now != targets {
            (since, targets) = (world.now, now);
        }
        if world.now - since >= CALM * 1000 {
            return;
        }
        assert!(world.now < end, "it does not settle within {SETTLED} s: {missing:#?}");
    }
}

fn setup(seed: u64, rng: &mut Rng, trace: bool) -> Setup {
    let cluster = |number: u64, rng: &mut Rng| ClusterSetup {
        name: format!("c{number}"),
        agents: 1 + usize::try_from(rng.below(3)).unwrap_or(0),
        nodes: 1 + u32::try_from(rng.below(3)).unwrap_or(0),
        cpu_millis: 500 + 500 * rng.below(5),
    };
    let clusters = 1 + rng.below(5);
    Setup {
        seed: rng.next_u64() ^ seed,
        hub: Config::default(),
        hubs: 1,
        clusters: (0..clusters).map(|number| cluster(number, rng)).collect(),
        trace: trace.then_some(|line| println!("{line}")),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test is its own shell: it takes its settings from the environment"
)]
fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}: {text:?} is not a number")))
}
