//! The page as a scraper reads it, and as it is documented.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use godwit_common::{Epoch, Uid, WallTime};
use godwit_hub_core::{FederationView, Freeze, FreezeCause};

use super::*;
use crate::driver::Shortages;

#[test]
fn each_sum_is_in_its_place() {
    let mut view = view();
    view.federation.epoch = Epoch(7);
    let clusters = &mut view.totals.clusters;
    clusters.states = std::array::from_fn(|index| 100 + index as u64);
    (clusters.connected, clusters.cordoned, clusters.flapping) = (0, 1, 2);
    (clusters.agents, clusters.removals_held, clusters.orphans) = (8, 9, 10);
    (clusters.survives, clusters.short, clusters.unchecked) = (19, 20, 21);
    view.totals.shortages = Shortages::of(22);
    let workloads = &mut view.totals.workloads;
    (workloads.count, workloads.wanted, workloads.placed) = (11, 12, 13);
    (workloads.ready, workloads.pending, workloads.possible_over_run) = (14, 15, 16);
    workloads.drifted = 25;
    (view.totals.migrations.running, view.totals.migrations.completed) = (17, 18);
    (view.totals.migrations.paused, view.totals.migrations.cancelled) = (23, 24);
    let times = &mut view.times;
    for (histogram, count) in [(&mut times.detection, 1), (&mut times.wave, 2), (&mut times.recovery, 3)] {
        (0..count).for_each(|_| histogram.count(Duration::from_secs(1)));
    }
    let delivery = Delivery { delivered: 25.into(), failed_attempts: 26.into(), missed: 27.into() };
    let build = format!("godwit_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    let expected = [
        (&*build, 1),
        ("godwit_hub_epoch", 7),
        ("godwit_failover_frozen", 0),
        ("godwit_clusters{state=\"Unknown\"}", 100),
        ("godwit_clusters{state=\"Joining\"}", 101),
        ("godwit_clusters{state=\"Ready\"}", 102),
        ("godwit_clusters{state=\"Degraded\"}", 103),
        ("godwit_clusters{state=\"Suspect\"}", 104),
        ("godwit_clusters{state=\"Lost\"}", 105),
        ("godwit_clusters{state=\"Returning\"}", 106),
        ("godwit_clusters{state=\"Draining\"}", 107),
        ("godwit_clusters{state=\"Drained\"}", 108),
        ("godwit_clusters{state=\"Retiring\"}", 109),
        ("godwit_clusters{state=\"Maintenance\"}", 110),
        ("godwit_clusters_cordoned", 1),
        ("godwit_clusters_flapping", 2),
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
        ("godwit_drifted_placements", 25),
        ("godwit_migrations{state=\"Running\"}", 17),
        ("godwit_migrations{state=\"Completed\"}", 18),
        ("godwit_migrations{state=\"Paused\"}", 23),
        ("godwit_migrations{state=\"Cancelled\"}", 24),
        ("godwit_loss_detection_seconds_count", 1),
        ("godwit_loss_wave_seconds_count", 2),
        ("godwit_loss_recovery_seconds_count", 3),
        ("godwit_webhook_delivered_total", 25),
        ("godwit_webhook_failed_attempts_total", 26),
        ("godwit_webhook_missed_total", 27),
    ];
    let expected: BTreeMap<String, u64> =
        expected.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let mut shown = series(&render(&view, &delivery));
    // What a histogram looks like is its own test's matter.
    shown.retain(|name, _| !name.contains("_bucket") && !name.ends_with("_sum"));
    assert_eq!(shown, expected);
}

#[test]
fn a_freeze_shows() {
    let mut view = view();
    let freeze = Freeze { cause: FreezeCause::MassLoss, since: WallTime(0), message: "".into() };
    view.federation.freeze = Some(freeze);
    assert_eq!(series(&render(&view, &Delivery::default()))["godwit_failover_frozen"], 1);
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
            let kind = rest.strip_prefix(" | ").and_then(|rest| rest.split_once(" | ")).map(|(kind, _)| kind);
            format!("godwit_{name} {}", kind.unwrap_or_default())
        })
        .collect();
    let page = render(&view(), &Delivery::default());
    let heads = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    assert_eq!(documented, heads.map(str::to_owned).collect());
}

/// deploy/prometheus/godwit.rules.yaml asks for nothing that is not there, and points at what can be read.
#[test]
fn the_alerts_know_their_metrics_and_their_pages() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let read = |path: &str| std::fs::read_to_string(format!("{root}/{path}")).unwrap();
    let (rules, guide) = (read("deploy/prometheus/godwit.rules.yaml"), read("docs/operations.md"));
    let known: BTreeSet<String> = series(&render(&view(), &Delivery::default()))
        .into_keys()
        .map(|name| name.split('{').next().unwrap_or_default().to_owned())
        .collect();
    let expressions: Vec<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).collect();
    assert!(expressions.len() > 5, "{rules}");
    for expression in expressions {
        let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let mut named = words.filter(|word| word.starts_with("godwit_")).peekable();
        assert!(named.peek().is_some(), "{expression}");
        named.for_each(|name| assert!(known.contains(name), "{name} in {expression}"));
    }
    let heads = guide.lines().filter_map(|line| line.strip_prefix("## "));
    let anchors: BTreeSet<String> = heads.map(|head| head.to_lowercase().replace(' ', "-")).collect();
    let pages = rules.split("docs/operations.md#").skip(1);
    for anchor in pages.map(|rest| rest.split(['.', ' ', '"', ')']).next().unwrap_or_default()) {
        assert!(anchors.contains(anchor), "{anchor}");
    }
}

fn view() -> View {
    View::empty(FederationView {
        roles: Default::default(),
        issuers: Default::default(),
        uid: Uid(1),
        epoch: Epoch(1),
        freeze: None,
        alarms: Vec::new(),
        retired: Vec::new(),
        tokens: Vec::new(),
        revocations: Vec::new(),
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
            let kind = kind.strip_prefix(metric).map(str::trim);
            assert!(matches!(kind, Some("gauge" | "counter" | "histogram")), "{line}");
        } else {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let own = name.split('{').next().unwrap().strip_prefix(metric);
            assert!(matches!(own, Some("" | "_bucket" | "_sum" | "_count")), "{line}");
            let value: f64 = value.parse().unwrap();
            assert_eq!(series.insert(name.to_owned(), value as u64), None, "{line}");
        }
    }
    assert!(page.ends_with('\n'));
    series
}
