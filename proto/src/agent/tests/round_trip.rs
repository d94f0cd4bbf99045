//! What goes out comes in again; what comes in broken is refused, and nothing panics.

use std::sync::Arc;

use godwit_common::link::{Capacity, Down, Edit, ObjectTarget, Report, Status, Targets, Up, WorkloadTarget};
use godwit_common::{Epoch, Fence, Generation, Need, NeedStatus, ObjectKey, Uid, WorkloadId};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};

use super::strategies::{down, up};
use super::{down_from_wire, one, up_from_wire};
use crate::agent::{DownInbox, UpInbox, down_to_wire, up_to_wire};
use crate::v1::{self, AttachRequest, AttachResponse};

proptest! {
    #[test]
    fn what_an_agent_says_arrives(up in up()) {
        let bytes = up_to_wire(&up).remove(0).encode_to_vec();
        let wire = AttachRequest::decode(bytes.as_slice())?;
        prop_assert_eq!(up_from_wire(wire), Ok(Some(up)));
    }

    #[test]
    fn what_the_hub_says_arrives(down in down()) {
        let bytes = one(&down).encode_to_vec();
        let wire = AttachResponse::decode(bytes.as_slice())?;
        prop_assert_eq!(down_from_wire(wire), Ok(Some(down)));
    }

    #[test]
    fn what_a_newer_release_says_besides_is_passed_over(up in up(), down in down()) {
        let wire = AttachRequest::decode(newer(&up_to_wire(&up).remove(0).encode_to_vec()).as_slice())?;
        prop_assert_eq!(up_from_wire(wire), Ok(Some(up)));
        let wire = AttachResponse::decode(newer(&one(&down).encode_to_vec()).as_slice())?;
        prop_assert_eq!(down_from_wire(wire), Ok(Some(down)));
    }

    #[test]
    fn no_bytes_of_an_agent_cause_a_panic(bytes in prop_oneof![
        vec(any::<u8>(), 0..64),
        damaged(up().prop_map(|up| up_to_wire(&up).remove(0).encode_to_vec())),
    ]) {
        if let Ok(Ok(Some(up))) = AttachRequest::decode(bytes.as_slice()).map(up_from_wire) {
            prop_assert_eq!(up_from_wire(up_to_wire(&up).remove(0)), Ok(Some(up)), "what was taken can be said again");
        }
    }

    #[test]
    fn no_bytes_of_the_hub_cause_a_panic(bytes in prop_oneof![
        vec(any::<u8>(), 0..64),
        damaged(down().prop_map(|down| one(&down).encode_to_vec())),
    ]) {
        if let Ok(Ok(Some(down))) = AttachResponse::decode(bytes.as_slice()).map(down_from_wire) {
            prop_assert_eq!(down_from_wire(one(&down)), Ok(Some(down)), "what was taken can be said again");
        }
    }
}

#[test]
fn a_reason_that_only_a_newer_hub_knows_is_a_refusal_with_its_words_and_its_wait() {
    let (message, retry_after) =
        ("it is Sunday".to_owned(), Some(prost_types::Duration { seconds: 60, nanos: 0 }));
    let refusal = v1::Refusal { code: 99, message, retry_after };
    let wire = AttachResponse { message: Some(v1::attach_response::Message::Refusal(refusal)) };
    let Ok(Some(Down::Refusal(refusal))) = down_from_wire(wire) else { panic!("it is no refusal") };
    assert_eq!((&*refusal.message, refusal.retry_after.as_secs()), ("it is Sunday", 60));
}

#[test]
fn a_large_state_arrives_in_parts() {
    let manifest: Arc<str> = "x".repeat(300 * 1024).into();
    let row = |uid| ObjectTarget {
        uid: Uid(uid),
        key: ObjectKey::new("v1", "ConfigMap", "default", "large").expect("a valid key"),
        revision: 1,
        manifest: Some(manifest.clone()),
        tolerates_drift: false,
        bounds: Default::default(),
        adopts: None,
        overrides: Default::default(),
    };
    let targets = Targets { objects: (1..=10).map(row).collect(), ..Targets::default() };
    let down = Down::Targets(Arc::new(Targets { fence: fence(), ..targets }));
    let parts = down_to_wire(&down);
    assert_eq!(parts.len(), 4, "three rows of 300 KiB a part");
    let mut inbox = DownInbox::default();
    let taken: Vec<_> = parts.into_iter().map(|part| inbox.take(part)).collect();
    assert_eq!(taken, vec![Ok(None), Ok(None), Ok(None), Ok(Some(down))]);
}

