//! T12: the mass failure. 30 % of the clusters vanish within a second: are those that are well still served? And does the
//! hub move anything when it is its own network that was cut?
//!
//! A probe scales a workload of one cluster that is well, again and again, and takes the time until that cluster's agent
//! has been sent the durable target. The baseline is the same probe before anything happened.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep};

use crate::federation::{Federation, Fleet, Setup, What};
use crate::measure::millis;

const CLUSTERS: usize = 100;
/// Those that vanish.
const VANISH: usize = 30;
/// What is spread over all of them.
const WORKLOADS: usize = 3_000;
const HEARTBEAT: Duration = Duration::from_secs(1);
const LOST_AFTER: Duration = Duration::from_secs(4);
/// How long is looked at, from the first that vanishes on: past the loss of all of them.
const STORM: Duration = Duration::from_secs(15);
const PATIENCE: Duration = Duration::from_secs(120);

/// Prints the tables.
pub(crate) fn run() -> Result<()> {
    let runtime = crate::runtime()?;
    println!(
        "T12: {VANISH} of {CLUSTERS} clusters vanish within a second; {WORKLOADS} workloads, lost after {} s\n",
        LOST_AFTER.as_secs()
    );
    println!("| one target, durable and sent | median | 99th percentile | worst | probes |");
    println!("|---|---:|---:|---:|---:|");
    let (before, during, moved) = runtime.block_on(vanish())?;
    let [calm, storm] = [("before", before), ("meanwhile", during)].map(|(when, mut times)| {
        times.sort();
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        println!(
            "| {when} | {} | {} | {} | {} |",
            millis(at(0.5)),
            millis(at(0.99)),
            millis(at(1.0)),
            times.len()
        );
        at(0.99)
    });
    println!("\nratio of the 99th percentiles: {:.1}", storm.as_secs_f64() / calm.as_secs_f64());
    println!("replicas sent elsewhere meanwhile: {moved}\n");
    println!("| the hub is cut off from | targets sent | migrations |");
    println!("|---|---:|---:|");
    for cut in [CLUSTERS, CLUSTERS * 6 / 10] {
        let (sent, migrations) = runtime.block_on(cut_off(cut))?;
        println!("| {cut} of {CLUSTERS} | {sent} | {migrations} |");
    }
    Ok(())
}

async fn start() -> Result<(Federation, Fleet)> {
    let settings = vec![("federation.lost_after", format!("{}s", LOST_AFTER.as_secs()))];
    let setup = Setup { clusters: CLUSTERS, heartbeat: HEARTBEAT, settings };
    let federation = Federation::start(&setup).await?;
    let mut fleet = Fleet::connect(&federation, Duration::ZERO).await?;
    federation.spread_evenly(LOST_AFTER).await?;
    federation.deploy(WORKLOADS).await?;
    fleet.wait_for_replicas(WORKLOADS, PATIENCE).await.context("waiting for the deployment")?;
    Ok((federation, fleet))
}

/// How long probes took before and after, and how many replicas others were sent.
async fn vanish() -> Result<(Vec<Duration>, Vec<Duration>, u64)> {
    let (federation, mut fleet) = start().await?;
    let probed = federation.clusters.len() - 1;
    let probe = federation.deploy_to_last(LOST_AFTER).await?;
    let mut replicas = 1;
    let mut moved = 0;
    let mut run = async |fleet: &mut Fleet,
                         federation: &Federation,
                         time: Duration,
                         vanish: usize|
           -> Result<Vec<Duration>> {
        let (start, mut times, mut gone) = (Instant::now(), Vec::new(), 0);
        while start.elapsed() < time {
            // Evenly within the first second.
            let due = ((start.elapsed().as_secs_f64() * vanish as f64) as usize).min(vanish);
            fleet.kill(gone..due);
            gone = gone.max(due);
            replicas = 3 - replicas;
            let asked = Instant::now();
            federation.scale_named(&probe, replicas.into()).await?;
            let mut at = None;
            let happened = fleet.until(PATIENCE, |told| {
                if told.what == What::Sent && told.cluster == probed && told.replicas == replicas {
                    at.get_or_insert(told.at);
                }
                at.is_some()
            });
            let happened = happened.await.context("waiting for the probe")?;
            moved += happened.iter().filter(|told| told.what == What::Sent).count() as u64 - 1;
            times.push(at.unwrap_or(asked).saturating_duration_since(asked));
            sleep(Duration::from_millis(5)).await;
        }
        Ok(times)
    };
    let before = run(&mut fleet, &federation, Duration::from_secs(5), 0).await?;
    let during = run(&mut fleet, &federation, STORM, VANISH).await?;
    Ok((before, during, moved))
}

/// What the hub does when so many fall silent at once.
async fn cut_off(clusters: usize) -> Result<(usize, usize)> {
    let (federation, mut fleet) = start().await?;
    let before = federation.migrations().await?;
    fleet.silence(0..clusters);
    let happened = fleet.during(STORM).await;
    let after = federation.migrations().await?;
    if after < before {
        bail!("migrations were forgotten");
    }
    Ok((happened.iter().filter(|told| told.what == What::Sent).count(), after - before))
}
