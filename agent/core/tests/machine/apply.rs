//! How rows are applied (S26, S29): in order, bounded, idempotent, and never over what is not ours.

use std::time::Duration;

use godwit_agent_core::{Call, CallError, Log, Stamp};
use godwit_common::link::Targets;
use godwit_common::{Uid, WorkloadId};

use crate::world::{World, change, config, fence, key, object, web, whole, workload};

fn kinds_applied(world: &World) -> Vec<&str> {
    world.member.applies().iter().map(|apply| &*apply.key.kind).collect()
}

fn problem(world: &World) -> String {
    let mut statuses = world.reports().flat_map(|report| &report.statuses);
    let last = statuses.rfind(|status| status.workload == web());
    last.map_or(String::new(), |status| status.problem.to_string())
}

fn replicas(world: &World) -> Option<u32> {
    world.member.objects.get(&key("Deployment", "shop", "web"))?.replicas
}

fn two() -> Targets {
    whole(fence(1, 1), vec![], vec![workload(1, "web", 1, 2)])
}

/// Holds `web` with two replicas, long enough ago that nothing of it is under way.
fn settled() -> World {
    let mut world = World::leading();
    world.send_targets(two());
    world.advance(Duration::from_secs(10));
    world.member.calls.clear();
    world
}

#[test]
fn namespaces_go_first_then_objects_then_workloads() {
    let mut world = World::leading();
    let objects = vec![
        object(5, "ConfigMap", "web", 1),
        object(6, "Service", "web", 1),
        object(9, "Namespace", "shop", 1),
    ];
    world.send_targets(whole(fence(1, 1), objects, vec![workload(1, "web", 1, 2)]));
    world.advance(Duration::from_secs(1));
    assert_eq!(kinds_applied(&world), ["Namespace", "ConfigMap", "Service", "Deployment"]);
    let stamps: Vec<Stamp> = world.member.applies().iter().map(|apply| apply.stamp).collect();
    assert!(stamps.iter().all(|stamp| stamp.fence == fence(1, 1) && stamp.term.transitions.0 == 1));
    assert_eq!(stamps[3].uid, Uid(1));
}

#[test]
fn a_bounded_number_is_under_way_at_once() {
    let all = |replicas| (1..=100).map(|uid| workload(uid, &format!("w{uid}"), 1, replicas)).collect();
    let mut world = World::leading();
    world.send_targets(whole(fence(1, 1), vec![], all(1)));
    world.member.mute = true;
    world.send_targets(whole(fence(1, 2), vec![], all(2)));
    // The swap of the fence goes through, the writes do not.
    world.member.answer_one();
    world.settle();
    assert_eq!(world.member.muted.len(), config().calls_in_flight);
    world.member.unmute();
    world.advance(Duration::from_secs(10));
    assert!(world.member.objects.values().all(|object| object.replicas == Some(2)));
}

#[test]
fn a_failing_row_holds_nobody_up_and_says_why() {
    let mut world = World::leading();
    world.member.fail = Some(|call| match call {
        Call::Apply(apply) if &*apply.key.kind == "ConfigMap" => {
            Some(CallError::Refused("data is not valid".into()))
        }
        _ => None,
    });
    let objects = vec![object(5, "ConfigMap", "web", 1)];
    world.send_targets(whole(fence(1, 1), objects, vec![workload(1, "web", 1, 2)]));
    world.advance(Duration::from_secs(60));
    assert_eq!(replicas(&world), Some(2));
    assert_eq!(problem(&world), "ConfigMap shop/web: data is not valid");
    assert_eq!(world.reports().last().unwrap().reflects.0, 1, "a failure is not waited for");
    let tries = kinds_applied(&world).iter().filter(|kind| **kind == "ConfigMap").count();
    assert!((4..12).contains(&tries), "with growing waits: {tries}");
    let told = world.logs.iter().filter(|line| matches!(line, Log::Problem { .. })).count();
    assert_eq!(told, 1);
    world.member.fail = None;
    world.advance(Duration::from_secs(40));
    assert_eq!(problem(&world), "");
}

