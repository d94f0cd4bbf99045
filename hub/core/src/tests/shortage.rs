//! Shortage: quotas and preemption (S14, S16).

use std::time::Duration;

use godwit_common::quota::Quota;

use super::fixture::{Fixture, cluster, deployment_id, policy, shares, spec, web};
use crate::{Answer, Command, Policy, PolicyChoice, QuotaRecord, Refused};

pub(super) fn quota(fixture: &mut Fixture, replicas: u64) -> Result<Answer, Refused> {
    let quota = Quota { replicas: Some(replicas), ..Quota::default() };
    fixture.command(Command::ApplyQuota(QuotaRecord { namespace: "default".into(), quota }))
}

/// A policy of its own for a workload, with a priority; its replicas may be preempted if it is negative.
pub(super) fn ranked(name: &str, priority: i32, min: u32) -> Policy {
    let mut policy = policy(name, &[]);
    policy.placement.priority = priority;
    policy.placement.preemptible = priority < 0;
    policy.placement.default = Some(godwit_common::policy::Rule::new(1, min, None).expect("a valid rule"));
    policy
}

pub(super) fn pass(fixture: &mut Fixture, seconds: u64) {
    fixture.pass(Duration::from_secs(seconds));
}

pub(super) fn scale(fixture: &mut Fixture, name: &str, replicas: u32) {
    let command = Command::Scale { workload: deployment_id(name), replicas };
    fixture.command(command).expect("it is deployed");
}

#[test]
fn s16_a_quota_holds_back_what_is_new_and_cuts_nothing() {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40)]);
    fixture.run("web", 8, policy("even", &[]));
    quota(&mut fixture, 10).expect("a good quota");
    fixture.run("api", 8, policy("even", &[]));
    assert_eq!((fixture.view("web").pending, fixture.view("api").pending), (0, 6));
    let reasons = fixture.view("api").pending_reasons;
    assert_eq!(&*reasons[0], "quota of namespace default: replicas");
    // Lower than what runs: nothing is cut.
    quota(&mut fixture, 1).expect("a good quota");
    assert_eq!((fixture.view("web").pending, fixture.view("api").pending), (0, 6));
    let used = fixture.hub.quota(&"default".into()).expect("it has a quota").used;
    assert_eq!((used.replicas, used.requests.cpu_millis), (10, 10_000));
    // What is given back, the next one gets at once (S14).
    quota(&mut fixture, 10).expect("a good quota");
    scale(&mut fixture, "web", 5);
    pass(&mut fixture, 2);
    assert_eq!((fixture.view("web").pending, fixture.view("api").pending), (0, 3));
    fixture.restart();
    fixture.connect("alpha");
    fixture.connect("bravo");
    pass(&mut fixture, 2);
    assert_eq!(fixture.view("api").pending, 3);
    fixture.command(Command::DeleteQuota { namespace: "default".into() }).expect("it is there");
    assert_eq!(fixture.view("api").pending, 0);
    let again = fixture.command(Command::DeleteQuota { namespace: "default".into() });
    assert_eq!(again.unwrap_err().kind, crate::RefusedKind::NotFound);
}

#[test]
fn s16_a_deployment_spends_a_quota_once_in_a_batch() {
    let mut fixture = Fixture::new(&[("alpha", 40), ("bravo", 40)]);
    fixture.run("web", 8, policy("even", &[]));
    fixture.run("api", 8, policy("even", &[]));
    scale(&mut fixture, "web", 0);
    scale(&mut fixture, "api", 0);
    quota(&mut fixture, 0).expect("a good quota");
    scale(&mut fixture, "web", 8);
    scale(&mut fixture, "api", 8);
    quota(&mut fixture, 10).expect("a good quota");
    assert_eq!((fixture.view("web").pending, fixture.view("api").pending), (0, 6));
}

#[test]
fn s16_a_higher_priority_gets_room_from_a_lower_one_down_to_its_minimum() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10)]);
    fixture.run("batch", 20, ranked("batch", -1, 2));
    pass(&mut fixture, 2);
    fixture.run("web", 30, ranked("web", 5, 0));
    // Nothing is placed where there is no room yet (S15).
    assert_eq!((fixture.placed("web"), fixture.view("web").pending), (shares(&[]), 30));
    assert_eq!(
        (fixture.placed("batch"), fixture.view("batch").pending),
        (shares(&[("alpha", 2), ("bravo", 2)]), 16)
    );
    let reasons = fixture.view("batch").pending_reasons;
    assert!(
        reasons.iter().any(|reason| reason.contains("gave way to Deployment default/web")),
        "{reasons:?}"
    );
    pass(&mut fixture, 3);
    assert_eq!(
        (fixture.placed("web"), fixture.view("web").pending),
        (shares(&[("alpha", 8), ("bravo", 8)]), 14)
    );
    // Who gave way grows again once nobody waits.
    scale(&mut fixture, "web", 10);
    pass(&mut fixture, 5);
    assert_eq!(fixture.view("web").pending, 0);
    assert_eq!(fixture.view("batch").pending, 10);
    assert!(fixture.store.values().all(|record| match record {
        crate::Record::Workload(workload) => workload.yielded.is_empty(),
        _ => true,
    }));
}

