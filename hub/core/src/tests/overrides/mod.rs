//! What is different in some clusters: who is told what, and when (S10, S31, S33).

mod classes;
mod older;

use std::time::Duration;

use godwit_common::policy::overrides::{Change, Image, ObjectSelector};
use godwit_common::policy::{ClusterSelector, Override};

use super::fixture::{Fixture, cluster, deployment, object, policy, shares, spec, web};
use crate::{
    Action, Answer, Application, Command, Policy, PolicyChoice, RefusedKind, RolloutOrder, WorkloadSpec,
};

const CLUSTERS: [(&str, u32); 3] = [("alpha", 100), ("bravo", 100), ("charlie", 100)];

/// Images come from this registry where the label `region` is so.
fn registry(region: &str, registry: &str) -> Override {
    let image = Image { registry: Some(registry.into()), ..Image::default() };
    let mut selector = ClusterSelector::default();
    selector.labels.labels.insert("region".into(), region.into());
    Override { selector, change: Change { image, ..Change::default() }, ..Override::default() }
}

fn only(kind: &str, one: Override) -> Override {
    Override { objects: ObjectSelector { kinds: [kind.into()].into(), ..one.objects }, ..one }
}

fn even(overrides: Vec<Override>) -> Policy {
    let mut policy = policy("even", &[("alpha", 1), ("bravo", 1), ("charlie", 1)]);
    policy.placement.overrides = overrides;
    policy
}

/// Nine replicas in three clusters, of which alpha and bravo are in the region eu.
fn deployed(overrides: Vec<Override>) -> Fixture {
    let mut fixture = Fixture::new(&CLUSTERS);
    label(&mut fixture, "alpha", "eu");
    label(&mut fixture, "bravo", "eu");
    let application = Application { workloads: vec![spec(web(), 9)], objects: vec![object("config")] };
    let choice = PolicyChoice::Inline(even(overrides));
    fixture.command(Command::Deploy(deployment(application, choice))).expect("a good request");
    settle(&mut fixture);
    fixture
}

fn apply(fixture: &mut Fixture, overrides: Vec<Override>) -> Action {
    match fixture.command(Command::ApplyPolicy(even(overrides))).expect("a good policy") {
        Answer::Applied { action, .. } => action,
        other => panic!("{other:?}"),
    }
}

fn label(fixture: &mut Fixture, name: &str, region: &str) {
    let set = [("region".into(), region.into())].into();
    let command = Command::Label { cluster: cluster(name), set, remove: Default::default() };
    fixture.command(command).expect("a member");
}

fn settle(fixture: &mut Fixture) {
    fixture.pass(Duration::from_secs(12));
}

/// What each cluster was told to make different of the workload.
fn told(fixture: &Fixture) -> Vec<String> {
    let of = |row: &godwit_common::link::WorkloadTarget| row.overrides.to_string();
    fixture.members.values().map(|member| member.rows.values().map(of).collect::<String>()).collect()
}

/// The same of the object.
fn told_of_object(fixture: &Fixture) -> Vec<String> {
    let of = |row: &godwit_common::link::ObjectTarget| row.overrides.to_string();
    fixture.members.values().map(|member| member.objects.values().map(of).collect::<String>()).collect()
}

fn revisions(fixture: &Fixture) -> Vec<u64> {
    fixture.revisions().into_iter().map(|(_, revision)| revision).collect()
}

const EU: &str = r#"[{"image":{"registry":"eu.io"}}]"#;
const EU2: &str = r#"[{"image":{"registry":"eu2.io"}}]"#;

#[test]
fn each_cluster_is_told_what_is_different_there_and_nothing_else() {
    let fixture = deployed(vec![registry("eu", "eu.io"), registry("us", "us.io")]);
    assert_eq!(told(&fixture), [EU, EU, ""]);
    assert_eq!(told_of_object(&fixture), [EU, EU, ""], "what it is about is not said");
    assert_eq!(revisions(&fixture), [1, 1, 1]);
    let manifests = fixture.members.values().flat_map(|member| member.rows.values());
    let same = spec(web(), 9).manifest;
    assert!(manifests.into_iter().all(|row| row.manifest.as_ref() == Some(&same)), "S10: what was asked for");
}

