//! What a workload consists of, for whoever wants to see it.

use std::sync::Arc;

use godwit_common::bounds::Bounds;
use godwit_common::{ClusterName, ObjectKey};

/// What a workload consists of, cluster by cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartsView {
    /// In order of name.
    pub clusters: Vec<ClusterParts>,
    /// One that was asked for, and has no row of the workload.
    pub absent: Option<ClusterName>,
    /// There are others after the last.
    pub more: bool,
}

/// What a workload consists of in one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterParts {
    /// Which.
    pub cluster: ClusterName,
    /// The revision that it was told to run.
    pub revision: u64,
    /// What goes ahead of the workload, and then that.
    pub parts: Vec<Part>,
}

/// An object, and what one cluster was told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Which.
    pub key: ObjectKey,
    /// As it was handed over.
    pub manifest: Arc<str>,
    /// What is different there; may be empty.
    pub overrides: Arc<str>,
    /// Of a workload: how many of it run there.
    pub replicas: Option<u32>,
    /// See [`super::Seat::ordinals`].
    pub ordinals: u32,
    /// See [`super::ObjectRow::bounds`].
    pub bounds: Bounds,
}
