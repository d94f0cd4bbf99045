//! The planner: given what is wanted, a policy, and what each cluster holds and has room for, how many replicas go
//! where, and why. Pure and deterministic: it does no IO, keeps no state between two questions, and never guesses;
//! what it cannot place it returns as pending, with the reasons (S14).
//!
//! - [`divide`] answers for one workload (S18, S19).
//! - [`Ledger`] keeps the room of a whole batch of workloads, so that none is counted twice (S15, I8).
//! - [`scenario::plan`] answers for clusters that are only described: a preview by the same code.

mod candidate;
mod divide;
mod ledger;
mod pod;
mod policy;
mod report;
pub mod scenario;
mod strategy;
mod webster;

pub use candidate::{Candidate, Growth, Room, tie};
pub use divide::{Division, Scratch, divide};
pub use ledger::{CLASSES_MAX, ClusterRoom, Fit, Ledger};
pub use pod::{PodShape, Toleration};
pub use policy::{
    GRADUAL_STEP_PERCENT, Mismatch, Policy, REPLICAS_MAX, Rebalance, Rule, RuleError, WEIGHT_MAX,
};
pub use report::{Barrier, Bound, Cap, Scarce, Share};
pub use strategy::{Strategy, Tiers, TiersError};
