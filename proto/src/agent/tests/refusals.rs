//! Every refusal, and the sentence that says why.

use godwit_common::link::Up;
use prost_types::Duration;

use super::{down_from_wire, up_from_wire};
use crate::agent::UpInbox;
use crate::v1::{self, attach_request, attach_response};

/// A flaw to put into a valid message, and what is said about it.
type Case<M> = (fn(&mut M), &'static str);

#[test]
fn messages_of_an_unknown_kind_are_refused() {
    let unknown = "message: the peer says nothing that this version knows: upgrade the older side";
    let request = v1::AttachRequest { message: None };
    let response = v1::AttachResponse { message: None };
    assert_eq!(up_from_wire(request).map_err(|e| e.to_string()), Err(unknown.into()));
    assert_eq!(down_from_wire(response).map_err(|e| e.to_string()), Err(unknown.into()));
}

#[test]
fn a_hello_is_checked() {
    let cases: &[Case<v1::Hello>] = &[
        (|h| h.oldest_version = 0, "hello.oldest_version: it is 0, and versions begin at 1"),
        (|h| h.newest_version = 1, "hello.newest_version: 1 is below oldest_version, which is 2"),
        (|h| h.cluster_uid.clear(), "hello.cluster_uid: it has 0 bytes, and a UID has 16"),
        (|h| h.federation_uid.truncate(5), "hello.federation_uid: it has 5 bytes, and a UID has 16"),
        (|h| h.build = "x".repeat(65), "hello.build: it has 65 bytes, and at most 64 are allowed"),
        (|h| h.instance.clear(), "hello.instance: it is empty"),
        (|h| h.instance = "x".repeat(254), "hello.instance: it has 254 bytes, and at most 253 are allowed"),
        (|h| h.zone = "x".repeat(64), "hello.zone: it has 64 bytes, and at most 63 are allowed"),
        (|h| h.region = "a\u{1b}[2J".into(), "hello.region: \"a\\u{1b}[2J\" contains a control character"),
        (|h| h.provider = "a\nb".into(), "hello.provider: \"a\\nb\" contains a control character"),
    ];
    let hello = v1::Hello {
        oldest_version: 2,
        newest_version: 3,
        federation_uid: vec![1; 16],
        cluster_uid: vec![2; 16],
        instance: "agent-0".into(),
        ..v1::Hello::default()
    };
    check_up(&hello, attach_request::Message::Hello, cases);
}

#[test]
fn a_report_is_checked() {
    let cases: &[Case<v1::Report>] = &[
        (|r| r.statuses[1].uid.truncate(5), "report.statuses[1].uid: it has 5 bytes, and a UID has 16"),
        (
            |r| r.statuses[0].namespace = "A".into(),
            "report.statuses[0]: namespace \"A\" is not valid: it must be lower-case letters, digits and '-', \
             beginning and ending with a letter or digit",
        ),
        (|r| r.statuses[0].name.clear(), "report.statuses[0]: name \"\" is not valid: it must not be empty"),
        (
            |r| r.statuses[0].ready = 1_000_001,
            "report.statuses[0].ready: 1000001 is too many: at most 1000000 are allowed",
        ),
        (
            |r| r.statuses[0].problem = "x".repeat(1025),
            "report.statuses[0].problem: it has 1025 bytes, and at most 1024 are allowed",
        ),
        (
            |r| r.statuses = vec![v1::WorkloadStatus::default(); 10_001],
            "report.statuses: it has 10001 entries, and at most 10000 are allowed",
        ),
        (|r| r.removed[0].push(0), "report.removed[0]: it has 17 bytes, and a UID has 16"),
        (
            |r| r.removed = vec![vec![]; 10_001],
            "report.removed: it has 10001 entries, and at most 10000 are allowed",
        ),
        (|r| r.needs[0].need = None, "report.needs[0].need: it is missing"),
        (
            |r| r.needs[0].need = Some(v1::Need::default()),
            "report.needs[0].need: the peer says nothing that this version knows: upgrade the older side",
        ),
        (
            |r| r.needs = vec![v1::NeedStatus::default(); 10_001],
            "report.needs: it has 10001 entries, and at most 10000 are allowed",
        ),
    ];
    let status = v1::WorkloadStatus {
        namespace: "shop".into(),
        kind: "Deployment".into(),
        name: "web".into(),
        uid: vec![1; 16],
        ..v1::WorkloadStatus::default()
    };
    let report = v1::Report {
        statuses: vec![status.clone(), status],
        removed: vec![vec![1; 16]],
        needs: vec![v1::NeedStatus { need: Some(needed_kind("Widget")), met: true }],
        ..v1::Report::default()
    };
    check_up(&report, attach_request::Message::Report, cases);
}

#[test]
fn parts_of_a_report_that_do_not_belong_together_are_refused() {
    let part = v1::Report { complete: true, reflects_generation: 3, more: true, ..v1::Report::default() };
    let with_room = |part: v1::Report| {
        let room = v1::Capacity { allocatable: Some(v1::Resources::default()), ..v1::Capacity::default() };
        v1::Report { capacity: Some(room), ..part }
    };
    let cases = [
        (
            [part.clone(), v1::Report { complete: false, ..part.clone() }],
            "report.complete: it differs from the one of the parts before",
        ),
        (
            [part.clone(), v1::Report { reflects_generation: 4, ..part.clone() }],
            "report.reflects_generation: it differs from the one of the parts before",
        ),
        ([with_room(part.clone()), with_room(part)], "report.capacity: it came with a part before"),
    ];
    for ([first, second], expected) in cases {
        let mut inbox = UpInbox::default();
        assert_eq!(take_report(&mut inbox, first), Ok(None));
        assert_eq!(take_report(&mut inbox, second), Err(expected.to_owned()));
    }
}

#[test]
fn a_report_that_never_ends_is_refused() {
    let status = v1::WorkloadStatus {
        namespace: "shop".into(),
        kind: "Deployment".into(),
        name: "web".into(),
        uid: vec![1; 16],
        problem: "x".repeat(1024),
        ..v1::WorkloadStatus::default()
    };
    let part = v1::Report { statuses: vec![status; 10_000], more: true, ..v1::Report::default() };
    let mut inbox = UpInbox::default();
    let refused = (0..100).find_map(|_| take_report(&mut inbox, part.clone()).err());
    assert_eq!(
        refused.as_deref(),
        Some("report.more: the parts of a report have at most 67108864 bytes together")
    );
}

fn take_report(inbox: &mut UpInbox, part: v1::Report) -> Result<Option<Up>, String> {
    let wire = v1::AttachRequest { message: Some(attach_request::Message::Report(part)) };
    inbox.take(wire).map_err(|error| error.to_string())
}

#[test]
fn a_capacity_is_checked() {
    let cases: &[Case<v1::Capacity>] = &[
        (
            |c| c.classes = vec![v1::NodeClass::default(); 65],
            "report.capacity.classes: it has 65 entries, and at most 64 are allowed",
        ),
        (|c| c.allocatable = None, "report.capacity.allocatable: it is missing"),
        (|c| c.classes[0].free = None, "report.capacity.classes[0].free: it is missing"),
        (
            |c| c.nodes = u32::MAX,
            "report.capacity.nodes: 4294967295 is too many: at most 1000000 are allowed",
        ),
        (
            |c| c.classes[0].labels = (0..65).map(|i| (i.to_string(), String::new())).collect(),
            "report.capacity.classes[0].labels: it has 65 entries, and at most 64 are allowed",
        ),
        (
            |c| c.classes[0].labels = [(String::new(), String::new())].into(),
            "report.capacity.classes[0].labels.key: it is empty",
        ),
        (
            |c| c.classes[0].labels = [("zone".to_owned(), "x".repeat(64))].into(),
            "report.capacity.classes[0].labels[\"zone\"]: it has 64 bytes, and at most 63 are allowed",
        ),
        (
            |c| c.classes[0].taints = vec![v1::Taint::default(); 65],
            "report.capacity.classes[0].taints: it has 65 entries, and at most 64 are allowed",
        ),
        (
            |c| c.classes[0].taints[0].effect = 9,
            "report.capacity.classes[0].taints[0].effect: \
             the peer says nothing that this version knows: upgrade the older side",
        ),
        (
            |c| free(c).extended = (0..65).map(|i| (i.to_string(), 1)).collect(),
            "report.capacity.classes[0].free.extended: it has 65 entries, and at most 64 are allowed",
        ),
        (
            |c| free(c).extended = [("gpu".to_owned(), 0)].into(),
            "report.capacity.classes[0].free.extended[\"gpu\"]: it is 0: a resource that is not there is left out",
        ),
    ];
    let taint = v1::Taint { key: "dedicated".into(), effect: 1, ..v1::Taint::default() };
    let class = v1::NodeClass {
        taints: vec![taint],
        free: Some(v1::Resources::default()),
        ..v1::NodeClass::default()
    };
    let capacity = v1::Capacity {
        classes: vec![class],
        allocatable: Some(v1::Resources::default()),
        ..v1::Capacity::default()
    };
    let report = |capacity| {
        attach_request::Message::Report(v1::Report { capacity: Some(capacity), ..v1::Report::default() })
    };
    check_up(&capacity, report, cases);
}

#[test]
fn the_smaller_messages_of_an_agent_are_checked() {
    use attach_request::Message::{Accepted, Alarm, Leadership};
    use v1::alarm::Alarm::{Contradiction, Foreign, Stale};
    let alarm = |alarm| Alarm(v1::Alarm { alarm: Some(alarm) });
    let leading = v1::Leading { term: Some(v1::LeaderTerm::default()), ..v1::Leading::default() };
    let cases = [
        (Accepted(v1::Accepted::default()), "accepted.fence: it is missing"),
        (
            Leadership(v1::Leadership { leading: Some(leading) }),
            "leadership.leading.term.lease_uid: it has 0 bytes, and a UID has 16",
        ),
        (
            Leadership(v1::Leadership { leading: Some(v1::Leading::default()) }),
            "leadership.leading.term: it is missing",
        ),
        (
            Alarm(v1::Alarm { alarm: None }),
            "alarm: the peer says nothing that this version knows: upgrade the older side",
        ),
        (alarm(Stale(v1::StaleAlarm::default())), "alarm.stale.held: it is missing"),
        (
            alarm(Contradiction(v1::ContradictionAlarm { fence: Some(v1::Fence::default()) })),
            "alarm.contradiction.fence.federation_uid: it has 0 bytes, and a UID has 16",
        ),
        (
            alarm(Foreign(v1::ForeignAlarm::default())),
            "alarm.foreign.held_federation_uid: it has 0 bytes, and a UID has 16",
        ),
    ];
    for (message, expected) in cases {
        let refused = up_from_wire(v1::AttachRequest { message: Some(message) });
        assert_eq!(refused.map_err(|e| e.to_string()), Err(expected.to_owned()));
    }
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
fn zones_and_mixed_labels_are_checked() {
    let cases: &[Case<v1::Capacity>] = &[
        (
            |c| c.zones = vec!["a".into(); 65],
            "report.capacity.zones: it has 65 entries, and at most 64 are allowed",
        ),
        (|c| c.zones = vec!["a".into(), String::new()], "report.capacity.zones[1]: it is empty"),
        (
            |c| c.zones = vec!["x".repeat(64)],
            "report.capacity.zones[0]: it has 64 bytes, and at most 63 are allowed",
        ),
        (
            |c| c.mixed_labels = vec!["a".into(); 257],
            "report.capacity.mixed_labels: it has 257 entries, and at most 256 are allowed",
        ),
        (
            |c| c.mixed_labels = vec!["a\n".into()],
            "report.capacity.mixed_labels[0]: \"a\\n\" contains a control character",
        ),
    ];
    let capacity = v1::Capacity {
        allocatable: Some(v1::Resources::default()),
        zones: vec!["east-1".into()],
        mixed_labels: vec!["kubernetes.io/hostname".into()],
        ..v1::Capacity::default()
    };
    let report = |capacity| {
        attach_request::Message::Report(v1::Report { capacity: Some(capacity), ..v1::Report::default() })
    };
    check_up(&capacity, report, cases);
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

fn needed_kind(kind: &str) -> v1::Need {
    let kind = v1::NeededKind { api_version: "example.com/v1".into(), kind: kind.into() };
    v1::Need { need: Some(v1::need::Need::Kind(kind)) }
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

fn free(capacity: &mut v1::Capacity) -> &mut v1::Resources {
    capacity.classes[0].free.as_mut().expect("the valid capacity has it")
}

/// The valid message is taken; with each flaw it is refused in these words.
fn check_up<M: Clone>(valid: &M, wrap: impl Fn(M) -> attach_request::Message, cases: &[Case<M>]) {
    let convert = |message| {
        let wire = v1::AttachRequest { message: Some(wrap(message)) };
        up_from_wire(wire).map(|_| ()).map_err(|error| error.to_string())
    };
    check(valid, convert, cases);
}

fn check_down<M: Clone>(valid: &M, wrap: impl Fn(M) -> attach_response::Message, cases: &[Case<M>]) {
    let convert = |message| {
        let wire = v1::AttachResponse { message: Some(wrap(message)) };
        down_from_wire(wire).map(|_| ()).map_err(|error| error.to_string())
    };
    check(valid, convert, cases);
}

fn check<M: Clone>(valid: &M, convert: impl Fn(M) -> Result<(), String>, cases: &[Case<M>]) {
    assert_eq!(convert(valid.clone()), Ok(()));
    for (flaw, expected) in cases {
        let mut message = valid.clone();
        flaw(&mut message);
        assert_eq!(convert(message), Err((*expected).to_owned()));
    }
}
