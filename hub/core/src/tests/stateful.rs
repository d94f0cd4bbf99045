//! Workloads with state stay where their data is: S32.

use std::time::Duration;

use godwit_common::policy::{Data, Prestage, Rule};
use godwit_common::{Need, ObjectKey, WorkloadId};

use super::drains::drain;
use super::fixture::{Fixture, cluster, deployment, deployment_id, object, policy, shares, spec, status};
use crate::{Application, Command, Policy, PolicyChoice, RefusedKind, WorkloadSpec};

fn store() -> WorkloadId {
    WorkloadId::new("default", "StatefulSet", "store").expect("a valid identity")
}

/// The data is in bravo.
fn in_bravo() -> Fixture {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100)]);
    let choice = PolicyChoice::Inline(policy("stateful", &[("alpha", 1), ("bravo", 2)]));
    fixture.deploy(spec(store(), 3), choice).expect("a good request");
    fixture.pass(Duration::from_secs(1));
    assert_eq!(fixture.running(), shares(&[("bravo", 3)]));
    fixture
}

/// The clusters that it is placed in.
fn plan(fixture: &Fixture) -> Vec<(String, u32)> {
    let placements = fixture.views().remove(0).placements;
    placements.into_iter().filter(|p| p.target > 0).map(|p| (p.cluster.to_string(), p.target)).collect()
}

fn scale(fixture: &mut Fixture, replicas: u32) {
    let scale = Command::Scale { workload: store(), replicas };
    fixture.command(scale).expect("it exists");
}

#[test]
fn s32_copies_that_another_cluster_brings_are_no_reason_to_leave_the_data() {
    let mut fixture = in_bravo();
    let delete = Command::DeleteCluster { cluster: cluster("alpha"), force: true };
    fixture.disconnect("alpha");
    fixture.pass(Duration::from_secs(12));
    fixture.command(delete).expect("it is lost");
    let mut row = fixture.members[&cluster("bravo")].rows.values().next().expect("a row").clone();
    row.replicas = 2;
    assert_eq!(status(&row, true).pods, 2);
    fixture.members.get_mut(&cluster("bravo")).expect("a member").ready = false;
    fixture.members.get_mut(&cluster("alpha")).expect("a member").rows.insert(row.uid, row);
    fixture.connect("alpha");
    scale(&mut fixture, 4);
    assert_eq!(plan(&fixture), shares(&[("bravo", 4)]));
}

#[test]
fn s32_scaling_to_zero_does_not_forget_where_the_data_is() {
    let mut fixture = in_bravo();
    scale(&mut fixture, 0);
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.running(), shares(&[]));
    fixture.disconnect("bravo");
    fixture.pass(Duration::from_secs(1));
    scale(&mut fixture, 3);
    assert_eq!(plan(&fixture), shares(&[]), "pending until bravo is back");
    fixture.restart();
    fixture.connect("alpha");
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(1));
    assert_eq!(plan(&fixture), shares(&[("bravo", 3)]));
}

#[test]
fn s23_when_the_cluster_with_the_data_is_deleted_it_begins_anew() {
    let mut fixture = in_bravo();
    fixture.disconnect("bravo");
    fixture.pass(Duration::from_secs(12));
    assert_eq!(plan(&fixture), shares(&[]));
    let delete = Command::DeleteCluster { cluster: cluster("bravo"), force: true };
    fixture.command(delete).expect("it is lost");
    assert_eq!(plan(&fixture), shares(&[("alpha", 3)]));
}

#[test]
fn s5_a_cluster_that_is_not_seen_gets_none_of_a_workload_whose_data_it_has() {
    let mut fixture = in_bravo();
    let elsewhere = Command::ApplyPolicy(policy("stateful", &[("alpha", 1)]));
    fixture.command(elsewhere).expect("a good policy");
    fixture.restart();
    scale(&mut fixture, 5);
    assert_eq!((plan(&fixture), fixture.view("store").pending), (shares(&[("bravo", 3)]), 2));
}

/// A StatefulSet without volume claims, under a policy that an operator has not touched.
fn unbound(replicas: u32) -> WorkloadSpec {
    WorkloadSpec { claims: false, ..spec(store(), replicas) }
}

fn in_force(fixture: &Fixture) -> String {
    fixture.views().remove(0).policy.expect("it has one").to_string()
}

#[test]
fn s32_a_stateful_set_that_names_no_policy_gets_the_one_that_is_built_in() {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100)]);
    fixture.deploy(unbound(3), PolicyChoice::Annotated).expect("a good request");
    assert_eq!(in_force(&fixture), "stateful");
    let name = "stateful".parse().expect("a valid name");
    let delete = fixture.command(Command::DeletePolicy { name }).expect_err("it is built in");
    assert!(delete.message.starts_with("policy stateful cannot be deleted"), "{}", delete.message);
    // An operator may say what it is to be, and a restart does not undo that.
    fixture.command(Command::ApplyPolicy(policy("stateful", &[("bravo", 1)]))).expect("a good policy");
    fixture.restart();
    let stateful = fixture.hub.policy(&"stateful".parse().expect("a valid name")).expect("it is there");
    assert_eq!(stateful.policy.placement.clusters.len(), 1);
}

