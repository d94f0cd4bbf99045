//! What the hub wants done.

use godwit_common::link::Down;

use super::{Answer, Key, Record, Refused};

/// One stream of one agent, numbered by the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// One waiting caller, numbered by the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// An order to the shell, to be carried out in the order given. Nothing after a [`Effect::Put`] or [`Effect::Delete`]
/// leaves the process before both are durable: write before you speak.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "most effects are records: a box for each would cost more than it saves"
)]
pub enum Effect {
    /// Make this record durable, in the place of the one under the same key.
    Put(Record),
    /// Make the absence of this record durable.
    Delete(Key),
    /// Send this to an agent. A session that is over takes it silently.
    Send {
        /// Which session.
        session: SessionId,
        /// What.
        message: Down,
    },
    /// End this session once everything sent to it has left.
    Close {
        /// Which session.
        session: SessionId,
    },
    /// Answer a caller.
    Answer {
        /// Which caller.
        ticket: Ticket,
        /// The answer, or why there is none.
        answer: Result<Answer, Refused>,
    },
}
