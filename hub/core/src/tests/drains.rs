//! Draining a cluster: S20, S21, S22.

use std::time::Duration;

use godwit_common::WorkloadId;
use godwit_common::link::Unmanaged;

use super::fixture::{Fixture, cluster, policy, shares};
use super::shortage::pass;
use crate::{
    Answer, Changes, Command, DrainOrder, DrainState, DrainTerms, MigrationCause, Record, Refused,
    RefusedKind,
};

pub(super) fn start() -> DrainOrder {
    DrainOrder::Start(DrainTerms::default())
}

pub(super) fn try_to(fixture: &mut Fixture, name: &str, order: DrainOrder) -> Result<Answer, Refused> {
    fixture.command(Command::Drain { cluster: cluster(name), order })
}

pub(super) fn order(fixture: &mut Fixture, name: &str, order: DrainOrder) -> Changes {
    match try_to(fixture, name, order) {
        Ok(Answer::Applied { changes, .. }) => changes,
        other => panic!("it should have been done: {other:?}"),
    }
}

pub(super) fn drain(fixture: &mut Fixture, name: &str) -> Changes {
    order(fixture, name, start())
}

pub(super) fn state(fixture: &Fixture, name: &str) -> Option<DrainState> {
    let view = fixture.hub.cluster(&cluster(name)).expect("a member");
    view.drain.map(|view| view.drain.state)
}

fn left(fixture: &Fixture, name: &str) -> (u32, String) {
    let view = fixture.hub.cluster(&cluster(name)).expect("a member").drain.expect("it is drained");
    (view.pods, view.waiting.first().map(|(_, reason)| reason.clone()).unwrap_or_default())
}

/// What all clusters run together.
pub(super) fn all(fixture: &Fixture) -> u32 {
    fixture.running().iter().map(|(_, pods)| pods).sum()
}

#[test]
fn s20_a_drain_starts_elsewhere_first_within_its_surge_and_lacks_nothing() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    fixture.run("web", 8, policy("even", &[("alpha", 1), ("bravo", 1)]));
    pass(&mut fixture, 2);
    let changes = drain(&mut fixture, "alpha");
    assert_eq!(changes.plans[0].counts, [(cluster("alpha"), 4, 0), (cluster("bravo"), 4, 8)]);
    assert_eq!(fixture.running(), shares(&[("alpha", 4), ("bravo", 6)]), "a quarter of eight");
    let mut least = u32::MAX;
    for _ in 0..120 {
        fixture.pass(Duration::from_millis(500));
        least = least.min(fixture.web().ready);
        assert!(all(&fixture) <= 10, "never more than the surge: {:?}", fixture.running());
    }
    assert_eq!(least, 8, "it never lacked one");
    assert_eq!(fixture.running(), shares(&[("bravo", 8)]));
    assert_eq!(state(&fixture, "alpha"), Some(DrainState::Done));
    assert_eq!(fixture.noted("ClusterDrained"), 1);
    let drain = fixture.hub.cluster(&cluster("alpha")).expect("a member").drain.expect("it is drained").drain;
    assert!(drain.since > drain.started, "when it was empty: {drain:?}");
    let drained = |record: &Record| match record {
        Record::Migration(migration) => migration.cause == MigrationCause::Drained(cluster("alpha")),
        _ => false,
    };
    assert!(fixture.store.values().any(drained));
    // It stays empty, whatever is deployed, until it is uncordoned.
    fixture.run("api", 4, policy("even", &[("alpha", 1), ("bravo", 1)]));
    pass(&mut fixture, 2);
    assert_eq!(fixture.placed("api"), shares(&[("bravo", 4)]));
    fixture.command(Command::Cordon { cluster: cluster("alpha"), cordoned: false }).expect("a member");
    assert_eq!(state(&fixture, "alpha"), None);
    fixture.run("shop", 4, policy("even", &[("alpha", 1), ("bravo", 1)]));
    assert_eq!(fixture.placed("shop"), shares(&[("alpha", 2), ("bravo", 2)]));
}

#[test]
fn s20_replacements_must_have_been_ready_for_a_while() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    fixture.run("web", 1, policy("pinned", &[("alpha", 1), ("bravo", 0)]));
    fixture.command(Command::ApplyPolicy(policy("pinned", &[("alpha", 9), ("bravo", 1)]))).expect("good");
    pass(&mut fixture, 2);
    assert_eq!(fixture.running(), shares(&[("alpha", 1)]));
    drain(&mut fixture, "alpha");
    pass(&mut fixture, 8);
    assert_eq!(
        fixture.running(),
        shares(&[("alpha", 1), ("bravo", 1)]),
        "a singleton moves surge first, too"
    );
    pass(&mut fixture, 6);
    assert_eq!(fixture.running(), shares(&[("bravo", 1)]));
}

