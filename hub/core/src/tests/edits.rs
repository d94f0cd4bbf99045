//! Fields that somebody changes by hand in a member: S29.

use godwit_common::Uid;
use godwit_common::policy::{Drift, Motion};

use super::drains::drain;
use super::fixture::{Fixture, cluster, deployment, deployment_id, object, policy, spec, web};
use super::shortage::{pass, scale};
use crate::{Application, Command, Policy, PolicyChoice};

const IMAGE: &str = ".spec.template.spec.containers[name=\"web\"].image (by kubectl-set)";
const DATA: &str = ".data.greeting (by kubectl-edit)";

fn named(name: &str, drift: Drift) -> Policy {
    let mut policy = policy(name, &[]);
    policy.placement.motion = Motion { drift, ..Motion::default() };
    policy
}

/// Four copies in two clusters, and the object that they lean on.
fn four(drift: Drift) -> (Fixture, Uid) {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    let application = Application { workloads: vec![spec(web(), 4)], objects: vec![object("config")] };
    let choice = PolicyChoice::Inline(named("drifting", drift));
    fixture.command(Command::Deploy(deployment(application, choice))).expect("a good deployment");
    pass(&mut fixture, 2);
    let config = *fixture.members[&cluster("alpha")].objects.keys().next().expect("its object");
    (fixture, config)
}

fn edit(fixture: &mut Fixture, name: &str, uid: Uid, fields: &'static str) {
    fixture.members.get_mut(&cluster(name)).expect("a member").edits.insert(uid, fields);
    fixture.report(name, false);
}

/// What was told, and of what.
fn told(fixture: &Fixture) -> Vec<(&str, &str)> {
    let entries = fixture.journal.iter().filter(|entry| &*entry.rule == "S29");
    entries.map(|entry| (&*entry.reason, &*entry.subject)).collect()
}

fn edited(fixture: &Fixture, name: &str) -> String {
    let view = fixture.view("web");
    let placement = view.placements.iter().find(|placement| placement.cluster == cluster(name));
    let placement = placement.expect("a placement");
    assert_eq!(placement.is_drifted(), !placement.edited.is_empty());
    placement.edited.to_string()
}

#[test]
fn s29_fields_changed_by_hand_are_told_once_shown_where_they_are_and_move_nothing() {
    let (mut fixture, config) = four(Drift::Observe);
    let uid = fixture.view("web").uid;
    edit(&mut fixture, "alpha", uid, IMAGE);
    edit(&mut fixture, "alpha", config, DATA);
    pass(&mut fixture, 120);
    let object = fixture.members[&cluster("alpha")].objects[&config].key.to_string();
    assert_eq!(
        (edited(&fixture, "alpha"), edited(&fixture, "bravo")),
        (format!("{IMAGE}; {object}: {DATA}"), String::new())
    );
    let found = [("DriftFound", "Deployment default/web"), ("DriftFound", &*object)];
    assert_eq!(told(&fixture), found, "each once");
    let view = fixture.view("web");
    let reason = &view.placements.iter().find(|one| one.cluster == cluster("alpha")).expect("alpha").reason;
    assert!(reason.starts_with("changed by hand, and left so: ") && reason.ends_with("(S29)"), "{reason}");
    assert_eq!((view.ready, fixture.running().len()), (4, 2));

    edit(&mut fixture, "alpha", config, "");
    assert_eq!(edited(&fixture, "alpha"), IMAGE);
    assert_eq!(told(&fixture).last(), Some(&("DriftEnded", &*object)));
}

#[test]
fn s29_an_inventory_is_all_that_was_changed_and_a_restart_tells_nothing_twice() {
    let (mut fixture, config) = four(Drift::Observe);
    edit(&mut fixture, "alpha", config, DATA);
    fixture.disconnect("alpha");
    assert_eq!(edited(&fixture, "alpha"), "", "what it said last is not what is");
    fixture.connect("alpha");
    assert!(edited(&fixture, "alpha").ends_with(DATA));
    assert_eq!(told(&fixture).len(), 1);
    fixture.disconnect("alpha");
    fixture.members.get_mut(&cluster("alpha")).expect("a member").edits.clear();
    fixture.connect("alpha");
    assert_eq!((edited(&fixture, "alpha"), told(&fixture).len()), (String::new(), 2));
}

#[test]
fn s29_what_several_workloads_lean_on_is_left_only_if_all_of_them_let_it() {
    let (mut fixture, config) = four(Drift::Observe);
    let lets = |fixture: &Fixture| {
        let mut members = fixture.members.values().map(|member| member.objects[&config].tolerates_drift);
        let first = members.next().expect("members");
        assert!(members.all(|other| other == first), "all clusters are told the same");
        first
    };
    assert!(lets(&fixture));
    let other = spec(deployment_id("other"), 1);
    let application = Application { workloads: vec![other], objects: vec![object("config")] };
    let choice = PolicyChoice::Inline(named("strict", Drift::Enforce));
    fixture.command(Command::Deploy(deployment(application, choice))).expect("a good deployment");
    assert!(!lets(&fixture));
    fixture.restart();
    for name in ["alpha", "bravo"] {
        fixture.connect(name);
    }
    assert!(!lets(&fixture));
    fixture.command(Command::ApplyPolicy(named("strict", Drift::Adopt))).expect("a good policy");
    assert!(lets(&fixture));
    fixture.command(Command::ApplyPolicy(named("strict", Drift::Enforce))).expect("a good policy");
    assert!(!lets(&fixture));
    let workload = deployment_id("other");
    fixture.command(Command::DeleteWorkload { workload }).expect("it is there");
    assert!(lets(&fixture), "who would not have it left is gone");
}

#[test]
fn s29_what_has_left_a_cluster_is_changed_there_no_more() {
    let (mut fixture, config) = four(Drift::Adopt);
    let uid = fixture.view("web").uid;
    edit(&mut fixture, "alpha", uid, IMAGE);
    drain(&mut fixture, "alpha");
    pass(&mut fixture, 120);
    assert_eq!(edited(&fixture, "alpha"), IMAGE, "the agent says when that is over");
    scale(&mut fixture, "web", 5);
    fixture.command(Command::DeleteWorkload { workload: web() }).expect("it is there");
    // A report that was on its way names what has ended.
    edit(&mut fixture, "alpha", config, DATA);
    pass(&mut fixture, 5);
    assert_eq!(told(&fixture).len(), 1, "{:?}", told(&fixture));
}
