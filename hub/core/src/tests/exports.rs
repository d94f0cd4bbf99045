//! Services that other clusters see (S33).

use std::time::Duration;

use godwit_common::ObjectKey;

use super::fixture::{Fixture, cluster, deployment, object, policy, shares, spec, web};
use crate::{Application, Command, ObjectSpec, Policy, PolicyChoice};

fn service() -> ObjectSpec {
    let key = ObjectKey::new("v1", "Service", "default", "web").expect("a valid key");
    ObjectSpec { key, manifest: "{}".into() }
}

fn even(exports: bool) -> Policy {
    let mut policy = policy("even", &[("alpha", 1), ("bravo", 1)]);
    policy.placement.export_services = exports;
    policy
}

fn deploy(fixture: &mut Fixture, objects: Vec<ObjectSpec>, policy: PolicyChoice) {
    let application = Application { workloads: vec![spec(web(), 4)], objects };
    fixture.command(Command::Deploy(deployment(application, policy))).expect("a good request");
    fixture.pass(Duration::from_secs(12));
}

fn deployed(exports: bool) -> Fixture {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100)]);
    deploy(&mut fixture, vec![object("config"), service()], PolicyChoice::Inline(even(exports)));
    fixture
}

/// The kinds of what each cluster holds beside the workload.
fn kinds(fixture: &Fixture, name: &str) -> Vec<String> {
    let objects = fixture.members[&cluster(name)].objects.values();
    let mut kinds: Vec<String> = objects.map(|row| row.key.kind.to_string()).collect();
    kinds.sort();
    kinds
}

const ALL: [&str; 3] = ["ConfigMap", "Service", "ServiceExport"];

#[test]
fn s33_beside_each_service_goes_its_export_if_the_policy_says_so() {
    let fixture = deployed(true);
    assert_eq!(
        (kinds(&fixture, "alpha"), kinds(&fixture, "bravo")),
        (ALL.map(String::from).into(), ALL.map(String::from).into())
    );
    let rows = fixture.members[&cluster("alpha")].objects.values();
    let export = rows.into_iter().find(|row| &*row.key.kind == "ServiceExport").expect("an export");
    assert_eq!(export.key.to_string(), "ServiceExport default/web");
    assert_eq!(&*export.key.api_version, "multicluster.x-k8s.io/v1alpha1");
    assert_eq!(kinds(&deployed(false), "alpha"), ALL[..2]);
}

#[test]
fn it_follows_the_policy_and_ends_by_a_tombstone() {
    let mut fixture = deployed(false);
    fixture.command(Command::ApplyPolicy(even(true))).expect("a good policy");
    fixture.pass(Duration::from_secs(12));
    assert_eq!(kinds(&fixture, "bravo"), ALL);
    // The same again changes nothing.
    deploy(&mut fixture, vec![object("config"), service()], PolicyChoice::Annotated);
    assert_eq!((kinds(&fixture, "bravo"), fixture.web().rollout.revision), (ALL.map(String::from).into(), 1));
    // An undo brings back what was deployed, and not what the policy said then.
    let spec = crate::WorkloadSpec { manifest: "v2".into(), ..spec(web(), 4) };
    let application = Application { workloads: vec![spec], objects: vec![object("config"), service()] };
    fixture.command(Command::Deploy(deployment(application, PolicyChoice::Annotated))).expect("good");
    fixture.command(Command::ApplyPolicy(even(false))).expect("a good policy");
    fixture.command(Command::ApplyPolicy(even(true))).expect("a good policy");
    let order = crate::RolloutOrder::Undo { to: Some(1) };
    fixture.command(Command::Rollout { workload: web(), order }).expect("it is kept");
    fixture.pass(Duration::from_secs(30));
    assert_eq!(kinds(&fixture, "bravo"), ALL);
    fixture.command(Command::ApplyPolicy(even(false))).expect("a good policy");
    fixture.pass(Duration::from_secs(12));
    // What a member is not told to remove, it keeps.
    assert_eq!(kinds(&fixture, "bravo"), ALL[..2]);
    assert_eq!(fixture.running(), shares(&[("alpha", 2), ("bravo", 2)]), "nothing moves");
}

#[test]
fn s20_it_stays_as_long_as_its_cluster_has_the_workload() {
    let mut fixture = deployed(true);
    let command =
        Command::Drain { cluster: cluster("alpha"), order: crate::DrainOrder::Start(Default::default()) };
    fixture.command(command).expect("a member");
    for _ in 0..4 {
        fixture.pass(Duration::from_secs(12));
    }
    assert_eq!(fixture.running(), shares(&[("bravo", 4)]));
    assert_eq!(kinds(&fixture, "alpha"), ALL, "it exports nothing, and is there for a way back");
    fixture.command(Command::DeleteWorkload { workload: web() }).expect("it is deployed");
    fixture.pass(Duration::from_secs(12));
    assert_eq!(kinds(&fixture, "alpha"), Vec::<String>::new());
}

#[test]
fn one_that_the_application_brings_is_its_own() {
    let key =
        ObjectKey::new("multicluster.x-k8s.io/v1alpha1", "ServiceExport", "default", "web").expect("valid");
    let own = ObjectSpec { key, manifest: r#"{"metadata":{"labels":{"of":"team"}}}"#.into() };
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100)]);
    deploy(&mut fixture, vec![service(), own.clone()], PolicyChoice::Inline(even(true)));
    assert_eq!(kinds(&fixture, "alpha"), ["Service", "ServiceExport"]);
    fixture.command(Command::ApplyPolicy(even(false))).expect("a good policy");
    fixture.pass(Duration::from_secs(12));
    let rows = fixture.members[&cluster("alpha")].objects.values();
    let export = rows.into_iter().find(|row| row.key == own.key).expect("it stays");
    assert_eq!(export.manifest, Some(own.manifest));
}
