//! Deleting: S27, S28.

use godwit_hub_core::{Command, PolicyChoice};
use sim::net::Way;
use sim::scenario::{cluster_name, id};
use sim::{World, app};

use super::{agent, federation};

#[test]
fn s28_a_deletion_waits_for_an_absent_cluster_and_the_next_life_waits_for_it() {
    let mut world = federation(&["east", "west"]);
    let web = id("Deployment", "web");
    world.deploy(app("web", 10), PolicyChoice::Annotated);
    world.settles(300);
    let first = world.record(&web).expect("it is deployed").uid;
    let west = agent(&world, "west");
    world.cut(west, &[Way::Up, Way::Down]);
    world.run(6);

    world.order(Command::DeleteWorkload { workload: web.clone() });
    let waits_for_west_alone = |world: &World| {
        let view = world.hub().workload(first).expect("its end is remembered");
        view.deleting && view.deletion_pending_on == [cluster_name("west")]
    };
    world.until("only west is waited for", 30, waits_for_west_alone);
    assert_eq!(world.ready_in("west", &web), 5, "nobody has told it");

    world.deploy(app("web", 6), PolicyChoice::Annotated);
    world.until("the new life runs where the old one is gone", 60, |world| world.ready_in("east", &web) >= 3);
    world.mend_links(west);
    world.settles(300);
    assert_eq!((world.ready(&web), world.ended().len()), (6, 0));
    assert_ne!(world.record(&web).expect("it is deployed").uid, first);
}

#[test]
fn s28_an_object_that_is_shared_goes_with_its_last_user() {
    let mut world = federation(&["east"]);
    let (mut web, mut api) = (app("web", 2), app("api", 2));
    web.objects.push(app("shared", 0).objects.remove(0));
    api.objects.push(app("shared", 0).objects.remove(0));
    world.deploy(web, PolicyChoice::Annotated);
    world.deploy(api, PolicyChoice::Annotated);
    world.settles(300);
    let objects =
        |world: &World| world.members[0].objects.keys().filter(|key| &*key.kind == "ConfigMap").count();
    assert_eq!(objects(&world), 3);
    world.order(Command::DeleteWorkload { workload: id("Deployment", "web") });
    world.settles(300);
    assert_eq!(objects(&world), 2);
    world.order(Command::DeleteWorkload { workload: id("Deployment", "api") });
    world.settles(300);
    assert_eq!((objects(&world), world.members[0].pods.len()), (0, 0));
}
