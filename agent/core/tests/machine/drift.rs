//! What somebody changes by hand (S29).

use std::time::Duration;

use godwit_agent_core::Log;
use godwit_common::link::{Difference, ObjectTarget, Status, WorkloadTarget};

use crate::world::{World, change, fence, key, object as object_row, web, whole, workload};

/// A world that holds two copies, whose policy lets drift be.
fn tolerant() -> World {
    let mut world = World::leading();
    world.send_targets(whole(fence(1, 1), vec![], vec![row(1, 2)]));
    world.advance(Duration::from_secs(10));
    assert_eq!(replicas(&world), Some(2));
    world.member.calls.clear();
    world
}

fn row(revision: u64, replicas: u32) -> WorkloadTarget {
    WorkloadTarget { tolerates_drift: true, ..workload(1, "web", revision, replicas) }
}

fn object() -> godwit_common::ObjectKey {
    key("Deployment", "shop", "web")
}

fn replicas(world: &World) -> Option<u32> {
    world.member.objects.get(&object())?.replicas
}

fn told(world: &World) -> Status {
    let mut statuses = world.reports().flat_map(|report| &report.statuses);
    statuses.rfind(|status| status.workload == web()).expect("a status").clone()
}

#[test]
fn s29_what_is_scaled_by_hand_stays_and_is_told() {
    let mut world = tolerant();
    world.member.edit(&object(), |object| object.replicas = Some(9));
    world.advance(Duration::from_secs(60));
    assert_eq!((replicas(&world), world.member.applies().len()), (Some(9), 0));
    let status = told(&world);
    assert_eq!((status.difference, status.replicas), (Some(Difference::Scaled), 9));
    let logged = world.logs.iter().filter(|line| matches!(line, Log::Left { .. })).count();
    assert_eq!(logged, 1);
    // Somebody takes it back.
    world.member.edit(&object(), |object| object.replicas = Some(2));
    world.advance(Duration::from_secs(5));
    assert_eq!(told(&world).difference, None);
}

#[test]
fn s29_what_the_hub_wants_anew_is_written_over_it() {
    for (revision, count) in [(1, 3), (2, 2)] {
        let mut world = tolerant();
        world.member.edit(&object(), |object| object.replicas = Some(9));
        world.advance(Duration::from_secs(5));
        let web = row(revision, count);
        world.send_targets(change(fence(1, 2), vec![web.clone()], &[web]));
        world.advance(Duration::from_secs(5));
        assert_eq!((replicas(&world), told(&world).difference), (Some(count), None));
        assert_eq!(world.reports().last().expect("a report").reflects.0, 2);
    }
}

#[test]
fn s29_a_number_that_is_taken_over_is_no_drift_any_more() {
    let mut world = tolerant();
    world.member.edit(&object(), |object| object.replicas = Some(9));
    world.advance(Duration::from_secs(5));
    let web = row(1, 9);
    world.send_targets(change(fence(1, 2), vec![web.clone()], &[web]));
    world.advance(Duration::from_secs(5));
    assert_eq!((world.member.applies().len(), told(&world).difference), (0, None));
    assert_eq!(world.reports().last().expect("a report").reflects.0, 2);
}

#[test]
fn s29_what_is_deleted_by_hand_stays_deleted_until_the_hub_wants_something_else() {
    let mut world = tolerant();
    world.member.vanish(&object());
    world.advance(Duration::from_secs(60));
    assert!(world.member.objects.is_empty() && world.member.applies().is_empty());
    let status = told(&world);
    assert_eq!((status.difference, status.exists), (Some(Difference::Deleted), false));
    let web = row(1, 3);
    world.send_targets(change(fence(1, 2), vec![web.clone()], &[web]));
    world.advance(Duration::from_secs(5));
    assert_eq!((replicas(&world), told(&world).difference), (Some(3), None));
}

