//! T3, its other half: no false loss. Half of the clusters are behind a network that loses one packet in a hundred, both
//! ways, and delays the rest by up to 200 ms; how often is one of them suspect, and is one ever lost?
//!
//! The network is a namespace of its own with rules of nftables (`numgen random`), and a relay that delays, since jitter
//! needs more than rules. It takes an hour, and the rights of root. The baseline is the other half, in the same federation
//! on a clean network.

mod network;
mod relay;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::Instant;

use crate::federation::{Federation, Fleet, Setup};
use network::Network;

/// As many again are on the clean side.
const CLUSTERS: usize = 20;
const WORKLOADS: usize = 200;
const HEARTBEAT: Duration = Duration::from_secs(1);
const LOST_AFTER: Duration = Duration::from_millis(3_500);
const LOSS_PERCENT: u8 = 1;
const JITTER: Duration = Duration::from_millis(200);
const TIME: Duration = Duration::from_secs(60 * 60);
const PATIENCE: Duration = Duration::from_secs(60);

/// Prints the table.
pub(crate) fn run() -> Result<()> {
    crate::runtime()?.block_on(calm())
}

async fn calm() -> Result<()> {
    let settings = vec![("federation.lost_after", format!("{}ms", LOST_AFTER.as_millis()))];
    let network = Network::new()?;
    let names = [network.here().to_string(), "127.0.0.1".to_owned()];
    let setup = Setup { clusters: 2 * CLUSTERS, heartbeat: HEARTBEAT, settings };
    let federation = Federation::start_as(&setup, &names).await?;
    let relay = relay::serve(network.here(), federation.endpoint.port(), JITTER).await?;
    network.lose(LOSS_PERCENT, relay.port())?;
    // The lossy ones are the first half.
    let lossy = network.agents(&federation, 0..CLUSTERS, relay)?;
    let mut clean = Fleet::connect_some(&federation, CLUSTERS..2 * CLUSTERS, Duration::ZERO).await?;
    federation.wait_for_clusters(2 * CLUSTERS, PATIENCE).await?;
    federation.spread_evenly(LOST_AFTER).await?;
    federation.deploy(WORKLOADS).await?;
    let before = federation.migrations().await?;
    println!(
        "T3: {CLUSTERS} clusters behind {LOSS_PERCENT} % loss and up to {} ms of jitter, {CLUSTERS} on a clean network\n",
        JITTER.as_millis()
    );
    let start = Instant::now();
    clean.during(TIME).await;
    let minutes = start.elapsed().as_secs() / 60;
    let dropped = network.lost()?;
    ensure!(dropped > 0, "no packet was lost: the rules do not work");
    println!("| network | minutes | heartbeats, about | packets lost | suspect | lost | migrations |");
    println!("|---|---:|---:|---:|---:|---:|---:|");
    let migrations = federation.migrations().await?.saturating_sub(before);
    for (name, clusters, packets) in [("lossy", 0..CLUSTERS, dropped), ("clean", CLUSTERS..2 * CLUSTERS, 0)] {
        let [suspect, lost] = federation.times_away(clusters).await.context("reading the journal")?;
        let beats = CLUSTERS as u64 * start.elapsed().as_secs() / HEARTBEAT.as_secs();
        println!("| {name} | {minutes} | {beats} | {packets} | {suspect} | {lost} | {migrations} |");
    }
    drop(lossy);
    Ok(())
}
