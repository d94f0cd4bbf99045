//! Two authorities, and a store from yesterday: S10, S27.

use godwit_hub_core::{Command, DrainOrder, FreezeCause, PolicyChoice};
use sim::scenario::{Setup, id, policy_name, weights, workload};
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
    assert_eq!((world.ready(&web), world.ready(&later)), (10, 6), "what was deployed since is taken over");
    assert_eq!(world.checker.seen.removals, 0);
    for name in ["east", "west"] {
        assert_eq!(world.cluster(name).orphans, vec![], "and nobody's no longer");
    }
    world.settles(120);
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

/// The hub's volume is lost: a new hub gets the federation back from the members, and not one pod notices.
#[test]
fn s10_a_hub_that_has_lost_its_volume_gets_the_federation_back() {
    let mut world = federation(&["east", "north", "west"]);
    let (web, store) = (id("Deployment", "web"), id("StatefulSet", "store"));
    let thirds = weights("thirds", &[("east", 1), ("north", 1), ("west", 1)]);
    world.deploy(app("web", 12), PolicyChoice::Inline(thirds.clone()));
    world.deploy(workload("StatefulSet", "store", 3, 100, 1), PolicyChoice::Annotated);
    world.settles(120);
    let uid = world.hub().federation().uid;
    let pods = |world: &World| -> Vec<Vec<std::sync::Arc<str>>> {
        world.members.iter().map(|member| member.pods.keys().cloned().collect()).collect()
    };
    let (before, removals) = (pods(&world), world.checker.seen.removals);

    world.recover_with(Default::default());
    world.until("all have told what they hold", 120, |world| {
        let alarms = world.hubs[0].core.as_ref().map(|core| core.federation().alarms).unwrap_or_default();
        alarms.iter().any(|alarm| alarm.contains("3 clusters have told what they hold, 2 workloads"))
    });
    world.run(60);
    assert_eq!(pods(&world), before, "nothing is said before an operator accepts");
    let refused = world.ask(Command::ReleaseFreeze).expect_err("a policy is missing");
    assert!(refused.message.contains("apply these first: thirds"), "{refused:?}");
    world.order(Command::ApplyPolicy(thirds));
    world.order(Command::ReleaseFreeze);
    world.run(60);
    world.settles(120);
    assert_eq!(pods(&world), before, "not one pod was made or ended");
    assert_eq!((world.hub().federation().uid, world.checker.seen.removals), (uid, removals));
    assert_eq!(world.record(&web).map(|web| web.policy.clone()), Some(policy_name("thirds")));

    let order = DrainOrder::Start(Default::default());
    world.order(Command::Drain { cluster: sim::scenario::cluster_name("east"), order });
    world.until("what can leave has left", 200, |world| world.ready_in("east", &web) == 0);
    assert_eq!((world.ready(&web), world.ready(&store)), (12, 3));
}
