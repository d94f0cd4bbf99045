//! What people write.

use std::str::from_utf8;

use godwit_certs::{Identity, JoinToken, KeyRequest, Ledger, LoginToken, Serial};
use godwit_common::ObjectKey;
use godwit_issuer::{Expected, Issuer, Keys};
use godwit_manifest::overrides::{check, render};
use godwit_manifest::{
    Application, Quantity, parse_application, parse_policies, parse_quotas, parse_scenario, read_pod_labels,
    read_totals, separate,
};
use godwit_proto::{policy, quota};
use serde_json::Value;

/// The public key of RFC 7515, A.3.
const KEY: &str = r#"{"keys": [{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

/// Manifests of applications: what is kept of one is read as the same again.
pub fn applications(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    let _ = separate(text);
    let Ok(application) = parse_application(text) else { return };
    for dependent in &application.dependents {
        let _ = read_totals(&dependent.key, &dependent.manifest);
    }
    let workloads = application.workloads.iter().map(|workload| &workload.manifest);
    for manifest in workloads.clone() {
        let _ = read_pod_labels(manifest);
    }
    let manifests = workloads.chain(application.dependents.iter().map(|dependent| &dependent.manifest));
    let kept: String = manifests.map(|manifest| format!("---\n{manifest}\n")).collect();
    let again = parse_application(&kept).unwrap_or_else(|errors| panic!("{errors}: {kept}"));
    // The number and the policy are the hub's, and not in what is kept.
    let manifests = |application: &Application| -> Vec<_> {
        application.workloads.iter().map(|workload| workload.manifest.clone()).collect()
    };
    assert_eq!(again.dependents, application.dependents);
    assert_eq!(manifests(&again), manifests(&application));
}

/// Policies and quotas: what is read goes over the wire, and comes back the same.
pub fn policies(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    for read in parse_policies(text).into_iter().flatten() {
        let wire = policy::to_wire(&read.placement, read.lost_after);
        let back = policy::from_wire("policy", &wire).unwrap_or_else(|error| panic!("{wire:?}: {error}"));
        assert_eq!((&back.placement, back.lost_after), (&read.placement, read.lost_after));
    }
    for read in parse_quotas(text).into_iter().flatten() {
        assert_eq!(quota::from_wire("quota", quota::to_wire(&read.quota)), Ok(read.quota));
    }
}

/// What an agent is told to make different of a manifest: a line of changes, and then the manifest. What comes of it, comes of
/// it again, and is the same object.
pub fn overrides(data: &[u8]) {
    let Some((changes, manifest)) = from_utf8(data).ok().and_then(|text| text.split_once('\n')) else {
        return;
    };
    let Ok(value) = serde_json::from_str::<Value>(manifest) else { return };
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or("Deployment");
    let Ok(key) = ObjectKey::new("apps/v1", kind, "shop", "web") else { return };
    let _ = check(&key, manifest, changes);
    let Ok(object) = render(&key, value.clone(), changes) else { return };
    assert_eq!(render(&key, value.clone(), changes).as_ref(), Ok(&object));
    for path in ["/kind", "/metadata/name", "/spec/replicas"] {
        assert_eq!(object.pointer(path), value.pointer(path), "{changes}");
    }
}

/// Fleets that a plan is tried on.
pub fn scenarios(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    let _ = parse_scenario(text);
}

/// Join tokens, serial numbers, identities, quantities, an authority's ledger, requests for certificates; and what anybody may
/// show as the keys of a cluster's issuer, and as a token that they have signed.
pub fn tokens(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    let _ = KeyRequest::fingerprint(text);
    if let Ok(token) = text.parse::<JoinToken>() {
        let again = token.reveal().parse::<JoinToken>().map(|token| token.reveal());
        assert_eq!(again.ok(), Some(token.reveal()));
    }
    if let Ok(token) = text.parse::<LoginToken>() {
        assert_eq!(token.reveal().parse(), Ok(token));
    }
    if let Ok(serial) = text.parse::<Serial>() {
        assert_eq!(serial.to_string().parse(), Ok(serial));
    }
    if let Ok(identity) = text.parse::<Identity>() {
        assert_eq!(identity.to_string().parse(), Ok(identity));
    }
    if let Ok(ledger) = text.parse::<Ledger>() {
        assert_eq!(ledger.to_string().parse(), Ok(ledger));
    }
    let _ = text.parse::<Quantity>();
    if let Ok(keys) = Keys::read(text) {
        assert_eq!(Keys::of(keys.iter()).as_ref(), Ok(&keys));
    }
    let issuer = Issuer::read("https://kubernetes.default.svc", KEY).expect("a key");
    let expected = Expected { audience: "godwit.dev/hub", subject: None, now: 1_800_000_000 };
    assert!(issuer.prove(text, expected).is_err(), "nobody has that key");
}
