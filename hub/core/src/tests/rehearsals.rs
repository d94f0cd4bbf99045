//! A dry run answers what the real run answers: S30.

use std::collections::BTreeSet;
use std::time::Duration;

use godwit_common::policy::{Rebalance, WorkloadSelector};
use godwit_common::{ClusterName, Now, WorkloadId};

use super::fixture::{Fixture, cluster, deployment, object, policy, spec, web};
use crate::{
    Action, Answer, Application, Changes, Command, Deployed, DrainOrder, DrainTerms, Policy, PolicyChoice,
    Record, Refused, RefusedKind, StateRevision, WhatIf, WorkloadSpec,
};

fn named(name: &str) -> WorkloadId {
    WorkloadId::new("default", "Deployment", name).expect("a valid identity")
}

/// The fixture asks for a rehearsal first, which answers the same.
fn deploy(fixture: &mut Fixture, workloads: Vec<WorkloadSpec>, policy: PolicyChoice) -> Deployed {
    let deploy = deployment(Application { workloads, objects: vec![] }, policy);
    match fixture.command(Command::Deploy(deploy)).expect("a good request") {
        Answer::Deployed(deployed) => deployed,
        other => panic!("not an answer to a deployment: {other:?}"),
    }
}

fn changes(answer: Result<Answer, Refused>) -> Changes {
    match answer {
        Ok(Answer::Applied { changes, .. }) => changes,
        other => panic!("it should have been applied: {other:?}"),
    }
}

#[test]
fn s30_a_gradual_policy_is_rehearsed_at_its_own_pace() {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100)]);
    fixture.deploy_web(20, &[("alpha", 1)]);
    let mut gradual = policy("gradual", &[("alpha", 1), ("bravo", 1)]);
    gradual.placement.rebalance = Rebalance::Gradual;
    let answer = deploy(&mut fixture, vec![spec(web(), 20)], PolicyChoice::Inline(gradual));
    assert_eq!(answer.workloads[0].placements, [(cluster("alpha"), 20)]);
}

#[test]
fn s30_a_rehearsal_serves_the_most_urgent_first_too() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    for (name, priority) in [("usual", 0), ("urgent", 9)] {
        let mut policy = policy(name, &[("alpha", 1)]);
        policy.placement.priority = priority;
        fixture.command(Command::ApplyPolicy(policy)).expect("a good policy");
    }
    let under = |name: &str, policy: &str| WorkloadSpec {
        policy: Some(policy.parse().expect("a valid name")),
        ..spec(named(name), 8)
    };
    let workloads = vec![under("first", "usual"), under("second", "urgent")];
    let answer = deploy(&mut fixture, workloads, PolicyChoice::Annotated);
    let pending: Vec<u32> = answer.workloads.iter().map(|workload| workload.pending).collect();
    assert_eq!(pending, [6, 0]);
}

#[test]
fn s30_a_rehearsal_counts_with_those_that_a_changed_policy_moves() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 100)]);
    fixture
        .deploy(spec(named("older"), 8), PolicyChoice::Inline(policy("shared", &[("bravo", 1)])))
        .expect("good");
    let changed = PolicyChoice::Inline(policy("shared", &[("alpha", 1)]));
    let answer = deploy(&mut fixture, vec![spec(named("newer"), 8)], changed);
    assert_eq!(answer.workloads[0].pending, 6, "the older one moves to alpha first");
}

#[test]
fn s30_a_cluster_without_an_inventory_is_in_both_answers() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    fixture.add_member("bravo", 100);
    fixture.open("bravo");
    let answer = deploy(&mut fixture, vec![spec(web(), 8)], PolicyChoice::Annotated);
    assert_eq!(answer.workloads[0].placements, [(cluster("alpha"), 8)]);
}

#[test]
fn s30_a_rehearsal_sees_what_changes() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    let application = |objects| Application { workloads: vec![spec(web(), 1)], objects };
    let mut actions = Vec::new();
    for objects in [vec![], vec![], vec![object("a")], vec![object("a")]] {
        let deploy = deployment(application(objects), PolicyChoice::Annotated);
        match fixture.command(Command::Deploy(deploy)).expect("a good request") {
            Answer::Deployed(deployed) => actions.push(deployed.workloads[0].action),
            other => panic!("not an answer to a deployment: {other:?}"),
        }
    }
    assert_eq!(actions, [Action::Created, Action::Unchanged, Action::Configured, Action::Unchanged]);
}

#[test]
fn s30_what_the_real_run_refuses_the_dry_run_refuses() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    fixture.config.policies = 1;
    fixture.restart();
    let application = Application { workloads: vec![spec(web(), 1)], objects: vec![] };
    let inline = PolicyChoice::Inline(policy("more", &[("alpha", 1)]));
    let deploy = deployment(application, inline);
    let refused = fixture.rehearse(Command::Deploy(deploy)).expect_err("one policy is there already");
    assert_eq!(refused.kind, RefusedKind::ResourceExhausted);
}

#[test]
fn s6_a_policy_that_acts_before_the_guard_is_warned_about() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    let mut hasty = policy("hasty", &[("alpha", 1)]);
    hasty.lost_after = std::time::Duration::from_secs(1);
    let answer = deploy(&mut fixture, vec![spec(web(), 1)], PolicyChoice::Inline(hasty));
    assert!(matches!(&answer.warnings[..], [warning] if warning.contains("lost_after 1s")), "{answer:?}");
    assert_eq!(fixture.noted("PolicyHasty"), 1);
}

