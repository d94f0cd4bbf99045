//! The fence `gate`: what ends by itself when nobody is in charge, and what is replaced then (S9).

use godwit_common::policy::{Fencing, Mode, Motion};
use godwit_hub_core::{ClusterState, Policy, PolicyChoice};
use sim::net::Way;
use sim::scenario::{id, weights};
use sim::{World, app};

use super::{agent, federation};

/// A lease of 60 s by the slowest clock, 6 s to end, 5 s margin: how many seconds after the last renewal.
const WAIT: u64 = 72;

fn gated() -> Policy {
    let mut policy = weights("once", &[]);
    let mode = Mode::AtMost(Fencing::Gate);
    policy.placement.motion = Motion { mode, max_unavailable: 1, ..Motion::default() };
    policy
}

/// Six copies of `web`, which may run only once, in two clusters.
fn six() -> World {
    let mut world = federation(&["east", "west"]);
    world.deploy(app("web", 6), PolicyChoice::Inline(gated()));
    world.settles(120);
    assert_eq!(processes(&world), 6);
    world
}

/// How many processes of `web` run, whatever anybody knows.
fn processes(world: &World) -> u32 {
    world.members.iter().map(|member| processes_in(world, member.name.as_str())).sum()
}

fn processes_in(world: &World, cluster: &str) -> u32 {
    let web = id("Deployment", "web");
    let life = world.record(&web).expect("it is deployed").uid;
    world.members[world.index(cluster)].processes(&web, life)
}

/// Lets time pass, and sees that there are never more than six.
fn never_seven(world: &mut World, seconds: u64, done: impl Fn(&World) -> bool) -> u64 {
    let web = id("Deployment", "web");
    world.until("what was lost runs elsewhere", seconds, |world| {
        assert!(processes(world) <= 6, "{} run", processes(world));
        done(world) && world.ready(&web) == 6
    })
}

#[test]
fn s9_the_agent_alone_dies_and_what_it_left_ends_before_it_is_replaced() {
    let mut world = six();
    let east = agent(&world, "east");
    world.agents[east.cluster][east.agent].held_down = true;
    world.crash_agent(east, true);
    world.until("east is lost", 20, |world| world.cluster("east").state == ClusterState::Lost);
    assert_eq!((processes(&world), world.view(&id("Deployment", "web")).pending), (6, 3));
    let took = never_seven(&mut world, 120, |world| processes_in(world, "west") == 6);
    assert!(took > (WAIT - 20) * 1000, "it took {took} ms");
    assert_eq!(processes_in(&world, "east"), 0);

    // It returns: its pods are there, and none of them starts anything.
    world.agents[east.cluster][east.agent].held_down = false;
    world.start_agent(east);
    never_seven(&mut world, 60, |world| world.cluster("east").state == ClusterState::Ready);
    world.run(60);
    assert_eq!((processes_in(&world, "east"), processes_in(&world, "west")), (0, 6));
    world.settles(60);
}

#[test]
fn s9_a_restarted_agent_renews_nothing_by_itself() {
    let mut world = six();
    let east = agent(&world, "east");
    world.cut(east, &[Way::Up, Way::Down]);
    // Again and again: each of them reads the fence and leads, and none has anything to tell supervisors.
    for _ in 0..8 {
        world.run(10);
        world.crash_agent(east, false);
        world.start_agent(east);
    }
    assert_eq!(processes_in(&world, "east"), 0, "the lease has ended");
    never_seven(&mut world, 60, |world| processes_in(world, "west") == 6);
    world.mend_links(east);
    world.settles(120);
    assert_eq!(processes(&world), 6);
}

#[test]
fn s9_what_is_cut_off_for_a_moment_runs_on() {
    let mut world = six();
    let east = agent(&world, "east");
    for _ in 0..3 {
        world.cut(east, &[Way::Up, Way::Down]);
        world.run(30);
        assert_eq!(processes(&world), 6);
        world.mend_links(east);
        world.until("it is back", 30, |world| world.cluster("east").state == ClusterState::Ready);
        world.run(20);
    }
    assert_eq!((processes_in(&world, "east"), world.checker.seen.ended), (3, 0));
}

#[test]
fn s9_without_a_hub_everything_ends_and_starts_again_with_it() {
    let mut world = six();
    world.crash_hub(0, false);
    world.run(50);
    assert_eq!(processes(&world), 6, "an outage that is shorter than the lease stops nothing");
    world.run(30);
    assert_eq!(processes(&world), 0);
    world.start_hub(0);
    never_seven(&mut world, 60, |world| processes(world) == 6);
    assert_eq!((processes_in(&world, "east"), processes_in(&world, "west")), (3, 3));
}

#[test]
fn s9_a_hub_that_starts_waits_as_if_it_had_just_granted_everything() {
    let mut world = six();
    let east = agent(&world, "east");
    world.agents[east.cluster][east.agent].held_down = true;
    world.crash_agent(east, true);
    world.run(40);
    world.crash_hub(0, false);
    world.start_hub(0);
    let started = world.now;
    never_seven(&mut world, 180, |world| processes_in(world, "west") == 6);
    assert!(world.now - started > (WAIT - 1) * 1000, "after {} ms", world.now - started);
}

#[test]
fn s9_a_node_that_wakes_up_late_finds_its_lease_ended() {
    let mut world = six();
    let east = world.index("east");
    let nodes: Vec<_> = world.members[east].nodes.keys().cloned().collect();
    nodes.iter().for_each(|node| world.suspend(east, node));
    let agent = agent(&world, "east");
    world.agents[agent.cluster][agent.agent].held_down = true;
    world.crash_agent(agent, true);
    never_seven(&mut world, 160, |world| processes_in(world, "west") == 6);
    world.wake_nodes(east);
    assert_eq!(processes_in(&world, "east"), 0, "nothing of it runs on, not for a moment");
    world.agents[agent.cluster][agent.agent].held_down = false;
    world.start_agent(agent);
    never_seven(&mut world, 60, |world| world.cluster("east").state == ClusterState::Ready);
    world.settles(120);
}

#[test]
fn s9_a_node_cut_off_ends_what_it_runs_by_itself() {
    let mut world = six();
    let east = world.index("east");
    let nodes: Vec<_> = world.members[east].nodes.keys().cloned().collect();
    nodes.iter().for_each(|node| world.stop_node(east, node));
    assert_eq!(processes_in(&world, "east"), 3, "it is cut off, and runs on");
    world.run(WAIT);
    assert_eq!(processes_in(&world, "east"), 0);
    world.wake_nodes(east);
    never_seven(&mut world, 180, |world| processes(world) == 6);
    world.settles(60);
}
