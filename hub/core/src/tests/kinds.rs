//! How each kind of workload acts: S33.

use std::time::Duration;

use godwit_common::link::Finished;
use godwit_common::policy::Motion;
use godwit_common::policy::{Fencing, Mode};
use godwit_common::{Uid, WorkloadId};

use super::drains::drain;
use super::fixture::{Fixture, cluster, deployment_id, policy, shares, spec};
use crate::{ClusterState, Command, DrainTerms, Policy, PolicyChoice, Record, RefusedKind, WorkloadSpec};

fn id(kind: &str, name: &str) -> WorkloadId {
    WorkloadId::new("default", kind, name).expect("a valid identity")
}

fn job() -> WorkloadId {
    id("Job", "import")
}

fn once() -> Policy {
    let mut once = usual();
    once.placement.motion = Motion::of(Mode::AtMost(Fencing::Confirm));
    once
}

/// Alpha comes first.
fn usual() -> Policy {
    policy("usual", &[("alpha", 2), ("bravo", 1)])
}

/// A Job in alpha, under a policy.
fn in_alpha(policy: Policy) -> Fixture {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10)]);
    fixture.deploy(spec(job(), 1), PolicyChoice::Inline(policy)).expect("a good request");
    fixture.pass(Duration::from_secs(1));
    assert_eq!(fixture.running(), shares(&[("alpha", 1)]));
    fixture
}

fn ends(fixture: &mut Fixture, name: &str, end: Finished) {
    fixture.members.get_mut(&cluster(name)).expect("a member").ends = Some(end);
    fixture.pass(Duration::from_secs(1));
}

#[test]
fn s33_a_job_is_moved_by_a_drain_and_is_never_in_two_clusters() {
    let mut fixture = in_alpha(usual());
    drain(&mut fixture, "alpha");
    for _ in 0..60 {
        fixture.pass(Duration::from_millis(500));
        assert!(fixture.running().len() < 2, "{:?}", fixture.running());
    }
    assert_eq!(fixture.running(), shares(&[("bravo", 1)]));
    assert_eq!(fixture.noted("ClusterDrained"), 1);
}

#[test]
fn s33_a_lost_job_begins_anew_at_once_or_when_it_is_fenced() {
    for (choice, at_most) in [(usual(), false), (once(), true)] {
        let mut fixture = in_alpha(choice);
        fixture.disconnect("alpha");
        fixture.pass(Duration::from_secs(15));
        let placed = fixture.placed("import");
        match at_most {
            false => assert_eq!(placed, shares(&[("bravo", 1)])),
            true => {
                assert_eq!(placed, shares(&[]));
                assert!(fixture.view("import").pending_reasons[0].starts_with("unfenced"));
                fixture.command(Command::ConfirmDead { cluster: cluster("alpha") }).expect("it is lost");
                fixture.pass(Duration::from_secs(1));
                assert_eq!(fixture.placed("import"), shares(&[("bravo", 1)]));
            }
        }
    }
}

#[test]
fn s33_a_job_that_has_ended_does_not_run_again() {
    for (end, said) in [(Finished::Complete, "JobCompleted"), (Finished::Failed, "JobFailed")] {
        let mut fixture = in_alpha(usual());
        ends(&mut fixture, "alpha", end);
        assert_eq!(fixture.noted(said), 1);
        let view = fixture.view("import");
        assert_eq!((view.finished, view.wanted, view.pending), (Some(end), 0, 0));
        assert_eq!(fixture.running(), shares(&[]), "it is suspended where it has ended");
        // Neither a loss, nor a restart, nor the same request again, nor a command begins it anew.
        fixture.restart();
        fixture.connect("bravo");
        fixture.pass(Duration::from_secs(45));
        assert_eq!(fixture.state("alpha"), ClusterState::Lost);
        fixture.deploy(spec(job(), 1), PolicyChoice::Annotated).expect("the same again");
        fixture.pass(Duration::from_secs(5));
        assert_eq!((fixture.running(), fixture.noted(said)), (shares(&[]), 1));
        let scale = Command::Scale { workload: job(), replicas: 1 };
        let refused = fixture.command(scale).expect_err("it has ended");
        assert!(refused.message.contains("does not run again"), "{}", refused.message);
        // Deleted, it may be another one of the same name.
        fixture.command(Command::DeleteWorkload { workload: job() }).expect("it exists");
        fixture.deploy(spec(job(), 1), PolicyChoice::Annotated).expect("a good request");
        fixture.pass(Duration::from_secs(1));
        assert_eq!(fixture.running(), shares(&[("bravo", 1)]));
    }
}

#[test]
fn s33_the_first_of_two_that_ends_ends_the_other() {
    let mut fixture = in_alpha(usual());
    fixture.disconnect("alpha");
    fixture.pass(Duration::from_secs(15));
    assert_eq!(fixture.running(), shares(&[("alpha", 1), ("bravo", 1)]), "cut off, both run");
    fixture.members.get_mut(&cluster("alpha")).expect("a member").ends = Some(Finished::Complete);
    fixture.connect("alpha");
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.running(), shares(&[]));
    assert_eq!(fixture.view("import").finished, Some(Finished::Complete));
}

