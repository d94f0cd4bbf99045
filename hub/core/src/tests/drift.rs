//! What somebody changes by hand in a member: S29.

use std::time::Duration;

use godwit_common::link::Difference;
use godwit_common::policy::{Drift, Fencing, Mode, Motion, Strategy};

use super::drains::drain;
use super::fixture::{Fixture, cluster, policy, shares};
use super::shortage::{pass, quota, scale};
use crate::{Command, Policy, WorkloadView};

fn drifting(drift: Drift) -> Policy {
    let mut policy = policy("drifting", &[]);
    policy.placement.motion = Motion { drift, ..Motion::default() };
    policy
}

/// Four copies, two in each of two clusters.
fn four(drift: Drift) -> Fixture {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    fixture.run("web", 4, drifting(drift));
    pass(&mut fixture, 2);
    assert_eq!(fixture.placed("web"), shares(&[("alpha", 2), ("bravo", 2)]));
    fixture
}

fn hand(fixture: &mut Fixture, name: &str, made: Option<u32>) {
    let uid = fixture.view("web").uid;
    fixture.members.get_mut(&cluster(name)).expect("a member").by_hand.insert(uid, made);
    fixture.report(name, false);
}

fn events(fixture: &Fixture) -> Vec<&str> {
    fixture.journal.iter().filter(|entry| &*entry.rule == "S29").map(|entry| &*entry.reason).collect()
}

fn totals(view: &WorkloadView) -> (u32, u32, u32) {
    (view.replicas, view.wanted, view.pending)
}

fn reason(fixture: &Fixture, name: &str) -> String {
    let view = fixture.view("web");
    let placement = view.placements.iter().find(|placement| placement.cluster == cluster(name));
    placement.expect("a placement").reason.to_string()
}

#[test]
fn s29_what_is_observed_is_told_once_and_changes_nothing() {
    let mut fixture = four(Drift::Observe);
    hand(&mut fixture, "alpha", Some(5));
    pass(&mut fixture, 120);
    let view = fixture.view("web");
    assert_eq!((totals(&view), view.placements[0].drift), ((4, 4, 0), Some(Difference::Scaled)));
    assert_eq!(fixture.placed("web"), shares(&[("alpha", 2), ("bravo", 2)]));
    assert_eq!(
        (events(&fixture), &*reason(&fixture, "alpha")),
        (vec!["DriftFound"], "scaled by hand to 5, and left so (S29)")
    );
    hand(&mut fixture, "alpha", Some(2));
    pass(&mut fixture, 2);
    assert_eq!(events(&fixture), ["DriftFound", "DriftEnded"]);
}

#[test]
fn s29_fewer_by_hand_is_no_trouble_of_the_clusters() {
    for made in [Some(0), None] {
        let mut fixture = four(Drift::Observe);
        hand(&mut fixture, "alpha", made);
        pass(&mut fixture, 900);
        assert_eq!(fixture.placed("web"), shares(&[("alpha", 2), ("bravo", 2)]), "nothing moves for it");
        let rules = fixture.journal.iter().filter(|entry| &*entry.rule == "S3").count();
        assert_eq!((rules, fixture.view("web").ready), (0, 2));
    }
}

#[test]
fn s29_whether_it_was_shown_goes_with_the_row_over_restarts() {
    let mut fixture = four(Drift::Observe);
    fixture.restart();
    let uid = fixture.view("web").uid;
    for name in ["alpha", "bravo"] {
        // Its agent starts anew and knows nothing.
        fixture.members.get_mut(&cluster(name)).expect("a member").fence.generation =
            godwit_common::Generation(0);
        fixture.connect(name);
        let row = &fixture.members[&cluster(name)].rows[&uid];
        assert!(row.tolerates_drift && row.shown, "{row:?}");
    }
    scale(&mut fixture, "web", 6);
    let row = &fixture.members[&cluster("alpha")].rows[&uid];
    assert!(row.tolerates_drift && !row.shown, "another number was never shown: {row:?}");
}

