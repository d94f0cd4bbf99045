//! Deploying, scaling, deleting: S14, S18, S19, S27, S28, S30, S32, S33.

use std::time::Duration;

use godwit_common::WorkloadId;

use super::fixture::{Fixture, cluster, deployment, object, policy, shares, spec, web};
use crate::{Action, Answer, Application, Command, Deployed, Key, PolicyChoice, RefusedKind};

fn deployed(answer: Answer) -> Deployed {
    match answer {
        Answer::Deployed(deployed) => deployed,
        other => panic!("not an answer to a deployment: {other:?}"),
    }
}

#[test]
fn a_dry_run_answers_as_the_real_run_and_changes_nothing() {
    let mut fixture = Fixture::new(&[("alpha", 30), ("bravo", 100)]);
    let application = Application { workloads: vec![spec(web(), 100)], objects: vec![] };
    let choice = PolicyChoice::Inline(policy("even", &[("alpha", 1), ("bravo", 1)]));
    let deploy = deployment(application, choice);
    let rehearsed = deployed(fixture.rehearse(Command::Deploy(deploy.clone())).expect("a good request"));
    assert!(fixture.views().is_empty());
    assert_eq!(fixture.noted("Deployed"), 0);
    let real = deployed(fixture.command(Command::Deploy(deploy)).expect("a good request"));
    assert_eq!(rehearsed, real);
    assert_eq!(real.workloads[0].placements, vec![(cluster("alpha"), 30), (cluster("bravo"), 70)]);
}

#[test]
fn s30_the_journal_says_whose_command_it_was() {
    let mut fixture = Fixture::new(&[("alpha", 100)]);
    fixture.deploy_web(1, &[("alpha", 1)]);
    fixture.command(Command::Scale { workload: web(), replicas: 2 }).expect("a good request");
    fixture.command(Command::DeleteWorkload { workload: web() }).expect("a good request");
    for reason in ["PolicyCreated", "Deployed", "WorkloadScaled", "WorkloadDeleted"] {
        let entry = fixture.journal.iter().find(|entry| &*entry.reason == reason).expect(reason);
        assert!(entry.message.ends_with(" (by ann)"), "{}", entry.message);
    }
}

#[test]
fn the_same_request_twice_is_one_request() {
    let mut fixture = Fixture::new(&[("alpha", 100)]);
    let application = Application { workloads: vec![spec(web(), 5)], objects: vec![] };
    let mut deploy = deployment(application, PolicyChoice::Annotated);
    deploy.request_id = "r-1".into();
    deploy.fingerprint = 1;
    let first = deployed(fixture.command(Command::Deploy(deploy.clone())).expect("a good request"));
    fixture.restart();
    fixture.connect("alpha");
    let again = deployed(fixture.command(Command::Deploy(deploy.clone())).expect("the same request"));
    assert_eq!(again.workloads[0].placements, first.workloads[0].placements, "across a restart too");
    assert_eq!((again.workloads[0].action, again.changes.total), (Action::Created, 0));
    deploy.fingerprint = 2;
    let refused = fixture.command(Command::Deploy(deploy)).expect_err("another request under the same mark");
    assert_eq!(refused.kind, RefusedKind::AlreadyExists);
}

#[test]
fn s19_growing_takes_nothing_away_and_s18_shrinking_keeps_the_balance() {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100)]);
    fixture.deploy_web(10, &[("alpha", 1), ("bravo", 1)]);
    assert_eq!(fixture.plan(), shares(&[("alpha", 5), ("bravo", 5)]));
    let scale = |replicas| Command::Scale { workload: web(), replicas };
    fixture.command(scale(12)).expect("a good request");
    assert_eq!(fixture.plan(), shares(&[("alpha", 6), ("bravo", 6)]));
    fixture.pass(Duration::from_secs(1));
    fixture.command(scale(4)).expect("a good request");
    fixture.pass(Duration::from_secs(1));
    assert_eq!(fixture.running(), shares(&[("alpha", 2), ("bravo", 2)]));
    fixture.command(scale(0)).expect("a good request");
    fixture.pass(Duration::from_secs(1));
    assert_eq!(fixture.running(), shares(&[]));
}

