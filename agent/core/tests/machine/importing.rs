//! Objects that were imported are taken over, and no others (S34).

use std::time::Duration;

use godwit_common::Uid;
use godwit_common::link::{ObjectTarget, Original, Targets, WorkloadTarget};

use crate::world::{World, fence, key, object as object_row, tombstone, web, whole, workload};

const THERE: Uid = Uid(0xad);

/// What stands for what it said when it was imported.
const CONTENT: u64 = 0xc0;

fn row(uid: Uid) -> WorkloadTarget {
    WorkloadTarget { adopts: Some(Original { uid, content: CONTENT }), ..workload(1, "web", 1, 3) }
}

/// A cluster in which somebody runs three replicas.
fn with_theirs() -> World {
    let mut world = World::leading();
    let web = key("Deployment", "shop", "web");
    world.member.create(&web);
    world.member.edit(&web, |object| {
        (object.uid, object.replicas, object.content) = (THERE.to_string().into(), Some(3), CONTENT);
    });
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
fn s34_one_that_was_changed_since_is_not_written_over() {
    let mut world = with_theirs();
    let web = key("Deployment", "shop", "web");
    world.member.edit(&web, |object| object.content = 0xed);
    world.send_targets(whole(fence(1, 1), vec![], vec![row(THERE)]));
    world.advance(Duration::from_secs(5));
    assert!(world.member.objects[&web].stamp.is_none() && world.member.applies().is_empty());
    let said = world.reports().flat_map(|report| &report.statuses).next_back().expect("a status");
    assert!(said.problem.contains("changed since it was imported"), "{said:?}");
    // Put as it was, it is what was imported; its count never was part of that.
    world.member.edit(&web, |object| (object.content, object.replicas) = (CONTENT, Some(2)));
    world.advance(Duration::from_secs(60));
    let seen = &world.member.objects[&web];
    assert_eq!((seen.stamp.map(|stamp| stamp.uid), seen.replicas), (Some(Uid(1)), Some(3)));
}

#[test]
fn s34_what_was_imported_again_as_it_was_changed_is_taken_over_at_once() {
    let mut world = with_theirs();
    let (web, map) = (key("Deployment", "shop", "web"), key("ConfigMap", "shop", "web"));
    world.member.edit(&web, |object| object.content = 0xed);
    world.member.create(&map);
    world.member.edit(&map, |object| (object.uid, object.content) = (THERE.to_string().into(), CONTENT));
    let object = || object_row(9, "ConfigMap", "web", 1);
    world.send_targets(whole(fence(1, 1), vec![object()], vec![row(THERE)]));
    world.advance(Duration::from_secs(20));
    assert!(world.member.applies().is_empty());
    // The same rows, but for what may be taken over.
    let adopts = |content| Some(Original { uid: THERE, content });
    let objects = vec![ObjectTarget { adopts: adopts(CONTENT), ..object() }];
    let workloads = vec![WorkloadTarget { adopts: adopts(0xed), ..row(THERE) }];
    world.send_targets(whole(fence(1, 2), objects, workloads));
    world.advance(Duration::from_secs(1));
    let life = |key| world.member.objects[key].stamp.map(|stamp| stamp.uid);
    assert_eq!((life(&web), life(&map)), (Some(Uid(1)), Some(Uid(9))));
}

#[test]
fn s34_whoever_hands_it_over_as_it_was_deployed_has_his_way() {
    let mut world = with_theirs();
    let web = key("Deployment", "shop", "web");
    world.member.edit(&web, |object| (object.content, object.adopt) = (0xed, true));
    world.send_targets(whole(fence(1, 1), vec![], vec![row(THERE)]));
    world.advance(Duration::from_secs(5));
    assert_eq!(world.member.objects[&web].stamp.map(|stamp| stamp.uid), Some(Uid(1)));
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
    // Whoever imported it knew of no contents.
    let original = Original { uid: THERE, content: 0 };
    let row = ObjectTarget { adopts: Some(original), ..object_row(9, "ConfigMap", "web", 1) };
    world.send_targets(whole(fence(1, 1), vec![row], vec![]));
    world.advance(Duration::from_secs(2));
    assert_eq!(world.member.objects[&map].stamp.map(|stamp| stamp.uid), Some(Uid(9)));
}

#[test]
fn s28_what_never_became_godwits_outlives_the_end_of_what_it_stood_in_the_way_of() {
    let mut world = with_theirs();
    world.member.pod(&web(), "web-1", |_| {});
    world.send_targets(whole(fence(1, 1), vec![], vec![row(Uid(0xbad))]));
    world.advance(Duration::from_secs(30));
    let ended = Targets { tombstones: vec![tombstone(1, "web")], ..whole(fence(1, 2), vec![], vec![]) };
    world.send_targets(ended);
    world.advance(Duration::from_secs(120));
    assert!(
        world.reports().any(|report| report.removed.contains(&Uid(1))),
        "its pods are not those of the life"
    );
    assert_eq!((world.member.objects.len(), world.member.deletes()), (1, 0));
}
