//! Maintenance windows: S22.

use std::time::Duration;

use super::fixture::{Fixture, cluster, policy, shares};
use super::shortage::pass;
use crate::{ClusterState, Command, RefusedKind};

fn maintain(fixture: &mut Fixture, seconds: Option<u64>) {
    let within = seconds.map(Duration::from_secs);
    fixture.command(Command::Maintain { cluster: cluster("alpha"), within }).expect("a member");
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
    let late = Command::Maintain { cluster: cluster("alpha"), within: Some(Duration::from_secs(60)) };
    assert_eq!(fixture.command(late).expect_err("it is lost").kind, RefusedKind::FailedPrecondition);
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
