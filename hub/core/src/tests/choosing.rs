//! Who may: selectors, labels, taints, cordon, faults of a cluster's own (S3, S18).

use std::time::Duration;

use godwit_common::link::{Leadership, Up};
use godwit_common::policy::{ClusterSelector, ClusterToleration, Rebalance};
use godwit_common::selector::{Requirement, Test};
use godwit_common::{Taint, TaintEffect, Toleration};

use super::fixture::{Fixture, cluster, policy, shares};
use crate::{Action, Answer, Command, MigrationCause, Policy, Record};

fn label(fixture: &mut Fixture, name: &str, pairs: &[(&str, &str)], remove: &[&str]) -> Answer {
    let set = pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    let remove = remove.iter().map(|key| (*key).into()).collect();
    let command = Command::Label { cluster: cluster(name), set, remove };
    fixture.command(command).expect("a member")
}

fn taint(fixture: &mut Fixture, name: &str, effect: TaintEffect) {
    let taint = Taint { key: "old".into(), value: "".into(), effect };
    let command = Command::Taint { cluster: cluster(name), add: vec![taint], remove: vec![] };
    fixture.command(command).expect("a member");
}

fn untaint(fixture: &mut Fixture, name: &str) {
    let remove = vec![("old".into(), None)];
    let command = Command::Taint { cluster: cluster(name), add: vec![], remove };
    fixture.command(command).expect("a member");
}

/// Clusters whose label `tier` is `prod`.
fn prod() -> Policy {
    let mut policy = policy("prod", &[]);
    let requirement = Requirement { key: "tier".into(), test: Test::In(["prod".into()].into()) };
    policy.placement.selector.labels.expressions.push(requirement);
    policy
}

fn tolerating(seconds: Option<u32>) -> Policy {
    let mut policy = policy("tolerant", &[]);
    let taints = Toleration { key: Some("old".into()), ..Toleration::default() };
    policy.placement.tolerations = vec![ClusterToleration { taints, seconds }];
    policy
}

fn pass(fixture: &mut Fixture, seconds: u64) {
    fixture.pass(Duration::from_secs(seconds));
}

#[test]
fn labels_decide_who_is_chosen_and_what_runs_leaves_surge_first() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    fixture.run("web", 8, prod());
    assert_eq!(fixture.view("web").pending, 8);
    let changes = label(&mut fixture, "alpha", &[("tier", "prod")], &[]);
    let Answer::Applied { action: Action::Configured, changes } = changes else { panic!("{changes:?}") };
    assert_eq!(changes.plans[0].counts, [(cluster("alpha"), 0, 8)]);
    pass(&mut fixture, 2);
    assert_eq!(fixture.running(), shares(&[("alpha", 8)]));
    label(&mut fixture, "bravo", &[("tier", "prod")], &[]);
    pass(&mut fixture, 2);
    // Who is chosen has changed, and nothing moves for balance.
    assert_eq!(fixture.running(), shares(&[("alpha", 8)]));
    let again = label(&mut fixture, "bravo", &[("tier", "prod")], &["none"]);
    assert!(matches!(again, Answer::Applied { action: Action::Unchanged, .. }));
    let real = label(&mut fixture, "alpha", &[], &["tier"]);
    let Answer::Applied { changes, .. } = real else { panic!("{real:?}") };
    assert_eq!(changes.plans[0].counts, [(cluster("alpha"), 8, 0), (cluster("bravo"), 0, 8)]);
    assert_eq!(fixture.running(), shares(&[("alpha", 8), ("bravo", 2)]), "start first, a quarter at once");
    let (mut least, mut most) = (8, 0);
    for _ in 0..120 {
        fixture.pass(Duration::from_millis(500));
        least = least.min(fixture.view("web").ready);
        most = most.max(super::drains::all(&fixture));
    }
    assert_eq!((least, most), (8, 10), "it lacked none, and never ran more than its surge");
    assert_eq!(fixture.running(), shares(&[("bravo", 8)]));
    assert_eq!(fixture.reason("web", "bravo"), "share by weight");
    let changed = |record: &Record| match record {
        Record::Migration(migration) => migration.cause == MigrationCause::ClusterChanged(cluster("alpha")),
        _ => false,
    };
    assert!(fixture.store.values().any(changed));
}

#[test]
fn s33_a_cluster_that_becomes_eligible_has_its_seats_ahead_of_need() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    label(&mut fixture, "alpha", &[("tier", "prod")], &[]);
    fixture.run("web", 8, prod());
    assert_eq!(fixture.members[&cluster("bravo")].rows.len(), 0);
    label(&mut fixture, "bravo", &[("tier", "prod")], &[]);
    assert_eq!(fixture.members[&cluster("bravo")].rows.len(), 1);
}

