//! What hub and agent say to each other, as plain values: the machines of both sides speak these, `proto` carries
//! them over the wire, the simulator carries them over its virtual network.
//!
//! State, not commands (S25): a [`Targets`] says what a cluster shall hold, whole or as the difference from a known
//! generation; a [`Report`] says what it holds. Losing, repeating or reordering either leads to the same end.

mod down;
mod rows;
mod up;

pub use down::{Down, Refusal, RefusalCode, Welcome};
pub use rows::{ObjectTarget, Targets, Tombstone, Tombstoned, WorkloadTarget, rows_digest};
pub use up::{Alarm, Capacity, Hello, LeaderTerm, Leadership, Region, Report, Status, Up, VersionRange};

/// The protocol versions that this build speaks; a session uses the highest that both sides know.
pub const VERSIONS: VersionRange = VersionRange { oldest: 1, newest: 1 };
/// The most node classes of one capacity report.
pub const NODE_CLASSES_MAX: usize = 64;
/// The most rows of one kind in one message; a larger state is sent as several messages.
pub const ROWS_MAX: usize = 10_000;
