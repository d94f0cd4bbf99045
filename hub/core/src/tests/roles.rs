//! What operators may do, and where.

use std::collections::BTreeSet;
use std::sync::Arc;

use godwit_common::{ObjectKey, WorkloadId};

use super::fixture::{Fixture, cluster, policy, spec};
use crate::{
    AccessOrder, Action, Answer, Application, Balanced, Command, Deploy, ObjectSpec, Permit, Policy,
    PolicyChoice, QuotaRecord, Reach, Refused, RefusedKind, Revocation, Role, RoleSource, Roles,
    RolloutOrder,
};

/// Two clusters, policies of several priorities, a workload of somebody else's, and nobody who is anything unbound but ann.
fn federation() -> Fixture {
    let mut fixture = Fixture::new(&[("alpha", 50), ("bravo", 50)]);
    let admins: BTreeSet<Arc<str>> = ["ann".into()].into();
    fixture.config.roles = Roles { unbound: None, admins, ..Roles::default() };
    fixture.disconnect("alpha");
    fixture.disconnect("bravo");
    fixture.restart();
    fixture.connect("alpha");
    fixture.connect("bravo");
    for (name, priority) in [("low", -5), ("even", 0), ("high", 50)] {
        let mut policy = policy(name, &[("alpha", 1), ("bravo", 1)]);
        policy.placement.priority = priority;
        fixture.command(Command::ApplyPolicy(policy)).expect("a good policy");
    }
    deploy(&mut fixture, "prod", "even").expect("ann may");
    fixture
}

fn id(namespace: &str) -> WorkloadId {
    WorkloadId::new(namespace, "Deployment", "web").expect("a valid name")
}

fn application(namespace: &str, objects: &[(&str, &str, &str, &str)]) -> Application {
    let object = |(version, kind, namespace, name): &(&str, &str, &str, &str)| ObjectSpec {
        key: ObjectKey::new(version, kind, namespace, name).expect("a valid key"),
        manifest: "{}".into(),
    };
    Application { workloads: vec![spec(id(namespace), 4)], objects: objects.iter().map(object).collect() }
}

fn deployment(application: Application, policy: PolicyChoice) -> Command {
    Command::Deploy(Deploy { request_id: "".into(), fingerprint: 0, application, policy, import: None })
}

fn deploy(fixture: &mut Fixture, namespace: &str, policy: &str) -> Result<Answer, Refused> {
    let policy = PolicyChoice::Named(policy.parse().expect("a valid name"));
    fixture.command(deployment(application(namespace, &[]), policy))
}

fn deployer(namespaces: &[&str], policies: &[&str], max_priority: i32) -> Permit {
    let namespaces = namespaces.iter().map(|name| Arc::from(*name)).collect();
    let policies = policies.iter().map(|name| name.parse().expect("a valid name")).collect();
    Permit { role: Role::Deployer, reach: Reach { namespaces, policies, max_priority } }
}

fn bind(fixture: &mut Fixture, name: &str, permit: Permit) -> Result<Answer, Refused> {
    fixture.command(Command::Access(AccessOrder::BindRole { name: name.into(), permit }))
}

/// Bob, who has a role, speaks from now on.
fn bob(fixture: &mut Fixture, permit: Permit) {
    bind(fixture, "bob", permit).expect("a good binding");
    fixture.operator = "bob".into();
}

fn denied(answer: Result<Answer, Refused>, says: &[&str]) {
    let refused = answer.expect_err("it is not for whoever asks");
    assert_eq!(refused.kind, RefusedKind::PermissionDenied, "{}", refused.message);
    for words in says.iter().chain(&["godwit role bind", "godwit whoami"]) {
        assert!(refused.message.contains(words), "{words:?} is not in {}", refused.message);
    }
}

