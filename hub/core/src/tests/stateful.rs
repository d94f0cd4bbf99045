//! Workloads with state stay where their data is: S32.

use std::time::Duration;

use godwit_common::WorkloadId;

use super::fixture::{Fixture, cluster, policy, shares, spec, status};
use crate::{Command, PolicyChoice};

fn store() -> WorkloadId {
    WorkloadId::new("default", "StatefulSet", "store").expect("a valid identity")
}

/// The data is in bravo.
fn in_bravo() -> Fixture {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100)]);
    let choice = PolicyChoice::Inline(policy("stateful", &[("alpha", 1), ("bravo", 2)]));
    fixture.deploy(spec(store(), 3), choice).expect("a good request");
    fixture.pass(Duration::from_secs(1));
    assert_eq!(fixture.running(), shares(&[("bravo", 3)]));
    fixture
}

/// The clusters that it is placed in.
fn plan(fixture: &Fixture) -> Vec<(String, u32)> {
    let placements = fixture.views().remove(0).placements;
    placements.into_iter().filter(|p| p.target > 0).map(|p| (p.cluster.to_string(), p.target)).collect()
}

fn scale(fixture: &mut Fixture, replicas: u32) {
    let scale = Command::Scale { workload: store(), replicas };
    fixture.command(scale).expect("it exists");
}

#[test]
fn s32_copies_that_another_cluster_brings_are_no_reason_to_leave_the_data() {
    let mut fixture = in_bravo();
    let delete = Command::DeleteCluster { cluster: cluster("alpha"), force: true };
    fixture.disconnect("alpha");
    fixture.pass(Duration::from_secs(12));
    fixture.command(delete).expect("it is lost");
    let mut row = fixture.members[&cluster("bravo")].rows.values().next().expect("a row").clone();
    row.replicas = 2;
    assert_eq!(status(&row, true).pods, 2);
    fixture.members.get_mut(&cluster("bravo")).expect("a member").ready = false;
    fixture.members.get_mut(&cluster("alpha")).expect("a member").rows.insert(row.uid, row);
    fixture.connect("alpha");
    scale(&mut fixture, 4);
    assert_eq!(plan(&fixture), shares(&[("bravo", 4)]));
}

#[test]
fn s32_scaling_to_zero_does_not_forget_where_the_data_is() {
    let mut fixture = in_bravo();
    scale(&mut fixture, 0);
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.running(), shares(&[]));
    fixture.disconnect("bravo");
    fixture.pass(Duration::from_secs(1));
    scale(&mut fixture, 3);
    assert_eq!(plan(&fixture), shares(&[]), "pending until bravo is back");
    fixture.restart();
    fixture.connect("alpha");
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(1));
    assert_eq!(plan(&fixture), shares(&[("bravo", 3)]));
}

#[test]
fn s23_when_the_cluster_with_the_data_is_deleted_it_begins_anew() {
    let mut fixture = in_bravo();
    fixture.disconnect("bravo");
    fixture.pass(Duration::from_secs(12));
    assert_eq!(plan(&fixture), shares(&[]));
    let delete = Command::DeleteCluster { cluster: cluster("bravo"), force: true };
    fixture.command(delete).expect("it is lost");
    assert_eq!(plan(&fixture), shares(&[("alpha", 3)]));
}

#[test]
fn s5_a_cluster_that_is_not_seen_gets_none_of_a_workload_whose_data_it_has() {
    let mut fixture = in_bravo();
    let elsewhere = Command::ApplyPolicy(policy("stateful", &[("alpha", 1)]));
    fixture.command(elsewhere).expect("a good policy");
    fixture.restart();
    scale(&mut fixture, 5);
    assert_eq!((plan(&fixture), fixture.view("store").pending), (shares(&[("bravo", 3)]), 2));
}
