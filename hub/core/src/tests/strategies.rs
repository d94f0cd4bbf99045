//! The strategies, from the policy to the members.

use std::time::Duration;

use godwit_common::WorkloadId;
use godwit_common::policy::{ClusterSelector, GroupBy, SpreadConstraint, Strategy, Tiers};

use super::fixture::{Fixture, cluster, policy, shares, spec, web};
use crate::{Command, Policy, PolicyChoice};

fn under(strategy: Strategy) -> PolicyChoice {
    let mut policy: Policy = policy("chosen", &[]);
    policy.placement.strategy = strategy;
    PolicyChoice::Inline(policy)
}

fn tiers(first: &str, second: &str) -> Tiers {
    let tier = |name| ClusterSelector::of_names([cluster(name)]);
    Tiers::new(vec![tier(first), tier(second)]).expect("good tiers")
}

fn skewed(skew: u32) -> Strategy {
    let (min_groups, max_groups, max_skew) = (None, None, Some(skew));
    Strategy::Spread(vec![SpreadConstraint {
        by: GroupBy::Cluster,
        min_groups,
        max_groups,
        max_skew,
        soft: false,
    }])
}

fn deployed(clusters: &[(&str, u32)], replicas: u32, strategy: Strategy) -> Fixture {
    let mut fixture = Fixture::new(clusters);
    fixture.deploy(spec(web(), replicas), under(strategy)).expect("a good request");
    fixture.pass(Duration::from_secs(2));
    fixture
}

fn reasons(fixture: &Fixture) -> Vec<String> {
    let plan = fixture.hub.plan(&web()).expect("it exists");
    plan.report.iter().map(|row| format!("{} {}: {}", row.cluster, row.replicas, row.reason)).collect()
}

/// What was divided, what is pending, and why.
fn standing(fixture: &Fixture) -> (u32, u32, Vec<String>) {
    let view = fixture.web();
    let reasons = view.pending_reasons.iter().map(ToString::to_string).collect();
    (view.wanted, view.pending, reasons)
}

#[test]
fn s15_capacity_follows_the_room_and_what_runs_counts_as_room() {
    let mut fixture = deployed(&[("alpha", 10), ("bravo", 30)], 20, Strategy::Capacity);
    assert_eq!(fixture.running(), shares(&[("alpha", 5), ("bravo", 15)]));
    // What runs by now has taken room: the shares stay as they are all the same.
    fixture.command(Command::Scale { workload: web(), replicas: 32 }).expect("it exists");
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.running(), shares(&[("alpha", 8), ("bravo", 24)]));
}

#[test]
fn spread_is_even_and_the_skew_holds_back_what_has_no_even_place() {
    let clusters = [("alpha", 2), ("bravo", 100), ("charlie", 100)];
    let fixture = deployed(&clusters, 9, Strategy::Spread(Vec::new()));
    assert_eq!(fixture.running(), shares(&[("alpha", 2), ("bravo", 3), ("charlie", 4)]));
    let mut fixture = deployed(&clusters, 9, skewed(1));
    assert_eq!(fixture.running(), shares(&[("alpha", 2), ("bravo", 3), ("charlie", 3)]));
    let why = vec!["bravo, charlie: max skew reached".to_owned(), "alpha: no room: cpu".to_owned()];
    assert_eq!(standing(&fixture), (9, 1, why));
    fixture.members.get_mut(&cluster("alpha")).expect("a member").cores = 3;
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.running(), shares(&[("alpha", 3), ("bravo", 3), ("charlie", 3)]));
}

#[test]
fn pack_fills_the_largest_and_opens_another_only_when_it_is_full() {
    let mut fixture = deployed(&[("alpha", 10), ("bravo", 30), ("charlie", 20)], 25, Strategy::Pack);
    assert_eq!(fixture.running(), shares(&[("bravo", 25)]));
    fixture.command(Command::Scale { workload: web(), replicas: 40 }).expect("it exists");
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.running(), shares(&[("bravo", 30), ("charlie", 10)]));
    let expected = [
        "alpha 0: packed: not needed",
        "bravo 30: no room: cpu",
        "charlie 10: packed: filled before another cluster is used",
    ];
    assert_eq!(reasons(&fixture), expected);
}

