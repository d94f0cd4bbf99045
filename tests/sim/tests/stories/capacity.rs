//! Room: S14, S15.

use godwit_common::policy::{Drift, Fencing, Mode, Rule};
use godwit_hub_core::{Command, PolicyChoice};
use sim::app;
use sim::scenario::{Setup, cluster_name, id, weights};

use super::connected;

#[test]
fn s14_what_is_pending_is_placed_as_soon_as_room_appears() {
    let mut setup = Setup::of(3, &["east"]);
    setup.clusters[0].nodes = 1;
    setup.clusters[0].cpu_millis = 1_000;
    let mut world = connected(setup);
    let (first, second) = (id("Deployment", "first"), id("Deployment", "second"));
    world.deploy(app("first", 8), PolicyChoice::Annotated);
    let deployed = world.deploy(app("second", 5), PolicyChoice::Annotated);
    assert_eq!(deployed.workloads[0].pending, 3);
    assert!(!deployed.workloads[0].reasons.is_empty());
    world.until("what fits runs", 60, |world| world.ready(&first) + world.ready(&second) == 10);
    world.order(Command::Scale { workload: first.clone(), replicas: 5 });
    world.until("nothing is pending", 15, |world| world.view(&second).pending == 0);
    world.settles(60);
}

#[test]
fn s15_a_lost_cluster_is_placed_anew_against_one_ledger_of_room() {
    let mut setup = Setup::of(5, &["east", "north", "west"]);
    for cluster in &mut setup.clusters {
        (cluster.nodes, cluster.cpu_millis) = (2, 1_000);
    }
    let mut world = connected(setup);
    for number in 0..5 {
        world.deploy(app(&format!("app-{number}"), 9), PolicyChoice::Annotated);
    }
    world.settles(90);
    world.kill_cluster(0);
    world.until("east is given up", 20, |world| world.checker.seen.losses > 0);
    world.run(60);
    let stuck = world.members.iter().flat_map(|member| member.pods.values());
    assert_eq!(
        stuck.filter(|pod| pod.seen.unschedulable).count(),
        0,
        "nobody got more than there was room for"
    );
    let pending: u32 =
        (0..5).map(|number| world.view(&id("Deployment", &format!("app-{number}"))).pending).sum();
    assert_eq!(pending, 5, "of 45 replicas, the two clusters that are left take 40");
}

/// What is planned in one cluster waits for what somebody made by hand in another, for as long as that stands (S29). Its
/// room is promised, and nobody else gets it meanwhile.
#[test]
fn s15_room_is_kept_for_what_waits_for_copies_that_somebody_made_elsewhere() {
    let mut setup = Setup::of(11, &["east", "west"]);
    for cluster in &mut setup.clusters {
        (cluster.nodes, cluster.cpu_millis) = (1, 1_000);
    }
    let mut world = connected(setup);
    let (web, rest) = (id("Deployment", "web"), id("Deployment", "rest"));
    let mut even = weights("even", &[("east", 1)]);
    even.placement.motion.drift = Drift::Observe;
    even.placement.motion.mode = Mode::AtMost(Fencing::Confirm);
    let at_most_four = Rule::new(1, 0, Some(4)).expect("a rule within bounds");
    even.placement.clusters.insert(cluster_name("west"), at_most_four);
    world.deploy(app("web", 8), PolicyChoice::Inline(even));
    world.settles(60);
    let west = world.index("west");
    world.scale_by_hand(west, &web, 6);
    world.until("they run", 30, |world| world.ready(&web) == 10);
    world.order(Command::Scale { workload: web.clone(), replicas: 10 });
    world.deploy(app("rest", 20), PolicyChoice::Inline(weights("east", &[("east", 1)])));
    world.settles(60);
    world.run(60);
    world.settles(0);
    let ready = |world: &sim::World| (world.ready_in("east", &web), world.ready_in("east", &rest));
    assert_eq!(ready(&world), (4, 4), "of ten that fit there, two are promised");
    world.scale_by_hand(west, &web, 4);
    world.until("they start", 60, |world| ready(world) == (6, 4));
    world.settles(60);
}
