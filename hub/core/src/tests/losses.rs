//! Loss and return: S1, S5, S6, S7, S8, S11, S12, S20.

use std::time::Duration;

use super::fixture::{Fixture, cluster, shares, web};
use crate::{Answer, ClusterState, Command, FreezeCause};

const WEIGHTS: &[(&str, u32)] = &[("alpha", 1), ("bravo", 2), ("charlie", 2)];

fn hundred() -> Fixture {
    let mut fixture = Fixture::new(&[("alpha", 200), ("bravo", 200), ("charlie", 200)]);
    fixture.deploy_web(100, WEIGHTS);
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.running(), shares(&[("alpha", 20), ("bravo", 40), ("charlie", 40)]));
    fixture
}

#[test]
fn s1_a_lost_stream_moves_nothing_and_a_lost_cluster_moves_everything() {
    let mut fixture = hundred();
    fixture.disconnect("bravo");
    assert_eq!(fixture.state("bravo"), ClusterState::Suspect);
    let seen = fixture.hub.cluster(&cluster("bravo")).expect("a member").last_seen;
    assert_eq!(seen.0, fixture.now.0, "it was heard until now");
    fixture.pass(Duration::from_secs(9));
    assert_eq!(fixture.plan(), shares(&[("alpha", 20), ("bravo", 40), ("charlie", 40)]));
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.state("bravo"), ClusterState::Lost);
    assert_eq!(fixture.plan(), shares(&[("alpha", 33), ("charlie", 67)]));
    let view = fixture.web();
    assert_eq!((view.ready, view.pending, view.possible_over_run), (100, 0, 40));
}

#[test]
fn s1_silence_on_an_open_stream_is_a_loss_too() {
    let mut fixture = hundred();
    let silent = fixture.members.get_mut(&cluster("bravo")).expect("a member");
    silent.session = None;
    fixture.pass(Duration::from_secs(6));
    assert_eq!(fixture.state("bravo"), ClusterState::Suspect);
    fixture.pass(Duration::from_secs(5));
    assert_eq!(fixture.state("bravo"), ClusterState::Lost);
}

#[test]
fn s1_a_goodbye_adds_its_grace_once() {
    let mut fixture = hundred();
    fixture.say("bravo", godwit_common::link::Up::Goodbye);
    fixture.members.get_mut(&cluster("bravo")).expect("a member").session = None;
    fixture.pass(Duration::from_secs(20));
    assert_eq!(fixture.state("bravo"), ClusterState::Suspect);
    fixture.pass(Duration::from_secs(6));
    assert_eq!(fixture.state("bravo"), ClusterState::Lost);
}

#[test]
fn s12_on_return_the_surplus_goes_only_while_the_rest_suffices() {
    let mut fixture = hundred();
    fixture.disconnect("bravo");
    // The replacements start, but are not ready yet.
    for name in ["alpha", "charlie"] {
        fixture.members.get_mut(&cluster(name)).expect("a member").ready = true;
    }
    fixture.pass(Duration::from_secs(12));
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(3));
    assert_eq!(fixture.running(), shares(&[("alpha", 33), ("charlie", 67)]));
    assert_eq!(fixture.web().ready, 100);
    let rows = &fixture.members[&cluster("bravo")].rows;
    assert_eq!(rows.len(), 1, "S27, S33: scaled to zero, kept, ready for the next failover");
}

#[test]
fn i4_nothing_shrinks_before_the_replacements_are_ready() {
    let mut fixture = hundred();
    fixture.disconnect("bravo");
    fixture.pass_silently(Duration::from_secs(12));
    assert_eq!(fixture.plan(), shares(&[("alpha", 33), ("charlie", 67)]));
    // Nobody has reported a replacement as ready: the old copies are all needed.
    fixture.connect("bravo");
    assert_eq!(fixture.running(), shares(&[("alpha", 33), ("bravo", 40), ("charlie", 67)]));
    fixture.report("alpha", false);
    assert_eq!(fixture.running(), shares(&[("alpha", 33), ("bravo", 27), ("charlie", 67)]));
    fixture.report("charlie", false);
    assert_eq!(fixture.running(), shares(&[("alpha", 33), ("charlie", 67)]));
}

#[test]
fn s14_what_finds_no_room_is_pending_with_a_reason_and_placed_when_room_appears() {
    let mut fixture = Fixture::new(&[("alpha", 50), ("bravo", 50)]);
    fixture.deploy_web(80, &[("alpha", 1), ("bravo", 1)]);
    fixture.pass(Duration::from_secs(2));
    fixture.disconnect("bravo");
    fixture.pass(Duration::from_secs(12));
    let view = fixture.web();
    assert_eq!((fixture.plan(), view.pending), (shares(&[("alpha", 50)]), 30));
    assert_eq!(view.pending_reasons.len(), 2, "{:?}", view.pending_reasons);
    fixture.members.get_mut(&cluster("alpha")).expect("a member").cores = 70;
    fixture.pass(Duration::from_secs(2));
    assert_eq!((fixture.plan(), fixture.web().pending), (shares(&[("alpha", 70)]), 10));
}

#[test]
fn s7_starts_are_paced_per_cluster_and_never_stand_still() {
    let mut fixture = Fixture::new(&[("alpha", 500)]);
    fixture.members.get_mut(&cluster("alpha")).expect("a member").ready = false;
    fixture.deploy_web(120, &[("alpha", 1)]);
    assert_eq!(fixture.running(), shares(&[("alpha", 50)]), "at most 50 at once");
    fixture.pass(Duration::from_secs(59));
    assert_eq!(fixture.running(), shares(&[("alpha", 50)]));
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.running(), shares(&[("alpha", 100)]), "starts that never get ready cease to count");
    fixture.members.get_mut(&cluster("alpha")).expect("a member").ready = true;
    fixture.pass(Duration::from_secs(1));
    assert_eq!(fixture.running(), shares(&[("alpha", 120)]));
}

