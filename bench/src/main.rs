//! Benchmarks, as ratios against a named baseline that runs on the same machine in the same run: absolute times
//! differ between machines, ratios hardly do.
//!
//! `cargo run --release -p bench -- NAME`

use std::process::ExitCode;

mod density;
mod loss;
mod measure;
mod planner;

/// Name, what it measures, entry.
type Bench = (&'static str, &'static str, fn() -> anyhow::Result<()>);

const BENCHES: [Bench; 3] = [
    ("planner", "T1: dividing one workload over many clusters", planner::run),
    ("density", "T4: memory for each workload, and the loss of a cluster", density::run),
    ("loss", "T2: from a lost cluster to new targets at the surviving agents", loss::run),
];

/// The hidden subcommand that runs a hub.
const HUB: &str = "__hub";

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let name = args.next().unwrap_or_default();
    // The hub under test is a process of its own: this very program, called so.
    if name == HUB {
        return godwit_hub::main_with_args(std::iter::once(HUB.into()).chain(args));
    }
    if let Some((_, _, run)) = BENCHES.into_iter().find(|(bench, ..)| name == *bench) {
        return match run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        };
    }
    eprintln!("usage: bench NAME, where NAME is one of");
    for (name, what, _) in BENCHES {
        eprintln!("  {name}  {what}");
    }
    ExitCode::from(2)
}
