//! Several agents, one voice: S1, S10, S23, S24.

use std::time::Duration;

use godwit_common::link::{LeaderTerm, Leadership, Up};
use godwit_common::{Digest, Epoch, Generation, Term, Uid};

use super::fixture::{Fixture, cluster, policy, shares, spec, status, web};
use crate::{ClusterState, Event, PolicyChoice};

fn two() -> Fixture {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100)]);
    fixture.deploy_web(10, &[("alpha", 1), ("bravo", 1)]);
    fixture.pass(Duration::from_secs(1));
    fixture
}

#[test]
fn s24_only_the_highest_term_speaks_for_its_cluster() {
    let mut fixture = two();
    let old = fixture.members[&cluster("alpha")].session.expect("connected");
    fixture.open_as("alpha", "another");
    let leading = |transitions| {
        let term = LeaderTerm { lease: Uid(1), transitions: Term(transitions) };
        let fence = fixture.members[&cluster("alpha")].fence;
        Up::Leadership(Leadership::Leading { term, fence, base: Generation(0), digest: Digest::default() })
    };
    let (newer, older) = (leading(2), leading(1));
    fixture.say("alpha", newer);
    fixture.report("alpha", true);
    fixture.step(crate::Event::Message { session: old, message: older });
    let row = fixture.members[&cluster("alpha")].rows.values().next().expect("a row").clone();
    let lie = godwit_common::link::Report { complete: true, ..Default::default() };
    fixture.step(crate::Event::Message { session: old, message: Up::Report(lie) });
    let placement = fixture.web().placements.remove(0);
    assert_eq!(placement.observed, status(&row, true).pods, "the deposed leader is not believed");
}

#[test]
fn s24_who_leads_under_a_new_lease_is_asked_again_when_the_old_one_gives_up() {
    let mut fixture = two();
    let old = fixture.members[&cluster("alpha")].session.expect("connected");
    let new = fixture.open_as("alpha", "another");
    let leading = |lease| {
        let term = LeaderTerm { lease: Uid(lease), transitions: Term(1) };
        let fence = fixture.members[&cluster("alpha")].fence;
        Up::Leadership(Leadership::Leading { term, fence, base: Generation(0), digest: Digest::default() })
    };
    // The Lease was deleted: one leads under the next, the other does not know yet, and speaks last.
    let (successor, deposed) = (leading(2), leading(1));
    fixture.step(Event::Message { session: new, message: successor });
    fixture.step(Event::Message { session: old, message: deposed });
    assert_eq!(fixture.members[&cluster("alpha")].session, Some(new), "nothing is closed yet");
    fixture.step(Event::Message { session: old, message: Up::Leadership(Leadership::Following) });
    assert_eq!(fixture.members[&cluster("alpha")].session, None, "its session is closed: it says all again");
    assert_eq!(fixture.hub.cluster(&cluster("alpha")).expect("a member").agents, 1);
}

#[test]
fn s24_a_fourth_agent_stands_by() {
    let mut fixture = two();
    for instance in ["second", "third", "fourth"] {
        fixture.open_as("alpha", instance);
    }
    assert_eq!(fixture.hub.cluster(&cluster("alpha")).expect("a member").agents, 3);
}

#[test]
fn s24_one_of_those_that_stand_by_asks_before_silence_is_a_loss() {
    let mut fixture = two();
    for instance in ["second", "third", "fourth", "fifth", "fourth"] {
        fixture.open_as("alpha", instance);
    }
    let seconds: Vec<u64> = fixture.waits.iter().map(|(_, wait)| wait.as_secs()).collect();
    assert_eq!((seconds[0], seconds[2]), (5, 5), "the reserve");
    assert!(seconds[1] >= 30, "the others: {seconds:?}");
}

/// After how many seconds two agents that stand by ask again: the reserve, and another.
fn waits_of_two(fixture: &mut Fixture) -> [f64; 2] {
    for instance in ["second", "third", "fourth", "fifth"] {
        fixture.open_as("alpha", instance);
    }
    let waits: Vec<f64> = fixture.waits.iter().map(|(_, wait)| wait.as_secs_f64()).collect();
    let [reserve, other] = waits[..] else { panic!("two stand by: {waits:?}") };
    [reserve, other]
}

