//! What has gone wrong elsewhere, told here as it has to end: each story is one incident that a federation has had.

use std::time::Duration;

use godwit_common::policy::ClusterSelector;
use godwit_hub_core::{ClusterState, Command, DrainOrder, DrainState, DrainTerms, PolicyChoice};
use sim::happening::AgentId;
use sim::net::Way;
use sim::scenario::{Setup, cluster_name, id, weights, workload};
use sim::{World, app};

use super::{agent, connected, federation};

const BOTH: [Way; 2] = [Way::Up, Way::Down];
const TEN: [&str; 10] = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"];

fn even(name: &str, clusters: &[&str]) -> PolicyChoice {
    PolicyChoice::Inline(weights(name, &clusters.iter().map(|cluster| (*cluster, 1)).collect::<Vec<_>>()))
}

fn drain(world: &mut World, cluster: &str) {
    let within = Duration::from_secs(600);
    let terms = DrainTerms { within, max_surge: None, force: false, to: None };
    world.order(Command::Drain { cluster: cluster_name(cluster), order: DrainOrder::Start(terms) });
}

/// A control plane came back from an outage with a cache that was still empty, and removed what it did not find there.
#[test]
fn s27_a_workload_is_not_deleted_when_its_cluster_reconnects() {
    let mut world = federation(&["east", "west"]);
    let web = id("Deployment", "web");
    world.deploy(app("web", 10), even("even", &["east", "west"]));
    world.settles(60);
    let east = agent(&world, "east");
    for _ in 0..5 {
        world.cut(east, &BOTH);
        world.run(3);
        world.crash_hub(0, true);
        world.start_hub(0);
        world.mend_links(east);
        world.run(20);
    }
    world.settles(120);
    assert_eq!((world.ready(&web), world.checker.seen.removals), (10, 0));
    assert!(world.members.iter().all(|member| member.workload(&web).is_some()));
}

/// The only ready copies were stopped because the plan had no place for anything.
#[test]
fn s20_the_last_copies_stay_when_nothing_fits_anywhere() {
    let mut world = federation(&["east", "west"]);
    let web = id("Deployment", "web");
    world.deploy(app("web", 6), even("east", &["east"]));
    world.settles(60);
    let mut nobody = weights("east", &[]);
    nobody.placement.selector = ClusterSelector::of_names([cluster_name("nowhere")]);
    world.order(Command::ApplyPolicy(nobody));
    world.run(120);
    assert_eq!((world.ready(&web), world.view(&web).pending), (6, 6), "what has no place elsewhere stays");
}

/// Everything went to the first cluster of the list, which fell over.
#[test]
fn s19_what_a_lost_cluster_ran_is_spread_over_those_that_are_left() {
    let names = ["c0", "c1", "c2", "c3", "c4", "c5"];
    let mut world = federation(&names);
    for number in 0..6 {
        world.deploy(app(&format!("app-{number}"), 12), even(&format!("even-{number}"), &names));
    }
    world.settles(120);
    world.kill_cluster(0);
    world.until("it is given up", 20, |world| world.cluster("c0").state == ClusterState::Lost);
    let ready = |world: &World| {
        (0..6).map(|number| world.ready(&id("Deployment", &format!("app-{number}")))).sum::<u32>()
    };
    world.until("everything runs again", 120, |world| ready(world) == 72);
    for name in &names[1..] {
        let pods = world.members[world.index(name)].pods.len();
        assert!((12..=18).contains(&pods), "{name} runs {pods} of 72");
    }
}

