//! Workloads of which only the count is Godwit's (S33): nothing else of their objects is written, marked or removed.

use std::time::Duration;

use godwit_agent_core::{Call, ObjectSeen};
use godwit_common::link::{Difference, Status, Tombstone, Tombstoned, WorkloadTarget};
use godwit_common::{ObjectKey, Uid};

use crate::world::{World, change, fence, key, web, whole, workload};

fn row(replicas: u32) -> WorkloadTarget {
    WorkloadTarget { scale_only: true, ..workload(1, "web", 1, replicas) }
}

fn object() -> ObjectKey {
    key("Deployment", "shop", "web")
}

/// As GitOps makes it.
fn given(world: &mut World) {
    world.member.create(&object());
    world.member.edit(&object(), |object| object.scaled = true);
}

fn seen(world: &World) -> &ObjectSeen {
    &world.member.objects[&object()]
}

fn last(world: &World) -> Status {
    let mut statuses = world.reports().flat_map(|report| &report.statuses);
    statuses.rfind(|status| status.workload == web()).expect("a status").clone()
}

fn holding() -> World {
    let mut world = World::leading();
    given(&mut world);
    world.send_targets(whole(fence(1, 1), vec![], vec![row(3)]));
    world.advance(Duration::from_secs(2));
    assert_eq!(seen(&world).replicas, Some(3));
    world
}

#[test]
fn an_object_that_is_not_there_is_waited_for_and_not_made() {
    let mut world = World::leading();
    world.send_targets(whole(fence(1, 1), vec![], vec![row(3)]));
    world.advance(Duration::from_secs(5));
    assert!(world.member.objects.is_empty() && world.member.applies().is_empty());
    assert_eq!((&*last(&world).problem, last(&world).exists), ("waits for GitOps to create it", false));
    assert_eq!(world.reports().last().expect("a report").reflects.0, 1, "it holds nothing else up");
    given(&mut world);
    world.advance(Duration::from_secs(1));
    assert_eq!(seen(&world).replicas, Some(3));
    let status = last(&world);
    assert_eq!((status.uid, status.revision, status.replicas, &*status.problem), (Uid(1), 1, 3, ""));
}

#[test]
fn nothing_but_the_count_is_written() {
    let mut world = holding();
    assert!(world.member.applies().iter().all(|apply| apply.scale_only && apply.version.is_some()));
    assert_eq!((seen(&world).stamp, &seen(&world).charter), (None, &None));
    let next = row(5);
    world.send_targets(change(fence(1, 2), vec![next.clone()], &[next]));
    world.advance(Duration::from_secs(2));
    assert_eq!((seen(&world).replicas, seen(&world).stamp), (Some(5), None));
    world.member.calls.clear();
    world.member.edit(&object(), |object| object.altered = ".spec.template (by argocd)".into());
    world.advance(Duration::from_secs(60));
    assert!(world.member.applies().is_empty(), "what else changes is nobody's business here");
}

#[test]
fn whoever_does_not_leave_the_count_to_godwit_keeps_it() {
    let mut world = World::leading();
    world.member.create(&object());
    world.send_targets(whole(fence(1, 1), vec![], vec![row(3)]));
    world.advance(Duration::from_secs(60));
    assert_eq!((seen(&world).replicas, world.member.applies().len()), (Some(1), 0));
    assert!(
        last(&world).problem.contains("lacks the label godwit.dev/mode: scale-only"),
        "{:?}",
        last(&world)
    );
    world.member.edit(&object(), |object| object.scaled = true);
    world.advance(Duration::from_secs(1));
    assert_eq!(seen(&world).replicas, Some(3));
}

#[test]
fn s29_a_count_that_was_changed_by_hand_is_set_right_or_left_as_the_policy_says() {
    let mut world = holding();
    world.member.edit(&object(), |object| object.replicas = Some(9));
    world.advance(Duration::from_secs(10));
    assert_eq!(seen(&world).replicas, Some(3));
    world.member.edit(&object(), |object| (object.replicas, object.autoscaled) = (Some(7), true));
    world.advance(Duration::from_secs(10));
    assert_eq!((seen(&world).replicas, last(&world).difference), (Some(7), Some(Difference::Autoscaled)));
    let lenient = WorkloadTarget { tolerates_drift: true, ..row(4) };
    world.send_targets(change(fence(1, 2), vec![lenient.clone()], &[lenient]));
    world.advance(Duration::from_secs(10));
    assert_eq!((seen(&world).replicas, last(&world).difference), (Some(4), None));
    world.member.edit(&object(), |object| object.replicas = Some(9));
    world.advance(Duration::from_secs(10));
    assert_eq!((seen(&world).replicas, last(&world).difference), (Some(9), Some(Difference::Scaled)));
}

#[test]
fn an_agent_that_starts_anew_sees_it_and_says_whose_it_is_when_it_is_told() {
    let mut world = holding();
    world.member.pod(&web(), "web-1", |_| {});
    world.advance(Duration::from_secs(1));
    let mut world = world.restart();
    let inventory = world.reports().next().expect("an inventory");
    let [status] = inventory.statuses.as_slice() else { panic!("{inventory:?}") };
    assert_eq!((&status.workload, status.uid, status.replicas, status.pods), (&web(), Uid(0), 3, 1));
    world.send_targets(whole(fence(1, 1), vec![], vec![row(3)]));
    world.advance(Duration::from_secs(2));
    assert_eq!((last(&world).uid, last(&world).revision), (Uid(1), 1));
}

#[test]
fn s28_what_is_taken_out_stays_as_it_is() {
    let mut world = holding();
    world.member.pod(&web(), "web-1", |_| {});
    world.advance(Duration::from_secs(20));
    world.member.calls.clear();
    let what = Tombstoned::Scaled { workload: web(), api_version: "apps/v1".into() };
    let mut targets = whole(fence(1, 2), vec![], vec![]);
    targets.tombstones = vec![Tombstone { uid: Uid(1), what }];
    world.send_targets(targets);
    world.advance(Duration::from_secs(2));
    assert!(world.reports().any(|report| report.removed.contains(&Uid(1))));
    assert_eq!(seen(&world).replicas, Some(3));
    assert!(!world.member.calls.iter().any(|call| matches!(call, Call::Delete { .. } | Call::Apply(_))));
}
