//! An operator decides whether a cluster joins (S23).

use std::time::Duration;

use godwit_common::Uid;

use super::fixture::{Fixture, cluster};
use crate::{
    AccessOrder, Admits, Answer, Command, DrainTerms, Enrolment, Issuer, Refused, RefusedKind, Revocation,
    ShownIssuer, TokenHash,
};

const TTL: Duration = Duration::from_secs(900);
const WITHIN: Duration = Duration::from_secs(3600);

fn order(fixture: &mut Fixture, order: AccessOrder) -> Result<Answer, Refused> {
    fixture.command(Command::Access(order))
}

fn create(fixture: &mut Fixture, number: u8, name: &str) {
    let (hash, cluster) = (TokenHash([number; 32]), cluster(name));
    let approval = Some(WITHIN);
    order(
        fixture,
        AccessOrder::CreateToken {
            hash,
            admits: Admits::Cluster(cluster),
            within: TTL,
            again: true,
            approval,
            permit: None,
        },
    )
    .expect("a token");
}

fn enrol(fixture: &mut Fixture, number: u8, name: &str, uid: u128, key: u8) -> Result<Answer, Refused> {
    let issuer = Issuer {
        url: "https://kubernetes.default.svc".into(),
        subject: "system:serviceaccount:godwit-system:godwit-agent".into(),
        keys: [format!("key of {uid}").into()].into(),
    };
    let (hash, key, from) = (TokenHash([number; 32]), [key; 32], "192.0.2.7:4711".into());
    let shown = ShownIssuer { issuer, signer: format!("key of {uid}").into() };
    let (cluster, uid, issuer) = (cluster(name), Uid(uid), Some(Box::new(shown)));
    order(fixture, AccessOrder::Enrol(Enrolment { hash, cluster, uid, key, from, issuer }))
}

fn judge(fixture: &mut Fixture, name: &str, token: Option<u8>, approve: bool) -> Result<Answer, Refused> {
    let token = token.map(|number| TokenHash([number; 32]).id());
    order(fixture, AccessOrder::Judge { cluster: cluster(name), token, approve })
}

fn is_pinned(fixture: &Fixture, name: &str) -> bool {
    fixture.hub.federation().issuers.contains_key(&cluster(name))
}

fn refused(answer: Result<Answer, Refused>, kind: RefusedKind, says: &str) {
    let refused = answer.expect_err(says);
    assert_eq!(refused.kind, kind, "{}", refused.message);
    assert!(refused.message.contains(says), "{}", refused.message);
}

#[test]
fn s23_a_cluster_waits_until_an_operator_lets_it_in() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    create(&mut fixture, 1, "bravo");
    refused(judge(&mut fixture, "bravo", None, true), RefusedKind::NotFound, "nobody waits");
    assert_eq!(enrol(&mut fixture, 1, "bravo", 7, 1), Ok(Answer::Waiting { again: false }));
    assert_eq!(enrol(&mut fixture, 1, "bravo", 7, 1), Ok(Answer::Waiting { again: true }));
    assert_eq!((fixture.noted("EnrolmentWaits"), fixture.noted("ClusterEnrolled")), (1, 0));
    // The token is used: nobody else may wait with it.
    refused(enrol(&mut fixture, 1, "bravo", 7, 2), RefusedKind::FailedPrecondition, "used already");
    assert!(!is_pinned(&fixture, "bravo"), "nothing of it counts yet");

    // It waits longer than the token lasts, and over a restart of the hub.
    fixture.pass(TTL);
    fixture.disconnect("alpha");
    fixture.restart();
    fixture.connect("alpha");
    assert_eq!(enrol(&mut fixture, 1, "bravo", 7, 1), Ok(Answer::Waiting { again: true }));
    assert_eq!(judge(&mut fixture, "bravo", None, true), Ok(Answer::Done));
    assert_eq!(fixture.noted("ClusterEnrolled"), 1);
    assert_eq!(enrol(&mut fixture, 1, "bravo", 7, 1), Ok(Answer::Done));
    assert_eq!(enrol(&mut fixture, 1, "bravo", 7, 1), Ok(Answer::Done), "an answer can be lost");
    assert!(is_pinned(&fixture, "bravo"));
    refused(judge(&mut fixture, "bravo", None, false), RefusedKind::NotFound, "nobody waits");
    fixture.pass(WITHIN);
    refused(enrol(&mut fixture, 1, "bravo", 7, 1), RefusedKind::FailedPrecondition, "too late");
}

