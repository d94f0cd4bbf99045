//! One voice (S24): who leads, and when he ceases to.

use std::time::Duration;

use crate::world::{Member, World, config, fence, key, welcome, whole, workload};
use godwit_agent_core::{Call, CallError, LeaseSeen};
use godwit_common::link::{Down, LeaderTerm, Leadership, Up};
use godwit_common::{Generation, Term, Time, Uid};

fn held_by(holder: &str, version: &str) -> LeaseSeen {
    LeaseSeen {
        uid: Uid(9),
        version: version.into(),
        holder: holder.into(),
        transitions: 4,
        duration: Duration::from_secs(15),
    }
}

fn with_lease(lease: LeaseSeen) -> World {
    let mut member = Member::default();
    member.lease = Some(lease);
    World::with(config(), member, Time(1_000))
}

#[test]
fn the_only_agent_leads_and_renews() {
    let mut world = World::leading();
    let lease = world.member.lease.clone().unwrap();
    assert_eq!((&*lease.holder, lease.transitions), ("agent-1", 1));
    world.advance(Duration::from_secs(60));
    assert!(world.leads());
    assert_ne!(world.member.lease.as_ref().unwrap().version, lease.version);
    assert_eq!(world.member.lease.unwrap().transitions, 1);
}

#[test]
fn the_term_is_in_the_fence_before_the_hub_hears_of_it() {
    let world = World::leading();
    let record = world.member.fence.as_ref().unwrap().record.clone();
    let term = LeaderTerm { lease: Uid(0x1ea5e), transitions: Term(1) };
    assert_eq!(record.term, term);
    let Some(Leadership::Leading { term: said, base, .. }) = world.leadership().cloned() else {
        panic!("it leads");
    };
    assert_eq!((said, base), (term, Generation(0)));
}

#[test]
fn a_lease_that_is_renewed_is_never_taken() {
    let mut world = with_lease(held_by("agent-2", "1"));
    for version in 2..60 {
        world.advance(Duration::from_secs(5));
        world.member.lease = Some(held_by("agent-2", &version.to_string()));
    }
    assert!(!world.leads() && !world.member.is_watched(), "who does not lead does not watch");
}

#[test]
fn a_lease_that_stands_still_is_taken_after_its_duration_by_our_own_clock() {
    let mut world = with_lease(held_by("agent-2", "1"));
    world.advance(Duration::from_millis(14_500));
    assert!(!world.leads());
    world.advance(Duration::from_millis(700));
    assert!(world.leads());
    assert_eq!(world.member.lease.unwrap().transitions, 5);
}

#[test]
fn a_lease_that_was_given_back_or_is_our_own_is_taken_at_once() {
    for holder in ["", "agent-1"] {
        let mut world = with_lease(held_by(holder, "1"));
        world.advance(Duration::from_secs(1));
        assert!(world.leads(), "{holder:?}");
        assert_eq!(world.member.lease.unwrap().transitions, 5);
    }
}

#[test]
fn without_a_stream_nobody_campaigns() {
    let mut world = World::new();
    world.until(World::leads);
    world.cut();
    world.advance(Duration::from_secs(10));
    world.member.lease = None;
    world.member.calls.clear();
    world.advance(Duration::from_secs(60));
    assert!(world.member.lease.is_none() && world.member.calls.is_empty(), "{:?}", world.member.calls);
}

#[test]
fn a_leader_without_a_stream_resigns_after_three_seconds_and_not_before() {
    let mut world = World::leading();
    world.cut();
    world.advance(Duration::from_millis(2_900));
    assert_eq!(&*world.member.lease.as_ref().unwrap().holder, "agent-1");
    world.advance(Duration::from_millis(200));
    assert_eq!(&*world.member.lease.as_ref().unwrap().holder, "");
    // Back again, it is elected again, under a new term.
    world.welcoming = true;
    world.until(|world| &*world.member.lease.as_ref().unwrap().holder == "agent-1");
    assert_eq!(world.member.lease.unwrap().transitions, 2);
}

