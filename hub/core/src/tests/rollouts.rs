//! Rollouts: S31, and what they have to do with S12, S20, S28 and S33.

use std::time::Duration;

use godwit_common::policy::{ClusterSelector, OnFailure, Rollout as Terms};
use godwit_common::{Need, ObjectKey};

use super::fixture::{BAD, Fixture, cluster, deployment, object, policy, shares, spec, web};
use crate::{
    Action, Answer, Application, Command, Key, Policy, PolicyChoice, Record, RefusedKind, RevisionState,
    RolloutOrder, RolloutState, WorkloadSpec,
};

const CLUSTERS: [(&str, u32); 3] = [("alpha", 100), ("bravo", 100), ("charlie", 100)];

fn even(terms: Terms) -> Policy {
    let mut policy = policy("even", &[("alpha", 1), ("bravo", 1), ("charlie", 1)]);
    policy.placement.rollout = terms;
    policy
}

fn with_manifest(manifest: &str) -> WorkloadSpec {
    WorkloadSpec { manifest: manifest.into(), ..spec(web(), 9) }
}

/// A workload of nine replicas in three clusters, all ready with its first revision.
fn deployed(terms: Terms) -> Fixture {
    let mut fixture = Fixture::new(&CLUSTERS);
    deploy_under(&mut fixture, "v1", terms);
    settle(&mut fixture);
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 1), ("bravo", 1), ("charlie", 1)]));
    fixture
}

fn deploy_under(fixture: &mut Fixture, manifest: &str, terms: Terms) {
    fixture.deploy(with_manifest(manifest), PolicyChoice::Inline(even(terms))).expect("a good deployment");
}

fn deploy(fixture: &mut Fixture, manifest: &str) -> Answer {
    fixture.deploy(with_manifest(manifest), PolicyChoice::Annotated).expect("a good deployment")
}

fn order(fixture: &mut Fixture, order: RolloutOrder) -> Result<Answer, crate::Refused> {
    fixture.command(Command::Rollout { workload: web(), order })
}

fn settle(fixture: &mut Fixture) {
    fixture.pass(Duration::from_secs(12));
}

fn connect_all(fixture: &mut Fixture) {
    for (name, _) in CLUSTERS {
        fixture.connect(name);
    }
}

fn of_revision(pairs: &[(&str, u64)]) -> Vec<(String, u64)> {
    pairs.iter().map(|(name, revision)| ((*name).to_owned(), *revision)).collect()
}

fn state(fixture: &Fixture) -> RolloutState {
    fixture.web().rollout.rollout.expect("a rollout").state
}

fn known(fixture: &Fixture) -> Vec<(u64, RevisionState)> {
    let history = fixture.hub.history(&web()).expect("web is deployed");
    history.revisions.iter().map(|one| (one.revision.number, one.state)).collect()
}

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
fn a_revision_that_makes_no_progress_stops_after_the_first_cluster() {
    let mut fixture = deployed(Terms { progress_deadline: Duration::from_secs(60), ..Terms::default() });
    deploy(&mut fixture, BAD);
    fixture.pass(Duration::from_secs(59));
    assert_eq!(state(&fixture), RolloutState::Running);
    fixture.pass(Duration::from_secs(3));
    assert_eq!(state(&fixture), RolloutState::Failed);
    let message = fixture.web().rollout.rollout.expect("a rollout").message;
    assert_eq!(
        &*message,
        "revision 2 failed in cluster alpha: no progress for 60 s; 1 of 3 updated, 0 ready"
    );
    assert_eq!(known(&fixture), [(1, RevisionState::Proven), (2, RevisionState::Failed)]);
    fixture.pass(Duration::from_secs(300));
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 1), ("charlie", 1)]));
    assert_eq!(fixture.noted("RolloutFailed"), 1);
    deploy(&mut fixture, "v3");
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 3), ("bravo", 1), ("charlie", 1)]));
    fixture.pass(Duration::from_secs(40));
    assert_eq!(state(&fixture), RolloutState::Completed);
}

#[test]
fn a_controller_that_gives_up_fails_the_rollout_at_once() {
    let mut fixture = deployed(Terms::default());
    fixture.members.get_mut(&cluster("alpha")).expect("a member").gives_up = true;
    deploy(&mut fixture, BAD);
    fixture.pass(Duration::from_secs(9));
    assert_eq!(state(&fixture), RolloutState::Running, "what was true of the last revision may be shown yet");
    fixture.pass(Duration::from_secs(3));
    assert_eq!(state(&fixture), RolloutState::Failed);
}

