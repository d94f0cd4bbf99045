//! Agents that know no overrides: what they are told, and what waits until they know them (S31, S33).

use std::time::Duration;

use godwit_common::Uid;
use godwit_common::policy::{self, Override, Rebalance};

use super::{CLUSTERS, EU, apply, even, label, registry, revisions, settle, told, told_of_object};
use crate::tests::fixture::{Fixture, cluster, deployment, object, policy, shares, spec, web};
use crate::{Application, Command, Policy, PolicyChoice, WorkloadSpec};

const OLDER: &str = "its agents are of a release that knows no overrides";

/// The same clusters, of which alpha's agents are of a release that knows no overrides.
fn with_older() -> Fixture {
    let mut fixture = Fixture::new(&CLUSTERS[1..]);
    fixture.add_member("alpha", 100);
    fixture.members.get_mut(&cluster("alpha")).expect("a member").older = true;
    fixture.connect("alpha");
    label(&mut fixture, "alpha", "eu");
    label(&mut fixture, "bravo", "eu");
    settle(&mut fixture);
    fixture
}

fn deploy(fixture: &mut Fixture, overrides: Vec<Override>) {
    let application = Application { workloads: vec![spec(web(), 9)], objects: vec![object("config")] };
    let choice = PolicyChoice::Inline(even(overrides));
    fixture.command(Command::Deploy(deployment(application, choice))).expect("a good request");
    settle(fixture);
}

/// Alpha's agents are of this release from now on.
fn upgrade(fixture: &mut Fixture) {
    fixture.disconnect("alpha");
    fixture.members.get_mut(&cluster("alpha")).expect("a member").older = false;
    fixture.connect("alpha");
    settle(fixture);
}

#[test]
fn s33_agents_that_know_no_overrides_get_nothing_new_of_what_has_any_there() {
    let mut fixture = with_older();
    deploy(&mut fixture, vec![registry("eu", "eu.io")]);
    assert_eq!(fixture.plan(), shares(&[("bravo", 4), ("charlie", 5)]));
    assert!(fixture.reason("web", "alpha").contains(OLDER), "{}", fixture.reason("web", "alpha"));
    let alpha = &fixture.members[&cluster("alpha")];
    assert!(alpha.rows.is_empty() && alpha.objects.is_empty(), "not even ahead of need");
    // Where its rules hold nowhere, it is a cluster as any other.
    fixture.run("other", 6, policy("all", &[("alpha", 1), ("bravo", 1), ("charlie", 1)]));
    settle(&mut fixture);
    assert_eq!(fixture.placed("other"), shares(&[("alpha", 2), ("bravo", 2), ("charlie", 2)]));

    upgrade(&mut fixture);
    assert_eq!(fixture.plan(), shares(&[("bravo", 4), ("charlie", 5)]), "S23: nothing moves because of it");
    assert_eq!(told(&fixture), [EU, EU, ""], "and it is there ahead of need");
    fixture.command(Command::Scale { workload: web(), replicas: 12 }).expect("a good request");
    assert_eq!(fixture.plan(), shares(&[("alpha", 3), ("bravo", 4), ("charlie", 5)]));
}

#[test]
fn s31_what_runs_under_older_agents_stays_until_they_know_the_rules() {
    let mut fixture = with_older();
    deploy(&mut fixture, Vec::new());
    let even_shares = shares(&[("alpha", 3), ("bravo", 3), ("charlie", 3)]);
    assert_eq!(fixture.plan(), even_shares);
    apply(&mut fixture, vec![registry("eu", "eu.io")]);
    fixture.pass(Duration::from_secs(60));
    assert_eq!((told(&fixture), revisions(&fixture)), (vec!["".into(), EU.into(), "".into()], vec![1, 2, 2]));
    assert_eq!(told_of_object(&fixture), ["", EU, ""]);
    assert_eq!(fixture.plan(), even_shares);
    let waiting = fixture.web().rollout.waiting;
    assert_eq!(waiting, [(cluster("alpha"), format!("{OLDER}, and the revision has some there"))]);
    // It is durable what it was told, and that it does not know.
    for name in ["alpha", "bravo", "charlie"] {
        fixture.disconnect(name);
    }
    fixture.restart();
    for name in ["alpha", "bravo", "charlie"] {
        fixture.connect(name);
    }
    settle(&mut fixture);
    assert_eq!(
        (told(&fixture), told_of_object(&fixture)[0].as_str()),
        (vec!["".into(), EU.into(), "".into()], "")
    );

    upgrade(&mut fixture);
    fixture.pass(Duration::from_secs(60));
    assert_eq!(
        (told(&fixture), told_of_object(&fixture)),
        (vec![EU.into(), EU.into(), String::new()], vec![EU.into(), EU.into(), String::new()])
    );
    assert_eq!((revisions(&fixture), fixture.plan()), (vec![2, 2, 2], even_shares));
}

#[test]
fn s31_where_nothing_runs_under_older_agents_a_revision_with_rules_waits_for_newer_ones_too() {
    let mut fixture = with_older();
    fixture.command(Command::Cordon { cluster: cluster("alpha"), cordoned: true }).expect("a member");
    deploy(&mut fixture, Vec::new());
    let revisions = |fixture: &Fixture| -> Vec<u64> {
        let rows = fixture.members.values().flat_map(|member| member.rows.values());
        rows.map(|row| row.revision).collect()
    };
    assert_eq!(revisions(&fixture), [1, 1, 1], "alpha has it ahead of need");
    apply(&mut fixture, vec![registry("eu", "eu.io")]);
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.noted("RolloutCompleted"), 1, "wherever it runs");
    assert_eq!((told(&fixture), revisions(&fixture)), (vec!["".into(), EU.into(), "".into()], vec![1, 2, 2]));

    upgrade(&mut fixture);
    assert_eq!((told(&fixture), revisions(&fixture)), (vec![EU.into(), EU.into(), "".into()], vec![2, 2, 2]));
}

