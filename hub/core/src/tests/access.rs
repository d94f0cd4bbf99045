//! Who may come in: join tokens, and revocations (S6, S23).

use std::time::Duration;

use godwit_common::Uid;

use super::fixture::{Fixture, cluster, shares};
use crate::{
    AccessOrder, Action, Admits, Answer, ClusterState, Command, Enrolment, LogIn, Permit, Reach, Refused,
    RefusedKind, Revocation, Role, TokenHash,
};

const TTL: Duration = Duration::from_secs(900);

fn order(fixture: &mut Fixture, order: AccessOrder) -> Result<Answer, Refused> {
    fixture.command(Command::Access(order))
}

fn create(fixture: &mut Fixture, number: u8, name: &str, again: bool) -> Result<Answer, Refused> {
    let hash = TokenHash([number; 32]);
    let admits = Admits::Cluster(cluster(name));
    order(
        fixture,
        AccessOrder::CreateToken { hash, admits, within: TTL, again, approval: None, permit: None },
    )
}

fn create_for(fixture: &mut Fixture, number: u8, name: &str, role: Option<Role>) -> Result<Answer, Refused> {
    create_operators(fixture, number, name, role, false)
}

fn create_operators(
    fixture: &mut Fixture,
    number: u8,
    name: &str,
    role: Option<Role>,
    again: bool,
) -> Result<Answer, Refused> {
    let (hash, admits) = (TokenHash([number; 32]), Admits::Operator(name.into()));
    let permit = role.map(|role| Permit { role, reach: Reach::default() });
    order(fixture, AccessOrder::CreateToken { hash, admits, within: TTL, again, approval: None, permit })
}

/// Somebody shows a token as an operator of that name, and a key.
fn log_in(fixture: &mut Fixture, number: u8, name: &str, key: u8) -> Result<Answer, Refused> {
    let (hash, key, from) = (TokenHash([number; 32]), [key; 32], "192.0.2.7:4711".into());
    order(fixture, AccessOrder::LogIn(LogIn { hash, name: name.into(), key, from }))
}

/// The cluster of that UID shows a token, and a key.
fn enrol(fixture: &mut Fixture, number: u8, name: &str, uid: u128, key: u8) -> Result<Answer, Refused> {
    let (hash, key, from) = (TokenHash([number; 32]), [key; 32], "192.0.2.7:4711".into());
    order(
        fixture,
        AccessOrder::Enrol(Enrolment {
            hash,
            cluster: cluster(name),
            uid: Uid(uid),
            key,
            from,
            issuer: None,
        }),
    )
}

fn revoke(fixture: &mut Fixture, name: &str) -> Result<Answer, Refused> {
    order(fixture, AccessOrder::Revoke(Revocation::Cluster(cluster(name))))
}

fn refused(answer: Result<Answer, Refused>, kind: RefusedKind, says: &str) {
    let refused = answer.expect_err(says);
    assert_eq!(refused.kind, kind, "{}", refused.message);
    assert!(refused.message.contains(says), "{}", refused.message);
}

fn applied(answer: Result<Answer, Refused>) -> Action {
    match answer.expect("a good order") {
        Answer::Applied { action, .. } => action,
        other => panic!("{other:?}"),
    }
}

fn uid_of(fixture: &Fixture, name: &str) -> u128 {
    fixture.hub.cluster(&cluster(name)).expect("a member").uid.0
}

#[test]
fn s23_a_token_is_good_once_and_for_its_own_cluster() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    let created = create(&mut fixture, 1, "bravo", false).expect("a free name");
    assert!(matches!(created, Answer::TokenCreated { expires } if expires.0 > 0));
    refused(enrol(&mut fixture, 2, "bravo", 7, 1), RefusedKind::NotFound, "not known here");
    refused(enrol(&mut fixture, 1, "charlie", 7, 1), RefusedKind::InvalidArgument, "for cluster bravo");
    assert_eq!(enrol(&mut fixture, 1, "bravo", 7, 1), Ok(Answer::Done));
    assert_eq!(fixture.noted("ClusterEnrolled"), 1);

    // Whoever comes second is told who was first, even much later, and what to do if that was a thief.
    refused(enrol(&mut fixture, 1, "bravo", 7, 2), RefusedKind::FailedPrecondition, "192.0.2.7");
    refused(
        enrol(&mut fixture, 1, "bravo", 8, 1),
        RefusedKind::FailedPrecondition,
        "godwit revoke cluster bravo",
    );
    // The same key again: the answer was lost.
    assert_eq!(enrol(&mut fixture, 1, "bravo", 7, 1), Ok(Answer::Done));
    assert_eq!(fixture.noted("ClusterEnrolled"), 1);
    let again = (0..20).map(|_| enrol(&mut fixture, 1, "bravo", 7, 1)).find_map(Result::err);
    assert_eq!(again.expect("nobody asks so often").kind, RefusedKind::ResourceExhausted);
    fixture.pass(TTL);
    refused(enrol(&mut fixture, 1, "bravo", 7, 1), RefusedKind::FailedPrecondition, "used already");
}

