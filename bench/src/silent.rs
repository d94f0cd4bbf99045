//! T3: the silent loss. A cluster stops saying anything, with its stream open, as behind a cable that was cut; how long
//! until the others have been sent all that it held, and until that is ready, in federations of several sizes?
//!
//! The baseline is the bound itself that the rules promise (S1, S2): the longer of `lost_after` and 2.5 heartbeats, and a
//! second. A ratio below one keeps it.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::Instant;

use crate::federation::{Federation, Fleet, Setup, What};

/// Agents: x1, x10, x100.
const SIZES: [usize; 3] = [100, 1_000, 10_000];
/// What the cluster holds, and how many clusters may run it.
const WORKLOADS: usize = 100;
const ELIGIBLE: usize = 100;
const HEARTBEAT: Duration = Duration::from_secs(2);
const LOST_AFTER: Duration = Duration::from_secs(10);
/// How long pods take to get ready.
const READY_AFTER: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(300);

/// Prints the table.
pub(crate) fn run() -> Result<()> {
    let runtime = crate::runtime()?;
    let bound = LOST_AFTER.max(HEARTBEAT.mul_f64(2.5)) + Duration::from_secs(1);
    println!(
        "T3: a cluster with {WORKLOADS} workloads that {ELIGIBLE} may run falls silent; heartbeats every {} s, lost after {} s, bound {} s\n",
        HEARTBEAT.as_secs(),
        LOST_AFTER.as_secs(),
        bound.as_secs()
    );
    println!(
        "| agents | all connected in | cut to targets | ratio to the bound | cut to ready | others lost |"
    );
    println!("|---:|---:|---:|---:|---:|---:|");
    for size in SIZES {
        let Cut { connected, sent, ready, others } =
            runtime.block_on(cut(size)).with_context(|| format!("with {size} agents"))?;
        let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
        let ratio = sent.as_secs_f64() / bound.as_secs_f64();
        println!(
            "| {size} | {} | {} | {ratio:.2} | {} | {others} |",
            seconds(connected),
            seconds(sent),
            seconds(ready)
        );
    }
    Ok(())
}

/// What one run showed.
struct Cut {
    connected: Duration,
    sent: Duration,
    ready: Duration,
    /// Migrations beyond the one that has to be.
    others: usize,
}

async fn cut(size: usize) -> Result<Cut> {
    let settings = vec![("federation.lost_after", format!("{}s", LOST_AFTER.as_secs()))];
    let federation = Federation::start(&Setup { clusters: size, heartbeat: HEARTBEAT, settings }).await?;
    let start = Instant::now();
    let mut fleet = Fleet::connect(&federation, READY_AFTER).await?;
    let connected = start.elapsed();
    federation.apply_policy(LOST_AFTER, ELIGIBLE).await?;
    federation.deploy(WORKLOADS).await?;
    fleet.wait_for_replicas(WORKLOADS, PATIENCE).await.context("waiting for the deployment")?;
    let before = federation.migrations().await?;
    let start = Instant::now();
    fleet.silence(0..1);
    let (mut sent, mut ready, mut last) = (Duration::ZERO, Duration::ZERO, 0);
    let moved = fleet.until(PATIENCE, |told| {
        if told.cluster != 0 && told.replicas > 0 {
            match told.what {
                What::Sent => sent = sent.max(told.at - start),
                What::Ready => (ready, last) = (ready.max(told.at - start), last + 1),
            }
        }
        last == WORKLOADS
    });
    moved.await.context("waiting for the moves")?;
    let others = federation.migrations().await?.saturating_sub(before + 1);
    Ok(Cut { connected, sent, ready, others })
}
