//! The conversions of the agents' stream, from both ends.

mod refusals;
mod round_trip;
mod strategies;

use godwit_common::link::{Down, Up};

use super::{DownInbox, UpInbox, WireError, down_to_wire};
use crate::v1;

/// What one message of an agent says.
fn up_from_wire(wire: v1::AttachRequest) -> Result<Option<Up>, WireError> {
    UpInbox::default().take(wire)
}

/// What one message of the hub says.
fn down_from_wire(wire: v1::AttachResponse) -> Result<Option<Down>, WireError> {
    DownInbox::default().take(wire)
}

/// The one message that says something small.
fn one(down: &Down) -> v1::AttachResponse {
    down_to_wire(down).remove(0)
}
