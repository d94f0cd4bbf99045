//! Kubernetes manifests and Godwit's policies, quotas and scenarios: turns text into values, with errors that say where, what and how to mend
//! it. It never reads a file, a socket or a clock, and never decides where anything runs.
//!
//! What Godwit itself interprets (replicas, selectors, requests, names) is checked as strictly as an API server
//! would; everything else in a manifest passes through as it was written.

mod application;
mod canonical;
mod catalog;
mod custom;
mod dependent;
pub mod duration;
mod error;
mod field;
mod godwit;
mod hint;
mod labels;
mod metadata;
mod model;
mod needs;
mod node;
mod node_affinity;
pub mod overrides;
mod pod;
mod policies;
mod policy;
mod quantity;
mod quotas;
mod references;
mod requests;
mod scalar;
mod scale_only;
mod scenario;
mod selector;
mod separate;
mod source;
pub mod supervisor;
pub mod told;
mod toleration;
mod totals;
mod workload;
mod yaml;

pub use application::{MAX_OBJECTS, parse_application, parse_application_in};
pub use canonical::{as_manifest, canonical_json};
pub use error::{MAX_ERRORS, ManifestError, ManifestErrors, Position};
pub use model::{Application, Dependent, Workload};
pub use needs::MAX_NEEDS;
pub use policies::parse_policies;
pub use policy::PolicySpec;
pub use quantity::{Quantity, QuantityError};
pub use quotas::{QuotaSpec, parse_quotas};
pub use scenario::parse_scenario;
pub use separate::{Separated, separate};
pub use source::{MAX_DEPTH, MAX_DOCUMENTS, MAX_TEXT_BYTES};
pub use totals::{read_pod_labels, read_totals, with_totals};

/// The most replicas that one workload may ask for: beyond any real fleet, far within 32 bits.
pub const MAX_REPLICAS: u32 = 1_000_000;

/// The annotation by which a workload names its policy.
pub const POLICY_ANNOTATION: &str = "godwit.dev/policy";

/// The annotation that makes a custom resource a workload, with the value `true`: its kind has a subresource `scale`.
pub const WORKLOAD_ANNOTATION: &str = "godwit.dev/workload";

/// The label of a workload that says how much of it is Godwit's: [`SCALE_ONLY`], or all of it without the label.
pub const MODE_LABEL: &str = "godwit.dev/mode";

/// Only the count is Godwit's: the object is GitOps' to make, to change and to delete.
pub const SCALE_ONLY: &str = "scale-only";

/// The annotation that says the total where `spec.replicas` does not.
pub const REPLICAS_ANNOTATION: &str = "godwit.dev/replicas";
