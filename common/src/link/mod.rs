//! What hub and agent say to each other, as plain values: the machines of both sides speak these, `proto` carries
//! them over the wire, the simulator carries them over its virtual network.
//!
//! State, not commands (S25): a [`Targets`] says what a cluster shall hold, whole or as the difference from a known
//! generation; a [`Report`] says what it holds. Losing, repeating or reordering either leads to the same end.

mod charter;
mod down;
mod rows;
mod up;

pub use charter::{Charter, Recalled, RecalledObject};
pub use down::{Down, Refusal, RefusalCode, Summons, Welcome};
pub use rows::{ObjectTarget, Original, Targets, Tombstone, Tombstoned, WorkloadTarget, rows_digest};
pub use up::{
    Alarm, Capacity, Difference, Edit, Finished, Hello, LeaderTerm, Leadership, Region, Report, Status,
    Unmanaged, Up, VersionRange,
};

/// The protocol versions that this build speaks; a session uses the highest that both sides know.
pub const VERSIONS: VersionRange = VersionRange { oldest: 1, newest: 1 };

// Bounds of a message. The sender keeps to them, by cutting or by splitting; the receiver refuses what exceeds them.

/// The most rows of one kind in one message; a larger state is sent as several messages.
pub const ROWS_MAX: usize = 10_000;
/// The most node classes of one capacity report.
pub const NODE_CLASSES_MAX: usize = 64;
/// The most labels, and the most taints, of one node class.
pub const CLASS_ENTRIES_MAX: usize = 64;
/// The most extended resources of one set of resources.
pub const EXTENDED_RESOURCES_MAX: usize = 64;
/// The most replicas, pods or nodes that a message counts, beyond any real cluster (Kubernetes is built for 150,000
/// pods). What exceeds it, such as a `spec.replicas` edited by hand, is reported as this many.
pub const COUNT_MAX: u32 = 1_000_000;
/// The most needs of one workload: its kinds and classes are a handful, and each pull secret is one.
pub const NEEDS_MAX: usize = 64;
/// The most agents that stand by and are called at once.
pub const SUMMONED_MAX: usize = 16;
/// The most objects that the charter of a workload names.
pub const CHARTER_OBJECTS_MAX: usize = 256;
/// The most zones of one cluster; the largest regions of any provider have fewer than ten.
pub const ZONES_MAX: usize = 64;
/// The most label keys that are said to be left out of node classes. Nodes carry some dozens.
pub const MIXED_LABELS_MAX: usize = 256;
/// The most owners of unmanaged pods that are named: enough to know what to look for.
pub const UNMANAGED_MAX: usize = 20;
/// The longest text meant for people (a status's problem, a refusal's message), in bytes.
pub const TEXT_MAX: usize = 1024;
/// The longest build of an agent, in bytes.
pub const BUILD_MAX: usize = 64;
/// The longest manifest, in bytes of JSON: what a Kubernetes API server stores at most (etcd's 1.5 MiB).
pub const MANIFEST_MAX: usize = 1536 * 1024;
/// The longest text that says what is different from a manifest in one cluster, in bytes of JSON: all rules of a policy, and
/// what stands between them.
pub const OVERRIDES_MAX: usize = crate::policy::limits::OVERRIDES_BYTES_MAX + 1024;