#[test]
fn rollback_brings_the_last_proven_revision_everywhere() {
    let terms = Terms {
        on_failure: OnFailure::Rollback,
        progress_deadline: Duration::from_secs(60),
        ..Terms::default()
    };
    let mut fixture = deployed(terms);
    deploy(&mut fixture, BAD);
    fixture.pass(Duration::from_secs(62));
    assert_eq!(
        fixture.revisions(),
        of_revision(&[("alpha", 3), ("bravo", 3), ("charlie", 3)]),
        "another number where the pods are as they were"
    );
    settle(&mut fixture);
    let rollout = fixture.web().rollout.rollout.expect("a rollout");
    assert_eq!((rollout.state, rollout.instead_of), (RolloutState::Completed, Some(2)));
    assert!(rollout.message.starts_with("revision 2 failed in cluster alpha"), "{}", rollout.message);
    assert_eq!(known(&fixture), [(2, RevisionState::Failed), (3, RevisionState::Proven)]);
    let manifests = fixture.members.values().flat_map(|member| member.rows.values());
    assert!(manifests.into_iter().all(|row| row.manifest.as_deref() == Some("v1")));
}

#[test]
fn without_a_proven_revision_there_is_no_way_back() {
    let mut fixture = Fixture::new(&CLUSTERS);
    let terms = Terms {
        on_failure: OnFailure::Rollback,
        progress_deadline: Duration::from_secs(60),
        ..Terms::default()
    };
    deploy_under(&mut fixture, BAD, terms);
    fixture.pass(Duration::from_secs(20));
    deploy(&mut fixture, &format!("{BAD} either"));
    fixture.pass(Duration::from_secs(65));
    assert_eq!(state(&fixture), RolloutState::Failed);
    assert_eq!(known(&fixture), [(1, RevisionState::New), (2, RevisionState::Failed)]);
}

#[test]
fn it_pauses_after_the_first_cluster_where_the_policy_asks_for_it() {
    let mut fixture =
        deployed(Terms { pause_after_first: true, max_clusters_at_once: 3, ..Terms::default() });
    deploy(&mut fixture, "v2");
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 1), ("charlie", 1)]));
    assert_eq!(state(&fixture), RolloutState::PausedAfterFirst);
    fixture.restart();
    connect_all(&mut fixture);
    assert_eq!(state(&fixture), RolloutState::PausedAfterFirst, "across a restart too");
    order(&mut fixture, RolloutOrder::Resume).expect("it is paused");
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 2), ("charlie", 2)]));
}

#[test]
fn an_operator_pauses_resumes_and_undoes() {
    let mut fixture = deployed(Terms::default());
    let refused = order(&mut fixture, RolloutOrder::Pause).expect_err("nothing is under way");
    assert_eq!(refused.kind, RefusedKind::FailedPrecondition);
    deploy(&mut fixture, "v2");
    order(&mut fixture, RolloutOrder::Pause).expect("a rollout is under way");
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 1), ("charlie", 1)]));
    deploy(&mut fixture, "v3");
    fixture.pass(Duration::from_secs(60));
    assert_eq!(state(&fixture), RolloutState::Paused, "whatever is deployed meanwhile");
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 1), ("charlie", 1)]));
    order(&mut fixture, RolloutOrder::Resume).expect("it is paused");
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 3), ("bravo", 1), ("charlie", 1)]));
    settle(&mut fixture);
    order(&mut fixture, RolloutOrder::Undo { to: Some(1) }).expect("it is kept");
    assert_eq!(
        fixture.revisions(),
        of_revision(&[("alpha", 3), ("bravo", 4), ("charlie", 4)]),
        "bravo was on its way and goes first; charlie has these pods"
    );
    fixture.pass(Duration::from_secs(30));
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 4), ("bravo", 4), ("charlie", 4)]));
    assert_eq!(
        known(&fixture),
        [(2, RevisionState::Proven), (3, RevisionState::Proven), (4, RevisionState::Proven)]
    );
    let refused = order(&mut fixture, RolloutOrder::Undo { to: Some(1) }).expect_err("it is revision 4 now");
    assert_eq!(refused.kind, RefusedKind::NotFound);
    assert!(refused.message.contains("choose one of 2, 3, 4"), "{}", refused.message);
}

