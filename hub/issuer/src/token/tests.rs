//! Tokens that were signed for real.

use kubesim::issuer::{Signer, base64url};
use serde_json::{Value, json};

use super::*;

const URL: &str = "https://kubernetes.default.svc.cluster.local";
const AUDIENCE: &str = "godwit.dev/hub";
const SUBJECT: &str = "system:serviceaccount:godwit-system:godwit-agent";
const NOW: u64 = 1_800_000_000;

fn claims() -> Value {
    json!({
        "aud": [AUDIENCE],
        "exp": NOW + 3000,
        "iat": NOW - 600,
        "iss": URL,
        "kubernetes.io": {
            "namespace": "godwit-system",
            "node": {"name": "node-7", "uid": "1"},
            "pod": {"name": "godwit-agent-x2x7k", "uid": "2"},
            "serviceaccount": {"name": "godwit-agent", "uid": "3"},
        },
        "nbf": NOW - 600,
        "sub": SUBJECT,
    })
}

fn issuer(signers: &[&Signer]) -> Issuer {
    let keys: Vec<Value> = signers.iter().map(|signer| signer.key()).collect();
    Issuer::read(URL, &json!({ "keys": keys }).to_string()).unwrap()
}

fn expected() -> Expected<'static> {
    Expected { audience: AUDIENCE, subject: Some(SUBJECT), now: NOW }
}

/// What comes of the claims when something else stands in the place of one of them.
fn with(signer: &Signer, name: &str, value: Value) -> Result<Proven, TokenError> {
    let mut claims = claims();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    issuer(&[signer]).prove(&signer.sign(&claims).unwrap(), expected())
}

#[test]
fn whoever_is_signed_for_by_one_of_the_keys_is_a_pod_of_the_cluster() {
    let (rsa, ecdsa) = (Signer::rsa("a").unwrap(), Signer::ecdsa("b").unwrap());
    for signer in [&rsa, &ecdsa] {
        let token = signer.sign(&claims()).unwrap();
        let proven = issuer(&[&rsa, &ecdsa]).prove(&token, expected()).unwrap();
        let Proven { subject, pod, node, key } = proven;
        assert_eq!([key.as_str()], *issuer(&[signer]).keys.iter().collect::<Vec<_>>(), "the one of the two");
        assert_eq!(
            (subject.as_str(), pod.as_str(), node.as_str()),
            (SUBJECT, "godwit-agent-x2x7k", "node-7")
        );
        // Whose it has to be need not be known yet.
        let anybody = Expected { subject: None, ..expected() };
        assert!(issuer(&[signer]).prove(&token, anybody).is_ok());
    }
    assert!(with(&ecdsa, "aud", json!(AUDIENCE)).is_ok(), "one audience may stand there alone");
    assert!(with(&ecdsa, "aud", json!(["other", AUDIENCE])).is_ok());
    assert!(with(&ecdsa, "nbf", Value::Null).is_ok());
}

#[test]
fn whoever_has_another_key_or_changes_a_word_proves_nothing() {
    let (own, other) = (Signer::ecdsa("a").unwrap(), Signer::ecdsa("a").unwrap());
    let token = other.sign(&claims()).unwrap();
    assert_eq!(issuer(&[&own]).prove(&token, expected()), Err(TokenError::Signature));

    let token = own.sign(&claims()).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let mut others = claims();
    others["sub"] = json!("system:serviceaccount:godwit-system:default");
    let forged = format!("{}.{}.{}", parts[0], base64url(others.to_string().as_bytes()), parts[2]);
    assert_eq!(issuer(&[&own]).prove(&forged, expected()), Err(TokenError::Signature));
    for position in [0, 10, token.len() / 2, token.len() - 20] {
        let mut bytes = token.clone().into_bytes();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(issuer(&[&own]).prove(&changed, expected()).is_err(), "{position}");
    }
}

