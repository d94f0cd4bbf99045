//! What a workload needs of a cluster besides room.

use std::fmt;
use std::sync::Arc;

use crate::ObjectKey;

/// Something that must be in a cluster before a workload is, and that the application does not bring along.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// The API server serves a kind that the manifests use.
    Kind {
        /// The group and version.
        api_version: Arc<str>,
        /// The kind.
        kind: Arc<str>,
    },
    /// The API server serves a kind with a subresource `scale`, as a custom resource needs it that is a workload (S33).
    Scalable {
        /// The group and version.
        api_version: Arc<str>,
        /// The kind.
        kind: Arc<str>,
    },
    /// An object that the pods name: a pull secret, a service account, a class of storage, priority, runtime or ingress.
    Object(ObjectKey),
    /// The object of a workload of which only the count is Godwit's: whoever else makes it has made it, and marked it (S33).
    Given(ObjectKey),
}

/// Whether a cluster has what is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeedStatus {
    /// What.
    pub need: Need,
    /// Whether it is there. What its agent may not look at counts as there.
    pub met: bool,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind { api_version, kind } => write!(f, "the kind {kind} of {api_version}"),
            Self::Scalable { api_version, kind } => {
                write!(f, "the kind {kind} of {api_version} with a subresource scale")
            }
            Self::Object(key) => key.fmt(f),
            Self::Given(key) => write!(f, "{key} from GitOps"),
        }
    }
}
