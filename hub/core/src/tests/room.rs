//! Room that appears is given on at once: S14, S27.

use std::time::Duration;

use godwit_common::link::{Report, Up};
use godwit_common::{Uid, WorkloadId};

use super::fixture::{Fixture, cluster, policy, shares, spec, status, web};
use crate::{Command, PolicyChoice};

fn named(name: &str) -> WorkloadId {
    WorkloadId::new("default", "Deployment", name).expect("a valid identity")
}

#[test]
fn s14_room_that_was_promised_and_not_used_is_given_on() {
    let mut fixture = Fixture::new(&[("alpha", 60)]);
    fixture.members.get_mut(&cluster("alpha")).expect("a member").ready = false;
    let choice = || PolicyChoice::Inline(policy("only", &[("alpha", 1)]));
    fixture.deploy(spec(named("greedy"), 60), choice()).expect("a good request");
    fixture.deploy(spec(web(), 10), choice()).expect("a good request");
    fixture.pass(Duration::from_secs(2));
    assert_eq!((fixture.running(), fixture.web().pending), (shares(&[("alpha", 50)]), 10));
    let scale = Command::Scale { workload: named("greedy"), replicas: 50 };
    fixture.command(scale).expect("it exists");
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.web().pending, 0, "ten of the sixty had not started");
}

#[test]
fn s14_what_waits_says_no_longer_that_an_inventory_is_awaited_once_it_came() {
    for restarts in [false, true] {
        waits_and_says_for_what(restarts);
    }
}

fn waits_and_says_for_what(restarts: bool) {
    let mut fixture = Fixture::new(&[("alpha", 10), ("beta", 10)]);
    let even = || PolicyChoice::Inline(policy("even", &[("alpha", 1), ("beta", 1)]));
    fixture.deploy(spec(named("greedy"), 20), even()).expect("a good request");
    fixture.pass(Duration::from_secs(5));
    fixture.disconnect("beta");
    fixture.open("beta");
    fixture.deploy(spec(web(), 5), even()).expect("a good request");
    let says = |fixture: &Fixture, what: &str| {
        fixture.web().pending_reasons.iter().any(|reason| reason.contains(what))
    };
    assert!(says(&fixture, "inventory awaited"), "{:?}", fixture.web().pending_reasons);
    // A hub that starts meanwhile knows no more when it was planned.
    if restarts {
        fixture.restart();
        fixture.connect("alpha");
    }
    assert!(says(&fixture, "inventory awaited"), "{:?}", fixture.web().pending_reasons);
    fixture.connect("beta");
    fixture.pass(Duration::from_secs(1));
    assert!(!says(&fixture, "inventory awaited"), "{:?}", fixture.web().pending_reasons);
    assert!(says(&fixture, "alpha, beta: no room"), "{:?}", fixture.web().pending_reasons);
}

#[test]
fn s27_orphans_are_listed_up_to_a_bound() {
    let mut fixture = Fixture::new(&[("alpha", 100)]);
    fixture.deploy_web(1, &[("alpha", 1)]);
    fixture.pass(Duration::from_secs(1));
    let row = fixture.members[&cluster("alpha")].rows.values().next().expect("a row").clone();
    for batch in 0..30 {
        let stray = |number: u128| {
            let uid = Uid(1_000_000 + batch * 1_000 + number);
            godwit_common::link::Status { uid, ..status(&row, true) }
        };
        let statuses = (0..1_000).map(stray).collect();
        fixture.say("alpha", Up::Report(Report { statuses, ..Report::default() }));
    }
    let orphans = fixture.hub.cluster(&cluster("alpha")).expect("a member").orphans;
    assert_eq!((orphans.len(), fixture.noted("OrphanFound")), (1_000, 1_000));
}