#[test]
fn ordered_overflows_into_the_next_tier_and_falls_back_when_the_first_is_lost() {
    let tiers = tiers("alpha", "bravo");
    let clusters = [("alpha", 10), ("bravo", 30), ("charlie", 30)];
    let mut fixture = deployed(&clusters, 8, Strategy::Ordered(tiers));
    assert_eq!(fixture.running(), shares(&[("alpha", 8)]));
    fixture.command(Command::Scale { workload: web(), replicas: 12 }).expect("it exists");
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.running(), shares(&[("alpha", 10), ("bravo", 2)]));
    fixture.disconnect("alpha");
    fixture.pass(Duration::from_secs(30));
    assert_eq!(fixture.plan(), shares(&[("bravo", 12)]));
}

#[test]
fn s14_duplicate_wants_the_full_number_in_every_cluster() {
    let mut fixture = deployed(&[("alpha", 10), ("bravo", 2)], 3, Strategy::Duplicate);
    assert_eq!(fixture.running(), shares(&[("alpha", 3), ("bravo", 2)]));
    assert_eq!(standing(&fixture), (6, 1, vec!["bravo: no room: cpu".to_owned()]));
    // A cluster that joins runs it, too.
    fixture.add_member("charlie", 10);
    fixture.connect("charlie");
    fixture.pass(Duration::from_secs(5));
    assert_eq!(fixture.running(), shares(&[("alpha", 3), ("bravo", 2), ("charlie", 3)]));
    assert_eq!(standing(&fixture).0, 9);
    // A lost cluster's copies are missing there, and nowhere else.
    fixture.disconnect("charlie");
    fixture.pass(Duration::from_secs(30));
    assert_eq!(fixture.plan(), shares(&[("alpha", 3), ("bravo", 2)]));
    let lost = vec!["bravo: no room: cpu".to_owned(), "charlie: not eligible: lost".to_owned()];
    assert_eq!(standing(&fixture), (9, 4, lost));
    // Scaling down does not wait for it.
    fixture.command(Command::Scale { workload: web(), replicas: 2 }).expect("it exists");
    fixture.pass(Duration::from_secs(2));
    let connected = |(name, _): &(String, u32)| name != "charlie";
    let running: Vec<_> = fixture.running().into_iter().filter(connected).collect();
    assert_eq!(running, shares(&[("alpha", 2), ("bravo", 2)]));
    fixture.connect("charlie");
    fixture.pass(Duration::from_secs(30));
    assert_eq!(fixture.running(), shares(&[("alpha", 2), ("bravo", 2), ("charlie", 2)]));
    assert_eq!(standing(&fixture), (6, 0, Vec::new()));
}

#[test]
fn duplicate_survives_a_restart_and_a_cluster_that_is_deleted() {
    let mut fixture = deployed(&[("alpha", 10), ("bravo", 10)], 3, Strategy::Duplicate);
    fixture.restart();
    fixture.connect("alpha");
    fixture.pass(Duration::from_secs(60));
    assert_eq!(standing(&fixture), (6, 3, vec!["bravo: not eligible: lost".to_owned()]));
    let command = Command::DeleteCluster { cluster: cluster("bravo"), force: true };
    fixture.command(command).expect("it is lost");
    assert_eq!(standing(&fixture), (3, 0, Vec::new()));
}

#[test]
fn s32_a_new_stateful_workload_starts_where_the_strategy_would_begin() {
    let tiers = tiers("bravo", "alpha");
    let id = WorkloadId::new("default", "StatefulSet", "db").expect("a valid identity");
    for (strategy, home) in [(Strategy::Ordered(tiers), "bravo"), (Strategy::Pack, "charlie")] {
        let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10), ("charlie", 30)]);
        fixture.deploy(spec(id.clone(), 3), under(strategy)).expect("a good request");
        fixture.pass(Duration::from_secs(2));
        assert_eq!(fixture.running(), shares(&[(home, 3)]));
    }
}
