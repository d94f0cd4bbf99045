//! Whole runs, each decided by its seed: those that failed once, and new ones in each test. A seed that fails is
//! printed with the line that runs it again.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use sim::invariants::Seen;
use sim::run::Run;

/// How many new seeds are run when nobody says otherwise.
const NEW: u64 = 200;
/// How many seeds are always the same ones, so that what they show depends on nothing but the code: some of it is rare.
const KNOWN: u64 = 200;
/// How many seeds are run in which hubs come back with another store, or go on beside another one; always the
/// same ones.
const FORKS: u64 = 60;
/// Seeds on which something was wrong once, each with what it was.
const REGRESSIONS: &str = include_str!("../regressions.txt");

#[test]
fn every_seed_that_failed_once_is_safe_and_settles() {
    regressions().into_iter().for_each(|run| {
        make(run);
    });
}

#[test]
fn histories_that_fork_are_safe_and_settle() {
    for seed in 1..=FORKS {
        make(forked(seed));
    }
}

#[test]
fn known_seeds_are_safe_and_settle_and_show_everything() {
    let mut seen = Seen::default();
    (1..=KNOWN).for_each(|seed| seen.add(make(one_history(seed))));
    println!("{seen:?}");
    let basics = [seen.losses, seen.shrinks, seen.removals, seen.freezes, seen.starts, seen.restarts];
    let causes = [seen.quotas, seen.preemptions, seen.drains, seen.flaps, seen.turns, seen.failures];
    let orders = [seen.gated, seen.pauses, seen.resumptions, seen.cancellations, seen.retired, seen.rebuilt];
    let rare = [seen.older, seen.upgrades, seen.imports, seen.taken];
    let all = basics.iter().chain(&causes).chain(&orders).chain(&rare).all(|times| *times > 0);
    assert!(all, "the seeds have not shown everything: {seen:?}");
}

#[test]
fn every_new_seed_is_safe_and_settles() {
    let first = variable("GODWIT_SIM_FIRST").unwrap_or_else(any);
    let count = variable("GODWIT_SIM_SEEDS").unwrap_or(NEW);
    println!("GODWIT_SIM_FIRST={first} GODWIT_SIM_SEEDS={count} runs the same seeds again");
    let mut seen = Seen::default();
    (first..first + count).for_each(|seed| seen.add(make(one_history(seed))));
    println!("{count} seeds: {seen:?}");
    // What any of them shows: a run in which nothing happens would be safe, too.
    assert!(count == 0 || seen.steps > 0 && seen.starts > 0, "the seeds have shown nothing: {seen:?}");
}

#[test]
fn a_run_is_the_same_each_time() {
    let seed = any();
    // Of those in which histories fork, one that is known to go well.
    let known = seed % FORKS + 1;
    for (run, seed) in [(one_history(seed), seed), (forked(known), known)] {
        let (once, again) = (run.make(None), run.make(None));
        assert_eq!((once.digest, once.happened), (again.digest, again.happened), "seed {seed}");
    }
    let [one, next] = [seed, seed + 1].map(|seed| one_history(seed).make(None).digest);
    assert_ne!(one, next, "seed {seed} and the next");
}

/// A run in which each hub comes back with the store that it left.
fn one_history(seed: u64) -> Run {
    Run { forks: Some(false), ..Run::of(seed) }
}

/// A run in which hubs come back with other stores, or go on beside others.
fn forked(seed: u64) -> Run {
    Run { forks: Some(true), ..Run::of(seed) }
}

fn make(run: Run) -> Seen {
    match catch_unwind(AssertUnwindSafe(|| run.make(None))) {
        Ok(outcome) => outcome.seen,
        Err(panic) => {
            println!("seed {} failed; to run it again, with a trace of all that happens:\n{run}", run.seed);
            resume_unwind(panic);
        }
    }
}

fn regressions() -> Vec<Run> {
    let lines = REGRESSIONS.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.flat_map(regression).collect()
}

/// The runs of a line: a seed, the options with which it failed, and why.
fn regression(line: &str) -> Vec<Run> {
    let (seed, rest) = line.split_once(' ').unwrap_or_else(|| panic!("{line:?} does not say why"));
    let seed = seed.parse().unwrap_or_else(|_| panic!("{line:?} does not begin with a seed"));
    let (options, why): (Vec<&str>, Vec<&str>) =
        rest.split_whitespace().partition(|word| word.starts_with("--"));
    assert!(!why.is_empty(), "{line:?} does not say why");
    if options.is_empty() {
        // From when there was no other option. Some have failed with histories that fork, and some with one history: these
        // are other runs.
        let as_ever = plain(Run::of(seed));
        return [None, Some(false), Some(true)].map(|forks| Run { forks, ..as_ever }).to_vec();
    }
    let mut run = plain(one_history(seed));
    for option in options {
        match option {
            "--one-history" => run.forks = Some(false),
            "--forks" => run.forks = Some(true),
            "--old-agents" => run.releases = Some(true),
            "--brownfield" => run.brownfield = Some(true),
            other => panic!("{line:?}: {other} is no option of a run"),
        }
    }
    vec![run]
}

/// A run in which all agents are of one release, and nothing runs before.
fn plain(run: Run) -> Run {
    Run { releases: Some(false), brownfield: Some(false), ..run }
}

/// A seed that nobody has chosen, small enough to be read out.
#[expect(clippy::disallowed_types, reason = "new seeds have to come from somewhere; the test prints them")]
fn any() -> u64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_micros());
    u64::try_from(since % 1_000_000_000_000).unwrap_or(0)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test is its own shell: it takes its settings from the environment"
)]
fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}: {text:?} is not a number")))
}
