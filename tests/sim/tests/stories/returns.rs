//! Lost clusters come back: who survives, and what goes back: S12, S13, S20.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use godwit_common::policy::{FailBack, Survivor};
use godwit_hub_core::{Config, MigrationCause, Policy, PolicyChoice, Record};
use sim::net::Way;
use sim::scenario::{cluster_name, id, weights};
use sim::{Setup, World, app};

use super::{agent, connected};

const THREE: [&str; 3] = ["east", "north", "west"];

/// Sixty replicas over three clusters, twenty in each; what goes back does so within minutes.
fn sixty(survivor: Survivor, fail_back: FailBack) -> World {
    let [fail_back_after, fail_back_pause] = [60, 20].map(Duration::from_secs);
    let hub = Config { fail_back_after, fail_back_pause, ..Config::default() };
    let mut world = connected(Setup { hub, ..Setup::of(7, &THREE) });
    let mut policy: Policy = weights("returning", &[("east", 1), ("north", 1), ("west", 1)]);
    (policy.placement.motion.survivor, policy.placement.motion.fail_back) = (survivor, fail_back);
    world.deploy(app("web", 60), PolicyChoice::Inline(policy));
    world.settles(120);
    world
}

/// Cuts a cluster off until its replicas run elsewhere, and reconnects it.
fn cut_off_and_return(world: &mut World, cluster: &str) {
    let web = id("Deployment", "web");
    let cut = agent(world, cluster);
    world.cut(cut, &[Way::Up, Way::Down]);
    world.until("copies run elsewhere", 60, |world| world.ready(&web) == 80);
    assert_eq!(world.view(&web).possible_over_run, 20, "S8: what may run twice is stated");
    world.mend_links(cut);
}

/// The pods of a cluster, by their names.
fn pods(world: &World, cluster: &str) -> BTreeSet<Arc<str>> {
    let member = &world.members[world.index(cluster)];
    member.pods_of(&id("Deployment", "web")).map(|pod| pod.seen.name.clone()).collect()
}

/// How many migrations there are with this cause.
fn caused(world: &World, cause: &MigrationCause) -> usize {
    let records = world.hubs[0].store.values();
    records.filter(|record| matches!(record, Record::Migration(one) if one.cause == *cause)).count()
}

#[test]
fn s12_old_copies_do_not_linger_after_a_return() {
    for survivor in Survivor::ALL {
        let mut world = sixty(survivor, FailBack::Never);
        let web = id("Deployment", "web");
        let originals = pods(&world, "east");
        cut_off_and_return(&mut world, "east");
        let gone = |world: &World| {
            assert!(world.ready(&web) >= 60, "S20: only {} are ready", world.ready(&web));
            let all: usize = THREE.iter().map(|name| pods(world, name).len()).sum();
            all == 60 && world.ready(&web) == 60
        };
        world.until("the surplus has gone", 60, gone);
        world.settles(60);
        assert_eq!(world.view(&web).possible_over_run, 0);
        match survivor {
            Survivor::KeepReplacement => {
                assert_eq!(world.placed(&web), [("north".to_owned(), 30), ("west".to_owned(), 30)]);
            }
            Survivor::KeepOriginal | Survivor::LongestRunning => {
                assert_eq!(pods(&world, "east"), originals, "the very same run on");
                assert_eq!(caused(&world, &MigrationCause::Returned(cluster_name("east"))), 1);
            }
        }
    }
}

#[test]
fn s12_originals_that_were_started_again_have_not_run_the_longest() {
    let mut world = sixty(Survivor::LongestRunning, FailBack::Never);
    let web = id("Deployment", "web");
    let east = world.index("east");
    world.kill_cluster(east);
    world.until("copies run elsewhere", 60, |world| world.ready(&web) == 60);
    world.run(60);
    let agent = agent(&world, "east");
    world.agents[agent.cluster][agent.agent].held_down = true;
    world.revive_cluster(east);
    world.until("its pods are started again", 60, |world| world.ready_in("east", &web) == 20);
    world.agents[agent.cluster][agent.agent].held_down = false;
    world.start_agent(agent);
    world.until("they have gone", 60, |world| world.ready_in("east", &web) == 0);
    world.settles(60);
    assert_eq!(world.placed(&web), [("north".to_owned(), 30), ("west".to_owned(), 30)]);
}

#[test]
fn s12_originals_that_died_with_their_cluster_are_not_waited_for() {
    let mut world = sixty(Survivor::KeepOriginal, FailBack::Never);
    let web = id("Deployment", "web");
    let east = world.index("east");
    world.kill_cluster(east);
    world.until("copies run elsewhere", 60, |world| world.ready(&web) == 60);
    world.revive_cluster(east);
    world.run(30);
    world.settles(120);
    assert!(world.ready(&web) == 60 && world.target_in("east", &web) < 20, "{:?}", world.placed(&web));
}

#[test]
fn s13_two_of_three_are_lost_and_their_replicas_go_back_step_by_step() {
    let mut world = sixty(Survivor::KeepReplacement, FailBack::Gradual);
    let web = id("Deployment", "web");
    let two = ["east", "north"].map(|name| world.index(name));
    two.into_iter().for_each(|cluster| world.kill_cluster(cluster));
    world.until("the one that is left runs everything", 90, |world| world.ready_in("west", &web) == 60);
    assert_eq!(world.checker.seen.freezes, 0, "S6: only the loss of all three freezes");

    two.into_iter().for_each(|cluster| world.revive_cluster(cluster));
    world.run(60);
    assert_eq!(world.placed(&web), [("west".to_owned(), 60)], "they are not stable yet");
    let back = |world: &World| {
        assert!(world.ready(&web) >= 60, "S20: only {} are ready", world.ready(&web));
        THREE.iter().all(|name| world.ready_in(name, &web) == 20)
    };
    world.until("each has its own again", 600, back);
    world.settles(60);
    let steps = two.map(|cluster| {
        let name = world.members[cluster].name.clone();
        caused(&world, &MigrationCause::FailedBack(name))
    });
    assert_eq!(steps, [4, 4], "a tenth of sixty each time");
}

#[test]
fn s13_a_cluster_that_breaks_away_again_is_not_given_more() {
    let mut world = sixty(Survivor::KeepReplacement, FailBack::Gradual);
    let web = id("Deployment", "web");
    cut_off_and_return(&mut world, "east");
    for _ in 0..4 {
        world.run(50);
        let east = agent(&world, "east");
        world.cut(east, &[Way::Up, Way::Down]);
        world.run(7);
        world.mend_links(east);
        assert_eq!(world.target_in("east", &web), 0, "it has never been stable for long enough");
    }
    world.until("it has them all", 600, |world| world.ready_in("east", &web) == 20);
    world.settles(60);
}