#[test]
fn undo_goes_to_the_revision_before_and_passes_over_what_failed() {
    let mut fixture = deployed(Terms { progress_deadline: Duration::from_secs(60), ..Terms::default() });
    deploy(&mut fixture, BAD);
    fixture.pass(Duration::from_secs(62));
    deploy(&mut fixture, &format!("{BAD} either"));
    order(&mut fixture, RolloutOrder::Undo { to: None }).expect("revision 1 is there");
    fixture.pass(Duration::from_secs(30));
    assert_eq!(fixture.web().rollout.revision, 4);
    assert!(
        fixture.members.values().all(|m| m.rows.values().all(|row| row.manifest.as_deref() == Some("v1")))
    );
}

#[test]
fn the_same_manifest_again_is_no_new_revision_and_an_older_one_has_a_new_number() {
    let mut fixture = deployed(Terms::default());
    deploy(&mut fixture, "v1");
    assert_eq!(fixture.web().rollout.revision, 1);
    deploy(&mut fixture, "v2");
    fixture.pass(Duration::from_secs(40));
    deploy(&mut fixture, "v1");
    fixture.pass(Duration::from_secs(40));
    assert_eq!(known(&fixture), [(2, RevisionState::Proven), (3, RevisionState::Proven)]);
}

#[test]
fn ten_revisions_are_kept_and_those_in_use() {
    let mut fixture = deployed(Terms::default());
    fixture.disconnect("charlie");
    fixture
        .command(Command::Maintain {
            cluster: cluster("charlie"),
            within: Some(Duration::from_secs(9_000)),
            drain: None,
        })
        .expect("a member");
    for number in 2..20 {
        deploy(&mut fixture, &format!("v{number}"));
        fixture.pass(Duration::from_secs(30));
    }
    let numbers: Vec<u64> = known(&fixture).into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, [1, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19], "charlie still runs the first");
    let stored = fixture.store.keys().filter(|key| matches!(key, Key::Revision(..))).count();
    assert_eq!(stored, 11);
    assert_eq!(state(&fixture), RolloutState::Running, "it waits for charlie, and for nobody else");
    fixture.connect("charlie");
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 19), ("bravo", 19), ("charlie", 19)]));
}

#[test]
fn manifests_are_written_once() {
    let mut fixture = deployed(Terms::default());
    fixture.command(Command::Scale { workload: web(), replicas: 12 }).expect("a good request");
    let with_manifest = fixture.store.values().filter(|record| match record {
        Record::Workload(workload) => !workload.spec.manifest.is_empty(),
        Record::Revision(revision) => &*revision.spec.manifest == "v1" && &*revision.by == "ann",
        _ => false,
    });
    assert_eq!(with_manifest.count(), 1);
    fixture.restart();
    connect_all(&mut fixture);
    deploy(&mut fixture, "v1");
    assert_eq!(fixture.web().rollout.revision, 1);
}

#[test]
fn a_lost_cluster_holds_nothing_up_and_its_replacements_start_what_is_proven() {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100), ("charlie", 100), ("delta", 100)]);
    let mut first = policy("even", &[("alpha", 2), ("bravo", 2), ("charlie", 2), ("delta", 0)]);
    first.placement.rollout = Terms { progress_deadline: Duration::from_secs(60), ..Terms::default() };
    fixture.deploy(with_manifest("v1"), PolicyChoice::Inline(first)).expect("a good deployment");
    settle(&mut fixture);
    deploy(&mut fixture, BAD);
    fixture.pass(Duration::from_secs(1));
    fixture.disconnect("charlie");
    fixture.pass(Duration::from_secs(15));
    // Delta has the weight 0 and gets nothing; the others grow.
    assert_eq!(fixture.plan().iter().map(|(_, n)| n).sum::<u32>(), 9);
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 1), ("charlie", 1)]));
    fixture.disconnect("bravo");
    fixture.pass(Duration::from_secs(15));
    fixture.pass(Duration::from_secs(60));
    assert_eq!(state(&fixture), RolloutState::Failed);
}

#[test]
fn a_failover_starts_the_proven_revision_in_a_cluster_that_had_none() {
    let mut fixture = Fixture::new(&CLUSTERS);
    let mut two = policy("two", &[("alpha", 1), ("bravo", 1), ("charlie", 0)]);
    two.placement.strategy = godwit_common::policy::Strategy::Ordered(
        godwit_common::policy::Tiers::new(vec![
            ClusterSelector::of_names([cluster("alpha"), cluster("bravo")]),
            ClusterSelector::of_names([cluster("charlie")]),
        ])
        .expect("good tiers"),
    );
    two.placement.clusters.clear();
    fixture.members.values_mut().for_each(|member| member.cores = 6);
    CLUSTERS.iter().for_each(|(name, _)| fixture.report(name, false));
    fixture.deploy(with_manifest("v1"), PolicyChoice::Inline(two)).expect("a good deployment");
    settle(&mut fixture);
    assert_eq!(fixture.running(), shares(&[("alpha", 5), ("bravo", 4)]));
    deploy(&mut fixture, BAD);
    fixture.pass(Duration::from_secs(5));
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 1), ("bravo", 2)]));
    fixture.disconnect("alpha");
    fixture.pass(Duration::from_secs(15));
    let charlie = &fixture.members[&cluster("charlie")].rows;
    assert!(charlie.values().all(|row| row.replicas > 0 && row.revision == 1), "{charlie:?}");
}

