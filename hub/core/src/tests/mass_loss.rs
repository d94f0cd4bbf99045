//! Mass loss across restarts, among empty clusters, and beside an operator's commands: S6.

use std::time::Duration;

use super::fixture::{Fixture, cluster, policy, shares, spec, web};
use crate::{Answer, Command, FreezeCause, PolicyChoice};

/// Ten clusters with ten replicas each.
fn ten() -> Fixture {
    let names: Vec<String> = (0..10).map(|index| format!("c{index}")).collect();
    let clusters: Vec<(&str, u32)> = names.iter().map(|name| (name.as_str(), 99)).collect();
    let mut fixture = Fixture::new(&clusters);
    let weights: Vec<(&str, u32)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    fixture.deploy_web(100, &weights);
    fixture.pass(Duration::from_secs(2));
    fixture
}

/// The same, in failure domains: so many of the clusters in each.
fn ten_in(domains: &[(&str, usize)]) -> Fixture {
    let mut fixture = ten();
    let values = domains.iter().flat_map(|(domain, clusters)| std::iter::repeat_n(*domain, *clusters));
    for (index, value) in values.enumerate() {
        let set = [("topology.godwit.dev/failure-domain".into(), value.into())].into();
        let cluster = cluster(&format!("c{index}"));
        fixture.command(Command::Label { cluster, set, remove: Default::default() }).expect("a member");
    }
    fixture
}

impl Fixture {
    fn lose(&mut self, clusters: std::ops::Range<usize>) {
        clusters.for_each(|index| self.disconnect(&format!("c{index}")));
    }

    fn frozen(&self) -> bool {
        self.hub.federation().freeze.is_some()
    }
}

fn three() -> Fixture {
    let mut fixture = Fixture::new(&[("alpha", 200), ("bravo", 200), ("charlie", 200)]);
    fixture.deploy_web(30, &[("alpha", 1), ("bravo", 1), ("charlie", 1)]);
    fixture.pass(Duration::from_secs(2));
    fixture
}

#[test]
fn s6_a_freeze_that_outlived_a_restart_ends_when_the_clusters_are_back() {
    let mut fixture = three();
    let names = ["alpha", "bravo", "charlie"];
    names.iter().for_each(|name| fixture.disconnect(name));
    fixture.pass(Duration::from_secs(15));
    fixture.restart();
    assert_eq!(fixture.hub.federation().freeze.map(|freeze| freeze.cause), Some(FreezeCause::MassLoss));
    for name in names {
        fixture.connect(name);
    }
    fixture.pass(Duration::from_secs(70));
    assert_eq!(fixture.hub.federation().freeze, None);
}

#[test]
fn s6_clusters_that_miss_a_restart_are_given_up_one_at_a_time_too() {
    let mut fixture = ten();
    fixture.restart();
    for index in 3..10 {
        fixture.connect(&format!("c{index}"));
    }
    fixture.members.values_mut().for_each(|member| member.ready = false);
    fixture.pass_silently(Duration::from_secs(40));
    assert_eq!((fixture.noted("MassLoss"), fixture.noted("ClusterLost")), (1, 1));
}

#[test]
fn s6_a_cluster_with_nothing_to_move_holds_no_other_up() {
    let mut fixture = ten();
    let choice = PolicyChoice::Inline(policy("weighted", &[("c2", 1), ("c9", 1)]));
    fixture.deploy(spec(web(), 100), choice).expect("a good request");
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.plan(), shares(&[("c2", 50), ("c9", 50)]));
    for name in ["c0", "c1", "c2"] {
        fixture.disconnect(name);
    }
    fixture.pass(Duration::from_secs(15));
    assert_eq!(fixture.noted("ClusterLost"), 3, "c0 and c1 are empty");
    assert_eq!(fixture.plan(), shares(&[("c9", 99)]));
}

