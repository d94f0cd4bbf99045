//! What happens to a drain that something else happens to: S6, S16, S20 to S23, S27, S28.

use std::time::Duration;

use godwit_common::{Taint, TaintEffect};

use super::drains::{all, drain, order, start, state, try_to};
use super::fixture::{Fixture, cluster, policy, shares, web};
use super::shortage::{pass, quota, scale};
use crate::{Command, DrainOrder, DrainState, RefusedKind};

fn even() -> crate::Policy {
    policy("even", &[("alpha", 1), ("bravo", 1)])
}

/// All of `web` is in alpha, and bravo is full.
fn without_room() -> Fixture {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 0)]);
    fixture.run("web", 8, even());
    pass(&mut fixture, 2);
    assert_eq!(fixture.running(), shares(&[("alpha", 8)]));
    fixture
}

fn halved(cores: u32) -> Fixture {
    let mut fixture = Fixture::new(&[("alpha", cores), ("bravo", cores)]);
    fixture.run("web", 8, even());
    pass(&mut fixture, 2);
    fixture
}

fn member<'f>(fixture: &'f mut Fixture, name: &str) -> &'f mut super::fixture::Member {
    fixture.members.get_mut(&cluster(name)).expect("a member")
}

#[test]
fn s20_all_causes_share_the_surge_of_a_drain() {
    let mut fixture = without_room();
    drain(&mut fixture, "alpha");
    member(&mut fixture, "bravo").cores = 20;
    pass(&mut fixture, 2);
    assert_eq!(fixture.plan(), shares(&[("bravo", 8)]), "room appeared for what was pending");
    assert_eq!(fixture.running(), shares(&[("alpha", 8), ("bravo", 2)]));
    for _ in 0..200 {
        fixture.pass(Duration::from_millis(500));
        assert!(all(&fixture) <= 10, "{:?}", fixture.running());
    }
    assert_eq!(fixture.running(), shares(&[("bravo", 8)]));
}

#[test]
fn s21_a_paused_drain_starts_nothing_and_stops_only_what_nobody_wants() {
    let mut fixture = without_room();
    drain(&mut fixture, "alpha");
    order(&mut fixture, "alpha", DrainOrder::Pause);
    member(&mut fixture, "bravo").cores = 20;
    pass(&mut fixture, 60);
    assert_eq!(fixture.running(), shares(&[("alpha", 8)]));
    scale(&mut fixture, "web", 10);
    pass(&mut fixture, 20);
    assert_eq!(fixture.running(), shares(&[("alpha", 8), ("bravo", 2)]), "two more are wanted");
    scale(&mut fixture, "web", 0);
    pass(&mut fixture, 60);
    assert_eq!(fixture.running(), shares(&[]));
}

#[test]
fn s22_a_pause_holds_up_no_other_loss() {
    let mut fixture = Fixture::new(&[("alpha", 900), ("bravo", 900), ("charlie", 900)]);
    fixture.run("web", 600, policy("even", &[]));
    pass(&mut fixture, 20);
    fixture.disconnect("charlie");
    pass(&mut fixture, 12);
    drain(&mut fixture, "alpha");
    order(&mut fixture, "alpha", DrainOrder::Pause);
    pass(&mut fixture, 200);
    assert!(fixture.web().ready >= 600, "{:?}", fixture.running());
}

#[test]
fn s20_what_waits_for_surge_starts_when_copies_end_that_never_were() {
    let mut fixture = halved(40);
    member(&mut fixture, "alpha").podless = true;
    pass(&mut fixture, 2);
    drain(&mut fixture, "alpha");
    pass(&mut fixture, 30);
    assert_eq!(fixture.running(), shares(&[("bravo", 8)]));
    assert_eq!(state(&fixture, "alpha"), Some(DrainState::Done));
}

#[test]
fn s20_what_has_no_place_elsewhere_stays_though_it_is_not_ready() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 4)]);
    fixture.run("web", 8, even());
    pass(&mut fixture, 2);
    drain(&mut fixture, "alpha");
    pass(&mut fixture, 30);
    member(&mut fixture, "alpha").unready = 3;
    pass(&mut fixture, 14);
    member(&mut fixture, "alpha").unready = 0;
    pass(&mut fixture, 2);
    assert_eq!((fixture.web().ready, fixture.web().pending), (8, 4));
}

#[test]
fn s16_a_drain_does_not_wait_for_what_a_quota_withholds() {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40)]);
    quota(&mut fixture, 8).expect("a good quota");
    fixture.run("web", 12, even());
    pass(&mut fixture, 2);
    drain(&mut fixture, "alpha");
    pass(&mut fixture, 90);
    assert_eq!(fixture.running(), shares(&[("bravo", 8)]));
    assert_eq!((state(&fixture, "alpha"), fixture.web().pending), (Some(DrainState::Done), 4));
}

