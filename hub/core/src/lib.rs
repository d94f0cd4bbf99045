//! The federation: one synchronous state machine that decides everything the hub does. It has no clock, no sockets, no
//! files and no randomness of its own; `hub` owns those, `tests/sim` replaces them.
//!
//! Where to look: [`Hub::step`] dispatches; `sessions` knows who speaks, `fences` under whose authority, `liveness`,
//! `mass_loss` and `flapping` who is lost, `expulsion` who is thrown out, and what that means, `traits` what clusters are like, `reports` what runs,
//! `placement`, `batch`, `ask`, `candidates` and `missing` where replicas go, `whole` and `volumes` what is not divided, or stays with its data, `destinations` where a drain sends them, `returns` what goes back,
//! `bonds` what they have to be near, `quotas` how many there may be, `mover`, `surge`, `at_most` and `grants` when they
//! start and stop, `migrations` which moves belong together, `holds` what of them is paused, `rows` and `ends` what each cluster is
//! told, `outgoing` what leaves, `revisions` what was deployed, `rollouts` how it gets everywhere, `commands` what
//! operators want, `restore` how a restart begins, `recovery`
//! how what the store has lost is learned from the members, `charters` what they keep for that.

mod ask;
mod at_most;
mod batch;
mod bonds;
mod bounds;
mod candidates;
mod changes;
mod charters;
mod commands;
mod config;
mod contract;
mod destinations;
mod drains;
mod drift;
mod edits;
mod ends;
mod estimates;
mod exports;
mod expulsion;
mod fences;
mod flapping;
mod gates;
mod grants;
mod holds;
mod hub;
mod jobs;
mod journal;
mod liveness;
mod maintenance;
mod mass_loss;
mod migrations;
mod missing;
mod mover;
mod ordinals;
mod outgoing;
mod overrides;
mod parts;
mod placement;
mod preempt;
mod progress;
mod quotas;
mod recovery;
mod reports;
mod restore;
mod retire;
mod returns;
mod revisions;
mod rollouts;
mod rows;
mod sessions;
mod shared;
mod standbys;
mod state;
mod surge;
mod survival;
mod tally;
#[cfg(test)]
mod tests;
mod traits;
mod views;
mod volumes;
mod whatif;
mod whole;

pub use config::{Alike, CheckOverrides, Config, Read, ReadPodLabels, ReadTotals, Reader, WithTotals};
pub use contract::*;
pub use godwit_common::policy::{DEFAULT_POLICY, STATEFUL_POLICY};
pub use hub::Hub;
pub use restore::RestoreError;