#[test]
fn s6_a_freeze_ends_when_the_clusters_that_caused_it_are_deleted() {
    let mut fixture = Fixture::new(&[("alpha", 200)]);
    fixture.disconnect("alpha");
    fixture.pass(Duration::from_secs(15));
    assert!(fixture.hub.federation().freeze.is_some());
    fixture.restart();
    fixture.command(Command::DeleteCluster { cluster: cluster("alpha"), force: true }).expect("not seen");
    fixture.pass(Duration::from_secs(70));
    assert_eq!(fixture.hub.federation().freeze, None);
}

#[test]
fn s6_while_frozen_a_command_that_moves_replicas_goes_on() {
    let mut fixture = Fixture::new(&[("a1", 99), ("a2", 99), ("a3", 99), ("a4", 99), ("a5", 99)]);
    fixture.deploy_web(50, &[("a4", 1)]);
    fixture.pass(Duration::from_secs(2));
    for name in ["a1", "a2", "a3"] {
        fixture.disconnect(name);
    }
    fixture.pass(Duration::from_secs(15));
    assert!(fixture.hub.federation().freeze.is_some());
    fixture.deploy_web(50, &[("a5", 1)]);
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.running(), shares(&[("a5", 50)]));
}

#[test]
fn s6_one_dead_failure_domain_is_evacuated_at_once_however_large_it_is() {
    let mut fixture = ten_in(&[("north", 7), ("south", 3)]);
    fixture.members.values_mut().for_each(|member| member.ready = false);
    fixture.lose(0..7);
    fixture.pass_silently(Duration::from_secs(11));
    assert_eq!((fixture.frozen(), fixture.noted("MassLoss"), fixture.noted("ClusterLost")), (false, 1, 7));
    assert_eq!(fixture.plan().len(), 3, "{:?}", fixture.plan());
}

#[test]
fn s6_failure_domains_are_evacuated_one_after_the_other() {
    let mut fixture = ten_in(&[("north", 2), ("south", 2)]);
    fixture.members.values_mut().for_each(|member| member.ready = false);
    fixture.lose(0..4);
    fixture.pass_silently(Duration::from_secs(15));
    assert_eq!((fixture.noted("MassLoss"), fixture.noted("ClusterLost")), (1, 2), "both of the north");
    fixture.members.values_mut().for_each(|member| member.ready = true);
    fixture.pass(Duration::from_secs(3));
    assert_eq!((fixture.noted("ClusterLost"), fixture.web().ready), (4, 100));
}

#[test]
fn s6_more_than_half_in_several_failure_domains_freezes() {
    let mut fixture = ten_in(&[("north", 5), ("south", 5)]);
    fixture.lose(0..6);
    fixture.pass(Duration::from_secs(15));
    assert!(fixture.frozen());
    assert_eq!(fixture.noted("ClusterLost"), 0);
    assert_eq!(fixture.command(Command::ConfirmFreeze), Ok(Answer::Done));
    fixture.pass(Duration::from_secs(3));
    assert_eq!(fixture.noted("ClusterLost"), 6);
}

#[test]
fn s6_all_clusters_freeze_even_in_one_failure_domain() {
    let mut fixture = ten_in(&[("north", 10)]);
    fixture.lose(0..10);
    fixture.pass(Duration::from_secs(15));
    assert!(fixture.frozen());
}

#[test]
fn s6_what_is_known_of_the_nodes_may_make_the_failure_domains() {
    let mut fixture = ten();
    fixture.config.failure_domain_label = "topology.kubernetes.io/zone".into();
    fixture.restart();
    for (index, (_, member)) in fixture.members.iter_mut().enumerate() {
        member.zones = [if index < 6 { "a" } else { "b" }.into()].into();
    }
    for index in 0..10 {
        fixture.connect(&format!("c{index}"));
    }
    fixture.pass(Duration::from_secs(2));
    fixture.lose(0..6);
    fixture.pass(Duration::from_secs(12));
    assert_eq!((fixture.frozen(), fixture.noted("ClusterLost")), (false, 6));
}
