//! The real agent, as a process, between a cluster and a scripted hub over real mutual TLS. The cluster is simulated; what is
//! in `any_server`, `custom` and `scaled` is tried on real API servers as well, where `GODWIT_TEST_KUBECONFIGS` names some.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

mod any_server;
mod custom;
mod forgotten;
mod hub;
mod impersonating;
mod scaled;
mod servers;
mod settings;
mod stage;
mod stories;
