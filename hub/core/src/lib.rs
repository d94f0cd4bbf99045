//! The federation: one synchronous state machine that decides everything the hub does. It has no clock, no sockets, no
//! files and no randomness of its own; `hub` owns those, `tests/sim` replaces them.

mod config;
mod contract;

pub use config::Config;
pub use contract::*;
