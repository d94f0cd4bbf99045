//! Migrations by an operator's word: paused, resumed, cancelled (S14, S20, S21).

use std::time::Duration;

use super::drains::start;
use super::fixture::{Fixture, cluster, policy, shares, web};
use super::shortage::{pass, scale};
use crate::{
    Action, Answer, Changes, ClusterState, Command, DrainOrder, Held, Migration, MigrationCause, MigrationId,
    MigrationOrder, MigrationState, MigrationView, Record, Refused, RefusedKind,
};

const ABC: &[(&str, u32)] = &[("alpha", 900), ("bravo", 900), ("charlie", 900)];

fn even() -> crate::Policy {
    policy("even", &[])
}

/// A third of `web` was in charlie, which is lost: of the hundred that go to each of the others half has started, as the
/// pace allows, and none of that is ready.
fn evacuating() -> (Fixture, MigrationId) {
    let mut fixture = Fixture::new(ABC);
    fixture.run("web", 600, even());
    pass(&mut fixture, 20);
    fixture.disconnect("charlie");
    fixture.pass_silently(Duration::from_secs(11));
    assert_eq!(fixture.state("charlie"), ClusterState::Lost);
    assert_eq!(fixture.running(), shares(&[("alpha", 250), ("bravo", 250), ("charlie", 200)]));
    assert_eq!(fixture.plan(), shares(&[("alpha", 300), ("bravo", 300)]));
    let id = newest(&fixture, &MigrationCause::ClusterLost(cluster("charlie")));
    (fixture, id)
}

fn migrations(fixture: &Fixture) -> impl Iterator<Item = &Migration> {
    fixture.store.values().filter_map(|record| match record {
        Record::Migration(migration) => Some(migration),
        _ => None,
    })
}

fn newest(fixture: &Fixture, cause: &MigrationCause) -> MigrationId {
    let one = migrations(fixture).filter(|migration| migration.cause == *cause).last();
    one.expect("there is one with that cause").id
}

fn view(fixture: &Fixture, id: MigrationId) -> MigrationView {
    fixture.hub.migration(id).expect("it is remembered")
}

fn state(fixture: &Fixture, id: MigrationId) -> MigrationState {
    view(fixture, id).state
}

fn order(fixture: &mut Fixture, migration: MigrationId, order: MigrationOrder) -> Result<Answer, Refused> {
    fixture.command(Command::Migrate { migration, order })
}

fn done(fixture: &mut Fixture, migration: MigrationId, what: MigrationOrder) -> (Action, Changes) {
    match order(fixture, migration, what) {
        Ok(Answer::Applied { action, changes }) => (action, changes),
        other => panic!("it should have been done: {other:?}"),
    }
}

fn refused(fixture: &mut Fixture, migration: MigrationId, what: MigrationOrder) -> String {
    let refused = order(fixture, migration, what).expect_err("it should have been refused");
    assert_eq!(refused.kind, RefusedKind::FailedPrecondition);
    refused.message
}

fn reason(fixture: &Fixture, name: &str) -> String {
    let placements = fixture.web().placements;
    let placement = placements.into_iter().find(|one| one.cluster == cluster(name));
    placement.expect("it has a seat there").reason.into_owned()
}

#[test]
fn a_paused_migration_starts_nothing_more_and_says_so_over_a_restart() {
    let (mut fixture, id) = evacuating();
    assert_eq!(done(&mut fixture, id, MigrationOrder::Pause), (Action::Configured, Changes::default()));
    pass(&mut fixture, 90);
    let stands = shares(&[("alpha", 250), ("bravo", 250), ("charlie", 200)]);
    assert_eq!(fixture.running(), stands);
    let said = format!("{id} is paused: `godwit resume migration {id}` goes on");
    assert_eq!(reason(&fixture, "alpha"), said);
    assert_eq!(fixture.web().problems, [&*said]);
    assert_eq!(view(&fixture, id).halted, said);
    assert_eq!(view(&fixture, id).waiting[0].reason, said);
    assert_eq!((state(&fixture, id), fixture.noted("MigrationPaused")), (MigrationState::Paused, 1));
    fixture.restart();
    fixture.connect("alpha");
    fixture.connect("bravo");
    pass(&mut fixture, 90);
    assert_eq!((fixture.running(), state(&fixture, id)), (stands, MigrationState::Paused));
    assert_eq!(done(&mut fixture, id, MigrationOrder::Pause).0, Action::Unchanged);

    done(&mut fixture, id, MigrationOrder::Resume);
    pass(&mut fixture, 30);
    assert_eq!(fixture.running(), shares(&[("alpha", 300), ("bravo", 300), ("charlie", 200)]));
    assert_eq!((state(&fixture, id), fixture.web().ready), (MigrationState::Completed, 600));
    assert!(fixture.web().problems.is_empty());
    for what in [MigrationOrder::Pause, MigrationOrder::Resume, MigrationOrder::Cancel] {
        assert!(refused(&mut fixture, id, what).contains("is completed: there is nothing to"));
    }
    let unknown = order(&mut fixture, MigrationId(99), MigrationOrder::Pause).expect_err("there is none");
    assert_eq!(unknown.kind, RefusedKind::NotFound);
}