#[test]
fn s20_without_room_it_waits_and_says_why_unless_it_is_forced() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 4)]);
    fixture.run("web", 8, policy("even", &[("alpha", 1), ("bravo", 0)]));
    fixture.command(Command::ApplyPolicy(policy("even", &[("alpha", 1), ("bravo", 1)]))).expect("good");
    pass(&mut fixture, 2);
    drain(&mut fixture, "alpha");
    pass(&mut fixture, 60);
    assert_eq!(fixture.running(), shares(&[("alpha", 4), ("bravo", 4)]));
    let (pods, reason) = left(&fixture, "alpha");
    assert_eq!(pods, 4);
    assert!(reason.starts_with("4 left; 4 have no place elsewhere: "), "{reason}");
    assert!(reason.contains("bravo: no room: cpu"), "{reason}");
    assert_eq!(state(&fixture, "alpha"), Some(DrainState::Running));
    order(&mut fixture, "alpha", DrainOrder::Start(DrainTerms { force: true, ..DrainTerms::default() }));
    pass(&mut fixture, 20);
    assert_eq!(fixture.running(), shares(&[("bravo", 4)]));
    assert_eq!(state(&fixture, "alpha"), Some(DrainState::Done));
    assert_eq!(fixture.web().pending, 4);
}

#[test]
fn s21_a_drain_is_paused_resumed_and_overdue_over_a_restart() {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40)]);
    fixture.run("web", 16, policy("even", &[("alpha", 1), ("bravo", 1)]));
    pass(&mut fixture, 2);
    order(
        &mut fixture,
        "alpha",
        DrainOrder::Start(DrainTerms { within: Duration::from_secs(90), ..DrainTerms::default() }),
    );
    order(&mut fixture, "alpha", DrainOrder::Pause);
    let paused = fixture.running();
    fixture.restart();
    fixture.connect("alpha");
    fixture.connect("bravo");
    pass(&mut fixture, 40);
    assert_eq!(fixture.running(), paused);
    assert!(left(&fixture, "alpha").1.contains("paused"));
    order(&mut fixture, "alpha", DrainOrder::Resume);
    fixture.members.get_mut(&cluster("bravo")).expect("a member").ready = false;
    pass(&mut fixture, 120);
    assert_eq!(state(&fixture, "alpha"), Some(DrainState::Overdue));
    assert_eq!(fixture.noted("DrainOverdue"), 1);
    let stuck = fixture.running();
    fixture.members.get_mut(&cluster("bravo")).expect("a member").ready = true;
    pass(&mut fixture, 30);
    assert_eq!(fixture.running(), stuck, "it stopped where it was");
    drain(&mut fixture, "alpha");
    pass(&mut fixture, 90);
    assert_eq!(fixture.running(), shares(&[("bravo", 16)]));
}

#[test]
fn s21_a_clock_that_is_set_back_gives_a_drain_no_more_time() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 0)]);
    fixture.run("web", 4, policy("even", &[]));
    pass(&mut fixture, 2);
    let terms = DrainTerms { within: Duration::from_secs(60), ..DrainTerms::default() };
    order(&mut fixture, "alpha", DrainOrder::Start(terms));
    fixture.set_back = Duration::from_secs(900);
    pass(&mut fixture, 59);
    assert_eq!(state(&fixture, "alpha"), Some(DrainState::Running));
    pass(&mut fixture, 2);
    assert_eq!(state(&fixture, "alpha"), Some(DrainState::Overdue));
    // Nor does a hub that starts under such a clock give it more than it was to have.
    order(&mut fixture, "alpha", DrainOrder::Resume);
    fixture.set_back = Duration::from_secs(1_000);
    fixture.restart();
    fixture.connect("alpha");
    fixture.connect("bravo");
    pass(&mut fixture, 61);
    assert_eq!((state(&fixture, "alpha"), fixture.noted("DrainOverdue")), (Some(DrainState::Overdue), 2));
}

#[test]
fn s21_a_cancelled_drain_moves_no_more() {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40)]);
    fixture.run("web", 16, policy("even", &[("alpha", 1), ("bravo", 1)]));
    pass(&mut fixture, 2);
    drain(&mut fixture, "alpha");
    pass(&mut fixture, 2);
    assert_eq!(fixture.running(), shares(&[("alpha", 8), ("bravo", 12)]));
    order(&mut fixture, "alpha", DrainOrder::Cancel);
    pass(&mut fixture, 60);
    assert_eq!(fixture.running(), shares(&[("alpha", 4), ("bravo", 12)]), "what was started stays");
    assert_eq!(state(&fixture, "alpha"), None);
    assert!(fixture.hub.cluster(&cluster("alpha")).expect("a member").cordoned);
    for order in [DrainOrder::Pause, DrainOrder::Resume, DrainOrder::Cancel] {
        let refused = try_to(&mut fixture, "alpha", order).expect_err("there is no drain");
        assert_eq!(refused.kind, RefusedKind::FailedPrecondition);
    }
}

