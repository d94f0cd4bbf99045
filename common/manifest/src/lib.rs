//! Kubernetes manifests and Godwit policies: turns text into values, with errors that say where, what and how to mend
//! it. It never reads a file, a socket or a clock, and never decides where anything runs.
//!
//! What Godwit itself interprets (replicas, selectors, requests, names) is checked as strictly as an API server
//! would; everything else in a manifest passes through as it was written.

/// The most replicas that one workload may ask for: beyond any real fleet, far within 32 bits.
pub const MAX_REPLICAS: u32 = 1_000_000;

mod error;
mod model;
mod policy;

pub use error::{ManifestError, ManifestErrors, Position};
pub use model::{Application, Dependent, PodShape, Toleration, Workload};
pub use policy::{Amount, ClusterShare, Mode, PolicySpec, Rebalance, Return, Strategy};