#[test]
fn s23_who_is_denied_or_forgotten_hears_it_and_may_come_with_another_token() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    create(&mut fixture, 1, "bravo");
    enrol(&mut fixture, 1, "bravo", 7, 1).expect("it waits");
    judge(&mut fixture, "bravo", None, false).expect("it waits");
    refused(enrol(&mut fixture, 1, "bravo", 7, 1), RefusedKind::PermissionDenied, "denied");
    refused(judge(&mut fixture, "bravo", None, true), RefusedKind::NotFound, "nobody waits");

    create(&mut fixture, 2, "bravo");
    enrol(&mut fixture, 2, "bravo", 7, 1).expect("it waits");
    fixture.pass(WITHIN);
    refused(enrol(&mut fixture, 2, "bravo", 7, 1), RefusedKind::FailedPrecondition, "in time");
    refused(judge(&mut fixture, "bravo", None, true), RefusedKind::NotFound, "nobody waits");
}

#[test]
fn s23_two_that_ask_for_one_name_are_told_apart_and_one_gets_it() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    for (number, uid) in [(1, 7), (2, 8)] {
        create(&mut fixture, number, "bravo");
        enrol(&mut fixture, number, "bravo", uid, number).expect("it waits");
    }
    refused(judge(&mut fixture, "bravo", None, true), RefusedKind::FailedPrecondition, "--token");
    judge(&mut fixture, "bravo", Some(2), true).expect("it waits");
    assert_eq!(enrol(&mut fixture, 2, "bravo", 8, 2), Ok(Answer::Done));
    judge(&mut fixture, "bravo", Some(1), false).expect("it waits");
}

#[test]
fn s23_what_was_revoked_stays_out_until_it_is_approved() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    let alpha = fixture.hub.cluster(&cluster("alpha")).expect("a member").uid.0;
    order(&mut fixture, AccessOrder::Revoke(Revocation::Cluster(cluster("alpha")))).expect("a member");
    create(&mut fixture, 1, "alpha");
    enrol(&mut fixture, 1, "alpha", alpha, 1).expect("it waits");
    assert_eq!(fixture.hub.federation().revocations[0].readmitted, None);
    judge(&mut fixture, "alpha", None, true).expect("it waits");
    assert!(fixture.hub.federation().revocations[0].readmitted.is_some());
    assert_eq!(enrol(&mut fixture, 1, "alpha", alpha, 1), Ok(Answer::Done));
    // Revoked again, the old answer is worth nothing.
    order(&mut fixture, AccessOrder::Revoke(Revocation::Cluster(cluster("alpha")))).expect("a member");
    refused(enrol(&mut fixture, 1, "alpha", alpha, 1), RefusedKind::NotFound, "revoked");
}