#[test]
fn a_change_of_the_count_alone_is_one_apply_of_the_same_manifest() {
    let mut world = settled();
    let web = workload(1, "web", 1, 7);
    world.send_targets(change(fence(1, 2), vec![web.clone()], &[web]));
    world.advance(Duration::from_secs(10));
    let applies = world.member.applies();
    let [apply] = applies.as_slice() else { panic!("{applies:?}") };
    assert_eq!((apply.replicas, &*apply.manifest, apply.force), (Some(7), "{\"name\":\"web\"}", false));
    assert!(apply.version.is_some(), "preconditioned on what was seen");
    let reads = world.member.calls.iter().filter(|call| matches!(call, Call::Read { .. }));
    assert_eq!(reads.count(), 0, "the watch knows it already");
}

#[test]
fn nothing_is_written_twice_while_the_watch_lags() {
    let mut world = World::leading();
    world.member.blind = true;
    world.send_targets(two());
    world.advance(Duration::from_secs(30));
    assert_eq!(world.member.applies().len(), 1);
    assert_eq!(world.reports().last().unwrap().reflects.0, 0, "not seen, not reflected");
    world.member.unblind();
    world.advance(Duration::from_secs(1));
    assert_eq!(world.member.applies().len(), 1);
    assert_eq!(world.reports().last().unwrap().reflects.0, 1);
}

#[test]
fn a_missing_namespace_is_made() {
    let mut world = World::leading();
    world.member.namespaces.clear();
    world.send_targets(two());
    world.advance(Duration::from_secs(1));
    assert_eq!(replicas(&world), Some(2));
    assert!(world.member.namespaces.contains("shop"));
}

#[test]
fn what_is_not_ours_is_left_alone_until_it_is_handed_over() {
    let mut world = World::leading();
    let web = key("Deployment", "shop", "web");
    world.member.create(&web);
    world.member.foreign_fields.insert(web.clone(), vec![".spec.template".into()]);
    world.send_targets(two());
    world.advance(Duration::from_secs(10));
    assert!(world.member.applies().is_empty());
    assert!(problem(&world).contains("godwit.dev/adopt"), "{}", problem(&world));
    world.member.edit(&web, |object| object.adopt = true);
    world.advance(Duration::from_secs(40));
    assert_eq!((replicas(&world), problem(&world)), (Some(2), String::new()));
}

#[test]
fn s29_what_is_changed_by_hand_is_put_back_whoever_has_it() {
    let mut world = settled();
    let web = key("Deployment", "shop", "web");
    world.member.edit(&web, |object| object.replicas = Some(9));
    world.member.foreign_fields.insert(web.clone(), vec![".spec.replicas".into()]);
    world.advance(Duration::from_secs(1));
    assert_eq!(replicas(&world), Some(2));
    let forced: Vec<bool> = world.member.applies().iter().map(|apply| apply.force).collect();
    assert_eq!(forced, [false, true]);
    world.advance(Duration::from_secs(10));
    world.member.calls.clear();
    world.member.edit(&web, |object| object.replicas = Some(9));
    let fields = vec![".spec.replicas".into(), ".spec.template.spec.containers".into()];
    world.member.foreign_fields.insert(web, fields);
    world.advance(Duration::from_secs(10));
    assert_eq!((replicas(&world), problem(&world)), (Some(2), String::new()));
    let overruled = world.logs.iter().filter(|line| matches!(line, Log::Overruled { .. })).count();
    assert_eq!(overruled, 2, "and it is said whose they were");
}

