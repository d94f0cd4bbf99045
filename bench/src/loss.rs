//! T2: the loss wave. A cluster with thousands of workloads dies; how long until the last surviving agent has been sent
//! durable new targets, and how long until all of it is ready there?
//!
//! The hub is a process of its own with its store on disk, the agents are real mTLS streams, and the policy's `lost_after`
//! is zero, so that the stream's end *is* the loss: what is measured includes noticing it, planning, one commit, and
//! sending. What the member clusters then do is a constant here: each pod is ready after a second.
//!
//! The baseline is the same hub, moving one workload at a time: one command, one commit and one message each, as a
//! controller does that reconciles object by object.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::Instant;

use crate::federation::{Federation, Fleet, Setup, What};
use crate::measure::millis;

/// Surviving clusters and the one that dies.
const CLUSTERS: usize = 100;
/// Workloads on the lost cluster: x1, x3, x10.
const SIZES: [usize; 3] = [500, 1_500, 5_000];
/// Each size is measured on so many fresh federations.
const RUNS: usize = 3;
/// So many workloads are moved one at a time for the baseline.
const SAMPLE: usize = 300;
/// How long pods take to get ready.
const READY_AFTER: Duration = Duration::from_secs(1);
/// Nothing here takes so long.
const PATIENCE: Duration = Duration::from_secs(120);

/// What one run took.
struct Wave {
    first: Duration,
    last: Duration,
    ready: Duration,
    /// One workload moved by itself, on average.
    single: Duration,
}

/// Prints the table.
pub(crate) fn run() -> Result<()> {
    let runtime = crate::runtime()?;
    println!("T2: {CLUSTERS} clusters, one dies; times from the end of its stream ({RUNS} runs each)\n");
    println!(
        "| workloads | first agent | last agent, median | last agent, worst | all ready | one at a time | ratio |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|");
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
    let setup = Setup { clusters: CLUSTERS, heartbeat: Duration::from_secs(1), settings: Vec::new() };
    let federation = Federation::start(&setup).await?;
    let mut fleet = Fleet::connect(&federation, READY_AFTER).await?;
    federation.apply_policy(Duration::ZERO, CLUSTERS).await?;
    federation.deploy(size).await?;
    fleet.wait_for_replicas(size, PATIENCE).await.context("waiting for the deployment")?;
    let single = one_at_a_time(&federation, &mut fleet, SAMPLE).await?;
    let start = Instant::now();
    fleet.kill(0..1);
    let (mut sent, mut ready) = (Vec::new(), Vec::new());
    let moved = fleet.until(PATIENCE, |told| {
        if told.cluster != 0 && told.replicas > 0 {
            let times = if told.what == What::Sent { &mut sent } else { &mut ready };
            times.push(told.at - start);
        }
        ready.len() == size
    });
    moved.await.context("waiting for the moves")?;
    let last = |times: &[Duration]| times.iter().max().copied().unwrap_or_default();
    let first = sent.iter().min().copied().unwrap_or_default();
    Ok(Wave { first, last: last(&sent), ready: last(&ready), single })
}

/// What the hub needs to move one workload by itself, on average over so many: each is scaled up by one, and seen by its
/// agent before the next.
pub(crate) async fn one_at_a_time(
    federation: &Federation,
    fleet: &mut Fleet,
    sample: usize,
) -> Result<Duration> {
    let start = Instant::now();
    for index in 0..sample {
        federation.scale(index, 2).await?;
        fleet.wait_for_rows_with(2, index + 1, PATIENCE).await.context("waiting for the baseline")?;
    }
    let took = start.elapsed() / sample as u32;
    for index in 0..sample {
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
        "| {size} | {} | {} | {} | {} | {} | {:.0} |",
        millis(middle.first),
        millis(middle.last),
        millis(worst.last),
        millis(middle.ready),
        millis(all),
        all.as_secs_f64() / middle.last.as_secs_f64()
    );
}