#[test]
fn rules_by_selector_weigh_and_survive_a_restart() {
    let mut fixture = Fixture::new(&[("alpha", 90), ("bravo", 90), ("charlie", 90)]);
    label(&mut fixture, "bravo", &[("tier", "prod")], &[]);
    let mut heavy = prod();
    let selector = std::mem::take(&mut heavy.placement.selector);
    let rule = |weight| godwit_common::policy::Rule::new(weight, 0, None).expect("a valid rule");
    heavy.placement.rules =
        vec![(selector, rule(3)), (ClusterSelector::of_names([cluster("alpha")]), rule(1))];
    heavy.placement.rebalance = Rebalance::Always;
    fixture.run("web", 8, heavy);
    assert_eq!(fixture.plan(), shares(&[("alpha", 2), ("bravo", 6)]));
    fixture.restart();
    for name in ["alpha", "bravo", "charlie"] {
        fixture.connect(name);
    }
    pass(&mut fixture, 2);
    assert_eq!(fixture.plan(), shares(&[("alpha", 2), ("bravo", 6)]));
    label(&mut fixture, "charlie", &[("tier", "prod")], &[]);
    pass(&mut fixture, 5);
    assert_eq!(fixture.plan(), shares(&[("alpha", 1), ("bravo", 3), ("charlie", 4)]));
}

#[test]
fn a_cordoned_cluster_keeps_what_it_has_and_gets_nothing_new() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    fixture.run("web", 4, policy("even", &[]));
    pass(&mut fixture, 2);
    fixture.command(Command::Cordon { cluster: cluster("alpha"), cordoned: true }).expect("a member");
    fixture.command(Command::Scale { workload: super::fixture::web(), replicas: 10 }).expect("ok");
    assert_eq!(fixture.plan(), shares(&[("alpha", 2), ("bravo", 8)]));
    assert_eq!(fixture.reason("web", "alpha"), "gets nothing new: cordoned");
    fixture.restart();
    fixture.connect("alpha");
    fixture.connect("bravo");
    fixture.command(Command::Scale { workload: super::fixture::web(), replicas: 30 }).expect("ok");
    assert_eq!((fixture.plan(), fixture.view("web").pending), (shares(&[("alpha", 2), ("bravo", 20)]), 8));
    // Whoever waits for room is placed as soon as there is some (S14).
    fixture.command(Command::Cordon { cluster: cluster("alpha"), cordoned: false }).expect("a member");
    assert_eq!((fixture.plan(), fixture.view("web").pending), (shares(&[("alpha", 10), ("bravo", 20)]), 0));
}

#[test]
fn taints_close_avoid_and_evict() {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40)]);
    fixture.run("web", 8, policy("even", &[]));
    pass(&mut fixture, 2);
    taint(&mut fixture, "alpha", TaintEffect::NoSchedule);
    fixture.command(Command::Scale { workload: super::fixture::web(), replicas: 10 }).expect("ok");
    assert_eq!(fixture.plan(), shares(&[("alpha", 4), ("bravo", 6)]));
    untaint(&mut fixture, "alpha");
    taint(&mut fixture, "bravo", TaintEffect::PreferNoSchedule);
    fixture.command(Command::Scale { workload: super::fixture::web(), replicas: 46 }).expect("ok");
    assert_eq!(fixture.plan(), shares(&[("alpha", 40), ("bravo", 6)]));
    untaint(&mut fixture, "bravo");
    fixture.command(Command::Scale { workload: super::fixture::web(), replicas: 10 }).expect("ok");
    pass(&mut fixture, 5);
    taint(&mut fixture, "alpha", TaintEffect::NoExecute);
    assert_eq!(fixture.plan(), shares(&[("bravo", 10)]));
    assert_eq!(fixture.reason("web", "alpha"), "not eligible: taint old:NoExecute is not tolerated");
    pass(&mut fixture, 60);
    assert_eq!(fixture.running(), shares(&[("bravo", 10)]));
}

#[test]
fn s20_what_must_leave_stays_until_others_are_ready() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 6)]);
    fixture.run("web", 10, policy("even", &[("alpha", 1), ("bravo", 0)]));
    pass(&mut fixture, 2);
    fixture.command(Command::ApplyPolicy(policy("even", &[]))).expect("ok");
    taint(&mut fixture, "alpha", TaintEffect::NoExecute);
    pass(&mut fixture, 60);
    assert_eq!((fixture.plan(), fixture.view("web").pending), (shares(&[("bravo", 6)]), 4));
    assert_eq!(fixture.running(), shares(&[("alpha", 4), ("bravo", 6)]), "four have no other place");
}