#[test]
fn a_reign_that_was_lost_before_the_hub_could_hear_of_it_is_not_told() {
    let mut member = Member::default();
    member.fail = Some(|call| {
        let claims = matches!(call, Call::WriteFence { .. });
        claims.then(|| CallError::Unavailable("503".into()))
    });
    let mut world = World::with(config(), member, Time(1_000));
    world.until(|world| world.member.lease.is_some());
    world.cut();
    world.ringing = true;
    world.until(|world| world.session.is_some());
    world.member.fail = None;
    world.until(|world| world.member.fence.is_some());
    world.until(|world| &*world.member.lease.as_ref().unwrap().holder != "agent-1");
    world.settle();
    world.member.mute = true;
    world.hear(Down::Welcome(welcome()));
    world.advance(Duration::from_millis(500));
    assert!(world.leadership().is_none(), "{:?}", world.leadership());
}

#[test]
fn a_short_interruption_changes_nothing() {
    let mut world = World::leading();
    world.cut();
    world.welcoming = true;
    world.until(|world| world.session.is_some());
    world.advance(Duration::from_secs(10));
    assert_eq!(world.member.lease.as_ref().unwrap().transitions, 1);
    assert_eq!(
        world.reports().filter(|report| report.complete).count(),
        2,
        "a new session gets an inventory"
    );
}

#[test]
fn rows_in_memory_outlive_an_interruption_unless_somebody_else_has_led() {
    for other_led in [false, true] {
        let mut world = World::leading();
        world.send_targets(whole(fence(1, 3), vec![], vec![workload(1, "web", 1, 2)]));
        world.advance(Duration::from_secs(1));
        world.cut();
        world.advance(Duration::from_secs(5));
        if other_led {
            world.member.fence.as_mut().unwrap().record.fence = fence(1, 4);
            world.member.fence.as_mut().unwrap().version = "other".into();
        }
        world.sent.clear();
        world.welcoming = true;
        world.until(World::leads);
        let base = match world.leadership().unwrap() {
            Leadership::Leading { base, .. } => base.0,
            Leadership::Following => panic!("it leads"),
        };
        assert_eq!(base, if other_led { 0 } else { 3 });
    }
}

#[test]
fn a_leader_that_cannot_renew_ceases_before_anybody_else_begins() {
    let mut world = World::leading();
    world.member.mute = true;
    let last_renewal = world.now;
    world.until(|world| !world.leads());
    assert!(world.now.since(last_renewal) <= Duration::from_millis(15_050));
    assert_eq!(world.leadership(), Some(&Leadership::Following));
}

#[test]
fn a_renewal_that_hangs_does_not_keep_a_leader_without_a_stream() {
    let mut world = World::leading();
    world.member.mute = true;
    world.until(|world| !world.member.muted.is_empty());
    world.cut();
    world.advance(Duration::from_secs(8));
    world.member.unmute();
    world.advance(Duration::from_secs(1));
    assert_eq!(&*world.member.lease.as_ref().unwrap().holder, "");
}

#[test]
fn a_lease_is_held_from_when_its_renewal_was_sent() {
    let mut world = World::leading();
    world.member.mute = true;
    world.until(|world| !world.member.muted.is_empty());
    let sent = world.now;
    world.advance(Duration::from_secs(8));
    world.member.answer_one();
    world.settle();
    world.until(|world| !world.leads());
    let held = world.now.since(sent);
    assert!(held <= Duration::from_millis(15_050), "{held:?}");
}

#[test]
fn a_newer_reign_in_the_fence_is_respected_from_the_start() {
    let mut world = World::leading();
    let mut member = std::mem::take(&mut world.member);
    member.forget_agent();
    member.fence.as_mut().unwrap().record.term.transitions = Term(9);
    let mut world = World::with(config(), member, world.now);
    world.advance(Duration::from_secs(3));
    assert!(!world.leads());
    // Its own terms rise with each election, until they are not the older ones any more.
    world.until(World::leads);
    assert_eq!(world.member.lease.unwrap().transitions, 9);
}

#[test]
fn a_leader_whose_lease_was_taken_ceases() {
    let mut world = World::leading();
    world.member.lease = Some(held_by("agent-2", "777"));
    world.advance(Duration::from_secs(6));
    assert_eq!(world.leadership(), Some(&Leadership::Following));
    assert!(!world.member.is_watched());
}

#[test]
fn a_lease_that_was_deleted_yields_a_new_term() {
    let mut world = World::leading();
    world.member.lease = None;
    world.until(|world| world.leadership() == Some(&Leadership::Following));
    world.until(World::leads);
    assert_eq!(world.member.lease.unwrap().transitions, 1);
}

