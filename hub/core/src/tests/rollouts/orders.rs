//! What operators say: pause, resume, undo.

use std::time::Duration;

use godwit_common::policy::Rollout as Terms;

use super::{connect_all, deploy, deployed, known, of_revision, order, settle, state};
use crate::tests::fixture::BAD;
use crate::{RefusedKind, RevisionState, RolloutOrder, RolloutState};

#[test]
fn it_pauses_after_the_first_cluster_where_the_policy_asks_for_it() {
    let mut fixture =
        deployed(Terms { pause_after_first: true, max_clusters_at_once: 3, ..Terms::default() });
    deploy(&mut fixture, "v2");
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 1), ("charlie", 1)]));
    assert_eq!(state(&fixture), RolloutState::PausedAfterFirst);
    fixture.restart();
    connect_all(&mut fixture);
    assert_eq!(state(&fixture), RolloutState::PausedAfterFirst, "across a restart too");
    order(&mut fixture, RolloutOrder::Resume).expect("it is paused");
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 2), ("charlie", 2)]));
}

#[test]
fn an_operator_pauses_resumes_and_undoes() {
    let mut fixture = deployed(Terms::default());
    let refused = order(&mut fixture, RolloutOrder::Pause).expect_err("nothing is under way");
    assert_eq!(refused.kind, RefusedKind::FailedPrecondition);
    deploy(&mut fixture, "v2");
    order(&mut fixture, RolloutOrder::Pause).expect("a rollout is under way");
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 1), ("charlie", 1)]));
    deploy(&mut fixture, "v3");
    fixture.pass(Duration::from_secs(60));
    assert_eq!(state(&fixture), RolloutState::Paused, "whatever is deployed meanwhile");
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 1), ("charlie", 1)]));
    order(&mut fixture, RolloutOrder::Resume).expect("it is paused");
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 3), ("bravo", 1), ("charlie", 1)]));
    settle(&mut fixture);
    order(&mut fixture, RolloutOrder::Undo { to: Some(1) }).expect("it is kept");
    assert_eq!(
        fixture.revisions(),
        of_revision(&[("alpha", 3), ("bravo", 4), ("charlie", 4)]),
        "bravo was on its way and goes first; charlie has these pods"
    );
    fixture.pass(Duration::from_secs(30));
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 4), ("bravo", 4), ("charlie", 4)]));
    assert_eq!(
        known(&fixture),
        [(2, RevisionState::Proven), (3, RevisionState::Proven), (4, RevisionState::Proven)]
    );
    let refused = order(&mut fixture, RolloutOrder::Undo { to: Some(1) }).expect_err("it is revision 4 now");
    assert_eq!(refused.kind, RefusedKind::NotFound);
    assert!(refused.message.contains("choose one of 2, 3, 4"), "{}", refused.message);
}

#[test]
fn undo_goes_to_the_revision_before_and_passes_over_what_failed() {
    let mut fixture = deployed(Terms { progress_deadline: Duration::from_secs(60), ..Terms::default() });
    deploy(&mut fixture, BAD);
    fixture.pass(Duration::from_secs(62));
    deploy(&mut fixture, &format!("{BAD} either"));
    order(&mut fixture, RolloutOrder::Undo { to: None }).expect("revision 1 is there");
    fixture.pass(Duration::from_secs(30));
    assert_eq!(fixture.web().rollout.revision, 4);
    assert!(
        fixture.members.values().all(|m| m.rows.values().all(|row| row.manifest.as_deref() == Some("v1")))
    );
}
