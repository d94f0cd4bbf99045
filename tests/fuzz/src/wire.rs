//! The messages of the stream between agent and hub.

use godwit_proto::agent::{DownInbox, UpInbox, down_to_wire, up_to_wire};
use godwit_proto::v1;
use prost::Message;

use crate::pieces::pieces;

/// What an agent says, as the hub takes it in: refused, or a value that says the same again.
pub fn agent_messages(data: &[u8]) {
    let mut inbox = UpInbox::default();
    for (_, piece) in pieces(data) {
        let Ok(request) = v1::AttachRequest::decode(piece) else { return };
        let Ok(taken) = inbox.take(request) else { return };
        let Some(up) = taken else { continue };
        let mut again = UpInbox::default();
        let taken = up_to_wire(&up).into_iter().filter_map(|request| {
            again.take(request).unwrap_or_else(|error| panic!("{up:?} was taken once: {error}"))
        });
        assert_eq!(taken.collect::<Vec<_>>(), [up]);
    }
}

/// What a hub says, as an agent takes it in.
pub fn hub_messages(data: &[u8]) {
    let mut inbox = DownInbox::default();
    for (_, piece) in pieces(data) {
        let Ok(response) = v1::AttachResponse::decode(piece) else { return };
        let Ok(taken) = inbox.take(response) else { return };
        let Some(down) = taken else { continue };
        let mut again = DownInbox::default();
        let taken = down_to_wire(&down).into_iter().filter_map(|response| {
            again.take(response).unwrap_or_else(|error| panic!("{down:?} was taken once: {error}"))
        });
        assert_eq!(taken.collect::<Vec<_>>(), [down]);
    }
}
