//! Foresight: what commands would come to, whether each loss would be survived, and what if (S14, S16, S30).

use std::time::Duration;

use godwit_common::quota::Quota;
use godwit_common::{Need, ObjectKey, Taint, TaintEffect};

use super::fixture::{Fixture, cluster, deployment, deployment_id, policy, shares, spec, web};
use super::shortage::{pass, quota, ranked, scale};
use crate::{Answer, Application, Changes, Command, PolicyChoice, Subject, WhatIf, WorkloadSpec};

fn survival(fixture: &Fixture, name: &str) -> Option<u64> {
    fixture.hub.cluster(&cluster(name)).expect("a member").survival.map(|known| known.unplaced)
}

fn lose(name: &str) -> WhatIf {
    WhatIf { lose: [cluster(name)].into(), ..WhatIf::default() }
}

/// What a command changes, by name: pending before and after.
fn pending(changes: &Changes) -> Vec<(&str, u32, u32)> {
    let plans = changes.plans.iter();
    plans.map(|change| (&*change.id.name, change.pending_before, change.pending_after)).collect()
}

/// What a command comes to, which its rehearsal foresees.
fn applied(fixture: &mut Fixture, command: Command) -> Changes {
    match fixture.command(command) {
        Ok(Answer::Applied { changes, .. }) => changes,
        other => panic!("it should have been applied: {other:?}"),
    }
}

#[test]
fn s30_an_answer_tells_who_gives_way() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    fixture.run("batch", 10, ranked("batch", -1, 0));
    pass(&mut fixture, 2);
    let choice = PolicyChoice::Inline(ranked("web", 5, 0));
    let Ok(Answer::Deployed(answer)) = fixture.deploy(spec(web(), 4), choice) else {
        panic!("a good request")
    };
    assert_eq!(pending(&answer.changes), [("web", 0, 4), ("batch", 0, 4)]);
    assert_eq!(answer.changes.plans[1].counts, [(cluster("alpha"), 10, 6)]);
    let reasons = &answer.workloads[0].reasons;
    assert!(reasons.contains(&"alpha: 4 of lower priority give way to it (S16)".to_owned()), "{reasons:?}");
}

#[test]
fn s30_an_answer_tells_what_waited_for_it() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10)]);
    let taint = Taint { key: "old".into(), value: "".into(), effect: TaintEffect::NoSchedule };
    for name in ["alpha", "bravo"] {
        let (cluster, add, remove) = (cluster(name), vec![taint.clone()], vec![]);
        applied(&mut fixture, Command::Taint { cluster, add, remove });
    }
    fixture.run("web", 4, policy("even", &[]));
    let (cluster, remove) = (cluster("alpha"), vec![("old".into(), None)]);
    let changes = applied(&mut fixture, Command::Taint { cluster: cluster.clone(), add: vec![], remove });
    assert_eq!(pending(&changes), [("web", 4, 0)]);
    applied(&mut fixture, Command::Cordon { cluster: cluster.clone(), cordoned: true });
    scale(&mut fixture, "web", 6);
    let changes = applied(&mut fixture, Command::Cordon { cluster, cordoned: false });
    assert_eq!(pending(&changes), [("web", 2, 0)]);
    quota(&mut fixture, 6).expect("a good quota");
    scale(&mut fixture, "web", 8);
    let wider = Quota { replicas: Some(7), ..Quota::default() };
    let record = crate::QuotaRecord { namespace: "default".into(), quota: wider };
    let changes = applied(&mut fixture, Command::ApplyQuota(record));
    assert_eq!(pending(&changes), [("web", 2, 1)]);
}

#[test]
fn a_long_answer_says_how_long_it_is() {
    let mut fixture = Fixture::new(&[("alpha", 2000)]);
    let workloads = (0..1_001).map(|number| spec(deployment_id(&format!("w{number}")), 1)).collect();
    let application = Application { workloads, objects: vec![] };
    let deploy = deployment(application, PolicyChoice::Inline(policy("even", &[])));
    fixture.command(Command::Deploy(deploy)).expect("a good request");
    let mut apart = policy("even", &[]);
    apart.placement.selector = godwit_common::policy::ClusterSelector::of_names([cluster("bravo")]);
    let changes = applied(&mut fixture, Command::ApplyPolicy(apart));
    assert_eq!((changes.plans.len(), changes.total), (1_000, 1_001));
}

