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
