//! Replicas that are not ready, and those that cannot be scheduled (S3, S17).

use std::time::Duration;

use godwit_common::WorkloadId;
use godwit_common::policy::ClusterSelector;

use super::fixture::{Fixture, Member, cluster, deployment_id, policy, shares, spec};
use super::shortage::{pass, scale};
use crate::contract::Balanced;
use crate::{Command, MigrationCause, Policy, PolicyChoice, Record};

fn member<'a>(fixture: &'a mut Fixture, name: &str) -> &'a mut Member {
    fixture.members.get_mut(&cluster(name)).expect("a member")
}

/// Eight replicas of `web`, four in each of two clusters, all ready.
fn halved() -> Fixture {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40)]);
    fixture.run("web", 8, policy("even", &[]));
    pass(&mut fixture, 3);
    assert_eq!(fixture.plan(), shares(&[("alpha", 4), ("bravo", 4)]));
    fixture
}

fn causes(fixture: &Fixture) -> Vec<MigrationCause> {
    let migrations = fixture.store.values().filter_map(|record| match record {
        Record::Migration(migration) => Some(migration.cause.clone()),
        _ => None,
    });
    migrations.collect()
}

fn said(fixture: &Fixture) -> Vec<String> {
    let unready = fixture.journal.iter().filter(|entry| &*entry.reason == "ReplicasUnready");
    unready.map(|entry| entry.message.to_string()).collect()
}

#[test]
fn s3_what_is_not_ready_for_long_stops_the_growth_of_that_workload_there_and_no_more() {
    let mut fixture = halved();
    member(&mut fixture, "alpha").unready = 1;
    pass(&mut fixture, 30);
    scale(&mut fixture, "web", 10);
    assert_eq!(fixture.plan(), shares(&[("alpha", 5), ("bravo", 5)]), "it may get ready yet");
    pass(&mut fixture, 65);
    scale(&mut fixture, "web", 12);
    assert_eq!(fixture.plan(), shares(&[("alpha", 5), ("bravo", 7)]));
    assert_eq!(fixture.reason("web", "alpha"), "gets nothing new: replicas not ready");
    assert_eq!(fixture.view("web").pending, 0);
    // Nothing else is kept away from it.
    fixture.run("cache", 4, policy("even", &[]));
    assert_eq!(fixture.placed("cache"), shares(&[("alpha", 2), ("bravo", 2)]));
    // What is ready again grows again.
    member(&mut fixture, "alpha").unready = 0;
    pass(&mut fixture, 2);
    scale(&mut fixture, "web", 14);
    assert_eq!(fixture.plan(), shares(&[("alpha", 7), ("bravo", 7)]));
}

#[test]
fn s3_a_fault_that_the_cluster_names_stops_the_growth_at_once() {
    let mut fixture = halved();
    member(&mut fixture, "alpha").failing = 1;
    pass(&mut fixture, 1);
    scale(&mut fixture, "web", 10);
    assert_eq!(fixture.plan(), shares(&[("alpha", 4), ("bravo", 6)]));
}

#[test]
fn s3_what_is_well_nowhere_grows_like_any_other() {
    let mut fixture = halved();
    for name in ["alpha", "bravo"] {
        member(&mut fixture, name).failing = 1;
    }
    pass(&mut fixture, 120);
    scale(&mut fixture, "web", 10);
    assert_eq!(fixture.plan(), shares(&[("alpha", 5), ("bravo", 5)]));
    // Nor is a first deployment held up by its own start, or by never getting ready.
    for name in ["alpha", "bravo"] {
        member(&mut fixture, name).ready = false;
    }
    fixture.run("slow", 4, policy("even", &[]));
    pass(&mut fixture, 120);
    scale(&mut fixture, "slow", 6);
    assert_eq!(fixture.placed("slow"), shares(&[("alpha", 3), ("bravo", 3)]));
}

#[test]
fn s3_growth_that_waited_for_the_last_well_cluster_goes_on_when_none_is_well() {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 4)]);
    fixture.run("web", 8, policy("even", &[]));
    pass(&mut fixture, 3);
    member(&mut fixture, "alpha").failing = 1;
    pass(&mut fixture, 1);
    scale(&mut fixture, "web", 10);
    assert_eq!(fixture.view("web").pending, 2, "bravo is full, and alpha is not well");
    let reasons = fixture.view("web").pending_reasons;
    assert!(
        reasons.iter().any(|reason| &**reason == "alpha: gets nothing new: replicas not ready"),
        "{reasons:?}"
    );
    member(&mut fixture, "bravo").failing = 1;
    pass(&mut fixture, 1);
    assert_eq!((fixture.view("web").pending, fixture.plan()), (0, shares(&[("alpha", 6), ("bravo", 4)])));
}

