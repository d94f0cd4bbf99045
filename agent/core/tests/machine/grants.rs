//! The cluster's lease (S9): from when it counts, and whom it lets run.

use std::time::Duration;

use godwit_agent_core::{AskId, Call, Config, Effect, Event};
use godwit_common::link::{Down, Up, WorkloadTarget};
use godwit_common::{Epoch, Time, Uid};

use crate::world::{Member, World, config, fence, welcome, whole, workload};

const LEASE: Duration = Duration::from_secs(60);

fn supervising() -> Config {
    Config { supervises: true, ..config() }
}

fn supervised(replicas: u32) -> WorkloadTarget {
    WorkloadTarget { supervised: true, ..workload(1, "web", 1, replicas) }
}

/// Leads, and holds `web` with two supervised replicas; nothing was granted yet.
fn holding_as(config: Config) -> World {
    let mut world = World::with(config, Member::default(), Time(1_000));
    world.until(|world| world.reports().any(|report| report.complete));
    world.send_targets(whole(fence(1, 1), vec![], vec![supervised(2)]));
    world.advance(Duration::from_millis(100));
    world
}

/// The renewals that were sent: when, and their numbers.
fn renewals(world: &World) -> Vec<(Time, u64)> {
    let number = |up: &Up| if let Up::Renewal { number } = up { Some(*number) } else { None };
    world.sent.iter().filter_map(|(at, up)| Some((*at, number(up)?))).collect()
}

fn grant(world: &mut World, number: u64) {
    world.hear(Down::Grant { number, lease: LEASE });
}

/// What a supervisor of a life is told.
fn ask(world: &mut World, uid: u128) -> Option<Duration> {
    world.effects.clear();
    world.step(Event::Asked { ask: AskId(7), uids: vec![Uid(99), Uid(uid)] });
    let answer = world.effects.iter().find_map(|effect| match effect {
        Effect::Admit { ask, lasts, uids } => (*ask == AskId(7)).then_some((*lasts, uids.clone())),
        _ => None,
    });
    let (lasts, uids) = answer.expect("every question is answered at once");
    assert!(lasts.is_some() || uids.is_empty(), "without a lease nobody is let run");
    assert!(uids.iter().all(|known| *known == Uid(uid)), "nobody knows the other one: {uids:?}");
    lasts.filter(|_| !uids.is_empty())
}

#[test]
fn s9_whoever_has_no_lease_says_nothing_of_what_is_to_run() {
    let mut world = holding_as(supervising());
    world.effects.clear();
    world.step(Event::Asked { ask: AskId(8), uids: vec![Uid(1)] });
    let silent = Effect::Admit { ask: AskId(8), lasts: None, uids: vec![] };
    assert!(world.effects.contains(&silent), "{:?}", world.effects);
    // It is another thing to say that one of two is not to run here.
    let mut world = leased();
    world.effects.clear();
    world.step(Event::Asked { ask: AskId(9), uids: vec![Uid(2), Uid(1)] });
    let said = |effect: &Effect| matches!(effect, Effect::Admit { ask: AskId(9), lasts: Some(_), uids } if uids[..] == [Uid(1)]);
    assert!(world.effects.iter().any(said), "{:?}", world.effects);
}

/// Holds a lease that was just asked for.
fn leased() -> World {
    let mut world = holding_as(supervising());
    let (_, number) = *renewals(&world).last().expect("it has asked");
    grant(&mut world, number);
    world
}

#[test]
fn s9_a_lease_counts_from_when_the_renewal_was_sent() {
    let mut world = holding_as(supervising());
    let (sent, number) = renewals(&world)[0];
    assert_eq!(ask(&mut world, 1), None, "nothing was granted yet");
    // The answer is late.
    world.advance(Duration::from_secs(20));
    grant(&mut world, number);
    assert_eq!(ask(&mut world, 1), Some((sent + LEASE).since(world.now)));
    assert!(ask(&mut world, 1) <= Some(Duration::from_secs(40)));
    world.now = sent + LEASE;
    assert_eq!(ask(&mut world, 1), None, "it has ended, whatever happened meanwhile");
}

#[test]
fn s9_the_clock_runs_on_while_the_machine_is_suspended() {
    let mut world = leased();
    assert!(ask(&mut world, 1).is_some());
    world.now = world.now + Duration::from_secs(300);
    assert_eq!(ask(&mut world, 1), None, "asked before anything else that the machine wakes up to");
}

#[test]
fn s9_an_answer_renews_what_it_names_and_nothing_else() {
    let mut world = holding_as(supervising());
    let (first, number) = renewals(&world)[0];
    grant(&mut world, number + 77);
    assert_eq!(ask(&mut world, 1), None, "nobody has asked for that");
    world.until(|world| renewals(world).len() == 3);
    let (last, newest) = renewals(&world)[2];
    grant(&mut world, newest);
    grant(&mut world, number);
    assert!(last > first);
    assert_eq!(ask(&mut world, 1), Some((last + LEASE).since(world.now)), "an older answer shortens nothing");
    world.advance(Duration::from_secs(1));
    grant(&mut world, newest);
    assert_eq!(
        ask(&mut world, 1),
        Some((last + LEASE).since(world.now)),
        "nor does the same one lengthen it"
    );
}

