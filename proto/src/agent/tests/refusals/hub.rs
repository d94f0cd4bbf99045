//! What a hub says: its welcome, targets, and where else to go.

use prost_types::Duration;

use super::{Case, check_down, needed_kind};
use crate::agent::tests::down_from_wire;
use crate::v1::{self, attach_response};

#[test]
fn a_welcome_is_checked() {
    let cases: &[Case<v1::Welcome>] = &[
        (|w| w.federation_uid.clear(), "welcome.federation_uid: it has 0 bytes, and a UID has 16"),
        (|w| w.heartbeat_interval = None, "welcome.heartbeat_interval: it is missing"),
        (
            |w| w.heartbeat_interval = Some(Duration::default()),
            "welcome.heartbeat_interval: it is zero: signs of life need an interval",
        ),
        (
            |w| w.heartbeat_interval = Some(Duration { seconds: -1, nanos: 0 }),
            "welcome.heartbeat_interval: -1 s and 0 ns is not a duration between zero and a day",
        ),
        (
            |w| w.heartbeat_interval = Some(Duration { seconds: 1, nanos: 1_000_000_000 }),
            "welcome.heartbeat_interval: 1 s and 1000000000 ns is not a duration between zero and a day",
        ),
        (
            |w| w.heartbeat_interval = Some(Duration { seconds: 86_400, nanos: 1 }),
            "welcome.heartbeat_interval: 86400 s and 1 ns is not a duration between zero and a day",
        ),
    ];
    let welcome = v1::Welcome {
        version: 1,
        federation_uid: vec![1; 16],
        epoch: 1,
        heartbeat_interval: Some(Duration { seconds: 86_400, nanos: 0 }),
    };
    check_down(&welcome, attach_response::Message::Welcome, cases);
}

#[test]
fn targets_are_checked() {
    let cases: &[Case<v1::Targets>] = &[
        (|t| t.fence = None, "targets.fence: it is missing"),
        (
            |t| t.workloads[0].replicas = 1_000_001,
            "targets.workloads[0].replicas: 1000001 is too many: at most 1000000 are allowed",
        ),
        (
            |t| t.workloads[0].manifest = "x".repeat(1536 * 1024 + 1),
            "targets.workloads[0].manifest: it has 1572865 bytes, and at most 1572864 are allowed",
        ),
        (
            |t| t.workloads[0].api_version = "a/b/c".into(),
            "targets.workloads[0]: apiVersion \"a/b/c\" is not valid: \
             it must be VERSION or GROUP/VERSION, such as v1 or apps/v1",
        ),
        (
            |t| t.objects[0].kind = "configMap".into(),
            "targets.objects[0]: kind \"configMap\" is not valid: \
             it must be a capital letter followed by letters and digits, such as Deployment",
        ),
        (|t| t.objects[0].uid.clear(), "targets.objects[0].uid: it has 0 bytes, and a UID has 16"),
        (
            |t| t.tombstones[0].namespace.clear(),
            "targets.tombstones[0]: namespace \"\" is not valid: it must not be empty",
        ),
        (
            |t| t.tombstones = vec![v1::Tombstone::default(); 10_001],
            "targets.tombstones: it has 10001 entries, and at most 10000 are allowed",
        ),
    ];
    let (uid, name, namespace) = (vec![1; 16], "web".to_owned(), "shop".to_owned());
    let object = v1::ObjectTarget {
        uid: uid.clone(),
        api_version: "v1".into(),
        kind: "ConfigMap".into(),
        name: name.clone(),
        ..v1::ObjectTarget::default()
    };
    let workload = v1::WorkloadTarget {
        uid: uid.clone(),
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        namespace: namespace.clone(),
        name: name.clone(),
        ..v1::WorkloadTarget::default()
    };
    let tombstone = v1::Tombstone {
        uid: uid.clone(),
        workload: true,
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        namespace,
        name,
        scaled: false,
    };
    let targets = v1::Targets {
        fence: Some(v1::Fence { federation_uid: uid, ..v1::Fence::default() }),
        objects: vec![object],
        workloads: vec![workload],
        tombstones: vec![tombstone],
        ..v1::Targets::default()
    };
    check_down(&targets, attach_response::Message::Targets, cases);
}

