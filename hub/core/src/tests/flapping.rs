//! Clusters that keep losing their connection: S4.

use std::time::Duration;

use godwit_common::link::Up;

use super::fixture::{Fixture, cluster, shares};
use crate::{ClusterState, Command, Event};

const WEIGHTS: &[(&str, u32)] = &[("alpha", 1), ("bravo", 1), ("charlie", 1)];

fn three() -> Fixture {
    let mut fixture = Fixture::new(&[("alpha", 200), ("bravo", 200), ("charlie", 200)]);
    fixture.deploy_web(30, WEIGHTS);
    fixture.pass(Duration::from_secs(2));
    fixture
}

impl Fixture {
    /// A cluster loses its connection so often, for a second each time.
    fn flap(&mut self, name: &str, times: u32) {
        for _ in 0..times {
            self.disconnect(name);
            self.pass(Duration::from_secs(1));
            self.connect(name);
            self.pass(Duration::from_secs(1));
        }
    }

    /// For how many seconds a cluster has to be stable, if it flaps.
    fn asked(&self, name: &str) -> Option<u64> {
        let view = self.hub.cluster(&cluster(name)).expect("a member");
        view.flapping.map(|flapping| flapping.stable_for.as_secs())
    }
}

#[test]
fn s4_a_flapping_cluster_gets_nothing_new_until_it_has_been_stable() {
    let mut fixture = three();
    fixture.flap("bravo", 3);
    assert_eq!((fixture.asked("bravo"), fixture.noted("ClusterFlapping")), (None, 0));
    fixture.flap("bravo", 1);
    assert_eq!((fixture.asked("bravo"), fixture.noted("ClusterFlapping")), (Some(60), 1));
    fixture.deploy_web(60, WEIGHTS);
    assert_eq!(fixture.plan(), shares(&[("alpha", 25), ("bravo", 10), ("charlie", 25)]));
    assert_eq!(fixture.reason("web", "bravo"), "gets nothing new: flapping");
    fixture.pass(Duration::from_secs(57));
    assert_eq!(fixture.asked("bravo"), Some(60));
    fixture.pass(Duration::from_secs(2));
    assert_eq!((fixture.asked("bravo"), fixture.noted("ClusterSteady")), (None, 1));
    fixture.deploy_web(90, WEIGHTS);
    assert_eq!(fixture.plan(), shares(&[("alpha", 30), ("bravo", 30), ("charlie", 30)]));
}

#[test]
fn s4_whoever_waits_is_placed_when_the_cluster_is_steady() {
    let mut fixture = three();
    fixture.flap("bravo", 4);
    fixture.deploy_web(20, &[("bravo", 1)]);
    assert_eq!((fixture.plan(), fixture.web().pending), (shares(&[("bravo", 10)]), 10));
    assert!(fixture.web().pending_reasons[0].contains("flapping"), "{:?}", fixture.web().pending_reasons);
    fixture.pass(Duration::from_secs(60));
    assert_eq!((fixture.plan(), fixture.web().pending), (shares(&[("bravo", 20)]), 0));
}

#[test]
fn s4_each_repetition_doubles_the_time_and_each_break_begins_it_anew() {
    let mut fixture = three();
    fixture.flap("bravo", 5);
    assert_eq!(fixture.asked("bravo"), Some(120));
    fixture.pass(Duration::from_secs(90));
    fixture.flap("bravo", 1);
    assert_eq!(fixture.asked("bravo"), Some(240));
    fixture.pass(Duration::from_secs(230));
    assert_eq!(fixture.asked("bravo"), Some(240), "it has not been stable for 240 s");
    fixture.pass(Duration::from_secs(10));
    assert_eq!(fixture.asked("bravo"), None);
}

#[test]
fn s4_the_decision_that_a_cluster_is_lost_comes_as_ever() {
    let mut fixture = three();
    fixture.flap("bravo", 6);
    fixture.disconnect("bravo");
    fixture.pass(Duration::from_secs(9));
    assert_eq!(fixture.state("bravo"), ClusterState::Suspect);
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.state("bravo"), ClusterState::Lost);
    assert_eq!(fixture.plan(), shares(&[("alpha", 15), ("charlie", 15)]));
}

#[test]
fn s4_goodbyes_and_announced_absences_count_for_nothing() {
    let mut fixture = three();
    for _ in 0..6 {
        fixture.say("bravo", Up::Goodbye);
        fixture.members.get_mut(&cluster("bravo")).expect("a member").session = None;
        fixture.pass(Duration::from_secs(1));
        fixture.connect("bravo");
    }
    let within = Some(Duration::from_secs(60));
    fixture
        .command(Command::Maintain { cluster: cluster("charlie"), within, drain: None })
        .expect("a member");
    fixture.flap("charlie", 6);
    assert_eq!((fixture.asked("bravo"), fixture.asked("charlie")), (None, None));
}

#[test]
fn s4_whoever_goes_together_with_many_is_not_to_blame() {
    let names: Vec<String> = (0..10).map(|index| format!("c{index}")).collect();
    let clusters: Vec<(&str, u32)> = names.iter().map(|name| (name.as_str(), 99)).collect();
    let mut fixture = Fixture::new(&clusters);
    for _ in 0..6 {
        // One after the other they go, and one after the other they come back.
        for name in ["c0", "c1", "c2"] {
            fixture.disconnect(name);
        }
        for name in ["c0", "c1", "c2"] {
            fixture.pass(Duration::from_secs(1));
            fixture.connect(name);
        }
    }
    assert_eq!(fixture.noted("ClusterFlapping"), 0);
    for _ in 0..6 {
        ["c0", "c1"].iter().for_each(|name| fixture.disconnect(name));
        fixture.pass(Duration::from_secs(1));
        for name in ["c0", "c1"] {
            fixture.connect(name);
        }
    }
    assert_eq!(fixture.noted("ClusterFlapping"), 6, "two of ten are no mass loss");
}

#[test]
fn s4_what_a_stalled_or_a_restarted_hub_causes_counts_for_nothing() {
    let mut fixture = three();
    for _ in 0..6 {
        fixture.now = fixture.now + Duration::from_secs(30);
        fixture.step(Event::Tick);
        fixture.disconnect("bravo");
        fixture.pass(Duration::from_secs(1));
        fixture.connect("bravo");
    }
    for _ in 0..6 {
        fixture.restart();
        for name in ["alpha", "bravo", "charlie"] {
            fixture.connect(name);
        }
        fixture.pass(Duration::from_secs(1));
    }
    assert_eq!(fixture.noted("ClusterFlapping"), 0);
}
