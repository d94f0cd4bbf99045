//! The real agent, as a process, between a simulated cluster and a scripted hub over real mutual TLS.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

mod hub;
mod settings;
mod stage;
mod stories;
