//! What a policy says: how the hub divides and moves a workload's replicas.

mod affinity;
mod gate;
mod mistakes;
mod motion;
mod overrides;
mod rollout;
mod rule;
mod selector;
mod spec;
mod spread;
mod strategy;

use std::time::Duration;

use godwit_common::PolicyName;
use godwit_common::policy::Policy;

pub(crate) use spec::{Spec, read};

/// A policy as its author wrote it, with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySpec {
    /// Its name.
    pub name: PolicyName,
    /// Which clusters, how replicas are divided over them, and what moves.
    pub placement: Policy,
    /// How long a cluster may be silent before its replicas are replaced (S1); the hub's own setting if it is not said.
    pub lost_after: Option<Duration>,
}
