//! The planner: given what is wanted, a policy, and what each cluster holds and has room for, how many replicas go
//! where, and why. Pure and deterministic: it does no IO, keeps no state between two questions, and never guesses;
//! what it cannot place it returns as pending, with the reasons (S14).
//!
//! - [`Choices`] is what a policy makes of each cluster; [`divide`] answers for one workload (S18, S19).
//! - [`Turns`] answers where only a few replicas are missing, from those alone; it is the same answer.
//! - [`ClusterRoom`] is the room of a cluster for a whole batch of workloads, so that none is counted twice (S15, I8).
//! - [`scenario::plan`] answers for clusters that are only described: a preview by the same code.

mod candidate;
mod choices;
mod divide;
mod explain;
mod fallback;
mod groups;
mod missing;
mod report;
mod room;
pub mod scenario;
mod strategy;
mod taints;
mod webster;

pub use candidate::{Candidate, Growth, Room, Tie};
pub use choices::{Choice, Choices};
pub use divide::{Demand, Division, Scratch, divide};
pub use explain::bounds;
pub use missing::{Entrant, Turns};
pub use report::{Barrier, Bound, Cap, Scarce, Share};
pub use room::{CLASSES_MAX, ClusterRoom, Fit};
pub use strategy::room_that_matters;
pub use taints::{Stance, stance, taint_text};
