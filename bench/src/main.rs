//! Benchmarks, as ratios against a named baseline that runs on the same machine in the same run: absolute times
//! differ between machines, ratios hardly do.
//!
//! `cargo run --release -p bench -- NAME`

use std::process::ExitCode;

mod calm;
mod density;
mod drain;
mod federation;
mod loss;
mod measure;
mod planner;
mod silent;
mod storm;

/// The hub's: it is this very program that is measured as a hub.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: godwit_hub::Allocator = godwit_hub::Allocator;

/// Name, what it measures, entry.
type Bench = (&'static str, &'static str, fn() -> anyhow::Result<()>);

const BENCHES: [Bench; 7] = [
    ("planner", "T1: dividing one workload over many clusters", planner::run),
    ("density", "T4: memory for each workload, and the loss of a cluster", density::run),
    ("loss", "T2: from a lost cluster to new targets at the surviving agents", loss::run),
    ("silent", "T3: from a cut cable to new targets, in federations of several sizes", silent::run),
    ("calm", "T3: an hour behind a bad network, without a false loss (as root)", calm::run),
    ("drain", "T9: what a drain misses, and what the hub adds to it", drain::run),
    ("storm", "T12: many clusters vanish at once", storm::run),
];

/// The hidden subcommand that runs a hub.
const HUB: &str = "__hub";
/// The one that runs agents somewhere else.
const AGENTS: &str = "__agents";

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let name = args.next().unwrap_or_default();
    // The hub under test is a process of its own: this very program, called so.
    if name == HUB {
        return godwit_hub::main_with_args(std::iter::once(HUB.into()).chain(args));
    }
    let bench = BENCHES.into_iter().find(|(bench, ..)| name == *bench).map(|(_, _, run)| run);
    let inside: Option<fn() -> anyhow::Result<()>> = (name == AGENTS).then_some(federation::run_inside);
    if let Some(run) = bench.or(inside) {
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

/// What benches over real streams run on.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    godwit_rt::tls::install_provider();
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