#[test]
fn s16_only_what_is_needed_is_given_up_and_only_where_the_policy_allows_it() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    fixture.run("batch", 8, ranked("batch", -1, 0));
    fixture.run("web", 5, ranked("web", 5, 0));
    pass(&mut fixture, 3);
    assert_eq!(
        (fixture.placed("web"), fixture.placed("batch")),
        (shares(&[("alpha", 5)]), shares(&[("alpha", 5)]))
    );
    let mut firm = Fixture::new(&[("alpha", 10)]);
    firm.run("api", 8, ranked("api", 0, 0));
    firm.run("web", 5, ranked("web", 5, 0));
    pass(&mut firm, 3);
    assert_eq!((firm.placed("web"), firm.placed("api")), (shares(&[("alpha", 2)]), shares(&[("alpha", 8)])));
}

#[test]
fn s16_the_youngest_of_the_lowest_gives_way_first_and_finds_another_place() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10)]);
    let only_alpha = |mut policy: Policy| {
        policy.placement.selector = godwit_common::policy::ClusterSelector::of_names([cluster("alpha")]);
        policy
    };
    fixture.run("old", 5, only_alpha(ranked("old", -1, 0)));
    let anywhere = {
        let mut policy = ranked("young", -1, 0);
        policy.placement.clusters = [(cluster("alpha"), policy.placement.default.expect("one"))].into();
        policy.placement.default = None;
        policy
    };
    fixture.run("young", 5, anywhere.clone());
    pass(&mut fixture, 2);
    assert_eq!(fixture.placed("young"), shares(&[("alpha", 5)]));
    // From now on it may run in bravo, too; nothing moves for that.
    let mut wider = anywhere;
    wider.placement.default = Some(Default::default());
    fixture.command(Command::ApplyPolicy(wider)).expect("a good policy");
    fixture.run("web", 3, only_alpha(ranked("web", 5, 0)));
    pass(&mut fixture, 5);
    assert_eq!(fixture.placed("old"), shares(&[("alpha", 5)]));
    assert_eq!(fixture.placed("web"), shares(&[("alpha", 3)]));
    assert_eq!(fixture.placed("young"), shares(&[("alpha", 2), ("bravo", 3)]));
}

#[test]
fn s16_a_restart_between_giving_and_taking_loses_nothing() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    fixture.run("batch", 10, ranked("batch", -1, 0));
    pass(&mut fixture, 2);
    fixture.run("web", 4, ranked("web", 5, 0));
    fixture.restart();
    fixture.connect("alpha");
    pass(&mut fixture, 5);
    assert_eq!(
        (fixture.placed("web"), fixture.placed("batch")),
        (shares(&[("alpha", 4)]), shares(&[("alpha", 6)]))
    );
}

#[test]
fn s16_a_quota_follows_what_replicas_ask_for() {
    let mut fixture = Fixture::new(&[("alpha", 40)]);
    quota(&mut fixture, 10).expect("a good quota");
    fixture.run("web", 4, policy("even", &[]));
    fixture.run("api", 2, policy("even", &[]));
    let mut larger = spec(web(), 4);
    larger.pod.requests.cpu_millis = 3_000;
    fixture.deploy(larger, PolicyChoice::Annotated).expect("a good deployment");
    let used = |fixture: &Fixture| fixture.hub.quota(&"default".into()).expect("it has a quota").used;
    assert_eq!((used(&fixture).replicas, used(&fixture).requests.cpu_millis), (6, 14_000));
    let kept = used(&fixture);
    fixture.restart();
    assert_eq!(used(&fixture), kept, "counted anew it is the same");
    fixture.connect("alpha");
    pass(&mut fixture, 2);
    fixture.command(Command::DeleteWorkload { workload: web() }).expect("it is deployed");
    assert_eq!((used(&fixture).replicas, used(&fixture).requests.cpu_millis), (2, 2_000));
}
