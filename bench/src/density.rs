//! T4: what a workload costs in memory, and what it costs to plan a lost cluster anew, in the hub's machine itself.
//!
//! Each workload has a replica in each of its eligible clusters. The baseline is what remains of the decision when all its
//! inputs lie ready: a heap for each workload, against the rooms of its clusters.

mod baseline;
mod fleet;

use std::hint::black_box;

use anyhow::{Result, anyhow, ensure};
use godwit_hub_core::WhatIf;

use crate::measure::{Took, median, median_of};
use fleet::Fleet;

const CLUSTERS: usize = 1_000;
/// How many clusters a workload may run in.
const ELIGIBLE: usize = 8;
/// Workloads in all; the last is the target's.
const WORKLOADS: [usize; 3] = [100_000, 300_000, 1_000_000];
/// With every cluster eligible, as many are on the lost cluster as with eight of a thousand.
const EVERYWHERE: usize = 8_000;

/// What planning a lost cluster anew came to.
struct Planned {
    workloads: u64,
    /// Replicas that found no room.
    unplaced: u64,
    took: Took,
    heap: Took,
}

/// Prints the tables.
pub(crate) fn run() -> Result<()> {
    println!("T4: {CLUSTERS} clusters, {ELIGIBLE} of them eligible for each workload\n");
    println!(
        "| workloads | memory each | on a lost cluster | unplaced | planned anew | growth | heap alone | ratio |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|---:|");
    let mut first: Option<Took> = None;
    for workloads in WORKLOADS {
        let before = resident_bytes()?;
        let fleet = Fleet::new(CLUSTERS, workloads, ELIGIBLE)?;
        let bytes = resident_bytes()?.saturating_sub(before) / workloads as u64;
        let Planned { workloads: lost, unplaced, took, heap } = planned(&fleet)?;
        let growth = took.ratio(*first.get_or_insert(took));
        let ratio = heap.ratio(took);
        println!(
            "| {workloads} | {bytes} B | {lost} | {unplaced} | {took} | x{growth:.1} | {heap} | {ratio:.2} |"
        );
    }
    println!("\nT4: {EVERYWHERE} workloads, all {CLUSTERS} clusters eligible for each\n");
    println!("| on a lost cluster | unplaced | planned anew | heap alone | ratio |");
    println!("|---:|---:|---:|---:|---:|");
    let fleet = Fleet::new(CLUSTERS, EVERYWHERE, CLUSTERS)?;
    let Planned { workloads, unplaced, took, heap } = planned(&fleet)?;
    println!("| {workloads} | {unplaced} | {took} | {heap} | {:.2} |", heap.ratio(took));
    Ok(())
}

/// How long it takes to plan what the first cluster holds anew without it. Both answers have to be the same.
fn planned(fleet: &Fleet) -> Result<Planned> {
    let what = WhatIf { lose: [fleet.first().clone()].into(), ..WhatIf::default() };
    let ask = || fleet.hub.what_if(black_box(&what)).map_err(|refused| anyhow!("{refused:?}"));
    let view = ask()?;
    let baseline = fleet.baseline();
    let answer = baseline.place(&mut baseline.rooms());
    baseline.compare(&answer, &view)?;
    let unplaced = view.pending_after - view.pending_before;
    let refused = answer.iter().filter(|place| place.is_none()).count() as u64;
    ensure!(unplaced == refused, "{unplaced} replicas find no room, or {refused}");
    Ok(Planned {
        workloads: view.changes.total,
        unplaced,
        took: median(|| ask().is_ok()),
        heap: median_of(|| baseline.rooms(), |rooms| baseline.place(rooms)),
    })
}

/// What this process holds in memory.
fn resident_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kilobytes.map(|kilobytes| kilobytes * 1024).ok_or_else(|| anyhow!("no VmRSS in /proc/self/status"))
}