#[test]
fn s24_where_silence_is_a_loss_at_once_one_agent_asks_often_and_no_other() {
    let mut fixture = Fixture::new(&[("alpha", 100)]);
    fixture.config.lost_after = Duration::ZERO;
    fixture.disconnect("alpha");
    fixture.restart();
    fixture.connect("alpha");
    let [reserve, other] = waits_of_two(&mut fixture);
    // Its streams make room after 3 s, and are dead after 5 s.
    assert!((1.0..1.6).contains(&reserve), "{reserve}");
    assert!(other >= 30.0, "{other}");
}

#[test]
fn s24_the_reserve_heeds_the_shortest_window_of_those_that_place_there() {
    let mut fixture = two();
    let mut quick = policy("quick", &[("alpha", 1)]);
    quick.lost_after = Duration::from_secs(6);
    fixture.deploy(spec(web(), 3), PolicyChoice::Inline(quick)).expect("a good request");
    let [reserve, _] = waits_of_two(&mut fixture);
    assert!(reserve * 1.25 < 3.0, "between 3 s of silence and the loss after 6 s: {reserve}");
}

#[test]
fn s24_witnesses_are_in_different_zones_where_there_are_several() {
    let mut fixture = two();
    fixture.open_in("alpha", "second", "a");
    let third = fixture.open_in("alpha", "third", "a");
    fixture.open_in("alpha", "fourth", "a");
    assert_eq!(fixture.waits.len(), 1, "another in zone a is not wanted");
    fixture.open_in("alpha", "fifth", "b");
    assert_eq!(fixture.waits.last().map(|(session, _)| *session), Some(third), "it makes room for zone b");
    assert_eq!(fixture.hub.cluster(&cluster("alpha")).expect("a member").agents, 3);
    assert_eq!(fixture.noted("ClusterSuspect"), 0);
}

#[test]
fn s24_an_agent_that_comes_again_takes_the_place_of_its_former_session() {
    let mut fixture = two();
    for instance in ["second", "third"] {
        fixture.open_as("alpha", instance);
    }
    // The network between them broke, and nothing tells the hub so: all three sessions are half open.
    for instance in ["second", "third", "agent"] {
        fixture.open_as("alpha", instance);
    }
    fixture.lead("alpha");
    assert_eq!(fixture.hub.cluster(&cluster("alpha")).expect("a member").agents, 3);
    fixture.pass(Duration::from_secs(20));
    assert_eq!((fixture.state("alpha"), fixture.noted("ClusterSuspect")), (ClusterState::Ready, 0));
}

#[test]
fn s24_a_former_session_is_heard_no_more() {
    let mut fixture = two();
    let former = fixture.members[&cluster("alpha")].session.expect("connected");
    fixture.connect("alpha");
    let term = LeaderTerm { lease: Uid(1), transitions: Term(1) };
    let fence = fixture.members[&cluster("alpha")].fence;
    let leading = Leadership::Leading { term, fence, base: fence.generation, digest: Digest::default() };
    fixture.step(Event::Message { session: former, message: Up::Leadership(leading) });
    fixture.step(Event::Closed { session: former, expired: false });
    assert_eq!(fixture.web().ready, 10, "its agent leads in its new session");
}

#[test]
fn s24_sessions_that_have_fallen_silent_keep_nobody_out() {
    let mut fixture = two();
    for instance in ["second", "third"] {
        fixture.open_as("alpha", instance);
    }
    fixture.members.get_mut(&cluster("alpha")).expect("a member").session = None;
    fixture.pass(Duration::from_secs(4));
    fixture.open_as("alpha", "fourth");
    fixture.lead("alpha");
    fixture.pass(Duration::from_secs(10));
    assert_eq!((fixture.state("alpha"), fixture.noted("ClusterSuspect")), (ClusterState::Ready, 0));
}

#[test]
fn s1_the_journal_says_how_a_stream_ended() {
    let mut fixture = two();
    fixture.members.get_mut(&cluster("alpha")).expect("a member").session = None;
    fixture.pass(Duration::from_secs(6));
    let suspect = fixture.journal.iter().find(|entry| &*entry.reason == "ClusterSuspect").expect("noted");
    assert!(suspect.message.contains("silent"), "{}", suspect.message);
}