#[test]
fn s28_a_deletion_waits_for_nobody_and_a_new_life_has_another_uid() {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100)]);
    fixture.deploy_web(10, &[("alpha", 1), ("bravo", 1)]);
    fixture.pass(Duration::from_secs(1));
    let first = fixture.web().uid;
    fixture.disconnect("bravo");
    let answer = fixture.command(Command::DeleteWorkload { workload: web() }).expect("it exists");
    let pending_on = vec![cluster("alpha"), cluster("bravo")];
    assert_eq!(answer, Answer::WorkloadDeleted { pending_on });
    fixture.pass(Duration::from_secs(1));
    let ending = fixture.hub.workload(first).expect("not gone everywhere");
    assert_eq!((ending.deleting, ending.deletion_pending_on), (true, vec![cluster("bravo")]));
    fixture.deploy_web(4, &[("alpha", 1), ("bravo", 1)]);
    assert_ne!(fixture.web().uid, first);
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(1));
    assert_eq!(fixture.hub.workload(first), None);
    assert_eq!(fixture.running(), shares(&[("alpha", 4)]), "bravo was away when the four were placed");
}

#[test]
fn s28_a_tombstone_outlives_every_write_that_may_still_land() {
    let mut fixture = Fixture::new(&[("alpha", 100)]);
    fixture.deploy_web(4, &[("alpha", 1)]);
    fixture.pass(Duration::from_secs(1));
    let first = fixture.web().uid;
    fixture.command(Command::DeleteWorkload { workload: web() }).expect("it exists");
    fixture.pass(Duration::from_secs(1));
    assert_eq!(fixture.hub.workload(first), None, "to people it is gone");
    assert!(fixture.store.contains_key(&Key::Ended(first)));
    // It is back, and removed once more: its time counts from then.
    fixture.pass(Duration::from_secs(100));
    fixture.members.get_mut(&cluster("alpha")).expect("a member").removed.push(first);
    fixture.pass(Duration::from_secs(60));
    assert!(fixture.store.contains_key(&Key::Ended(first)));
    fixture.pass(Duration::from_secs(62));
    assert!(!fixture.store.contains_key(&Key::Ended(first)));
}

#[test]
fn s33_objects_go_ahead_to_every_eligible_cluster_and_leave_with_their_last_user() {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100)]);
    let workloads = vec![spec(web(), 1)];
    let application = Application { workloads, objects: vec![object("a"), object("b")] };
    let deploy = |application| Command::Deploy(deployment(application, PolicyChoice::Annotated));
    fixture.command(deploy(application)).expect("a good request");
    assert!(fixture.members.values().all(|member| member.objects.len() == 2 && member.rows.len() == 1));
    let application = Application { workloads: vec![spec(web(), 1)], objects: vec![object("a")] };
    let answer = deployed(fixture.command(deploy(application)).expect("a good request"));
    assert_eq!(answer.workloads[0].action, Action::Configured);
    assert!(
        fixture.members.values().all(|member| member.objects.len() == 1),
        "a dropped object is tombstoned"
    );
    fixture.command(Command::DeleteWorkload { workload: web() }).expect("it exists");
    assert!(fixture.members.values().all(|member| member.objects.is_empty() && member.rows.is_empty()));
}

#[test]
fn s32_a_stateful_workload_stays_whole_and_does_not_move_by_itself() {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100), ("charlie", 100)]);
    let store = WorkloadId::new("default", "StatefulSet", "store").expect("a valid identity");
    fixture.deploy(spec(store, 3), PolicyChoice::Annotated).expect("a good request");
    fixture.pass(Duration::from_secs(1));
    let running = fixture.running();
    let (home, replicas) = running.first().expect("it runs somewhere").clone();
    assert_eq!((running.len(), replicas), (1, 3));
    fixture.disconnect(&home);
    fixture.pass(Duration::from_secs(12));
    let view = fixture.views().remove(0);
    assert_eq!((view.pending, view.ready), (3, 0), "{:?}", view.pending_reasons);
    fixture.connect(&home);
    fixture.pass(Duration::from_secs(1));
    assert_eq!((fixture.running(), fixture.views().remove(0).pending), (running, 0));
}

