//! Clusters that leave, are replaced, or were built anew: S23, S27, S28.

use std::time::Duration;

use godwit_common::policy::{Rule, Strategy};
use godwit_common::{Taint, TaintEffect, Uid};

use super::drains::{all, order, state, try_to};
use super::fixture::{Fixture, cluster, deployment, object, policy, shares, spec, web};
use super::shortage::{pass, scale};
use crate::{
    Action, Answer, Application, Changes, Command, DrainOrder, DrainState, DrainTerms, Policy, PolicyChoice,
    Record, Refused, RefusedKind,
};

fn even() -> Policy {
    policy("even", &[])
}

/// `web` with an object that goes ahead of it, evenly in these clusters.
fn federation(clusters: &[&str]) -> Fixture {
    let clusters: Vec<(&str, u32)> = clusters.iter().map(|name| (*name, 40)).collect();
    let mut fixture = Fixture::new(&clusters);
    let replicas = 4 * u32::try_from(clusters.len()).unwrap();
    let application =
        Application { workloads: vec![spec(web(), replicas)], objects: vec![object("settings")] };
    let command = Command::Deploy(deployment(application, PolicyChoice::Inline(even())));
    fixture.command(command).expect("a good deployment");
    pass(&mut fixture, 2);
    fixture
}

fn retire(fixture: &mut Fixture, name: &str, force: bool) -> Result<Answer, Refused> {
    let terms = DrainTerms { force, ..DrainTerms::default() };
    fixture.command(Command::Retire { cluster: cluster(name), terms })
}

fn replace(fixture: &mut Fixture, old: &str, new: &str) -> Result<Answer, Refused> {
    let terms = DrainTerms::default();
    fixture.command(Command::Replace { cluster: cluster(old), with: cluster(new), terms })
}

fn rebuilt(fixture: &mut Fixture, name: &str, uid: u128) -> Result<Answer, Refused> {
    fixture.command(Command::Rebuilt { cluster: cluster(name), uid: Uid(uid) })
}

fn refused(answer: Result<Answer, Refused>, kind: RefusedKind, says: &str) {
    let refused = answer.expect_err(says);
    assert_eq!(refused.kind, kind, "{}", refused.message);
    assert!(refused.message.contains(says), "{}", refused.message);
}

fn is_member(fixture: &Fixture, name: &str) -> bool {
    fixture.hub.cluster(&cluster(name)).is_some()
}

fn mentions(fixture: &Fixture, name: &str) -> Vec<crate::Key> {
    let mentioned = |record: &Record| match record {
        Record::Seat { cluster: of, .. } | Record::ObjectRow { cluster: of, .. } => *of == cluster(name),
        Record::Cluster(record) => record.name == cluster(name),
        Record::Ended(ended) => ended.held_by.contains_key(&cluster(name)),
        Record::Federation(_) | Record::Policy(_) | Record::Workload(_) | Record::Object(_) => false,
        Record::Migration(_) | Record::Journal(_) | Record::Request(_) | Record::Quota(_) => false,
        Record::Retired(_) | Record::Revision(_) | Record::Token(_) | Record::Revocation(_) => false,
        Record::RoleBinding(_) => false,
        Record::Issuer(pinned) => pinned.cluster == cluster(name),
    };
    fixture.store.values().filter(|record| mentioned(record)).map(Record::key).collect()
}

fn restart(fixture: &mut Fixture, connected: &[&str]) {
    for name in connected {
        fixture.disconnect(name);
    }
    fixture.restart();
    for name in connected {
        fixture.connect(name);
    }
}

