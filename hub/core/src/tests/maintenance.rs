//! Maintenance windows: S22.

use std::time::Duration;

use super::drains::state;
use super::fixture::{Fixture, cluster, policy, shares};
use super::shortage::pass;
use crate::{ClusterState, Command, DrainState, DrainTerms, RefusedKind};

fn announcement(seconds: Option<u64>, drain: Option<DrainTerms>) -> Command {
    Command::Maintain { cluster: cluster("alpha"), within: seconds.map(Duration::from_secs), drain }
}

fn maintain(fixture: &mut Fixture, seconds: Option<u64>) {
    fixture.command(announcement(seconds, None)).expect("a member");
}

fn maintain_empty(fixture: &mut Fixture, seconds: u64) {
    fixture.command(announcement(Some(seconds), Some(DrainTerms::default()))).expect("a member");
}

fn window_is_open(fixture: &Fixture) -> bool {
    fixture.hub.cluster(&cluster("alpha")).expect("a member").maintenance.is_some()
}

/// `web` is in alpha and bravo, half and half.
fn halved() -> Fixture {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40)]);
    fixture.run("web", 8, policy("even", &[("alpha", 1), ("bravo", 1)]));
    pass(&mut fixture, 2);
    fixture
}

#[test]
fn s22_within_a_window_silence_is_no_loss_and_after_it_it_is() {
    let mut fixture = halved();
    maintain(&mut fixture, Some(300));
    fixture.disconnect("alpha");
    pass(&mut fixture, 100);
    fixture.restart();
    fixture.connect("bravo");
    pass(&mut fixture, 150);
    assert_ne!(fixture.state("alpha"), ClusterState::Lost);
    assert_eq!(fixture.plan(), shares(&[("alpha", 4), ("bravo", 4)]));
    assert_eq!(fixture.hub.federation().freeze, None, "nobody misses it");
    pass(&mut fixture, 55);
    assert_eq!(fixture.noted("MaintenanceEnded"), 1);
    assert_ne!(fixture.state("alpha"), ClusterState::Lost, "its time counts from the end");
    pass(&mut fixture, 10);
    assert_eq!(fixture.state("alpha"), ClusterState::Lost);
    assert_eq!(fixture.plan(), shares(&[("bravo", 8)]));
    let late = announcement(Some(60), None);
    assert_eq!(fixture.command(late).expect_err("it is lost").kind, RefusedKind::FailedPrecondition);
}

#[test]
fn s22_a_clock_that_is_set_back_makes_no_window_longer() {
    let mut fixture = halved();
    maintain(&mut fixture, Some(300));
    fixture.disconnect("alpha");
    fixture.set_back = Duration::from_secs(900);
    pass(&mut fixture, 299);
    assert!(window_is_open(&fixture));
    pass(&mut fixture, 2);
    assert_eq!((window_is_open(&fixture), fixture.noted("MaintenanceEnded")), (false, 1));
    pass(&mut fixture, 10);
    assert_eq!(fixture.state("alpha"), ClusterState::Lost);
}

#[test]
fn s22_a_window_that_is_announced_anew_lasts_from_then() {
    let mut fixture = halved();
    maintain(&mut fixture, Some(60));
    pass(&mut fixture, 50);
    maintain(&mut fixture, Some(60));
    fixture.set_back = Duration::from_secs(900);
    pass(&mut fixture, 55);
    assert!(window_is_open(&fixture), "the end of the first is not that of the second");
    pass(&mut fixture, 10);
    assert_eq!((window_is_open(&fixture), fixture.noted("MaintenanceEnded")), (false, 1));
}

#[test]
fn s22_within_a_window_it_gets_nothing_new_and_keeps_what_runs() {
    let mut fixture = halved();
    maintain(&mut fixture, Some(3600));
    fixture.run("api", 4, policy("even", &[("alpha", 1), ("bravo", 1)]));
    pass(&mut fixture, 2);
    assert_eq!(fixture.placed("api"), shares(&[("bravo", 4)]));
    assert_eq!(fixture.reason("api", "alpha"), "gets nothing new: maintenance");
    assert_eq!(fixture.placed("web"), shares(&[("alpha", 4), ("bravo", 4)]));
    maintain(&mut fixture, None);
    fixture.run("shop", 4, policy("even", &[("alpha", 1), ("bravo", 1)]));
    assert_eq!(fixture.placed("shop"), shares(&[("alpha", 2), ("bravo", 2)]));
    fixture.disconnect("alpha");
    pass(&mut fixture, 20);
    assert_eq!(fixture.state("alpha"), ClusterState::Lost);
}

#[test]
fn s22_a_window_begins_when_the_cluster_is_empty_and_ends_its_drain() {
    let mut fixture = halved();
    maintain_empty(&mut fixture, 300);
    assert!(!window_is_open(&fixture), "not while something is left");
    let early = fixture.command(announcement(Some(60), None)).expect_err("it is emptied first");
    assert!(early.message.contains("is emptied first"), "{}", early.message);
    fixture.restart();
    fixture.connect("alpha");
    fixture.connect("bravo");
    let mut least = u32::MAX;
    while state(&fixture, "alpha") != Some(DrainState::Done) {
        fixture.pass(Duration::from_millis(500));
        least = least.min(fixture.web().ready);
    }
    assert_eq!((least, window_is_open(&fixture)), (8, true));
    assert_eq!(fixture.running(), shares(&[("bravo", 8)]));
    fixture.disconnect("alpha");
    pass(&mut fixture, 250);
    fixture.restart();
    fixture.connect("bravo");
    pass(&mut fixture, 20);
    assert_ne!(fixture.state("alpha"), ClusterState::Lost);
    fixture.connect("alpha");
    pass(&mut fixture, 60);
    let view = fixture.hub.cluster(&cluster("alpha")).expect("a member");
    assert_eq!((view.maintenance, view.drain, view.cordoned), (None, None, false));
    fixture.run("api", 8, policy("even", &[("alpha", 1), ("bravo", 1)]));
    assert_eq!(fixture.placed("api"), shares(&[("alpha", 4), ("bravo", 4)]), "it takes part again");
}

#[test]
fn s22_what_is_called_off_before_the_window_stays_and_a_cordon_outlives_it() {
    let mut fixture = halved();
    fixture.command(Command::Cordon { cluster: cluster("alpha"), cordoned: true }).expect("a member");
    maintain_empty(&mut fixture, 300);
    pass(&mut fixture, 2);
    maintain(&mut fixture, None);
    pass(&mut fixture, 60);
    let view = fixture.hub.cluster(&cluster("alpha")).expect("a member");
    assert_eq!((view.maintenance, view.drain, view.cordoned), (None, None, true), "cordoned as before");
    let running: u32 = fixture.running().iter().map(|(_, pods)| pods).sum();
    assert_eq!((running, fixture.web().ready), (8, 8));
    assert!(fixture.running()[0].1 > 0, "not all had moved: {:?}", fixture.running());
}
