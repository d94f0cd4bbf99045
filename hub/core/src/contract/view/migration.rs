//! Migrations, as they are shown.

use std::borrow::Cow;

use godwit_common::{ClusterName, WallTime, WorkloadId};

use crate::contract::{Migration, MigrationState};

/// A migration.
#[derive(Debug, Clone, PartialEq)]
pub struct MigrationView {
    /// The record.
    pub migration: Migration,
    /// Its state; that of a drain's is paused as long as the drain stands still.
    pub state: MigrationState,
    /// Why nothing of it goes on, and the remedy; empty if it does, or has ended.
    pub halted: String,
    /// How many replicas move.
    pub replicas: u32,
    /// How many of them run ready in their new place.
    pub replicas_ready: u32,
    /// Of how many workloads.
    pub workloads: u32,
    /// How many of these are ready in their new places.
    pub workloads_ready: u32,
    /// When it ends if it goes on as fast as since it began or was resumed; none before the first replica is ready, and
    /// while it stands still.
    pub estimated_end: Option<WallTime>,
    /// What it still waits for, of the first workloads.
    pub waiting: Vec<ArrivalView>,
}

/// What a migration waits for in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrivalView {
    /// Which workload.
    pub id: WorkloadId,
    /// Where.
    pub cluster: ClusterName,
    /// How many replicas of it are not ready there.
    pub missing: u32,
    /// Why not.
    pub reason: Cow<'static, str>,
}