#[test]
fn s16_what_if_and_survivability_count_on_who_gives_way() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10)]);
    let only = |mut policy: crate::Policy, name: &str| {
        policy.placement.selector = godwit_common::policy::ClusterSelector::of_names([cluster(name)]);
        policy
    };
    fixture.run("batch", 7, only(ranked("batch", -1, 2), "bravo"));
    fixture.run("web", 9, ranked("web", 5, 0));
    pass(&mut fixture, 10);
    assert_eq!(fixture.placed("web"), shares(&[("alpha", 6), ("bravo", 3)]));
    let answer = fixture.hub.what_if(&lose("alpha")).expect("a member");
    // Five give way: the rest is the minimum of those that do.
    assert_eq!(pending(&answer.changes), [("web", 0, 1), ("batch", 0, 5)]);
    assert_eq!(answer.changes.plans[0].counts, [(cluster("alpha"), 6, 0), (cluster("bravo"), 3, 8)]);
    assert_eq!(survival(&fixture, "alpha"), Some(6));
    // And so it comes.
    fixture.disconnect("alpha");
    pass(&mut fixture, 60);
    assert_eq!(fixture.placed("web"), shares(&[("bravo", 8)]));
    assert_eq!(fixture.placed("batch"), shares(&[("bravo", 2)]));
}

#[test]
fn every_cluster_knows_whether_its_loss_would_be_survived() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10), ("charlie", 4)]);
    fixture.run("web", 12, policy("even", &[("alpha", 1), ("bravo", 1), ("charlie", 0)]));
    pass(&mut fixture, 10);
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
fn s14_what_runs_in_every_cluster_is_not_missed_where_one_is_lost() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10)]);
    let mut everywhere = policy("everywhere", &[]);
    everywhere.placement.strategy = godwit_common::policy::Strategy::Duplicate;
    fixture.run("web", 3, everywhere);
    pass(&mut fixture, 10);
    assert_eq!((survival(&fixture, "alpha"), survival(&fixture, "bravo")), (Some(0), Some(0)));
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
        survival(fixture, "alpha")
    };
    assert_eq!(survival(&mut fixture), Some(0));
    // Each of these moves nothing, and decides what would become of alpha's six.
    let mut capped = policy("even", &[]);
    capped.placement.default = Some(godwit_common::policy::Rule::new(1, 0, Some(8)).expect("a valid rule"));
    fixture.command(Command::ApplyPolicy(capped)).expect("a good policy");
    assert_eq!(survival(&mut fixture), Some(4));
    let wide = policy("even", &[]);
    fixture.command(Command::ApplyPolicy(wide)).expect("a good policy");
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
fn what_if_answers_by_the_planner_that_would_run() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10)]);
    fixture.run("web", 14, policy("even", &[]));
    pass(&mut fixture, 2);
    let ask = |fixture: &Fixture, what: WhatIf| fixture.hub.what_if(&what);
    let lose = lose("alpha");
    let answer = ask(&fixture, lose.clone()).expect("a member");
    assert_eq!((answer.changes.total, answer.moved, answer.pending_after), (1, 7, 4));
    assert_eq!(answer.changes.plans[0].counts, [(cluster("alpha"), 7, 0), (cluster("bravo"), 7, 10)]);
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
    let foreseen = ask(&fixture, lose).expect("a member").changes.plans.remove(0).counts;
    fixture.disconnect("alpha");
    pass(&mut fixture, 20);
    let after: Vec<_> = foreseen.into_iter().filter(|(_, _, after)| *after > 0).collect();
    assert_eq!(after, [(cluster("bravo"), 7, 10)]);
    assert_eq!(fixture.plan(), shares(&[("bravo", 10)]));
}
