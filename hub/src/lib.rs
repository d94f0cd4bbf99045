//! The hub's shell: it owns the clock, the store, the sockets and the configuration, and carries events to the
//! federation's machine and effects away from it. It never decides where anything runs.

mod admin;
pub mod config;
mod driver;
mod sessions;
pub mod store;
