//! The vocabulary that hub and agent share: names, epochs, time as a value, resources, targets' digest.
//! Pure: it never reads a clock, a file, a socket or a source of randomness.

pub mod backoff;
pub mod bounds;
pub mod digest;
pub mod extended;
pub mod fence;
pub mod kind;
pub mod label;
pub mod link;
pub mod name;
pub mod need;
pub mod pod;
pub mod policy;
pub mod qualified;
pub mod quota;
pub mod resources;
pub mod rng;
pub mod scenario;
pub mod selector;
pub mod tally;
pub mod text;
pub mod time;
pub mod traits;

pub use digest::{Digest, stable_hash};
pub use extended::{ExtendedNameError, extended_name};
pub use fence::{Epoch, Fence, Generation, Term};
pub use kind::WorkloadKind;
pub use name::{ClusterName, NameError, ObjectKey, PolicyName, Uid, WorkloadId};
pub use need::{Need, NeedStatus};
pub use pod::{PodShape, Toleration};
pub use resources::{NodeClass, Resources, Taint, TaintEffect};
pub use tally::Tally;
pub use time::{Now, Time, WallTime};
pub use traits::Traits;