#[test]
fn s32_without_claims_it_moves_when_it_is_drained_and_all_of_it_ends_first() {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100)]);
    fixture.deploy(unbound(3), PolicyChoice::Annotated).expect("a good request");
    fixture.pass(Duration::from_secs(1));
    assert_eq!(fixture.running(), shares(&[("alpha", 3)]));
    drain(&mut fixture, "alpha");
    let mut was_nowhere = false;
    for _ in 0..60 {
        fixture.pass(Duration::from_millis(500));
        let running = fixture.running();
        assert!(running.len() < 2, "never in two clusters at once: {running:?}");
        was_nowhere |= running.is_empty();
    }
    assert!(was_nowhere);
    assert_eq!(fixture.running(), shares(&[("bravo", 3)]));
    assert_eq!(fixture.noted("ClusterDrained"), 1);
}

#[test]
fn s32_with_claims_it_stays_and_a_drain_says_why() {
    let mut fixture = in_bravo();
    drain(&mut fixture, "bravo");
    fixture.pass(Duration::from_secs(30));
    assert_eq!(fixture.running(), shares(&[("bravo", 3)]));
    assert_eq!(fixture.noted("ClusterDrained"), 0, "what stays is not empty");
    let view = fixture.view("store");
    assert_eq!(view.pending, 3);
    assert!(view.pending_reasons[0].starts_with("bravo: volumes: "), "{:?}", view.pending_reasons);
    let drain = fixture.hub.cluster(&cluster("bravo")).and_then(|view| view.drain).expect("it is drained");
    assert!(drain.waiting[0].1.contains("volumes"), "{:?}", drain.waiting);
    let plan = fixture.hub.plan(&store()).expect("it is deployed");
    let row = plan.report.iter().find(|row| row.cluster.as_str() == "bravo").expect("a row");
    assert!(row.remedy.ends_with("data: replicated or data: disposable in the policy"), "{}", row.remedy);

    let mut disposable = policy("stateful", &[("alpha", 1), ("bravo", 2)]);
    disposable.placement.data = Data::Disposable;
    fixture.command(Command::ApplyPolicy(disposable)).expect("a good policy");
    fixture.pass(Duration::from_secs(90));
    assert_eq!(fixture.running(), shares(&[("alpha", 3)]), "{:?}", fixture.view("store"));
    assert_eq!(fixture.noted("ClusterDrained"), 1);
}

#[test]
fn s32_claims_keep_their_part_of_what_is_divided_and_it_is_there_when_the_cluster_is_back() {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100), ("charlie", 100)]);
    let web = WorkloadSpec { claims: true, ..spec(deployment_id("web"), 9) };
    fixture.deploy(web, PolicyChoice::Annotated).expect("a good request");
    fixture.pass(Duration::from_secs(2));
    let all = shares(&[("alpha", 3), ("bravo", 3), ("charlie", 3)]);
    assert_eq!(fixture.placed("web"), all);
    fixture.disconnect("bravo");
    fixture.pass(Duration::from_secs(15));
    let view = fixture.view("web");
    assert_eq!((fixture.placed("web"), view.pending), (shares(&[("alpha", 3), ("charlie", 3)]), 3));
    assert!(view.pending_reasons[0].starts_with("bravo: volumes: "), "{:?}", view.pending_reasons);
    // More are wanted: those go where they may.
    let scale = Command::Scale { workload: deployment_id("web"), replicas: 11 };
    fixture.command(scale).expect("it exists");
    assert_eq!((fixture.view("web").pending, fixture.view("web").wanted), (3, 11));
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.view("web").pending, 0);
    assert!(fixture.placed("web").contains(&("bravo".to_owned(), 3)), "{:?}", fixture.placed("web"));
}

#[test]
fn s32_whoever_says_that_a_cluster_is_dead_gives_its_data_up() {
    let mut fixture = in_bravo();
    fixture.disconnect("bravo");
    fixture.pass(Duration::from_secs(12));
    assert_eq!(plan(&fixture), shares(&[]));
    fixture.command(Command::ConfirmDead { cluster: cluster("bravo") }).expect("it is lost");
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.view("store").pending, 0, "{:?}", fixture.view("store").pending_reasons);
    assert_eq!(plan(&fixture), shares(&[("alpha", 3)]));
}

/// A StatefulSet in three clusters.
fn in_three(replicas: u32) -> Fixture {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100), ("charlie", 100)]);
    fixture.deploy(unbound(replicas), PolicyChoice::Inline(dividing())).expect("a good request");
    fixture.pass(Duration::from_secs(2));
    fixture
}

fn dividing() -> Policy {
    let mut dividing = policy("divided", &[]);
    dividing.placement.divide = true;
    dividing
}

