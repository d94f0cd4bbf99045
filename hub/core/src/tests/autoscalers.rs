//! Bounds of replicas that are totals over all clusters: S29.

use godwit_common::bounds::Bounds;
use godwit_common::policy::Strategy;

use super::drains::drain;
use super::fixture::{Fixture, autoscaler, cluster, deployment, object, policy, shares, spec, web};
use super::shortage::{pass, scale};
use crate::{Application, Command, ObjectSpec, Policy, PolicyChoice};

fn deploy(fixture: &mut Fixture, replicas: u32, objects: Vec<ObjectSpec>, policy: Policy) {
    let application = Application { workloads: vec![spec(web(), replicas)], objects };
    let deploy = deployment(application, PolicyChoice::Inline(policy));
    fixture.command(Command::Deploy(deploy)).expect("a good deployment");
}

/// Ten copies in three clusters, 4, 3 and 3, and an autoscaler from 5 to 30.
fn ten() -> Fixture {
    let mut fixture = Fixture::new(&[("alpha", 60), ("bravo", 60), ("charlie", 60)]);
    deploy(&mut fixture, 10, vec![autoscaler("web", 5, 30), object("config")], policy("even", &[]));
    pass(&mut fixture, 2);
    assert_eq!(fixture.placed("web"), shares(&[("alpha", 4), ("bravo", 3), ("charlie", 3)]));
    fixture
}

/// What each cluster was told of the autoscaler; and nothing of anything else.
fn told(fixture: &Fixture) -> Vec<(String, Option<u32>, Option<u32>)> {
    let mut told = Vec::new();
    for (name, member) in &fixture.members {
        for row in member.objects.values() {
            match &*row.key.kind {
                "HorizontalPodAutoscaler" => told.push((name.to_string(), row.bounds.min, row.bounds.max)),
                _ => assert_eq!(row.bounds, Bounds::default()),
            }
        }
    }
    told
}

fn bounds(pairs: &[(&str, u32, u32)]) -> Vec<(String, Option<u32>, Option<u32>)> {
    pairs.iter().map(|(name, min, max)| ((*name).to_owned(), Some(*min), Some(*max))).collect()
}

#[test]
fn s29_bounds_are_divided_as_the_replicas_are_and_follow_them() {
    let mut fixture = ten();
    assert_eq!(told(&fixture), bounds(&[("alpha", 2, 12), ("bravo", 2, 9), ("charlie", 1, 9)]));
    scale(&mut fixture, "web", 12);
    pass(&mut fixture, 60);
    assert_eq!(fixture.placed("web"), shares(&[("alpha", 4), ("bravo", 4), ("charlie", 4)]));
    assert_eq!(told(&fixture), bounds(&[("alpha", 2, 10), ("bravo", 2, 10), ("charlie", 1, 10)]));
    drain(&mut fixture, "alpha");
    pass(&mut fixture, 120);
    assert_eq!(fixture.placed("web"), shares(&[("bravo", 6), ("charlie", 6)]));
    assert_eq!(told(&fixture), bounds(&[("alpha", 1, 1), ("bravo", 3, 15), ("charlie", 2, 15)]));
}

#[test]
fn s29_a_loss_gives_its_bounds_to_those_that_replace_it() {
    let mut fixture = ten();
    fixture.disconnect("alpha");
    pass(&mut fixture, 60);
    assert_eq!(fixture.placed("web"), shares(&[("bravo", 5), ("charlie", 5)]));
    // What may still run there is not told: it keeps its own, and the others have theirs beside it.
    let others: Vec<_> = told(&fixture).into_iter().filter(|(name, ..)| name != "alpha").collect();
    let max: u32 = others.iter().filter_map(|(_, _, max)| *max).sum();
    assert!(max >= 22, "they have what the lost one is not counted for: {others:?}");
    fixture.connect("alpha");
    pass(&mut fixture, 300);
    let all: u32 = told(&fixture).into_iter().filter_map(|(_, _, max)| max).sum();
    assert!((30..=31).contains(&all), "once it has stopped they make up the total: {:?}", told(&fixture));
}

