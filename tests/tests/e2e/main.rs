//! End-to-end tests: the real programs, as processes, over real sockets, TLS and the Kubernetes API.

mod agent_loss;
mod cluster_loss;
mod deletion;
mod harness;
mod hub_restart;
mod leadership;
mod weights;
