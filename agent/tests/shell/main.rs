//! The real agent, as a process, between a simulated cluster and a scripted hub over real mutual TLS.

mod hub;
mod settings;
mod stage;
mod stories;
