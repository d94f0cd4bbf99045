//! Epochs, fences and full synchronisation: S10, S23, S25, S27.

use std::time::Duration;

use godwit_common::link::{LeaderTerm, Leadership, Up};
use godwit_common::{Digest, Epoch, Term, Uid};

use super::fixture::{Fixture, cluster, shares, web};
use crate::{Answer, ClusterState, Command, FreezeCause};

fn two() -> Fixture {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100)]);
    fixture.deploy_web(10, &[("alpha", 1), ("bravo", 1)]);
    fixture.pass(Duration::from_secs(1));
    fixture
}

#[test]
fn s10_a_restored_store_stands_still_and_learns_what_it_has_forgotten() {
    let mut fixture = two();
    let backup = fixture.store.clone();
    fixture.command(Command::Scale { workload: web(), replicas: 40 }).expect("a good request");
    fixture.pass(Duration::from_secs(1));
    fixture.restart();
    fixture.connect("alpha");
    fixture.connect("bravo");
    let heard = fixture.hub.federation().epoch;
    fixture.store = backup;
    fixture.restart();
    fixture.sent.clear();
    fixture.connect("alpha");
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(40));
    let federation = fixture.hub.federation();
    assert_eq!(federation.freeze.map(|freeze| freeze.cause), Some(FreezeCause::NewerHistory));
    assert!(federation.epoch > heard);
    assert_eq!(fixture.sent, vec![]);
    assert_eq!(fixture.running(), shares(&[("alpha", 20), ("bravo", 20)]));
    assert_eq!(fixture.command(Command::ReleaseFreeze), Ok(Answer::Done));
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.running(), shares(&[("alpha", 20), ("bravo", 20)]), "today's truth");
    assert_eq!((fixture.web().replicas, fixture.web().pending), (40, 0));
}

#[test]
fn s10_a_restored_store_is_noticed_by_its_generations_even_after_several_restarts() {
    let mut fixture = two();
    let backup = fixture.store.clone();
    fixture.command(Command::Scale { workload: web(), replicas: 40 }).expect("a good request");
    fixture.pass(Duration::from_secs(1));
    fixture.store = backup;
    fixture.restart();
    fixture.restart();
    fixture.restart();
    fixture.connect("alpha");
    assert!(fixture.hub.federation().freeze.is_some());
    assert_eq!(fixture.running(), shares(&[("alpha", 20), ("bravo", 20)]));
}

#[test]
fn s10_another_federation_is_refused() {
    let mut fixture = two();
    fixture.disconnect("alpha");
    fixture.members.get_mut(&cluster("alpha")).expect("a member").fence.federation = Uid(99);
    fixture.open("alpha");
    assert_eq!(fixture.noted("SessionRefused"), 1);
    assert_eq!(fixture.state("alpha"), ClusterState::Suspect);
}

#[test]
fn s25_rows_that_do_not_add_up_are_sent_whole() {
    let mut fixture = two();
    fixture.sent.clear();
    fixture.say("alpha", Up::SyncWanted);
    assert_eq!(fixture.sent.len(), 1);
    let term = LeaderTerm { lease: Uid(1), transitions: Term(1) };
    let fence = fixture.members[&cluster("alpha")].fence;
    let digest = Digest(12345);
    fixture.say("alpha", Up::Leadership(Leadership::Leading { term, fence, base: fence.generation, digest }));
    fixture.report("alpha", true);
    assert_eq!(fixture.sent.len(), 2);
}

#[test]
fn s27_what_nobody_explains_is_kept_and_listed() {
    let mut fixture = two();
    let mut row = fixture.members[&cluster("alpha")].rows.values().next().expect("a row").clone();
    row.uid = Uid(77);
    row.workload = godwit_common::WorkloadId::new("default", "Deployment", "stray").expect("valid");
    fixture.members.get_mut(&cluster("alpha")).expect("a member").rows.insert(Uid(77), row);
    fixture.pass(Duration::from_secs(1));
    let orphans = fixture.hub.cluster(&cluster("alpha")).expect("a member").orphans;
    let orphan = orphans.first().expect("one is listed");
    assert_eq!((&*orphan.workload.name, orphan.uid, orphan.pods), ("stray", Uid(77), 5));
    assert_eq!((orphans.len(), fixture.noted("OrphanFound")), (1, 1));
}

#[test]
fn s27_removals_that_nobody_decided_are_held_back() {
    let mut fixture = Fixture::new(&[("alpha", 100)]);
    for name in ["a", "b", "c", "d"] {
        let id = godwit_common::WorkloadId::new("default", "Deployment", name).expect("valid");
        fixture.deploy(super::fixture::spec(id, 1), crate::PolicyChoice::Annotated).expect("a good request");
    }
    fixture.pass(Duration::from_secs(1));
    // A damaged store: the plan is gone, and nothing says who took it away.
    for record in fixture.store.values_mut() {
        match record {
            crate::Record::Seat { seat, .. } => (seat.placed, seat.cause) = (0, None),
            crate::Record::Workload(workload) => (workload.spec.replicas, workload.wanted) = (0, 0),
            _ => {}
        }
    }
    fixture.restart();
    fixture.connect("alpha");
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.running(), shares(&[("alpha", 3)]), "one may always go");
    assert_eq!(fixture.hub.cluster(&cluster("alpha")).expect("a member").removals_held, 3);
    let confirm = Command::ConfirmRemoval { cluster: cluster("alpha") };
    assert_eq!(fixture.command(confirm), Ok(Answer::RemovalsReleased(3)));
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.running(), shares(&[]));
    assert!(fixture.hub.federation().epoch > Epoch(1));
}

#[test]
fn s23_a_known_name_with_another_identity_is_refused() {
    let mut fixture = two();
    fixture.disconnect("alpha");
    for record in fixture.store.values_mut() {
        if let crate::Record::Cluster(cluster) = record {
            cluster.uid = Uid(cluster.uid.0 + 1);
        }
    }
    fixture.restart();
    fixture.open("alpha");
    assert_eq!((fixture.noted("SessionRefused"), fixture.state("alpha")), (1, ClusterState::Unknown));
}