#[test]
fn s31_who_is_on_the_way_to_an_older_revision_does_not_go_on_to_one_with_rules() {
    let mut fixture = with_older();
    deploy(&mut fixture, Vec::new());
    let second = WorkloadSpec { manifest: r#"{"second":true}"#.into(), ..spec(web(), 9) };
    let application = Application { workloads: vec![second], objects: vec![object("config")] };
    let command = Command::Deploy(deployment(application, PolicyChoice::Annotated));
    fixture.command(command).expect("a good request");
    assert_eq!(revisions(&fixture), [2, 1, 1], "alpha has its turn first");
    apply(&mut fixture, vec![registry("eu", "eu.io")]);
    fixture.pass(Duration::from_secs(60));
    assert_eq!((told(&fixture), revisions(&fixture)), (vec!["".into(), EU.into(), "".into()], vec![2, 3, 3]));

    upgrade(&mut fixture);
    fixture.pass(Duration::from_secs(60));
    assert_eq!((told(&fixture), revisions(&fixture)), (vec![EU.into(), EU.into(), "".into()], vec![3, 3, 3]));
}

#[test]
fn s33_a_cluster_that_was_built_anew_may_have_older_agents_again() {
    let mut fixture = with_older();
    upgrade(&mut fixture);
    fixture.disconnect("alpha");
    fixture.pass(Duration::from_secs(60));
    let uid = Uid(0xa1fa);
    fixture.command(Command::Rebuilt { cluster: cluster("alpha"), uid }).expect("it is away");
    let member = fixture.members.get_mut(&cluster("alpha")).expect("a member");
    (member.uid, member.older, member.fence) = (Some(uid), true, Default::default());
    fixture.connect("alpha");
    settle(&mut fixture);
    deploy(&mut fixture, vec![registry("eu", "eu.io")]);
    assert_eq!(fixture.plan(), shares(&[("bravo", 4), ("charlie", 5)]));
    assert!(fixture.reason("web", "alpha").contains(OLDER), "{}", fixture.reason("web", "alpha"));
}

#[test]
fn s33_what_had_to_wait_for_newer_agents_is_told_when_the_rules_are_for_others() {
    let mut fixture = with_older();
    fixture.command(Command::Cordon { cluster: cluster("alpha"), cordoned: true }).expect("a member");
    deploy(&mut fixture, Vec::new());
    apply(&mut fixture, vec![registry("eu", "eu.io")]);
    fixture.pass(Duration::from_secs(60));
    let revision = |fixture: &Fixture| {
        fixture.members[&cluster("alpha")].rows.values().next().expect("its row").revision
    };
    assert_eq!(revision(&fixture), 1);
    label(&mut fixture, "alpha", "us");
    settle(&mut fixture);
    assert_eq!((revision(&fixture), told(&fixture)[0].as_str()), (2, ""));
}

#[test]
fn s33_what_was_planned_under_older_agents_and_has_not_started_goes_elsewhere_once_it_has_rules() {
    let mut fixture = with_older();
    let mut first = even(Vec::new());
    first.placement.clusters.remove(&cluster("alpha"));
    first.placement.rebalance = Rebalance::Always;
    first.placement.motion.max_surge = 1;
    let change = |fixture: &mut Fixture, overrides| {
        let clusters = even(Vec::new()).placement.clusters;
        let placement = policy::Policy { overrides, clusters, ..first.placement.clone() };
        let command = Command::ApplyPolicy(Policy { placement, ..first.clone() });
        fixture.command(command).expect("a good policy");
    };
    let application = Application { workloads: vec![spec(web(), 9)], objects: Vec::new() };
    let command = deployment(application, PolicyChoice::Inline(first.clone()));
    fixture.command(Command::Deploy(command)).expect("a good request");
    settle(&mut fixture);
    change(&mut fixture, Vec::new());
    let alpha = |fixture: &Fixture| {
        let row = fixture.members[&cluster("alpha")].rows.values().next().expect("its row");
        (row.revision, row.replicas)
    };
    assert_eq!((fixture.placed("web")[0].clone(), alpha(&fixture)), (("alpha".to_owned(), 3), (1, 1)));
    change(&mut fixture, vec![registry("eu", "eu.io")]);
    fixture.pass(Duration::from_secs(120));
    assert_eq!(fixture.placed("web"), shares(&[("alpha", 1), ("bravo", 4), ("charlie", 4)]));
    assert_eq!(alpha(&fixture), (1, 1), "what runs there stays");
}

#[test]
fn s33_copies_start_with_no_older_revision_that_has_rules_where_agents_know_none() {
    let mut fixture = with_older();
    deploy(&mut fixture, vec![registry("eu", "eu.io")]);
    assert_eq!(fixture.plan(), shares(&[("bravo", 4), ("charlie", 5)]));
    apply(&mut fixture, Vec::new());
    fixture.command(Command::Scale { workload: web(), replicas: 18 }).expect("a good request");
    let row = fixture.members[&cluster("alpha")].rows.values().next().expect("its row");
    assert_eq!(
        (row.revision, row.overrides.to_string()),
        (2, String::new()),
        "the first was ready elsewhere"
    );
}