#[test]
fn s31_other_rules_are_a_revision_that_only_those_see_for_whom_it_is_another() {
    let mut fixture = deployed(vec![registry("eu", "eu.io")]);
    apply(&mut fixture, vec![registry("eu", "eu2.io")]);
    assert_eq!(
        (told(&fixture), revisions(&fixture)),
        (vec![EU.into(), EU.into(), String::new()], vec![1, 1, 2])
    );
    // Charlie, where nothing is different, has said so.
    fixture.pass(Duration::from_secs(2));
    assert_eq!(told(&fixture), [EU2, EU, ""], "one cluster after the other");
    assert_eq!(revisions(&fixture), [2, 1, 2]);
    settle(&mut fixture);
    assert_eq!(told(&fixture), [EU2, EU2, ""]);
    settle(&mut fixture);
    assert_eq!((revisions(&fixture), fixture.noted("RolloutCompleted")), (vec![2, 2, 2], 1));
    assert_eq!(fixture.running(), shares(&[("alpha", 3), ("bravo", 3), ("charlie", 3)]));
    // Objects get it at once.
    assert_eq!(told_of_object(&fixture), [EU2, EU2, ""]);
    let undo = Command::Rollout { workload: web(), order: RolloutOrder::Undo { to: None } };
    fixture.command(undo).expect("there is a way back");
    settle(&mut fixture);
    settle(&mut fixture);
    assert_eq!(told(&fixture), [EU, EU, ""], "the rules of that revision came back");
    let mut heavier = even(vec![registry("eu", "eu2.io")]);
    heavier.placement.priority = 7;
    fixture.command(Command::ApplyPolicy(heavier)).expect("a good policy");
    settle(&mut fixture);
    assert_eq!(told(&fixture), [EU, EU, ""], "and stay as long as the policy says nothing else of that");
    apply(&mut fixture, vec![registry("eu", "eu3.io")]);
    for _ in 0..3 {
        settle(&mut fixture);
    }
    assert!(told(&fixture)[..2].iter().all(|told| told.contains("eu3.io")), "{:?}", told(&fixture));
}

#[test]
fn rules_that_are_not_about_a_workload_are_no_revision_of_it() {
    let mut fixture = deployed(vec![]);
    let sent = fixture.sent.len();
    let action =
        apply(&mut fixture, vec![only("StatefulSet", registry("eu", "eu.io")), registry("us", "us.io")]);
    assert_eq!((action, told(&fixture)), (Action::Configured, vec![String::new(); 3]));
    // The second rule is about it, and holds nowhere: the number rises, and nothing else.
    assert_eq!(revisions(&fixture), [2, 2, 2]);
    let counts = fixture.sent[sent..].iter().map(|(_, _, replicas)| *replicas);
    assert!(counts.into_iter().all(|replicas| replicas == 3), "nothing moves");
    apply(&mut fixture, vec![only("StatefulSet", registry("eu", "eu2.io")), registry("us", "us.io")]);
    assert_eq!(revisions(&fixture), [2, 2, 2]);
}

#[test]
fn a_label_decides_at_once_and_everything_outlives_a_restart() {
    let mut fixture = deployed(vec![registry("eu", "eu.io")]);
    label(&mut fixture, "charlie", "eu");
    assert_eq!((told(&fixture), told_of_object(&fixture)), (vec![EU.to_owned(); 3], vec![EU.to_owned(); 3]));
    assert_eq!(revisions(&fixture), [1, 1, 1]);
    label(&mut fixture, "alpha", "ap");
    let expected = ["", EU, EU];
    assert_eq!(
        (told(&fixture), told_of_object(&fixture)),
        (expected.map(String::from).into(), expected.map(String::from).into())
    );
    fixture.restart();
    fixture.sent.clear();
    for (name, _) in CLUSTERS {
        fixture.connect(name);
    }
    settle(&mut fixture);
    assert_eq!(told(&fixture), expected, "their digests agree");
    assert_eq!(fixture.running(), shares(&[("alpha", 3), ("bravo", 3), ("charlie", 3)]));
}

