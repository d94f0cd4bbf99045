//! T9: the drain. A cluster with thousands of workloads is emptied, surge first (S20); is a replica missing at any moment,
//! and what does the hub add to the time that pods take to get ready?
//!
//! What is missing is summed up from what happened in the clusters themselves: for each workload, how many replicas were
//! not ready, times how long. The baseline is the same hub, moving one workload at a time, without any pod's time.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use godwit_common::Uid;
use tokio::time::Instant;

use crate::federation::{Federation, Fleet, Setup, Told, What};
use crate::loss::one_at_a_time;
use crate::measure::millis;

const CLUSTERS: usize = 100;
/// Workloads on the cluster: x1, x3, x10.
const SIZES: [usize; 3] = [500, 1_500, 5_000];
const SAMPLE: usize = 200;
/// How long pods take to get ready.
const READY_AFTER: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(120);

/// Prints the table.
pub(crate) fn run() -> Result<()> {
    let runtime = crate::runtime()?;
    println!(
        "T9: {CLUSTERS} clusters, one is drained; pods are ready after {} s, min_ready is 0\n",
        READY_AFTER.as_secs()
    );
    println!(
        "| workloads | missing replica-seconds | drained in | of that the hub's | one at a time | ratio |"
    );
    println!("|---:|---:|---:|---:|---:|---:|");
    for size in SIZES {
        let Drained { missing, took, single } =
            runtime.block_on(drain(size)).with_context(|| format!("with {size} workloads"))?;
        let (own, all) = (took.saturating_sub(READY_AFTER), single * size as u32);
        println!(
            "| {size} | {:.3} | {} | {} | {} | {:.0} |",
            missing.as_secs_f64(),
            millis(took),
            millis(own),
            millis(all),
            all.as_secs_f64() / own.as_secs_f64()
        );
    }
    Ok(())
}

/// What one run showed.
struct Drained {
    missing: Duration,
    took: Duration,
    /// One workload moved by itself, on average.
    single: Duration,
}

async fn drain(size: usize) -> Result<Drained> {
    let settings = vec![("federation.min_ready", "0s".to_owned())];
    let heartbeat = Duration::from_secs(1);
    let federation = Federation::start(&Setup { clusters: CLUSTERS, heartbeat, settings }).await?;
    let mut fleet = Fleet::connect(&federation, READY_AFTER).await?;
    federation.apply_policy(Duration::from_secs(10), CLUSTERS).await?;
    federation.deploy(size).await?;
    fleet.wait_for_replicas(size, PATIENCE).await.context("waiting for the deployment")?;
    let single = one_at_a_time(&federation, &mut fleet, SAMPLE).await?;
    fleet.wait_for_replicas(size, PATIENCE).await.context("waiting for the end of the baseline")?;
    let start = Instant::now();
    federation.drain_first().await?;
    let mut left = size;
    let happened = fleet.until(PATIENCE, |told| {
        left -= usize::from(told.cluster == 0 && told.what == What::Ready && told.replicas == 0);
        left == 0
    });
    let happened = happened.await.context("waiting for the drain")?;
    let took = happened.iter().map(|told| told.at - start).max().unwrap_or_default();
    Ok(Drained { missing: missing(happened), took, single })
}

/// Replicas that were not ready, times how long. Each workload has one, ready in the first cluster at the beginning.
fn missing(mut happened: Vec<Told>) -> Duration {
    // Clusters tell of it each in its own order; at one and the same moment, what got ready counts first.
    happened.sort_by_key(|told| (told.at, std::cmp::Reverse(told.replicas)));
    let mut workloads: BTreeMap<Uid, (BTreeMap<usize, u32>, Option<Instant>)> = BTreeMap::new();
    let mut missing = Duration::ZERO;
    for told in happened.into_iter().filter(|told| told.what == What::Ready) {
        let (ready, since) = workloads.entry(told.uid).or_insert_with(|| (BTreeMap::from([(0, 1)]), None));
        ready.insert(told.cluster, told.replicas);
        match (ready.values().sum::<u32>(), *since) {
            (0, None) => *since = Some(told.at),
            (1.., Some(began)) => {
                missing += told.at - began;
                *since = None;
            }
            (0, Some(_)) | (1.., None) => {}
        }
    }
    missing
}
