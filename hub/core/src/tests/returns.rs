//! The way back after a loss or a drain: S12, S13.

use std::time::Duration;

use godwit_common::policy::{FailBack, Rebalance, Survivor};

use super::fixture::{Fixture, cluster, policy, shares, spec, web};
use crate::{
    Balanced, Command, DrainOrder, DrainTerms, MigrationCause, MigrationState, Policy, PolicyChoice, Record,
};

const EVEN: &[(&str, u32)] = &[("alpha", 1), ("bravo", 1), ("charlie", 1)];

fn returning(survivor: Survivor, fail_back: FailBack) -> Policy {
    let mut policy = policy("returning", EVEN);
    (policy.placement.motion.survivor, policy.placement.motion.fail_back) = (survivor, fail_back);
    policy
}

/// Thirty replicas over three clusters, ten in each.
fn thirty(survivor: Survivor, fail_back: FailBack) -> Fixture {
    let mut fixture = Fixture::new(&[("alpha", 60), ("bravo", 60), ("charlie", 60)]);
    let choice = PolicyChoice::Inline(returning(survivor, fail_back));
    fixture.deploy(spec(web(), 30), choice).expect("a good deployment");
    fixture.pass(Duration::from_secs(2));
    fixture
}

impl Fixture {
    fn lose_one(&mut self, name: &str) {
        self.disconnect(name);
        self.pass(Duration::from_secs(13));
    }

    /// A cluster comes back, and nothing runs there any more.
    fn come_back_empty(&mut self, name: &str) {
        let member = self.members.get_mut(&cluster(name)).expect("a member");
        member.podless = true;
        self.connect(name);
        self.members.get_mut(&cluster(name)).expect("a member").podless = false;
    }

    fn displaced(&self) -> Vec<(String, u32)> {
        self.web().displaced.into_iter().map(|(name, replicas)| (name.to_string(), replicas)).collect()
    }

    /// Every migration with this cause.
    fn caused(&self, wanted: &MigrationCause) -> Vec<(MigrationState, u32)> {
        let found = self.store.values().filter_map(|record| match record {
            Record::Migration(migration) if migration.cause == *wanted => {
                Some((migration.state, migration.moves.iter().map(|moved| moved.replicas).sum()))
            }
            _ => None,
        });
        found.collect()
    }
}

#[test]
fn s12_originals_that_still_run_stay_and_their_replacements_go() {
    let mut fixture = thirty(Survivor::KeepOriginal, FailBack::Never);
    fixture.lose_one("bravo");
    assert_eq!(fixture.plan(), shares(&[("alpha", 15), ("charlie", 15)]));
    assert_eq!(fixture.displaced(), shares(&[("bravo", 10)]));
    fixture.sent.clear();
    fixture.connect("bravo");
    assert_eq!(fixture.plan(), shares(&[("alpha", 10), ("bravo", 10), ("charlie", 10)]));
    fixture.pass(Duration::from_secs(3));
    assert_eq!(fixture.running(), shares(&[("alpha", 10), ("bravo", 10), ("charlie", 10)]));
    assert_eq!((fixture.displaced(), fixture.web().ready), (shares(&[]), 30));
    let cause = MigrationCause::Returned(cluster("bravo"));
    assert_eq!(fixture.caused(&cause), [(MigrationState::Completed, 10)]);
    assert!(
        fixture.sent.iter().all(|(_, _, replicas)| *replicas <= 10),
        "nothing starts: {:?}",
        fixture.sent
    );
}

#[test]
fn s12_by_default_the_replacements_stay() {
    let mut fixture = thirty(Survivor::KeepReplacement, FailBack::Never);
    fixture.lose_one("bravo");
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(1_200));
    assert_eq!(fixture.running(), shares(&[("alpha", 15), ("charlie", 15)]));
}

#[test]
fn s12_originals_that_are_gone_or_not_ready_are_not_waited_for() {
    for alive in [0, 4] {
        let mut fixture = thirty(Survivor::KeepOriginal, FailBack::Never);
        fixture.lose_one("bravo");
        fixture.members.get_mut(&cluster("bravo")).expect("a member").unready = 10 - alive;
        fixture.connect("bravo");
        fixture.pass(Duration::from_secs(3));
        let planned: u32 = fixture.plan().iter().filter(|(name, _)| name == "bravo").map(|(_, n)| n).sum();
        assert_eq!((planned, fixture.web().pending), (alive, 0));
        assert!(fixture.web().ready >= 30 - (10 - alive), "{:?}", fixture.web());
    }
}