#[test]
fn s3_a_failover_is_not_held_up_by_replicas_that_are_just_starting() {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40), ("charlie", 40)]);
    fixture.run("web", 6, policy("even", &[]));
    pass(&mut fixture, 3);
    member(&mut fixture, "bravo").unready = 1;
    fixture.disconnect("alpha");
    pass(&mut fixture, 12);
    assert_eq!(fixture.plan(), shares(&[("bravo", 3), ("charlie", 3)]));
    pass(&mut fixture, 40);
    fixture.disconnect("charlie");
    pass(&mut fixture, 12);
    assert_eq!(fixture.plan(), shares(&[("bravo", 6)]));
}

#[test]
fn s3_replicas_whose_nodes_are_at_fault_are_moved_after_unready_after() {
    let mut fixture = halved();
    member(&mut fixture, "alpha").stranded = 2;
    pass(&mut fixture, 295);
    assert_eq!(fixture.plan(), shares(&[("alpha", 4), ("bravo", 4)]));
    pass(&mut fixture, 10);
    assert_eq!(fixture.plan(), shares(&[("alpha", 2), ("bravo", 6)]));
    assert!(causes(&fixture).contains(&MigrationCause::Unready(cluster("alpha"))));
    assert_eq!(fixture.running(), shares(&[("alpha", 2), ("bravo", 6)]), "surge first, then it stops there");
    assert_eq!(fixture.web().ready, 6, "two of alpha's are still on their nodes, says this simple member");
    // It gets nothing more of it for a while, even when asked to be even.
    member(&mut fixture, "alpha").stranded = 0;
    pass(&mut fixture, 2);
    fixture.command(Command::Rebalance(Balanced::Workload(deployment_id("web")))).expect("it exists");
    pass(&mut fixture, 2);
    assert_eq!(fixture.plan(), shares(&[("alpha", 2), ("bravo", 6)]));
    assert_eq!(fixture.reason("web", "alpha"), "no room: replicas did not get ready");
}

#[test]
fn s3_replicas_that_are_ready_in_another_cluster_are_moved() {
    let mut fixture = halved();
    member(&mut fixture, "alpha").unready = 1;
    pass(&mut fixture, 305);
    assert_eq!(fixture.plan(), shares(&[("alpha", 3), ("bravo", 5)]));
}

#[test]
fn s3_it_happens_once_for_each_revision_and_cluster_also_after_a_restart() {
    let mut fixture = halved();
    member(&mut fixture, "alpha").unready = 1;
    pass(&mut fixture, 305);
    assert_eq!(fixture.plan(), shares(&[("alpha", 3), ("bravo", 5)]));
    pass(&mut fixture, 3600);
    assert_eq!(fixture.plan(), shares(&[("alpha", 3), ("bravo", 5)]));
    fixture.restart();
    fixture.connect("alpha");
    fixture.connect("bravo");
    pass(&mut fixture, 3600);
    assert_eq!(fixture.plan(), shares(&[("alpha", 3), ("bravo", 5)]));
    let told = said(&fixture);
    assert!(
        !told.is_empty() && told.iter().all(|said| said.ends_with("have left it once already")),
        "{told:?}"
    );
    // Another revision is another attempt, once it is ready elsewhere.
    let changed = crate::WorkloadSpec { manifest: "{\"v\":2}".into(), ..spec(deployment_id("web"), 8) };
    let mut even = policy("even", &[]);
    even.placement.rollout.order = vec![ClusterSelector::of_names([cluster("bravo")])];
    fixture.deploy(changed, PolicyChoice::Inline(even)).expect("a good deployment");
    pass(&mut fixture, 330);
    assert_eq!(fixture.plan(), shares(&[("alpha", 2), ("bravo", 6)]));
}

#[test]
fn s3_a_fault_of_the_application_moves_nothing_and_is_reported_once() {
    // In one cluster, though the same revision is ready in the other.
    let mut fixture = halved();
    member(&mut fixture, "alpha").failing = 4;
    pass(&mut fixture, 3600);
    assert_eq!(fixture.plan(), shares(&[("alpha", 4), ("bravo", 4)]));
    let [told] = &said(&fixture)[..] else { panic!("{:?}", said(&fixture)) };
    assert!(told.starts_with("4 of 4 replicas in alpha have not been ready for 300 s"), "{told}");
    assert!(told.ends_with("they stay: its own containers fail, which would go with them"), "{told}");
    // Everywhere, with no fault named.
    let mut fixture = halved();
    for name in ["alpha", "bravo"] {
        member(&mut fixture, name).unready = 4;
    }
    pass(&mut fixture, 3600);
    assert_eq!(fixture.plan(), shares(&[("alpha", 4), ("bravo", 4)]));
    let told = said(&fixture);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|said| said.ends_with("this revision is ready in no other cluster")), "{told:?}");
    // No estimate of room is lowered: whatever else comes finds it as it was.
    fixture.run("cache", 60, policy("even", &[]));
    assert_eq!(fixture.placed("cache"), shares(&[("alpha", 30), ("bravo", 30)]));
}

