//! Who gets what when there is too little, and who has to be asked first: S14, S16.

use godwit_common::{Need, ObjectKey};
use godwit_hub_core::{Policy, PolicyChoice};
use sim::World;
use sim::app;
use sim::scenario::{id, weights, workload};

use super::federation;

/// A node has room for one of these.
const LARGE: u64 = 10_000;

fn ranked(name: &str, priority: i32) -> Policy {
    let mut policy = weights(name, &[("east", 1), ("west", 1)]);
    policy.placement.priority = priority;
    policy.placement.preemptible = priority < 0;
    policy
}

/// East and west are full of what may be preempted; four replicas of more weight have come.
fn contested() -> World {
    let mut world = federation(&["east", "west"]);
    world.deploy(workload("Deployment", "batch", 8, LARGE, 1), PolicyChoice::Inline(ranked("batch", -1)));
    world.settles(120);
    world.deploy(workload("Deployment", "web", 4, LARGE, 1), PolicyChoice::Inline(ranked("web", 5)));
    world
}

fn web_is_served(world: &mut World) {
    let (web, batch) = (id("Deployment", "web"), id("Deployment", "batch"));
    world.until("the higher priority runs", 300, |world| world.ready(&web) == 4);
    assert_eq!(world.view(&web).pending, 0);
    assert_eq!((world.ready(&batch), world.view(&batch).pending), (4, 4));
    assert!(world.checker.seen.preemptions > 0);
}

#[test]
fn s16_a_lower_priority_gives_way_and_no_more_than_is_needed() {
    web_is_served(&mut contested());
}

#[test]
fn s16_a_hub_that_dies_between_giving_and_taking_goes_on_with_it() {
    let mut world = contested();
    world.crash_hub(0, false);
    world.run(5);
    world.start_hub(0);
    web_is_served(&mut world);
}

#[test]
fn s14_every_cluster_that_has_what_is_needed_gets_its_share_whoever_answers_first() {
    let mut world = federation(&["east", "north", "west"]);
    let class =
        Need::Object(ObjectKey::new("scheduling.k8s.io/v1", "PriorityClass", "", "gold").expect("a key"));
    let north = world.index("north");
    world.members[north].lacks.insert(class.clone());
    let mut application = app("web", 12);
    application.workloads[0].needs = vec![class];
    world.deploy(
        application,
        PolicyChoice::Inline(weights("even", &[("east", 1), ("north", 1), ("west", 1)])),
    );
    let web = id("Deployment", "web");
    world.until("all of them are ready", 120, |world| world.ready(&web) == 12);
    assert_eq!(["east", "north", "west"].map(|name| world.ready_in(name, &web)), [6, 0, 6]);
    // Its share waits no longer for anybody; what is new goes where it belongs once it is there.
    world.members[north].lacks.clear();
    world.run(30);
    world.order(godwit_hub_core::Command::Scale { workload: web.clone(), replicas: 18 });
    world.until("the third cluster has its share", 120, |world| world.ready_in("north", &web) == 6);
}
