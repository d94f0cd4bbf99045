//! Policies that rebalance: S18.

use std::time::Duration;

use godwit_common::policy::Rebalance;

use super::fixture::{Fixture, cluster, policy, shares, spec, web};
use crate::{Balanced, Command, Policy, PolicyChoice};

fn rebalancing(rebalance: Rebalance) -> Policy {
    let mut policy = policy("balanced", &[("alpha", 1), ("bravo", 1)]);
    policy.placement.rebalance = rebalance;
    policy
}

/// All of `web` is in alpha, under a policy that would have half of it in bravo.
fn lopsided(rebalance: Rebalance) -> Fixture {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100)]);
    fixture.disconnect("bravo");
    fixture.deploy(spec(web(), 20), PolicyChoice::Inline(rebalancing(rebalance))).expect("a good request");
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.plan(), shares(&[("alpha", 20)]));
    fixture
}

#[test]
fn s18_a_gradual_policy_goes_on_after_a_restart() {
    let mut fixture = lopsided(Rebalance::Gradual);
    fixture.connect("bravo");
    fixture.restart();
    fixture.connect("alpha");
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(70));
    assert_eq!(fixture.plan(), shares(&[("alpha", 18), ("bravo", 2)]));
    fixture.pass(Duration::from_secs(300));
    assert_eq!(fixture.plan(), shares(&[("alpha", 10), ("bravo", 10)]));
}

#[test]
fn s18_a_gradual_policy_takes_a_new_cluster_in() {
    let mut fixture = Fixture::new(&[("alpha", 100)]);
    let choice = PolicyChoice::Inline(rebalancing(Rebalance::Gradual));
    fixture.deploy(spec(web(), 20), choice).expect("a good request");
    fixture.pass(Duration::from_secs(150));
    fixture.add_member("bravo", 100);
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(400));
    assert_eq!(fixture.plan(), shares(&[("alpha", 10), ("bravo", 10)]));
}

#[test]
fn s18_a_gradual_policy_follows_when_room_appears() {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 4)]);
    let choice = PolicyChoice::Inline(rebalancing(Rebalance::Gradual));
    fixture.deploy(spec(web(), 20), choice).expect("a good request");
    fixture.pass(Duration::from_secs(150));
    assert_eq!(fixture.plan(), shares(&[("alpha", 16), ("bravo", 4)]));
    fixture.members.get_mut(&cluster("bravo")).expect("a member").cores = 100;
    fixture.pass(Duration::from_secs(400));
    assert_eq!(fixture.plan(), shares(&[("alpha", 10), ("bravo", 10)]));
}

#[test]
fn s18_an_always_policy_follows_at_once_when_a_cluster_returns_or_has_room() {
    let mut fixture = lopsided(Rebalance::Always);
    fixture.members.get_mut(&cluster("bravo")).expect("a member").cores = 5;
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.plan(), shares(&[("alpha", 15), ("bravo", 5)]));
    fixture.members.get_mut(&cluster("bravo")).expect("a member").cores = 100;
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.plan(), shares(&[("alpha", 10), ("bravo", 10)]));
}

#[test]
fn s18_an_always_policy_follows_after_a_restart() {
    let mut fixture = lopsided(Rebalance::Always);
    fixture.restart();
    fixture.connect("alpha");
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.plan(), shares(&[("alpha", 10), ("bravo", 10)]));
    let scale = Command::Scale { workload: web(), replicas: 0 };
    fixture.command(scale).expect("it exists");
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.running(), shares(&[]));
}

#[test]
fn s18_an_operator_moves_a_workload_back_where_its_policy_moves_nothing() {
    let mut fixture = lopsided(Rebalance::Never);
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.plan(), shares(&[("alpha", 20)]));
    let unknown = Balanced::Policy("none".parse().expect("a valid name"));
    assert!(fixture.command(Command::Rebalance(unknown)).is_err());
    for what in
        [Balanced::Workload(web()), Balanced::Policy("balanced".parse().expect("a name")), Balanced::All]
    {
        fixture.command(Command::Rebalance(what)).expect("it is there");
        assert_eq!(fixture.plan(), shares(&[("alpha", 10), ("bravo", 10)]));
    }
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.running(), shares(&[("alpha", 10), ("bravo", 10)]));
    assert_eq!(fixture.noted("Rebalanced"), 3);
}
