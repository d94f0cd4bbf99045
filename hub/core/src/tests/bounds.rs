//! Damaged stores, and what must not grow without end.

use std::time::Duration;

use godwit_common::link::{Report, Status, Up};

use super::fixture::{Fixture, cluster, policy, shares, spec, status};
use crate::{Command, Hub, Key, PolicyChoice, Record};

#[test]
fn a_store_without_its_federation_is_not_taken_for_a_new_one() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    fixture.deploy_web(5, &[("alpha", 1)]);
    fixture.store.remove(&Key::Federation);
    let records: Vec<Record> = fixture.store.values().cloned().collect();
    let restored = Hub::restore(fixture.config.clone(), 1, records, Default::default(), &mut Vec::new());
    let error = restored.expect_err("its members belong to another federation").to_string();
    assert!(error.contains("Federation"), "{error}");
}

#[test]
fn migrations_that_never_end_do_not_pile_up() {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100)]);
    (fixture.config.migrations, fixture.config.clusters) = (2, 3);
    fixture.restart();
    fixture.members.get_mut(&cluster("alpha")).expect("a member").ready = false;
    fixture.connect("alpha");
    fixture.connect("bravo");
    for round in 0..10 {
        let id =
            godwit_common::WorkloadId::new("default", "Deployment", &format!("w{round}")).expect("valid");
        for place in ["bravo", "alpha"] {
            let choice = PolicyChoice::Inline(policy(&format!("p{round}"), &[(place, 1)]));
            fixture.deploy(spec(id.clone(), 1), choice).expect("a good request");
            fixture.pass(Duration::from_secs(1));
        }
    }
    let kept = fixture.store.keys().filter(|key| matches!(key, Key::Migration(_))).count();
    assert_eq!(kept, 5, "as many as are kept when they are done, and one for each cluster there may be");
}

#[test]
fn s30_a_journal_that_is_to_be_shorter_is() {
    let mut fixture = Fixture::new(&[("alpha", 100)]);
    for replicas in 0..30 {
        fixture.deploy_web(replicas, &[("alpha", 1)]);
    }
    let numbers = |fixture: &Fixture| -> Vec<u64> {
        let number = |key: &Key| if let Key::Journal(number) = key { Some(*number) } else { None };
        fixture.store.keys().filter_map(number).collect()
    };
    let before = numbers(&fixture);
    assert!(before.len() > 20, "{before:?}");
    fixture.config.journal_entries = 5;
    fixture.restart();
    let newest = numbers(&fixture).last().copied().expect("the start is an entry");
    let kept = |newest: u64| (newest - 4..=newest).collect::<Vec<u64>>();
    assert_eq!(numbers(&fixture), kept(newest));
    fixture.connect("alpha");
    fixture.deploy_web(3, &[("alpha", 1)]);
    let later = numbers(&fixture).last().copied().expect("one");
    assert!(later > newest);
    assert_eq!(numbers(&fixture), kept(later));

    // And a longer one forgets nothing of what there is.
    fixture.config.journal_entries = 1_000;
    fixture.restart();
    assert_eq!(numbers(&fixture)[..5], kept(later));
}

#[test]
fn s33_a_report_of_what_is_gone_gives_no_seat() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10)]);
    fixture.deploy_web(5, &[("alpha", 1)]);
    let row = fixture.members[&cluster("alpha")].rows.values().next().expect("a row").clone();
    let gone = Status { exists: false, replicas: 0, pods: 0, bound: 0, ready: 0, ..status(&row, true) };
    fixture.say("bravo", Up::Report(Report { statuses: vec![gone], ..Report::default() }));
    assert!(fixture.members[&cluster("bravo")].rows.is_empty());
}

#[test]
fn s23_a_deleted_cluster_concerns_only_what_it_had() {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100)]);
    fixture.deploy_web(10, &[("alpha", 1), ("bravo", 1)]);
    fixture.pass(Duration::from_secs(1));
    fixture.restart();
    fixture.connect("alpha");
    fixture.command(Command::DeleteCluster { cluster: cluster("bravo"), force: true }).expect("not seen");
    let migration = fixture.hub.migration(crate::MigrationId(1)).expect("recorded").migration;
    let moves: Vec<_> = migration.moves.iter().map(|m| (m.from.clone(), m.to.clone(), m.replicas)).collect();
    assert_eq!(moves, [(Some(cluster("bravo")), Some(cluster("alpha")), 5)]);
    assert_eq!(fixture.plan(), shares(&[("alpha", 10)]));
}
