//! Which revisions there are, which are kept, and what goes with them.

use std::collections::BTreeSet;
use std::time::Duration;

use godwit_common::policy::Rollout as Terms;

use super::{
    CLUSTERS, connect_all, deploy, deployed, even, known, of_revision, order, settle, state, with_manifest,
};
use crate::tests::fixture::{Fixture, Member, cluster, deployment, object, web};
use crate::{Application, Command, Key, PolicyChoice, Record, RevisionState, RolloutOrder, RolloutState};

#[test]
fn the_same_manifest_again_is_no_new_revision_and_an_older_one_has_a_new_number() {
    let mut fixture = deployed(Terms::default());
    deploy(&mut fixture, "v1");
    assert_eq!(fixture.web().rollout.revision, 1);
    deploy(&mut fixture, "v2");
    fixture.pass(Duration::from_secs(40));
    deploy(&mut fixture, "v1");
    fixture.pass(Duration::from_secs(40));
    assert_eq!(known(&fixture), [(2, RevisionState::Proven), (3, RevisionState::Proven)]);
}

#[test]
fn ten_revisions_are_kept_and_those_in_use() {
    let mut fixture = deployed(Terms::default());
    fixture.disconnect("charlie");
    fixture
        .command(Command::Maintain {
            cluster: cluster("charlie"),
            within: Some(Duration::from_secs(9_000)),
            drain: None,
        })
        .expect("a member");
    for number in 2..20 {
        deploy(&mut fixture, &format!("v{number}"));
        fixture.pass(Duration::from_secs(30));
    }
    let numbers: Vec<u64> = known(&fixture).into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, [1, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19], "charlie still runs the first");
    let stored = fixture.store.keys().filter(|key| matches!(key, Key::Revision(..))).count();
    assert_eq!(stored, 11);
    assert_eq!(state(&fixture), RolloutState::Running, "it waits for charlie, and for nobody else");
    fixture.connect("charlie");
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 19), ("bravo", 19), ("charlie", 19)]));
}

#[test]
fn manifests_are_written_once() {
    let mut fixture = deployed(Terms::default());
    fixture.command(Command::Scale { workload: web(), replicas: 12 }).expect("a good request");
    let with_manifest = fixture.store.values().filter(|record| match record {
        Record::Workload(workload) => !workload.spec.manifest.is_empty(),
        Record::Revision(revision) => &*revision.spec.manifest == "v1" && &*revision.by == "ann",
        _ => false,
    });
    assert_eq!(with_manifest.count(), 1);
    fixture.restart();
    connect_all(&mut fixture);
    deploy(&mut fixture, "v1");
    assert_eq!(fixture.web().rollout.revision, 1);
}

#[test]
fn s28_what_an_older_revision_leans_on_stays_until_that_is_gone() {
    let mut fixture = Fixture::new(&CLUSTERS);
    let apply = |fixture: &mut Fixture, manifest: &str, config: &str| {
        let application =
            Application { workloads: vec![with_manifest(manifest)], objects: vec![object(config)] };
        let choice = PolicyChoice::Inline(even(Terms::default()));
        fixture.command(Command::Deploy(deployment(application, choice))).expect("a good deployment");
    };
    let configs = |fixture: &Fixture| -> Vec<Vec<String>> {
        let names = |member: &Member| {
            member.objects.values().map(|object| object.key.name.to_string()).collect::<BTreeSet<_>>()
        };
        fixture.members.values().map(|member| names(member).into_iter().collect()).collect()
    };
    apply(&mut fixture, "v1", "config-1");
    settle(&mut fixture);
    apply(&mut fixture, "v2", "config-2");
    fixture.pass(Duration::from_secs(20));
    assert_eq!(configs(&fixture), vec![vec!["config-1", "config-2"]; 3], "charlie still runs revision 1");
    fixture.restart();
    connect_all(&mut fixture);
    order(&mut fixture, RolloutOrder::Undo { to: None }).expect("revision 1 is there");
    fixture.pass(Duration::from_secs(40));
    assert_eq!(state(&fixture), RolloutState::Completed);
    assert_eq!(configs(&fixture), vec![vec!["config-1"]; 3], "what came back needs it");
    apply(&mut fixture, "v2", "config-2");
    fixture.pass(Duration::from_secs(60));
    assert_eq!(configs(&fixture), vec![vec!["config-2"]; 3]);
}
