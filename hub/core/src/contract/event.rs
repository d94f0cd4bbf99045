//! What happens to the hub.

use std::sync::Arc;

use godwit_common::ClusterName;
use godwit_common::link::{Hello, Up};

use super::{Command, SessionId, Ticket};

/// Something that happened. Bad input is an event too, and yields a refusal.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "an event is moved once into a queue, and once out of it")]
pub enum Event {
    /// An agent's session has begun. Its certificate says which cluster it speaks for.
    Opened {
        /// Never used before in this process.
        session: SessionId,
        /// From the certificate.
        cluster: ClusterName,
        /// The agent's first message.
        hello: Hello,
    },
    /// A session brought a message.
    Message {
        /// Which session.
        session: SessionId,
        /// What it says.
        message: Up,
    },
    /// A session is over, for whatever reason.
    Closed {
        /// Which session.
        session: SessionId,
        /// Whether that was because its agent's certificate has ended: then it is no sign of a loss (S1).
        expired: bool,
    },
    /// An operator wants something.
    Command {
        /// Where the answer goes.
        ticket: Ticket,
        /// The operator's name, from the certificate: the journal keeps it.
        by: Arc<str>,
        /// What.
        command: Command,
    },
    /// The hub is about to stop on purpose: it says goodbye, and nothing moves.
    Stopping,
    /// The time of [`crate::Hub::deadline`] has come.
    Tick,
}
