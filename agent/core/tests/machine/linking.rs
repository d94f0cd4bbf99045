//! The way to the hub: whom it dials and when, what it says first, and when it gives up.

use std::sync::Arc;
use std::time::Duration;

use godwit_agent_core::{Effect, Event, Log};
use godwit_common::link::{Down, Refusal, RefusalCode, Up, Welcome};
use godwit_common::{Epoch, Time, Uid};

use crate::world::{FEDERATION, Member, World, config, fence, welcome, whole};

fn addresses(world: &World) -> Vec<&str> {
    world.dials.iter().map(|(_, address, _)| &**address).collect()
}

fn hangups(world: &World) -> usize {
    world.effects.iter().filter(|effect| matches!(effect, Effect::Hangup { .. })).count()
}

/// A world whose hubs are all out of reach.
fn lonely() -> World {
    let mut world = World::new();
    world.cut();
    world.dials.clear();
    world
}

#[test]
fn hello_says_which_cluster_this_is_and_what_it_has_seen() {
    let mut world = World::leading();
    world.send_targets(whole(fence(7, 3), vec![], vec![]));
    let world = world.restart();
    let (_, _, hello) = &world.dials[0];
    assert_eq!((hello.cluster_uid, hello.federation), (Uid(0xc1), Some(FEDERATION)));
    assert_eq!((hello.highest_epoch, &*hello.instance), (Epoch(7), "agent-1"));
    assert_eq!(World::new().dials[0].2.federation, None, "a fresh cluster belongs to nobody");
}

#[test]
fn nothing_is_dialled_before_the_cluster_is_known() {
    let mut world = World::new();
    world.member.mute = true;
    let mut silent = World::with(config(), world.member, Time(1_000));
    silent.advance(Duration::from_secs(20));
    assert!(silent.dials.is_empty());
    silent.member.unmute();
    silent.advance(Duration::from_millis(1));
    assert_eq!(silent.dials.len(), 1);
}

#[test]
fn all_hubs_are_tried_in_turn_with_waits_below_the_cap() {
    let mut world = lonely();
    world.advance(Duration::from_secs(120));
    let dialled = addresses(&world);
    assert!(dialled.len() > 24, "{}", dialled.len());
    assert!(dialled.windows(2).all(|pair| pair[0] != pair[1]), "both in turn: {dialled:?}");
    let waits: Vec<Duration> = world.dials.windows(2).map(|pair| pair[1].0.since(pair[0].0)).collect();
    assert!(waits.iter().all(|wait| *wait <= config().dial_cap), "{waits:?}");
    assert!(waits.iter().skip(5).any(|wait| *wait > Duration::from_secs(1)), "they grow: {waits:?}");
}

#[test]
fn the_same_failure_is_logged_once() {
    let mut world = lonely();
    world.logs.clear();
    world.advance(Duration::from_secs(60));
    let lines = world.logs.iter().filter(|line| matches!(line, Log::Disconnected(_)));
    assert_eq!((lines.count(), world.dials.len() > 10), (2, true), "once for each hub");
}

#[test]
fn heartbeats_keep_the_interval_and_other_messages_count() {
    let mut world = World::leading();
    world.advance(Duration::from_secs(5));
    let from = world.sent.len() - 1;
    world.advance(Duration::from_secs(60));
    let times: Vec<Time> = world.sent[from..].iter().map(|(at, _)| *at).collect();
    for pair in times.windows(2) {
        let gap = pair[1].since(pair[0]);
        assert!((1_600..=2_000).contains(&gap.as_millis()), "{gap:?}");
    }
    // Something else was said: the next sign of life is due an interval later.
    world.send_targets(whole(fence(1, 1), vec![], vec![]));
    let said = world.sent.last().unwrap().0;
    let count = world.sent.len();
    world.until(|world| world.sent.len() > count + 1);
    assert!(world.sent[count + 1..].iter().all(|(at, _)| at.since(said) >= Duration::from_millis(100)));
}

#[test]
fn standby_and_goodbye_are_obeyed() {
    let wait = Duration::from_secs(20);
    for message in [Down::Standby { retry_after: wait }, Down::Goodbye { retry_after: wait }] {
        let mut world = World::new();
        world.dials.clear();
        world.welcoming = false;
        world.hear(message);
        assert_eq!((world.session, hangups(&world)), (None, 1));
        world.advance(Duration::from_millis(19_900));
        assert!(world.dials.is_empty());
        world.advance(Duration::from_secs(6));
        assert!(!world.dials.is_empty());
    }
}

#[test]
fn those_who_are_sent_away_together_do_not_return_together() {
    let returns: std::collections::BTreeSet<Time> = (0..10)
        .map(|seed| {
            let mut world = World::seeded(seed, config(), Member::default(), Time(1_000));
            world.dials.clear();
            let retry_after = Duration::from_secs(20);
            world.hear(Down::Standby { retry_after });
            world.until(|world| !world.dials.is_empty());
            world.dials[0].0
        })
        .collect();
    assert!(returns.len() > 5, "{returns:?}");
}

