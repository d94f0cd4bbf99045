//! The simulator as a command: makes runs of the federation from their seeds, and makes each of them again exactly.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser;
use sim::invariants::Seen;
use sim::run::{Outcome, Run};

/// Prints a line. Whoever has read enough may close the pipe.
macro_rules! say {
    ($($words:tt)*) => {
        say(&format!($($words)*))
    };
}

/// The most that a run is asked for: beyond it, memory ends before patience does.
const CLUSTERS_MAX: u64 = 10_000;
const AGENTS_MAX: u64 = 100;
const HOURS_MAX: f64 = 1_000.0;

/// Simulates hub and agents in virtual time, with everything going wrong, and checks the invariants after every step.
///
/// A seed decides a run: how many clusters there are, what goes wrong and what is asked for, down to the last message.
#[derive(Debug, Parser)]
#[command(name = "sim")]
struct Options {
    /// The seed of the run
    #[arg(long, default_value_t = 1, conflicts_with = "seeds")]
    seed: u64,
    /// Make a run of each of these seeds, the last one excluded
    #[arg(long, value_name = "FROM..TO", value_parser = seeds)]
    seeds: Option<Range<u64>>,
    /// How many clusters there are, whatever the seed says
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=CLUSTERS_MAX))]
    clusters: Option<u64>,
    /// How many agents each cluster has, whatever the seed says
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=AGENTS_MAX))]
    agents: Option<u64>,
    /// How long things go wrong, in hours of virtual time, whatever the seed says
    #[arg(long, value_parser = milliseconds)]
    hours: Option<u64>,
    /// Swap no store, and let no hub go on beside another one
    #[arg(long)]
    one_history: bool,
    /// Let stores be swapped, and hubs go on beside others, in every run
    #[arg(long, conflicts_with = "one_history")]
    forks: bool,
    /// Let something run in the clusters before, in every run
    #[arg(long)]
    brownfield: bool,
    /// Let nothing run there before
    #[arg(long, conflicts_with = "brownfield")]
    greenfield: bool,
    /// Let some agents be of an older release, in every run
    #[arg(long)]
    old_agents: bool,
    /// Let all agents be of one release
    #[arg(long, conflicts_with = "old_agents")]
    one_release: bool,
    /// Print everything that happens
    #[arg(long)]
    trace: bool,
    /// Print only what failed, and the sums
    #[arg(long, conflicts_with = "trace")]
    quiet: bool,
    /// Go on after a run that failed
    #[arg(long)]
    keep_going: bool,
}

#[expect(clippy::disallowed_types, reason = "how fast it runs is told, and decides nothing")]
fn main() -> ExitCode {
    let options = Options::parse();
    let seeds = options.seeds.clone().unwrap_or(options.seed..options.seed.saturating_add(1));
    let begun = std::time::Instant::now();
    let mut sums = Sums::default();
    for seed in seeds {
        let run = options.run(seed);
        let trace = options.trace.then_some(say as fn(&str));
        match catch_unwind(AssertUnwindSafe(|| run.make(trace))) {
            Ok(outcome) => {
                if !options.quiet {
                    let (passed, happened) = (outcome.passed as f64 / 1000.0, outcome.happened);
                    let digest = outcome.digest;
                    say!("seed {seed}: {passed} s, {happened} events, digest {digest:016x}");
                }
                sums.add(&outcome);
            }
            Err(_) => {
                say!("seed {seed} failed; to run it again, with a trace of all that happens:\n{run}");
                sums.failed += 1;
                if !options.keep_going {
                    break;
                }
            }
        }
    }
    sums.tell(begun.elapsed().as_secs_f64());
    if sums.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What all runs have come to.
#[derive(Debug, Default)]
struct Sums {
    made: u64,
    failed: u64,
    passed: u64,
    happened: u64,
    seen: Seen,
}

impl Options {
    fn run(&self, seed: u64) -> Run {
        let count = |count: Option<u64>| count.and_then(|count| usize::try_from(count).ok());
        Run {
            seed,
            clusters: count(self.clusters),
            agents: count(self.agents),
            lasts: self.hours,
            forks: (self.one_history || self.forks).then_some(self.forks),
            releases: (self.one_release || self.old_agents).then_some(self.old_agents),
            brownfield: (self.greenfield || self.brownfield).then_some(self.brownfield),
        }
    }
}

impl Sums {
    fn add(&mut self, outcome: &Outcome) {
        self.made += 1;
        self.passed += outcome.passed;
        self.happened += outcome.happened;
        self.seen.add(outcome.seen);
    }

    fn tell(&self, took: f64) {
        let (passed, happened) = (self.passed as f64 / 1000.0, self.happened);
        say!("{} runs went well, {} failed", self.made, self.failed);
        say!("{passed} s of virtual time in {took:.1} s: {:.0} times as fast", passed / took);
        say!("{happened} events, {:.0} a second", happened as f64 / took);
        say!("{:#?}", self.seen);
    }
}

#[expect(clippy::disallowed_methods, reason = "a command is a shell: it talks to its caller")]
fn say(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let remedy = "write two numbers, such as 1..1001";
    let (from, to) = text.split_once("..").ok_or(remedy)?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text:?}: {error}; {remedy}"));
    let range = number(from)?..number(to)?;
    if range.is_empty() { Err(format!("it names no seed; {remedy}")) } else { Ok(range) }
}

fn milliseconds(text: &str) -> Result<u64, String> {
    let remedy = format!("give a number of hours above 0, such as 0.5, and no more than {HOURS_MAX}");
    let hours: f64 = text.parse().map_err(|error| format!("{error}; {remedy}"))?;
    if hours > 0.0 && hours <= HOURS_MAX { Ok((hours * 3_600_000.0) as u64) } else { Err(remedy) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_nonsense_is_refused() {
        let parse = |line: &str| Options::try_parse_from(line.split(' '));
        let options = parse("sim --seeds 3..5 --clusters 1000 --hours 0.5").expect("it is right");
        assert_eq!(options.seeds, Some(3..5));
        let run = Run { clusters: Some(1000), lasts: Some(1_800_000), ..Run::of(4) };
        assert_eq!(options.run(4), run);
        for wrong in ["--seeds 5..5", "--seeds 5", "--hours 0", "--hours nan", "--clusters 0", "--agents x"] {
            assert!(parse(&format!("sim {wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_run_tells_the_command_that_makes_it_again() {
        let run = Run {
            seed: 4,
            clusters: Some(9),
            agents: Some(2),
            lasts: Some(1_800_000),
            forks: Some(false),
            releases: Some(true),
            brownfield: Some(false),
        };
        let line = run.to_string();
        let (_, arguments) = line.split_once(" -- ").expect("arguments");
        let again = Options::try_parse_from(format!("sim {arguments}").split(' ')).expect("its own words");
        assert_eq!(again.run(again.seed), run);
    }
}
