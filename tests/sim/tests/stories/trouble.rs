//! Replicas that cannot be scheduled, and those that do not get ready: S3, S17.

use godwit_hub_core::PolicyChoice;
use sim::app;
use sim::scenario::id;

use super::federation;

#[test]
fn s17_a_failover_that_never_starts_goes_on_to_the_next_cluster_and_settles() {
    let mut world = federation(&["east", "north", "south", "west"]);
    let web = id("Deployment", "web");
    world.deploy(app("web", 40), PolicyChoice::Annotated);
    world.settles(90);
    let (north, south) = (world.index("north"), world.index("south"));
    world.members[north].refuses = true;
    world.members[south].refuses = true;
    world.kill_cluster(0);
    world.until("everything runs where it can", 180, |world| {
        world.ready(&web) == 40 && world.ready_in("west", &web) == 20
    });
    assert!(world.checker.seen.unschedulable > 0);
    assert_eq!((world.target_in("north", &web), world.target_in("south", &web)), (10, 10));
    // With constant input that is the end of it, until the lowered estimates are; and nobody asks for more then.
    let settled = world.targets();
    world.run(1_800);
    assert_eq!(world.targets(), settled);
}

#[test]
fn s3_an_image_that_cannot_be_pulled_anywhere_does_not_wander_round_the_fleet() {
    let mut world = federation(&["east", "north", "west"]);
    let web = id("Deployment", "web");
    world.members.iter_mut().for_each(|member| member.registry = false);
    world.deploy(app("web", 9), PolicyChoice::Annotated);
    world.run(1_800);
    let placed = world.placed(&web);
    assert_eq!(placed.iter().map(|(_, replicas)| *replicas).collect::<Vec<_>>(), [3, 3, 3]);
    assert_eq!((world.ready(&web), world.checker.seen.unready), (0, 0));
    let problems = world.view(&web).problems;
    assert!(problems.iter().all(|problem| problem.contains("ImagePullBackOff")), "{problems:?}");
    world.heal();
    world.until("it runs", 60, |world| world.ready(&web) == 9);
    assert_eq!(world.placed(&web), placed);
}

#[test]
fn s3_an_image_that_one_cluster_cannot_pull_moves_nothing_either_but_growth_goes_elsewhere() {
    let mut world = federation(&["east", "north", "west"]);
    let web = id("Deployment", "web");
    let north = world.index("north");
    world.members[north].registry = false;
    world.deploy(app("web", 9), PolicyChoice::Annotated);
    world.run(1_800);
    assert_eq!((world.ready(&web), world.target_in("north", &web), world.checker.seen.unready), (6, 3, 0));
    world.order(godwit_hub_core::Command::Scale { workload: web.clone(), replicas: 15 });
    world.until("what was added runs", 60, |world| world.ready(&web) == 12);
    assert_eq!(world.target_in("north", &web), 3);
}

#[test]
fn s3_what_does_not_get_ready_in_one_cluster_is_moved_once() {
    let mut world = federation(&["east", "north", "west"]);
    let web = id("Deployment", "web");
    world.deploy(app("web", 9), PolicyChoice::Annotated);
    world.settles(90);
    let north = world.index("north");
    for pod in world.members[north].pod_names() {
        world.probe(north, &pod, false);
    }
    world.until("they run elsewhere", 400, |world| world.ready(&web) == 9);
    assert!(world.checker.seen.unready > 0);
    assert_eq!(world.target_in("north", &web), 0);
    let settled = world.targets();
    world.run(1_800);
    assert_eq!(world.targets(), settled);
}
