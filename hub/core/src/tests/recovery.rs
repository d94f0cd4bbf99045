//! A hub that has lost its store, or has an older one, learns from the members what it has forgotten (S10).

use std::time::Duration;

use godwit_common::{Epoch, Uid};

use super::fixture::{Fixture, cluster, deployment, deployment_id, object, policy, shares, spec, web};
use crate::{
    Answer, Application, ClusterState, Command, DrainOrder, FreezeCause, Key, PolicyChoice, Record,
    RefusedKind,
};

/// `web` with a ConfigMap under a policy of its own, ten replicas, on two clusters.
fn two() -> Fixture {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100)]);
    let application = Application { workloads: vec![spec(web(), 10)], objects: vec![object("config")] };
    let choice = PolicyChoice::Inline(policy("even", &[("alpha", 1), ("bravo", 1)]));
    fixture.command(Command::Deploy(deployment(application, choice))).expect("a good request");
    fixture.pass(Duration::from_secs(20));
    fixture
}

/// The volume is gone, and an operator says so.
fn lose_store(fixture: &mut Fixture) {
    fixture.store.clear();
    fixture.config.recover = true;
    fixture.restart();
    fixture.config.recover = false;
    fixture.sent.clear();
}

fn connect_all(fixture: &mut Fixture) {
    for name in fixture.members.keys().cloned().collect::<Vec<_>>() {
        fixture.connect(name.as_str());
    }
}

fn accept(fixture: &mut Fixture) -> Result<Answer, crate::Refused> {
    fixture.command(Command::ReleaseFreeze)
}

fn alarms(fixture: &Fixture) -> String {
    fixture.hub.federation().alarms.join("\n")
}

#[test]
fn s10_a_hub_without_a_store_gets_the_federation_back_and_moves_nothing() {
    let mut fixture = two();
    let (uid, epoch) = (fixture.hub.federation().uid, fixture.hub.federation().epoch);
    let life = fixture.web().uid;
    lose_store(&mut fixture);
    connect_all(&mut fixture);
    fixture.pass(Duration::from_secs(60));
    let federation = fixture.hub.federation();
    assert_eq!(federation.uid, uid, "it is the same federation");
    assert!(federation.epoch > epoch);
    assert_eq!(federation.freeze.map(|freeze| freeze.cause), Some(FreezeCause::Recovery));
    assert_eq!(fixture.sent, vec![], "nothing is said before it is accepted");
    assert!(alarms(&fixture).contains("what these policies say is not known, apply them: even"));
    let refused = accept(&mut fixture).expect_err("a policy is missing");
    assert!(refused.message.contains("apply these first: even"), "{refused:?}");

    let even = policy("even", &[("alpha", 1), ("bravo", 1)]);
    fixture.command(Command::ApplyPolicy(even)).expect("a good policy");
    assert_eq!(fixture.sent, vec![]);
    assert_eq!(accept(&mut fixture), Ok(Answer::Done));
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.running(), shares(&[("alpha", 5), ("bravo", 5)]));
    assert!(fixture.sent.iter().all(|(_, uid, replicas)| *uid == life && *replicas == 5));
    assert!(fixture.members.values().all(|member| member.removed.is_empty() && member.objects.len() == 1));
    let view = fixture.web();
    assert_eq!((view.replicas, view.pending, view.uid, view.policy), (10, 0, life, "even".parse().ok()));
    assert!(federation.retired.is_empty() && fixture.hub.federation().alarms.is_empty());

    let order = DrainOrder::Start(Default::default());
    fixture
        .command(Command::Drain { cluster: cluster("alpha"), order })
        .expect("it is an ordinary one again");
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.running(), shares(&[("bravo", 10)]), "what it runs can be started elsewhere");
}

#[test]
fn s10_a_deployment_after_the_recovery_is_the_same_one() {
    let mut fixture = two();
    lose_store(&mut fixture);
    connect_all(&mut fixture);
    let even = policy("even", &[("alpha", 1), ("bravo", 1)]);
    fixture.command(Command::ApplyPolicy(even)).expect("a good policy");
    let application = Application { workloads: vec![spec(web(), 10)], objects: vec![object("config")] };
    let again = || Command::Deploy(deployment(application.clone(), PolicyChoice::Annotated));
    let refused = fixture.command(again()).expect_err("who knows whether it is there");
    assert_eq!(refused.kind, RefusedKind::FailedPrecondition);
    accept(&mut fixture).expect("all is known");
    let answer = fixture.command(again()).expect("a good request");
    let Answer::Deployed(answer) = answer else { panic!("an odd answer: {answer:?}") };
    assert_eq!((answer.workloads[0].action, answer.workloads[0].revision), (crate::Action::Unchanged, 1));
}

