//! Affinity, anti-affinity and colocation of workloads (S18, S33).

use std::time::Duration;

use godwit_common::policy::WorkloadSelector;
use godwit_common::{Need, ObjectKey, WorkloadId};

use super::fixture::{Fixture, cluster, deployment, deployment_id, policy, shares, spec};
use crate::{Application, Command, Policy, PolicyChoice, WorkloadSpec};

fn named(name: &str) -> Vec<WorkloadSelector> {
    vec![WorkloadSelector { names: [name.into()].into(), ..WorkloadSelector::default() }]
}

fn near(name: &str, other: &str) -> Policy {
    let mut policy = policy(name, &[]);
    policy.placement.affinity.with = named(other);
    policy
}

fn away_from(name: &str, other: &str) -> Policy {
    let mut policy = policy(name, &[]);
    policy.placement.affinity.without = named(other);
    policy
}

fn only(name: &str, place: &str) -> Policy {
    policy(name, &[(place, 1)])
}

fn pass(fixture: &mut Fixture, seconds: u64) {
    fixture.pass(Duration::from_secs(seconds));
}

#[test]
fn affinity_places_only_where_the_other_is_and_waits_for_it() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    fixture.run("cache", 4, near("cache", "db"));
    assert_eq!(fixture.view("cache").pending, 4);
    assert_eq!(fixture.reason("cache", "alpha"), "gets nothing new: no workload with db is placed there");
    fixture.run("db", 2, only("db", "bravo"));
    assert_eq!(fixture.placed("cache"), shares(&[("bravo", 4)]));
    // When the other leaves, what runs stays.
    fixture.command(Command::DeleteWorkload { workload: deployment_id("db") }).expect("it is deployed");
    pass(&mut fixture, 5);
    assert_eq!(fixture.placed("cache"), shares(&[("bravo", 4)]));
}

#[test]
fn anti_affinity_holds_both_ways_and_moves_nothing() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    fixture.run("red", 2, only("red", "alpha"));
    fixture.run("blue", 4, away_from("blue", "red"));
    assert_eq!(fixture.placed("blue"), shares(&[("bravo", 4)]));
    assert_eq!(fixture.reason("blue", "alpha"), "gets nothing new: Deployment default/red is placed there");
    // Red says nothing of blue, and keeps away from it all the same.
    let command = Command::ApplyPolicy(policy("red", &[]));
    fixture.command(command).expect("a good policy");
    fixture.command(Command::Scale { workload: deployment_id("red"), replicas: 6 }).expect("ok");
    assert_eq!(fixture.placed("red"), shares(&[("alpha", 6)]));
    // When blue is gone, with its last copy, red may grow there.
    fixture.command(Command::Scale { workload: deployment_id("red"), replicas: 30 }).expect("ok");
    assert_eq!(fixture.view("red").pending, 10);
    fixture.command(Command::Scale { workload: deployment_id("blue"), replicas: 0 }).expect("ok");
    pass(&mut fixture, 5);
    assert_eq!(fixture.view("red").pending, 0);
}

#[test]
fn an_application_that_is_colocated_shares_its_clusters_and_follows_its_first_workload() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    let mut together = policy("together", &[]);
    together.placement.affinity.colocate = true;
    let application = Application {
        workloads: vec![spec(deployment_id("web"), 1), spec(deployment_id("cache"), 3)],
        objects: Vec::new(),
    };
    let deploy = deployment(application.clone(), PolicyChoice::Inline(together));
    fixture.command(Command::Deploy(deploy)).expect("a good deployment");
    let home = fixture.placed("web")[0].0.clone();
    assert_eq!(fixture.placed("cache"), [(home.clone(), 3)]);
    assert_eq!(fixture.view("cache").leader, Some(deployment_id("web")));
    pass(&mut fixture, 2);
    fixture.restart();
    fixture.connect("alpha");
    fixture.connect("bravo");
    pass(&mut fixture, 2);
    // Its home is lost: both go together.
    fixture.disconnect(&home);
    pass(&mut fixture, 20);
    let other = if home == "alpha" { "bravo" } else { "alpha" };
    assert_eq!(
        (fixture.placed("web"), fixture.placed("cache")),
        (shares(&[(other, 1)]), shares(&[(other, 3)]))
    );
    // Applied on its own it goes on as before.
    let alone = Application { workloads: application.workloads[1..].to_vec(), objects: Vec::new() };
    let again = deployment(alone, PolicyChoice::Annotated);
    fixture.command(Command::Deploy(again)).expect("a good deployment");
    assert_eq!(fixture.view("cache").leader, Some(deployment_id("web")));
}

