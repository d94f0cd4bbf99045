//! Objects that were imported are taken over, and no others (S34).

use std::time::Duration;

use godwit_common::Uid;
use godwit_common::link::{ObjectTarget, WorkloadTarget};

use crate::world::{World, fence, key, object as object_row, whole, workload};

const THERE: Uid = Uid(0xad);

fn row(adopts: Uid) -> WorkloadTarget {
    WorkloadTarget { adopts: Some(adopts), ..workload(1, "web", 1, 3) }
}

/// A cluster in which somebody runs three replicas.
fn with_theirs() -> World {
    let mut world = World::leading();
    let web = key("Deployment", "shop", "web");
    world.member.create(&web);
    world.member.edit(&web, |object| (object.uid, object.replicas) = (THERE.to_string().into(), Some(3)));
    world
}

#[test]
fn s34_the_object_that_was_looked_at_becomes_godwits_as_it_is() {
    let mut world = with_theirs();
    world.send_targets(whole(fence(1, 1), vec![], vec![row(THERE)]));
    world.advance(Duration::from_secs(2));
    let seen = &world.member.objects[&key("Deployment", "shop", "web")];
    assert_eq!((seen.stamp.map(|stamp| stamp.uid), seen.replicas), (Some(Uid(1)), Some(3)));
    let applies = world.member.applies();
    assert_eq!(applies.len(), 1, "{applies:?}");
    assert!(applies[0].version.is_some(), "on condition that it is as it was seen");
}

#[test]
fn s34_one_that_was_made_anew_since_is_somebody_elses() {
    let mut world = with_theirs();
    world.send_targets(whole(fence(1, 1), vec![], vec![row(Uid(0xbad))]));
    world.advance(Duration::from_secs(5));
    let seen = &world.member.objects[&key("Deployment", "shop", "web")];
    assert!(seen.stamp.is_none() && world.member.applies().is_empty());
    let problem = world.reports().flat_map(|report| &report.statuses).next_back().expect("a status");
    assert!(problem.problem.contains("not managed by Godwit"), "{problem:?}");
}

#[test]
fn s34_what_an_autoscaler_has_set_meanwhile_goes_on() {
    let mut world = with_theirs();
    let web = key("Deployment", "shop", "web");
    world.member.edit(&web, |object| (object.autoscaled, object.replicas) = (true, Some(7)));
    world.send_targets(whole(fence(1, 1), vec![], vec![row(THERE)]));
    world.advance(Duration::from_secs(1));
    assert_eq!(world.member.applies()[0].replicas, Some(7));
}

#[test]
fn s34_objects_that_go_along_are_taken_over_in_the_same_way() {
    let mut world = World::leading();
    let map = key("ConfigMap", "shop", "web");
    world.member.create(&map);
    world.member.edit(&map, |object| object.uid = THERE.to_string().into());
    let row = ObjectTarget { adopts: Some(THERE), ..object_row(9, "ConfigMap", "web", 1) };
    world.send_targets(whole(fence(1, 1), vec![row], vec![]));
    world.advance(Duration::from_secs(2));
    assert_eq!(world.member.objects[&map].stamp.map(|stamp| stamp.uid), Some(Uid(9)));
}