#[test]
fn s20_a_paused_migration_stops_nothing_either_until_it_is_resumed() {
    let (mut fixture, id) = evacuating();
    done(&mut fixture, id, MigrationOrder::Pause);
    fixture.connect("charlie");
    pass(&mut fixture, 60);
    assert_eq!(fixture.running(), shares(&[("alpha", 250), ("bravo", 250), ("charlie", 200)]));
    assert_eq!(
        reason(&fixture, "charlie"),
        format!("{id} is paused: `godwit resume migration {id}` goes on")
    );
    done(&mut fixture, id, MigrationOrder::Resume);
    pass(&mut fixture, 60);
    assert_eq!(fixture.running(), shares(&[("alpha", 300), ("bravo", 300)]));
}

#[test]
fn what_is_not_wanted_any_more_stops_though_its_migration_is_paused() {
    let (mut fixture, id) = evacuating();
    done(&mut fixture, id, MigrationOrder::Pause);
    fixture.connect("charlie");
    scale(&mut fixture, "web", 0);
    pass(&mut fixture, 20);
    assert_eq!(fixture.running(), shares(&[]));
    assert_eq!(state(&fixture, id), MigrationState::Completed, "nothing is left of it");
}

#[test]
fn a_pause_holds_its_own_moves_and_no_later_loss() {
    let (mut fixture, id) = evacuating();
    done(&mut fixture, id, MigrationOrder::Pause);
    let held = |fixture: &Fixture| {
        let migration = view(fixture, id).migration;
        migration.held.into_values().flatten().map(|(_, held)| held).collect::<Vec<Held>>()
    };
    let all = [Held { starts: 50, stops: 0 }, Held { starts: 50, stops: 0 }, Held { starts: 0, stops: 200 }];
    assert_eq!(held(&fixture), all);
    pass(&mut fixture, 60);
    // The plan of alpha is that of both now: the newer one is its cause, and the older one still holds its part.
    fixture.disconnect("bravo");
    pass(&mut fixture, 300);
    assert_eq!(fixture.plan(), shares(&[("alpha", 600)]));
    assert_eq!(fixture.running(), shares(&[("alpha", 550), ("bravo", 250), ("charlie", 200)]));
    let later = newest(&fixture, &MigrationCause::ClusterLost(cluster("bravo")));
    assert_eq!(
        (state(&fixture, id), state(&fixture, later)),
        (MigrationState::Paused, MigrationState::Running)
    );
    assert_eq!(held(&fixture), [Held { starts: 50, stops: 0 }, Held { starts: 0, stops: 200 }]);
    done(&mut fixture, id, MigrationOrder::Resume);
    pass(&mut fixture, 60);
    assert_eq!(fixture.web().ready, 600);
    assert_eq!(
        (state(&fixture, id), state(&fixture, later)),
        (MigrationState::Completed, MigrationState::Completed)
    );
}

#[test]
fn what_a_command_adds_starts_beside_what_is_paused() {
    let (mut fixture, id) = evacuating();
    done(&mut fixture, id, MigrationOrder::Pause);
    pass(&mut fixture, 60);
    scale(&mut fixture, "web", 620);
    pass(&mut fixture, 60);
    assert_eq!(fixture.running(), shares(&[("alpha", 260), ("bravo", 260), ("charlie", 200)]));
    scale(&mut fixture, "web", 540);
    pass(&mut fixture, 60);
    assert_eq!(fixture.plan(), shares(&[("alpha", 270), ("bravo", 270)]));
    assert_eq!(fixture.running(), shares(&[("alpha", 260), ("bravo", 260), ("charlie", 200)]));
}