#[test]
fn a_toleration_for_a_time_lets_what_runs_stay_for_that_time() {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40)]);
    fixture.run("web", 8, tolerating(Some(60)));
    pass(&mut fixture, 2);
    taint(&mut fixture, "alpha", TaintEffect::NoExecute);
    pass(&mut fixture, 30);
    assert_eq!(fixture.plan(), shares(&[("alpha", 4), ("bravo", 4)]));
    // The time goes on over a restart.
    fixture.restart();
    fixture.connect("alpha");
    fixture.connect("bravo");
    pass(&mut fixture, 20);
    assert_eq!(fixture.plan(), shares(&[("alpha", 4), ("bravo", 4)]));
    pass(&mut fixture, 15);
    assert_eq!(fixture.plan(), shares(&[("bravo", 8)]));
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40)]);
    fixture.run("web", 8, tolerating(None));
    taint(&mut fixture, "alpha", TaintEffect::NoExecute);
    pass(&mut fixture, 120);
    assert_eq!(fixture.plan(), shares(&[("alpha", 4), ("bravo", 4)]));
}

#[test]
fn s3_a_degraded_cluster_gets_nothing_new_and_says_so_once() {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40)]);
    fixture.run("web", 8, policy("even", &[]));
    fixture.members.get_mut(&cluster("alpha")).expect("a member").broken = 3;
    pass(&mut fixture, 2);
    let view = fixture.hub.cluster(&cluster("alpha")).expect("a member");
    assert_eq!(&*view.degraded, "3 of 10 nodes are not ready");
    fixture.command(Command::Scale { workload: super::fixture::web(), replicas: 20 }).expect("ok");
    assert_eq!(fixture.plan(), shares(&[("alpha", 4), ("bravo", 16)]));
    assert_eq!(fixture.reason("web", "alpha"), "gets nothing new: degraded");
    assert_eq!(fixture.noted("ClusterDegraded"), 1);
    // A fifth may be away: that is every day's business.
    fixture.members.get_mut(&cluster("alpha")).expect("a member").broken = 2;
    pass(&mut fixture, 2);
    assert_eq!(fixture.noted("ClusterRecovered"), 1);
    fixture.command(Command::Scale { workload: super::fixture::web(), replicas: 24 }).expect("ok");
    assert_eq!(fixture.plan(), shares(&[("alpha", 8), ("bravo", 16)]));
}

#[test]
fn s3_a_cluster_whose_agents_cannot_reach_its_api_server_is_degraded_until_they_can() {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40)]);
    fixture.run("web", 8, policy("even", &[]));
    pass(&mut fixture, 2);
    let trouble = |unreachable: Option<&str>| Up::ApiServer { unreachable: unreachable.map(Into::into) };
    let because = |fixture: &Fixture| fixture.hub.cluster(&cluster("alpha")).expect("a member").degraded;
    // Another agent still reaches it: it is that agent's trouble alone.
    let first = fixture.members[&cluster("alpha")].session;
    fixture.open_as("alpha", "other");
    fixture.say("alpha", trouble(Some("connection refused")));
    assert_eq!((&*because(&fixture), fixture.noted("ClusterDegraded")), ("", 0));
    fixture.members.get_mut(&cluster("alpha")).expect("a member").session = first;
    // Its leader resigns, as it cannot renew its Lease.
    fixture.say("alpha", Up::Leadership(Leadership::Following));
    for _ in 0..2 {
        fixture.say("alpha", trouble(Some("timeout")));
    }
    let why = "its agents cannot reach the API server: timeout";
    assert_eq!((&*because(&fixture), fixture.noted("ClusterDegraded")), (why, 1));
    // Nothing moves for it, however long it lasts; it gets nothing new, and nothing there counts as ready.
    fixture.pass_silently(Duration::from_secs(3600));
    assert_eq!(fixture.state("alpha"), crate::ClusterState::Ready);
    fixture.command(Command::Scale { workload: super::fixture::web(), replicas: 20 }).expect("ok");
    assert_eq!(fixture.plan(), shares(&[("alpha", 4), ("bravo", 16)]));
    assert_eq!(fixture.reason("web", "alpha"), "gets nothing new: degraded");
    assert_eq!(fixture.web().ready, 4);
    fixture.say("alpha", trouble(None));
    fixture.lead("alpha");
    pass(&mut fixture, 2);
    assert_eq!((&*because(&fixture), fixture.noted("ClusterRecovered")), ("", 1));
    fixture.command(Command::Scale { workload: super::fixture::web(), replicas: 24 }).expect("ok");
    assert_eq!(fixture.plan(), shares(&[("alpha", 8), ("bravo", 16)]));
}

#[test]
fn what_is_no_member_or_too_much_is_refused() {
    let mut fixture = Fixture::new(&[("alpha", 40)]);
    let unknown = Command::Cordon { cluster: cluster("zulu"), cordoned: true };
    assert_eq!(fixture.command(unknown).unwrap_err().kind, crate::RefusedKind::NotFound);
    let set = (0..65).map(|n| (format!("k{n}").into(), "v".into())).collect();
    let many = Command::Label { cluster: cluster("alpha"), set, remove: Default::default() };
    assert_eq!(fixture.command(many).unwrap_err().kind, crate::RefusedKind::ResourceExhausted);
    assert!(fixture.hub.cluster(&cluster("alpha")).expect("a member").traits.labels.is_empty());
}
