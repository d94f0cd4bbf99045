//! Reports that lag behind targets (S15, S20, I4).

use std::time::Duration;

use godwit_common::link::{Report, Up};

use super::fixture::{Fixture, cluster, shares, status, web};
use crate::Command;

#[test]
fn i4_copies_that_were_told_to_stop_and_then_to_stay_count_when_a_report_shows_them() {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100)]);
    fixture.deploy_web(20, &[("alpha", 1), ("bravo", 1)]);
    fixture.pass(Duration::from_secs(1));
    let scale = |replicas| Command::Scale { workload: web(), replicas };
    fixture.command(scale(4)).expect("a good request");
    fixture.command(scale(20)).expect("a good request");
    assert_eq!(fixture.running(), shares(&[("alpha", 10), ("bravo", 10)]));
    assert_eq!(fixture.web().ready, 4, "eight of each may have begun to stop");
    // A report from before the targets arrived says that all are ready: it proves nothing.
    let row = fixture.members[&cluster("alpha")].rows.values().next().expect("a row").clone();
    let old = Report { statuses: vec![status(&row, true)], ..Report::default() };
    fixture.say("alpha", Up::Report(old));
    assert_eq!(fixture.web().ready, 4);
    fixture.report("alpha", false);
    fixture.report("bravo", false);
    assert_eq!(fixture.web().ready, 20);
}

#[test]
fn i4_what_counted_before_its_agent_came_again_counts_after_it() {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100)]);
    fixture.deploy_web(20, &[("alpha", 1), ("bravo", 1)]);
    fixture.pass(Duration::from_secs(1));
    fixture.open_as("alpha", "agent");
    fixture.lead_reflecting("alpha", 0);
    assert_eq!(fixture.web().ready, 20, "its first reports reflect nothing yet");
}