/// What a recovered view finds ended is not told to run, not even for a moment (S10).
#[test]
fn s33_a_job_that_had_ended_is_not_begun_anew_by_a_recovered_view() {
    let mut fixture = in_alpha(usual());
    fixture.members.get_mut(&cluster("alpha")).expect("it is there").ends = Some(Finished::Complete);
    fixture.store.clear();
    fixture.config.recover = true;
    fixture.restart();
    fixture.config.recover = false;
    fixture.connect("alpha");
    assert_eq!((fixture.view("import").finished, told(&fixture)), (Some(Finished::Complete), 0));
}

/// That it had ended was heard while nothing could be planned, and the hub and the cluster were gone afterwards (S10).
#[test]
fn s33_a_job_whose_end_was_heard_before_the_view_was_accepted_does_not_run_again() {
    let mut fixture = in_alpha(usual());
    let before = fixture.members[&cluster("alpha")].fence;
    fixture.config.recover = true;
    fixture.restart();
    fixture.config.recover = false;
    fixture.members.get_mut(&cluster("alpha")).expect("it is there").ends = Some(Finished::Complete);
    fixture.connect("alpha");
    assert_eq!(fixture.view("import").finished, Some(Finished::Complete));
    fixture.restart();
    let alpha = fixture.members.get_mut(&cluster("alpha")).expect("it is there");
    alpha.rows.clear();
    alpha.fence = before;
    fixture.connect("alpha");
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(40));
    fixture.command(Command::ReleaseFreeze).expect("both were heard");
    assert_eq!((fixture.view("import").wanted, told(&fixture)), (0, 0));
    fixture.pass(Duration::from_secs(5));
    assert_eq!(fixture.running(), shares(&[]));
}

/// In how many clusters something is told to run, by the records.
fn told(fixture: &Fixture) -> usize {
    let runs = |record: &&Record| matches!(record, Record::Seat { seat, .. } if seat.target > 0);
    fixture.store.values().filter(runs).count()
}

#[test]
fn s33_a_job_is_made_once_and_has_no_number() {
    let mut fixture = in_alpha(usual());
    let changed = WorkloadSpec { manifest: "{\"v\":2}".into(), ..spec(job(), 1) };
    let refused = fixture.deploy(changed, PolicyChoice::Annotated).expect_err("it was made");
    assert_eq!(refused.kind, RefusedKind::FailedPrecondition);
    assert!(
        refused.message.starts_with("Job default/import: a Job cannot be changed"),
        "{}",
        refused.message
    );
    let scale = Command::Scale { workload: job(), replicas: 2 };
    let refused = fixture.command(scale).expect_err("it has none");
    assert!(refused.message.contains("replicas: 2: a Job runs in one cluster"), "{}", refused.message);
    let daemons = fixture.deploy(spec(id("DaemonSet", "logs"), 1), PolicyChoice::Annotated);
    assert!(daemons.expect_err("it has none").message.contains("a DaemonSet runs on every node"));
}

#[test]
fn s33_a_cron_job_is_in_one_cluster_under_any_strategy_and_can_be_suspended() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10)]);
    let mut everywhere = policy("everywhere", &[]);
    everywhere.placement.strategy = godwit_common::policy::Strategy::Duplicate;
    let backup = id("CronJob", "backup");
    fixture.deploy(spec(backup.clone(), 1), PolicyChoice::Inline(everywhere)).expect("a good request");
    fixture.pass(Duration::from_secs(1));
    assert_eq!(fixture.running().len(), 1);
    let rows = |fixture: &Fixture| fixture.members.values().map(|member| member.rows.len()).sum::<usize>();
    assert_eq!(rows(&fixture), 2, "it is there ahead of need, suspended");
    fixture.command(Command::Scale { workload: backup.clone(), replicas: 0 }).expect("it exists");
    fixture.pass(Duration::from_secs(1));
    assert_eq!(fixture.running(), shares(&[]));
}

fn logs(manifest: &str) -> WorkloadSpec {
    WorkloadSpec { manifest: manifest.into(), ..spec(id("DaemonSet", "logs"), 0) }
}

/// Which members hold something of the DaemonSet, and of which revision.
fn held(fixture: &Fixture) -> Vec<(String, u64)> {
    let of = |(name, member): (&godwit_common::ClusterName, &super::fixture::Member)| {
        member.rows.values().map(|row| (name.to_string(), row.revision)).collect::<Vec<_>>()
    };
    fixture.members.iter().flat_map(of).collect()
}

