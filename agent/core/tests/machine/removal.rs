//! Tombstones (S27, S28): the only thing that removes, one life at a time, and only when all of it is gone.

use std::time::Duration;

use godwit_agent_core::{Call, CallError};
use godwit_common::link::{ObjectTarget, Targets, Tombstone, Tombstoned, WorkloadTarget};
use godwit_common::{Generation, Uid};

use crate::world::{World, fence, key, object, tombstone, web, whole, workload};

fn is_removed(world: &World, uid: u128) -> bool {
    world.reports().any(|report| report.removed.contains(&Uid(uid)))
}

fn buried(targets: Targets, tombstones: Vec<Tombstone>) -> Targets {
    Targets { tombstones, ..targets }
}

fn state(generation: u64, objects: Vec<ObjectTarget>, workloads: Vec<WorkloadTarget>) -> Targets {
    whole(fence(1, generation), objects, workloads)
}

/// After that, whoever made the Lease is alone: nobody can still lead by one that was deleted.
const ALONE: Duration = Duration::from_secs(20);

/// Leads, and has for long.
fn alone() -> World {
    let mut world = World::leading();
    world.advance(ALONE);
    world
}

/// Holds `web` with a pod.
fn running() -> World {
    let mut world = alone();
    world.send_targets(state(1, vec![], vec![workload(1, "web", 1, 1)]));
    world.advance(Duration::from_secs(1));
    world.member.pod(&web(), "web-1", |_| {});
    world.advance(Duration::from_secs(1));
    world.member.calls.clear();
    world
}

#[test]
fn a_tombstone_removes_and_is_reported_only_when_the_pods_are_gone() {
    let mut world = running();
    world.send_targets(buried(state(2, vec![], vec![]), vec![tombstone(1, "web")]));
    world.advance(Duration::from_secs(20));
    assert!(world.member.objects.is_empty() && !is_removed(&world, 1));
    world.member.pod(&web(), "web-1", |pod| pod.terminating = true);
    world.advance(Duration::from_secs(5));
    assert!(!is_removed(&world, 1));
    let reads = world.member.calls.iter().filter(|call| matches!(call, Call::Read { .. }));
    assert_eq!(reads.count(), 0, "the watch says enough as long as it shows pods");
    world.member.pod_gone("shop", "web-1");
    world.advance(Duration::from_secs(1));
    assert!(is_removed(&world, 1));
    assert_eq!(world.member.deletes(), 1);
    let read = Call::Read { key: key("Deployment", "shop", "web"), pods: true };
    assert!(world.member.calls.contains(&read), "not found is read from the source before it is believed");
}

#[test]
fn what_a_whole_state_lacks_is_an_orphan_and_stays() {
    let mut world = running();
    world.send_targets(state(2, vec![], vec![]));
    world.advance(Duration::from_secs(60));
    assert_eq!((world.member.objects.len(), world.member.deletes()), (1, 0));
    let world = world.restart();
    let inventory = world.reports().next().unwrap();
    assert_eq!(inventory.statuses.len(), 1, "and is listed: {inventory:?}");
    assert_eq!((inventory.statuses[0].uid, inventory.statuses[0].pods), (Uid(1), 1));
}

#[test]
fn the_watch_is_not_believed_alone() {
    let mut world = running();
    world.member.blind = true;
    world.member.pod(&web(), "web-2", |_| {});
    world.member.blind = false;
    world.send_targets(buried(state(2, vec![], vec![]), vec![tombstone(1, "web")]));
    world.member.pod_gone("shop", "web-1");
    world.advance(Duration::from_secs(30));
    assert!(!is_removed(&world, 1), "a read still finds a pod that the watch has not shown");
    world.member.pod_gone("shop", "web-2");
    world.advance(Duration::from_secs(31));
    assert!(is_removed(&world, 1));
}

#[test]
fn only_the_very_life_is_deleted() {
    let mut world = running();
    let web = key("Deployment", "shop", "web");
    world.member.edit(&web, |object| object.stamp.as_mut().unwrap().uid = Uid(77));
    world.send_targets(buried(state(2, vec![], vec![]), vec![tombstone(1, "web")]));
    world.advance(Duration::from_secs(5));
    assert_eq!((world.member.objects.len(), world.member.deletes()), (1, 0));
    assert!(is_removed(&world, 1), "the old life is over all the same");
}

#[test]
fn s28_who_made_the_lease_calls_nothing_gone_while_another_may_still_lead() {
    let mut world = World::leading();
    world.send_targets(state(1, vec![], vec![workload(1, "web", 1, 0)]));
    world.advance(Duration::from_secs(1));
    world.send_targets(buried(state(2, vec![], vec![]), vec![tombstone(1, "web")]));
    world.advance(Duration::from_secs(5));
    let web = key("Deployment", "shop", "web");
    assert!(!world.member.objects.contains_key(&web) && !is_removed(&world, 1));
    let stamp = world.member.applies()[0].stamp;
    // An agent that led by the Lease before, which somebody deleted, has not noticed, and brings it back.
    world.member.create(&web);
    world.member.edit(&web, |object| object.stamp = Some(stamp));
    world.advance(Duration::from_secs(5));
    assert!(!world.member.objects.contains_key(&web) && !is_removed(&world, 1));
    world.advance(ALONE);
    assert!(is_removed(&world, 1));
}

