//! Claims of another storage class: what they need, and that who has claims keeps their class (S32, S33).

use godwit_common::policy::Override;
use godwit_common::policy::overrides::Change;
use godwit_common::{Need, ObjectKey, WorkloadId};

use super::{CLUSTERS, apply, even, label, only, registry, settle};
use crate::overrides::{CLAIM, needs_in};
use crate::tests::fixture::{Fixture, cluster, deployment, shares, spec, web};
use crate::{Application, Command, ObjectSpec, PolicyChoice, RefusedKind, WorkloadSpec};

#[test]
fn s33_a_claim_of_another_class_needs_that_class() {
    let class = |name: &str| {
        Need::Object(ObjectKey::new("storage.k8s.io/v1", "StorageClass", "", name).expect("a valid key"))
    };
    let fast = Change { storage_class: Some("fast".into()), ..Change::default() };
    let mut rule = registry("eu", "eu.io");
    rule.change = fast;
    let mut fixture = Fixture::new(&CLUSTERS);
    label(&mut fixture, "alpha", "eu");
    label(&mut fixture, "bravo", "eu");
    for (name, lacks) in [("alpha", "slow"), ("bravo", "fast"), ("charlie", "fast")] {
        fixture.members.get_mut(&cluster(name)).expect("a member").lacks.insert(class(lacks));
    }
    let spec = WorkloadSpec { needs: vec![class("slow")], ..spec(web(), 6) };
    let key = ObjectKey::new("v1", "PersistentVolumeClaim", "default", "data").expect("a valid key");
    let claim = ObjectSpec { key, manifest: "{}".into() };
    let application = Application { workloads: vec![spec], objects: vec![claim] };
    let mut rule = only("PersistentVolumeClaim", rule);
    rule.objects.names = ["data".into()].into();
    let choice = PolicyChoice::Inline(even(vec![rule]));
    fixture.command(Command::Deploy(deployment(application, choice))).expect("good");
    settle(&mut fixture);
    assert_eq!(fixture.plan(), shares(&[("alpha", 3), ("charlie", 3)]));
    assert!(fixture.reason("web", "bravo").contains("fast"), "{}", fixture.reason("web", "bravo"));
    label(&mut fixture, "bravo", "us");
    settle(&mut fixture);
    fixture.command(Command::Scale { workload: web(), replicas: 9 }).expect("it is deployed");
    settle(&mut fixture);
    assert_eq!(fixture.plan(), shares(&[("alpha", 3), ("bravo", 3), ("charlie", 3)]));
}

#[test]
fn s33_a_class_for_others_claims_changes_no_need() {
    let class = |name: &str| {
        Need::Object(ObjectKey::new("storage.k8s.io/v1", "StorageClass", "", name).expect("a valid key"))
    };
    let change = Change { storage_class: Some("fast".into()), ..Change::default() };
    let rule = Override { change, ..Override::default() };
    let named = |kind: &str, name: &str| {
        let mut rule = only(kind, rule.clone());
        rule.objects.names = [name.into()].into();
        rule
    };
    let traits = godwit_common::Traits::default();
    let needs = [class("slow")];
    let claims = ["data".into()];
    let of = |rule: Override| {
        needs_in(&needs, (&web(), &claims), &even(vec![rule]), (&cluster("alpha"), &traits)).into_owned()
    };
    assert_eq!(of(named("Deployment", "web")), [class("fast")]);
    assert_eq!(of(named("PersistentVolumeClaim", "data")), [class("fast")]);
    assert_eq!(of(rule.clone()), [class("fast")]);
    assert_eq!(of(named("Deployment", "other")), [class("slow")]);
    assert_eq!(of(named("PersistentVolumeClaim", "web")), [class("slow")]);
    assert_eq!(of(only("StatefulSet", rule)), [class("slow")]);
}

#[test]
fn what_has_its_claims_keeps_their_class() {
    let class = |name: &str| {
        let change = Change { storage_class: Some(name.into()), ..Change::default() };
        Override { change, ..Override::default() }
    };
    let deployed = |rules: Vec<Override>| {
        let mut fixture = Fixture::new(&CLUSTERS);
        let db = WorkloadId::new("default", "StatefulSet", "db").expect("a valid identity");
        let key = ObjectKey::new("v1", CLAIM, "default", "data").expect("a valid key");
        let claim = ObjectSpec { key, manifest: "{}".into() };
        let application = Application { workloads: vec![spec(db, 2)], objects: vec![claim] };
        let choice = PolicyChoice::Inline(even(rules));
        fixture.command(Command::Deploy(deployment(application, choice))).expect("a good request");
        settle(&mut fixture);
        fixture
    };
    let refused = |fixture: &mut Fixture, rule: Override, what: &str| {
        let refused = fixture.command(Command::ApplyPolicy(even(vec![rule]))).expect_err(what);
        assert_eq!(refused.kind, RefusedKind::FailedPrecondition, "{refused:?}");
        assert!(refused.message.contains(what) && refused.message.contains("to fast"), "{refused:?}");
    };
    let mut plain = deployed(vec![]);
    refused(&mut plain, only("StatefulSet", class("fast")), "StatefulSet default/db in cluster");
    refused(&mut plain, only(CLAIM, class("fast")), "PersistentVolumeClaim default/data in cluster");
    apply(&mut plain, vec![only("Deployment", class("fast"))]);
    let mut slow = deployed(vec![class("slow")]);
    apply(&mut slow, vec![class("slow"), registry("eu", "eu.io")]);
    refused(&mut slow, class("fast"), "default/db in cluster");
    apply(&mut slow, vec![]);
}
