//! Two authorities, and a store from yesterday: S10, S27.

use godwit_hub_core::{Command, FreezeCause, PolicyChoice};
use sim::scenario::{Setup, id};
use sim::{World, app};

use super::{connected, federation};

fn behind(world: &World, hub: usize) -> bool {
    let core = world.hubs[hub].core.as_ref();
    let freeze = core.and_then(|core| core.federation().freeze);
    freeze.is_some_and(|freeze| freeze.cause == FreezeCause::NewerHistory)
}

#[test]
fn s10_a_hub_on_a_restored_store_stands_still_and_removes_nothing() {
    let mut world = federation(&["east", "west"]);
    world.checker.histories_may_fork = true;
    let (web, later) = (id("Deployment", "web"), id("Deployment", "later"));
    world.deploy(app("web", 10), PolicyChoice::Annotated);
    world.settles(60);
    let backup = world.hubs[0].store.clone();
    world.deploy(app("later", 6), PolicyChoice::Annotated);
    world.settles(60);

    world.crash_hub(0, false);
    world.hubs[0].store = backup;
    world.start_hub(0);
    world.until("the hub finds that it is behind", 60, |world| behind(world, 0));
    world.run(60);
    assert_eq!((world.ready(&web), world.ready(&later)), (10, 6), "nothing moves");

    world.order(Command::ReleaseFreeze);
    world.run(60);
    assert_eq!((world.ready(&web), world.ready(&later)), (10, 6), "S27: absence is never deletion");
    assert_eq!(world.checker.seen.removals, 0);
    for name in ["east", "west"] {
        assert_eq!(world.cluster(name).orphans, vec![later.clone()], "S27: it is listed");
    }
    world.order(Command::Scale { workload: web.clone(), replicas: 14 });
    world.until("the hub is obeyed again", 60, |world| world.ready(&web) == 14);
}

#[test]
fn s10_a_leader_that_has_been_replaced_is_harmless() {
    let mut world = connected(Setup { hubs: 2, ..Setup::of(9, &["east", "west"]) });
    world.checker.histories_may_fork = true;
    let web = id("Deployment", "web");
    world.deploy(app("web", 10), PolicyChoice::Annotated);
    world.settles(60);

    // The old leader stalls; another takes its store over, and the agents find it.
    world.stall_hub(0, world.now + 200_000);
    world.hubs[1].store = world.hubs[0].store.clone();
    world.start_hub(1);
    for agent in world.agent_ids() {
        world.reset(agent);
    }
    let epoch = |world: &World, cluster: usize| {
        world.members[cluster].fence.as_ref().map_or(0, |fence| fence.record.fence.epoch.0)
    };
    world.until("both obey the new leader", 60, |world| epoch(world, 0) == 2 && epoch(world, 1) == 2);
    world.command(1, Command::Scale { workload: web.clone(), replicas: 16 });
    world.until("the new leader is obeyed", 60, |world| world.ready(&web) == 16);

    // The old one runs on, with wishes of its own, and the agents come to it.
    world.command(0, Command::Scale { workload: web.clone(), replicas: 2 });
    world.run_to(world.hubs[0].stalled_until + 1_000);
    world.crash_hub(1, false);
    world.until("the old leader finds that it is behind", 60, |world| behind(world, 0));
    world.run(60);
    assert_eq!(world.ready(&web), 16, "not one replica has moved");
}
