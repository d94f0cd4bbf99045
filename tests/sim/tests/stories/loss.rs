//! A cluster is lost, and returns: S1, S2, S5, S8, S11, S12, S20.

use godwit_hub_core::{ClusterState, Command, PolicyChoice};
use sim::net::Way;
use sim::scenario::{id, weights};
use sim::{World, app};

use super::{agent, federation};

/// A hundred replicas over three clusters, 20, 40 and 40, all of them ready.
fn hundred() -> World {
    let mut world = federation(&["east", "north", "west"]);
    let policy = weights("one-two-two", &[("east", 2), ("north", 1), ("west", 2)]);
    world.deploy(app("web", 100), PolicyChoice::Inline(policy));
    world.settles(120);
    world
}

#[test]
fn s2_a_dead_cluster_is_lost_in_time_and_its_replicas_run_elsewhere() {
    let mut world = hundred();
    let web = id("Deployment", "web");
    let east = world.index("east");
    world.kill_cluster(east);
    let took = world.until("east is lost", 12, |world| world.cluster("east").state == ClusterState::Lost);
    assert!(took <= 11_000, "it took {took} ms; the last message may be as old as the accident");
    assert_eq!(world.view(&web).pending, 0);
    assert_eq!(world.target_in("north", &web) + world.target_in("west", &web), 100);
    assert_eq!(world.view(&web).possible_over_run, 40);
    world.until("all of them run again", 60, |world| world.ready(&web) == 100);
}

#[test]
fn the_agent_alone_dies_and_returns() {
    let mut world = hundred();
    let web = id("Deployment", "web");
    let east = agent(&world, "east");
    world.agents[east.cluster][east.agent].held_down = true;
    world.crash_agent(east, true);
    world.until("copies run elsewhere", 60, |world| world.ready(&web) == 140);
    assert_eq!(world.view(&web).possible_over_run, 40, "S8: what may run twice is stated");

    world.agents[east.cluster][east.agent].held_down = false;
    world.start_agent(east);
    let enough = |world: &World| {
        assert!(world.ready(&web) >= 100, "S20: only {} are ready", world.ready(&web));
        world.ready(&web) == 100 && world.target_in("east", &web) == 0
    };
    world.until("the surplus has gone", 60, enough);
    world.settles(60);
    assert_eq!(world.view(&web).possible_over_run, 0);
    assert_eq!(world.checker.seen.removals, 0, "S27: no object was deleted");
    assert!(world.members[east.cluster].workload(&web).is_some(), "S33: ready for the next failover");
}

#[test]
fn s20_an_original_that_returns_early_stays_until_its_replacements_are_ready() {
    let mut world = hundred();
    let web = id("Deployment", "web");
    let east = agent(&world, "east");
    world.agents[east.cluster][east.agent].held_down = true;
    world.crash_agent(east, true);
    world.until("replacements are told to start", 20, |world| world.checker.seen.losses > 0);
    world.agents[east.cluster][east.agent].held_down = false;
    world.start_agent(east);
    world.until("it is back", 10, |world| world.cluster("east").state == ClusterState::Ready);
    assert!(world.ready(&web) < 140, "the replacements are still on their way");
    let gone = |world: &World| {
        assert!(world.ready(&web) >= 100, "only {} are ready", world.ready(&web));
        world.ready_in("east", &web) == 0
    };
    world.until("the surplus has gone", 60, gone);
    world.settles(60);
}

#[test]
fn s1_a_stream_lost_is_not_a_cluster_lost() {
    let mut world = hundred();
    let before = world.targets();
    let north = agent(&world, "north");
    world.cut(north, &[Way::Up, Way::Down]);
    world.until("north is suspect", 8, |world| world.cluster("north").state == ClusterState::Suspect);
    world.run(2);
    world.mend_links(north);
    world.until("north is back", 20, |world| world.cluster("north").state == ClusterState::Ready);
    world.run(30);
    assert_eq!((world.targets(), world.checker.seen.losses), (before, 0));
}