#[test]
fn who_is_colocated_follows_a_leader_that_moves() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    let mut together = policy("together", &[("alpha", 1)]);
    together.placement.affinity.colocate = true;
    let application = Application {
        workloads: vec![spec(deployment_id("web"), 2), spec(deployment_id("cache"), 3)],
        objects: Vec::new(),
    };
    let deploy = deployment(application, PolicyChoice::Inline(together.clone()));
    fixture.command(Command::Deploy(deploy)).expect("a good deployment");
    assert_eq!(fixture.placed("cache"), shares(&[("alpha", 3)]));
    together.placement.clusters = [(cluster("bravo"), Default::default())].into();
    fixture.command(Command::ApplyPolicy(together)).expect("a good policy");
    pass(&mut fixture, 60);
    assert_eq!(
        (fixture.placed("web"), fixture.placed("cache")),
        (shares(&[("bravo", 2)]), shares(&[("bravo", 3)]))
    );
    assert_eq!(fixture.running(), shares(&[("bravo", 5)]));
}

#[test]
fn a_cluster_that_lacks_what_a_workload_needs_gets_none_of_it_until_it_is_there() {
    let secret = ObjectKey::new("v1", "Secret", "default", "registry").expect("a valid key");
    let need = Need::Object(secret);
    let mut fixture = Fixture::new(&[("alpha", 3), ("bravo", 20)]);
    fixture.members.get_mut(&cluster("bravo")).expect("a member").lacks.insert(need.clone());
    let needy = WorkloadSpec { needs: vec![need.clone()], ..spec(deployment_id("web"), 8) };
    fixture.deploy(needy.clone(), PolicyChoice::Inline(policy("even", &[]))).expect("a good deployment");
    // Nobody has looked yet.
    assert_eq!(fixture.view("web").pending, 8);
    let checking = "gets nothing new: checking whether it has Secret default/registry";
    assert_eq!(fixture.reason("web", "alpha"), checking);
    pass(&mut fixture, 2);
    assert_eq!((fixture.placed("web"), fixture.view("web").pending), (shares(&[("alpha", 3)]), 5));
    assert_eq!(fixture.reason("web", "bravo"), "gets nothing new: it lacks Secret default/registry");
    let said = fixture.view("web").pending_reasons;
    assert!(said.iter().all(|reason| !reason.contains("checking")), "the answer is there: {said:?}");
    fixture.members.get_mut(&cluster("bravo")).expect("a member").lacks.clear();
    pass(&mut fixture, 2);
    assert_eq!(fixture.placed("web"), shares(&[("alpha", 3), ("bravo", 5)]));
    // When it is gone again, what runs stays (S3).
    fixture.members.get_mut(&cluster("bravo")).expect("a member").lacks.insert(need);
    fixture.restart();
    fixture.connect("alpha");
    fixture.connect("bravo");
    pass(&mut fixture, 5);
    assert_eq!(fixture.placed("web"), shares(&[("alpha", 3), ("bravo", 5)]));
    // It needs nothing any more: its rows are told, though its manifest is the same.
    let before = fixture.view("web").rollout.revision;
    let content = WorkloadSpec { needs: Vec::new(), ..needy };
    fixture.deploy(content, PolicyChoice::Annotated).expect("a good deployment");
    assert_eq!(fixture.view("web").rollout.revision, before + 1);
}

