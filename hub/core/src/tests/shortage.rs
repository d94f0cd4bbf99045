//! Shortage: quotas, preemption, survivability, and what if (S14, S16).

use std::time::Duration;

use godwit_common::quota::Quota;
use godwit_common::{Need, ObjectKey};

use super::fixture::{Fixture, cluster, deployment_id, policy, shares, spec, web};
use crate::{Answer, Command, Policy, PolicyChoice, QuotaRecord, Refused, Subject, WhatIf, WorkloadSpec};

fn quota(fixture: &mut Fixture, replicas: u64) -> Result<Answer, Refused> {
    let quota = Quota { replicas: Some(replicas), ..Quota::default() };
    fixture.command(Command::ApplyQuota(QuotaRecord { namespace: "default".into(), quota }))
}

/// A policy of its own for a workload, with a priority; its replicas may be preempted if it is negative.
fn ranked(name: &str, priority: i32, min: u32) -> Policy {
    let mut policy = policy(name, &[]);
    policy.placement.priority = priority;
    policy.placement.preemptible = priority < 0;
    policy.placement.default = Some(godwit_common::policy::Rule::new(1, min, None).expect("a valid rule"));
    policy
}

fn pass(fixture: &mut Fixture, seconds: u64) {
    fixture.pass(Duration::from_secs(seconds));
}

fn scale(fixture: &mut Fixture, name: &str, replicas: u32) {
    let command = Command::Scale { workload: deployment_id(name), replicas, dry_run: false };
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
    fixture.command(Command::ApplyPolicy { policy: wider, dry_run: false }).expect("a good policy");
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
fn every_cluster_knows_whether_its_loss_would_be_survived() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10), ("charlie", 4)]);
    fixture.run("web", 12, policy("even", &[("alpha", 1), ("bravo", 1), ("charlie", 0)]));
    pass(&mut fixture, 10);
    let survival = |fixture: &Fixture, name: &str| {
        fixture.hub.cluster(&cluster(name)).expect("a member").survival.map(|known| known.unplaced)
    };
    // What alpha has, six, finds four places in bravo; a weight of zero gets nothing.
    assert_eq!(survival(&fixture, "alpha"), Some(2));
    assert_eq!((survival(&fixture, "bravo"), survival(&fixture, "charlie")), (Some(2), Some(0)));
    assert_eq!(fixture.noted("SurvivabilityLost"), 2);
    let named = fixture.hub.cluster(&cluster("alpha")).expect("a member").survival.expect("known");
    assert_eq!((named.workloads, named.examples), (1, vec![(web(), 2)]));
    scale(&mut fixture, "web", 10);
    pass(&mut fixture, 10);
    assert_eq!((survival(&fixture, "alpha"), survival(&fixture, "bravo")), (Some(0), Some(0)));
    assert_eq!(fixture.noted("SurvivabilityRegained"), 2);
    // Without any change nobody looks again.
    fixture.hub.changes();
    fixture.pass_silently(Duration::from_secs(30));
    assert!(!fixture.hub.changes().contains(&Subject::Cluster(cluster("alpha"))));
    fixture.disconnect("alpha");
    pass(&mut fixture, 30);
    assert_eq!(survival(&fixture, "alpha"), None, "there is nothing left to survive");
    assert_eq!(survival(&fixture, "bravo"), Some(10));
}

