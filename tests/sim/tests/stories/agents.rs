//! Several agents, broken sessions, and crashes at bad moments: S24, S25, S26.

use godwit_hub_core::{ClusterState, Command, PolicyChoice};
use sim::happening::AgentId;
use sim::scenario::{Setup, id};
use sim::{World, app};

use super::{connected, federation};

fn three_agents() -> World {
    let mut setup = Setup::of(11, &["east", "west"]);
    setup.clusters.iter_mut().for_each(|cluster| cluster.agents = 3);
    let mut world = connected(setup);
    world.until("all of them are connected", 30, |world| {
        ["east", "west"].iter().all(|name| world.cluster(name).agents == 3)
    });
    world.deploy(app("web", 30), PolicyChoice::Annotated);
    world.settles(60);
    world
}

#[test]
fn s24_rolling_all_agents_never_makes_a_cluster_suspect() {
    let mut world = three_agents();
    let before = world.targets();
    let east = world.index("east");
    for agent in 0..3 {
        let id = AgentId { cluster: east, agent };
        world.stop_agent(id);
        let ready = |world: &World| {
            assert_eq!(world.cluster("east").state, ClusterState::Ready);
            world.agent(id).core.is_none()
        };
        world.until("the agent has ended", 10, ready);
        world.start_agent(id);
        let back = |world: &World| {
            assert_eq!(world.cluster("east").state, ClusterState::Ready);
            world.cluster("east").agents == 3
        };
        world.until("it is back", 30, back);
    }
    world.until("one of them leads", 30, |world| !world.cluster("east").leader.is_empty());
    world.settles(60);
    assert_eq!((world.targets(), world.checker.seen.losses), (before, 0));
}

#[test]
fn s24_the_leader_dies_and_another_one_leads() {
    let mut world = three_agents();
    let leader = world.cluster("east").leader;
    let number = leader.rsplit('-').next().and_then(|text| text.parse().ok()).expect("agent-N");
    let id = AgentId { cluster: world.index("east"), agent: number };
    world.agents[id.cluster][id.agent].held_down = true;
    world.crash_agent(id, true);
    let other = |world: &World| {
        assert_ne!(world.cluster("east").state, ClusterState::Suspect);
        let now = world.cluster("east").leader;
        !now.is_empty() && now != leader
    };
    world.until("another one leads", 40, other);
    world.settles(60);
}

#[test]
fn s25_sessions_that_break_at_every_moment_lead_to_the_same_end() {
    let mut world = federation(&["east", "west"]);
    world.deploy(app("web", 10), PolicyChoice::Annotated);
    for replicas in [30, 5, 22, 0, 17, 40] {
        world.order(Command::Scale { workload: id("Deployment", "web"), replicas });
        for agent in world.agent_ids() {
            world.reset(agent);
        }
        world.run(1);
    }
    world.settles(90);
    assert_eq!(world.ready(&id("Deployment", "web")), 40);
}

#[test]
fn s26_an_agent_dies_between_its_write_and_its_word() {
    let mut world = federation(&["east"]);
    let (web, east) = (id("Deployment", "web"), AgentId { cluster: 0, agent: 0 });
    world.deploy(app("web", 4), PolicyChoice::Annotated);
    for replicas in [8, 3, 12] {
        world.command(0, Command::Scale { workload: web.clone(), replicas });
        let written = |world: &World| {
            world.members[0].workload(&web).is_some_and(|object| object.seen.replicas == Some(replicas))
        };
        world.until("it is written", 30, written);
        world.crash_agent(east, false);
        world.run(1);
        world.start_agent(east);
        world.settles(60);
    }
    assert_eq!((world.ready(&web), world.checker.seen.removals), (12, 0));
}
