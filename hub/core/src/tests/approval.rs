//! An operator decides whether a cluster joins (S23).

use std::time::Duration;

use godwit_common::Uid;

use super::fixture::{Fixture, cluster};
use crate::Admits;
use crate::{AccessOrder, Answer, Command, Enrolment, Issuer, Refused, RefusedKind, Revocation, TokenHash};

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
    let (cluster, uid, issuer) = (cluster(name), Uid(uid), Some(Box::new(issuer)));
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
    create(&mut fixture, 1, "alpha");
    order(&mut fixture, AccessOrder::Revoke(Revocation::Cluster(cluster("alpha")))).expect("a member");
    enrol(&mut fixture, 1, "alpha", alpha, 1).expect("it waits");
    assert_eq!(fixture.hub.federation().revocations[0].readmitted, None);
    judge(&mut fixture, "alpha", None, true).expect("it waits");
    assert!(fixture.hub.federation().revocations[0].readmitted.is_some());
    assert_eq!(enrol(&mut fixture, 1, "alpha", alpha, 1), Ok(Answer::Done));
    // Revoked again, the old answer is worth nothing.
    order(&mut fixture, AccessOrder::Revoke(Revocation::Cluster(cluster("alpha")))).expect("a member");
    refused(enrol(&mut fixture, 1, "alpha", alpha, 1), RefusedKind::FailedPrecondition, "revoked");
}

#[test]
fn s23_whoever_waits_makes_no_room_for_others() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    create(&mut fixture, 1, "bravo");
    enrol(&mut fixture, 1, "bravo", 7, 1).expect("it waits");
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
}