#[test]
fn survivability_is_found_out_anew_when_a_policy_a_quota_or_a_need_changes() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    let need = Need::Object(ObjectKey::new("v1", "Secret", "default", "registry").expect("a valid key"));
    let needy = WorkloadSpec { needs: vec![need.clone()], ..spec(web(), 12) };
    fixture.deploy(needy, PolicyChoice::Inline(policy("even", &[]))).expect("a good deployment");
    pass(&mut fixture, 10);
    let survival = |fixture: &mut Fixture| {
        pass(fixture, 10);
        fixture.hub.cluster(&cluster("alpha")).expect("a member").survival.map(|known| known.unplaced)
    };
    assert_eq!(survival(&mut fixture), Some(0));
    // Each of these moves nothing, and decides what would become of alpha's six.
    let mut capped = policy("even", &[]);
    capped.placement.default = Some(godwit_common::policy::Rule::new(1, 0, Some(8)).expect("a valid rule"));
    fixture.command(Command::ApplyPolicy { policy: capped, dry_run: false }).expect("a good policy");
    assert_eq!(survival(&mut fixture), Some(4));
    let wide = policy("even", &[]);
    fixture.command(Command::ApplyPolicy { policy: wide, dry_run: false }).expect("a good policy");
    assert_eq!(survival(&mut fixture), Some(0));
    fixture.members.get_mut(&cluster("bravo")).expect("a member").lacks.insert(need);
    assert_eq!(survival(&mut fixture), Some(6));
    fixture.members.get_mut(&cluster("bravo")).expect("a member").lacks.clear();
    assert_eq!(survival(&mut fixture), Some(0));
    assert_eq!(fixture.plan(), shares(&[("alpha", 6), ("bravo", 6)]), "nothing has moved");
    // A quota is not cut into; what it holds back of other namespaces' room is looked at again all the same.
    let checked = |fixture: &Fixture| {
        fixture.hub.cluster(&cluster("alpha")).expect("a member").survival.expect("known").checked
    };
    let before = checked(&fixture);
    pass(&mut fixture, 10);
    assert_eq!(checked(&fixture), before, "without any change nobody looks again");
    quota(&mut fixture, 12).expect("a good quota");
    pass(&mut fixture, 10);
    let after = checked(&fixture);
    assert!(after > before);
    fixture.command(Command::DeleteQuota { namespace: "default".into() }).expect("it is there");
    pass(&mut fixture, 10);
    assert!(checked(&fixture) > after);
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

#[test]
fn what_if_answers_by_the_planner_that_would_run() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10)]);
    fixture.run("web", 14, policy("even", &[]));
    pass(&mut fixture, 2);
    let ask = |fixture: &Fixture, what: WhatIf| fixture.hub.what_if(&what);
    let lose = WhatIf { lose: [cluster("alpha")].into(), ..WhatIf::default() };
    let answer = ask(&fixture, lose.clone()).expect("a member");
    assert_eq!((answer.workloads, answer.moved, answer.pending_after), (1, 7, 4));
    assert_eq!(answer.changes[0].counts, [(cluster("alpha"), 7, 0), (cluster("bravo"), 7, 10)]);
    let drain = WhatIf { drain: [cluster("alpha")].into(), ..WhatIf::default() };
    assert_eq!(ask(&fixture, drain).expect("a member").pending_after, 4);
    // A new cluster gets what is pending, and is as large as the one that it is like.
    let both = WhatIf { add: [(cluster("charlie"), cluster("bravo"))].into(), ..lose.clone() };
    let answer = ask(&fixture, both).expect("members");
    assert_eq!(answer.pending_after, 0);
    assert_eq!(fixture.plan(), shares(&[("alpha", 7), ("bravo", 7)]), "nothing has changed");
    for (what, kind) in [
        (WhatIf::default(), crate::RefusedKind::InvalidArgument),
        (WhatIf { lose: [cluster("zulu")].into(), ..WhatIf::default() }, crate::RefusedKind::NotFound),
        (
            WhatIf { add: [(cluster("alpha"), cluster("bravo"))].into(), ..WhatIf::default() },
            crate::RefusedKind::AlreadyExists,
        ),
    ] {
        assert_eq!(ask(&fixture, what).unwrap_err().kind, kind);
    }
    // What happens then is what was foreseen.
    let foreseen = ask(&fixture, lose).expect("a member").changes.remove(0).counts;
    fixture.disconnect("alpha");
    pass(&mut fixture, 20);
    let after: Vec<_> = foreseen.into_iter().filter(|(_, _, after)| *after > 0).collect();
    assert_eq!(after, [(cluster("bravo"), 7, 10)]);
    assert_eq!(fixture.plan(), shares(&[("bravo", 10)]));
}