#[test]
fn s29_clusters_are_told_when_drift_is_treated_otherwise() {
    let mut fixture = four(Drift::Enforce);
    let uid = fixture.view("web").uid;
    let tolerates = |fixture: &Fixture| fixture.members[&cluster("alpha")].rows[&uid].tolerates_drift;
    assert!(!tolerates(&fixture));
    for (drift, told) in [(Drift::Adopt, true), (Drift::Observe, true), (Drift::Enforce, false)] {
        fixture.command(Command::ApplyPolicy(drifting(drift))).expect("a good policy");
        pass(&mut fixture, 1);
        assert_eq!(tolerates(&fixture), told);
    }
}

#[test]
fn s29_a_number_is_taken_over_as_a_change_of_the_total() {
    let mut fixture = four(Drift::Adopt);
    hand(&mut fixture, "alpha", Some(5));
    pass(&mut fixture, 5);
    assert_eq!(totals(&fixture.view("web")), (7, 7, 0));
    assert_eq!(fixture.placed("web"), shares(&[("alpha", 5), ("bravo", 2)]));
    assert_eq!(fixture.running(), shares(&[("alpha", 5), ("bravo", 2)]), "it was told the new number");
    assert_eq!(fixture.view("web").placements[0].drift, None);
    fixture.restart();
    assert_eq!(totals(&fixture.view("web")), (7, 7, 0), "durable");
    for name in ["alpha", "bravo"] {
        fixture.connect(name);
    }
    pass(&mut fixture, 40);
    hand(&mut fixture, "bravo", Some(0));
    pass(&mut fixture, 60);
    assert_eq!((totals(&fixture.view("web")), fixture.placed("web")), ((5, 5, 0), shares(&[("alpha", 5)])));
    let adopted = events(&fixture).into_iter().filter(|event| *event == "NumberAdopted").count();
    assert_eq!(adopted, 2, "each once");
}

#[test]
fn s29_a_number_that_only_a_new_plan_makes_differ_is_taken_over() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 0), ("charlie", 0)]);
    fixture.run("web", 2, drifting(Drift::Adopt));
    for away in [1, 1, 1, 11] {
        fixture.disconnect("alpha");
        pass(&mut fixture, away);
        fixture.connect("alpha");
        pass(&mut fixture, 1);
    }
    // It is back from a loss, gets nothing new for now (S4), and keeps what it has as long as that is missing elsewhere.
    assert_eq!((fixture.placed("web"), fixture.running()), (vec![], shares(&[("alpha", 2)])));
    hand(&mut fixture, "alpha", Some(0));
    pass(&mut fixture, 20);
    assert_eq!(totals(&fixture.view("web")), (2, 2, 2), "none are placed there, and none are taken away");
    fixture.pass_silently(Duration::from_secs(90));
    assert_eq!(fixture.noted("ClusterSteady"), 1);
    assert_eq!(totals(&fixture.view("web")), (0, 0, 0));
}

#[test]
fn s29_what_was_deleted_by_hand_is_no_wish_for_fewer() {
    let mut fixture = four(Drift::Adopt);
    hand(&mut fixture, "alpha", None);
    pass(&mut fixture, 60);
    assert_eq!(totals(&fixture.view("web")), (4, 4, 0));
    assert_eq!(fixture.view("web").placements[0].drift, Some(Difference::Deleted));
}

#[test]
fn s29_nothing_is_taken_over_while_a_part_of_it_is_away() {
    let mut fixture = four(Drift::Adopt);
    fixture.disconnect("bravo");
    hand(&mut fixture, "alpha", Some(3));
    pass(&mut fixture, 5);
    assert_eq!(totals(&fixture.view("web")), (4, 4, 0));
    let words = "not taken over: not as long as copies of it are away";
    assert!(reason(&fixture, "alpha").contains(words), "{}", reason(&fixture, "alpha"));
    fixture.connect("bravo");
    pass(&mut fixture, 20);
    assert_eq!(totals(&fixture.view("web")), (5, 5, 0));
}

