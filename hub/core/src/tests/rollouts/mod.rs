//! Rollouts: S31, and what they have to do with S12, S20, S28 and S33.

mod disturbances;
mod failures;
mod orders;
mod pace;
mod revisions;

use std::time::Duration;

use godwit_common::policy::Rollout as Terms;

use super::fixture::{Fixture, policy, spec, web};
use crate::{
    Answer, Command, Policy, PolicyChoice, Refused, RevisionState, RolloutOrder, RolloutState, WorkloadSpec,
};

const CLUSTERS: [(&str, u32); 3] = [("alpha", 100), ("bravo", 100), ("charlie", 100)];

fn even(terms: Terms) -> Policy {
    let mut policy = policy("even", &[("alpha", 1), ("bravo", 1), ("charlie", 1)]);
    policy.placement.rollout = terms;
    policy
}

fn with_manifest(manifest: &str) -> WorkloadSpec {
    WorkloadSpec { manifest: manifest.into(), ..spec(web(), 9) }
}

/// A workload of nine replicas in three clusters, all ready with its first revision.
fn deployed(terms: Terms) -> Fixture {
    let mut fixture = Fixture::new(&CLUSTERS);
    deploy_under(&mut fixture, "v1", terms);
    settle(&mut fixture);
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 1), ("bravo", 1), ("charlie", 1)]));
    fixture
}

fn deploy_under(fixture: &mut Fixture, manifest: &str, terms: Terms) {
    fixture.deploy(with_manifest(manifest), PolicyChoice::Inline(even(terms))).expect("a good deployment");
}

fn deploy(fixture: &mut Fixture, manifest: &str) -> Answer {
    fixture.deploy(with_manifest(manifest), PolicyChoice::Annotated).expect("a good deployment")
}

fn order(fixture: &mut Fixture, order: RolloutOrder) -> Result<Answer, Refused> {
    fixture.command(Command::Rollout { workload: web(), order })
}

fn settle(fixture: &mut Fixture) {
    fixture.pass(Duration::from_secs(12));
}

fn connect_all(fixture: &mut Fixture) {
    for (name, _) in CLUSTERS {
        fixture.connect(name);
    }
}

fn of_revision(pairs: &[(&str, u64)]) -> Vec<(String, u64)> {
    pairs.iter().map(|(name, revision)| ((*name).to_owned(), *revision)).collect()
}

fn state(fixture: &Fixture) -> RolloutState {
    fixture.web().rollout.rollout.expect("a rollout").state
}

fn known(fixture: &Fixture) -> Vec<(u64, RevisionState)> {
    let history = fixture.hub.history(&web()).expect("web is deployed");
    history.revisions.iter().map(|one| (one.revision.number, one.state)).collect()
}