/// A restarted agent had forgotten what it had accepted, and believed whoever spoke first.
#[test]
fn s10_an_agent_that_restarts_keeps_its_fence() {
    let mut world = connected(Setup { hubs: 2, ..Setup::of(9, &["east", "west"]) });
    world.checker.histories_may_fork = true;
    let web = id("Deployment", "web");
    world.deploy(app("web", 10), even("even", &["east", "west"]));
    world.settles(60);
    world.depose();
    world.run(1);
    world.start_hub(0);
    world.agent_ids().into_iter().for_each(|agent| world.reset(agent));
    let epoch = |world: &World| {
        let epoch =
            |member: &sim::member::Member| member.fence.as_ref().map(|fence| fence.record.fence.epoch.0);
        world.members.iter().all(|member| epoch(member) == Some(2))
    };
    world.until("the new leader is obeyed", 120, |world| {
        world.ready(&web) == 10 && world.hub().federation().freeze.is_none() && epoch(world)
    });
    // The agents restart while only the old leader is there, with wishes of its own.
    world.crash_hub(0, false);
    world.agent_ids().into_iter().for_each(|agent| world.crash_agent(agent, false));
    world.command(1, Command::Scale { workload: web.clone(), replicas: 2 });
    world.agent_ids().into_iter().for_each(|agent| world.start_agent(agent));
    world.run(60);
    assert_eq!(world.ready(&web), 10, "what the old leader wants is older than the fence");
}

/// The hub's own network went down, and everything was failed over.
#[test]
fn s6_a_hub_that_loses_its_network_moves_nothing() {
    let mut world = federation(&TEN);
    world.deploy(app("web", 100), even("even", &TEN));
    world.settles(120);
    let before = world.targets();
    let agents = world.agent_ids();
    agents.iter().for_each(|agent| world.cut(*agent, &BOTH));
    world.run(300);
    assert_eq!((world.targets(), world.checker.seen.losses), (before.clone(), 0));
    agents.iter().for_each(|agent| world.mend_links(*agent));
    world.until("the freeze has ended", 200, |world| world.hub().federation().freeze.is_none());
    world.settles(120);
    assert_eq!((world.targets(), world.checker.seen.losses), (before, 0));
}

/// Part of the hub's network went down: four of ten clusters. What moves, moves one cluster after the other, and back to
/// what was wanted once they are heard again.
#[test]
fn s6_a_hub_that_loses_forty_percent_of_its_network_gives_up_one_after_the_other() {
    let mut world = federation(&TEN);
    let web = id("Deployment", "web");
    world.deploy(app("web", 100), even("even", &TEN));
    world.settles(120);
    let cut: Vec<AgentId> = TEN[..4].iter().map(|name| agent(&world, name)).collect();
    cut.iter().for_each(|agent| world.cut(*agent, &BOTH));
    world.until("the first is given up", 20, |world| world.checker.seen.losses == 1);
    assert_eq!(world.checker.seen.losses, 1, "the others wait for it");
    cut.iter().for_each(|agent| world.mend_links(*agent));
    world.settles(200);
    assert!(world.checker.seen.losses < 4, "{} were given up", world.checker.seen.losses);
    world.until("the surplus has gone", 60, |world| world.ready(&web) == 100);
    assert_eq!(world.checker.seen.removals, 0);
}

/// A workload of one replica was down while its cluster was drained.
#[test]
fn s20_a_singleton_is_ready_throughout_a_drain() {
    let mut world = federation(&["east", "west"]);
    let one = id("Deployment", "one");
    world.deploy(app("one", 1), even("even", &["east", "west"]));
    world.settles(60);
    let home = world.placed(&one)[0].0.clone();
    drain(&mut world, &home);
    world.until("it has moved", 120, |world| {
        assert!(world.ready(&one) >= 1, "S20: nobody serves");
        world.ready_in(&home, &one) == 0
    });
    assert_eq!(world.ready(&one), 1);
}