#[test]
fn needs_are_checked() {
    let cases: &[Case<v1::Targets>] = &[
        (
            |t| t.workloads[0].needs = vec![needed_kind("Widget"); 65],
            "targets.workloads[0].needs: it has 65 entries, and at most 64 are allowed",
        ),
        (
            |t| t.workloads[0].needs[0] = needed_kind("widget"),
            "targets.workloads[0].needs[0].kind: kind \"widget\" is not valid: \
             it must be a capital letter followed by letters and digits, such as Deployment",
        ),
        (
            |t| t.workloads[0].needs = vec![needed_object("a/b")],
            "targets.workloads[0].needs[0].object: name \"a/b\" is not valid: \
             it must be 1 to 253 characters without '/', '%' or white space",
        ),
        (
            |t| t.workloads[0].needs[0].need = None,
            "targets.workloads[0].needs[0]: \
             the peer says nothing that this version knows: upgrade the older side",
        ),
        (
            |t| t.workloads[0].manifest.clear(),
            "targets.workloads[0].needs: they come without the manifest that they belong to",
        ),
    ];
    let workload = v1::WorkloadTarget {
        uid: vec![1; 16],
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        namespace: "shop".into(),
        name: "web".into(),
        manifest: "{}".into(),
        needs: vec![needed_kind("Widget"), needed_object("fast")],
        ..v1::WorkloadTarget::default()
    };
    let targets = v1::Targets {
        fence: Some(v1::Fence { federation_uid: vec![1; 16], ..v1::Fence::default() }),
        workloads: vec![workload],
        ..v1::Targets::default()
    };
    check_down(&targets, attach_response::Message::Targets, cases);
}

#[test]
fn redirects_and_refusals_are_checked() {
    use attach_response::Message::{Goodbye, Redirect, Refusal, Standby};
    let redirect = |addresses: &[&str]| {
        Redirect(v1::Redirect { addresses: addresses.iter().map(ToString::to_string).collect() })
    };
    let is_no_address = |address: &str| {
        format!("redirect.addresses[1]: {address:?} is not host:port, such as hub.example:7443")
    };
    let bad =
        ["", "hub", ":7443", "hub:0", "hub:65536", "::1:7443", "[::x]:7443", "h b:7443", "http://hub:1"];
    let mut cases: Vec<_> = bad.map(|bad| (redirect(&["hub:7443", bad]), is_no_address(bad))).into();
    cases.extend([
        (redirect(&[]), "redirect.addresses: it is empty: name a hub to go to".to_owned()),
        (
            redirect(&["hub:7443"; 17]),
            "redirect.addresses: it has 17 entries, and at most 16 are allowed".to_owned(),
        ),
        (
            Refusal(v1::Refusal { code: 0, ..v1::Refusal::default() }),
            "refusal.code: the peer says nothing that this version knows: upgrade the older side".to_owned(),
        ),
        (
            Refusal(v1::Refusal { code: 1, message: "x".repeat(1025), retry_after: None }),
            "refusal.message: it has 1025 bytes, and at most 1024 are allowed".to_owned(),
        ),
        (Standby(v1::Standby::default()), "standby.retry_after: it is missing".to_owned()),
        (Goodbye(v1::HubGoodbye::default()), "goodbye.retry_after: it is missing".to_owned()),
    ]);
    for (message, expected) in cases {
        let refused = down_from_wire(v1::AttachResponse { message: Some(message) });
        assert_eq!(refused.map_err(|e| e.to_string()), Err(expected));
    }
}

fn needed_object(name: &str) -> v1::Need {
    let object = v1::NeededObject {
        api_version: "storage.k8s.io/v1".into(),
        kind: "StorageClass".into(),
        name: name.into(),
        ..v1::NeededObject::default()
    };
    v1::Need { need: Some(v1::need::Need::Object(object)) }
}