#[test]
fn s23_a_cluster_is_emptied_cleaned_up_and_leaves_over_restarts() {
    let mut fixture = federation(&["alpha", "bravo"]);
    retire(&mut fixture, "alpha", false).expect("a member");
    restart(&mut fixture, &["alpha", "bravo"]);
    let mut least = u32::MAX;
    for _ in 0..400 {
        fixture.pass(Duration::from_millis(500));
        least = least.min(fixture.web().ready);
        if is_member(&fixture, "alpha") && state(&fixture, "alpha") == Some(DrainState::Cleaning) {
            break;
        }
    }
    assert_eq!((least, fixture.running()), (8, shares(&[("bravo", 8)])));
    assert_eq!(state(&fixture, "alpha"), Some(DrainState::Cleaning));
    // What is deployed meanwhile does not go there, not even ahead of need; and there is no way back.
    fixture.run("api", 2, even());
    scale(&mut fixture, "web", 10);
    refused(
        try_to(&mut fixture, "alpha", DrainOrder::Cancel),
        RefusedKind::FailedPrecondition,
        "called back",
    );
    let uncordon = Command::Cordon { cluster: cluster("alpha"), cordoned: false };
    refused(fixture.command(uncordon), RefusedKind::FailedPrecondition, "called back");
    let again = retire(&mut fixture, "alpha", false).expect("it is under way");
    assert_eq!(again, Answer::Applied { action: Action::Unchanged, changes: Changes::default() });
    restart(&mut fixture, &["alpha", "bravo"]);
    pass(&mut fixture, 110);
    assert!(is_member(&fixture, "alpha"), "a late write may still bring something back (S28)");
    let alpha = &fixture.members[&cluster("alpha")];
    assert!(alpha.rows.is_empty() && alpha.objects.is_empty(), "all is removed: {alpha:?}");
    pass(&mut fixture, 30);
    assert!(!is_member(&fixture, "alpha"));
    assert_eq!((mentions(&fixture, "alpha"), fixture.noted("ClusterRetired")), (Vec::new(), 1));
    assert_eq!(fixture.members[&cluster("bravo")].objects.len(), 1, "the object lives on elsewhere");
    assert_eq!(fixture.web().ready, 10);
    // Its agents are told, and it does not come back by itself; nobody has to look at that.
    assert!(fixture.members[&cluster("alpha")].session.is_none());
    fixture.open("alpha");
    fixture.restart();
    fixture.connect("bravo");
    fixture.open("alpha");
    assert!(!is_member(&fixture, "alpha"));
    assert_eq!(fixture.noted("SessionRefused"), 0);
    fixture.command(Command::Readmit { cluster: cluster("alpha") }).expect("it was retired");
    fixture.connect("alpha");
    pass(&mut fixture, 2);
    assert!(is_member(&fixture, "alpha"));
    scale(&mut fixture, "web", 20);
    pass(&mut fixture, 2);
    assert_eq!(fixture.running(), shares(&[("alpha", 10), ("bravo", 12)]));
    refused(
        fixture.command(Command::Readmit { cluster: cluster("alpha") }),
        RefusedKind::NotFound,
        "no cluster alpha was retired",
    );
}

#[test]
fn s23_a_retirement_is_paused_and_called_back_until_its_clean_up() {
    let mut fixture = federation(&["alpha", "bravo"]);
    retire(&mut fixture, "alpha", false).expect("a member");
    order(&mut fixture, "alpha", DrainOrder::Pause);
    let paused = fixture.running();
    pass(&mut fixture, 60);
    assert_eq!(fixture.running(), paused);
    order(&mut fixture, "alpha", DrainOrder::Cancel);
    pass(&mut fixture, 300);
    assert!(is_member(&fixture, "alpha"));
    assert_eq!((fixture.noted("ClusterCleanUp"), fixture.web().ready), (0, 8));
}

#[test]
fn s23_what_is_deleted_while_a_cluster_is_cleaned_up_is_gone_everywhere() {
    let mut fixture = federation(&["alpha", "bravo"]);
    retire(&mut fixture, "alpha", false).expect("a member");
    while state(&fixture, "alpha") != Some(DrainState::Cleaning) {
        fixture.pass(Duration::from_millis(500));
    }
    // It does not answer for its tombstones yet.
    fixture.disconnect("alpha");
    fixture.command(Command::DeleteWorkload { workload: web() }).expect("it is deployed");
    pass(&mut fixture, 130);
    let pending = |fixture: &Fixture| {
        let ended = fixture.store.values().find_map(|record| match record {
            Record::Ended(ended) => Some(ended.held_by.keys().cloned().collect::<Vec<_>>()),
            _ => None,
        });
        ended.unwrap_or_default()
    };
    assert_eq!(pending(&fixture), [cluster("alpha")]);
    // A hub that has just started does not know yet that it is lost.
    let mut started = federation(&["alpha", "bravo"]);
    retire(&mut started, "alpha", false).expect("a member");
    while state(&started, "alpha") != Some(DrainState::Cleaning) {
        started.pass(Duration::from_millis(500));
    }
    restart(&mut started, &["bravo"]);
    retire(&mut started, "alpha", true).expect("nothing runs there any more");
    assert!(!is_member(&started, "alpha"));
    // Nobody waits for one that is lost, if that is meant.
    refused(
        retire(&mut fixture, "alpha", false),
        RefusedKind::FailedPrecondition,
        "with --force it is forgotten",
    );
    retire(&mut fixture, "alpha", true).expect("it is meant");
    assert!(!is_member(&fixture, "alpha") && pending(&fixture).is_empty());
}

