//! What may run only once: S8, S9.

use godwit_common::link::{Report, Up};
use godwit_common::policy::{Fencing, Mode, Motion};

use super::drains::{all, drain};
use super::fixture::{Fixture, cluster, deployment_id, policy, shares, spec, status};
use super::shortage::{pass, scale};
use crate::{ClusterState, Command, Policy, PolicyChoice, RefusedKind};

fn once(weights: &[(&str, u32)]) -> Policy {
    let mut policy = policy("once", weights);
    let mode = Mode::AtMost(Fencing::Confirm);
    policy.placement.motion = Motion { mode, max_unavailable: 1, ..Motion::default() };
    policy
}

/// Lets time pass in small steps, and sees that there are never more copies than this.
pub(super) fn pass_below(fixture: &mut Fixture, seconds: u64, most: u32) {
    for _ in 0..seconds * 2 {
        fixture.pass(std::time::Duration::from_millis(500));
        assert!(all(fixture) <= most, "{:?}", fixture.running());
    }
}

pub(super) fn confirm_dead(fixture: &mut Fixture, name: &str) -> Result<crate::Answer, crate::Refused> {
    fixture.command(Command::ConfirmDead { cluster: cluster(name) })
}

/// Four copies, two in each of two clusters; alpha is cut off and lost.
fn bereaved() -> Fixture {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    fixture.run("web", 4, once(&[]));
    pass(&mut fixture, 2);
    fixture.disconnect("alpha");
    pass_below(&mut fixture, 30, 4);
    assert_eq!(fixture.state("alpha"), ClusterState::Lost);
    fixture
}

#[test]
fn s8_a_planned_move_stops_first_and_one_at_a_time() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    fixture.run("web", 4, once(&[("alpha", 1)]));
    pass(&mut fixture, 2);
    fixture.command(Command::ApplyPolicy(once(&[("bravo", 1)]))).expect("a good policy");
    let mut least = 4;
    for _ in 0..240 {
        fixture.pass(std::time::Duration::from_millis(500));
        least = least.min(all(&fixture));
        assert!(all(&fixture) <= 4, "never one too many: {:?}", fixture.running());
    }
    assert_eq!(least, 3, "one at a time");
    assert_eq!(fixture.running(), shares(&[("bravo", 4)]));
}

#[test]
fn s8_a_drain_stops_first_too() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    fixture.run("web", 4, once(&[]));
    pass(&mut fixture, 2);
    drain(&mut fixture, "alpha");
    pass_below(&mut fixture, 120, 4);
    assert_eq!(fixture.running(), shares(&[("bravo", 4)]));
}

#[test]
fn s9_what_a_lost_cluster_may_run_is_replaced_only_when_it_is_said_to_be_dead() {
    let mut fixture = bereaved();
    let view = fixture.view("web");
    assert_eq!((view.pending, view.possible_over_run), (2, 0));
    let reason = &*view.pending_reasons[0];
    assert!(reason.starts_with("unfenced: up to 2 may still run in alpha;"), "{reason}");
    assert!(reason.contains("`godwit confirm-dead cluster alpha`"), "{reason}");
    assert_eq!(fixture.hub.cluster(&cluster("alpha")).expect("a member").unaccounted, 2);
    // More are wanted: there is room for them beside the two that nobody sees.
    scale(&mut fixture, "web", 6);
    pass_below(&mut fixture, 20, 6);
    assert_eq!((fixture.placed("web"), fixture.view("web").pending), (shares(&[("bravo", 4)]), 2));
    // A restart forgets nothing of it.
    fixture.restart();
    fixture.connect("bravo");
    pass_below(&mut fixture, 60, 6);
    assert_eq!(fixture.running(), shares(&[("alpha", 2), ("bravo", 4)]));
    confirm_dead(&mut fixture, "alpha").expect("it is away");
    pass(&mut fixture, 2);
    assert_eq!((fixture.placed("web"), fixture.view("web").pending), (shares(&[("bravo", 6)]), 0));
    assert_eq!(fixture.noted("ClusterConfirmedDead"), 1);
    let refused =
        fixture.command(Command::ConfirmDead { cluster: cluster("bravo") }).expect_err("it is there");
    assert_eq!(refused.kind, RefusedKind::FailedPrecondition);
}

