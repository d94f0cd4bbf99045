//! What the members keep for a hub that has lost its store (S10).

use std::sync::Arc;

use crate::{Epoch, ObjectKey, PolicyName, Uid, WorkloadId};

/// What was asked for of a workload, over all clusters. It travels with the workload's rows and is kept on its objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charter {
    /// The total.
    pub replicas: u32,
    /// The policy in force.
    pub policy: PolicyName,
    /// The workload's age (S16).
    pub number: u64,
    /// The workload whose clusters it shares.
    pub leader: Option<WorkloadId>,
    /// The objects that it leans on, at most [`super::CHARTER_OBJECTS_MAX`]: the same application brought them.
    pub objects: Vec<(Uid, ObjectKey)>,
    /// Whether the pods of its newest revision have a supervisor (S9).
    pub supervised: bool,
    /// When it was written, by the hub's own count: the epoch, and the number of the next entry of its journal.
    pub written: (Epoch, u64),
}

/// What a cluster holds, told to a hub that has asked for all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recalled {
    /// One object of it.
    Object(RecalledObject),
    /// That was all.
    End,
}

/// A managed object, as it was applied last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecalledObject {
    /// Which.
    pub key: ObjectKey,
    /// The life that it was applied for.
    pub uid: Uid,
    /// The revision of its manifest.
    pub revision: u64,
    /// How much higher the ordinals of a StatefulSet begin than the manifest says (S32).
    pub ordinals: u32,
    /// The manifest; none if the hub has said that it has it, or if it is not kept on the object.
    pub manifest: Option<Arc<str>>,
    /// Of a workload, if one is kept on the object.
    pub charter: Option<Arc<Charter>>,
}
