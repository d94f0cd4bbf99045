//! T4: what a workload costs in memory, and what the loss of a cluster costs, in the hub's machine itself.
//!
//! Each workload has a replica in each of its eligible clusters. The baseline is what remains of the decision when all its
//! inputs lie ready: a heap for each workload, against the rooms of its clusters.

mod baseline;
mod fleet;

use std::hint::black_box;
use std::time::Instant;

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

/// These are lost one after the other. With eight clusters eligible, they hold nothing in common.
const LOST: [usize; 5] = [0, 200, 400, 600, 800];

/// What the loss of a cluster costs.
struct Loss {
    workloads: u64,
    /// Replicas that find no room.
    unplaced: u64,
    /// The loss itself.
    took: Took,
    /// The question what would be if it were lost.
    asked: Took,
    heap: Took,
}

/// Prints the tables.
pub(crate) fn run() -> Result<()> {
    println!("T4: {CLUSTERS} clusters, {ELIGIBLE} of them eligible for each workload\n");
    println!(
        "| workloads | memory each | on a lost cluster | unplaced | its loss | growth | what if | heap alone | ratio |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    let mut first: Option<Took> = None;
    for workloads in WORKLOADS {
        let before = resident_bytes()?;
        let mut fleet = Fleet::new(CLUSTERS, workloads, ELIGIBLE)?;
        let bytes = resident_bytes()?.saturating_sub(before) / workloads as u64;
        let Loss { workloads: lost, unplaced, took, asked, heap } = loss(&mut fleet)?;
        let growth = took.ratio(*first.get_or_insert(took));
        let ratio = heap.ratio(took);
        println!(
            "| {workloads} | {bytes} B | {lost} | {unplaced} | {took} | x{growth:.1} | {asked} | {heap} | {ratio:.2} |"
        );
    }
    println!("\nT4: {EVERYWHERE} workloads, all {CLUSTERS} clusters eligible for each\n");
    println!("| on a lost cluster | unplaced | its loss | what if | heap alone | ratio |");
    println!("|---:|---:|---:|---:|---:|---:|");
    let mut fleet = Fleet::new(CLUSTERS, EVERYWHERE, CLUSTERS)?;
    let Loss { workloads, unplaced, took, asked, heap } = loss(&mut fleet)?;
    println!("| {workloads} | {unplaced} | {took} | {asked} | {heap} | {:.2} |", heap.ratio(took));
    Ok(())
}

/// The baseline has to say what the hub says. Then clusters are lost in earnest.
fn loss(fleet: &mut Fleet) -> Result<Loss> {
    let what = WhatIf { lose: [fleet.name(LOST[0]).clone()].into(), ..WhatIf::default() };
    let ask = || fleet.hub.what_if(black_box(&what)).map_err(|refused| anyhow!("{refused:?}"));
    let view = ask()?;
    let baseline = fleet.baseline(LOST[0]);
    let answer = baseline.place(&mut baseline.rooms());
    baseline.compare(&answer, &view)?;
    let unplaced = view.pending_after - view.pending_before;
    let refused = answer.iter().filter(|place| place.is_none()).count() as u64;
    ensure!(unplaced == refused, "{unplaced} replicas find no room, or {refused}");
    let asked = median(|| ask().is_ok());
    let heap = median_of(|| baseline.rooms(), |rooms| baseline.place(rooms));
    let mut times = LOST.map(|index| {
        let start = Instant::now();
        let effects = black_box(fleet.lose(index));
        let took = start.elapsed();
        drop(effects);
        took
    });
    times.sort();
    for index in LOST {
        let left = fleet.hub.cluster(fleet.name(index)).map(|cluster| cluster.replicas);
        ensure!(left == Some(0), "{left:?} replicas are left on a lost cluster");
    }
    let took = Took { nanos: times[times.len() / 2].as_nanos() as f64 };
    Ok(Loss { workloads: view.changes.total, unplaced, took, asked, heap })
}

/// What this process holds in memory.
fn resident_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kilobytes.map(|kilobytes| kilobytes * 1024).ok_or_else(|| anyhow!("no VmRSS in /proc/self/status"))
}
