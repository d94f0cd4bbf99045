//! T4: what a workload costs in memory, and what it costs to plan a lost cluster anew, in the hub's machine itself.
//!
//! Each workload has a replica in each of its eligible clusters. The baseline is what a scheduler does that asks about one
//! workload at a time: a heap over all its clusters, with the room of each looked up and taken anew.

mod baseline;
mod fleet;

use std::hint::black_box;

use godwit_hub_core::WhatIf;

use crate::measure::{Took, median};
use fleet::Fleet;

const CLUSTERS: usize = 1_000;
/// How many clusters a workload may run in.
const ELIGIBLE: usize = 8;
/// Workloads in all; the last is the target's.
const WORKLOADS: [usize; 3] = [100_000, 300_000, 1_000_000];
/// With every cluster eligible, as many are on the lost cluster as with eight of a thousand.
const EVERYWHERE: usize = 8_000;

/// Prints the tables.
pub(crate) fn run() -> anyhow::Result<()> {
    println!("T4: {CLUSTERS} clusters, {ELIGIBLE} of them eligible for each workload\n");
    println!(
        "| workloads | memory each | on a lost cluster | planned anew | growth | one at a time | ratio |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|");
    let mut first: Option<Took> = None;
    for workloads in WORKLOADS {
        let before = resident_bytes()?;
        let fleet = Fleet::new(CLUSTERS, workloads, ELIGIBLE);
        let bytes = resident_bytes()?.saturating_sub(before) / workloads as u64;
        let (lost, planned) = planned(&fleet);
        let alone = median(|| baseline::one_at_a_time(black_box(&fleet), lost));
        let growth = planned.ratio(*first.get_or_insert(planned));
        println!(
            "| {workloads} | {bytes} B | {lost} | {planned} | x{growth:.1} | {alone} | {:.1} |",
            alone.ratio(planned)
        );
    }
    println!("\nT4: {EVERYWHERE} workloads, all {CLUSTERS} clusters eligible for each\n");
    println!("| on a lost cluster | planned anew | one at a time | ratio |");
    println!("|---:|---:|---:|---:|");
    let fleet = Fleet::new(CLUSTERS, EVERYWHERE, CLUSTERS);
    let (lost, planned) = planned(&fleet);
    let alone = median(|| baseline::one_at_a_time(black_box(&fleet), lost));
    println!("| {lost} | {planned} | {alone} | {:.1} |", alone.ratio(planned));
    Ok(())
}

/// How many workloads a cluster holds, and how long it takes to plan them anew without it.
fn planned(fleet: &Fleet) -> (usize, Took) {
    let what = WhatIf { lose: [fleet.name(0)].into(), ..WhatIf::default() };
    let lost = fleet.hub.what_if(&what).map_or(0, |answer| answer.changes.total);
    let took = median(|| fleet.hub.what_if(black_box(&what)).map_or(0, |answer| answer.moved));
    (usize::try_from(lost).unwrap_or(usize::MAX), took)
}

/// What this process holds in memory.
fn resident_bytes() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kilobytes
        .map(|kilobytes| kilobytes * 1024)
        .ok_or_else(|| anyhow::anyhow!("no VmRSS in /proc/self/status"))
}