#[test]
fn s10_the_epochs_of_a_cluster_without_a_federation_prove_nothing() {
    let mut fixture = two();
    fixture.disconnect("alpha");
    let member = fixture.members.get_mut(&cluster("alpha")).expect("a member");
    (member.fence.federation, member.fence.epoch) = (Uid(0), Epoch(99));
    fixture.open("alpha");
    assert_eq!((fixture.state("alpha"), fixture.hub.federation().freeze), (ClusterState::Ready, None));
}

#[test]
fn s23_a_cluster_that_never_brought_an_inventory_is_joining_after_a_restart_too() {
    let mut fixture = two();
    fixture.add_member("charlie", 100);
    fixture.open("charlie");
    fixture.restart();
    fixture.connect("alpha");
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(40));
    assert_eq!((fixture.state("charlie"), fixture.noted("ClusterLost")), (ClusterState::Joining, 0));
    assert_eq!(fixture.plan(), shares(&[("alpha", 5), ("bravo", 5)]));
}

#[test]
fn s24_who_stands_by_is_called_through_those_that_are_left() {
    let mut fixture = two();
    let [second, third] = ["second", "third"].map(|instance| fixture.open_as("alpha", instance));
    for instance in ["fourth", "fifth"] {
        fixture.open_as("alpha", instance);
    }
    assert!(fixture.summoned.is_empty(), "nobody is missing");
    fixture.step(Event::Closed { session: third, expired: false });
    let through: Vec<_> = fixture.summoned.iter().map(|(session, _)| *session).collect();
    assert!(through.len() == 2 && through.contains(&second), "{through:?}");
    let called: Vec<&[String]> = fixture.summoned.iter().map(|(_, agents)| &agents[..]).collect();
    assert_eq!(called, [["fifth"], ["fifth"]], "as many as are missing, and who asked last");
    // It does not come: another one is called, and the agent that falls silent meanwhile is missing, too.
    fixture.summoned.clear();
    fixture.members.get_mut(&cluster("alpha")).expect("a member").session = Some(second);
    fixture.pass(Duration::from_secs(4));
    let (through, called) = fixture.summoned.last().expect("a call");
    assert_eq!((*through, &called[..]), (second, &["fourth".to_owned(), "fifth".to_owned()][..]));
}

#[test]
fn s24_zones_without_a_witness_are_called_first() {
    let mut fixture = two();
    let second = fixture.open_in("alpha", "second", "a");
    let third = fixture.open_in("alpha", "third", "b");
    for (instance, zone) in [("fourth", "b"), ("fifth", "a"), ("sixth", "a")] {
        fixture.open_in("alpha", instance, zone);
    }
    fixture.step(Event::Closed { session: third, expired: false });
    assert_eq!(fixture.summoned.last().expect("a call").1, ["fourth"], "zone b has none");
    fixture.step(Event::Closed { session: second, expired: false });
    assert_eq!(fixture.summoned.last().expect("a call").1, ["fifth"], "the fourth is on its way");
}

/// Its last stream was cut for its certificate's end: that says nothing about the cluster.
#[test]
fn s1_a_certificate_that_has_ended_is_no_loss() {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100)]);
    fixture.deploy_web(10, &[("alpha", 1), ("bravo", 1)]);
    fixture.pass(Duration::from_secs(2));
    let session = fixture.members.get_mut(&cluster("alpha")).and_then(|member| member.session.take());
    fixture.step(Event::Closed { session: session.expect("it is connected"), expired: true });
    fixture.pass(Duration::from_secs(3_600));
    let view = fixture.hub.cluster(&cluster("alpha")).expect("a member");
    assert_eq!(view.state, ClusterState::Suspect);
    assert!(view.reason.contains("its certificate has ended"), "{}", view.reason);
    assert_eq!(fixture.plan(), shares(&[("alpha", 5), ("bravo", 5)]));
    assert!(fixture.hub.federation().freeze.is_none());
    // It comes back with another one, and then silence is silence again.
    fixture.connect("alpha");
    assert_eq!(fixture.state("alpha"), ClusterState::Ready);
    fixture.disconnect("alpha");
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.state("alpha"), ClusterState::Lost);
}