#[test]
fn s3_what_cannot_go_elsewhere_stays_where_it_may_get_well() {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 4)]);
    fixture.run("web", 8, policy("even", &[]));
    pass(&mut fixture, 3);
    member(&mut fixture, "alpha").stranded = 2;
    pass(&mut fixture, 310);
    assert_eq!((fixture.plan(), fixture.view("web").pending), (shares(&[("alpha", 2), ("bravo", 4)]), 2));
    assert_eq!(fixture.running(), shares(&[("alpha", 4), ("bravo", 4)]), "they stand in for what is pending");
    member(&mut fixture, "alpha").stranded = 0;
    pass(&mut fixture, 2);
    assert_eq!((fixture.plan(), fixture.view("web").pending), (shares(&[("alpha", 4), ("bravo", 4)]), 0));
}

#[test]
fn s3_time_that_a_cluster_was_away_does_not_count() {
    let mut fixture = halved();
    member(&mut fixture, "alpha").unready = 1;
    pass(&mut fixture, 290);
    fixture.disconnect("alpha");
    pass(&mut fixture, 3);
    fixture.connect("alpha");
    pass(&mut fixture, 200);
    assert_eq!(fixture.plan(), shares(&[("alpha", 4), ("bravo", 4)]));
    pass(&mut fixture, 110);
    assert_eq!(fixture.plan(), shares(&[("alpha", 3), ("bravo", 5)]));
}

#[test]
fn s3_nothing_is_moved_for_it_in_a_maintenance_window() {
    let mut fixture = halved();
    let within = Some(Duration::from_secs(1800));
    fixture.command(Command::Maintain { cluster: cluster("alpha"), within, drain: None }).expect("a member");
    member(&mut fixture, "alpha").stranded = 2;
    pass(&mut fixture, 1200);
    assert_eq!(fixture.plan(), shares(&[("alpha", 4), ("bravo", 4)]));
    fixture
        .command(Command::Maintain { cluster: cluster("alpha"), within: None, drain: None })
        .expect("a member");
    pass(&mut fixture, 65);
    assert_eq!(fixture.plan(), shares(&[("alpha", 2), ("bravo", 6)]));
}

#[test]
fn s17_what_a_cluster_cannot_schedule_goes_elsewhere_after_a_minute() {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40)]);
    member(&mut fixture, "alpha").schedules = Some(1);
    fixture.run("web", 8, policy("even", &[]));
    pass(&mut fixture, 58);
    assert_eq!(fixture.plan(), shares(&[("alpha", 4), ("bravo", 4)]), "its scheduler may need a moment");
    pass(&mut fixture, 5);
    assert_eq!(fixture.plan(), shares(&[("alpha", 1), ("bravo", 7)]), "what runs there stays");
    assert!(causes(&fixture).contains(&MigrationCause::Unschedulable(cluster("alpha"))));
    assert_eq!((fixture.web().ready, fixture.running()), (8, shares(&[("alpha", 1), ("bravo", 7)])));
    assert_eq!(fixture.reason("web", "alpha"), "no room: replicas could not be scheduled");
    // The estimate of that workload alone is lowered.
    member(&mut fixture, "alpha").schedules = Some(30);
    fixture.run("cache", 8, policy("even", &[]));
    assert_eq!(fixture.placed("cache"), shares(&[("alpha", 4), ("bravo", 4)]));
    scale(&mut fixture, "web", 10);
    assert_eq!(fixture.plan(), shares(&[("alpha", 1), ("bravo", 9)]));
}

/// When the share of a cluster that never schedules is above zero: when it is tried again.
fn tries(fixture: &mut Fixture, seconds: u64) -> Vec<u64> {
    let (start, mut tries, mut tried) = (fixture.now, Vec::new(), false);
    for _ in 0..seconds {
        pass(fixture, 1);
        let tries_now = fixture.plan().iter().any(|(name, _)| name == "alpha");
        if tries_now && !tried {
            tries.push(fixture.now.since(start).as_secs());
        }
        tried = tries_now;
    }
    tries
}

