//! Agents that come in by their service account: what a cluster has pinned, and by whose word (S23).

use std::time::Duration;

use godwit_common::Uid;

use super::fixture::{Fixture, cluster};
use crate::{
    AccessOrder, Admits, Answer, Command, Enrolment, Issuer, PodEnrolment, Refused, RefusedKind, Revocation,
    ShownIssuer, TokenHash,
};

const TTL: Duration = Duration::from_secs(900);

fn order(fixture: &mut Fixture, order: AccessOrder) -> Result<Answer, Refused> {
    fixture.command(Command::Access(order))
}

/// The first of the keys has signed what is shown.
fn shown(keys: &[&str]) -> ShownIssuer {
    ShownIssuer { issuer: issuer(keys), signer: keys[0].into() }
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
    issuer: Option<ShownIssuer>,
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
    come_as(fixture, "godwit-agent-x", name, uid, issuer)
}

fn come_as(
    fixture: &mut Fixture,
    pod: &str,
    name: &str,
    uid: u128,
    issuer: Issuer,
) -> Result<Answer, Refused> {
    let (pod, from) = (pod.into(), "192.0.2.8:4711".into());
    order(
        fixture,
        AccessOrder::EnrolPod(PodEnrolment { cluster: cluster(name), uid: Uid(uid), issuer, pod, from }),
    )
}

fn report(fixture: &mut Fixture, name: &str, issuer: ShownIssuer) -> Result<Answer, Refused> {
    let uid = fixture.hub.cluster(&cluster(name)).map_or(Uid(0), |known| known.uid);
    report_of(fixture, name, uid, issuer)
}

/// An agent of the cluster of that UID says it, with a certificate of that name.
fn report_of(fixture: &mut Fixture, name: &str, uid: Uid, issuer: ShownIssuer) -> Result<Answer, Refused> {
    order(fixture, AccessOrder::PinIssuer { cluster: cluster(name), uid, issuer })
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
    enrol(&mut fixture, 1, "bravo", 7, Some(shown(&["k1"]))).expect("a good token");
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
fn s23_a_pod_that_comes_again_and_again_fills_neither_the_journal_nor_the_audit_log() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    enrol(&mut fixture, 1, "bravo", 7, Some(shown(&["k1"]))).expect("a good token");
    for _ in 0..10 {
        assert_eq!(come(&mut fixture, "bravo", 7, issuer(&["k1"])), Ok(Answer::Done));
    }
    let eleventh = come(&mut fixture, "bravo", 7, issuer(&["k1"]));
    refused(eleventh, RefusedKind::ResourceExhausted, "godwit-agent-x of cluster bravo");
    // Others are not kept out by it, however many they are.
    for number in 0..100 {
        let pod = format!("godwit-agent-{number}");
        assert_eq!(come_as(&mut fixture, &pod, "bravo", 7, issuer(&["k1"])), Ok(Answer::Done));
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
    report(&mut fixture, "alpha", shown(&["k1"])).expect("a member");
    assert_eq!(fixture.noted("IssuerPinned"), 1);
    report(&mut fixture, "alpha", shown(&["k1"])).expect("the same again");
    assert_eq!((fixture.noted("IssuerPinned"), fixture.noted("IssuerChanged")), (1, 0));
    report(&mut fixture, "alpha", shown(&["k1", "k2"])).expect("its keys change");
    assert_eq!(fixture.noted("IssuerChanged"), 1);
    assert_eq!(come(&mut fixture, "alpha", alpha, issuer(&["k1", "k2"])), Ok(Answer::Done));
    refused(report(&mut fixture, "charlie", shown(&["k3"])), RefusedKind::FailedPrecondition, "not a member");
}

#[test]
fn s23_two_clusters_that_sign_with_one_key_are_not_told_apart_by_it() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10)]);
    report(&mut fixture, "alpha", shown(&["k1", "k2"])).expect("a member");
    // Whoever enrols with it comes in, and its later agents do not come by that word.
    let twin = enrol(&mut fixture, 1, "charlie", 7, Some(shown(&["k1", "k3"])));
    assert_eq!(twin, Ok(Answer::Done));
    assert_eq!((pinned(&fixture, "charlie"), fixture.noted("IssuerNotPinned")), (None, 1));
    let twin = report(&mut fixture, "bravo", shown(&["k3", "k1"]));
    refused(twin, RefusedKind::AlreadyExists, "cannot be told apart");
    assert_eq!(pinned(&fixture, "bravo"), None);
}

