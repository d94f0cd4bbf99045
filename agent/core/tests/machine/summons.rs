//! Agents that stand by are called through their own cluster (S24).

use std::time::Duration;

use godwit_agent_core::Effect;
use godwit_common::Epoch;
use godwit_common::link::{Down, Summons};

use crate::world::World;

fn summons(number: u64, agents: &[&str]) -> Summons {
    Summons { epoch: Epoch(1), number, agents: agents.iter().map(|name| (*name).into()).collect() }
}

fn written(world: &World) -> Option<&Summons> {
    world.member.summons.as_ref().map(|seen| &seen.summons)
}

/// An agent that was told to stand by, for long.
fn standing_by() -> World {
    let mut world = World::new();
    world.until(|world| !world.dials.is_empty());
    world.welcoming = false;
    world.hear(Down::Standby { retry_after: Duration::from_secs(600) });
    world.advance(Duration::from_secs(30));
    assert_eq!(world.dials.len(), 1);
    world
}

#[test]
fn s24_who_has_a_stream_writes_down_whom_the_hub_calls() {
    let mut world = World::leading();
    world.hear(Down::Summons(summons(1, &["agent-7"])));
    world.advance(Duration::from_secs(1));
    assert_eq!(written(&world), Some(&summons(1, &["agent-7"])));
    // Another witness was faster: nothing older is written over it.
    let seen = world.member.summons.as_mut().expect("written");
    seen.summons = summons(9, &["agent-8"]);
    world.hear(Down::Summons(summons(5, &["agent-5"])));
    world.advance(Duration::from_secs(5));
    assert_eq!(written(&world), Some(&summons(9, &["agent-8"])));
    world.hear(Down::Summons(summons(10, &["agent-9"])));
    world.advance(Duration::from_secs(5));
    assert_eq!(written(&world), Some(&summons(10, &["agent-9"])));
}

#[test]
fn s24_who_stands_by_comes_at_once_when_it_is_called_and_not_when_others_are() {
    let mut world = standing_by();
    world.member.summon(summons(1, &["agent-2", "agent-3"]));
    world.advance(Duration::from_secs(5));
    assert_eq!(world.dials.len(), 1, "others are meant");
    world.welcoming = true;
    world.member.summon(summons(2, &["agent-2", "agent-1"]));
    world.advance(Duration::from_millis(100));
    assert_eq!(world.dials.len(), 2);
    world.until(|world| world.leads());
    let ended = world.effects.iter().filter(|effect| matches!(effect, Effect::Unwatch { .. })).count();
    assert_eq!(ended, 1, "who has a stream listens no longer");
}

#[test]
fn s24_one_call_is_followed_once() {
    let mut world = standing_by();
    world.member.summon(summons(2, &["agent-1"]));
    world.advance(Duration::from_secs(1));
    let dialled = world.dials.len();
    assert!(dialled >= 2);
    world.welcoming = true;
    world.until(|world| world.session.is_some());
    world.hear(Down::Standby { retry_after: Duration::from_secs(600) });
    let dialled = world.dials.len();
    world.advance(Duration::from_secs(30));
    assert_eq!(world.dials.len(), dialled, "it has been followed");
    world.member.relist();
    world.advance(Duration::from_secs(30));
    assert_eq!(world.dials.len(), dialled);
}
