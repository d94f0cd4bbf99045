//! Stories: each is one accident or one wish, told on the simulator, with the rules that it is about. The invariants
//! are checked after every step of every story.

mod agents;
mod capacity;
mod federation;
mod history;
mod incidents;
mod leases;
mod loss;
mod mass_loss;
mod removal;
mod returns;
mod shortage;
mod stateful;
mod trouble;

use sim::happening::AgentId;
use sim::{Setup, World};

/// Clusters of these names, one agent each, all connected, with their inventories told.
fn federation(names: &[&str]) -> World {
    connected(Setup::of(7, names))
}

/// A world as set up, once all of its clusters are connected.
fn connected(setup: Setup) -> World {
    let mut world = World::new(Setup { trace: Some(|line| println!("{line}")), ..setup });
    world.until("every cluster joins and reports", 60, |world| {
        let reported = |name: &str| {
            world.hub().cluster(&sim::scenario::cluster_name(name)).is_some_and(|view| view.nodes > 0)
        };
        world.members.iter().all(|member| reported(member.name.as_str()))
    });
    world
}

/// The first agent of a cluster.
fn agent(world: &World, cluster: &str) -> AgentId {
    AgentId { cluster: world.index(cluster), agent: 0 }
}