#[test]
fn a_lost_cluster_that_returns_gets_the_revision_in_its_turn() {
    let mut fixture = deployed(Terms::default());
    deploy(&mut fixture, "v2");
    fixture.disconnect("bravo");
    fixture.pass(Duration::from_secs(60));
    assert_eq!(state(&fixture), RolloutState::Completed, "bravo is lost");
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 1), ("charlie", 2)]));
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(60));
    let behind: Vec<u64> = fixture.web().placements.iter().map(|one| one.revision).collect();
    assert_eq!(behind, [2, 2, 2]);
    assert_eq!(state(&fixture), RolloutState::Completed);
}

#[test]
fn a_cluster_that_falls_silent_on_its_way_is_waited_for_until_it_is_lost() {
    let mut fixture = deployed(Terms::default());
    deploy(&mut fixture, "v2");
    fixture.disconnect("alpha");
    fixture.pass(Duration::from_secs(5));
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 1), ("charlie", 1)]));
    fixture.pass(Duration::from_secs(10));
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 2), ("charlie", 1)]));
}

#[test]
fn s20_a_drain_and_a_rollout_do_not_stand_in_each_others_way() {
    let mut fixture = deployed(Terms::default());
    deploy(&mut fixture, "v2");
    let order = crate::DrainOrder::Start(crate::DrainTerms::default());
    fixture.command(Command::Drain { cluster: cluster("bravo"), order }).expect("a member");
    fixture.pass(Duration::from_secs(120));
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("charlie", 2)]));
    assert_eq!((state(&fixture), fixture.web().ready), (RolloutState::Completed, 9));
    let told = fixture.web().placements.iter().map(|one| one.revision).collect::<Vec<_>>();
    assert_eq!(told, [2, 2, 2], "bravo is empty, and starts what is proven");
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
fn a_restart_of_the_hub_changes_nothing_about_a_rollout() {
    let mut fixture = deployed(Terms::default());
    deploy(&mut fixture, "v2");
    fixture.pass(Duration::from_secs(5));
    fixture.restart();
    connect_all(&mut fixture);
    fixture.pass(Duration::from_secs(5));
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 1), ("charlie", 1)]));
    fixture.pass(Duration::from_secs(40));
    assert_eq!(state(&fixture), RolloutState::Completed);
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

#[test]
fn s28_what_an_older_revision_leans_on_stays_until_that_is_gone() {
    let mut fixture = Fixture::new(&CLUSTERS);
    let apply = |fixture: &mut Fixture, manifest: &str, config: &str| {
        let application =
            Application { workloads: vec![with_manifest(manifest)], objects: vec![object(config)] };
        let choice = PolicyChoice::Inline(even(Terms::default()));
        fixture.command(Command::Deploy(deployment(application, choice))).expect("a good deployment");
    };
    let configs = |fixture: &Fixture| -> Vec<Vec<String>> {
        let names = |member: &super::fixture::Member| {
            member
                .objects
                .values()
                .map(|object| object.key.name.to_string())
                .collect::<std::collections::BTreeSet<_>>()
        };
        fixture.members.values().map(|member| names(member).into_iter().collect()).collect()
    };
    apply(&mut fixture, "v1", "config-1");
    settle(&mut fixture);
    apply(&mut fixture, "v2", "config-2");
    fixture.pass(Duration::from_secs(20));
    assert_eq!(configs(&fixture), vec![vec!["config-1", "config-2"]; 3], "charlie still runs revision 1");
    fixture.restart();
    connect_all(&mut fixture);
    order(&mut fixture, RolloutOrder::Undo { to: None }).expect("revision 1 is there");
    fixture.pass(Duration::from_secs(40));
    assert_eq!(state(&fixture), RolloutState::Completed);
    assert_eq!(configs(&fixture), vec![vec!["config-1"]; 3], "what came back needs it");
    apply(&mut fixture, "v2", "config-2");
    fixture.pass(Duration::from_secs(60));
    assert_eq!(configs(&fixture), vec![vec!["config-2"]; 3]);
}