/// The cluster that was receiving a drain's replicas died half way, and the drain went on to stop the rest.
#[test]
fn s22_a_drain_whose_target_dies_stops_nothing_more() {
    let mut world = federation(&["east", "north", "west"]);
    let web = id("Deployment", "web");
    world.deploy(app("web", 40), even("even", &["east", "west"]));
    world.settles(120);
    drain(&mut world, "east");
    world.until("it is half way", 120, |world| world.target_in("east", &web) <= 10);
    let west = world.index("west");
    world.kill_cluster(west);
    world.until("the hub notices", 8, |world| world.cluster("west").state == ClusterState::Suspect);
    let before = world.target_in("east", &web);
    world.run(12);
    assert_eq!(world.target_in("east", &web), before, "S22: what is left has nobody to rely on");
    world.revive_cluster(west);
    world.until("the drain is done", 600, |world| {
        let drain = world.cluster("east").drain;
        drain.is_some_and(|view| view.drain.state == DrainState::Done)
    });
    assert_eq!(world.ready(&web), 40);
}

/// A cluster was built anew under its old name, and was taken for the old one.
#[test]
fn s23_a_cluster_built_anew_under_a_known_name_is_refused() {
    let mut world = federation(&["east", "west"]);
    let web = id("Deployment", "web");
    world.deploy(app("web", 10), even("even", &["east", "west"]));
    world.settles(60);
    let east = world.index("east");
    let before = world.cluster("east").uid;
    world.kill_cluster(east);
    world.rebuild_cluster(east);
    world.revive_cluster(east);
    world.until("what it ran runs elsewhere", 120, |world| world.ready_in("west", &web) == 10);
    world.run(60);
    let view = world.cluster("east");
    assert_eq!((view.uid, view.state), (before, ClusterState::Lost), "S23: another UID is another cluster");
    assert!(
        world.members[east].objects.is_empty() && world.members[east].fence.is_none(),
        "it was told nothing"
    );
}

/// A hub came back with yesterday's store: what was deployed since is kept, what was deleted since does not come back
/// before an operator has looked.
#[test]
fn s10_a_hub_restored_from_yesterday_removes_nothing_and_starts_nothing() {
    let mut world = federation(&["east", "west"]);
    let (old, web, new) = (id("Deployment", "old"), id("Deployment", "web"), id("Deployment", "new"));
    world.deploy(app("old", 4), PolicyChoice::Annotated);
    world.deploy(app("web", 10), PolicyChoice::Annotated);
    world.settles(60);
    let yesterday = world.hubs[0].store.clone();
    world.order(Command::DeleteWorkload { workload: old.clone() });
    world.deploy(app("new", 6), PolicyChoice::Annotated);
    world.order(Command::Scale { workload: web.clone(), replicas: 14 });
    world.settles(300);
    let removals = world.checker.seen.removals;
    world.swap_store(yesterday);
    world.run(90);
    assert!(world.hub().federation().freeze.is_some(), "S10: it waits for an operator");
    assert_eq!((world.ready(&old), world.ready(&web), world.ready(&new)), (0, 14, 6));
    assert_eq!(world.checker.seen.removals, removals);
    world.order(Command::ReleaseFreeze);
    world.settles(300);
    assert_eq!((world.ready(&old), world.ready(&web), world.ready(&new)), (0, 14, 6), "it is today's truth");
    assert_eq!((world.checker.seen.removals, world.record(&old)), (removals, None));
}

/// A hub came back with no store at all: it is another federation, and nobody obeys it.
#[test]
fn s10_a_hub_with_an_empty_store_is_obeyed_by_nobody() {
    let mut world = federation(&["east", "west"]);
    let (web, store) = (id("Deployment", "web"), id("StatefulSet", "store"));
    world.deploy(app("web", 10), even("even", &["east", "west"]));
    world.deploy(workload("StatefulSet", "store", 3, 100, 1), PolicyChoice::Annotated);
    world.settles(90);
    let own = world.swap_store(Default::default());
    world.run(60);
    world.command(0, sim::scenario::deploy(app("web", 2), PolicyChoice::Annotated));
    world.run(60);
    assert_eq!((world.ready(&web), world.ready(&store), world.checker.seen.removals), (10, 3, 0));
    world.swap_store(own);
    world.run(30);
    world.settles(120);
    assert_eq!((world.ready(&web), world.ready(&store), world.checker.seen.removals), (10, 3, 0));
}
