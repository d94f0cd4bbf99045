//! T2: the loss wave. A cluster with thousands of workloads dies; how long until the last surviving agent has been sent
//! durable new targets?
//!
//! The hub is a process of its own with its store on disk, the agents are real mTLS streams, and the policy's `lost_after`
//! is zero, so that the stream's end *is* the loss: what is measured includes noticing it, planning, one commit, and
//! sending. What the member clusters then do is not part of it.
//!
//! The baseline is the same hub, moving one workload at a time: one command, one commit and one message each, as a
//! controller does that reconciles object by object.

mod agent;
mod federation;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use agent::Fleet;
use federation::Federation;

/// Surviving clusters and the one that dies.
const CLUSTERS: usize = 100;
/// Workloads on the lost cluster: x1, x3, x10.
const SIZES: [usize; 3] = [500, 1_500, 5_000];
/// Each size is measured on so many fresh federations.
const RUNS: usize = 3;
/// So many workloads are moved one at a time for the baseline.
const SAMPLE: usize = 300;
/// Nothing here takes so long.
const PATIENCE: Duration = Duration::from_secs(120);

/// What one run took.
struct Wave {
    first: Duration,
    last: Duration,
    /// One workload moved by itself, on average.
    single: Duration,
}

/// Prints the table.
pub(crate) fn run() -> Result<()> {
    godwit_rt::tls::install_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    println!("T2: {CLUSTERS} clusters, one dies; times from the end of its stream ({RUNS} runs each)\n");
    println!("| workloads | first agent | last agent, median | last agent, worst | one at a time | ratio |");
    println!("|---:|---:|---:|---:|---:|---:|");
    for size in SIZES {
        let mut waves = Vec::new();
        for _ in 0..RUNS {
            waves.push(runtime.block_on(wave(size)).with_context(|| format!("with {size} workloads"))?);
        }
        print_row(size, &mut waves);
    }
    Ok(())
}

async fn wave(size: usize) -> Result<Wave> {
    let federation = Federation::start(CLUSTERS).await?;
    let mut fleet = Fleet::connect(&federation).await?;
    federation.apply_policy().await?;
    federation.deploy(size).await?;
    fleet.wait_for_replicas(size, PATIENCE).await.context("waiting for the deployment")?;
    let single = one_at_a_time(&federation, &mut fleet).await?;
    let start = Instant::now();
    fleet.kill_first();
    let (first, last) = fleet.wait_for_moves(size, start, PATIENCE).await.context("waiting for the moves")?;
    Ok(Wave { first, last, single })
}

/// What moving workloads one by one costs: each is scaled up by one and seen by its agent before the next.
async fn one_at_a_time(federation: &Federation, fleet: &mut Fleet) -> Result<Duration> {
    let start = Instant::now();
    for index in 0..SAMPLE {
        federation.scale(index, 2).await?;
    }
    fleet.wait_for_rows_with(2, SAMPLE, PATIENCE).await.context("waiting for the baseline")?;
    let took = start.elapsed() / SAMPLE as u32;
    for index in 0..SAMPLE {
        federation.scale(index, 1).await?;
    }
    fleet.wait_for_rows_with(2, 0, PATIENCE).await.context("waiting for the end of the baseline")?;
    Ok(took)
}

fn print_row(size: usize, waves: &mut [Wave]) {
    waves.sort_by_key(|wave| wave.last);
    let (middle, worst) = (&waves[waves.len() / 2], &waves[waves.len() - 1]);
    let all = middle.single * size as u32;
    println!(
        "| {size} | {} | {} | {} | {} | {:.0} |",
        millis(middle.first),
        millis(middle.last),
        millis(worst.last),
        millis(all),
        all.as_secs_f64() / middle.last.as_secs_f64()
    );
}

fn millis(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}