#[test]
fn s23_a_lost_cluster_is_retired_by_force_and_stays_away() {
    let mut fixture = federation(&["alpha", "bravo", "charlie"]);
    fixture.disconnect("alpha");
    pass(&mut fixture, 12);
    refused(retire(&mut fixture, "alpha", false), RefusedKind::FailedPrecondition, "cluster alpha is Lost");
    retire(&mut fixture, "alpha", true).expect("it is meant");
    assert_eq!((is_member(&fixture, "alpha"), mentions(&fixture, "alpha")), (false, Vec::new()));
    fixture.open("alpha");
    assert!(!is_member(&fixture, "alpha"));
    assert_eq!(fixture.web().possible_over_run, 0);
}

#[test]
fn s23_a_cluster_takes_the_place_of_another() {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40), ("charlie", 40)]);
    let set = [("tier".into(), "prod".into()), ("gen".into(), "1".into())].into();
    let label = Command::Label { cluster: cluster("alpha"), set, remove: Default::default() };
    fixture.command(label).expect("good labels");
    let set = [("gen".into(), "2".into())].into();
    let label = Command::Label { cluster: cluster("charlie"), set, remove: Default::default() };
    fixture.command(label).expect("good labels");
    fixture.run("web", 8, policy("pinned", &[("alpha", 3), ("bravo", 1)]));
    fixture.run("api", 4, even());
    pass(&mut fixture, 2);
    assert_eq!(fixture.placed("web"), shares(&[("alpha", 6), ("bravo", 2)]));
    let before = fixture.placed("api");
    let add = vec![Taint { key: "gpu".into(), value: "".into(), effect: TaintEffect::PreferNoSchedule }];
    let taint = Command::Taint { cluster: cluster("alpha"), add, remove: Vec::new() };
    fixture.command(taint).expect("a good taint");
    let answer = replace(&mut fixture, "alpha", "charlie").expect("they are members");
    let Answer::Replaced { action, changes, policies } = answer else { panic!("an odd answer") };
    assert_eq!((action, changes.total), (Action::Configured, 1 + u64::from(before.len() == 3)));
    assert_eq!(policies, ["pinned".parse().unwrap()]);
    assert_eq!(fixture.placed("web"), shares(&[("bravo", 2), ("charlie", 6)]));
    let charlie = fixture.hub.cluster(&cluster("charlie")).expect("a member");
    let labels = &charlie.traits.labels;
    assert_eq!((&*labels["tier"], &*labels["gen"], charlie.taints.len()), ("prod", "2", 1));
    let mut least = u32::MAX;
    for _ in 0..500 {
        fixture.pass(Duration::from_millis(500));
        least = least.min(fixture.web().ready);
        assert!(all(&fixture) <= 12 + 2 + 1, "never more than the surge: {:?}", fixture.running());
    }
    assert_eq!((least, is_member(&fixture, "alpha")), (8, false));
    assert_eq!(fixture.placed("web"), shares(&[("bravo", 2), ("charlie", 6)]));
    // Growth heeds what was carried over.
    let remove = vec![("gpu".into(), None)];
    let taint = Command::Taint { cluster: cluster("charlie"), add: Vec::new(), remove };
    fixture.command(taint).expect("it has the taint");
    scale(&mut fixture, "web", 16);
    assert_eq!(fixture.placed("web"), shares(&[("bravo", 4), ("charlie", 12)]));
}

#[test]
fn s23_who_cannot_take_over_is_refused_and_nothing_is_done() {
    let mut fixture = federation(&["alpha", "bravo", "charlie"]);
    refused(replace(&mut fixture, "alpha", "zulu"), RefusedKind::NotFound, "cluster zulu");
    refused(replace(&mut fixture, "zulu", "alpha"), RefusedKind::NotFound, "cluster zulu");
    refused(replace(&mut fixture, "alpha", "alpha"), RefusedKind::InvalidArgument, "cannot replace itself");
    fixture.command(Command::Cordon { cluster: cluster("bravo"), cordoned: true }).expect("a member");
    refused(replace(&mut fixture, "alpha", "bravo"), RefusedKind::FailedPrecondition, "it is cordoned");
    fixture.disconnect("charlie");
    pass(&mut fixture, 12);
    refused(replace(&mut fixture, "alpha", "charlie"), RefusedKind::FailedPrecondition, "it is Lost");
    refused(replace(&mut fixture, "charlie", "alpha"), RefusedKind::FailedPrecondition, "is lost");
    assert_eq!(state(&fixture, "alpha"), None);
}