#[test]
fn a_cancelled_move_gives_back_what_has_not_started() {
    let mut fixture = Fixture::new(&[("alpha", 900), ("bravo", 900)]);
    fixture.run("web", 200, policy("pinned", &[("alpha", 1)]));
    pass(&mut fixture, 30);
    let moved = policy("pinned", &[("alpha", 1), ("bravo", 1)]);
    fixture.command(Command::ApplyPolicy(moved)).expect("a good policy");
    let balance = crate::Balanced::Workload(web());
    fixture.command(Command::Rebalance(balance)).expect("it is deployed");
    assert_eq!(fixture.plan(), shares(&[("alpha", 100), ("bravo", 100)]));
    assert_eq!(fixture.running(), shares(&[("alpha", 200), ("bravo", 50)]));
    let cause = MigrationCause::Rebalance("pinned".parse().expect("a name"));
    let id = newest(&fixture, &cause);
    let (_, changes) = done(&mut fixture, id, MigrationOrder::Cancel);
    assert_eq!(changes.plans[0].counts, [(cluster("alpha"), 100, 150), (cluster("bravo"), 100, 50)]);
    assert_eq!((state(&fixture, id), fixture.noted("MigrationStarted")), (MigrationState::Cancelled, 1));
    pass(&mut fixture, 60);
    assert_eq!(fixture.running(), shares(&[("alpha", 150), ("bravo", 50)]), "what was started stays");
    fixture.restart();
    fixture.connect("alpha");
    fixture.connect("bravo");
    pass(&mut fixture, 60);
    assert_eq!(fixture.running(), shares(&[("alpha", 150), ("bravo", 50)]));
    assert_eq!(done(&mut fixture, id, MigrationOrder::Cancel).0, Action::Unchanged);
    assert_eq!(view(&fixture, id).migration.completed(), Some(view(&fixture, id).migration.since));
}

#[test]
fn what_may_not_stay_moves_on_under_a_migration_with_the_same_cause() {
    let mut fixture = Fixture::new(&[("alpha", 900), ("bravo", 900)]);
    fixture.run("web", 200, policy("pinned", &[("alpha", 1)]));
    pass(&mut fixture, 30);
    fixture.command(Command::ApplyPolicy(policy("pinned", &[("bravo", 1)]))).expect("a good policy");
    let cause = MigrationCause::PolicyChanged("pinned".parse().expect("a name"));
    let id = newest(&fixture, &cause);
    done(&mut fixture, id, MigrationOrder::Cancel);
    assert_eq!(fixture.plan(), shares(&[("bravo", 200)]), "the policy chooses alpha no longer");
    let next = newest(&fixture, &cause);
    assert!(next > id);
    assert_eq!(
        (state(&fixture, id), state(&fixture, next)),
        (MigrationState::Cancelled, MigrationState::Running)
    );
}

#[test]
fn what_runs_nowhere_else_cannot_be_given_back() {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 0)]);
    fixture.run("web", 300, policy("even", &[("alpha", 1), ("bravo", 1)]));
    pass(&mut fixture, 60);
    assert_eq!(fixture.web().pending, 200);
    fixture.members.get_mut(&cluster("bravo")).expect("a member").cores = 300;
    fixture.report("bravo", false);
    let id = newest(&fixture, &MigrationCause::RoomAppeared(cluster("bravo")));
    let said = refused(&mut fixture, id, MigrationOrder::Cancel);
    assert!(
        said.starts_with(&format!("150 replicas of {id} have not started, and run nowhere else")),
        "{said}"
    );
    done(&mut fixture, id, MigrationOrder::Pause);
    pass(&mut fixture, 120);
    assert_eq!(fixture.running(), shares(&[("alpha", 100), ("bravo", 50)]));
    done(&mut fixture, id, MigrationOrder::Resume);
    fixture.pass_silently(Duration::from_secs(250));
    let said = refused(&mut fixture, id, MigrationOrder::Cancel);
    assert_eq!(
        said,
        format!("everything of {id} has started, and what has started stays: there is nothing to cancel")
    );
}

#[test]
fn a_lost_cluster_whose_evacuation_is_cancelled_is_awaited() {
    let (mut fixture, id) = evacuating();
    let (_, changes) = done(&mut fixture, id, MigrationOrder::Cancel);
    let counts = [(cluster("alpha"), 300, 250), (cluster("bravo"), 300, 250), (cluster("charlie"), 0, 100)];
    assert_eq!(changes.plans[0].counts, counts);
    let awaited = |fixture: &Fixture| fixture.hub.cluster(&cluster("charlie")).expect("a member").awaited;
    assert_eq!(awaited(&fixture), Some(id));
    // Neither time nor a plan nor a restart begins the evacuation anew.
    pass(&mut fixture, 100);
    scale(&mut fixture, "web", 610);
    fixture.restart();
    fixture.connect("alpha");
    fixture.connect("bravo");
    pass(&mut fixture, 200);
    assert_eq!(fixture.plan(), shares(&[("alpha", 255), ("bravo", 255), ("charlie", 100)]));
    assert_eq!((fixture.state("charlie"), awaited(&fixture)), (ClusterState::Lost, Some(id)));
    assert_eq!((fixture.web().possible_over_run, fixture.web().ready), (100, 510));
    assert_eq!(fixture.noted("ClusterAwaited"), 1);
    // It returns, and only what was replaced stops there.
    fixture.connect("charlie");
    pass(&mut fixture, 60);
    assert_eq!(fixture.running(), shares(&[("alpha", 255), ("bravo", 255), ("charlie", 100)]));
    assert_eq!((awaited(&fixture), fixture.web().ready), (None, 610));
    // The next loss is one like any other.
    fixture.disconnect("charlie");
    pass(&mut fixture, 60);
    assert_eq!(fixture.web().ready, 610);
}

