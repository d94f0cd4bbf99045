//! A revision that fails, and the way back to the one that is proven.

use std::time::Duration;

use godwit_common::policy::{OnFailure, Rollout as Terms};

use super::{CLUSTERS, deploy, deploy_under, deployed, known, of_revision, settle, state};
use crate::tests::fixture::{BAD, Fixture, cluster};
use crate::{RevisionState, RolloutState};

#[test]
fn a_revision_that_makes_no_progress_stops_after_the_first_cluster() {
    let mut fixture = deployed(Terms { progress_deadline: Duration::from_secs(60), ..Terms::default() });
    deploy(&mut fixture, BAD);
    fixture.pass(Duration::from_secs(59));
    assert_eq!(state(&fixture), RolloutState::Running);
    fixture.pass(Duration::from_secs(3));
    assert_eq!(state(&fixture), RolloutState::Failed);
    let message = fixture.web().rollout.rollout.expect("a rollout").message;
    assert_eq!(
        &*message,
        "revision 2 failed in cluster alpha: no progress for 60 s; 1 of 3 updated, 0 ready"
    );
    assert_eq!(known(&fixture), [(1, RevisionState::Proven), (2, RevisionState::Failed)]);
    fixture.pass(Duration::from_secs(300));
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 1), ("charlie", 1)]));
    assert_eq!(fixture.noted("RolloutFailed"), 1);
    deploy(&mut fixture, "v3");
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 3), ("bravo", 1), ("charlie", 1)]));
    fixture.pass(Duration::from_secs(40));
    assert_eq!(state(&fixture), RolloutState::Completed);
}

#[test]
fn a_controller_that_gives_up_fails_the_rollout_at_once() {
    let mut fixture = deployed(Terms::default());
    fixture.members.get_mut(&cluster("alpha")).expect("a member").gives_up = true;
    deploy(&mut fixture, BAD);
    fixture.pass(Duration::from_secs(9));
    assert_eq!(state(&fixture), RolloutState::Running, "what was true of the last revision may be shown yet");
    fixture.pass(Duration::from_secs(3));
    assert_eq!(state(&fixture), RolloutState::Failed);
}

#[test]
fn rollback_brings_the_last_proven_revision_everywhere() {
    let terms = Terms {
        on_failure: OnFailure::Rollback,
        progress_deadline: Duration::from_secs(60),
        ..Terms::default()
    };
    let mut fixture = deployed(terms);
    deploy(&mut fixture, BAD);
    fixture.pass(Duration::from_secs(62));
    assert_eq!(
        fixture.revisions(),
        of_revision(&[("alpha", 3), ("bravo", 3), ("charlie", 3)]),
        "another number where the pods are as they were"
    );
    settle(&mut fixture);
    let rollout = fixture.web().rollout.rollout.expect("a rollout");
    assert_eq!((rollout.state, rollout.instead_of), (RolloutState::Completed, Some(2)));
    assert!(rollout.message.starts_with("revision 2 failed in cluster alpha"), "{}", rollout.message);
    assert_eq!(known(&fixture), [(2, RevisionState::Failed), (3, RevisionState::Proven)]);
    let manifests = fixture.members.values().flat_map(|member| member.rows.values());
    assert!(manifests.into_iter().all(|row| row.manifest.as_deref() == Some("v1")));
}

#[test]
fn without_a_proven_revision_there_is_no_way_back() {
    let mut fixture = Fixture::new(&CLUSTERS);
    let terms = Terms {
        on_failure: OnFailure::Rollback,
        progress_deadline: Duration::from_secs(60),
        ..Terms::default()
    };
    deploy_under(&mut fixture, BAD, terms);
    fixture.pass(Duration::from_secs(20));
    deploy(&mut fixture, &format!("{BAD} either"));
    fixture.pass(Duration::from_secs(65));
    assert_eq!(state(&fixture), RolloutState::Failed);
    assert_eq!(known(&fixture), [(1, RevisionState::New), (2, RevisionState::Failed)]);
}