#[test]
fn s10_a_hub_that_has_lost_its_store_has_the_rules_from_the_policy_alone() {
    let mut fixture = deployed(vec![registry("eu", "eu.io")]);
    fixture.store.clear();
    fixture.config.recover = true;
    fixture.restart();
    for (name, _) in CLUSTERS {
        fixture.connect(name);
    }
    label(&mut fixture, "alpha", "eu");
    label(&mut fixture, "bravo", "eu");
    apply(&mut fixture, vec![registry("eu", "eu.io")]);
    fixture.command(Command::ReleaseFreeze).expect("the view is whole");
    for _ in 0..3 {
        settle(&mut fixture);
    }
    assert_eq!(told(&fixture), [EU, EU, ""]);
    assert_eq!(
        revisions(&fixture),
        [1, 1, 1],
        "what ran by these rules is no other revision because of them"
    );
    let manifest =
        fixture.members[&cluster("alpha")].rows.values().next().and_then(|row| row.manifest.clone());
    assert_eq!(manifest, Some(spec(web(), 9).manifest), "what was asked for, and not what came of it");
}

#[test]
fn what_cannot_be_carried_out_is_refused_with_the_object_and_the_cluster() {
    let mut fixture = deployed(vec![]);
    let bad = vec![registry("us", "bad"), only("Deployment", registry("eu", "bad"))];
    let rules = |fixture: &Fixture| {
        let view = fixture.hub.policy(&even(vec![]).name).expect("it is known");
        view.policy.placement.overrides.clone()
    };
    let refused = fixture.command(Command::ApplyPolicy(even(bad.clone()))).expect_err("it does not fit");
    assert_eq!(refused.kind, RefusedKind::FailedPrecondition);
    assert!(
        refused.message.starts_with("policy even: Deployment default/web in cluster alpha: it cannot be"),
        "{}",
        refused.message
    );
    assert_eq!(rules(&fixture), [], "nothing of it was done");
    let spec = WorkloadSpec { id: super::fixture::deployment_id("api"), ..spec(web(), 1) };
    let refused = fixture.deploy(spec, PolicyChoice::Inline(even(bad))).expect_err("it does not fit");
    assert!(refused.message.contains("default/api in cluster alpha"), "{}", refused.message);
    // Where the rule does not hold, nobody asks whether it fits.
    apply(&mut fixture, vec![registry("us", "bad")]);
    // One that holds because of a label is told, and its agent says what is wrong.
    label(&mut fixture, "charlie", "us");
    assert!(told(&fixture)[2].contains("bad"));
}

#[test]
fn a_command_looks_at_no_more_clusters_than_it_may() {
    let fixture = deployed(vec![]);
    let policy = even(vec![registry("eu", "bad")]);
    let (config, rules) = (object("config"), policy.placement.overrides.clone());
    let look = |mut left: usize| {
        let fits = fixture.hub.check_fit((&config.key, &config.manifest), &rules, &policy, &mut left);
        (fits.is_ok(), left)
    };
    assert_eq!(look(1_000), (false, 1_000 - 3 - 100), "three clusters looked at, and one text tried");
    assert_eq!(look(50), (true, 0), "no text is tried");
    assert_eq!(look(2), (true, 0), "nor all clusters looked at");
    assert_eq!(look(0), (true, 0));
}

#[test]
fn an_object_that_several_lean_on_is_as_the_policy_of_the_oldest_says() {
    let mut fixture = deployed(vec![registry("eu", "eu.io")]);
    let young = WorkloadSpec { id: super::fixture::deployment_id("young"), ..spec(web(), 1) };
    let application = Application { workloads: vec![young], objects: vec![object("config")] };
    let mut other = even(vec![registry("eu", "eu2.io")]);
    other.name = "other".parse().expect("a valid name");
    fixture.command(Command::Deploy(deployment(application, PolicyChoice::Inline(other)))).expect("good");
    assert_eq!(told_of_object(&fixture), [EU, EU, ""]);
    fixture.command(Command::DeleteWorkload { workload: web() }).expect("it is deployed");
    assert_eq!(told_of_object(&fixture), [EU2, EU2, ""], "the oldest is gone");
}