#[test]
fn s6_when_all_are_gone_failover_freezes_until_an_operator_or_the_clusters_say_otherwise() {
    let mut fixture = hundred();
    for name in ["alpha", "bravo", "charlie"] {
        fixture.disconnect(name);
    }
    fixture.pass(Duration::from_secs(30));
    let freeze = fixture.hub.federation().freeze.expect("frozen");
    assert_eq!(freeze.cause, FreezeCause::MassLoss);
    assert_eq!(fixture.plan(), shares(&[("alpha", 20), ("bravo", 40), ("charlie", 40)]));
    for name in ["alpha", "bravo", "charlie"] {
        fixture.connect(name);
    }
    fixture.pass(Duration::from_secs(70));
    assert_eq!(fixture.hub.federation().freeze, None);
    assert_eq!(fixture.plan(), shares(&[("alpha", 20), ("bravo", 40), ("charlie", 40)]));
}

#[test]
fn s6_a_confirmed_freeze_moves_what_was_lost() {
    let mut fixture = Fixture::new(&[("a1", 99), ("a2", 99), ("a3", 99), ("a4", 99), ("a5", 99)]);
    fixture.deploy_web(50, &[("a1", 1), ("a2", 1), ("a3", 1), ("a4", 1), ("a5", 1)]);
    fixture.pass(Duration::from_secs(2));
    for name in ["a1", "a2", "a3"] {
        fixture.disconnect(name);
    }
    fixture.pass(Duration::from_secs(15));
    assert!(fixture.hub.federation().freeze.is_some());
    assert_eq!(fixture.command(Command::ConfirmFreeze), Ok(Answer::Done));
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.plan(), shares(&[("a4", 25), ("a5", 25)]));
}

#[test]
fn s6_a_smaller_mass_loss_is_taken_one_cluster_at_a_time() {
    let names: Vec<String> = (0..10).map(|index| format!("c{index}")).collect();
    let clusters: Vec<(&str, u32)> = names.iter().map(|name| (name.as_str(), 99)).collect();
    let mut fixture = Fixture::new(&clusters);
    let weights: Vec<(&str, u32)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    fixture.deploy_web(100, &weights);
    fixture.pass(Duration::from_secs(2));
    fixture.members.values_mut().for_each(|member| member.ready = false);
    for name in ["c0", "c1", "c2"] {
        fixture.disconnect(name);
    }
    fixture.pass_silently(Duration::from_secs(15));
    assert_eq!((fixture.noted("MassLoss"), fixture.noted("ClusterLost")), (1, 1));
    fixture.members.values_mut().for_each(|member| member.ready = true);
    fixture.pass(Duration::from_secs(5));
    assert_eq!(fixture.noted("ClusterLost"), 3);
    assert_eq!(fixture.web().ready, 100);
}

#[test]
fn s5_a_restarted_hub_waits_for_its_clusters_and_changes_no_target() {
    let mut fixture = hundred();
    fixture.restart();
    assert_eq!(fixture.state("alpha"), ClusterState::Unknown);
    fixture.pass(Duration::from_secs(5));
    fixture.sent.clear();
    for name in ["alpha", "bravo", "charlie"] {
        fixture.connect(name);
    }
    fixture.pass(Duration::from_secs(40));
    assert_eq!(fixture.sent, vec![], "the same targets, so none is sent");
    let epoch = fixture.hub.federation().epoch;
    assert!(fixture.members.values().all(|member| member.fence.epoch == epoch), "S10: every fence is raised");
    assert_eq!(fixture.noted("ClusterLost"), 0);
}

#[test]
fn s5_who_does_not_come_back_is_lost_when_its_window_ends() {
    let mut fixture = hundred();
    fixture.restart();
    for name in ["alpha", "charlie"] {
        fixture.connect(name);
    }
    fixture.pass(Duration::from_secs(29));
    assert_eq!(fixture.noted("ClusterLost"), 0);
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.plan(), shares(&[("alpha", 33), ("charlie", 67)]));
}

#[test]
fn a_stalled_loop_blames_nobody() {
    let mut fixture = hundred();
    fixture.now = fixture.now + Duration::from_secs(60);
    fixture.step(crate::Event::Tick);
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.noted("ClusterSuspect"), 0);
}

#[test]
fn a_move_belongs_to_a_migration_that_ends() {
    let mut fixture = hundred();
    fixture.disconnect("bravo");
    fixture.pass(Duration::from_secs(13));
    let migration = fixture.hub.migration(crate::MigrationId(1)).expect("recorded");
    assert_eq!((migration.replicas, migration.replicas_ready), (40, 40));
    assert_eq!(migration.migration.state, crate::MigrationState::Completed);
    assert!(migration.migration.moves.iter().all(|moved| moved.id == web()));
}

#[test]
fn s14_what_became_pending_is_not_said_to_be_ready() {
    let mut fixture = Fixture::new(&[("alpha", 50), ("bravo", 50)]);
    fixture.deploy_web(80, &[("alpha", 1), ("bravo", 1)]);
    fixture.pass(Duration::from_secs(2));
    fixture.disconnect("bravo");
    fixture.pass(Duration::from_secs(12));
    let completed =
        fixture.journal.iter().find(|entry| &*entry.reason == "MigrationCompleted").expect("noted");
    assert_eq!(&*completed.message, "10 replicas of m-1 are ready in their new places");
}
