//! Deterministic simulation of the whole federation: the real machines of hub and agent over virtual time, a virtual
//! network that fails in every way that networks do, and virtual member clusters that outlive their agents. One seed
//! decides everything that happens, so that whatever goes wrong once goes wrong again.
//!
//! It never reads a clock, draws randomness but from its seed, or opens anything.

pub mod agent_process;
mod clock;
mod extras;
pub mod faults;
pub mod happening;
pub mod hub_process;
pub mod imports;
pub mod invariants;
mod liveness;
pub mod member;
mod mix;
pub mod net;
pub mod operator;
pub mod router;
pub mod run;
pub mod scenario;
pub mod world;

pub use scenario::{Setup, app};
pub use world::World;
