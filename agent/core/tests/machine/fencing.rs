//! Which targets are accepted (S10, S25): the fence rises first, and only ever rises.

use std::time::Duration;

use godwit_agent_core::{Call, CallError, Log};
use godwit_common::link::{Alarm, Targets, Up};
use godwit_common::{Digest, Epoch, Generation, Uid};

use crate::world::{World, change, fence, key, web, whole, workload};

fn accepted(world: &World, epoch: u64, generation: u64) -> bool {
    let wanted = fence(epoch, generation);
    world.ups().any(|up| matches!(up, Up::Accepted { fence, .. } if *fence == wanted))
}

fn alarms(world: &World) -> Vec<&Alarm> {
    let alarms = world.ups().filter_map(|up| match up {
        Up::Alarm(alarm) => Some(alarm),
        Up::Hello(_) | Up::Heartbeat | Up::Renewal { .. } | Up::Leadership(_) | Up::Accepted { .. } => None,
        Up::SyncWanted | Up::Report(_) | Up::ApiServer { .. } | Up::Recalled(_) | Up::Goodbye => None,
    });
    alarms.collect()
}

fn asks(world: &World) -> usize {
    world.ups().filter(|up| **up == Up::SyncWanted).count()
}

/// Holds `web` with two replicas at epoch 2, generation 5.
fn holding() -> World {
    let mut world = World::leading();
    world.send_targets(whole(fence(2, 5), vec![], vec![workload(1, "web", 1, 2)]));
    world.advance(Duration::from_secs(1));
    world.sent.clear();
    world.member.calls.clear();
    world
}

#[test]
fn the_fence_rises_before_anything_is_written() {
    let mut world = World::leading();
    world.member.calls.clear();
    world.send_targets(whole(fence(1, 1), vec![], vec![workload(1, "web", 1, 2)]));
    let position = |wanted: fn(&Call) -> bool| world.member.calls.iter().position(wanted).unwrap();
    let raised = position(|call| matches!(call, Call::WriteFence { .. }));
    let applied = position(|call| matches!(call, Call::Apply(_)));
    assert!(raised < applied);
    assert_eq!(world.member.fence.as_ref().unwrap().record.fence, fence(1, 1));
    assert!(accepted(&world, 1, 1));
}

#[test]
fn nothing_is_accepted_as_long_as_the_fence_cannot_rise() {
    let mut world = World::leading();
    world.member.fail =
        Some(|call| matches!(call, Call::WriteFence { .. }).then(|| CallError::Unavailable("503".into())));
    world.send_targets(whole(fence(1, 1), vec![], vec![workload(1, "web", 1, 2)]));
    world.advance(Duration::from_secs(10));
    assert!(!accepted(&world, 1, 1) && world.member.applies().is_empty());
    world.member.fail = None;
    world.advance(Duration::from_secs(5));
    assert!(accepted(&world, 1, 1) && world.member.applies().len() == 1);
}

#[test]
fn a_swap_whose_answer_was_lost_is_no_contradiction() {
    let mut world = World::leading();
    world.member.mute = true;
    world.send_targets(whole(fence(1, 1), vec![], vec![workload(1, "web", 1, 2)]));
    // The write takes place, but the answer says that nobody knows.
    let (op, call) = world.member.muted.pop().unwrap();
    let Call::WriteFence { record, .. } = call else { panic!("{call:?}") };
    let held = world.member.fence.as_mut().unwrap();
    (held.record, held.version) = (record, "landed".into());
    world.member.mute = false;
    let result = Err(CallError::Unavailable("timeout".into()));
    world.step(godwit_agent_core::Event::Done { op, result });
    world.advance(Duration::from_secs(5));
    assert!(accepted(&world, 1, 1) && alarms(&world).is_empty());
}

#[test]
fn older_targets_are_refused_with_an_alarm() {
    for (epoch, generation) in [(1, 9), (2, 4), (0, 0)] {
        let mut world = holding();
        world.send_targets(whole(fence(epoch, generation), vec![], vec![]));
        let (held, sent) = (fence(2, 5), fence(epoch, generation));
        assert_eq!(alarms(&world), [&Alarm::Stale { held, sent }]);
        assert_eq!(world.member.fence.unwrap().record.fence, fence(2, 5));
        assert!(world.member.calls.is_empty());
    }
}

#[test]
fn a_newer_epoch_wins_whatever_its_generation() {
    let mut world = holding();
    world.send_targets(whole(fence(3, 1), vec![], vec![workload(1, "web", 1, 4)]));
    world.advance(Duration::from_secs(1));
    assert!(accepted(&world, 3, 1));
    assert_eq!(world.member.objects[&key("Deployment", "shop", "web")].replicas, Some(4));
}

#[test]
fn the_same_again_is_accepted_and_changes_nothing() {
    let mut world = holding();
    world.send_targets(whole(fence(2, 5), vec![], vec![workload(1, "web", 1, 2)]));
    world.advance(Duration::from_secs(1));
    assert!(accepted(&world, 2, 5) && alarms(&world).is_empty());
    assert!(world.member.applies().is_empty());
}