#[test]
fn s23_an_operators_token_is_good_once_for_its_name_and_for_nobody_who_is_revoked() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    create_for(&mut fixture, 1, "bob", Some(Role::Viewer)).expect("a token, and a role");
    let (permit, _) = fixture.hub.federation().roles.of("bob");
    assert_eq!(permit.map(|permit| permit.role), Some(Role::Viewer));
    assert_eq!(fixture.noted("RoleBound"), 1);
    refused(log_in(&mut fixture, 1, "eve", 1), RefusedKind::InvalidArgument, "for operator bob");
    refused(enrol(&mut fixture, 1, "bravo", 7, 1), RefusedKind::InvalidArgument, "for operator bob");
    assert_eq!(log_in(&mut fixture, 1, "bob", 1), Ok(Answer::Done));
    assert_eq!(log_in(&mut fixture, 1, "bob", 1), Ok(Answer::Done), "the answer was lost");
    assert_eq!(fixture.noted("OperatorLoggedIn"), 1);
    refused(log_in(&mut fixture, 1, "bob", 2), RefusedKind::FailedPrecondition, "godwit revoke admin bob");

    // Revoked: what waits to be answered again, what waits to be used, and what is asked for.
    create_for(&mut fixture, 2, "bob", None).expect("another token");
    order(&mut fixture, AccessOrder::Revoke(Revocation::Admin("bob".into()))).expect("bob");
    for (number, key) in [(1, 1), (2, 2)] {
        refused(log_in(&mut fixture, number, "bob", key), RefusedKind::NotFound, "deleted");
    }
    refused(create_for(&mut fixture, 3, "bob", None), RefusedKind::FailedPrecondition, "revoked");
    fixture.disconnect("alpha");
    fixture.restart();
    fixture.connect("alpha");
    refused(log_in(&mut fixture, 2, "bob", 2), RefusedKind::NotFound, "deleted");
    order(&mut fixture, AccessOrder::EndRevocation(Revocation::Admin("bob".into()))).expect("revoked");
    refused(log_in(&mut fixture, 2, "bob", 2), RefusedKind::NotFound, "deleted");
    create_for(&mut fixture, 3, "bob", None).expect("not revoked any more");
    fixture.pass(TTL);
    refused(log_in(&mut fixture, 3, "bob", 2), RefusedKind::FailedPrecondition, "--operator bob");

    // A cluster's token lets no operator in, and a role that cannot be bound leaves no token.
    create(&mut fixture, 4, "bravo", false).expect("a free name");
    refused(log_in(&mut fixture, 4, "bravo", 1), RefusedKind::InvalidArgument, "for cluster bravo");
    let before = fixture.hub.federation().tokens.len();
    refused(
        create_for(&mut fixture, 5, "dan", Some(Role::Deployer)),
        RefusedKind::InvalidArgument,
        "namespaces",
    );
    assert_eq!(fixture.hub.federation().tokens.len(), before);
}

#[test]
fn s23_a_token_ends_and_a_used_one_is_used_after_a_restart_too() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    for (number, name) in [(1, "bravo"), (2, "charlie"), (3, "delta")] {
        create(&mut fixture, number, name, false).expect("a free name");
    }
    enrol(&mut fixture, 1, "bravo", 7, 1).expect("a good token");
    fixture.disconnect("alpha");
    fixture.restart();
    fixture.connect("alpha");
    refused(enrol(&mut fixture, 1, "bravo", 7, 2), RefusedKind::FailedPrecondition, "used already");
    let id = TokenHash([3; 32]).id();
    order(&mut fixture, AccessOrder::DeleteToken { id: id.clone() }).expect("it is there");
    refused(enrol(&mut fixture, 3, "delta", 9, 1), RefusedKind::NotFound, "deleted");
    refused(order(&mut fixture, AccessOrder::DeleteToken { id }), RefusedKind::NotFound, "token list");
    fixture.pass(TTL);
    refused(enrol(&mut fixture, 2, "charlie", 8, 1), RefusedKind::FailedPrecondition, "expired");
    assert_eq!(fixture.hub.federation().tokens.len(), 2);
}

