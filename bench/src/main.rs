//! Benchmarks, as ratios against a named baseline that runs on the same machine in the same run: absolute times
//! differ between machines, ratios hardly do.
//!
//! `cargo run --release -p bench -- NAME`

use std::process::ExitCode;

mod measure;
mod planner;

/// Name, what it measures, entry.
const BENCHES: [(&str, &str, fn()); 1] =
    [("planner", "T1: dividing one workload over many clusters", planner::run)];

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    if let Some((_, _, run)) = BENCHES.into_iter().find(|(bench, ..)| *bench == name) {
        run();
        return ExitCode::SUCCESS;
    }
    eprintln!("usage: bench NAME, where NAME is one of");
    for (name, what, _) in BENCHES {
        eprintln!("  {name}  {what}");
    }
    ExitCode::from(2)
}