#[test]
fn s10_the_total_is_the_newest_that_any_member_has_kept() {
    let mut fixture = two();
    // Only three clusters are told of a total that changes nothing else.
    fixture.disconnect("bravo");
    fixture.command(Command::Scale { workload: web(), replicas: 11 }).expect("a good request");
    fixture.pass(Duration::from_secs(2));
    lose_store(&mut fixture);
    connect_all(&mut fixture);
    fixture.command(Command::ApplyPolicy(policy("even", &[("alpha", 1), ("bravo", 1)]))).expect("good");
    assert_eq!(accept(&mut fixture), Ok(Answer::Done));
    fixture.pass(Duration::from_secs(20));
    assert_eq!((fixture.web().replicas, fixture.web().pending), (11, 0));
}

#[test]
fn s10_what_was_not_found_starts_elsewhere_only_once_the_view_is_accepted() {
    let mut fixture = two();
    lose_store(&mut fixture);
    fixture.connect("alpha");
    fixture.command(Command::ApplyPolicy(policy("even", &[("alpha", 1), ("bravo", 1)]))).expect("good");
    fixture.pass(Duration::from_secs(120));
    assert!(alarms(&fixture).contains("5 of 10 were found"), "{}", alarms(&fixture));
    assert_eq!(fixture.sent, vec![]);
    assert_eq!(accept(&mut fixture), Ok(Answer::Done));
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.running(), shares(&[("alpha", 10), ("bravo", 5)]), "bravo was not heard");
    // It comes, and what it runs is too much: it stops by the rules.
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.running(), shares(&[("alpha", 10)]));
}

#[test]
fn s10_a_restored_store_learns_what_was_deployed_and_deleted_since() {
    let mut fixture = two();
    let old = fixture.web().uid;
    fixture.run("gone", 4, policy("even", &[("alpha", 1), ("bravo", 1)]));
    fixture.pass(Duration::from_secs(20));
    let backup = fixture.store.clone();
    fixture.command(Command::DeleteWorkload { workload: deployment_id("gone") }).expect("it is there");
    fixture.pass(Duration::from_secs(1));
    fixture.run("new", 6, policy("even", &[("alpha", 1), ("bravo", 1)]));
    fixture.pass(Duration::from_secs(20));
    fixture.store = backup;
    fixture.restart();
    fixture.sent.clear();
    connect_all(&mut fixture);
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.sent, vec![]);
    assert!(alarms(&fixture).contains("Deployment default/gone: no cluster has it any more"));
    assert_eq!(accept(&mut fixture), Ok(Answer::Done));
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.running(), shares(&[("alpha", 8), ("bravo", 8)]));
    let names: Vec<String> = fixture.views().iter().map(|view| view.id.name.to_string()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert_eq!((fixture.web().uid, fixture.view("new").replicas), (old, 6));
    assert!(fixture.hub.federation().freeze.is_none());
}

#[test]
fn s10_what_was_deleted_and_deployed_anew_is_the_new_one() {
    let mut fixture = two();
    let (backup, old) = (fixture.store.clone(), fixture.web().uid);
    fixture.command(Command::DeleteWorkload { workload: web() }).expect("it is there");
    fixture.pass(Duration::from_secs(1));
    let application = Application { workloads: vec![spec(web(), 6)], objects: vec![object("config")] };
    let choice = PolicyChoice::Named("even".parse().expect("a name"));
    fixture.command(Command::Deploy(deployment(application, choice))).expect("a good request");
    fixture.pass(Duration::from_secs(20));
    let new = fixture.web().uid;
    fixture.store = backup;
    fixture.restart();
    connect_all(&mut fixture);
    assert_eq!(accept(&mut fixture), Ok(Answer::Done));
    fixture.pass(Duration::from_secs(60));
    assert_ne!(old, new);
    assert_eq!((fixture.web().uid, fixture.web().replicas), (new, 6));
    assert_eq!(fixture.running(), shares(&[("alpha", 3), ("bravo", 3)]));
    assert!(fixture.members.values().all(|member| member.objects.len() == 1));
}

#[test]
fn s10_an_object_that_was_made_anew_is_the_new_one_for_all_who_lean_on_it() {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100), ("charlie", 100)]);
    let deploy = |fixture: &mut Fixture, name: &str, replicas: u32, cluster: &str, objects: &[&str]| {
        let objects = objects.iter().map(|name| object(name)).collect();
        let application = Application { workloads: vec![spec(deployment_id(name), replicas)], objects };
        let choice = PolicyChoice::Inline(policy(&format!("on-{cluster}"), &[(cluster, 1)]));
        fixture.command(Command::Deploy(deployment(application, choice))).expect("a good request");
        fixture.pass(Duration::from_secs(20));
    };
    deploy(&mut fixture, "web", 4, "alpha", &["config"]);
    deploy(&mut fixture, "api", 2, "charlie", &["config"]);
    let backup = fixture.store.clone();
    // Nobody who is there later hears that `api` does without the object.
    fixture.disconnect("charlie");
    deploy(&mut fixture, "api", 2, "charlie", &[]);
    fixture.command(Command::DeleteWorkload { workload: deployment_id("web") }).expect("it is there");
    fixture.pass(Duration::from_secs(20));
    deploy(&mut fixture, "web", 4, "alpha", &["config"]);
    let new = fixture.members[&cluster("alpha")].objects.keys().copied().collect::<Vec<_>>();
    fixture.store = backup;
    fixture.restart();
    connect_all(&mut fixture);
    fixture.pass(Duration::from_secs(60));
    assert_eq!(accept(&mut fixture), Ok(Answer::Done));
    fixture.pass(Duration::from_secs(60));
    for name in ["alpha", "charlie"] {
        let held = fixture.members[&cluster(name)].objects.keys().copied().collect::<Vec<_>>();
        assert_eq!(held, new, "in {name}");
    }
}

