//! The page as a scraper reads it, and as it is documented.

use std::collections::{BTreeMap, BTreeSet};

use godwit_common::{Epoch, Uid, WallTime};
use godwit_hub_core::{FederationView, Freeze, FreezeCause};

use super::*;
use crate::driver::Shortages;

#[test]
fn each_sum_is_in_its_place() {
    let mut view = view();
    view.federation.epoch = Epoch(7);
    let clusters = &mut view.totals.clusters;
    (clusters.unknown, clusters.joining, clusters.ready) = (1, 2, 3);
    (clusters.suspect, clusters.lost, clusters.returning) = (4, 5, 6);
    (clusters.agents, clusters.removals_held, clusters.orphans) = (8, 9, 10);
    (clusters.survives, clusters.short, clusters.unchecked) = (19, 20, 21);
    view.totals.shortages = Shortages::of(22);
    let workloads = &mut view.totals.workloads;
    (workloads.count, workloads.wanted, workloads.placed) = (11, 12, 13);
    (workloads.ready, workloads.pending, workloads.possible_over_run) = (14, 15, 16);
    (view.totals.migrations.running, view.totals.migrations.completed) = (17, 18);
    (view.totals.migrations.paused, view.totals.migrations.cancelled) = (23, 24);
    let build = format!("godwit_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    let expected = [
        (&*build, 1),
        ("godwit_hub_epoch", 7),
        ("godwit_failover_frozen", 0),
        ("godwit_clusters{state=\"Unknown\"}", 1),
        ("godwit_clusters{state=\"Joining\"}", 2),
        ("godwit_clusters{state=\"Ready\"}", 3),
        ("godwit_clusters{state=\"Suspect\"}", 4),
        ("godwit_clusters{state=\"Lost\"}", 5),
        ("godwit_clusters{state=\"Returning\"}", 6),
        ("godwit_agents_connected", 8),
        ("godwit_removals_held", 9),
        ("godwit_orphans", 10),
        ("godwit_clusters_survivable{verdict=\"survives\"}", 19),
        ("godwit_clusters_survivable{verdict=\"short\"}", 20),
        ("godwit_clusters_survivable{verdict=\"unknown\"}", 21),
        ("godwit_survivability_unplaced_replicas", 22),
        ("godwit_workloads", 11),
        ("godwit_replicas_wanted", 12),
        ("godwit_replicas_placed", 13),
        ("godwit_replicas_ready", 14),
        ("godwit_replicas_pending", 15),
        ("godwit_possible_over_run_replicas", 16),
        ("godwit_migrations{state=\"Running\"}", 17),
        ("godwit_migrations{state=\"Completed\"}", 18),
        ("godwit_migrations{state=\"Paused\"}", 23),
        ("godwit_migrations{state=\"Cancelled\"}", 24),
    ];
    let expected: BTreeMap<String, u64> =
        expected.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    assert_eq!(series(&render(&view)), expected);
}

#[test]
fn a_freeze_shows() {
    let mut view = view();
    let freeze = Freeze { cause: FreezeCause::MassLoss, since: WallTime(0), message: "".into() };
    view.federation.freeze = Some(freeze);
    assert_eq!(series(&render(&view))["godwit_failover_frozen"], 1);
}

/// docs/operations.md lists them, with their type and labels.
#[test]
fn every_metric_is_documented_and_every_documented_metric_exists() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");
    let document = std::fs::read_to_string(path).unwrap();
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `godwit_"));
    let documented: BTreeSet<String> = rows
        .map(|row| {
            let (name, rest) = row.split_once('`').unwrap();
            let name = name.split('{').next().unwrap_or(name);
            assert!(rest.starts_with(" | gauge | "), "godwit_{name} has a type and a unit");
            format!("godwit_{name}")
        })
        .collect();
    let page = render(&view());
    let heads = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" gauge"));
    assert_eq!(documented, heads.map(str::to_owned).collect());
}

fn view() -> View {
    View::empty(FederationView {
        uid: Uid(1),
        epoch: Epoch(1),
        freeze: None,
        alarms: Vec::new(),
        retired: Vec::new(),
    })
}

/// Reads a page strictly: every series stands under the head of its metric, and none is there twice.
fn series(page: &str) -> BTreeMap<String, u64> {
    let (mut series, mut metric, mut heads) = (BTreeMap::new(), "", BTreeSet::new());
    for line in page.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            metric = help.split_once(' ').unwrap().0;
            let legal = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(metric.chars().all(legal) && heads.insert(metric), "{line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            assert_eq!(kind, format!("{metric} gauge"));
        } else {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert_eq!(name.split('{').next(), Some(metric), "{line}");
            assert_eq!(series.insert(name.to_owned(), value.parse().unwrap()), None, "{line}");
        }
    }
    assert!(page.ends_with('\n'));
    series
}