#[test]
fn s29_a_cluster_that_is_forgotten_leaves_its_bounds_to_the_others_even_if_these_get_nothing_else() {
    let mut fixture = Fixture::new(&[("alpha", 4), ("bravo", 3), ("charlie", 3)]);
    deploy(&mut fixture, 10, vec![autoscaler("web", 5, 30)], policy("even", &[]));
    pass(&mut fixture, 2);
    fixture.disconnect("alpha");
    pass(&mut fixture, 60);
    fixture.command(Command::DeleteCluster { cluster: cluster("alpha"), force: true }).expect("it is lost");
    pass(&mut fixture, 2);
    assert_eq!(fixture.placed("web"), shares(&[("bravo", 3), ("charlie", 3)]));
    let others: Vec<_> = told(&fixture).into_iter().filter(|(name, ..)| name != "alpha").collect();
    assert_eq!(others, bounds(&[("bravo", 3, 15), ("charlie", 2, 15)]));
}

#[test]
fn s29_an_autoscaler_starts_nothing_that_its_cluster_was_not_told_to_start() {
    let mut fixture = ten();
    fixture.members.values_mut().for_each(|member| member.ready = false);
    scale(&mut fixture, "web", 40);
    for _ in 0..40 {
        pass(&mut fixture, 1);
        for member in fixture.members.values() {
            let replicas = member.rows.values().map(|row| row.replicas).sum::<u32>();
            let scaler =
                member.objects.values().find(|row| row.bounds.max.is_some()).expect("its autoscaler");
            assert!(scaler.bounds.min.is_some_and(|min| min <= replicas.max(1)), "{scaler:?}, {replicas}");
            assert!(scaler.bounds.max.is_some_and(|max| max >= replicas), "{scaler:?}, {replicas}");
        }
    }
}

#[test]
fn s29_bounds_are_durable_and_a_changed_manifest_changes_them() {
    let mut fixture = ten();
    let before = told(&fixture);
    fixture.restart();
    for name in ["alpha", "bravo", "charlie"] {
        fixture.connect(name);
    }
    pass(&mut fixture, 10);
    assert_eq!(told(&fixture), before);
    deploy(&mut fixture, 10, vec![autoscaler("web", 10, 40), object("config")], policy("even", &[]));
    pass(&mut fixture, 10);
    assert_eq!(told(&fixture), bounds(&[("alpha", 4, 16), ("bravo", 3, 12), ("charlie", 3, 12)]));
}

#[test]
fn s29_where_every_cluster_runs_the_full_number_the_bounds_hold_in_each() {
    let mut fixture = ten();
    let mut full = policy("even", &[]);
    full.placement.strategy = Strategy::Duplicate;
    fixture.command(Command::ApplyPolicy(full)).expect("a good policy");
    pass(&mut fixture, 60);
    let none = |name: &str| (name.to_owned(), None, None);
    assert_eq!(told(&fixture), ["alpha", "bravo", "charlie"].map(none));
    fixture.command(Command::ApplyPolicy(policy("even", &[]))).expect("a good policy");
    pass(&mut fixture, 60);
    let all: u32 = told(&fixture).into_iter().filter_map(|(_, _, max)| max).sum();
    assert!(all >= 30, "{:?}", told(&fixture));
}

#[test]
fn s29_what_bounds_another_workload_or_none_is_told_as_it_is() {
    let mut fixture = Fixture::new(&[("alpha", 60), ("bravo", 60)]);
    deploy(&mut fixture, 4, vec![autoscaler("other", 5, 30)], policy("even", &[]));
    pass(&mut fixture, 2);
    assert!(told(&fixture).iter().all(|(_, min, max)| min.is_none() && max.is_none()));
}