#[test]
fn s17_the_lowered_estimate_ends_and_lasts_twice_as_long_with_each_repetition_up_to_an_hour() {
    // Bravo has no room for all: what alpha does not take is pending, so that alpha is tried whenever it may be.
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 4)]);
    member(&mut fixture, "alpha").schedules = Some(0);
    fixture.run("web", 8, policy("even", &[]));
    let tries = tries(&mut fixture, 17_000);
    let waits: Vec<u64> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let minutes: Vec<u64> = waits.iter().map(|wait| wait.saturating_sub(60) / 60).collect();
    assert_eq!(minutes, [5, 10, 20, 40, 60, 60, 60], "each after a minute of trying: {waits:?}");
    // What it takes at last stays, and its next failure begins with five minutes again.
    member(&mut fixture, "alpha").schedules = None;
    pass(&mut fixture, 3);
    assert_eq!((fixture.view("web").ready, fixture.plan()), (8, shares(&[("alpha", 4), ("bravo", 4)])));
    scale(&mut fixture, "web", 10);
    member(&mut fixture, "alpha").schedules = Some(4);
    pass(&mut fixture, 70);
    assert_eq!(fixture.view("web").pending, 2);
    pass(&mut fixture, 305);
    assert_eq!(fixture.view("web").pending, 0, "it is tried again");
}

#[test]
fn s17_what_finds_no_place_stays_and_is_placed_when_it_is_scheduled_after_all() {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 4)]);
    member(&mut fixture, "alpha").schedules = Some(2);
    fixture.run("web", 8, policy("even", &[]));
    pass(&mut fixture, 70);
    assert_eq!((fixture.plan(), fixture.view("web").pending), (shares(&[("alpha", 2), ("bravo", 4)]), 2));
    let told = member(&mut fixture, "alpha").rows.values().map(|row| row.replicas).sum::<u32>();
    assert_eq!(told, 4, "whoever adds nodes sees what they are for");
    member(&mut fixture, "alpha").schedules = None;
    pass(&mut fixture, 2);
    assert_eq!((fixture.plan(), fixture.view("web").pending), (shares(&[("alpha", 4), ("bravo", 4)]), 0));
}

#[test]
fn s17_one_cluster_after_the_other_is_tried_and_then_it_settles() {
    let names = ["alpha", "bravo", "charlie", "delta"];
    let mut fixture = Fixture::new(&names.map(|name| (name, 40)));
    for name in &names[..3] {
        member(&mut fixture, name).schedules = Some(0);
    }
    let mut first = policy("pack", &[]);
    first.placement.strategy = godwit_common::policy::Strategy::Pack;
    fixture.run("web", 8, first);
    let mut plans = vec![fixture.plan()];
    for _ in 0..290 {
        pass(&mut fixture, 1);
        if plans.last() != Some(&fixture.plan()) {
            plans.push(fixture.plan());
        }
    }
    assert_eq!(plans.last(), Some(&shares(&[("delta", 8)])));
    assert!(plans.len() <= 4, "each is tried once: {plans:?}");
    assert_eq!(fixture.web().ready, 8);
}

#[test]
fn s17_another_revision_is_tried_at_once() {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 4)]);
    member(&mut fixture, "alpha").schedules = Some(0);
    fixture.run("web", 8, policy("even", &[]));
    pass(&mut fixture, 70);
    assert_eq!(fixture.view("web").pending, 4);
    let changed = crate::WorkloadSpec { manifest: "{\"v\":2}".into(), ..spec(deployment_id("web"), 8) };
    fixture.deploy(changed, PolicyChoice::Inline(policy("even", &[]))).expect("a good deployment");
    assert_eq!(fixture.plan(), shares(&[("alpha", 4), ("bravo", 4)]));
}

#[test]
fn s32_neither_moves_a_stateful_workload_nor_one_that_runs_in_full_everywhere() {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40)]);
    let id = WorkloadId::new("default", "StatefulSet", "db").expect("a valid identity");
    fixture.deploy(spec(id, 3), PolicyChoice::Inline(policy("even", &[]))).expect("a good deployment");
    let duplicate = Policy {
        placement: godwit_common::policy::Policy {
            strategy: godwit_common::policy::Strategy::Duplicate,
            ..Default::default()
        },
        ..policy("full", &[])
    };
    fixture.run("proxy", 2, duplicate);
    pass(&mut fixture, 2);
    let before = (fixture.placed("db"), fixture.placed("proxy"));
    for name in ["alpha", "bravo"] {
        (member(&mut fixture, name).schedules, member(&mut fixture, name).stranded) = (Some(1), 1);
    }
    pass(&mut fixture, 1800);
    assert_eq!((fixture.placed("db"), fixture.placed("proxy")), before);
    scale(&mut fixture, "proxy", 3);
    assert_eq!(fixture.placed("proxy"), shares(&[("alpha", 3), ("bravo", 3)]));
}