#[test]
fn s12_of_all_the_longest_running_stay() {
    let reboot = Duration::from_secs(5);
    for (ready_for, stay) in [(Duration::from_secs(3600), true), (reboot, false)] {
        let mut fixture = thirty(Survivor::LongestRunning, FailBack::Never);
        fixture.lose_one("bravo");
        for name in ["alpha", "charlie"] {
            fixture.members.get_mut(&cluster(name)).expect("a member").ready_for = Duration::from_secs(20);
            fixture.report(name, false);
        }
        fixture.members.get_mut(&cluster("bravo")).expect("a member").ready_for = ready_for;
        fixture.connect("bravo");
        fixture.pass(Duration::from_secs(3));
        let originals = shares(&[("alpha", 10), ("bravo", 10), ("charlie", 10)]);
        let replacements = shares(&[("alpha", 15), ("charlie", 15)]);
        assert_eq!(fixture.running(), if stay { originals } else { replacements });
    }
}

#[test]
fn s12_a_newer_revision_wins_over_the_originals() {
    let mut fixture = thirty(Survivor::KeepOriginal, FailBack::Never);
    fixture.lose_one("bravo");
    let newer = crate::WorkloadSpec { manifest: "{\"revision\":2}".into(), ..spec(web(), 30) };
    fixture.deploy(newer, PolicyChoice::Annotated).expect("a good deployment");
    fixture.pass(Duration::from_secs(2));
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(3));
    assert_eq!(fixture.running(), shares(&[("alpha", 15), ("charlie", 15)]));
}

#[test]
fn s12_a_cordon_wins_over_the_originals() {
    let mut fixture = thirty(Survivor::KeepOriginal, FailBack::Immediate);
    fixture.command(Command::Cordon { cluster: cluster("bravo"), cordoned: true }).expect("a member");
    fixture.lose_one("bravo");
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(30));
    assert_eq!(fixture.running(), shares(&[("alpha", 15), ("charlie", 15)]));
    fixture.command(Command::Cordon { cluster: cluster("bravo"), cordoned: false }).expect("a member");
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.running(), shares(&[("alpha", 10), ("bravo", 10), ("charlie", 10)]));
}

#[test]
fn s12_what_a_cluster_lost_is_remembered_over_restarts() {
    let mut fixture = thirty(Survivor::KeepOriginal, FailBack::Never);
    fixture.lose_one("bravo");
    fixture.restart();
    for name in ["alpha", "charlie"] {
        fixture.connect(name);
    }
    fixture.pass(Duration::from_secs(40));
    assert_eq!(fixture.displaced(), shares(&[("bravo", 10)]));
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(3));
    assert_eq!(fixture.running(), shares(&[("alpha", 10), ("bravo", 10), ("charlie", 10)]));
}

#[test]
fn s13_replicas_go_back_a_step_at_a_time_once_the_cluster_is_stable() {
    let mut fixture = thirty(Survivor::KeepReplacement, FailBack::Gradual);
    fixture.lose_one("bravo");
    fixture.come_back_empty("bravo");
    fixture.pass(Duration::from_secs(590));
    assert_eq!(fixture.plan(), shares(&[("alpha", 15), ("charlie", 15)]), "it is not stable yet");
    fixture.pass(Duration::from_secs(15));
    assert_eq!(fixture.displaced(), shares(&[("bravo", 7)]), "a tenth of thirty has gone");
    assert_eq!(fixture.plan(), shares(&[("alpha", 14), ("bravo", 3), ("charlie", 13)]));
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.displaced(), shares(&[("bravo", 4)]));
    fixture.pass(Duration::from_secs(150));
    assert_eq!(fixture.running(), shares(&[("alpha", 10), ("bravo", 10), ("charlie", 10)]));
    let steps = fixture.caused(&MigrationCause::FailedBack(cluster("bravo")));
    assert_eq!(steps, [3, 3, 3, 1].map(|replicas| (MigrationState::Completed, replicas)));
    assert_eq!((fixture.displaced(), fixture.web().ready), (shares(&[]), 30));
}

#[test]
fn s13_a_step_waits_for_the_last_one_and_a_break_begins_the_time_anew() {
    let mut fixture = thirty(Survivor::KeepReplacement, FailBack::Gradual);
    fixture.lose_one("bravo");
    fixture.come_back_empty("bravo");
    fixture.pass(Duration::from_secs(400));
    fixture.disconnect("bravo");
    fixture.pass(Duration::from_secs(1));
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(590));
    assert_eq!(fixture.displaced(), shares(&[("bravo", 10)]), "the time counts from the return");
    fixture.members.get_mut(&cluster("bravo")).expect("a member").ready = false;
    fixture.pass(Duration::from_secs(300));
    assert_eq!(fixture.displaced(), shares(&[("bravo", 7)]), "the first step is not done");
    assert_eq!(fixture.web().ready, 30, "surge first");
    fixture.members.get_mut(&cluster("bravo")).expect("a member").ready = true;
    fixture.pass(Duration::from_secs(300));
    assert_eq!(fixture.running(), shares(&[("alpha", 10), ("bravo", 10), ("charlie", 10)]));
}

