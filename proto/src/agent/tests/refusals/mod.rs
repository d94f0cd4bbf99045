//! Every refusal, and the sentence that says why.

mod agent;
mod hub;
mod report;

use super::{down_from_wire, up_from_wire};
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

fn needed_kind(kind: &str) -> v1::Need {
    let kind = v1::NeededKind { api_version: "example.com/v1".into(), kind: kind.into() };
    v1::Need { need: Some(v1::need::Need::Kind(kind)) }
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
