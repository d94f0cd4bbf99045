//! What happens meanwhile: losses, returns, drains, and a restart of the hub.

use std::time::Duration;

use godwit_common::policy::{ClusterSelector, Rollout as Terms, Strategy, Tiers};

use super::{CLUSTERS, connect_all, deploy, deployed, of_revision, settle, state, with_manifest};
use crate::tests::fixture::{BAD, Fixture, cluster, policy, shares};
use crate::{Command, DrainOrder, DrainTerms, PolicyChoice, RolloutState};

#[test]
fn a_lost_cluster_holds_nothing_up_and_its_replacements_start_what_is_proven() {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100), ("charlie", 100), ("delta", 100)]);
    let mut first = policy("even", &[("alpha", 2), ("bravo", 2), ("charlie", 2), ("delta", 0)]);
    first.placement.rollout = Terms { progress_deadline: Duration::from_secs(60), ..Terms::default() };
    fixture.deploy(with_manifest("v1"), PolicyChoice::Inline(first)).expect("a good deployment");
    settle(&mut fixture);
    deploy(&mut fixture, BAD);
    fixture.pass(Duration::from_secs(1));
    fixture.disconnect("charlie");
    fixture.pass(Duration::from_secs(15));
    // Delta has the weight 0 and gets nothing; the others grow.
    assert_eq!(fixture.plan().iter().map(|(_, n)| n).sum::<u32>(), 9);
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 1), ("charlie", 1)]));
    fixture.disconnect("bravo");
    fixture.pass(Duration::from_secs(15));
    fixture.pass(Duration::from_secs(60));
    assert_eq!(state(&fixture), RolloutState::Failed);
}

#[test]
fn a_failover_starts_the_proven_revision_in_a_cluster_that_had_none() {
    let mut fixture = Fixture::new(&CLUSTERS);
    let mut two = policy("two", &[("alpha", 1), ("bravo", 1), ("charlie", 0)]);
    two.placement.strategy = Strategy::Ordered(
        Tiers::new(vec![
            ClusterSelector::of_names([cluster("alpha"), cluster("bravo")]),
            ClusterSelector::of_names([cluster("charlie")]),
        ])
        .expect("good tiers"),
    );
    two.placement.clusters.clear();
    fixture.members.values_mut().for_each(|member| member.cores = 6);
    CLUSTERS.iter().for_each(|(name, _)| fixture.report(name, false));
    fixture.deploy(with_manifest("v1"), PolicyChoice::Inline(two)).expect("a good deployment");
    settle(&mut fixture);
    assert_eq!(fixture.running(), shares(&[("alpha", 5), ("bravo", 4)]));
    deploy(&mut fixture, BAD);
    fixture.pass(Duration::from_secs(5));
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 1), ("bravo", 2)]));
    fixture.disconnect("alpha");
    fixture.pass(Duration::from_secs(15));
    let charlie = &fixture.members[&cluster("charlie")].rows;
    assert!(charlie.values().all(|row| row.replicas > 0 && row.revision == 1), "{charlie:?}");
}

#[test]
fn a_lost_cluster_that_returns_gets_the_revision_in_its_turn() {
    let mut fixture = deployed(Terms::default());
    deploy(&mut fixture, "v2");
    fixture.disconnect("bravo");
    fixture.pass(Duration::from_secs(60));
    assert_eq!(state(&fixture), RolloutState::Completed, "bravo is lost");
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 1), ("charlie", 2)]));
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(60));
    let behind: Vec<u64> = fixture.web().placements.iter().map(|one| one.revision).collect();
    assert_eq!(behind, [2, 2, 2]);
    assert_eq!(state(&fixture), RolloutState::Completed);
}

#[test]
fn a_cluster_that_falls_silent_on_its_way_is_waited_for_until_it_is_lost() {
    let mut fixture = deployed(Terms::default());
    deploy(&mut fixture, "v2");
    fixture.disconnect("alpha");
    fixture.pass(Duration::from_secs(5));
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 1), ("charlie", 1)]));
    fixture.pass(Duration::from_secs(10));
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 2), ("charlie", 1)]));
}

#[test]
fn s20_a_drain_and_a_rollout_do_not_stand_in_each_others_way() {
    let mut fixture = deployed(Terms::default());
    deploy(&mut fixture, "v2");
    let order = DrainOrder::Start(DrainTerms::default());
    fixture.command(Command::Drain { cluster: cluster("bravo"), order }).expect("a member");
    fixture.pass(Duration::from_secs(120));
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("charlie", 2)]));
    assert_eq!((state(&fixture), fixture.web().ready), (RolloutState::Completed, 9));
    let told = fixture.web().placements.iter().map(|one| one.revision).collect::<Vec<_>>();
    assert_eq!(told, [2, 2, 2], "bravo is empty, and starts what is proven");
}

#[test]
fn a_restart_of_the_hub_changes_nothing_about_a_rollout() {
    let mut fixture = deployed(Terms::default());
    deploy(&mut fixture, "v2");
    fixture.pass(Duration::from_secs(5));
    fixture.restart();
    connect_all(&mut fixture);
    fixture.pass(Duration::from_secs(5));
    assert_eq!(fixture.revisions(), of_revision(&[("alpha", 2), ("bravo", 1), ("charlie", 1)]));
    fixture.pass(Duration::from_secs(40));
    assert_eq!(state(&fixture), RolloutState::Completed);
}