#[test]
fn s23_a_name_that_is_taken_is_refused_and_the_token_stays_good() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10)]);
    let (alpha, bravo) = (uid_of(&fixture, "alpha"), uid_of(&fixture, "bravo"));
    refused(create(&mut fixture, 1, "alpha", false), RefusedKind::AlreadyExists, "--again");
    create(&mut fixture, 1, "alpha", true).expect("it is meant");
    refused(enrol(&mut fixture, 1, "alpha", 77, 1), RefusedKind::AlreadyExists, "taken");
    create(&mut fixture, 2, "charlie", false).expect("a free name");
    refused(enrol(&mut fixture, 2, "charlie", bravo, 1), RefusedKind::AlreadyExists, "as bravo");
    assert_eq!(enrol(&mut fixture, 1, "alpha", alpha, 1), Ok(Answer::Done));
    assert_eq!(enrol(&mut fixture, 2, "charlie", 78, 1), Ok(Answer::Done));
}

#[test]
fn s6_s23_a_revoked_cluster_is_lost_at_once_without_a_freeze_and_stays_out() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    fixture.deploy_web(10, &[("alpha", 1), ("bravo", 1)]);
    fixture.pass(Duration::from_secs(2));
    assert_eq!(applied(revoke(&mut fixture, "alpha")), Action::Created);
    assert_eq!(applied(revoke(&mut fixture, "alpha")), Action::Unchanged);
    assert_eq!(fixture.state("alpha"), ClusterState::Lost);
    let view = fixture.hub.cluster(&cluster("alpha")).expect("still a member");
    assert_eq!((view.agents, &*view.reason), (0, "its certificates are revoked"));
    assert_eq!(fixture.plan(), shares(&[("bravo", 10)]));
    fixture.members.get_mut(&cluster("alpha")).expect("a member").session = None;

    // It may come as often as it likes.
    fixture.open("alpha");
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.state("alpha"), ClusterState::Lost);
    assert!(fixture.hub.federation().freeze.is_none());

    // Nor is it missed after a restart, where half of the fleet would be too many.
    fixture.disconnect("bravo");
    fixture.restart();
    fixture.connect("bravo");
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.state("alpha"), ClusterState::Lost);
    assert!(fixture.hub.federation().freeze.is_none());
}

#[test]
fn s23_a_token_lets_a_revoked_cluster_in_again() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    let alpha = uid_of(&fixture, "alpha");
    revoke(&mut fixture, "alpha").expect("a member");
    fixture.members.get_mut(&cluster("alpha")).expect("a member").session = None;
    fixture.pass(Duration::from_secs(5));
    create(&mut fixture, 1, "alpha", true).expect("it is meant");
    assert_eq!(fixture.hub.federation().revocations[0].readmitted, None, "a token alone changes nothing");
    enrol(&mut fixture, 1, "alpha", alpha, 1).expect("a good token");
    let readmitted = fixture.hub.federation().revocations[0].readmitted;
    assert!(readmitted.is_some());
    fixture.connect("alpha");
    fixture.pass(Duration::from_secs(2));
    assert_eq!(fixture.state("alpha"), ClusterState::Ready);
    // And out again: what it got meanwhile is revoked with the rest.
    assert_eq!(applied(revoke(&mut fixture, "alpha")), Action::Configured);
    assert_eq!(fixture.state("alpha"), ClusterState::Lost);
}

