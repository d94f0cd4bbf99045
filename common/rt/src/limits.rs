//! Every bound of the transport, by name and with its reason.

use std::num::NonZeroU32;
use std::time::Duration;

/// One admin message, in both directions. An application's manifests are below 1.5 MiB, which is what Kubernetes itself
/// takes for one object; the rest is room for lists.
pub const ADMIN_MESSAGE_BYTES_MAX: usize = 8 * MIB;
/// One message of an agent's stream, in both directions. Large states are sent in parts, so this holds one workload's
/// manifests with room to spare, and 10,000 agents cannot make the hub buffer more than it has.
pub const AGENT_MESSAGE_BYTES_MAX: usize = 4 * MIB;

/// Streams that one peer may have open at once: an agent needs one, a command a handful.
pub const STREAMS_PER_CONNECTION_MAX: u32 = 16;
/// All headers of one request. gRPC's own take less than 1 KiB.
pub const HEADER_LIST_BYTES_MAX: u32 = 16 * 1024;
/// Streams that a peer opened and reset before they were served (CVE-2023-44487); above it the connection ends.
pub const PENDING_RESETS_MAX: usize = 20;
/// Streams that were reset for the peer's own errors (RUSTSEC-2024-0003); above it the connection ends.
pub const LOCAL_RESETS_MAX: usize = 1024;
/// Bytes that wait for one slow reader before its writer is held back.
pub const SEND_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// Bytes in flight to us on one connection. h2 ends a connection whose unread small frames eat up its window, so it is
/// wide enough for a burst of short messages.
pub const CONNECTION_WINDOW_BYTES: u32 = MIB as u32;
/// Bytes in flight to us on one stream: a quarter of the connection's, so that no stream starves the others.
pub const STREAM_WINDOW_BYTES: u32 = MIB as u32 / 4;
/// The largest HTTP/2 frame: the protocol's minimum, which keeps streams interleaved.
pub const FRAME_BYTES_MAX: u32 = 16 * 1024;

/// How often an HTTP/2 PING asks whether the peer's host is there, idle or not. Whether its application works is for
/// heartbeats to find out.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// How long the answer to a PING may take.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the kernel keeps sending what nobody acknowledges; by default it is about 15 minutes.
pub const TCP_USER_TIMEOUT: Duration = Duration::from_secs(30);

/// How often the certificate files are looked at.
pub const RELOAD_INTERVAL: Duration = Duration::from_secs(5);
/// The largest certificate or key file that is read: a bundle of a few hundred authorities.
pub const TLS_FILE_BYTES_MAX: u64 = MIB as u64;

/// How often a connection looks at least whether its peer's certificate has ended: the wall clock, by which certificates
/// end, may be set.
pub const CERTIFICATE_LOOK_MAX: Duration = Duration::from_secs(60 * 60);

/// How long a connection may take to end whose peer no authority vouches for any more: for what was asked before.
pub const DISOWNED_MAX: Duration = Duration::from_secs(2);

/// How long a peer may wait for its turn of a handshake. Ours dial anew after [`DialTimeouts::total`].
pub const HANDSHAKE_WAIT_MAX: Duration = Duration::from_secs(30);

/// How long a connection lasts at a door for strangers: one question and its answer.
pub const STRANGER_CONNECTION_MAX: Duration = Duration::from_secs(30);

/// How long accepting pauses after the system refused to give a descriptor or memory, instead of spinning.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(250);

/// How often the log says that the connection limit is reached: peers without a certificate can cause that line.
pub const REFUSAL_LOG_INTERVAL: Duration = Duration::from_secs(60);

/// One peer holds at most one part in so many of the connections, and of the agents' sessions.
pub const SHARE_DIVISOR: usize = 4;
/// But always so many: a cluster has several agents, and a few more while they are replaced.
pub const SHARE_MIN: usize = 64;

/// Of what is bounded by the second, so many seconds' worth can be had at once by who has been quiet.
pub const RATE_BURST_SECONDS: NonZeroU32 = NonZeroU32::new(20).unwrap();

/// What one listener takes. The default is what a hub needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections at once; one more is closed at once. Each costs a file descriptor and some 30 KiB.
    pub connections_max: usize,
    /// TLS handshakes at once: they cost the most CPU, so after an outage they queue instead of starving live streams.
    pub handshakes_max: usize,
    /// Connections a second from one address, before TLS; many at once are let through
    /// ([`RATE_BURST_SECONDS`]), so that a fleet behind one address comes back after an outage. 0 bounds nothing.
    pub connections_per_second: u32,
    /// How long one handshake may take.
    pub handshake_timeout: Duration,
    /// How long a peer may stay connected before its first request.
    pub first_request_timeout: Duration,
    /// How long a stop waits for streams to end before it cuts them.
    pub drain_timeout: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections_max: 16_000,
            handshakes_max: 256,
            connections_per_second: 500,
            handshake_timeout: Duration::from_secs(10),
            first_request_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// What a listener for one plain page takes: it is for a scraper or two and a person with a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlainLimits {
    /// Connections at once; one more is closed at once. Each serves one request and ends.
    pub connections_max: usize,
    /// How long the head of the request may take to come.
    pub head_timeout: Duration,
    /// How long the connection may take as a whole: a peer that does not read its answer is cut.
    pub connection_timeout: Duration,
    /// How long an answer on its way may take after the stop.
    pub drain_timeout: Duration,
}

impl Default for PlainLimits {
    fn default() -> Self {
        Self {
            connections_max: 64,
            head_timeout: Duration::from_secs(10),
            connection_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(1),
        }
    }
}

/// How long dialling may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DialTimeouts {
    /// One TCP connection; the next address is tried after it.
    pub connect: Duration,
    /// Everything, from the name's lookup to the peer's first HTTP/2 frame.
    pub total: Duration,
}

impl Default for DialTimeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(3), total: Duration::from_secs(10) }
    }
}

/// Addresses of one name that are tried before giving up.
pub const DIAL_ADDRESSES_MAX: usize = 8;

const MIB: usize = 1024 * 1024;
