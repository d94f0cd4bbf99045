//! From the hub to the agent.

use std::sync::Arc;
use std::time::Duration;

use super::Targets;
use crate::{Epoch, Uid};

/// A message of the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Down {
    /// The session is on: its witness counts.
    Welcome(Welcome),
    /// Enough agents of this cluster are connected (S24): come back later.
    Standby {
        /// When to try again.
        retry_after: Duration,
    },
    /// What the cluster shall hold; only to the agent that leads.
    Targets(Arc<Targets>),
    /// The cluster's lease is renewed (S9): it counts from when the renewal of this number was sent.
    Grant {
        /// Which renewal this answers.
        number: u64,
        /// How long the lease stands.
        lease: Duration,
    },
    /// The hub has lost its store, or has an older one: it asks for all that the cluster holds (S10); only of the agent
    /// that leads. It has the manifests of these revisions, at most [`super::ROWS_MAX`].
    Recall(Arc<[(Uid, u64)]>),
    /// Another hub leads: go there.
    Redirect {
        /// Its addresses, `host:port`.
        addresses: Vec<Arc<str>>,
    },
    /// Agents that stand by are wanted: to be told to them through their own cluster (S24).
    Summons(Summons),
    /// The session ends for a reason that the agent's operator must mend.
    Refusal(Refusal),
    /// The hub ends on purpose and expects to be back soon.
    Goodbye {
        /// When to try again.
        retry_after: Duration,
    },
}

/// The terms of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Welcome {
    /// The protocol version of the session.
    pub version: u32,
    /// Which federation speaks.
    pub federation: Uid,
    /// Its epoch.
    pub epoch: Epoch,
    /// How often a sign of life is wanted (S2).
    pub heartbeat: Duration,
}

/// Agents of one cluster that stand by, and are wanted as witnesses (S24).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summons {
    /// The epoch of the hub that calls, and how often it called before: the greater is the newer.
    pub epoch: Epoch,
    /// See `epoch`.
    pub number: u64,
    /// Their instances, at most [`super::SUMMONED_MAX`].
    pub agents: Vec<Arc<str>>,
}

impl Summons {
    /// What is greater in a newer one.
    pub fn order(&self) -> (Epoch, u64) {
        (self.epoch, self.number)
    }
}

/// Why a session cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub code: RefusalCode,
    /// For people: what is wrong, and the remedy.
    pub message: Arc<str>,
    /// When it makes sense to try again.
    pub retry_after: Duration,
}

/// The kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefusalCode {
    /// No protocol version in common.
    Version,
    /// The cluster belongs to another federation (S10).
    Federation,
    /// The name is known under another cluster UID (S23).
    ClusterUid,
    /// The cluster was deleted from the federation.
    Deleted,
    /// The agent broke the protocol.
    Protocol,
    /// The hub has all it can bear for now.
    Busy,
}