#[test]
fn what_somebody_makes_between_the_look_and_the_write_is_not_taken() {
    let mut world = World::leading();
    world.member.mute = true;
    world.send_targets(whole(fence(1, 1), vec![], vec![workload(1, "web", 1, 2)]));
    // The swap of the fence, then the read that finds nothing.
    for _ in 0..2 {
        world.member.answer_one();
        world.settle();
    }
    assert!(matches!(&world.member.muted[..], [(_, Call::Apply(apply))] if apply.version.is_none()));
    let web = key("Deployment", "shop", "web");
    world.member.create(&web);
    world.member.foreign_fields.insert(web.clone(), vec![".spec.replicas".into()]);
    world.member.unmute();
    world.advance(Duration::from_secs(1));
    assert_eq!(world.member.objects[&web].stamp, None);
    assert!(problem(&world).contains("not managed by Godwit"), "{}", problem(&world));
}

#[test]
fn s29_a_fight_is_paced_and_told_until_it_is_over() {
    let mut world = settled();
    let web = key("Deployment", "shop", "web");
    let writes = |world: &mut World, seconds: u64| {
        world.member.calls.clear();
        for _ in 0..seconds * 10 {
            world.member.edit(&web, |object| object.replicas = Some(9));
            world.advance(Duration::from_millis(100));
        }
        world.member.applies().len()
    };
    let first = writes(&mut world, 60);
    assert!((4..=6).contains(&first), "{first} writes in the first minute");
    let later = writes(&mut world, 240);
    assert!((2..=4).contains(&later), "{later} writes in four minutes");
    assert!(problem(&world).contains("keeps changing its count"), "{}", problem(&world));
    world.advance(Duration::from_secs(100));
    assert_eq!(replicas(&world), Some(2), "it is set right, and said to be in dispute");
    assert!(problem(&world).contains("keeps changing"), "{}", problem(&world));
    world.advance(Duration::from_secs(600));
    assert_eq!(problem(&world), "", "it was left alone since");
    // And whoever scales it once after that is answered as quickly as the first time.
    world.member.edit(&web, |object| object.replicas = Some(9));
    world.advance(Duration::from_secs(1));
    assert_eq!(replicas(&world), Some(2));
}

#[test]
fn what_was_deleted_by_hand_is_made_again() {
    let mut world = settled();
    world.member.vanish(&key("Deployment", "shop", "web"));
    world.advance(Duration::from_secs(1));
    assert_eq!(replicas(&world), Some(2));
}

#[test]
fn what_is_being_deleted_is_made_again_when_it_is_gone() {
    let mut world = settled();
    let web = key("Deployment", "shop", "web");
    world.member.edit(&web, |object| (object.deleting, object.replicas) = (true, Some(9)));
    world.advance(Duration::from_secs(30));
    assert!(world.member.applies().is_empty());
    assert!(problem(&world).contains("being deleted"), "{}", problem(&world));
    world.member.vanish(&web);
    world.advance(Duration::from_secs(1));
    assert_eq!((replicas(&world), problem(&world)), (Some(2), String::new()));
}

#[test]
fn a_stale_sight_is_corrected_by_a_read() {
    let mut world = settled();
    world.member.blind = true;
    world.member.edit(&key("Deployment", "shop", "web"), |_| {});
    let web = workload(1, "web", 1, 7);
    world.send_targets(change(fence(1, 2), vec![web.clone()], &[web]));
    world.advance(Duration::from_secs(1));
    assert_eq!((replicas(&world), world.member.applies().len()), (Some(7), 2));
}

#[test]
fn an_object_of_a_newer_authority_is_never_overwritten() {
    let newer: [fn(&mut Stamp); 3] = [
        |stamp| stamp.fence = fence(2, 0),
        |stamp| stamp.fence = fence(1, 9),
        |stamp| stamp.term.transitions = godwit_common::Term(2),
    ];
    for change_stamp in newer {
        let mut world = settled();
        let web = key("Deployment", "shop", "web");
        world.member.edit(&web, |object| {
            object.replicas = Some(50);
            change_stamp(object.stamp.as_mut().unwrap());
        });
        world.advance(Duration::from_secs(60));
        assert_eq!(replicas(&world), Some(50));
        assert!(problem(&world).contains("newer"), "{}", problem(&world));
    }
}