#[test]
fn s23_whoever_names_a_key_and_never_shows_it_takes_it_from_nobody() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10)]);
    // The public keys of others can be read by anybody.
    report(&mut fixture, "alpha", shown(&["mine", "theirs", "next"])).expect("a member");
    enrol(&mut fixture, 1, "charlie", 7, Some(shown(&["theirs", "next"]))).expect("a good token");
    assert_eq!(pinned(&fixture, "charlie"), Some(issuer(&["theirs", "next"])));
    assert_eq!(pinned(&fixture, "alpha"), Some(issuer(&["mine", "next"])), "it is not of alpha");
    assert_eq!(fixture.noted("IssuerNotPinned"), 0);
    let again = report(&mut fixture, "alpha", shown(&["mine", "theirs"]));
    refused(again, RefusedKind::AlreadyExists, "cluster charlie");
    // The next one is of whoever shows it first, and a restart forgets nothing of it.
    enrol(&mut fixture, 2, "charlie", 7, Some(shown(&["next", "theirs"]))).expect("a good token");
    assert_eq!(pinned(&fixture, "alpha"), Some(issuer(&["mine"])));
    for name in ["alpha", "bravo"] {
        fixture.disconnect(name);
    }
    fixture.restart();
    fixture.connect("alpha");
    fixture.connect("bravo");
    for key in ["theirs", "next", "mine"] {
        let twin = report(&mut fixture, "bravo", shown(&["own", key]));
        refused(twin, RefusedKind::AlreadyExists, "cannot be told apart");
    }
}

#[test]
fn s23_an_agent_of_a_former_cluster_of_that_name_pins_nothing() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    let former = report_of(&mut fixture, "alpha", Uid(77), shown(&["k1"]));
    refused(former, RefusedKind::FailedPrecondition, "another cluster");
    assert_eq!(pinned(&fixture, "alpha"), None);
}

#[test]
fn s23_keys_that_change_again_and_again_fill_neither_the_journal_nor_the_store() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    let keys = |number: u32| shown(&[format!("k{number}").as_str()]);
    let said: Vec<_> = (0..40).map(|number| report(&mut fixture, "alpha", keys(number)).is_ok()).collect();
    assert_eq!(said.iter().filter(|ok| **ok).count(), 10);
    let noted = fixture.noted("IssuerPinned") + fixture.noted("IssuerChanged");
    assert_eq!(noted, 10);
    refused(report(&mut fixture, "alpha", shown(&["k3"])), RefusedKind::ResourceExhausted, "try again");
    fixture.pass(Duration::from_secs(60));
    report(&mut fixture, "alpha", shown(&["k3"])).expect("it is another minute");
}

#[test]
fn s23_what_a_revoked_cluster_has_pinned_counts_for_nothing_and_goes_when_it_is_enrolled_again() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10)]);
    let alpha = uid_of(&fixture, "alpha");
    report(&mut fixture, "alpha", shown(&["k1"])).expect("a member");
    order(&mut fixture, AccessOrder::Revoke(Revocation::Cluster(cluster("alpha")))).expect("a member");
    let its = || issuer(&["k1"]);
    refused(come(&mut fixture, "alpha", alpha, its()), RefusedKind::FailedPrecondition, "revoked");
    refused(report(&mut fixture, "alpha", shown(&["k1"])), RefusedKind::FailedPrecondition, "revoked");
    // Whoever had its key may have pinned keys of their own.
    enrol(&mut fixture, 1, "alpha", alpha, None).expect("it is let in again");
    assert_eq!(pinned(&fixture, "alpha"), None);
    enrol(&mut fixture, 2, "alpha", alpha, Some(shown(&["k1"]))).expect("a good token");
    assert_eq!(come(&mut fixture, "alpha", alpha, its()), Ok(Answer::Done));
}

#[test]
fn s23_a_revocation_that_was_a_mistake_leaves_what_was_pinned() {
    let mut fixture = Fixture::new(&[("alpha", 10)]);
    let (alpha, revocation) = (uid_of(&fixture, "alpha"), Revocation::Cluster(cluster("alpha")));
    report(&mut fixture, "alpha", shown(&["k1"])).expect("a member");
    order(&mut fixture, AccessOrder::Revoke(revocation.clone())).expect("a member");
    order(&mut fixture, AccessOrder::EndRevocation(revocation)).expect("it is revoked");
    // Without it, certificates that have ended would be renewed alone again.
    assert_eq!(pinned(&fixture, "alpha"), Some(issuer(&["k1"])));
    assert_eq!(come(&mut fixture, "alpha", alpha, issuer(&["k1"])), Ok(Answer::Done));
    // Of a name that never came there is nothing to keep, and it takes no room.
    enrol(&mut fixture, 1, "bravo", 7, Some(shown(&["k2"]))).expect("a good token");
    order(&mut fixture, AccessOrder::Revoke(Revocation::Cluster(cluster("bravo")))).expect("a name");
    assert_eq!(pinned(&fixture, "bravo"), None);
}

#[test]
fn s23_with_a_cluster_goes_what_it_has_pinned() {
    let mut fixture = Fixture::new(&[("alpha", 10), ("bravo", 10), ("charlie", 10)]);
    let bravo = uid_of(&fixture, "bravo");
    report(&mut fixture, "bravo", shown(&["k2"])).expect("a member");
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
    enrol(&mut fixture, 1, "bravo", 7, Some(shown(&["k1"]))).expect("a good token");
    // It has never attached: the name is free, and another cluster takes it without a word of who signs there.
    enrol(&mut fixture, 2, "bravo", 8, None).expect("a good token");
    assert_eq!(pinned(&fixture, "bravo"), None);
    enrol(&mut fixture, 3, "bravo", 8, Some(shown(&["k2"]))).expect("a good token");
    enrol(&mut fixture, 4, "bravo", 8, None).expect("a good token");
    assert_eq!(pinned(&fixture, "bravo"), Some(issuer(&["k2"])), "it is the same cluster");
}
