//! Cluster by cluster: in which order, how many at once, and what has to be ready first.

use std::time::Duration;

use godwit_common::policy::{ClusterSelector, Rollout as Terms};
use godwit_common::{Need, ObjectKey};

use super::{CLUSTERS, deploy, deploy_under, deployed, of_revision, settle, state, with_manifest};
use crate::tests::fixture::{Fixture, cluster, shares, spec, web};
use crate::{Action, Answer, Command, PolicyChoice, RolloutState, WorkloadSpec};

#[test]
fn s31_a_revision_goes_cluster_by_cluster_each_ready_for_min_ready() {
    let mut fixture = deployed(Terms::default());
    let Answer::Deployed(answer) = deploy(&mut fixture, "v2") else { panic!("a deployment") };
    assert_eq!(answer.workloads[0].rollout, ["alpha", "bravo", "charlie"].map(cluster));
    assert_eq!((answer.workloads[0].revision, answer.workloads[0].action), (2, Action::Configured));
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 1), ("charlie", 1)]));
    fixture.pass(Duration::from_secs(9));
    assert_eq!(
        fixture.revisions(),
        of_revision(&[("alpha", 2), ("bravo", 1), ("charlie", 1)]),
        "not long enough"
    );
    fixture.pass(Duration::from_secs(3));
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 2), ("charlie", 1)]));
    settle(&mut fixture);
    assert_eq!(state(&fixture), RolloutState::Running);
    settle(&mut fixture);
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 2), ("charlie", 2)]));
    assert_eq!((state(&fixture), fixture.noted("RolloutCompleted")), (RolloutState::Completed, 1));
    let view = fixture.web().rollout;
    assert_eq!((view.clusters, view.updated, view.waiting), (3, 3, vec![]));
}

#[test]
fn the_order_and_the_width_are_the_policys() {
    let order = vec![ClusterSelector::of_names([cluster("charlie")])];
    let mut fixture = deployed(Terms { order, max_clusters_at_once: 2, ..Terms::default() });
    deploy(&mut fixture, "v2");
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 1), ("charlie", 2)]));
}

#[test]
fn of_equals_the_cluster_with_the_fewest_replicas_is_first() {
    let mut fixture = Fixture::new(&CLUSTERS);
    fixture.deploy_web(9, &[("alpha", 5), ("bravo", 1), ("charlie", 3)]);
    settle(&mut fixture);
    let manifest = WorkloadSpec { manifest: "v2".into(), ..spec(web(), 9) };
    let answer = fixture.deploy(manifest, PolicyChoice::Annotated).expect("a good deployment");
    let Answer::Deployed(answer) = answer else { panic!("a deployment") };
    assert_eq!(answer.workloads[0].rollout, ["bravo", "charlie", "alpha"].map(cluster));
}

#[test]
fn what_is_not_ready_any_more_holds_the_rollout_up() {
    let mut fixture = deployed(Terms::default());
    deploy(&mut fixture, "v2");
    settle(&mut fixture);
    fixture.members.get_mut(&cluster("alpha")).expect("a member").unready = 1;
    fixture.pass(Duration::from_secs(30));
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 2), ("charlie", 1)]));
    let waiting = fixture.web().rollout.waiting;
    assert_eq!(waiting[0], (cluster("alpha"), "3 of 3 updated, 2 ready".to_owned()));
    fixture.members.get_mut(&cluster("alpha")).expect("a member").unready = 0;
    settle(&mut fixture);
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 2), ("charlie", 2)]));
}

#[test]
fn s17_what_is_pending_and_cannot_be_scheduled_holds_no_rollout_up() {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 3), ("charlie", 3)]);
    deploy_under(&mut fixture, "v1", Terms::default());
    settle(&mut fixture);
    fixture.members.get_mut(&cluster("alpha")).expect("a member").schedules = Some(1);
    deploy(&mut fixture, "v2");
    fixture.pass(Duration::from_secs(50));
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 1), ("charlie", 1)]));
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.plan(), shares(&[("alpha", 1), ("bravo", 3), ("charlie", 3)]));
    assert_eq!((fixture.web().pending, fixture.running()[0].1), (2, 3), "for whoever adds nodes");
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 2), ("charlie", 2)]));
    settle(&mut fixture);
    assert_eq!(state(&fixture), RolloutState::Completed);
}

#[test]
fn s33_what_a_revision_needs_is_looked_for_everywhere_before_it_comes() {
    let mut fixture = deployed(Terms::default());
    let secret = Need::Object(ObjectKey::new("v1", "Secret", "default", "token").expect("a valid key"));
    fixture.members.get_mut(&cluster("bravo")).expect("a member").lacks.insert(secret.clone());
    let needy = WorkloadSpec { needs: vec![secret.clone()], ..with_manifest("v2") };
    fixture.deploy(needy, PolicyChoice::Annotated).expect("a good deployment");
    assert!(fixture.members.values().all(|member| member.needs.contains(&secret)));
    fixture.pass(Duration::from_secs(40));
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 1), ("charlie", 2)]));
    let waiting = fixture.web().rollout.waiting;
    let lacks = "it lacks Secret default/token, which the revision needs";
    assert_eq!(waiting, [(cluster("bravo"), lacks.to_owned())]);
    fixture.members.get_mut(&cluster("bravo")).expect("a member").lacks.clear();
    settle(&mut fixture);
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 2), ("charlie", 2)]));
}

#[test]
fn what_runs_nowhere_is_rolled_out_at_once() {
    let mut fixture = deployed(Terms::default());
    fixture.command(Command::Scale { workload: web(), replicas: 0 }).expect("a good request");
    settle(&mut fixture);
    let none = WorkloadSpec { replicas: 0, ..with_manifest("v2") };
    fixture.deploy(none, PolicyChoice::Annotated).expect("a good deployment");
    assert_eq!(state(&fixture), RolloutState::Completed);
    fixture.command(Command::Scale { workload: web(), replicas: 9 }).expect("a good request");
    settle(&mut fixture);
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 2), ("charlie", 2)]));
}