#[test]
fn s29_a_loss_overrules_what_was_scaled_by_hand_before_it_could_be_taken_over() {
    let mut fixture = four(Drift::Adopt);
    fixture.disconnect("bravo");
    hand(&mut fixture, "alpha", Some(3));
    pass(&mut fixture, 60);
    assert_eq!((totals(&fixture.view("web")), fixture.placed("web")), ((4, 4, 0), shares(&[("alpha", 4)])));
    assert_eq!(fixture.running().first(), Some(&("alpha".to_owned(), 4)));
}

#[test]
fn s29_policy_and_quota_bound_what_is_taken_over() {
    let mut fixture = four(Drift::Adopt);
    quota(&mut fixture, 5).expect("a good quota");
    hand(&mut fixture, "alpha", Some(4));
    pass(&mut fixture, 30);
    assert_eq!(totals(&fixture.view("web")), (4, 4, 0));
    assert!(reason(&fixture, "alpha").contains("quota"), "{}", reason(&fixture, "alpha"));
    quota(&mut fixture, 6).expect("a good quota");
    pass(&mut fixture, 30);
    assert_eq!(totals(&fixture.view("web")), (6, 6, 0), "as soon as it may be");

    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    let mut bounded = drifting(Drift::Adopt);
    bounded.placement.default = Some(godwit_common::policy::Rule::new(1, 1, Some(3)).expect("a valid rule"));
    fixture.run("web", 4, bounded);
    pass(&mut fixture, 2);
    for (made, words) in [(4, "allows at most 3 here"), (0, "wants at least 1 here")] {
        hand(&mut fixture, "alpha", Some(made));
        pass(&mut fixture, 30);
        assert_eq!(totals(&fixture.view("web")), (4, 4, 0));
        assert!(reason(&fixture, "alpha").contains(words), "{}", reason(&fixture, "alpha"));
    }
}

#[test]
fn s29_what_runs_in_full_everywhere_takes_no_number_over() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    let mut full = drifting(Drift::Adopt);
    full.placement.strategy = Strategy::Duplicate;
    fixture.run("web", 2, full);
    pass(&mut fixture, 2);
    hand(&mut fixture, "alpha", Some(3));
    pass(&mut fixture, 30);
    assert_eq!(totals(&fixture.view("web")), (2, 4, 0));
    assert!(reason(&fixture, "alpha").contains("every cluster runs the full number"));
}

#[test]
fn s29_what_may_run_only_once_starts_nothing_beside_what_was_scaled_by_hand() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    let mut once = drifting(Drift::Observe);
    once.placement.motion.mode = Mode::AtMost(Fencing::Confirm);
    once.placement.motion.max_unavailable = 1;
    fixture.run("web", 4, once);
    pass(&mut fixture, 2);
    hand(&mut fixture, "alpha", Some(4));
    scale(&mut fixture, "web", 5);
    // Six exist, and nothing starts beside them.
    pass(&mut fixture, 30);
    let told = |fixture: &Fixture| fixture.running().iter().map(|(_, told)| told).sum::<u32>();
    assert_eq!(told(&fixture), 4);
    hand(&mut fixture, "alpha", Some(2));
    pass(&mut fixture, 10);
    assert_eq!(told(&fixture), 5);
}

#[test]
fn s29_a_drain_overrules_what_was_scaled_by_hand() {
    let mut fixture = four(Drift::Observe);
    hand(&mut fixture, "alpha", Some(5));
    drain(&mut fixture, "alpha");
    pass(&mut fixture, 120);
    assert_eq!(fixture.running(), shares(&[("bravo", 4)]));
    assert_eq!(fixture.view("web").placements[0].observed, 0);
}