#[test]
fn the_order_of_needs_means_nothing() {
    let need = |name: &str| Need::Object(ObjectKey::new("v1", "Secret", "shop", name).expect("a valid key"));
    let row = |needs| WorkloadTarget {
        uid: Uid(1),
        workload: WorkloadId::new("shop", "Deployment", "web").expect("a valid name"),
        api_version: "apps/v1".into(),
        revision: 1,
        replicas: 1,
        ordinals: 0,
        overrides: Default::default(),
        manifest: Some("{}".into()),
        needs,
        supervised: true,
        scale_only: false,
        charter: None,
        tolerates_drift: false,
        shown: false,
        adopts: None,
    };
    let down = |needs| Down::Targets(Arc::new(Targets { workloads: vec![row(needs)], ..Targets::default() }));
    let sent = one(&down(vec![need("b"), need("a"), need("b")]));
    assert_eq!(down_from_wire(sent), Ok(Some(down(vec![need("a"), need("b")]))));
}

#[test]
fn a_large_report_arrives_in_parts() {
    let status = |number: u32| Status {
        workload: WorkloadId::new("shop", "Deployment", &format!("web-{number}")).expect("a valid name"),
        uid: Uid(u128::from(number)),
        revision: 1,
        replicas: number,
        pods: number,
        bound: number,
        ready: number,
        unschedulable: 0,
        failing: 0,
        stranded: 0,
        updated: 3,
        updated_ready: 2,
        stalled: true,
        finished: None,
        terminating: 0,
        ready_for: std::time::Duration::from_millis(number.into()),
        supervised: 0,
        difference: None,
        problem: "".into(),
        exists: true,
    };
    let need = |number: u32| NeedStatus {
        need: Need::Object(ObjectKey::new("v1", "Secret", "shop", &format!("pull-{number}")).expect("valid")),
        met: number.is_multiple_of(2),
    };
    let report = Report {
        complete: true,
        reflects: Generation(7),
        statuses: (0..25_000).map(status).collect(),
        removed: (0..12_000).map(Uid).collect(),
        capacity: Some(Capacity { nodes: 3, ..Capacity::default() }),
        needs: (0..12_000).map(need).collect(),
        edits: (0..12_000).map(|uid| Edit { uid: Uid(uid), fields: ".spec.x (by me)".into() }).collect(),
    };
    let parts = up_to_wire(&Up::Report(report.clone()));
    assert!(parts.iter().all(|part| part.encoded_len() <= 1024 * 1024));
    let mut inbox = UpInbox::default();
    let mut taken: Vec<_> = parts.into_iter().map(|part| inbox.take(part)).collect();
    assert_eq!(taken.pop(), Some(Ok(Some(Up::Report(report)))));
    assert!(taken.len() > 3 && taken.iter().all(|part| *part == Ok(None)), "{}", taken.len());
}

fn fence() -> Fence {
    Fence { federation: Uid(1), epoch: Epoch(1), generation: Generation(1) }
}

/// A real message with a few bytes overwritten: unlike noise, most of it still decodes.
fn damaged(message: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let damage = vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    (message, damage).prop_map(|(mut bytes, damage)| {
        for (place, byte) in damage {
            if !bytes.is_empty() {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
        }
        bytes
    })
}

/// A message as a newer release says it: with fields that this one does not know, of each kind that a decoder has to skip, beside
/// its one field and in it.
fn newer(bytes: &[u8]) -> Vec<u8> {
    const FIELD: u32 = 1_000;
    let mut unknown = Vec::new();
    for (kind, value) in [
        (WireType::Varint, &[7][..]),
        (WireType::ThirtyTwoBit, &[1; 4]),
        (WireType::LengthDelimited, b"\x02hi"),
    ] {
        encode_key(FIELD + kind as u32, kind, &mut unknown);
        unknown.extend(value);
    }
    let mut rest = bytes;
    let (tag, kind) = decode_key(&mut rest).expect("it says something");
    assert_eq!(kind, WireType::LengthDelimited);
    let length = decode_varint(&mut rest).expect("it has a length");
    assert_eq!(length, rest.len() as u64, "it says one thing");
    let mut newer = Vec::new();
    encode_key(tag, kind, &mut newer);
    encode_varint(length + unknown.len() as u64, &mut newer);
    newer.extend([rest, &unknown, &unknown].concat());
    newer
}