#[test]
fn s23_what_was_approved_is_looked_at_again_when_it_is_collected() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("delta", 10), ("echo", 10)]);
    create(&mut fixture, 1, "bravo");
    create(&mut fixture, 2, "bravo");
    enrol(&mut fixture, 1, "bravo", 7, 1).expect("it waits");
    judge(&mut fixture, "bravo", None, true).expect("it waits");
    // Before its agent comes for the answer, the name goes to another one by the operator's word.
    enrol(&mut fixture, 2, "bravo", 8, 2).expect("it waits");
    judge(&mut fixture, "bravo", Some(2), true).expect("it waits");
    assert_eq!(enrol(&mut fixture, 2, "bravo", 8, 2), Ok(Answer::Done));
    refused(enrol(&mut fixture, 1, "bravo", 7, 1), RefusedKind::FailedPrecondition, "since this one");
    assert_eq!(fixture.hub.federation().issuers[&cluster("bravo")].uid, Uid(8));

    // What was approved goes with the cluster.
    let alpha = fixture.hub.cluster(&cluster("alpha")).expect("a member").uid.0;
    create(&mut fixture, 3, "alpha");
    enrol(&mut fixture, 3, "alpha", alpha, 3).expect("it waits");
    judge(&mut fixture, "alpha", None, true).expect("it waits");
    fixture.disconnect("alpha");
    fixture.pass(Duration::from_secs(600));
    let terms = DrainTerms { force: true, ..DrainTerms::default() };
    fixture.command(Command::Retire { cluster: cluster("alpha"), terms }).expect("it is lost");
    refused(enrol(&mut fixture, 3, "alpha", alpha, 3), RefusedKind::NotFound, "not known here");
}

#[test]
fn s23_who_is_approved_in_the_last_moment_has_an_hour_to_come_for_it() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    create(&mut fixture, 1, "bravo");
    enrol(&mut fixture, 1, "bravo", 7, 1).expect("it waits");
    fixture.pass(WITHIN - Duration::from_secs(1));
    judge(&mut fixture, "bravo", None, true).expect("it waits");
    fixture.pass(Duration::from_secs(3_500));
    assert_eq!(enrol(&mut fixture, 1, "bravo", 7, 1), Ok(Answer::Done));
    fixture.pass(Duration::from_secs(101));
    refused(enrol(&mut fixture, 1, "bravo", 7, 1), RefusedKind::FailedPrecondition, "too late");
}

#[test]
fn s23_whoever_waits_for_long_or_was_approved_is_not_forgotten_before_the_end() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    let month = Duration::from_secs(30 * 24 * 3600);
    for (number, name) in [(1, "bravo"), (2, "charlie")] {
        let (hash, admits) = (TokenHash([number; 32]), Admits::Cluster(cluster(name)));
        let (within, approval) = (TTL, Some(month));
        let token = AccessOrder::CreateToken { hash, admits, within, again: true, approval, permit: None };
        order(&mut fixture, token).expect("a token");
        enrol(&mut fixture, number, name, u128::from(number), number).expect("it waits");
    }
    judge(&mut fixture, "charlie", None, true).expect("it waits");
    // Long after the tokens themselves have ended another one makes room for itself.
    fixture.now = fixture.now + month / 2;
    create(&mut fixture, 3, "delta");
    assert_eq!(enrol(&mut fixture, 1, "bravo", 1, 1), Ok(Answer::Waiting { again: true }));
    assert_eq!(enrol(&mut fixture, 2, "charlie", 2, 2), Ok(Answer::Done));
}

#[test]
fn s23_whoever_waits_makes_no_room_for_others() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    create(&mut fixture, 1, "bravo");
    enrol(&mut fixture, 1, "bravo", 7, 1).expect("it waits");
    create(&mut fixture, 2, "delta");
    enrol(&mut fixture, 2, "delta", 8, 2).expect("it waits");
    judge(&mut fixture, "delta", None, true).expect("it waits");
    for number in 0..1_500_u16 {
        let mut hash = [9; 32];
        hash[..2].copy_from_slice(&number.to_be_bytes());
        let cluster = cluster("charlie");
        let within = Duration::from_secs(1);
        let order_ = AccessOrder::CreateToken {
            hash: TokenHash(hash),
            admits: Admits::Cluster(cluster),
            within,
            again: true,
            approval: None,
            permit: None,
        };
        order(&mut fixture, order_).expect("the oldest that is spent makes room");
        fixture.pass(Duration::from_secs(1));
    }
    assert_eq!(enrol(&mut fixture, 1, "bravo", 7, 1), Ok(Answer::Waiting { again: true }));
    assert_eq!(enrol(&mut fixture, 2, "delta", 8, 2), Ok(Answer::Done), "it was approved, and not collected");
}