#[test]
fn a_deletion_is_preconditioned_on_what_was_seen() {
    let mut world = running();
    let web = key("Deployment", "shop", "web");
    world.member.blind = true;
    world.member.edit(&web, |object| object.stamp = None);
    world.send_targets(buried(state(2, vec![], vec![]), vec![tombstone(1, "web")]));
    world.advance(Duration::from_secs(5));
    assert!(world.member.objects.contains_key(&web), "somebody took our label off meanwhile");
}

#[test]
fn the_next_life_under_the_name_waits_for_the_last_pod_of_the_former() {
    let mut world = running();
    let reborn = workload(2, "web", 1, 3);
    world.send_targets(buried(state(2, vec![], vec![reborn]), vec![tombstone(1, "web")]));
    world.advance(Duration::from_secs(30));
    assert!(world.member.applies().is_empty());
    world.member.pod_gone("shop", "web-1");
    world.advance(Duration::from_secs(1));
    let life = world.member.objects[&key("Deployment", "shop", "web")].stamp.unwrap().uid;
    assert_eq!((life, is_removed(&world, 1)), (Uid(2), true));
}

#[test]
fn without_a_tombstone_the_next_life_waits_and_says_so() {
    let mut world = running();
    world.send_targets(state(2, vec![], vec![workload(2, "web", 1, 3)]));
    world.advance(Duration::from_secs(30));
    assert!(world.member.applies().is_empty());
    let last = world.reports().flat_map(|report| &report.statuses).next_back().unwrap();
    assert!(last.problem.contains("former life"), "{}", last.problem);
}

#[test]
fn a_removal_is_repeated_in_every_inventory_until_the_hub_forgets_it() {
    let mut world = running();
    world.member.pod_gone("shop", "web-1");
    world.send_targets(buried(state(2, vec![], vec![]), vec![tombstone(1, "web")]));
    world.advance(Duration::from_secs(1));
    for forgotten in [false, true] {
        if forgotten {
            world.send_targets(state(3, vec![], vec![]));
            world.advance(Duration::from_secs(1));
        }
        world.cut();
        world.sent.clear();
        world.welcoming = true;
        world.until(|world| world.reports().any(|report| report.complete));
        assert_eq!(is_removed(&world, 1), !forgotten);
    }
}

#[test]
fn an_object_is_removed_by_its_own_tombstone() {
    let mut world = alone();
    world.send_targets(state(1, vec![object(5, "ConfigMap", "web", 1)], vec![]));
    world.advance(Duration::from_secs(1));
    let what = Tombstoned::Object(key("ConfigMap", "shop", "web"));
    world.send_targets(Targets {
        base: Generation(1),
        ..buried(state(2, vec![], vec![]), vec![Tombstone { uid: Uid(5), what }])
    });
    world.advance(Duration::from_secs(1));
    assert!(world.member.objects.is_empty() && is_removed(&world, 5));
}

#[test]
fn namespaces_definitions_and_volume_claims_are_left_in_place() {
    let mut world = World::leading();
    let (namespace, claim) =
        (object(5, "Namespace", "shop", 1), object(6, "PersistentVolumeClaim", "data", 1));
    world.send_targets(state(1, vec![namespace.clone(), claim.clone()], vec![]));
    world.advance(Duration::from_secs(1));
    let graves = [namespace, claim].map(|row| Tombstone { uid: row.uid, what: Tombstoned::Object(row.key) });
    world.send_targets(buried(state(2, vec![], vec![]), graves.to_vec()));
    world.advance(Duration::from_secs(5));
    assert_eq!((world.member.objects.len(), world.member.deletes()), (2, 0));
    assert!(is_removed(&world, 5) && is_removed(&world, 6));
    // A later life of the same name takes over what was left.
    let reborn = object(7, "PersistentVolumeClaim", "data", 1);
    world.send_targets(state(3, vec![reborn.clone()], vec![]));
    world.advance(Duration::from_secs(1));
    assert_eq!(world.member.objects[&reborn.key].stamp.unwrap().uid, Uid(7));
}

#[test]
fn a_refused_deletion_is_tried_again_and_reported() {
    let mut world = running();
    world.member.fail =
        Some(|call| matches!(call, Call::Delete { .. }).then(|| CallError::Refused("forbidden".into())));
    world.send_targets(buried(state(2, vec![], vec![]), vec![tombstone(1, "web")]));
    for _ in 0..60 {
        // However often the object changes meanwhile, the pace is kept.
        world.member.edit(&key("Deployment", "shop", "web"), |_| {});
        world.advance(Duration::from_secs(1));
    }
    let last = world.reports().flat_map(|report| &report.statuses).next_back().unwrap();
    assert_eq!((&*last.problem, last.exists), ("forbidden", true));
    assert!((4..15).contains(&world.member.deletes()), "{}", world.member.deletes());
    world.member.fail = None;
    world.member.pod_gone("shop", "web-1");
    world.advance(Duration::from_secs(31));
    assert!(is_removed(&world, 1));
}

#[test]
fn a_tombstone_that_the_hub_takes_back_blocks_nobody() {
    let mut world = running();
    let reborn = workload(2, "web", 1, 3);
    world.send_targets(buried(state(2, vec![], vec![reborn.clone()]), vec![tombstone(1, "web")]));
    world.advance(Duration::from_secs(10));
    assert!(world.member.applies().is_empty());
    world.send_targets(state(3, vec![], vec![reborn]));
    world.advance(Duration::from_secs(1));
    assert_eq!(world.member.applies().len(), 1);
}
