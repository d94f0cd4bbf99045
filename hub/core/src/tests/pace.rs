//! The pace: S7.

use std::time::Duration;

use godwit_common::WorkloadId;

use super::fixture::{Fixture, cluster, policy, shares, spec};
use crate::{Command, Policy, PolicyChoice};

fn named(name: &str) -> WorkloadId {
    WorkloadId::new("default", "Deployment", name).expect("a valid identity")
}

fn with_priority(name: &str, weights: &[(&str, u32)], priority: i32) -> PolicyChoice {
    let mut policy: Policy = policy(name, weights);
    policy.placement.priority = priority;
    PolicyChoice::Inline(policy)
}

#[test]
fn s7_when_a_cluster_is_lost_the_most_urgent_are_started_first() {
    let weights: &[(&str, u32)] = &[("alpha", 1), ("bravo", 0)];
    for urgent in ["a", "b", "c", "d", "e", "f"] {
        let mut fixture = Fixture::new(&[("alpha", 500), ("bravo", 500)]);
        for name in ["a", "b", "c", "d", "e", "f"] {
            let (policy, priority) = if name == urgent { ("urgent", 9) } else { ("usual", 0) };
            let choice = with_priority(policy, weights, priority);
            fixture.deploy(spec(named(name), 50), choice).expect("a good request");
            fixture.pass(Duration::from_secs(1));
        }
        for (name, priority) in [("urgent", 9), ("usual", 0)] {
            let mut policy = policy(name, &[("alpha", 1), ("bravo", 1)]);
            policy.placement.priority = priority;
            fixture.command(Command::ApplyPolicy(policy)).expect("a good policy");
        }
        fixture.members.get_mut(&cluster("bravo")).expect("a member").ready = false;
        fixture.disconnect("alpha");
        fixture.pass(Duration::from_secs(12));
        let started = fixture.views().into_iter().filter(|view| view.placements.iter().any(on_bravo));
        let started: Vec<String> = started.map(|view| view.id.name.to_string()).collect();
        assert_eq!(started, [urgent], "50 starts, and 50 replicas of the urgent one");
    }
}

fn on_bravo(placement: &crate::PlacementView) -> bool {
    placement.cluster == cluster("bravo") && placement.sent > 0
}

#[test]
fn s7_what_waited_behind_a_deleted_workload_starts() {
    let mut fixture = Fixture::new(&[("alpha", 500)]);
    fixture.members.get_mut(&cluster("alpha")).expect("a member").ready = false;
    let choice = || PolicyChoice::Inline(policy("only", &[("alpha", 1)]));
    fixture.deploy(spec(named("stuck"), 50), choice()).expect("a good request");
    fixture.deploy(spec(named("waits"), 10), choice()).expect("a good request");
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.running(), shares(&[("alpha", 50)]));
    fixture.command(Command::DeleteWorkload { workload: named("stuck") }).expect("it exists");
    fixture.pass(Duration::from_secs(1));
    assert_eq!(fixture.running(), shares(&[("alpha", 10)]));
}