#[test]
fn a_deployer_is_bound_to_namespaces_policies_and_a_priority() {
    let mut fixture = federation();
    bob(&mut fixture, deployer(&["shop"], &["even", "high"], 10));
    deploy(&mut fixture, "shop", "even").expect("that is what it is for");
    let scale = |namespace: &str| Command::Scale { workload: id(namespace), replicas: 6 };
    fixture.command(scale("shop")).expect("its own");

    denied(deploy(&mut fixture, "prod", "even"), &["bob is deployer in shop", "namespace prod"]);
    denied(deploy(&mut fixture, "shop", "low"), &["under policy low", "even, high"]);
    denied(deploy(&mut fixture, "shop", "high"), &["priority 50", "up to priority 10"]);
    denied(fixture.command(scale("prod")), &["namespace prod"]);
    denied(fixture.command(Command::DeleteWorkload { workload: id("prod") }), &["namespace prod"]);
    let pause = Command::Rollout { workload: id("prod"), order: RolloutOrder::Pause };
    denied(fixture.command(pause), &["namespace prod"]);
    denied(fixture.command(Command::Rebalance(Balanced::Workload(id("prod")))), &["namespace prod"]);
    let ack = Command::Acknowledge { workload: id("prod"), cluster: cluster("alpha"), withdrawal: None };
    denied(fixture.command(ack), &["namespace prod"]);

    // What goes along is looked at like the workload.
    let even = || PolicyChoice::Named("even".parse().expect("a valid name"));
    let elsewhere = application("shop", &[("v1", "Secret", "prod", "stolen")]);
    denied(fixture.command(deployment(elsewhere, even())), &["namespace prod"]);
    let wide = application("shop", &[("rbac.authorization.k8s.io/v1", "ClusterRole", "", "all")]);
    denied(fixture.command(deployment(wide, even())), &["ClusterRole", "whole clusters", "role admin"]);
    let own = PolicyChoice::Inline(policy("even", &[("alpha", 1)]));
    denied(
        fixture.command(deployment(application("shop", &[]), own)),
        &["policy even would be made or changed"],
    );

    // Nor is anything for it that is nobody's namespace.
    let cordon = Command::Cordon { cluster: cluster("alpha"), cordoned: true };
    denied(fixture.command(cordon), &["whole federation", "role operator"]);
    denied(fixture.command(Command::Rebalance(Balanced::All)), &["whole federation"]);
    let namespace = "shop".into();
    denied(fixture.command(Command::DeleteQuota { namespace }), &["whole federation"]);
    fixture.command(Command::DeleteWorkload { workload: id("shop") }).expect("its own");
}

/// The policy of what is scaled is looked at, too: somebody else may have chosen it.
#[test]
fn a_deployer_makes_nothing_larger_that_has_a_higher_priority() {
    let mut fixture = federation();
    deploy(&mut fixture, "shop", "high").expect("ann may");
    bob(&mut fixture, deployer(&["shop"], &[], 10));
    let scale = Command::Scale { workload: id("shop"), replicas: 40 };
    denied(fixture.command(scale), &["policy high has the priority 50"]);
    // As it was deployed before, without a word of a policy.
    let again = deployment(application("shop", &[]), PolicyChoice::Annotated);
    denied(fixture.command(again), &["policy high has the priority 50"]);
}

#[test]
fn an_operator_runs_the_federation_but_does_not_say_who_belongs_to_it() {
    let mut fixture = federation();
    bob(&mut fixture, Permit::of(Role::Operator));
    deploy(&mut fixture, "prod", "high").expect("a namespace that is in use");
    deploy(&mut fixture, "default", "even").expect("it is always there");
    fixture.command(Command::Cordon { cluster: cluster("alpha"), cordoned: true }).expect("it may");
    denied(deploy(&mut fixture, "fresh", "even"), &["namespace fresh is new", "role admin"]);
    for system in ["kube-system", "godwit-system"] {
        denied(deploy(&mut fixture, system, "even"), &[system, "role admin"]);
    }
    let namespace = application("prod", &[("v1", "Namespace", "", "fresh")]);
    denied(fixture.command(deployment(namespace, PolicyChoice::Annotated)), &["whole clusters"]);
    denied(bind(&mut fixture, "eve", Permit::of(Role::Admin)), &["bob is operator", "role admin"]);
    let revoke = AccessOrder::Revoke(Revocation::Admin("ann".into()));
    denied(fixture.command(Command::Access(revoke)), &["role admin"]);
    let delete = Command::DeleteCluster { cluster: cluster("alpha"), force: true };
    denied(fixture.command(delete), &["role admin"]);

    // An admin says that there is to be a new namespace: by using it, by a quota, or by somebody's role.
    fixture.operator = "ann".into();
    deploy(&mut fixture, "fresh", "even").expect("ann may");
    let quota = QuotaRecord { namespace: "planned".into(), quota: Default::default() };
    fixture.command(Command::ApplyQuota(quota)).expect("ann may");
    bind(&mut fixture, "eve", deployer(&["promised"], &[], 0)).expect("ann may");
    fixture.operator = "bob".into();
    for known in ["fresh", "planned", "promised"] {
        deploy(&mut fixture, known, "even").expect(known);
    }
}