#[test]
fn s10_a_hub_that_dies_while_it_recovers_goes_on_recovering() {
    let mut fixture = two();
    lose_store(&mut fixture);
    fixture.connect("alpha");
    fixture.restart();
    let federation = fixture.hub.federation();
    assert_eq!(federation.freeze.map(|freeze| freeze.cause), Some(FreezeCause::Recovery));
    connect_all(&mut fixture);
    fixture.command(Command::ApplyPolicy(policy("even", &[("alpha", 1), ("bravo", 1)]))).expect("good");
    assert_eq!(accept(&mut fixture), Ok(Answer::Done));
    fixture.pass(Duration::from_secs(30));
    assert_eq!(fixture.running(), shares(&[("alpha", 5), ("bravo", 5)]));
    assert_eq!(fixture.web().pending, 0);
}

#[test]
fn s10_nobody_accepts_what_is_still_being_told() {
    let mut fixture = two();
    fixture.members.get_mut(&cluster("bravo")).expect("a member").reticent = true;
    lose_store(&mut fixture);
    let refused = accept(&mut fixture).expect_err("it does not know which federation it is");
    assert!(refused.message.contains("no member was heard"), "{refused:?}");
    connect_all(&mut fixture);
    fixture.command(Command::ApplyPolicy(policy("even", &[("alpha", 1), ("bravo", 1)]))).expect("good");
    let refused = accept(&mut fixture).expect_err("bravo is about to tell");
    assert!(refused.message.ends_with("what they hold: bravo"), "{refused:?}");
}

#[test]
fn s10_nobody_accepts_what_has_said_no_more_than_hello() {
    let mut fixture = two();
    lose_store(&mut fixture);
    fixture.open("alpha");
    let refused = accept(&mut fixture).expect_err("it has told nothing yet");
    assert!(refused.message.contains("about to tell what they hold: alpha"), "{refused:?}");
    connect_all(&mut fixture);
    fixture.command(Command::ApplyPolicy(policy("even", &[("alpha", 1), ("bravo", 1)]))).expect("good");
    assert_eq!(accept(&mut fixture), Ok(Answer::Done));
    assert_eq!(fixture.web().replicas, 10);
}

#[test]
fn s10_a_stranger_waits_until_the_hub_knows_which_federation_it_is() {
    let mut fixture = two();
    lose_store(&mut fixture);
    fixture.add_member("charlie", 100);
    fixture.open("charlie");
    assert_eq!(fixture.noted("SessionRefused"), 1);
    fixture.connect("alpha");
    fixture.connect("charlie");
    assert_eq!(fixture.state("charlie"), ClusterState::Ready);
    assert_ne!(fixture.hub.federation().uid, Uid(0));
    assert!(fixture.hub.federation().epoch > Epoch(1));
}

#[test]
fn s10_a_store_that_is_not_empty_is_taken_for_an_older_one() {
    let mut fixture = two();
    fixture.config.recover = true;
    fixture.restart();
    connect_all(&mut fixture);
    fixture.pass(Duration::from_secs(20));
    assert!(fixture.hub.federation().freeze.is_some());
    let even = Key::Policy("even".parse().expect("a name"));
    assert!(matches!(&fixture.store[&even], Record::Policy(even) if !even.placement.clusters.is_empty()));
    assert_eq!(accept(&mut fixture), Ok(Answer::Done));
    fixture.pass(Duration::from_secs(20));
    assert_eq!(fixture.running(), shares(&[("alpha", 5), ("bravo", 5)]));
}

#[test]
fn s10_nobody_accepts_before_every_cluster_had_its_time_to_be_heard() {
    let mut fixture = two();
    fixture.config.recover = true;
    fixture.restart();
    fixture.config.recover = false;
    let refused = accept(&mut fixture).expect_err("nobody was heard");
    assert!(refused.message.contains("not heard yet"), "{refused:?}");
    assert!(refused.message.ends_with("to come back: alpha, bravo"), "{refused:?}");
    fixture.connect("alpha");
    fixture.pass(Duration::from_secs(1));
    let refused = accept(&mut fixture).expect_err("bravo may know better");
    assert!(refused.message.ends_with("to come back: bravo"), "{refused:?}");
    fixture.pass(Duration::from_secs(40));
    assert_eq!(accept(&mut fixture), Ok(Answer::Done), "it had its time");
}