#[test]
fn s9_it_is_replaced_when_the_cluster_is_back_and_its_copies_have_been_seen() {
    let mut fixture = bereaved();
    fixture.connect("alpha");
    pass_below(&mut fixture, 60, 4);
    assert_eq!(fixture.view("web").pending, 0);
    assert_eq!(all(&fixture), 4);
    assert_eq!(fixture.view("web").ready, 4);
}

#[test]
fn s9_a_cluster_that_was_not_dead_is_told_of() {
    let mut fixture = bereaved();
    confirm_dead(&mut fixture, "alpha").expect("it is away");
    pass(&mut fixture, 2);
    assert_eq!(fixture.running(), shares(&[("alpha", 2), ("bravo", 4)]), "the operator was wrong");
    fixture.connect("alpha");
    assert_eq!(fixture.noted("ClusterNotDead"), 1);
    pass(&mut fixture, 60);
    assert_eq!(all(&fixture), 4);
}

#[test]
fn s9_a_cluster_is_not_forgotten_as_long_as_it_may_run_what_may_run_only_once() {
    let mut fixture = bereaved();
    let delete = || Command::DeleteCluster { cluster: cluster("alpha"), force: true };
    let refused = fixture.command(delete()).expect_err("two copies may run there");
    assert!(refused.message.contains("`godwit confirm-dead cluster alpha`"), "{}", refused.message);
    confirm_dead(&mut fixture, "alpha").expect("it is away");
    fixture.command(delete()).expect("it is dead");
    pass(&mut fixture, 2);
    assert_eq!(fixture.placed("web"), shares(&[("bravo", 4)]));
}

#[test]
fn s8_what_surges_by_itself_is_refused_in_this_mode() {
    let mut fixture = Fixture::new(&[("alpha", 20)]);
    let mut surging = spec(deployment_id("web"), 2);
    surging.surges = true;
    let refused = fixture.deploy(surging.clone(), PolicyChoice::Inline(once(&[]))).expect_err("it surges");
    assert!(refused.message.contains("maxSurge"), "{}", refused.message);
    assert!(fixture.hub.policy(&"once".parse().expect("a name")).is_none(), "nothing of it was done");
    let mut available = once(&[]);
    available.placement.motion = Motion::default();
    fixture.deploy(surging, PolicyChoice::Inline(available)).expect("both may run");
    let refused = fixture.command(Command::ApplyPolicy(once(&[]))).expect_err("it is in use");
    assert!(refused.message.starts_with("Deployment default/web: spec.strategy"), "{}", refused.message);
}

#[test]
fn s8_what_was_told_before_a_restart_is_looked_at_again_when_reports_show_it() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    fixture.run("web", 4, policy("once", &[("alpha", 1)]));
    pass(&mut fixture, 2);
    scale(&mut fixture, "web", 0);
    // Nobody bounded its pods yet: the store says that four may run.
    pass(&mut fixture, 2);
    fixture.restart();
    // Its inventory does not show yet that it was told to run fewer, and later reports have nothing to add to it.
    fixture.open("alpha");
    fixture.begin_to_lead("alpha");
    let statuses = fixture.members[&cluster("alpha")].rows.values().map(|row| status(row, true)).collect();
    let inventory = Report { complete: true, statuses, ..Report::default() };
    fixture.say("alpha", Up::Report(inventory));
    fixture.connect("bravo");
    fixture.command(Command::ApplyPolicy(once(&[("bravo", 1)]))).expect("a good policy");
    scale(&mut fixture, "web", 1);
    pass_below(&mut fixture, 60, 1);
    assert_eq!(fixture.running(), shares(&[("bravo", 1)]));
}

#[test]
fn s8_what_comes_under_this_mode_is_bounded_durably_by_what_was_seen() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    fixture.run("web", 4, policy("once", &[("alpha", 1)]));
    pass(&mut fixture, 2);
    // Two more than anybody was told, which nobody had to write down: here both may run.
    let uid = fixture.view("web").uid;
    fixture.members.get_mut(&cluster("alpha")).expect("a member").by_hand.insert(uid, Some(6));
    fixture.report("alpha", false);
    fixture.command(Command::ApplyPolicy(once(&[("alpha", 1)]))).expect("a good policy");
    fixture.restart();
    assert_eq!(fixture.hub.cluster(&cluster("alpha")).expect("a member").unaccounted, 6);
}