#[test]
fn s9_only_what_is_to_run_here_and_has_a_supervisor_is_let_run() {
    let mut world = leased();
    let plain = workload(2, "api", 1, 3);
    world.send_targets(whole(fence(1, 2), vec![], vec![supervised(2), plain]));
    world.advance(Duration::from_secs(1));
    assert!(ask(&mut world, 1).is_some());
    assert_eq!((ask(&mut world, 2), ask(&mut world, 3)), (None, None));
    let plain = workload(2, "api", 1, 3);
    world.send_targets(whole(fence(1, 3), vec![], vec![supervised(0), plain]));
    world.advance(Duration::from_secs(1));
    assert_eq!(ask(&mut world, 1), None, "it was replaced, or moved");
    let asked = renewals(&world).len();
    world.advance(Duration::from_secs(60));
    assert_eq!(renewals(&world).len(), asked, "nothing here needs a lease");
}

#[test]
fn s9_only_a_leader_lets_anything_start() {
    let mut world = leased();
    world.cut();
    assert!(ask(&mut world, 1).is_some(), "a moment without a hub is nothing");
    world.advance(Duration::from_secs(5));
    assert_eq!(ask(&mut world, 1), None, "another agent may lead by now, and know more");
    world.welcoming = true;
    world.advance(Duration::from_secs(20));
    assert!(world.leads());
    world.send_targets(whole(fence(1, 2), vec![], vec![supervised(2)]));
    world.advance(Duration::from_millis(100));
    let left = ask(&mut world, 1).expect("the lease still stands");
    assert!(left < Duration::from_secs(40), "leading again has renewed nothing: {left:?}");
}

#[test]
fn s9_a_restart_renews_nothing() {
    let World { mut member, now, .. } = leased();
    member.forget_agent();
    let mut world = World::with(supervising(), member, now + Duration::from_secs(1));
    world.until(|world| world.reports().any(|report| report.complete));
    world.send_targets(whole(fence(1, 2), vec![], vec![supervised(2)]));
    world.advance(Duration::from_millis(100));
    assert_eq!(ask(&mut world, 1), None, "what the last process held it cannot know");
    let (_, number) = *renewals(&world).last().expect("it asks anew");
    grant(&mut world, number);
    assert!(ask(&mut world, 1).is_some());
}

#[test]
fn s10_a_hub_that_leads_no_more_grants_nothing() {
    let mut world = holding_as(supervising());
    world.send_targets(whole(fence(4, 2), vec![], vec![supervised(2)]));
    world.advance(Duration::from_secs(3));
    let (_, number) = *renewals(&world).last().expect("it asks");
    grant(&mut world, number);
    assert!(ask(&mut world, 1).is_some(), "who sent those targets has that epoch");
    // A hub of an older epoch answers next, and the lease ends as it would have.
    world.cut();
    world.welcoming = true;
    world.advance(Duration::from_secs(20));
    assert_eq!(welcome().epoch, Epoch(1));
    world.until(|world| world.leads());
    let before = ask(&mut world, 1);
    for (_, number) in renewals(&world) {
        grant(&mut world, number);
    }
    assert_eq!(ask(&mut world, 1), before);
}

#[test]
fn s9_a_lease_is_renewed_well_before_it_ends() {
    let mut world = holding_as(supervising());
    world.advance(Duration::from_secs(20));
    let unanswered = renewals(&world);
    assert!(
        (9..=14).contains(&unanswered.len()),
        "with every heartbeat until it is answered: {unanswered:?}"
    );
    assert!(unanswered.windows(2).all(|two| two[0].1 + 1 == two[1].1), "{unanswered:?}");
    let (sent, number) = *unanswered.last().expect("it has asked");
    grant(&mut world, number);
    world.until(|world| renewals(world).len() > unanswered.len());
    let next = renewals(&world)[unanswered.len()].0;
    assert!(next.since(sent) >= Duration::from_secs(10) && next.since(sent) <= LEASE / 4, "{next:?}");
}

#[test]
fn s9_who_cannot_supervise_says_so_and_asks_for_nothing() {
    let mut world = holding_as(config());
    world.advance(Duration::from_secs(60));
    assert!(renewals(&world).is_empty() && !world.dials[0].2.supervises);
    let marks = |world: &World| {
        let applies = world.member.calls.iter().filter_map(|call| match call {
            Call::Apply(apply) => Some(apply.supervised),
            _ => None,
        });
        applies.collect::<Vec<bool>>()
    };
    assert_eq!(marks(&world), [false]);
    let world = holding_as(supervising());
    assert!(world.dials[0].2.supervises);
    assert_eq!(marks(&world), [true]);
}
