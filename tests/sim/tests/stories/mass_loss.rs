//! Many clusters vanish at once: S6, S7.

use std::time::Duration;

use godwit_hub_core::{
    ClusterState, Command, FreezeCause, MigrationCause, MigrationState, PolicyChoice, Record,
};
use sim::scenario::{cluster_name, id, weights};
use sim::{World, app};

use super::federation;

const TEN: [&str; 10] = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"];

/// So many clusters with ten replicas each.
fn fleet(count: usize) -> World {
    let mut world = federation(&TEN[..count]);
    let replicas = u32::try_from(count * 10).expect("few");
    world.deploy(app("web", replicas), PolicyChoice::Annotated);
    world.settles(120);
    world
}

/// Makes the first so many clusters one failure domain.
fn label(world: &mut World, domain: &str, clusters: &[&str]) {
    for name in clusters {
        let set = [("topology.godwit.dev/failure-domain".into(), domain.into())].into();
        world.order(Command::Label { cluster: cluster_name(name), set, remove: Default::default() });
    }
}

fn frozen(world: &World) -> bool {
    world.hub().federation().freeze.is_some_and(|freeze| freeze.cause == FreezeCause::MassLoss)
}

#[test]
fn s6_most_clusters_vanish_and_failover_freezes_until_an_operator_confirms() {
    let mut world = fleet(5);
    let before = world.targets();
    (0..3).for_each(|cluster| world.kill_cluster(cluster));
    world.until("failover is frozen", 15, frozen);
    world.run(60);
    assert_eq!((world.targets(), world.checker.seen.losses), (before, 0));

    world.order(Command::ConfirmFreeze);
    let web = id("Deployment", "web");
    world.until("the two that are left run everything", 120, |world| world.ready(&web) == 50);
    assert!(world.checker.seen.losses > 0);
}

#[test]
fn s6_a_release_waits_for_the_clusters_anew() {
    let mut world = fleet(5);
    let before = world.targets();
    (0..5).for_each(|cluster| world.kill_cluster(cluster));
    world.until("failover is frozen", 15, frozen);
    world.order(Command::ReleaseFreeze);
    (0..5).for_each(|cluster| world.revive_cluster(cluster));
    world.agent_ids().into_iter().for_each(|agent| world.start_agent(agent));
    world.until("they are back", 10, |world| {
        TEN[..5].iter().all(|name| world.cluster(name).state == ClusterState::Ready)
    });
    world.settles(120);
    assert_eq!((world.targets(), world.checker.seen.losses), (before, 0));
}

#[test]
fn s6_a_freeze_ends_by_itself_once_the_clusters_are_back() {
    let mut world = fleet(5);
    let before = world.targets();
    (0..4).for_each(|cluster| world.kill_cluster(cluster));
    world.until("failover is frozen", 15, frozen);
    (0..4).for_each(|cluster| world.revive_cluster(cluster));
    world.until("the freeze has ended", 100, |world| !frozen(world));
    world.settles(120);
    assert_eq!((world.targets(), world.checker.seen.losses), (before, 0));
}

#[test]
fn s6_from_a_fifth_on_clusters_are_given_up_one_after_the_other() {
    let mut world = fleet(10);
    (0..3).for_each(|cluster| world.kill_cluster(cluster));
    let lost = |world: &World| {
        let running = world.hubs[0].store.values().filter(|record| {
            matches!(record, Record::Migration(migration) if migration.state == MigrationState::Running
                && matches!(migration.cause, MigrationCause::ClusterLost(_)))
        });
        let running = running.count();
        assert!(running <= 1, "{running} clusters are given up at once");
        world.checker.seen.losses == 3
    };
    world.until("all three are given up", 200, lost);
    let web = id("Deployment", "web");
    world.until("everything runs again", 100, |world| world.ready(&web) == 100);
    assert_eq!(world.checker.seen.freezes, 0);
}

#[test]
fn s6_a_whole_failure_domain_dies_and_is_evacuated_at_once() {
    let mut world = fleet(10);
    label(&mut world, "north", &TEN[..6]);
    label(&mut world, "south", &TEN[6..]);
    (0..6).for_each(|cluster| world.kill_cluster(cluster));
    let took = world.until("all six are given up", 20, |world| world.checker.seen.losses == 6);
    assert!(took <= 12_000, "S2: it took {took} ms");
    let web = id("Deployment", "web");
    world.until("the south runs everything", 100, |world| world.ready(&web) == 100);
    assert_eq!(world.checker.seen.freezes, 0);
}

#[test]
fn s6_three_of_five_in_one_failure_domain_are_no_reason_to_freeze() {
    let mut world = fleet(5);
    label(&mut world, "north", &TEN[..3]);
    (0..3).for_each(|cluster| world.kill_cluster(cluster));
    let web = id("Deployment", "web");
    world.until("the two that are left run everything", 100, |world| world.ready(&web) == 50);
    assert_eq!((world.checker.seen.freezes, world.checker.seen.losses), (0, 3));
}

#[test]
fn s6_a_window_too_short_for_the_guard_decides_for_its_own_policy_only() {
    let mut world = fleet(5);
    let mut hasty = weights("hasty", &["c0", "c1", "c2", "c3", "c4"].map(|name| (name, 1)));
    hasty.lost_after = Duration::ZERO;
    world.deploy(app("hasty", 5), PolicyChoice::Inline(hasty));
    world.settles(120);
    let (web, hasty) = (id("Deployment", "web"), id("Deployment", "hasty"));
    let before = world.counts(&web);
    for agent in world.agent_ids() {
        world.agents[agent.cluster][agent.agent].held_down = true;
        world.crash_agent(agent, false);
    }
    world.until("what is lost at once is lost", 5, |world| world.view(&hasty).pending == 5);
    world.until("failover is frozen", 15, frozen);
    world.run(60);
    assert_eq!(world.counts(&web), before, "nobody has confirmed that all are gone");
}

#[test]
fn s7_starts_are_paced_and_never_stop() {
    let mut world = federation(&["c0"]);
    let web = id("Deployment", "web");
    world.deploy(app("web", 300), PolicyChoice::Annotated);
    let (mut most, mut last) = (0, 0);
    while world.ready(&web) < 300 {
        world.run_to(world.now + 100);
        // As reported: what is known to have been told, too, lags behind.
        let ready: u32 = world.view(&web).placements.iter().map(|placement| placement.ready).sum();
        let on_the_way = world.target_in("c0", &web) - ready;
        let running = u32::try_from(world.members[0].pods.len()).expect("few");
        assert!(on_the_way <= 50.max(running / 4), "{on_the_way} are on their way");
        (most, last) = (most.max(on_the_way), last + 1);
        assert!(last < 2_000, "it takes for ever");
    }
    assert!(most > 50, "a quarter of what runs, in the end; it was {most}");
}
