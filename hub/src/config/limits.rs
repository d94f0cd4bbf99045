//! What the hub takes from its peers.

use godwit_rt::limits::{ADMIN_MESSAGE_BYTES_MAX, AGENT_MESSAGE_BYTES_MAX, ServerLimits};
use serde::{Deserialize, Serialize};

use super::{Span, narrow};

/// Bounds: what exceeds them is refused (RESOURCE_EXHAUSTED, or OUT_OF_RANGE for the size of a message) or closed, and the
/// hub lives on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections at once. Each costs a file descriptor and some 30 KiB.
    pub connections: u32,
    /// TLS handshakes at once: they cost the most CPU, so after an outage they queue.
    pub handshakes: u32,
    /// Connections a second from one address, counted before TLS. Of this and the next three, 20 seconds' worth can be had at
    /// once, and 0 bounds nothing.
    pub connections_per_second: u32,
    /// Calls a second of one operator, or of one cluster's agents.
    pub calls_per_second: u32,
    /// Messages a second that are read from one cluster's agents. What comes faster waits in their connections.
    pub messages_per_second: u32,
    /// Bytes of them a second.
    pub message_bytes_per_second: u32,
    /// Agents' streams at once.
    pub sessions: u32,
    /// Watches of operators at once, over all services.
    pub watches: u32,
    /// The largest message that the admin services take, in bytes.
    pub admin_message_bytes: u32,
    /// The largest message that is taken from an agent, in bytes.
    pub agent_message_bytes: u32,
    /// How long a stop waits for streams to end before it cuts them.
    pub drain_timeout: Span,
}

impl Default for Limits {
    fn default() -> Self {
        let server = ServerLimits::default();
        Self {
            connections: narrow(server.connections_max),
            handshakes: narrow(server.handshakes_max),
            connections_per_second: server.connections_per_second,
            calls_per_second: 100,
            messages_per_second: 500,
            message_bytes_per_second: narrow(AGENT_MESSAGE_BYTES_MAX),
            sessions: narrow(server.connections_max),
            watches: 1_000,
            admin_message_bytes: narrow(ADMIN_MESSAGE_BYTES_MAX),
            agent_message_bytes: narrow(AGENT_MESSAGE_BYTES_MAX),
            drain_timeout: Span(server.drain_timeout),
        }
    }
}

impl Limits {
    /// What the transport is built with.
    pub fn server(&self) -> ServerLimits {
        ServerLimits {
            connections_max: self.connections as usize,
            handshakes_max: self.handshakes as usize,
            connections_per_second: self.connections_per_second,
            drain_timeout: self.drain_timeout.0,
            ..ServerLimits::default()
        }
    }
}
