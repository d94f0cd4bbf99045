//! End-to-end tests: the real programs, as processes, over real sockets, TLS and the Kubernetes API.

mod agent_loss;
mod bad_input;
mod cli;
mod cluster_loss;
mod deletion;
mod foreign_clients;
mod frozen;
mod harness;
mod hostile_peers;
mod hub_restart;
mod identity;
mod leadership;
mod mass_loss;
mod partition;
mod store_damage;
mod weights;