#[test]
fn s23_with_a_revocation_go_all_tokens_of_the_cluster_and_none_of_others() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20)]);
    let alpha = uid_of(&fixture, "alpha");
    create(&mut fixture, 1, "alpha", true).expect("it is meant");
    create(&mut fixture, 2, "alpha", true).expect("it is meant");
    create(&mut fixture, 3, "charlie", false).expect("a free name");
    enrol(&mut fixture, 1, "alpha", alpha, 1).expect("a good token");
    revoke(&mut fixture, "alpha").expect("a member");
    for number in [1, 2] {
        refused(enrol(&mut fixture, number, "alpha", alpha, 1), RefusedKind::NotFound, "was revoked");
    }

    // One that was made since goes when it is said once more.
    create(&mut fixture, 4, "alpha", true).expect("it is meant");
    assert_eq!(applied(revoke(&mut fixture, "alpha")), Action::Configured);
    assert_eq!(applied(revoke(&mut fixture, "alpha")), Action::Unchanged);
    refused(enrol(&mut fixture, 4, "alpha", alpha, 1), RefusedKind::NotFound, "was revoked");

    // Whoever has the old token and its key gets nothing when the cluster is in again, nor after a restart.
    create(&mut fixture, 5, "alpha", true).expect("it is meant");
    enrol(&mut fixture, 5, "alpha", alpha, 2).expect("a good token");
    fixture.disconnect("bravo");
    fixture.members.get_mut(&cluster("alpha")).expect("a member").session = None;
    fixture.restart();
    fixture.connect("bravo");
    refused(enrol(&mut fixture, 1, "alpha", alpha, 1), RefusedKind::NotFound, "was revoked");
    assert_eq!(enrol(&mut fixture, 3, "charlie", 9, 3), Ok(Answer::Done));
}

#[test]
fn s23_a_second_agent_that_enrols_leaves_the_first_what_it_was_issued() {
    let mut fixture = Fixture::new(&[("alpha", 20)]);
    let alpha = uid_of(&fixture, "alpha");
    revoke(&mut fixture, "alpha").expect("a member");
    let mut readmitted = Vec::new();
    for number in [1, 2] {
        create(&mut fixture, number, "alpha", true).expect("it is meant");
        enrol(&mut fixture, number, "alpha", alpha, number).expect("a good token");
        readmitted.push(fixture.hub.federation().revocations[0].readmitted);
        fixture.pass(Duration::from_secs(60));
    }
    assert!(readmitted[0].is_some() && readmitted[0] == readmitted[1], "{readmitted:?}");
}

#[test]
fn s23_a_used_token_is_worth_nothing_to_a_cluster_that_has_lost_its_name() {
    let mut fixture = Fixture::new(&[("alpha", 20)]);
    create(&mut fixture, 1, "bravo", false).expect("a free name");
    enrol(&mut fixture, 1, "bravo", 7, 1).expect("a good token");
    fixture.add_member("bravo", 20);
    fixture.connect("bravo");
    refused(enrol(&mut fixture, 1, "bravo", 7, 1), RefusedKind::AlreadyExists, "is taken");
}

fn former_of(fixture: &Fixture, name: &str) -> Option<u128> {
    let revocations = fixture.hub.federation().revocations;
    let of_name = revocations.iter().find(|record| record.what == Revocation::Cluster(cluster(name)));
    of_name.and_then(|record| record.former).map(|former| former.uid.0)
}

/// A cluster is lost, and goes.
fn goes(fixture: &mut Fixture, name: &str) {
    fixture.disconnect(name);
    fixture.pass(Duration::from_secs(600));
    let gone = Command::DeleteCluster { cluster: cluster(name), force: true };
    fixture.command(gone).expect("it is lost");
}

#[test]
fn s23_what_a_former_cluster_was_issued_is_kept_out_when_another_one_enrols_under_its_name() {
    let mut fixture = Fixture::new(&[("alpha", 20), ("bravo", 20), ("charlie", 20)]);
    let bravo = uid_of(&fixture, "bravo");
    create(&mut fixture, 1, "bravo", true).expect("it is meant");
    enrol(&mut fixture, 1, "bravo", bravo, 1).expect("a good token");
    goes(&mut fixture, "bravo");
    assert_eq!(former_of(&fixture, "bravo"), Some(bravo));
    refused(enrol(&mut fixture, 1, "bravo", bravo, 1), RefusedKind::NotFound, "not known here");
    // Nobody is revoked by that: it may come again under its name, with what it has.
    let revocation = Revocation::Cluster(cluster("bravo"));
    let record = fixture.hub.federation().revocations[0].clone();
    assert!(record.is_about_names());
    let undone = order(&mut fixture, AccessOrder::EndRevocation(revocation.clone()));
    refused(undone, RefusedKind::NotFound, "not revoked");
    create(&mut fixture, 2, "bravo", false).expect("a free name");
    enrol(&mut fixture, 2, "bravo", bravo, 2).expect("the same cluster");
    assert!(fixture.hub.federation().revocations[0].is_about_names());

    for name in ["alpha", "charlie"] {
        fixture.disconnect(name);
    }
    fixture.restart();
    for name in ["alpha", "charlie"] {
        fixture.connect(name);
    }
    create(&mut fixture, 3, "bravo", false).expect("a free name");
    enrol(&mut fixture, 3, "bravo", 77, 3).expect("another cluster");
    let record = fixture.hub.federation().revocations[0].clone();
    assert!(!record.is_about_names() && record.readmitted.is_some() && record.former.is_none());

    // That it had been another's outlasts a revocation that was a mistake.
    goes(&mut fixture, "charlie");
    revoke(&mut fixture, "charlie").expect("a name");
    order(&mut fixture, AccessOrder::EndRevocation(Revocation::Cluster(cluster("charlie"))))
        .expect("revoked");
    assert!(former_of(&fixture, "charlie").is_some());
}

