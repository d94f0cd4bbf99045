//! What is different in some clusters: who is told what, and when (S10, S31, S33).

use std::time::Duration;

use godwit_common::policy::overrides::{Change, Image, ObjectSelector};
use godwit_common::policy::{self, ClusterSelector, Override, Rebalance};
use godwit_common::{Need, ObjectKey, Uid, WorkloadId};

use super::fixture::{Fixture, cluster, deployment, object, policy, shares, spec, web};
use crate::overrides::{CLAIM, needs_in};
use crate::{
    Action, Answer, Application, Command, ObjectSpec, Policy, PolicyChoice, RefusedKind, RolloutOrder,
    WorkloadSpec,
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
fn s33_a_claim_of_another_class_needs_that_class() {
    let class = |name: &str| {
        Need::Object(ObjectKey::new("storage.k8s.io/v1", "StorageClass", "", name).expect("a valid key"))
    };
    let fast = Change { storage_class: Some("fast".into()), ..Change::default() };
    let mut rule = registry("eu", "eu.io");
    rule.change = fast;
    let mut fixture = Fixture::new(&CLUSTERS);
    label(&mut fixture, "alpha", "eu");
    label(&mut fixture, "bravo", "eu");
    for (name, lacks) in [("alpha", "slow"), ("bravo", "fast"), ("charlie", "fast")] {
        fixture.members.get_mut(&cluster(name)).expect("a member").lacks.insert(class(lacks));
    }
    let spec = WorkloadSpec { needs: vec![class("slow")], ..spec(web(), 6) };
    let key = ObjectKey::new("v1", "PersistentVolumeClaim", "default", "data").expect("a valid key");
    let claim = ObjectSpec { key, manifest: "{}".into() };
    let application = Application { workloads: vec![spec], objects: vec![claim] };
    let mut rule = only("PersistentVolumeClaim", rule);
    rule.objects.names = ["data".into()].into();
    let choice = PolicyChoice::Inline(even(vec![rule]));
    fixture.command(Command::Deploy(deployment(application, choice))).expect("good");
    settle(&mut fixture);
    assert_eq!(fixture.plan(), shares(&[("alpha", 3), ("charlie", 3)]));
    assert!(fixture.reason("web", "bravo").contains("fast"), "{}", fixture.reason("web", "bravo"));
    label(&mut fixture, "bravo", "us");
    settle(&mut fixture);
    fixture.command(Command::Scale { workload: web(), replicas: 9 }).expect("it is deployed");
    settle(&mut fixture);
    assert_eq!(fixture.plan(), shares(&[("alpha", 3), ("bravo", 3), ("charlie", 3)]));
}

#[test]
fn s33_a_class_for_others_claims_changes_no_need() {
    let class = |name: &str| {
        Need::Object(ObjectKey::new("storage.k8s.io/v1", "StorageClass", "", name).expect("a valid key"))
    };
    let change = Change { storage_class: Some("fast".into()), ..Change::default() };
    let rule = Override { change, ..Override::default() };
    let named = |kind: &str, name: &str| {
        let mut rule = only(kind, rule.clone());
        rule.objects.names = [name.into()].into();
        rule
    };
    let traits = godwit_common::Traits::default();
    let needs = [class("slow")];
    let claims = ["data".into()];
    let of = |rule: Override| {
        needs_in(&needs, (&web(), &claims), &even(vec![rule]), (&cluster("alpha"), &traits)).into_owned()
    };
    assert_eq!(of(named("Deployment", "web")), [class("fast")]);
    assert_eq!(of(named("PersistentVolumeClaim", "data")), [class("fast")]);
    assert_eq!(of(rule.clone()), [class("fast")]);
    assert_eq!(of(named("Deployment", "other")), [class("slow")]);
    assert_eq!(of(named("PersistentVolumeClaim", "web")), [class("slow")]);
    assert_eq!(of(only("StatefulSet", rule)), [class("slow")]);
}

#[test]
fn what_has_its_claims_keeps_their_class() {
    let class = |name: &str| {
        let change = Change { storage_class: Some(name.into()), ..Change::default() };
        Override { change, ..Override::default() }
    };
    let deployed = |rules: Vec<Override>| {
        let mut fixture = Fixture::new(&CLUSTERS);
        let db = WorkloadId::new("default", "StatefulSet", "db").expect("a valid identity");
        let key = ObjectKey::new("v1", CLAIM, "default", "data").expect("a valid key");
        let claim = ObjectSpec { key, manifest: "{}".into() };
        let application = Application { workloads: vec![spec(db, 2)], objects: vec![claim] };
        let choice = PolicyChoice::Inline(even(rules));
        fixture.command(Command::Deploy(deployment(application, choice))).expect("a good request");
        settle(&mut fixture);
        fixture
    };
    let refused = |fixture: &mut Fixture, rule: Override, what: &str| {
        let refused = fixture.command(Command::ApplyPolicy(even(vec![rule]))).expect_err(what);
        assert_eq!(refused.kind, RefusedKind::FailedPrecondition, "{refused:?}");
        assert!(refused.message.contains(what) && refused.message.contains("to fast"), "{refused:?}");
    };
    let mut plain = deployed(vec![]);
    refused(&mut plain, only("StatefulSet", class("fast")), "StatefulSet default/db in cluster");
    refused(&mut plain, only(CLAIM, class("fast")), "PersistentVolumeClaim default/data in cluster");
    apply(&mut plain, vec![only("Deployment", class("fast"))]);
    let mut slow = deployed(vec![class("slow")]);
    apply(&mut slow, vec![class("slow"), registry("eu", "eu.io")]);
    refused(&mut slow, class("fast"), "default/db in cluster");
    apply(&mut slow, vec![]);
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

const OLDER: &str = "its agents are of a release that knows no overrides";

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
