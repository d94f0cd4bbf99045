//! What an agent reports: in parts, with what there is room for.

use godwit_common::link::Up;

use super::{Case, check_up, needed_kind};
use crate::agent::UpInbox;
use crate::v1::{self, attach_request};

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

fn take_report(inbox: &mut UpInbox, part: v1::Report) -> Result<Option<Up>, String> {
    let wire = v1::AttachRequest { message: Some(attach_request::Message::Report(part)) };
    inbox.take(wire).map_err(|error| error.to_string())
}

fn free(capacity: &mut v1::Capacity) -> &mut v1::Resources {
    capacity.classes[0].free.as_mut().expect("the valid capacity has it")
}