#[test]
fn s29_an_agent_that_starts_anew_knows_from_the_row_what_was_changed_by_hand() {
    for shown in [true, false] {
        let mut world = tolerant();
        world.member.vanish(&object());
        world.advance(Duration::from_secs(5));
        let mut world = world.restart();
        let web = WorkloadTarget { shown, ..row(1, 2) };
        world.send_targets(whole(fence(1, 1), vec![], vec![web]));
        world.advance(Duration::from_secs(10));
        assert_eq!(replicas(&world).is_none(), shown, "what was never shown is made");
        assert_eq!(told(&world).difference.is_some(), shown);
    }
}

#[test]
fn s29_drift_that_is_not_let_be_any_more_is_set_right_at_once() {
    let mut world = tolerant();
    world.member.edit(&object(), |object| object.replicas = Some(9));
    world.advance(Duration::from_secs(5));
    let web = workload(1, "web", 1, 2);
    world.send_targets(change(fence(1, 2), vec![web.clone()], &[web]));
    world.advance(Duration::from_secs(10));
    assert_eq!((replicas(&world), told(&world).difference), (Some(2), None));
}

#[test]
fn s29_the_count_is_left_to_an_autoscaler_whatever_the_policy_says() {
    let mut world = World::leading();
    world.send_targets(whole(fence(1, 1), vec![], vec![workload(1, "web", 1, 2)]));
    world.advance(Duration::from_secs(10));
    let autoscale = |world: &mut World, count| {
        world.member.edit(&object(), |object| (object.replicas, object.autoscaled) = (Some(count), true));
        world.advance(Duration::from_secs(10));
        assert_eq!((replicas(world), told(world).difference), (Some(count), Some(Difference::Autoscaled)));
    };
    autoscale(&mut world, 7);
    // Another revision keeps the autoscaler's count; another count is where it begins anew.
    let next = |world: &mut World, generation, revision, count| {
        let row = workload(1, "web", revision, count);
        world.send_targets(change(fence(1, generation), vec![row.clone()], &[row]));
        world.advance(Duration::from_secs(10));
        assert_eq!(world.member.objects[&object()].stamp.expect("ours").revision, revision);
        assert_eq!(world.reports().last().expect("a report").reflects.0, generation);
        replicas(world)
    };
    assert_eq!(next(&mut world, 2, 2, 2), Some(7));
    assert_eq!(next(&mut world, 3, 2, 4), Some(4));
    autoscale(&mut world, 6);
    assert_eq!(next(&mut world, 4, 2, 0), Some(0), "zero is the end of its work");
}

#[test]
fn s29_what_is_told_again_is_meant() {
    let mut world = tolerant();
    world.member.edit(&object(), |object| object.replicas = Some(9));
    world.advance(Duration::from_secs(5));
    for (shown, expected) in [(true, 9), (false, 2)] {
        let web = WorkloadTarget { shown, ..row(1, 2) };
        world.send_targets(whole(fence(1, if shown { 2 } else { 3 }), vec![], vec![web]));
        world.advance(Duration::from_secs(10));
        assert_eq!(replicas(&world), Some(expected));
    }
    assert_eq!(told(&world).difference, None);
}

const IMAGE: &str = ".spec.template.spec.containers[name=\"web\"].image (by kubectl-set)";

/// What the hub was told last of the fields of a row.
fn edits(world: &World, uid: u128) -> Option<String> {
    let mut edits = world.reports().flat_map(|report| &report.edits);
    edits.rfind(|edit| edit.uid.0 == uid).map(|edit| edit.fields.to_string())
}

fn edit_image(world: &mut World) {
    world.member.edit(&object(), |object| object.altered = IMAGE.into());
}

#[test]
fn s29_fields_that_are_changed_by_hand_are_set_right_soon() {
    let mut world = World::leading();
    let rows = (vec![object_row(9, "ConfigMap", "web", 1)], vec![workload(1, "web", 1, 2)]);
    world.send_targets(whole(fence(1, 1), rows.0, rows.1));
    world.advance(Duration::from_secs(10));
    for key in [object(), key("ConfigMap", "shop", "web")] {
        world.member.calls.clear();
        world.member.edit(&key, |object| object.altered = IMAGE.into());
        world.advance(Duration::from_secs(5));
        assert_eq!(world.member.objects[&key].altered, "".into());
        let applies = world.member.applies();
        assert!(matches!(applies[..], [apply] if apply.force && !apply.dry_run), "{applies:?}");
    }
    assert_eq!((edits(&world, 1), edits(&world, 9)), (None, None), "what is set right is no news");
}