#[test]
fn s20_ready_all_along_is_ready_while_it_could_be_seen() {
    let mut fixture = halved(40);
    drain(&mut fixture, "alpha");
    pass(&mut fixture, 2);
    order(&mut fixture, "alpha", DrainOrder::Pause);
    member(&mut fixture, "bravo").ready = false;
    pass(&mut fixture, 600);
    member(&mut fixture, "bravo").ready = true;
    fixture.report("bravo", false);
    order(&mut fixture, "alpha", DrainOrder::Resume);
    pass(&mut fixture, 8);
    assert_eq!(fixture.running(), shares(&[("alpha", 4), ("bravo", 6)]));
    pass(&mut fixture, 90);
    assert_eq!(fixture.running(), shares(&[("bravo", 8)]));
}

#[test]
fn s14_a_cancelled_drain_gives_nothing_back_where_nothing_may_be() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 4), ("charlie", 0), ("delta", 0)]);
    fixture.run("web", 8, policy("even", &[("alpha", 1), ("bravo", 1), ("charlie", 1)]));
    pass(&mut fixture, 2);
    drain(&mut fixture, "alpha");
    fixture.disconnect("alpha");
    pass(&mut fixture, 30);
    fixture.command(Command::Cordon { cluster: cluster("alpha"), cordoned: false }).expect("a member");
    assert_eq!((fixture.plan(), fixture.web().pending), (shares(&[("bravo", 4)]), 4), "it is lost");
    member(&mut fixture, "charlie").cores = 20;
    pass(&mut fixture, 20);
    assert_eq!(fixture.plan(), shares(&[("bravo", 4), ("charlie", 4)]));

    let mut fixture = without_room();
    drain(&mut fixture, "alpha");
    let add = vec![Taint { key: "x".into(), value: "".into(), effect: TaintEffect::NoExecute }];
    fixture.command(Command::Taint { cluster: cluster("alpha"), add, remove: vec![] }).expect("a member");
    order(&mut fixture, "alpha", DrainOrder::Cancel);
    assert_eq!((fixture.plan(), fixture.web().pending), (shares(&[]), 8), "it is tainted");
}

#[test]
fn s21_nothing_is_drained_as_long_as_something_ends_there() {
    let mut fixture = without_room();
    drain(&mut fixture, "alpha");
    let rows = member(&mut fixture, "alpha").rows.clone();
    fixture.command(Command::DeleteWorkload { workload: web() }).expect("it exists");
    // Its pods take their time.
    member(&mut fixture, "alpha").rows = rows;
    member(&mut fixture, "alpha").removed.clear();
    fixture.report("alpha", false);
    assert_eq!(state(&fixture, "alpha"), Some(DrainState::Running));
    let view = fixture.hub.cluster(&cluster("alpha")).expect("a member").drain.expect("it is drained");
    assert_eq!((view.workloads, view.waiting[0].1.as_str()), (1, "it is being deleted"));
    fixture.disconnect("alpha");
    let delete = Command::DeleteCluster { cluster: cluster("alpha"), force: false };
    assert_eq!(fixture.command(delete).expect_err("not empty").kind, RefusedKind::FailedPrecondition);
}

#[test]
fn s1_a_drained_cluster_is_lost_by_the_windows_of_what_it_still_runs() {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40), ("charlie", 40)]);
    let mut patient = even();
    patient.lost_after = Duration::from_secs(600);
    fixture.run("web", 16, patient);
    pass(&mut fixture, 2);
    drain(&mut fixture, "alpha");
    order(&mut fixture, "alpha", DrainOrder::Pause);
    let before = fixture.running();
    fixture.disconnect("alpha");
    pass(&mut fixture, 60);
    assert_eq!((fixture.running(), fixture.noted("ClusterLost")), (before, 0));
    pass(&mut fixture, 560);
    assert_eq!(fixture.noted("ClusterLost"), 1);
    let lost = fixture.journal.iter().find(|entry| &*entry.reason == "ClusterLost").expect("it was noted");
    assert!(lost.message.contains("up to 8 copies"), "{}", lost.message);
}

#[test]
fn s27_a_drain_is_the_word_that_stops_what_came_with_a_cluster() {
    let mut fixture = Fixture::new(&[("alpha", 200), ("bravo", 200)]);
    let names = ["web", "a", "b", "c", "d", "e"];
    names.iter().for_each(|name| fixture.run(name, 4, policy(name, &[("alpha", 1), ("bravo", 1)])));
    pass(&mut fixture, 2);
    fixture.disconnect("alpha");
    pass(&mut fixture, 60);
    fixture.command(Command::DeleteCluster { cluster: cluster("alpha"), force: true }).expect("it is lost");
    member(&mut fixture, "bravo").ready = false;
    pass(&mut fixture, 2);
    fixture.connect("alpha");
    try_to(&mut fixture, "alpha", start()).expect("a member");
    member(&mut fixture, "bravo").ready = true;
    pass(&mut fixture, 90);
    assert_eq!(fixture.running(), shares(&[("bravo", 24)]));
    assert_eq!(fixture.noted("RemovalHeldBack"), 0);
}