#[test]
fn s23_a_full_number_is_replaced_as_well() {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40)]);
    let mut everywhere = policy("all", &[("alpha", 1)]);
    everywhere.placement.strategy = Strategy::Duplicate;
    everywhere.placement.clusters = [(cluster("alpha"), Rule::default())].into();
    fixture.run("web", 3, everywhere);
    pass(&mut fixture, 2);
    replace(&mut fixture, "alpha", "bravo").expect("they are members");
    for _ in 0..60 {
        fixture.pass(Duration::from_millis(500));
        assert!(fixture.web().ready >= 3, "{:?}", fixture.running());
    }
    assert_eq!(fixture.running(), shares(&[("bravo", 3)]));
}

#[test]
fn s23_a_cluster_that_was_built_anew_begins_anew_under_its_name() {
    let mut fixture = federation(&["alpha", "bravo", "charlie"]);
    let set = [("tier".into(), "prod".into())].into();
    let label = Command::Label { cluster: cluster("alpha"), set, remove: Default::default() };
    fixture.command(label).expect("good labels");
    refused(rebuilt(&mut fixture, "alpha", 77), RefusedKind::FailedPrecondition, "it is connected");
    let old = fixture.hub.cluster(&cluster("alpha")).expect("a member");
    fixture.disconnect("alpha");
    // It holds nothing, and has no fence; its agent is refused until an operator says that it is the same by name only.
    fixture.add_member("alpha", 40);
    fixture.members.get_mut(&cluster("alpha")).expect("a member").uid = Some(Uid(77));
    fixture.open("alpha");
    let view = fixture.hub.cluster(&cluster("alpha")).expect("a member");
    assert_eq!((view.uid, view.claimant), (old.uid, Some(Uid(77))));
    refused(rebuilt(&mut fixture, "zulu", 77), RefusedKind::NotFound, "zulu");
    let twin = fixture.hub.cluster(&cluster("bravo")).expect("a member").uid;
    refused(rebuilt(&mut fixture, "alpha", twin.0), RefusedKind::FailedPrecondition, "that of bravo");
    // What ran in the old one is placed elsewhere at once: by the operator's word it is gone.
    let answer = rebuilt(&mut fixture, "alpha", 77).expect("it is away");
    let Answer::Applied { changes, .. } = answer else { panic!("an odd answer") };
    assert_eq!(changes.total, 1);
    assert_eq!(fixture.plan(), shares(&[("bravo", 6), ("charlie", 6)]));
    assert_eq!((fixture.web().possible_over_run, mentions(&fixture, "alpha").len()), (0, 1));
    restart(&mut fixture, &["bravo", "charlie"]);
    fixture.connect("alpha");
    pass(&mut fixture, 2);
    let view = fixture.hub.cluster(&cluster("alpha")).expect("a member");
    assert_eq!((view.uid, view.claimant), (Uid(77), None));
    assert_eq!(&*view.traits.labels["tier"], "prod", "what operators said of it stands");
    assert!(view.generation >= old.generation, "no fence ever goes back");
    scale(&mut fixture, "web", 18);
    pass(&mut fixture, 2);
    assert_eq!(fixture.running(), shares(&[("alpha", 6), ("bravo", 6), ("charlie", 6)]));
    // The old one is another cluster now.
    fixture.disconnect("alpha");
    fixture.members.get_mut(&cluster("alpha")).expect("a member").uid = Some(old.uid);
    fixture.open("alpha");
    assert!(fixture.members[&cluster("alpha")].session.is_none(), "it is refused");
}

#[test]
fn s23_a_drained_cluster_that_was_built_anew_stays_drained_and_holds_up_no_tombstone() {
    let mut fixture = federation(&["alpha", "bravo"]);
    super::drains::drain(&mut fixture, "alpha");
    pass(&mut fixture, 60);
    assert_eq!(state(&fixture, "alpha"), Some(DrainState::Done));
    fixture.disconnect("alpha");
    fixture.command(Command::DeleteWorkload { workload: web() }).expect("it is deployed");
    pass(&mut fixture, 130);
    assert!(mentions(&fixture, "alpha").len() > 1, "its tombstones wait for it");
    rebuilt(&mut fixture, "alpha", 77).expect("it is away");
    assert_eq!(mentions(&fixture, "alpha").len(), 1);
    fixture.add_member("alpha", 40);
    fixture.members.get_mut(&cluster("alpha")).expect("a member").uid = Some(Uid(77));
    fixture.connect("alpha");
    pass(&mut fixture, 2);
    assert_eq!(state(&fixture, "alpha"), Some(DrainState::Done), "until it is uncordoned");
}
