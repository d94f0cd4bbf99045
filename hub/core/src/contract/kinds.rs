//! How a workload's kind and its policy together decide where it may be (S32, S33).

use godwit_common::link::{Tombstoned, WorkloadTarget};
use godwit_common::policy::{Data, Policy};
use godwit_common::{Uid, WorkloadKind};

use super::{Seat, WorkloadSpec};

impl WorkloadSpec {
    /// Its kind.
    pub fn kind(&self) -> WorkloadKind {
        WorkloadKind::of(&self.id)
    }

    /// What is to become of it in a cluster where its life ends.
    pub(crate) fn tombstone(&self) -> Tombstoned {
        let (workload, api_version) = (self.id.clone(), self.api_version.clone());
        match self.scale_only {
            true => Tombstoned::Scaled { workload, api_version },
            false => Tombstoned::Workload { workload, api_version },
        }
    }

    /// Whether all of it is in one cluster.
    pub fn is_whole(&self, policy: &Policy) -> bool {
        let kind = self.kind();
        kind.single() || (kind.ordered() && !policy.divide)
    }

    /// Whether all of it ends in one cluster before any of it starts in another: its replicas have names, or it has to run
    /// once, so that being few enough does not suffice.
    pub fn moves_at_once(&self, policy: &Policy) -> bool {
        self.kind().single() || (self.is_whole(policy) && policy.motion.is_at_most())
    }

    /// Whether its volumes keep it in the clusters where it is.
    pub fn is_pinned(&self, policy: &Policy) -> bool {
        self.claims && policy.data == Data::Keep
    }

    /// Whether it leaves a cluster only when that one is to hold nothing any more: for being unready, for want of room or
    /// for somebody else it does not.
    pub fn is_settled(&self, policy: &Policy) -> bool {
        self.is_whole(policy) || self.is_pinned(policy)
    }
}

impl Seat {
    /// The row's part of its cluster's digest, if that is what is different there.
    pub fn hash(&self, workload: Uid, overrides: &str) -> u64 {
        WorkloadTarget::hash_of(workload, self.revision, self.target, self.ordinals.unwrap_or(0), overrides)
    }
}