#[test]
fn a_viewer_and_whoever_has_no_role_change_nothing() {
    let mut fixture = federation();
    let scale = || Command::Scale { workload: id("prod"), replicas: 5 };
    fixture.operator = "nobody".into();
    denied(fixture.command(scale()), &["nobody has no role"]);
    denied(fixture.rehearse(scale()), &["nobody has no role"]);
    fixture.operator = "ann".into();
    bob(&mut fixture, Permit::of(Role::Viewer));
    denied(fixture.command(scale()), &["bob is viewer", "changes nothing"]);
    denied(fixture.rehearse(scale()), &["bob is viewer"]);
    let ended = Command::DeletePolicy { name: "low".parse().expect("a valid name") };
    denied(fixture.command(ended), &["bob is viewer"]);
}

#[test]
fn bindings_are_durable_and_what_the_configuration_says_wins() {
    let mut fixture = federation();
    let permit = deployer(&["shop"], &["even"], 3);
    let applied = |answer: Result<Answer, Refused>| match answer.expect("a good binding") {
        Answer::Applied { action, .. } => action,
        other => panic!("{other:?}"),
    };
    assert_eq!(applied(bind(&mut fixture, "bob", permit.clone())), Action::Created);
    assert_eq!(applied(bind(&mut fixture, "bob", permit.clone())), Action::Unchanged);
    assert_eq!(fixture.noted("RoleBound"), 1);
    fixture.disconnect("alpha");
    fixture.disconnect("bravo");
    fixture.restart();
    let roles = fixture.hub.federation().roles;
    assert_eq!(roles.of("bob"), (Some(permit), RoleSource::Bound));
    assert_eq!(roles.of("ann"), (Some(Permit::of(Role::Admin)), RoleSource::Configured));
    assert_eq!(roles.of("eve"), (None, RoleSource::Unbound));
    assert_eq!(&*roles.bindings["bob"].by, "ann");

    assert_eq!(applied(bind(&mut fixture, "bob", Permit::of(Role::Admin))), Action::Configured);
    // Whoever is an admin by the configuration stays one, and nobody changes a role of their own.
    let refused = |answer: Result<Answer, Refused>, says: &str| {
        let refused = answer.expect_err(says);
        assert!(refused.message.contains(says), "{}", refused.message);
    };
    refused(bind(&mut fixture, "ann", Permit::of(Role::Viewer)), "role of their own");
    fixture.operator = "bob".into();
    refused(bind(&mut fixture, "ann", Permit::of(Role::Viewer)), "access.admins");
    refused(bind(&mut fixture, "bob", Permit::of(Role::Viewer)), "role of their own");
    fixture.operator = "ann".into();
    let unbind = || Command::Access(AccessOrder::UnbindRole { name: "bob".into() });
    fixture.command(unbind()).expect("it is bound");
    refused(fixture.command(unbind()), "godwit role list");
    fixture.operator = "bob".into();
    denied(bind(&mut fixture, "eve", Permit::of(Role::Viewer)), &["bob has no role"]);
}

#[test]
fn a_binding_that_says_what_its_role_does_not_is_refused() {
    let mut fixture = federation();
    let shop = || Reach { namespaces: ["shop".into()].into(), ..Reach::default() };
    let urgent = Reach { max_priority: 5, ..Reach::default() };
    for (role, reach, says) in [
        (Role::Deployer, Reach::default(), "a deployer is bound to some"),
        (Role::Deployer, Reach { namespaces: ["kube-system".into()].into(), ..shop() }, "kube-system"),
        (Role::Operator, shop(), "reaches everywhere"),
        (Role::Admin, shop(), "reaches everywhere"),
        (Role::Viewer, urgent.clone(), "for the role deployer"),
        (Role::Admin, urgent, "for the role deployer"),
    ] {
        let refused = bind(&mut fixture, "bob", Permit { role, reach }).expect_err(says);
        assert_eq!(refused.kind, RefusedKind::InvalidArgument, "{}", refused.message);
        assert!(refused.message.contains(says), "{}", refused.message);
    }
    // A viewer may be one of some namespaces only.
    bind(&mut fixture, "bob", Permit { role: Role::Viewer, reach: shop() }).expect("that may be");
    assert_eq!(fixture.hub.federation().roles.bindings.len(), 1);
}

/// Without a word of roles in the configuration everybody with an operator's certificate is an admin, as it always was.
#[test]
fn without_roles_everybody_is_an_admin() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    fixture.operator = "whoever".into();
    let policy: Policy = policy("even", &[("alpha", 1)]);
    fixture.command(Command::ApplyPolicy(policy)).expect("an admin's");
    deploy(&mut fixture, "kube-system", "even").expect("an admin's");
    assert_eq!(fixture.hub.federation().roles.of("whoever").1, RoleSource::Unbound);
}