#[test]
fn bad_requests_are_refused_whole() {
    let mut fixture = Fixture::new(&[("alpha", 100)]);
    let unknown = PolicyChoice::Named("nowhere".parse().expect("a valid name"));
    let refused = fixture.deploy(spec(web(), 1), unknown).expect_err("no such policy");
    assert_eq!(refused.kind, RefusedKind::NotFound);
    let scale = Command::Scale { workload: web(), replicas: 1 };
    assert_eq!(fixture.command(scale).expect_err("no such workload").kind, RefusedKind::NotFound);
    let delete = Command::DeleteCluster { cluster: cluster("alpha"), force: true };
    assert_eq!(fixture.command(delete).expect_err("connected").kind, RefusedKind::FailedPrecondition);
    assert_eq!(
        fixture.command(Command::ReleaseFreeze).expect_err("no freeze").kind,
        RefusedKind::FailedPrecondition
    );
    assert!(fixture.views().is_empty());
}

#[test]
fn s23_a_deleted_cluster_takes_its_seats_along() {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100)]);
    fixture.deploy_web(10, &[("alpha", 1), ("bravo", 1)]);
    fixture.pass(Duration::from_secs(1));
    fixture.disconnect("bravo");
    fixture.pass(Duration::from_secs(12));
    let delete = |force| Command::DeleteCluster { cluster: cluster("bravo"), force };
    assert_eq!(fixture.command(delete(false)).expect_err("not forced").kind, RefusedKind::FailedPrecondition);
    assert_eq!(fixture.command(delete(true)), Ok(Answer::Done));
    fixture.pass(Duration::from_secs(1));
    assert_eq!(fixture.running(), shares(&[("alpha", 10), ("bravo", 5)]), "nobody stops what runs there");
    fixture.restart();
    assert_eq!(fixture.plan(), shares(&[("alpha", 10)]));
}

#[test]
fn s27_a_cluster_that_joins_with_copies_running_keeps_them_until_the_others_suffice() {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100)]);
    fixture.deploy_web(10, &[("alpha", 1), ("bravo", 1)]);
    fixture.pass(Duration::from_secs(1));
    fixture.disconnect("bravo");
    fixture.pass(Duration::from_secs(12));
    let delete = Command::DeleteCluster { cluster: cluster("bravo"), force: true };
    fixture.command(delete).expect("it is lost");
    fixture.members.get_mut(&cluster("alpha")).expect("a member").ready = false;
    fixture.pass(Duration::from_secs(1));
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(1));
    assert_eq!(fixture.running(), shares(&[("alpha", 10), ("bravo", 5)]), "alpha's are not ready");
    fixture.members.get_mut(&cluster("alpha")).expect("a member").ready = true;
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.running(), shares(&[("alpha", 10)]));
}

#[test]
fn an_answer_names_so_many_clusters_and_counts_the_rest() {
    let names: Vec<String> = (0..150).map(|index| format!("c{index:03}")).collect();
    let clusters: Vec<(&str, u32)> = names.iter().map(|name| (name.as_str(), 1_000)).collect();
    let mut fixture = Fixture::new(&clusters);
    let name =
        |index| WorkloadId::new("default", "Deployment", &format!("w{index:03}")).expect("a valid identity");
    let workloads = (0..140).map(|index| spec(name(index), 150)).collect();
    let choice = PolicyChoice::Inline(policy(
        "even",
        &clusters.iter().map(|(name, _)| (*name, 1)).collect::<Vec<_>>(),
    ));
    let deploy = deployment(Application { workloads, objects: vec![] }, choice);
    let answer = deployed(fixture.command(Command::Deploy(deploy)).expect("a good request"));
    assert!(answer.workloads.iter().all(|workload| workload.clusters == 150 && workload.pending == 0));
    let named = |index: usize| answer.workloads[index].placements.len();
    assert_eq!([named(0), named(132), named(133), named(134)], [150, 150, 50, 0]);
}