#[test]
fn what_is_awaited_is_evacuated_after_all_by_a_drain_or_a_deletion() {
    let (mut fixture, id) = evacuating();
    done(&mut fixture, id, MigrationOrder::Cancel);
    let drain = Command::Drain { cluster: cluster("charlie"), order: start() };
    fixture.command(drain.clone()).expect("it is awaited, and that ends");
    pass(&mut fixture, 60);
    assert_eq!((fixture.web().ready, fixture.plan()), (600, shares(&[("alpha", 300), ("bravo", 300)])));
    assert_eq!(fixture.command(drain).expect_err("it is lost").kind, RefusedKind::FailedPrecondition);

    let (mut fixture, id) = evacuating();
    done(&mut fixture, id, MigrationOrder::Cancel);
    let delete = Command::DeleteCluster { cluster: cluster("charlie"), force: true };
    fixture.command(delete).expect("it is lost");
    pass(&mut fixture, 60);
    assert_eq!((fixture.web().ready, fixture.plan()), (600, shares(&[("alpha", 300), ("bravo", 300)])));
}

#[test]
fn s21_what_a_drain_moves_stands_still_with_the_drain() {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40)]);
    fixture.run("web", 16, policy("even", &[("alpha", 1), ("bravo", 1)]));
    pass(&mut fixture, 2);
    let drain = |fixture: &mut Fixture, order| {
        fixture.command(Command::Drain { cluster: cluster("alpha"), order }).expect("a member");
    };
    drain(&mut fixture, start());
    let id = newest(&fixture, &MigrationCause::Drained(cluster("alpha")));
    for (what, word) in [
        (MigrationOrder::Pause, "pause"),
        (MigrationOrder::Resume, "resume"),
        (MigrationOrder::Cancel, "cancel"),
    ] {
        let said = refused(&mut fixture, id, what);
        assert!(said.contains(&format!("`godwit drain cluster alpha --{word}` does that")), "{said}");
    }
    drain(&mut fixture, DrainOrder::Pause);
    assert_eq!(state(&fixture, id), MigrationState::Paused);
    assert!(view(&fixture, id).halted.contains("the drain of cluster alpha is paused"));
    drain(&mut fixture, DrainOrder::Resume);
    assert_eq!((state(&fixture, id), view(&fixture, id).halted.as_str()), (MigrationState::Running, ""));
    drain(&mut fixture, DrainOrder::Cancel);
    assert_eq!(state(&fixture, id), MigrationState::Cancelled);
}

#[test]
fn a_deleted_workload_or_cluster_is_held_no_longer() {
    let (mut fixture, id) = evacuating();
    done(&mut fixture, id, MigrationOrder::Pause);
    let delete = Command::DeleteCluster { cluster: cluster("charlie"), force: true };
    fixture.command(delete).expect("it is lost");
    let held = view(&fixture, id).migration.held;
    assert_eq!(held.values().flatten().map(|(_, held)| held.stops).sum::<u32>(), 0);
    fixture.command(Command::DeleteWorkload { workload: web() }).expect("it is deployed");
    assert!(view(&fixture, id).migration.held.is_empty());
    assert_eq!(state(&fixture, id), MigrationState::Completed);
}

#[test]
fn a_migration_whose_replicas_got_ready_while_it_was_paused_is_completed_when_it_goes_on() {
    let mut fixture = Fixture::new(ABC);
    fixture.run("web", 30, even());
    pass(&mut fixture, 20);
    fixture.disconnect("charlie");
    fixture.pass_silently(Duration::from_secs(11));
    // All have been told to start, and none is ready; what is left in charlie is held.
    let id = newest(&fixture, &MigrationCause::ClusterLost(cluster("charlie")));
    done(&mut fixture, id, MigrationOrder::Pause);
    fixture.connect("charlie");
    pass(&mut fixture, 30);
    assert_eq!(state(&fixture, id), MigrationState::Paused);
    assert_eq!(fixture.running(), shares(&[("alpha", 15), ("bravo", 15), ("charlie", 10)]));
    done(&mut fixture, id, MigrationOrder::Resume);
    assert_eq!(state(&fixture, id), MigrationState::Completed);
    pass(&mut fixture, 30);
    assert_eq!(fixture.running(), shares(&[("alpha", 15), ("bravo", 15)]));
}