#[test]
fn s23_a_drained_cluster_is_deleted_once_its_agents_are_gone() {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40)]);
    fixture.run("web", 4, policy("even", &[("alpha", 1), ("bravo", 1)]));
    pass(&mut fixture, 2);
    drain(&mut fixture, "alpha");
    pass(&mut fixture, 60);
    let delete = || Command::DeleteCluster { cluster: cluster("alpha"), force: false };
    let refused = fixture.command(delete()).expect_err("it is connected");
    assert_eq!(refused.kind, RefusedKind::FailedPrecondition);
    fixture.disconnect("alpha");
    fixture.command(delete()).expect("nothing is left there");
    assert_eq!(fixture.hub.cluster(&cluster("alpha")), None);
    assert_eq!((fixture.running(), fixture.web().pending), (shares(&[("bravo", 4)]), 0));
}

#[test]
fn s6_drained_clusters_that_are_switched_off_freeze_nothing() {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40), ("charlie", 40)]);
    fixture.run("web", 6, policy("even", &[]));
    pass(&mut fixture, 2);
    for name in ["alpha", "bravo"] {
        drain(&mut fixture, name);
    }
    pass(&mut fixture, 90);
    for name in ["alpha", "bravo"] {
        assert_eq!(state(&fixture, name), Some(DrainState::Done));
        fixture.disconnect(name);
    }
    pass(&mut fixture, 30);
    assert_eq!(fixture.hub.federation().freeze, None);
    fixture.disconnect("charlie");
    pass(&mut fixture, 30);
    assert!(fixture.hub.federation().freeze.is_some(), "all that count are gone");
}

#[test]
fn s22_a_drained_cluster_that_is_lost_is_replaced_at_once() {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40), ("charlie", 1)]);
    fixture.run("web", 16, policy("even", &[("alpha", 1), ("bravo", 1)]));
    pass(&mut fixture, 2);
    drain(&mut fixture, "alpha");
    order(&mut fixture, "alpha", DrainOrder::Pause);
    fixture.disconnect("alpha");
    pass(&mut fixture, 20);
    let bravo = fixture.running().into_iter().find(|(name, _)| name == "bravo").map(|(_, pods)| pods);
    assert_eq!(bravo, Some(16), "neither the pause nor the surge holds up a loss");
    let refused = try_to(&mut fixture, "alpha", start()).expect_err("it is lost");
    assert_eq!(refused.kind, RefusedKind::FailedPrecondition);
}

#[test]
fn s22_the_source_stops_shrinking_when_a_target_is_away() {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40), ("charlie", 40)]);
    fixture.run("web", 12, policy("even", &[("alpha", 1), ("bravo", 1), ("charlie", 1)]));
    pass(&mut fixture, 2);
    drain(&mut fixture, "alpha");
    pass(&mut fixture, 4);
    fixture.disconnect("bravo");
    pass(&mut fixture, 8);
    let alpha = fixture.running().into_iter().find(|(name, _)| name == "alpha").map(|(_, pods)| pods);
    assert_eq!(alpha, Some(4), "nothing is stopped while a target is away");
    pass(&mut fixture, 120);
    assert_eq!(fixture.placed("web"), shares(&[("charlie", 12)]));
    assert_eq!(state(&fixture, "alpha"), Some(DrainState::Done));
}

#[test]
fn s21_what_is_not_managed_stays_and_is_said_to() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    fixture.run("web", 4, policy("even", &[]));
    let job = WorkloadId::new("shop", "Job", "report").expect("a valid identity");
    let unmanaged = Unmanaged { pods: 3, owners: 2, first: vec![(job, 2)] };
    fixture.members.get_mut(&cluster("alpha")).expect("a member").unmanaged = unmanaged.clone();
    drain(&mut fixture, "alpha");
    pass(&mut fixture, 30);
    assert_eq!(state(&fixture, "alpha"), Some(DrainState::Done));
    let said = fixture.journal.iter().rfind(|entry| &*entry.reason == "ClusterDrained").expect("it is");
    let stays = "3 pods that are not managed stay: Job shop/report and 1 more";
    assert!(said.message.ends_with(stays), "{}", said.message);
    assert_eq!(fixture.hub.cluster(&cluster("alpha")).expect("a member").unmanaged, unmanaged);
}