#[test]
fn s13_at_once_if_the_policy_wants_it_so_and_as_far_as_there_is_room() {
    let mut fixture = thirty(Survivor::KeepReplacement, FailBack::Immediate);
    fixture.lose_one("bravo");
    fixture.members.get_mut(&cluster("bravo")).expect("a member").cores = 16;
    fixture.come_back_empty("bravo");
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.running(), shares(&[("alpha", 10), ("bravo", 10), ("charlie", 10)]));

    fixture.lose_one("charlie");
    fixture.members.get_mut(&cluster("charlie")).expect("a member").cores = 14;
    fixture.come_back_empty("charlie");
    fixture.pass(Duration::from_secs(60));
    fixture.members.get_mut(&cluster("charlie")).expect("a member").cores = 60;
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.running(), shares(&[("alpha", 10), ("bravo", 10), ("charlie", 10)]));
    assert_eq!(fixture.web().ready, 30);
}

#[test]
fn s13_what_a_drain_took_goes_back_after_an_uncordon() {
    let mut fixture = thirty(Survivor::KeepReplacement, FailBack::Gradual);
    let order = DrainOrder::Start(DrainTerms::default());
    fixture.command(Command::Drain { cluster: cluster("bravo"), order }).expect("a member");
    fixture.pass(Duration::from_secs(120));
    assert_eq!(fixture.running(), shares(&[("alpha", 15), ("charlie", 15)]));
    fixture.pass(Duration::from_secs(600));
    fixture.command(Command::Cordon { cluster: cluster("bravo"), cordoned: false }).expect("a member");
    fixture.pass(Duration::from_secs(65));
    assert_eq!(fixture.displaced(), shares(&[("bravo", 7)]));
    fixture.pass(Duration::from_secs(240));
    assert_eq!(fixture.running(), shares(&[("alpha", 10), ("bravo", 10), ("charlie", 10)]));
}

#[test]
fn s13_what_was_displaced_is_forgotten_when_it_means_nothing_any_more() {
    let mut fixture = thirty(Survivor::KeepReplacement, FailBack::Never);
    fixture.lose_one("bravo");
    fixture.command(Command::Scale { workload: web(), replicas: 15 }).expect("deployed");
    assert_eq!(fixture.displaced(), shares(&[("bravo", 5)]), "in proportion");
    fixture.command(Command::DeleteCluster { cluster: cluster("bravo"), force: true }).expect("lost");
    assert_eq!(fixture.displaced(), shares(&[]));

    let mut fixture = thirty(Survivor::KeepReplacement, FailBack::Never);
    fixture.lose_one("bravo");
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(2));
    fixture.command(Command::Rebalance(Balanced::All)).expect("all there is");
    assert_eq!(fixture.displaced(), shares(&[]), "it is where an operator wants it");
    fixture.command(Command::DeleteWorkload { workload: web() }).expect("deployed");
    assert!(fixture.hub.displaced.is_empty());
}

#[test]
fn s13_a_policy_that_wants_them_back_later_gets_them() {
    let mut fixture = thirty(Survivor::KeepReplacement, FailBack::Never);
    fixture.lose_one("bravo");
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(30));
    assert_eq!(fixture.running(), shares(&[("alpha", 15), ("charlie", 15)]));
    let policy = returning(Survivor::KeepReplacement, FailBack::Immediate);
    fixture.command(Command::ApplyPolicy(policy)).expect("a good policy");
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.running(), shares(&[("alpha", 10), ("bravo", 10), ("charlie", 10)]));
}

#[test]
fn s13_others_keep_their_minimums() {
    let mut policy = returning(Survivor::KeepReplacement, FailBack::Immediate);
    for name in ["alpha", "charlie"] {
        let rule = godwit_common::policy::Rule::new(1, 14, None).expect("a valid rule");
        policy.placement.clusters.insert(cluster(name), rule);
    }
    policy.placement.default = None;
    let mut fixture = thirty(Survivor::KeepReplacement, FailBack::Immediate);
    fixture.lose_one("bravo");
    fixture.command(Command::ApplyPolicy(policy)).expect("a good policy");
    fixture.come_back_empty("bravo");
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.running(), shares(&[("alpha", 14), ("bravo", 2), ("charlie", 14)]));
}

#[test]
fn s13_where_replicas_move_for_balance_that_is_the_way_back() {
    let mut fixture = thirty(Survivor::KeepReplacement, FailBack::Immediate);
    let mut policy = returning(Survivor::KeepReplacement, FailBack::Immediate);
    policy.placement.rebalance = Rebalance::Gradual;
    fixture.command(Command::ApplyPolicy(policy)).expect("a good policy");
    fixture.lose_one("bravo");
    fixture.come_back_empty("bravo");
    fixture.pass(Duration::from_secs(600));
    assert_eq!(fixture.running(), shares(&[("alpha", 10), ("bravo", 10), ("charlie", 10)]));
    assert_eq!(fixture.caused(&MigrationCause::FailedBack(cluster("bravo"))), []);
}