#[test]
fn who_answers_first_gets_no_more_than_its_share() {
    let need = Need::Object(ObjectKey::new("v1", "Secret", "default", "registry").expect("a valid key"));
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40), ("charlie", 40)]);
    let needy = WorkloadSpec { needs: vec![need.clone()], ..spec(deployment_id("web"), 12) };
    let deploy = |fixture: &mut Fixture, spec: WorkloadSpec| {
        fixture.deploy(spec, PolicyChoice::Inline(policy("even", &[]))).expect("a good deployment");
    };
    deploy(&mut fixture, needy.clone());
    fixture.report("alpha", false);
    assert_eq!((fixture.placed("web"), fixture.view("web").pending), (shares(&[("alpha", 4)]), 8));
    let reasons = fixture.view("web").pending_reasons;
    assert_eq!(
        &*reasons[0],
        "bravo, charlie: gets nothing new: checking whether it has Secret default/registry"
    );
    assert_eq!(fixture.reason("web", "alpha"), "share by weight");
    // One says no, and the last one yes.
    fixture.members.get_mut(&cluster("bravo")).expect("a member").lacks.insert(need.clone());
    fixture.report("bravo", false);
    fixture.report("charlie", false);
    assert_eq!(fixture.placed("web"), shares(&[("alpha", 6), ("charlie", 6)]));
    // Who does not answer is not waited for without end.
    let other = Need::Object(ObjectKey::new("v1", "Secret", "default", "other").expect("a valid key"));
    for name in ["bravo", "charlie"] {
        fixture.members.get_mut(&cluster(name)).expect("a member").mute.insert(other.clone());
    }
    deploy(&mut fixture, WorkloadSpec { needs: vec![other.clone()], ..spec(deployment_id("api"), 9) });
    pass(&mut fixture, 2);
    assert_eq!((fixture.placed("api"), fixture.view("api").pending), (shares(&[("alpha", 3)]), 6));
    pass(&mut fixture, 20);
    assert_eq!((fixture.placed("api"), fixture.view("api").pending), (shares(&[("alpha", 9)]), 0));
}

#[test]
fn a_stateful_workload_that_starts_nowhere_says_what_each_cluster_lacks() {
    let need = Need::Object(ObjectKey::new("v1", "Secret", "default", "store").expect("a valid key"));
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20), ("charlie", 2)]);
    for name in ["alpha", "bravo"] {
        fixture.members.get_mut(&cluster(name)).expect("a member").lacks.insert(need.clone());
    }
    let id = WorkloadId::new("default", "StatefulSet", "store").expect("a valid identity");
    let store = WorkloadSpec { needs: vec![need], ..spec(id.clone(), 3) };
    fixture.deploy(store, PolicyChoice::Inline(policy("even", &[]))).expect("a good deployment");
    pass(&mut fixture, 2);
    let view = fixture.views().remove(0);
    let reasons: Vec<String> = view.pending_reasons.iter().map(ToString::to_string).collect();
    assert_eq!(
        reasons,
        [
            "alpha, bravo: gets nothing new: it lacks Secret default/store",
            "charlie: no room: cpu",
            "no single cluster takes all 3 replicas, and it is not divided: its policy does not say divide: true (S32)"
        ]
    );
    let report = fixture.hub.plan(&id).expect("it is deployed").report;
    let remedies: Vec<&str> = report.iter().map(|row| row.remedy.as_str()).collect();
    let create = |name: &str| format!("create Secret default/store in {name}");
    assert_eq!(remedies[..2], [create("alpha"), create("bravo")]);
    assert!(remedies[2].contains("more free cpu on the nodes of charlie"), "{remedies:?}");
    fixture.members.get_mut(&cluster("bravo")).expect("a member").lacks.clear();
    pass(&mut fixture, 2);
    assert_eq!((fixture.running(), fixture.views().remove(0).pending), (shares(&[("bravo", 3)]), 0));
}

#[test]
fn zones_come_from_the_nodes_and_are_durable() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    fixture.members.get_mut(&cluster("bravo")).expect("a member").zones = ["b1".into()].into();
    pass(&mut fixture, 1);
    let mut zoned = policy("zoned", &[]);
    zoned.placement.selector.zones = ["b1".into()].into();
    fixture.run("web", 4, zoned);
    assert_eq!(fixture.placed("web"), shares(&[("bravo", 4)]));
    fixture.restart();
    assert_eq!(fixture.placed("web"), shares(&[("bravo", 4)]));
    fixture.connect("alpha");
    pass(&mut fixture, 60);
    // Bravo is lost, and nobody else is in its zone.
    assert_eq!((fixture.placed("web"), fixture.view("web").pending), (shares(&[]), 4));
}
