//! What is kept for a hub that has lost its store, and what it is told when it asks (S10).

use std::sync::Arc;
use std::time::Duration;

use godwit_agent_core::CallError;
use godwit_common::link::{Charter, Down, Recalled, RecalledObject, Targets, Up, WorkloadTarget};
use godwit_common::{Epoch, Uid};

use crate::world::{World, change, fence, key, object, tombstone, whole, workload};

fn charter(replicas: u32, entry: u64) -> Arc<Charter> {
    Arc::new(Charter {
        replicas,
        policy: "spread".parse().expect("a name"),
        number: 1,
        leader: None,
        supervised: false,
        objects: vec![(Uid(2), key("ConfigMap", "shop", "config"))],
        written: (Epoch(1), entry),
    })
}

fn chartered(entry: u64) -> WorkloadTarget {
    WorkloadTarget { charter: Some(charter(9, entry)), ..workload(1, "web", 1, 3) }
}

/// `web` and the ConfigMap that it leans on, applied.
fn applied() -> World {
    let mut world = World::leading();
    let config = object(2, "ConfigMap", "config", 4);
    world.send_targets(whole(fence(1, 1), vec![config], vec![chartered(7)]));
    world.until(|world| world.member.objects.len() == 2);
    world.advance(Duration::from_secs(10));
    world
}

fn ask(world: &mut World, known: &[(Uid, u64)]) -> Vec<RecalledObject> {
    let before = world.sent.len();
    world.hear(Down::Recall(known.into()));
    world.until(|world| world.sent.iter().skip(before).any(|(_, up)| *up == Up::Recalled(Recalled::End)));
    let told = world.sent.iter().skip(before).filter_map(|(_, up)| match up {
        Up::Recalled(Recalled::Object(object)) => Some(object.clone()),
        _ => None,
    });
    told.collect()
}

#[test]
fn s10_what_was_asked_for_is_kept_on_the_object() {
    let mut world = applied();
    assert_eq!(world.member.objects[&key("Deployment", "shop", "web")].charter, Some(charter(9, 7)));
    let applies = world.member.applies().len();
    world.send_targets(whole(fence(1, 2), vec![object(2, "ConfigMap", "config", 4)], vec![chartered(8)]));
    world.advance(Duration::from_secs(1));
    assert_eq!(world.member.objects[&key("Deployment", "shop", "web")].charter, Some(charter(9, 8)));
    assert_eq!(world.member.applies().len(), applies + 1, "the ConfigMap is as it was");
}

#[test]
fn s10_a_hub_that_asks_is_told_of_workloads_and_of_what_they_lean_on() {
    let world = applied();
    // The next agent has no rows: it knows of the ConfigMap by the charter alone.
    let mut world = world.restart();
    let mut told = ask(&mut world, &[]);
    told.sort_by_key(|object| object.uid);
    let [web, config] = &told[..] else { panic!("{told:?}") };
    assert_eq!((web.revision, web.manifest.as_deref()), (1, Some("{\"name\":\"web\"}")));
    assert_eq!(web.charter, Some(charter(9, 7)));
    assert_eq!((config.revision, config.manifest.as_deref()), (4, Some("{}")));
    assert_eq!((&config.key, &config.charter), (&key("ConfigMap", "shop", "config"), &None));
}

#[test]
fn s10_what_the_hub_has_is_not_sent_again() {
    let mut world = applied();
    let told = ask(&mut world, &[(Uid(1), 1), (Uid(2), 3)]);
    let manifests: Vec<(Uid, bool)> =
        told.iter().map(|object| (object.uid, object.manifest.is_some())).collect();
    assert_eq!(manifests, [(Uid(1), false), (Uid(2), true)]);
}

#[test]
fn s10_the_answer_ends_even_if_something_cannot_be_read() {
    let mut world = applied();
    world.member.fail = Some(|call| {
        matches!(call, godwit_agent_core::Call::Read { .. }).then(|| CallError::Unavailable("503".into()))
    });
    assert_eq!(ask(&mut world, &[(Uid(1), 1)]).len(), 1, "what needs no reading is told");
}

#[test]
fn s10_what_has_ended_here_and_was_found_elsewhere_lives_on() {
    let mut world = applied();
    let rows = |generation, workloads: Vec<WorkloadTarget>| whole(fence(1, generation), vec![], workloads);
    let ended = Targets { tombstones: vec![tombstone(1, "web")], ..rows(2, vec![]) };
    world.send_targets(ended);
    world.until(|world| world.member.deletes() == 1);
    // A later hub does not know of that end, and changes what is held.
    world.send_targets(change(fence(2, 3), vec![chartered(8)], &[chartered(8)]));
    world.advance(Duration::from_secs(30));
    assert!(world.member.objects.contains_key(&key("Deployment", "shop", "web")));
    assert_eq!(world.member.deletes(), 1, "it is not removed once more");
}
