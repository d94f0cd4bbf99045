//! Workloads of which only the count is Godwit's (S33): where somebody else has put them.

use std::time::Duration;

use godwit_common::link::{Report, Status, Tombstoned, Up};
use godwit_common::policy::{Fencing, Mode, Motion};
use godwit_common::{Need, ObjectKey, Uid};

use super::fixture::{Fixture, cluster, deployment_id, policy, shares, spec};
use crate::{Command, PolicyChoice, RefusedKind, WorkloadSpec};

fn own() -> Need {
    Need::Given(ObjectKey::new("apps/v1", "Deployment", "default", "web").expect("a valid key"))
}

fn scaled(replicas: u32) -> WorkloadSpec {
    WorkloadSpec { scale_only: true, needs: vec![own()], ..spec(deployment_id("web"), replicas) }
}

/// Six in alpha and bravo; GitOps has not brought it to charlie.
fn running() -> Fixture {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20), ("charlie", 20)]);
    fixture.members.get_mut(&cluster("charlie")).expect("a member").lacks.insert(own());
    fixture.deploy(scaled(6), PolicyChoice::Inline(policy("even", &[]))).expect("a good deployment");
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.placed("web"), shares(&[("alpha", 3), ("bravo", 3)]));
    fixture
}

#[test]
fn it_is_placed_where_its_object_is() {
    let fixture = running();
    let lacks = "gets nothing new: it lacks Deployment default/web from GitOps";
    assert_eq!(fixture.reason("web", "charlie"), lacks);
    let rows = fixture.members.values().flat_map(|member| member.rows.values());
    let told: Vec<_> = rows.map(|row| (row.scale_only, row.charter.is_none())).collect();
    assert!(
        !told.is_empty() && told.iter().all(|told| *told == (true, true)),
        "no mark is asked for: {told:?}"
    );
    assert!(fixture.view("web").scale_only);
}

#[test]
fn s11_an_object_without_a_mark_is_known_by_its_name() {
    let mut fixture = running();
    fixture.disconnect("alpha");
    fixture.open("alpha");
    fixture.begin_to_lead("alpha");
    let row = fixture.members[&cluster("alpha")].rows.values().next().expect("its row").clone();
    let unmarked = |status: Status| Status { uid: Uid(0), revision: 0, ..status };
    let known = unmarked(Status { pods: 2, bound: 2, ready: 2, ..super::fixture::status(&row, true) });
    let foreign = Status { workload: deployment_id("other"), ..known.clone() };
    let report = Report { complete: true, statuses: vec![known, foreign], ..Report::default() };
    fixture.say("alpha", Up::Report(report));
    let view = fixture.view("web");
    let alpha = view.placements.iter().find(|row| row.cluster == cluster("alpha")).expect("its row");
    assert_eq!((alpha.observed, alpha.revision), (2, 1));
    assert_eq!(fixture.noted("OrphanFound"), 0, "what nobody was told of is somebody else's");
}

#[test]
fn it_is_neither_handed_over_nor_taken_back_by_a_deployment() {
    let mut fixture = running();
    let whole = spec(deployment_id("web"), 6);
    let refused = fixture.deploy(whole, PolicyChoice::Annotated).expect_err("another mode");
    assert_eq!(refused.kind, RefusedKind::FailedPrecondition);
    assert!(refused.message.contains("only its count was Godwit's until now"), "{}", refused.message);
    fixture.run("db", 1, policy("db", &[]));
    let id = deployment_id("db");
    let refused = fixture.deploy(WorkloadSpec { id, ..scaled(1) }, PolicyChoice::Annotated);
    assert!(refused.expect_err("another mode").message.contains("all of it was Godwit's until now"));
}

#[test]
fn s8_it_may_run_twice() {
    let mut fixture = Fixture::new(&[("alpha", 20)]);
    let mut once = policy("once", &[]);
    once.placement.motion = Motion::of(Mode::AtMost(Fencing::Confirm));
    let refused = fixture.deploy(scaled(1), PolicyChoice::Inline(once)).expect_err("the mode");
    assert!(
        refused.message.contains("policy once (mode atMost) takes more than that"),
        "{}",
        refused.message
    );
}

#[test]
fn s28_its_end_leaves_its_objects_alone() {
    let mut fixture = running();
    fixture.command(Command::DeleteWorkload { workload: deployment_id("web") }).expect("it is there");
    let ended = fixture.store.values().find_map(|record| match record {
        crate::Record::Ended(ended) => Some(ended.what.clone()),
        _ => None,
    });
    assert!(matches!(ended, Some(Tombstoned::Scaled { .. })), "{ended:?}");
}

#[test]
fn s5_a_hub_that_starts_goes_on_with_it() {
    let mut fixture = running();
    fixture.restart();
    for name in ["alpha", "bravo", "charlie"] {
        fixture.connect(name);
    }
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.placed("web"), shares(&[("alpha", 3), ("bravo", 3)]));
    fixture.disconnect("alpha");
    fixture.pass(Duration::from_secs(20));
    assert_eq!(fixture.placed("web"), shares(&[("bravo", 6)]));
}