#[test]
fn an_object_of_another_federation_is_not_overwritten() {
    let mut world = settled();
    world.member.edit(&key("Deployment", "shop", "web"), |object| {
        object.replicas = Some(50);
        object.stamp.as_mut().unwrap().fence.federation = Uid(0xbad);
    });
    world.advance(Duration::from_secs(60));
    assert_eq!(replicas(&world), Some(50));
    assert!(problem(&world).contains("belongs to the federation"), "{}", problem(&world));
}

#[test]
fn a_new_listing_finds_what_was_missed() {
    let mut world = settled();
    let web = key("Deployment", "shop", "web");
    world.member.blind = true;
    world.member.edit(&web, |object| object.replicas = Some(9));
    world.member.blind = false;
    world.member.relist();
    world.advance(Duration::from_secs(1));
    assert_eq!(replicas(&world), Some(2));
    world.member.blind = true;
    world.member.vanish(&web);
    world.member.blind = false;
    world.member.relist();
    world.advance(Duration::from_secs(10));
    assert_eq!(replicas(&world), Some(2));
}

#[test]
fn a_write_whose_answer_was_lost_is_not_made_twice() {
    let mut world = settled();
    world.member.lose_answers = true;
    let web = workload(1, "web", 1, 7);
    world.send_targets(change(fence(1, 2), vec![web.clone()], &[web]));
    world.advance(Duration::from_secs(1));
    world.member.lose_answers = false;
    world.advance(Duration::from_secs(10));
    assert_eq!((world.member.applies().len(), replicas(&world)), (1, Some(7)));
    assert_eq!(problem(&world), "");
}

#[test]
fn a_row_outside_this_namespace_has_no_part_in_its_problems() {
    let mut world = World::leading();
    world.member.fail = Some(|call| match call {
        Call::Apply(apply) if &*apply.key.kind == "ConfigMap" => Some(CallError::Refused("no".into())),
        _ => None,
    });
    world.member.namespaces.insert("other".into());
    let mut elsewhere = workload(2, "web", 1, 1);
    elsewhere.workload = WorkloadId::new("other", "Deployment", "web").unwrap();
    let objects = vec![object(5, "ConfigMap", "web", 1)];
    world.send_targets(whole(fence(1, 1), objects, vec![workload(1, "web", 1, 2), elsewhere.clone()]));
    world.advance(Duration::from_secs(5));
    let last = |id: &WorkloadId| {
        let mut statuses = world.reports().flat_map(|report| &report.statuses);
        statuses.rfind(|status| status.workload == *id).unwrap().problem.to_string()
    };
    assert!(!last(&web()).is_empty() && last(&elsewhere.workload).is_empty());
}

/// `web` is to have seven replicas, and two again.
fn there(world: &mut World) {
    let web = workload(1, "web", 1, 7);
    world.send_targets(change(fence(1, 2), vec![web.clone()], &[web]));
}

fn back(world: &mut World) {
    let web = workload(1, "web", 1, 2);
    world.send_targets(change(fence(1, 3), vec![web.clone()], &[web]));
}

fn reflected(world: &World) -> u64 {
    world.reports().last().map_or(0, |report| report.reflects.0)
}

#[test]
fn what_a_call_under_way_writes_is_seen_before_the_next_target_counts_as_reached() {
    let mut world = settled();
    world.member.mute = true;
    there(&mut world);
    // The fence is raised, and the write is under way; then it is raised again.
    world.member.answer_one();
    world.settle();
    back(&mut world);
    world.member.answer_one();
    world.settle();
    world.member.blind = true;
    world.member.unmute();
    world.advance(Duration::from_secs(2));
    assert_eq!(replicas(&world), Some(7));
    assert!(reflected(&world) < 3, "the watch shows what was there before the write");
    world.member.unblind();
    world.advance(Duration::from_secs(5));
    assert_eq!((replicas(&world), reflected(&world)), (Some(2), 3));
}