#[test]
fn nobody_is_believed_without_a_signature_or_for_a_shared_secret() {
    let signer = Signer::rsa("a").unwrap();
    let token = signer.sign(&claims()).unwrap();
    let said = token.rsplit_once('.').unwrap().0.split_once('.').unwrap().1;
    for (header, problem) in [
        // There is no such algorithm in the library, so that the header is none.
        (json!({"alg": "none"}), "no token of a service account"),
        (json!({"alg": "HS256"}), "not signed as Kubernetes signs"),
        (json!({"alg": "PS256"}), "not signed as Kubernetes signs"),
        (json!({"alg": "EdDSA"}), "not signed as Kubernetes signs"),
        (json!({"alg": "ES256"}), "none of the issuer's keys"),
    ] {
        for signature in ["", "AAAA"] {
            let forged = format!("{}.{said}.{signature}", base64url(header.to_string().as_bytes()));
            let error = issuer(&[&signer]).prove(&forged, expected()).unwrap_err().to_string();
            assert!(error.contains(problem), "{header}: {error}");
        }
    }
}

#[test]
fn it_must_say_who_it_is_from_whose_it_is_and_whom_it_is_for() {
    let signer = Signer::ecdsa("a").unwrap();
    for (name, value, problem) in [
        ("iss", json!("https://elsewhere.example.com"), "from the issuer \"https://elsewhere"),
        ("aud", json!(["https://kubernetes.default.svc"]), "enrolment.audience"),
        ("aud", json!([]), "audience"),
        ("sub", json!("system:serviceaccount:shop:default"), "of system:serviceaccount:shop:default"),
        ("kubernetes.io", json!({"namespace": "x"}), "for no pod"),
        ("kubernetes.io", Value::Null, "for no pod"),
        ("kubernetes.io", json!({"pod": {"name": "a\nb"}}), "for no pod"),
        ("exp", Value::Null, "not what Kubernetes writes"),
        ("iat", Value::Null, "not what Kubernetes writes"),
        ("exp", json!("tomorrow"), "not what Kubernetes writes"),
        ("exp", json!(-1), "not what Kubernetes writes"),
    ] {
        let error = with(&signer, name, value.clone()).unwrap_err().to_string();
        assert!(error.contains(problem), "{name} = {value}: {error}");
    }
    let mut claims = claims();
    claims["sub"] = json!("alice");
    let token = signer.sign(&claims).unwrap();
    let anybody = Expected { subject: None, ..expected() };
    let error = issuer(&[&signer]).prove(&token, anybody).unwrap_err().to_string();
    assert!(error.contains("system:serviceaccount:NAMESPACE:NAME"), "{error}");
}

#[test]
fn it_counts_for_as_long_as_it_says_and_a_minute() {
    let signer = Signer::ecdsa("a").unwrap();
    let at = |exp: u64, iat: u64| {
        let mut claims = claims();
        (claims["exp"], claims["iat"], claims["nbf"]) = (json!(exp), json!(iat), json!(iat));
        issuer(&[&signer]).prove(&signer.sign(&claims).unwrap(), expected())
    };
    assert!(at(NOW - LEEWAY_SECS + 1, NOW - 600).is_ok());
    assert_eq!(at(NOW - LEEWAY_SECS, NOW - 600), Err(TokenError::Expired { ago_secs: LEEWAY_SECS }));
    assert!(at(NOW + 600, NOW + LEEWAY_SECS).is_ok());
    assert_eq!(at(NOW + 600, NOW + LEEWAY_SECS + 1), Err(TokenError::NotYet { in_secs: LEEWAY_SECS + 1 }));
    assert!(at(NOW + LIFETIME_SECS_MAX, NOW).is_ok());
    let secs = LIFETIME_SECS_MAX + 1;
    assert_eq!(at(NOW + secs, NOW), Err(TokenError::TooLong { secs }));
    assert_eq!(at(u64::MAX, NOW), Err(TokenError::TooLong { secs: u64::MAX - NOW }));
    assert!(matches!(at(0, u64::MAX), Err(TokenError::Expired { .. })));
    assert!(matches!(with(&signer, "nbf", json!(NOW + 500)), Err(TokenError::NotYet { in_secs: 500 })));
}

#[test]
fn what_is_no_token_is_refused_before_anything_is_computed() {
    let signer = Signer::ecdsa("a").unwrap();
    for text in ["", ".", "..", "a.b.c", "a.b", "....", &"x".repeat(TOKEN_BYTES_MAX + 1)] {
        let error = issuer(&[&signer]).prove(text, expected()).unwrap_err();
        assert!(matches!(error, TokenError::Malformed(_)), "{text:?}: {error:?}");
    }
}