/// A policy that keeps an application together, in one cluster.
fn together(name: &str, home: &str) -> Policy {
    let mut policy = policy(name, &[(home, 1)]);
    policy.placement.affinity.colocate = true;
    policy
}

#[test]
fn s30_a_new_application_is_rehearsed_together() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    let mut anywhere = policy("together", &[]);
    anywhere.placement.affinity.colocate = true;
    for leader in ["web", "api", "shop", "blog"] {
        let workloads = vec![spec(named(leader), 1), spec(named(&format!("{leader}-cache")), 3)];
        let answer = deploy(&mut fixture, workloads, PolicyChoice::Inline(anywhere.clone()));
        let homes = |index: usize| -> Vec<_> {
            let placed = answer.workloads[index].placements.iter().filter(|(_, count)| *count > 0);
            placed.map(|(name, _)| name.clone()).collect()
        };
        assert_eq!(homes(0), homes(1), "{answer:?}");
    }
}

#[test]
fn s30_new_workloads_keep_away_from_each_other_in_both_answers() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    let mut apart = policy("apart", &[]);
    let selector = WorkloadSelector { names: [named("blue").name].into(), ..WorkloadSelector::default() };
    apart.placement.affinity.without = vec![selector];
    fixture.command(Command::ApplyPolicy(apart)).expect("a good policy");
    let under = |name: &str, replicas, policy: Option<&str>| WorkloadSpec {
        policy: policy.map(|name| name.parse().expect("a valid name")),
        ..spec(named(name), replicas)
    };
    let workloads = vec![under("red", 1, Some("apart")), under("blue", 2, None)];
    let answer = deploy(&mut fixture, workloads, PolicyChoice::Annotated);
    let clusters = |index: usize| -> BTreeSet<&ClusterName> {
        answer.workloads[index].placements.iter().map(|(name, _)| name).collect()
    };
    assert!(clusters(0).is_disjoint(&clusters(1)), "{answer:?}");
    assert!(answer.workloads.iter().all(|workload| workload.pending == 0), "{answer:?}");
}

#[test]
fn s30_followers_that_were_not_asked_about_are_in_both_answers() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    for name in ["lead", "follow"] {
        fixture.command(Command::ApplyPolicy(together(name, "alpha"))).expect("a good policy");
    }
    let under = |name: &str, policy: &str| WorkloadSpec {
        policy: Some(policy.parse().expect("a valid name")),
        ..spec(named(name), 2)
    };
    let workloads = vec![under("web", "lead"), under("cache", "follow")];
    deploy(&mut fixture, workloads, PolicyChoice::Annotated);
    let mut wide = together("follow", "alpha");
    wide.placement.clusters.insert(cluster("bravo"), Default::default());
    fixture.command(Command::ApplyPolicy(wide)).expect("a good policy");
    fixture.pass(Duration::from_secs(2));
    // Only the leader's policy changes; the other workload follows it.
    let what = WhatIf { drain: [cluster("alpha")].into(), ..WhatIf::default() };
    assert_eq!(fixture.hub.what_if(&what).expect("a member").changes.total, 2);
    let changes = changes(fixture.command(Command::ApplyPolicy(together("lead", "bravo"))));
    let counts: Vec<_> =
        changes.plans.iter().map(|change| (&*change.id.name, change.counts.clone())).collect();
    let both = vec![(cluster("alpha"), 2, 0), (cluster("bravo"), 0, 2)];
    assert_eq!(counts, [("web", both.clone()), ("cache", both)]);
}

#[test]
fn s30_a_decision_says_what_it_was_decided_on() {
    let mut fixture = Fixture::new(&[("alpha", 100), ("bravo", 100)]);
    fixture.deploy_web(10, &[("alpha", 1), ("bravo", 1)]);
    fixture.pass(Duration::from_secs(20));
    let inputs = |answer: Answer| match answer {
        Answer::Applied { changes, .. } => changes.inputs,
        other => panic!("an odd answer: {other:?}"),
    };
    let drain = || {
        let order = DrainOrder::Start(DrainTerms::default());
        Command::Drain { cluster: cluster("alpha"), order }
    };
    // The same on the same inputs is the same, and says so.
    let now = Now { time: fixture.now, wall: Default::default() };
    let foreseen = inputs(fixture.hub.rehearse(now, "ann".into(), drain()).expect("a good request"));
    let done = inputs(fixture.command(drain()).expect("a good request"));
    assert_eq!(foreseen, done);
    let noted: Vec<StateRevision> = fixture.journal.iter().map(|entry| entry.inputs).collect();
    assert!(noted.is_sorted() && noted.contains(&done), "{noted:?}");
    let opened = fixture.store.values().find_map(|record| match record {
        Record::Migration(migration) => Some(migration.inputs),
        _ => None,
    });
    assert_eq!(opened, Some(done), "the migration says what it was decided on");
    let asked = fixture.hub.plan(&web()).expect("it is deployed").inputs;
    fixture.pass(Duration::from_secs(1));
    assert!(fixture.hub.plan(&web()).expect("it is deployed").inputs > asked, "more has been heard since");
    fixture.restart();
    assert!(fixture.journal.last().expect("it says that it started").inputs > asked, "a hub never goes back");
}