#[test]
fn an_error_of_the_api_server_is_tried_again() {
    let mut world = World::new();
    world.until(|world| world.session.is_some());
    world.member.fail = Some(|_| Some(CallError::Unavailable("503".into())));
    world.advance(Duration::from_secs(30));
    world.member.fail = None;
    world.advance(Duration::from_secs(6));
    assert!(world.leads());
}

#[test]
fn a_newer_reign_in_the_fence_deposes() {
    let mut world = World::leading();
    let found = world.member.fence.as_mut().unwrap();
    found.record.term.transitions = Term(2);
    found.version = "other".into();
    world.send_targets(whole(fence(1, 1), vec![], vec![workload(1, "web", 1, 2)]));
    assert_eq!(world.leadership(), Some(&Leadership::Following));
    assert_eq!(world.member.applies().len(), 0);
}

#[test]
fn targets_for_a_follower_are_not_applied() {
    let mut world = with_lease(held_by("agent-2", "1"));
    world.until(|world| world.session.is_some());
    world.hear(Down::Targets(whole(fence(1, 1), vec![], vec![workload(1, "web", 1, 2)]).into()));
    world.advance(Duration::from_secs(5));
    assert!(world.member.applies().is_empty() && world.member.fence.is_none());
}

#[test]
fn a_cluster_that_returns_starts_nothing_before_the_hub_has_seen_its_inventory() {
    for answered in [true, false] {
        let mut world = World::leading();
        world.member.fail =
            Some(|call| matches!(call, Call::Apply(_)).then(|| CallError::Unavailable("503".into())));
        world.send_targets(whole(fence(1, 1), vec![], vec![workload(1, "web", 1, 2)]));
        world.advance(Duration::from_secs(5));
        world.cut();
        world.advance(Duration::from_secs(5));
        world.member.fail = None;
        world.sent.clear();
        world.welcoming = true;
        world.until(|world| world.reports().any(|report| report.complete));
        assert!(world.member.objects.is_empty(), "not before the inventory");
        if answered {
            world.send_targets(whole(fence(1, 2), vec![], vec![workload(1, "web", 1, 0)]));
        }
        world.advance(Duration::from_secs(5));
        let replicas = world.member.objects[&key("Deployment", "shop", "web")].replicas;
        assert_eq!(replicas, Some(if answered { 0 } else { 2 }));
        assert!(answered || world.member.applies().len() > 1);
    }
}

/// What the hub was told about the API server, in order.
fn api_server(world: &World) -> Vec<Option<std::sync::Arc<str>>> {
    let mut told = Vec::new();
    for up in world.ups() {
        if let Up::ApiServer { unreachable } = up {
            told.push(unreachable.clone());
        }
    }
    told
}

#[test]
fn s3_an_api_server_that_cannot_be_reached_is_told_once_and_so_is_its_return() {
    for leads in [true, false] {
        let mut world = if leads { World::leading() } else { with_lease(held_by("agent-2", "1")) };
        world.advance(Duration::from_secs(2));
        assert_eq!(world.leads(), leads);
        world.member.fail = Some(|_| Some(CallError::Unavailable("connection refused".into())));
        world.advance(Duration::from_secs(14));
        assert_eq!(api_server(&world), [], "a few calls that are lost say little");
        world.advance(Duration::from_secs(60));
        assert!(!world.leads());
        assert_eq!(api_server(&world), [Some("connection refused".into())]);
        // Whoever answers is there, whatever it answers.
        world.member.fail = Some(|_| Some(CallError::Refused("forbidden".into())));
        world.advance(Duration::from_secs(10));
        assert_eq!(api_server(&world), [Some("connection refused".into()), None]);
    }
}

#[test]
fn s3_a_new_session_hears_anew_that_the_api_server_cannot_be_reached() {
    let mut world = World::leading();
    world.member.fail = Some(|_| Some(CallError::Unavailable("connection refused".into())));
    world.advance(Duration::from_secs(30));
    world.cut();
    world.sent.clear();
    world.welcoming = true;
    world.advance(Duration::from_secs(10));
    assert_eq!(api_server(&world), [Some("connection refused".into())]);
}

#[test]
fn s3_single_calls_that_are_lost_make_no_trouble() {
    let mut world = World::leading();
    for _ in 0..20 {
        world.member.fail = Some(|_| Some(CallError::Unavailable("timeout".into())));
        world.advance(Duration::from_secs(6));
        world.member.fail = None;
        world.advance(Duration::from_secs(6));
    }
    assert_eq!(api_server(&world), []);
}