#[test]
fn s1_a_blip_of_every_health_check_evicts_nothing() {
    let mut world = hundred();
    let before = world.targets();
    // Nobody hears anybody for a moment, then the API servers are away, then one cluster's link breaks again and again.
    for round in 0..3 {
        let agents = world.agent_ids();
        agents.iter().for_each(|agent| world.cut(*agent, &[Way::Up, Way::Down]));
        // Short enough that whoever waits longest before it connects again does so in time.
        world.run(5);
        agents.iter().for_each(|agent| world.mend_links(*agent));
        world.run(5 + round);
        world.members.iter_mut().for_each(|member| member.api = false);
        world.run(25);
        world.members.iter_mut().for_each(|member| member.api = true);
        world.run(20);
    }
    let north = agent(&world, "north");
    for _ in 0..6 {
        world.cut(north, &[Way::Up]);
        world.run(7);
        world.mend_links(north);
        world.run(4);
    }
    world.settles(120);
    assert_eq!((world.targets(), world.checker.seen.losses, world.checker.seen.freezes), (before, 0, 0));
    assert_eq!(world.ready(&id("Deployment", "web")), 100);
}

#[test]
fn s4_a_link_that_breaks_again_and_again_keeps_growth_away_until_it_holds() {
    let mut world = hundred();
    let web = id("Deployment", "web");
    let north = agent(&world, "north");
    for _ in 0..4 {
        world.cut(north, &[Way::Up, Way::Down]);
        world.until("north is suspect", 8, |world| world.cluster("north").state == ClusterState::Suspect);
        world.mend_links(north);
        world.until("north is back", 20, |world| world.cluster("north").state == ClusterState::Ready);
    }
    assert_eq!(world.checker.seen.flaps, 1);
    world.order(Command::Scale { workload: web.clone(), replicas: 150 });
    world.settles(60);
    assert_eq!(world.target_in("north", &web), 20, "it keeps what it has, and gets nothing new");
    world.until("north is steady", 90, |world| world.cluster("north").flapping.is_none());
    world.order(Command::Scale { workload: web.clone(), replicas: 200 });
    world.settles(60);
    assert!(world.target_in("north", &web) > 20);
}

#[test]
fn s1_a_goodbye_adds_its_grace_once() {
    let mut world = hundred();
    let north = agent(&world, "north");
    world.agents[north.cluster][north.agent].held_down = true;
    world.stop_agent(north);
    world.run(22);
    assert_eq!(world.cluster("north").state, ClusterState::Suspect);
    world.until("north is lost", 6, |world| world.cluster("north").state == ClusterState::Lost);
}

#[test]
fn s1_a_stalled_hub_blames_nobody() {
    let mut world = hundred();
    let before = world.targets();
    world.stall_hub(0, world.now + 40_000);
    world.run(80);
    assert_eq!((world.targets(), world.checker.seen.losses), (before, 0));
    assert!(
        world.members.iter().all(|member| world.cluster(member.name.as_str()).state == ClusterState::Ready)
    );
}

#[test]
fn s5_a_hub_that_is_killed_changes_no_target() {
    let mut world = hundred();
    let before = world.targets();
    for silently in [false, true] {
        world.crash_hub(0, silently);
        world.run(20);
        world.start_hub(0);
        world.run(60);
        assert_eq!((world.targets(), world.checker.seen.losses), (before.clone(), 0));
    }
    world.settles(30);
}

#[test]
fn s5_a_cluster_that_died_with_the_hub_has_its_full_window() {
    let mut world = hundred();
    world.crash_hub(0, false);
    let east = world.index("east");
    world.kill_cluster(east);
    world.run(60);
    world.start_hub(0);
    world.run(29);
    assert_eq!((world.cluster("east").state, world.checker.seen.losses), (ClusterState::Unknown, 0));
    world.until("east is lost", 3, |world| world.cluster("east").state == ClusterState::Lost);
    let web = id("Deployment", "web");
    world.until("all of them run again", 60, |world| world.ready(&web) == 100);
}
