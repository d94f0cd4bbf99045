//! What the machine knows: durable records, and beside them what is learned again after every start.

mod cluster;
mod seat;
mod workload;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::bounds::Totals;
use godwit_common::{ClusterName, Uid};

use crate::contract::{ObjectRecord, ObjectRow, Policy};

pub(crate) use cluster::{Cluster, Leader, Session, Standby};
pub(crate) use seat::{Data, Progress, SeatState, Seen};
pub(crate) use workload::Workload;

/// An object that workloads lean on.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    /// Durable.
    pub(crate) record: ObjectRecord,
    /// By cluster; durable.
    pub(crate) rows: BTreeMap<ClusterName, ObjectRow>,
    /// What is different there, where anything is.
    pub(crate) overrides: BTreeMap<ClusterName, Arc<str>>,
    /// The workloads that lean on it.
    pub(crate) users: BTreeSet<Uid>,
    /// What somebody changes of it by hand in a member is left, as far as clusters were told (S29).
    pub(crate) tolerates: bool,
    /// What of its manifest is a total over all clusters.
    pub(crate) totals: Option<Totals>,
    /// Those of its users whose replicas that bounds.
    pub(crate) bounds: BTreeSet<Uid>,
}

/// A policy and who uses it.
#[derive(Debug, Clone)]
pub(crate) struct PolicyState {
    /// Durable.
    pub(crate) policy: Policy,
    /// The workloads under it.
    pub(crate) users: BTreeSet<Uid>,
}

/// The order in which workloads are served: the policy's priority, then age (S16).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    pub(crate) priority: std::cmp::Reverse<i32>,
    pub(crate) number: u64,
    pub(crate) uid: Uid,
}

impl Object {
    /// An object as it is right after its record was written or loaded.
    pub(crate) fn new(record: ObjectRecord) -> Self {
        let (rows, users, bounds) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { record, rows, overrides: BTreeMap::new(), users, tolerates: false, totals: None, bounds }
    }
}
