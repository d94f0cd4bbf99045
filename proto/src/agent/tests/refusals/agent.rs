//! What an agent says: its hello, and the smaller messages.

use super::{Case, check_up};
use crate::agent::tests::up_from_wire;
use crate::v1::{self, attach_request};

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
