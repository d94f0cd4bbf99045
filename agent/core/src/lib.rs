//! The agent's decisions, as one state machine without input or output of its own: how it reaches the hub, when it
//! leads its cluster, which targets it accepts, in which order it writes them, and what it reports.
//!
//! It never reads a clock, opens a socket, calls Kubernetes or draws randomness: [`Agent`] states the contract.

mod agent;
mod capacity;
mod config;
mod corrections;
mod cx;
mod effect;
mod event;
mod fence;
mod grants;
mod judge;
pub mod labels;
mod leadership;
mod link;
mod member;
mod needs;
mod outbox;
mod recall;
mod remover;
mod report;
mod rows;
mod schedule;
mod summons;
mod view;
mod writer;

pub use agent::Agent;
pub use config::Config;
pub use effect::{Apply, AskId, Call, Effect, LeaseWrite, Log, OpId, Scope, SessionId, WatchId};
pub use event::{CallError, Change, Event, Reply};
pub use member::{
    Fault, FenceRecord, FenceSeen, Identity, Kind, LeaseSeen, NeedSeen, NodeSeen, ObjectSeen, PodPhase,
    PodSeen, Progress, Stamp, SummonsSeen,
};
