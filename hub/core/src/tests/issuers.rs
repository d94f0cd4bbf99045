//! Agents that come in by their service account: what a cluster has pinned, and by whose word (S23).

use std::time::Duration;

use godwit_common::Uid;

use super::fixture::{Fixture, cluster};
use crate::{
    AccessOrder, Admits, Answer, Command, Enrolment, Issuer, PodEnrolment, Refused, RefusedKind, Revocation,
    TokenHash,
};

const TTL: Duration = Duration::from_secs(900);

fn order(fixture: &mut Fixture, order: AccessOrder) -> Result<Answer, Refused> {
    fixture.command(Command::Access(order))
}

fn issuer(keys: &[&str]) -> Issuer {
    Issuer {
        url: "https://kubernetes.default.svc".into(),
        subject: "system:serviceaccount:godwit-system:godwit-agent".into(),
        keys: keys.iter().map(|key| (*key).into()).collect(),
    }
}

/// The cluster of that UID uses a token, and says who signs for its pods.
fn enrol(
    fixture: &mut Fixture,
    number: u8,
    name: &str,
    uid: u128,
    issuer: Option<Issuer>,
) -> Result<Answer, Refused> {
    let hash = TokenHash([number; 32]);
    let create = AccessOrder::CreateToken {
        hash,
        admits: Admits::Cluster(cluster(name)),
        within: TTL,
        again: true,
        approval: None,
        permit: None,
    };
    order(fixture, create).expect("a token");
    let issuer = issuer.map(Box::new);
    let (key, from) = ([number; 32], "192.0.2.7:4711".into());
    order(
        fixture,
        AccessOrder::Enrol(Enrolment { hash, cluster: cluster(name), uid: Uid(uid), key, from, issuer }),
    )
}

/// A pod shows a token that was found to be good by that issuer.
fn come(fixture: &mut Fixture, name: &str, uid: u128, issuer: Issuer) -> Result<Answer, Refused> {
    let (pod, from) = ("godwit-agent-x".into(), "192.0.2.8:4711".into());
    order(
        fixture,
        AccessOrder::EnrolPod(PodEnrolment { cluster: cluster(name), uid: Uid(uid), issuer, pod, from }),
    )
}

fn report(fixture: &mut Fixture, name: &str, issuer: Issuer) -> Result<Answer, Refused> {
    order(fixture, AccessOrder::PinIssuer { cluster: cluster(name), issuer })
}

fn pinned(fixture: &Fixture, name: &str) -> Option<Issuer> {
    fixture.hub.federation().issuers.get(&cluster(name)).map(|pinned| pinned.issuer.clone())
}

fn uid_of(fixture: &Fixture, name: &str) -> u128 {
    fixture.hub.cluster(&cluster(name)).expect("a member").uid.0
}

fn refused(answer: Result<Answer, Refused>, kind: RefusedKind, says: &str) {
    let refused = answer.expect_err(says);
    assert_eq!(refused.kind, kind, "{}", refused.message);
    assert!(refused.message.contains(says), "{}", refused.message);
}

#[test]
fn s23_a_token_pins_who_signs_and_later_pods_come_by_that_word() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    enrol(&mut fixture, 1, "bravo", 7, Some(issuer(&["k1"]))).expect("a good token");
    assert_eq!(pinned(&fixture, "bravo"), Some(issuer(&["k1"])));
    assert_eq!(come(&mut fixture, "bravo", 7, issuer(&["k1"])), Ok(Answer::Done));
    assert_eq!((fixture.noted("IssuerPinned"), fixture.noted("AgentEnrolled")), (1, 1));

    // Another cluster that signs with the same key is another one, and so is one that has pinned nothing.
    refused(come(&mut fixture, "bravo", 8, issuer(&["k1"])), RefusedKind::FailedPrecondition, "UID");
    refused(come(&mut fixture, "alpha", 7, issuer(&["k1"])), RefusedKind::FailedPrecondition, "try again");
    // What was pinned when the token was looked at is not what is pinned now.
    refused(come(&mut fixture, "bravo", 7, issuer(&["k0"])), RefusedKind::FailedPrecondition, "try again");

    fixture.disconnect("alpha");
    fixture.restart();
    fixture.connect("alpha");
    assert_eq!(come(&mut fixture, "bravo", 7, issuer(&["k1"])), Ok(Answer::Done), "it is durable");
}