#[test]
fn s33_a_daemon_set_is_everywhere_is_not_counted_and_stays_in_a_drain_until_the_cluster_is_retired() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10)]);
    fixture.deploy(logs("v1"), PolicyChoice::Annotated).expect("a good request");
    fixture.pass(Duration::from_secs(1));
    assert_eq!(held(&fixture), shares_of(&[("alpha", 1), ("bravo", 1)]));
    let view = fixture.view("logs");
    assert_eq!((view.wanted, view.pending, view.placements[0].observed), (0, 0, 2));
    fixture.add_member("charlie", 10);
    fixture.connect("charlie");
    assert_eq!(held(&fixture).len(), 3, "a new cluster gets it, too");
    drain(&mut fixture, "alpha");
    fixture.pass(Duration::from_secs(2));
    assert_eq!((fixture.noted("ClusterDrained"), held(&fixture).len()), (1, 3), "it holds no drain up");
    let retire = Command::Retire { cluster: cluster("alpha"), terms: DrainTerms::default() };
    fixture.command(retire).expect("it is drained");
    fixture.pass(Duration::from_secs(2));
    assert_eq!(held(&fixture), shares_of(&[("bravo", 1), ("charlie", 1)]));
}

/// What was found of it in the members is not taken for a number of its own (S10).
#[test]
fn s33_a_daemon_set_is_not_counted_in_a_recovered_view_either() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10)]);
    // Were they counted, the guard would not let all of them go at once again (S27).
    for name in ["logs", "metrics", "mesh"] {
        let spec = WorkloadSpec { manifest: "v1".into(), ..spec(id("DaemonSet", name), 0) };
        fixture.deploy(spec, PolicyChoice::Annotated).expect("a good request");
    }
    fixture.pass(Duration::from_secs(1));
    fixture.store.clear();
    fixture.config.recover = true;
    fixture.restart();
    fixture.config.recover = false;
    fixture.sent.clear();
    fixture.connect("alpha");
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(60));
    fixture.command(Command::ReleaseFreeze).expect("all is known");
    assert_eq!(told(&fixture), 0);
    fixture.pass(Duration::from_secs(10));
    let view = fixture.view("logs");
    assert_eq!((view.wanted, view.pending), (0, 0));
    assert_eq!(told(&fixture), 0);
    assert_eq!(held(&fixture).len(), 6, "each is in both");
}

#[test]
fn s33_a_daemon_set_ends_where_its_policy_no_longer_wants_it_and_comes_again() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10)]);
    let both = policy("agents", &[("alpha", 1), ("bravo", 1)]);
    fixture.deploy(logs("v1"), PolicyChoice::Inline(both.clone())).expect("a good request");
    fixture.pass(Duration::from_secs(1));
    fixture.command(Command::ApplyPolicy(policy("agents", &[("alpha", 1)]))).expect("a good policy");
    fixture.pass(Duration::from_secs(2));
    assert_eq!(held(&fixture), shares_of(&[("alpha", 1)]));
    // Its tombstone stands for a while: only after that it is brought back.
    fixture.command(Command::ApplyPolicy(both)).expect("a good policy");
    fixture.pass(Duration::from_secs(2));
    assert_eq!(held(&fixture), shares_of(&[("alpha", 1)]));
    fixture.pass(fixture.config.tombstone_age);
    fixture.pass(Duration::from_secs(2));
    assert_eq!(held(&fixture), shares_of(&[("alpha", 1), ("bravo", 1)]));
    assert!(fixture.hub.workload(Uid(0)).is_none());
}

#[test]
fn s31_a_daemon_set_is_rolled_out_one_cluster_after_the_other() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10)]);
    fixture.deploy(logs("v1"), PolicyChoice::Annotated).expect("a good request");
    fixture.pass(Duration::from_secs(15));
    fixture.deploy(logs("v2"), PolicyChoice::Annotated).expect("a good request");
    fixture.pass(Duration::from_secs(2));
    assert_eq!(held(&fixture), shares_of(&[("alpha", 2), ("bravo", 1)]), "the next waits for the first");
    fixture.pass(Duration::from_secs(30));
    assert_eq!(held(&fixture), shares_of(&[("alpha", 2), ("bravo", 2)]));
    assert_eq!(fixture.noted("RolloutCompleted"), 1);
}

#[test]
fn s33_kinds_share_a_drain_with_what_is_counted() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10)]);
    fixture.deploy(logs("v1"), PolicyChoice::Inline(once())).expect("a good request");
    fixture.run("web", 4, policy("even", &[]));
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.placed("web"), shares(&[("alpha", 2), ("bravo", 2)]));
    fixture.disconnect("alpha");
    fixture.pass(Duration::from_secs(15));
    assert_eq!(fixture.hub.cluster(&cluster("alpha")).expect("a member").unaccounted, 0);
    assert_eq!(fixture.placed("web"), shares(&[("bravo", 4)]));
    assert!(fixture.hub.plan(&deployment_id("web")).is_some());
}

fn shares_of(pairs: &[(&str, u64)]) -> Vec<(String, u64)> {
    pairs.iter().map(|(name, revision)| ((*name).to_owned(), *revision)).collect()
}