/// Where each member's ordinals begin, and how many replicas it has.
fn ordinals(fixture: &Fixture) -> Vec<(String, u32, u32)> {
    let rows =
        fixture.members.iter().flat_map(|(name, member)| member.rows.values().map(move |row| (name, row)));
    rows.map(|(name, row)| (name.to_string(), row.ordinals, row.replicas)).collect()
}

#[test]
fn s32_what_is_divided_has_other_ordinals_in_each_cluster_and_keeps_them() {
    let mut fixture = in_three(6);
    let three = |counts: [u32; 3]| -> Vec<(String, u32, u32)> {
        let names = ["alpha", "bravo", "charlie"].into_iter().zip([0, 10_000, 20_000]).zip(counts);
        names.map(|((name, start), count)| (name.to_owned(), start, count)).collect()
    };
    assert_eq!(ordinals(&fixture), three([2, 2, 2]));
    drain(&mut fixture, "bravo");
    fixture.pass(Duration::from_secs(60));
    assert_eq!(ordinals(&fixture), three([3, 0, 3]));
    fixture.restart();
    for name in ["alpha", "bravo", "charlie"] {
        fixture.connect(name);
    }
    let uncordon = Command::Cordon { cluster: cluster("bravo"), cordoned: false };
    fixture.command(uncordon).expect("it is drained");
    scale(&mut fixture, 12);
    fixture.pass(Duration::from_secs(2));
    assert_eq!(ordinals(&fixture), three([4, 4, 4]), "its volumes are found again");
    fixture.add_member("delta", 100);
    fixture.connect("delta");
    scale(&mut fixture, 16);
    fixture.pass(Duration::from_secs(2));
    assert_eq!(ordinals(&fixture)[3], ("delta".to_owned(), 30_000, 4));
}

#[test]
fn s32_what_ran_whole_keeps_its_names_when_it_is_divided() {
    let mut fixture = in_bravo();
    scale(&mut fixture, 3);
    let divided = PolicyChoice::Inline(dividing());
    fixture.deploy(spec(store(), 7), divided).expect("a good request");
    fixture.pass(Duration::from_secs(2));
    let (alpha, bravo) = (ordinals(&fixture)[0].clone(), ordinals(&fixture)[1].clone());
    assert_eq!(bravo.1, 0);
    assert_eq!(alpha.1, 10_000);
    assert_eq!(alpha.2 + bravo.2, 7);
}

#[test]
fn s32_no_more_are_divided_than_have_names() {
    let mut fixture = in_three(6);
    let command = Command::Scale { workload: store(), replicas: 10_001 };
    let refused = fixture.command(command).expect_err("too many");
    assert_eq!(refused.kind, RefusedKind::FailedPrecondition);
    assert!(
        refused.message.contains("spec.replicas: 10001 is too many for policy divided"),
        "{}",
        refused.message
    );
    scale(&mut fixture, 10_000);
}

#[test]
fn s33_with_prestage_placed_only_clusters_that_run_something_have_anything() {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100)]);
    let mut placed = policy("lean", &[("alpha", 1), ("bravo", 1)]);
    placed.placement.prestage = Prestage::Placed;
    placed.placement.clusters.insert(cluster("bravo"), Rule::new(0, 0, None).expect("a rule"));
    let secret = Need::Object(ObjectKey::new("v1", "Secret", "default", "login").expect("a key"));
    let web = WorkloadSpec { needs: vec![secret], ..spec(deployment_id("web"), 4) };
    let application = Application { workloads: vec![web], objects: vec![object("config")] };
    let deploy = deployment(application, PolicyChoice::Inline(placed));
    fixture.command(Command::Deploy(deploy)).expect("a good request");
    fixture.pass(Duration::from_secs(2));
    let held = |fixture: &Fixture, name: &str| {
        let member = &fixture.members[&cluster(name)];
        (member.rows.len(), member.objects.len())
    };
    assert_eq!(fixture.placed("web"), shares(&[("alpha", 4)]));
    assert_eq!((held(&fixture, "alpha"), held(&fixture, "bravo")), ((1, 1), (0, 0)));
    // What comes later is not brought along, either.
    fixture.add_member("charlie", 100);
    fixture.connect("charlie");
    assert_eq!(held(&fixture, "charlie"), (0, 0));
    let mut moved = policy("lean", &[("alpha", 1), ("bravo", 1)]);
    moved.placement.prestage = Prestage::Placed;
    fixture.command(Command::ApplyPolicy(moved)).expect("a good policy");
    fixture.disconnect("alpha");
    fixture.pass(Duration::from_secs(15));
    assert_eq!(fixture.placed("web"), shares(&[("bravo", 4)]), "{:?}", fixture.view("web").pending_reasons);
    assert_eq!((held(&fixture, "bravo"), fixture.running()), ((1, 1), shares(&[("alpha", 4), ("bravo", 4)])));
}