#[test]
fn a_session_that_stood_ends_the_row_of_failures() {
    let mut world = lonely();
    world.advance(Duration::from_secs(60));
    world.welcoming = true;
    world.until(|world| world.session.is_some());
    world.advance(Duration::from_secs(10));
    world.cut();
    let (cut, dials) = (world.now, world.dials.len());
    world.until(|world| world.dials.len() > dials);
    assert!(world.dials[dials].0.since(cut) <= config().dial_first);
}

#[test]
fn a_redirect_is_followed_and_the_known_hubs_come_back() {
    let mut world = World::new();
    world.dials.clear();
    world.welcoming = false;
    world.hear(Down::Redirect { addresses: vec!["hub-c:7443".into(), "hub-d:7443".into()] });
    world.advance(Duration::from_secs(30));
    let dialled = addresses(&world);
    assert_eq!(&dialled[..2], ["hub-c:7443", "hub-d:7443"]);
    assert!(dialled[2..].iter().all(|address| ["hub-a:7443", "hub-b:7443"].contains(address)));
}

#[test]
fn a_refusal_is_loud_and_its_wait_is_long() {
    let mut world = World::new();
    world.dials.clear();
    world.hear(Down::Refusal(Refusal {
        code: RefusalCode::ClusterUid,
        message: "cluster east is known under another UID".into(),
        retry_after: Duration::ZERO,
    }));
    world.advance(Duration::from_secs(29));
    assert!(world.dials.is_empty());
    assert!(world.logs.iter().any(|line| matches!(line, Log::Refused { .. })));
    world.advance(Duration::from_secs(10));
    assert_eq!(world.dials.len(), 1);
}

#[test]
fn a_version_that_was_not_offered_is_no_session() {
    let mut world = World::new();
    world.dials.clear();
    world.hear(Down::Welcome(Welcome { version: 99, ..welcome() }));
    assert_eq!(world.session, None);
    world.advance(Duration::from_secs(29));
    assert!(world.dials.is_empty());
}

#[test]
fn no_welcome_in_time_is_a_failure() {
    let mut world = World::new();
    world.cut();
    let mut effects = Vec::new();
    // From here on the test is the shell: dials are left unanswered.
    while !effects.iter().any(|effect| matches!(effect, Effect::Dial { .. })) {
        world.now = world.agent.deadline().unwrap().max(world.now);
        world.agent.step(world.now, Event::Tick, &mut effects);
    }
    effects.clear();
    let limit = world.now + config().dial_limit;
    while world.now < limit {
        world.now = world.agent.deadline().unwrap().max(world.now).min(limit);
        world.agent.step(world.now, Event::Tick, &mut effects);
    }
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Hangup { .. })), "{effects:?}");
}

#[test]
fn a_stream_that_takes_nothing_is_given_up() {
    let mut world = World::leading();
    world.taking = false;
    let since = world.now;
    world.until(|world| hangups(world) > 0);
    let took = world.now.since(since);
    assert!(took <= Duration::from_millis(12_050), "a heartbeat and the stall: {took:?}");
    assert!(world.sent.iter().filter(|(at, _)| *at >= since).count() <= 8, "nothing queues without a bound");
}

#[test]
fn what_an_old_session_says_is_ignored() {
    let mut world = World::leading();
    let old = world.session.unwrap();
    world.cut();
    world.welcoming = true;
    world.until(|world| world.session.is_some());
    let dials = world.dials.len();
    for message in [
        Down::Standby { retry_after: Duration::from_secs(1) },
        Down::Targets(Arc::new(whole(fence(1, 1), vec![], vec![]))),
    ] {
        world.step(Event::Received { session: old, message });
    }
    let reason = "late".into();
    world.step(Event::Closed { session: old, reason });
    assert!(world.session.is_some() && world.dials.len() == dials);
    assert_eq!(world.member.fence.unwrap().record.fence.generation.0, 0);
}

#[test]
fn a_stop_says_goodbye_gives_the_lease_back_and_ends() {
    let mut world = World::leading();
    world.step(Event::Stop);
    assert!(world.was_sent(&Up::Goodbye));
    assert_eq!(&*world.member.lease.as_ref().unwrap().holder, "");
    assert!(world.exited && world.session.is_none() && !world.member.is_watched());
    assert_eq!(world.agent.deadline(), None);
}

#[test]
fn a_stop_does_not_wait_for_ever() {
    let mut world = World::leading();
    (world.taking, world.member.mute) = (false, true);
    world.step(Event::Stop);
    assert!(!world.exited);
    world.advance(Duration::from_secs(5));
    assert!(world.exited);
}

#[test]
fn equal_events_yield_equal_effects() {
    let run = || {
        let mut world = World::leading();
        world.cut();
        world.advance(Duration::from_secs(30));
        world.welcoming = true;
        world.advance(Duration::from_secs(30));
        world.effects
    };
    assert_eq!(run(), run());
}