#[test]
fn s29_fields_that_are_changed_by_hand_stay_and_are_told_where_that_is_let() {
    let mut world = World::leading();
    let map = ObjectTarget { tolerates_drift: true, ..object_row(9, "ConfigMap", "web", 1) };
    world.send_targets(whole(fence(1, 1), vec![map.clone()], vec![row(1, 2)]));
    world.advance(Duration::from_secs(10));
    world.member.calls.clear();
    edit_image(&mut world);
    world.member.edit(&map.key, |object| object.altered = ".data.x (taken away)".into());
    world.advance(Duration::from_secs(60));
    assert!(world.member.applies().is_empty(), "what an apply leaves is known from the first one");
    assert_eq!(edits(&world, 1).as_deref(), Some(IMAGE));
    assert_eq!(edits(&world, 9).as_deref(), Some(".data.x (taken away)"));
    assert_eq!(told(&world).difference, None, "its count is as it was told");
    let logged = world.logs.iter().filter(|line| matches!(line, Log::Edited { .. })).count();
    assert_eq!(logged, 2, "each once");
    // Somebody takes it back.
    world.member.edit(&map.key, |object| object.altered = "".into());
    world.advance(Duration::from_secs(5));
    assert_eq!(edits(&world, 9).as_deref(), Some(""));
    // What the hub wants anew is written over the rest.
    let web = row(1, 3);
    world.send_targets(whole(fence(1, 2), vec![map], vec![web]));
    world.advance(Duration::from_secs(5));
    assert_eq!((replicas(&world), edits(&world, 1).as_deref()), (Some(3), Some("")));
    assert_eq!(world.member.objects[&object()].altered, "".into());
}

#[test]
fn s29_an_agent_that_starts_anew_tells_what_was_edited_from_what_no_apply_keeps() {
    for unkept in [true, false] {
        let mut world = tolerant();
        edit_image(&mut world);
        world.advance(Duration::from_secs(5));
        let mut world = world.restart();
        if unkept {
            world.member.unkept.insert(object(), IMAGE.into());
        }
        let web = WorkloadTarget { shown: true, ..row(1, 2) };
        world.send_targets(whole(fence(1, 1), vec![], vec![web]));
        world.advance(Duration::from_secs(20));
        let applies = world.member.applies();
        assert!(matches!(applies[..], [apply] if apply.dry_run), "one look: {applies:?}");
        assert_eq!(edits(&world, 1).as_deref(), (!unkept).then_some(IMAGE));
    }
}

#[test]
fn s29_what_no_apply_keeps_is_not_set_right_for_ever() {
    let mut world = World::leading();
    world.member.unkept.insert(object(), IMAGE.into());
    world.send_targets(whole(fence(1, 1), vec![], vec![workload(1, "web", 1, 2)]));
    world.advance(Duration::from_secs(300));
    assert_eq!((world.member.applies().len(), told(&world).problem), (1, "".into()));
    let mut world = world.restart();
    world.send_targets(whole(fence(1, 1), vec![], vec![workload(1, "web", 1, 2)]));
    world.advance(Duration::from_secs(300));
    assert_eq!(world.member.applies().len(), 1, "one that tells what it leaves");
}

#[test]
fn s29_a_note_on_an_object_is_no_reason_to_write_over_what_is_left() {
    let mut world = tolerant();
    edit_image(&mut world);
    world.advance(Duration::from_secs(5));
    let charter = godwit_common::link::Charter {
        replicas: 9,
        policy: "fair".parse().expect("a name"),
        number: 1,
        leader: None,
        objects: Vec::new(),
        supervised: false,
        written: Default::default(),
    };
    let web = WorkloadTarget { charter: Some(charter.into()), shown: true, ..row(1, 2) };
    world.send_targets(change(fence(1, 2), vec![web.clone()], &[web]));
    world.advance(Duration::from_secs(10));
    assert!(world.member.applies().is_empty());
    assert_eq!(edits(&world, 1).as_deref(), Some(IMAGE));
}
