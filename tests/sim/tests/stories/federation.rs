//! Dividing, growing and joining: S14, S18, S19, S23, S30.

use godwit_hub_core::{Command, PolicyChoice};
use sim::app;
use sim::scenario::{id, weights};

use super::federation;

fn one_two_two() -> PolicyChoice {
    PolicyChoice::Inline(weights("one-two-two", &[("east", 2), ("north", 1), ("west", 2)]))
}

#[test]
fn a_hundred_replicas_divide_by_weight_and_run() {
    let mut world = federation(&["east", "north", "west"]);
    let deployed = world.deploy(app("web", 100), one_two_two());
    let counts: Vec<u32> = deployed.workloads[0].placements.iter().map(|(_, count)| *count).collect();
    assert_eq!((counts, deployed.workloads[0].pending), (vec![40, 20, 40], 0));
    let web = id("Deployment", "web");
    world.until("all of them are ready", 120, |world| world.ready(&web) == 100);
    assert_eq!(world.ready_in("north", &web), 20);
    world.settles(60);
}

#[test]
fn s19_one_more_replica_never_takes_one_away() {
    let mut world = federation(&["east", "north", "west"]);
    let web = id("Deployment", "web");
    world.deploy(app("web", 0), one_two_two());
    let mut before = world.counts(&web);
    for replicas in 1..=40 {
        world.order(Command::Scale { workload: web.clone(), replicas });
        let after = world.counts(&web);
        for (cluster, count) in &before {
            assert!(after.get(cluster).is_some_and(|more| more >= count), "{before:?} became {after:?}");
        }
        before = after;
    }
    world.settles(120);
}

#[test]
fn s18_a_policy_that_never_rebalances_moves_nothing_when_it_changes() {
    let mut world = federation(&["east", "north", "west"]);
    let web = id("Deployment", "web");
    world.deploy(app("web", 50), one_two_two());
    world.settles(120);
    let (before, removals) = (world.targets(), world.checker.seen.shrinks);
    let policy = weights("one-two-two", &[("east", 1), ("north", 9), ("west", 1)]);
    world.order(Command::ApplyPolicy(policy));
    world.run(60);
    assert_eq!((world.targets(), world.checker.seen.shrinks), (before, removals));
    assert_eq!(world.ready(&web), 50);
}