#[test]
fn what_was_written_is_seen_before_the_next_target_counts_as_reached() {
    let mut world = settled();
    world.member.blind = true;
    there(&mut world);
    world.advance(Duration::from_secs(5));
    assert_eq!(replicas(&world), Some(7));
    back(&mut world);
    world.advance(Duration::from_secs(5));
    assert!(reflected(&world) < 3, "the watch shows what was there before the write");
    world.member.unblind();
    world.advance(Duration::from_secs(5));
    assert_eq!((replicas(&world), reflected(&world)), (Some(2), 3));
}

#[test]
fn a_write_without_an_answer_is_overtaken_before_the_next_target_counts_as_reached() {
    let mut world = settled();
    world.member.fail = Some(|call| {
        let late = matches!(call, Call::Apply(apply) if apply.replicas == Some(7));
        late.then(|| CallError::Unavailable("timeout".into()))
    });
    there(&mut world);
    world.advance(Duration::from_secs(1));
    let late = world.member.applies()[0].version.clone();
    assert_eq!(late.as_ref(), world.member.objects.values().next().map(|object| &object.version));
    back(&mut world);
    world.advance(Duration::from_secs(5));
    assert_eq!((replicas(&world), reflected(&world)), (Some(2), 3));
    let now = world.member.objects.values().next().map(|object| object.version.clone());
    assert_ne!(late, now, "it fails should it arrive by now");
}

#[test]
fn what_is_different_here_is_written_when_it_changes_and_only_then() {
    use godwit_common::link::{ObjectTarget, WorkloadTarget};
    use godwit_common::policy::overrides::mark;
    const EU: &str = r#"[{"image":{"registry":"eu.io"}}]"#;
    let mut world = settled();
    let web = WorkloadTarget { overrides: EU.into(), manifest: None, ..workload(1, "web", 1, 2) };
    world.send_targets(change(fence(1, 2), vec![web.clone()], std::slice::from_ref(&web)));
    world.advance(Duration::from_secs(5));
    let applies = world.member.applies();
    assert_eq!(applies.len(), 1, "the revision is the same, and the object is another");
    assert_eq!((&*applies[0].overrides, applies[0].stamp.overrides), (EU, mark(EU)));
    assert!(applies[0].manifest.contains("web"), "what was sent before");
    world.member.calls.clear();
    world.advance(Duration::from_secs(60));
    assert!(world.member.applies().is_empty());
    // An agent that starts anew finds it as it is, by what is written on it.
    let config = ObjectTarget { overrides: EU.into(), ..object(5, "ConfigMap", "web", 1) };
    world.send_targets(whole(
        fence(1, 3),
        vec![config],
        vec![WorkloadTarget { manifest: Some("{}".into()), ..web }],
    ));
    world.advance(Duration::from_secs(5));
    assert_eq!(kinds_applied(&world), ["ConfigMap"]);
}

#[test]
fn what_cannot_be_carried_out_is_a_problem_of_its_own_and_is_tried_ever_later() {
    let mut world = settled();
    world.member.fail = Some(|call| match call {
        Call::Apply(apply) if !apply.overrides.is_empty() => {
            Some(CallError::Refused("the override cannot be carried out: jsonPatch remove /spec/x".into()))
        }
        _ => None,
    });
    let web = godwit_common::link::WorkloadTarget {
        overrides: "[{}]".into(),
        manifest: None,
        ..workload(1, "web", 1, 2)
    };
    world.send_targets(change(fence(1, 2), vec![web.clone()], &[web]));
    world.advance(Duration::from_secs(120));
    assert!(problem(&world).contains("jsonPatch remove /spec/x"), "{}", problem(&world));
    let attempts = world.member.applies().len();
    assert!((5..20).contains(&attempts), "{attempts} in two minutes");
    assert_eq!(replicas(&world), Some(2), "what runs goes on");
}