#[test]
fn s23_a_token_lets_a_revoked_operator_in_again_and_goes_with_the_next_revocation() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    let bob = || AccessOrder::Revoke(Revocation::Admin("bob".into()));
    let readmitted = |fixture: &Fixture| fixture.hub.federation().revocations[0].readmitted;
    assert_eq!(applied(order(&mut fixture, bob())), Action::Created);
    refused(create_for(&mut fixture, 1, "bob", None), RefusedKind::FailedPrecondition, "--again");
    create_operators(&mut fixture, 1, "bob", None, true).expect("it is meant");
    assert_eq!(applied(order(&mut fixture, bob())), Action::Configured, "the token is gone");
    assert_eq!(fixture.hub.federation().tokens.len(), 0);
    assert_eq!(applied(order(&mut fixture, bob())), Action::Unchanged);

    create_operators(&mut fixture, 2, "bob", None, true).expect("it is meant");
    assert_eq!(readmitted(&fixture), None, "a token alone changes nothing");
    assert_eq!(log_in(&mut fixture, 2, "bob", 2), Ok(Answer::Done));
    let since = readmitted(&fixture);
    assert!(since.is_some());
    fixture.pass(Duration::from_secs(1));
    assert_eq!(log_in(&mut fixture, 2, "bob", 2), Ok(Answer::Done), "the answer was lost");
    assert_eq!(readmitted(&fixture), since);
    create_for(&mut fixture, 3, "bob", None).expect("bob is let in");
    assert_eq!(applied(order(&mut fixture, bob())), Action::Configured);
    assert_eq!((readmitted(&fixture), fixture.hub.federation().tokens.len()), (None, 0));
}

#[test]
fn s23_a_token_that_is_refused_for_its_role_takes_nobodys_place() {
    let mut fixture = Fixture::new(&[]);
    create(&mut fixture, 1, "bravo", false).expect("a free name");
    fixture.pass(TTL + Duration::from_secs(8 * 24 * 3600));
    let refusal = create_for(&mut fixture, 2, "dan", Some(Role::Deployer));
    refused(refusal, RefusedKind::InvalidArgument, "namespaces");
    assert_eq!(fixture.hub.federation().tokens.len(), 1, "what ended long ago makes room only for a token");
    create_for(&mut fixture, 2, "dan", Some(Role::Viewer)).expect("a role that can be bound");
    assert_eq!(fixture.hub.federation().tokens.len(), 1);
}

#[test]
fn s23_a_revocation_is_durable_and_can_be_ended() {
    let mut fixture = Fixture::new(&[("alpha", 20)]);
    let revocations = [
        Revocation::Admin("ops".into()),
        Revocation::Serial("4a".into()),
        Revocation::Cluster(cluster("new")),
    ];
    for what in &revocations {
        assert_eq!(applied(order(&mut fixture, AccessOrder::Revoke(what.clone()))), Action::Created);
    }
    fixture.disconnect("alpha");
    fixture.restart();
    fixture.connect("alpha");
    assert_eq!(fixture.hub.federation().revocations.len(), revocations.len());
    for what in &revocations {
        order(&mut fixture, AccessOrder::EndRevocation(what.clone())).expect("it is there");
        let again = order(&mut fixture, AccessOrder::EndRevocation(what.clone()));
        refused(again, RefusedKind::NotFound, "not revoked");
    }
    assert_eq!(fixture.hub.federation().revocations, []);
    assert_eq!(fixture.state("alpha"), ClusterState::Ready, "what is about others leaves it alone");
}