#[test]
fn s23_a_pod_that_comes_again_and_again_does_not_fill_the_journal() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    enrol(&mut fixture, 1, "bravo", 7, Some(issuer(&["k1"]))).expect("a good token");
    for _ in 0..100 {
        assert_eq!(come(&mut fixture, "bravo", 7, issuer(&["k1"])), Ok(Answer::Done));
    }
    assert_eq!(fixture.noted("AgentEnrolled"), 20);
    fixture.pass(Duration::from_secs(60));
    come(&mut fixture, "bravo", 7, issuer(&["k1"])).expect("it is let in");
    assert_eq!(fixture.noted("AgentEnrolled"), 21);
}

#[test]
fn s23_keys_change_by_the_word_of_a_member_alone() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10)]);
    let alpha = uid_of(&fixture, "alpha");
    report(&mut fixture, "alpha", issuer(&["k1"])).expect("a member");
    assert_eq!(fixture.noted("IssuerPinned"), 1);
    report(&mut fixture, "alpha", issuer(&["k1"])).expect("the same again");
    assert_eq!((fixture.noted("IssuerPinned"), fixture.noted("IssuerChanged")), (1, 0));
    report(&mut fixture, "alpha", issuer(&["k1", "k2"])).expect("its keys change");
    assert_eq!(fixture.noted("IssuerChanged"), 1);
    assert_eq!(come(&mut fixture, "alpha", alpha, issuer(&["k1", "k2"])), Ok(Answer::Done));
    refused(
        report(&mut fixture, "charlie", issuer(&["k3"])),
        RefusedKind::FailedPrecondition,
        "not a member",
    );
}

#[test]
fn s23_two_clusters_that_sign_with_one_key_are_not_told_apart_by_it() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    report(&mut fixture, "alpha", issuer(&["k1", "k2"])).expect("a member");
    let twin = enrol(&mut fixture, 1, "bravo", 7, Some(issuer(&["k2", "k3"])));
    refused(twin, RefusedKind::AlreadyExists, "cannot be told apart");
    // The token is good for another attempt.
    let hash = TokenHash([1; 32]);
    let (key, from, uid) = ([1; 32], "192.0.2.7:4711".into(), Uid(7));
    let issuer = Some(Box::new(issuer(&["k3"])));
    let again = AccessOrder::Enrol(Enrolment { hash, cluster: cluster("bravo"), uid, key, from, issuer });
    assert_eq!(order(&mut fixture, again), Ok(Answer::Done));
}

#[test]
fn s23_who_is_revoked_or_gone_has_pinned_nothing() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10)]);
    let alpha = uid_of(&fixture, "alpha");
    report(&mut fixture, "alpha", issuer(&["k1"])).expect("a member");
    order(&mut fixture, AccessOrder::Revoke(Revocation::Cluster(cluster("alpha")))).expect("a member");
    assert_eq!(pinned(&fixture, "alpha"), None, "whoever had its key may have pinned it");
    refused(
        come(&mut fixture, "alpha", alpha, issuer(&["k1"])),
        RefusedKind::FailedPrecondition,
        "try again",
    );
    refused(report(&mut fixture, "alpha", issuer(&["k1"])), RefusedKind::FailedPrecondition, "revoked");
    enrol(&mut fixture, 1, "alpha", alpha, Some(issuer(&["k1"]))).expect("it is let in again");
    assert_eq!(come(&mut fixture, "alpha", alpha, issuer(&["k1"])), Ok(Answer::Done));
}

#[test]
fn s23_with_a_cluster_goes_what_it_has_pinned() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10), ("charlie", 10)]);
    let bravo = uid_of(&fixture, "bravo");
    report(&mut fixture, "bravo", issuer(&["k2"])).expect("a member");
    fixture.disconnect("bravo");
    fixture.pass(Duration::from_secs(600));
    let gone = Command::DeleteCluster { cluster: cluster("bravo"), force: true };
    fixture.command(gone).expect("it is lost");
    assert_eq!(pinned(&fixture, "bravo"), None);
    refused(
        come(&mut fixture, "bravo", bravo, issuer(&["k2"])),
        RefusedKind::FailedPrecondition,
        "try again",
    );
}

#[test]
fn s23_a_cluster_that_is_built_anew_pins_anew() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    enrol(&mut fixture, 1, "bravo", 7, Some(issuer(&["k1"]))).expect("a good token");
    // It has never attached: the name is free, and another cluster takes it without a word of who signs there.
    enrol(&mut fixture, 2, "bravo", 8, None).expect("a good token");
    assert_eq!(pinned(&fixture, "bravo"), None);
    enrol(&mut fixture, 3, "bravo", 8, Some(issuer(&["k2"]))).expect("a good token");
    enrol(&mut fixture, 4, "bravo", 8, None).expect("a good token");
    assert_eq!(pinned(&fixture, "bravo"), Some(issuer(&["k2"])), "it is the same cluster");
}