#[test]
fn the_same_generation_with_other_content_is_a_contradiction() {
    let mut world = holding();
    world.send_targets(whole(fence(2, 5), vec![], vec![workload(1, "web", 1, 9)]));
    assert_eq!(alarms(&world), [&Alarm::Contradiction { fence: fence(2, 5) }]);
    assert!(!accepted(&world, 2, 5));
    // Also right after a restart, when no rows are in memory.
    let mut world = world.restart();
    world.send_targets(whole(fence(2, 5), vec![], vec![workload(1, "web", 1, 9)]));
    assert_eq!(alarms(&world), [&Alarm::Contradiction { fence: fence(2, 5) }]);
    assert!(world.member.applies().is_empty());
}

#[test]
fn another_federation_is_refused_until_it_is_adopted() {
    let mut world = holding();
    let mut foreign = whole(fence(9, 9), vec![], vec![]);
    foreign.fence.federation = Uid(0xbad);
    world.send_targets(foreign);
    let (held, sent) = (fence(0, 0).federation, Uid(0xbad));
    assert_eq!(alarms(&world), [&Alarm::Foreign { held, sent }]);
    assert_eq!(world.member.fence.unwrap().record.fence, fence(2, 5));
}

#[test]
fn changes_on_the_base_are_merged() {
    let mut world = holding();
    let (web, api) = (workload(1, "web", 1, 3), workload(2, "api", 1, 1));
    // The unchanged manifest is not sent again.
    let sent = godwit_common::link::WorkloadTarget { manifest: None, ..web.clone() };
    world.send_targets(change(fence(2, 6), vec![sent, api.clone()], &[web, api]));
    world.advance(Duration::from_secs(1));
    assert!(accepted(&world, 2, 6));
    let manifests: Vec<&str> = world.member.applies().iter().map(|apply| &*apply.manifest).collect();
    assert_eq!(manifests, ["{\"name\":\"web\"}", "{\"name\":\"api\"}"]);
}

#[test]
fn what_does_not_fit_is_asked_for_whole_and_raises_no_fence() {
    let web = workload(1, "web", 1, 3);
    let other_base = change(fence(2, 9), vec![web.clone()], std::slice::from_ref(&web));
    let mut other_digest = change(fence(2, 6), vec![web.clone()], std::slice::from_ref(&web));
    other_digest.digest = Digest(1);
    let unknown = godwit_common::link::WorkloadTarget { manifest: None, ..workload(2, "api", 1, 1) };
    let held = workload(1, "web", 1, 2);
    let no_manifest = change(fence(2, 6), vec![unknown.clone()], &[held, unknown]);
    for targets in [other_base, other_digest, no_manifest] {
        let mut world = holding();
        world.send_targets(targets.clone());
        world.advance(Duration::from_millis(10));
        assert_eq!(asks(&world), 1, "{targets:?}");
        assert_eq!(world.member.fence.as_ref().unwrap().record.fence, fence(2, 5));
        assert!(world.logs.iter().any(|line| matches!(line, Log::Rejected(_))));
        // A hub that goes on like this is asked once a second at most.
        for _ in 0..20 {
            world.send_targets(targets.clone());
        }
        world.advance(Duration::from_millis(10));
        assert_eq!(asks(&world), 1);
        // The whole ends it.
        world.send_targets(whole(fence(2, 7), vec![], vec![web.clone()]));
        world.advance(Duration::from_secs(5));
        assert!(asks(&world) == 1 && accepted(&world, 2, 7));
    }
}

#[test]
fn targets_that_come_while_the_fence_rises_are_merged() {
    let mut world = holding();
    world.member.mute = true;
    for generation in 6..10 {
        let web = workload(1, "web", 1, generation as u32);
        world.send_targets(change(fence(2, generation), vec![web.clone()], &[web]));
    }
    world.member.unmute();
    world.advance(Duration::from_secs(1));
    assert!(accepted(&world, 2, 9));
    assert_eq!(world.member.objects[&key("Deployment", "shop", "web")].replicas, Some(9));
    let swaps = world.member.calls.iter().filter(|call| matches!(call, Call::WriteFence { .. }));
    assert_eq!(swaps.count(), 2, "one for the first, one for all that came meanwhile");
}

#[test]
fn a_fence_that_somebody_raised_meanwhile_is_read_again() {
    let mut world = holding();
    let held = world.member.fence.as_mut().unwrap();
    (held.record.fence.generation, held.version) = (Generation(7), "other".into());
    let web = workload(1, "web", 1, 3);
    world.send_targets(change(fence(2, 6), vec![web.clone()], &[web]));
    let (held, sent) = (fence(2, 7), fence(2, 6));
    assert_eq!(alarms(&world), [&Alarm::Stale { held, sent }]);
    assert!(world.member.applies().is_empty());
}

#[test]
fn a_restart_asks_for_the_whole_and_writes_nothing_that_is_there() {
    let mut world = holding();
    let targets: Targets = whole(fence(3, 5), vec![], vec![workload(1, "web", 1, 2)]);
    world.member.pod(&web(), "web-1", |_| {});
    let mut world = world.restart();
    let base = world.ups().find_map(|up| match up {
        Up::Leadership(godwit_common::link::Leadership::Leading { base, fence, .. }) => {
            Some((*base, fence.epoch))
        }
        _ => None,
    });
    assert_eq!(base, Some((Generation(0), Epoch(2))));
    world.send_targets(targets);
    world.advance(Duration::from_secs(5));
    assert!(accepted(&world, 3, 5) && world.member.applies().is_empty());
    assert_eq!(world.reports().last().unwrap().reflects, Generation(5));
}
