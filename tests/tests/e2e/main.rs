//! End-to-end tests: the real programs, as processes, over real sockets, TLS and the Kubernetes API.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

mod agent_loss;
mod approval;
mod backup;
mod bad_input;
mod cli;
mod cluster_loss;
mod custom;
mod degraded;
mod deletion;
mod drain;
mod drift;
mod enrolment;
mod fencing;
mod foreign_clients;
mod frozen;
mod harness;
mod hostile_members;
mod hostile_peers;
mod hub_restart;
mod identity;
mod importing;
mod installing;
mod kinds;
mod leadership;
mod maintenance;
mod mass_loss;
mod migrations;
mod network;
mod partition;
mod placement;
mod pods;
mod retire;
mod roles;
mod rollout;
mod secrets;
mod service_accounts;
mod shortage;
mod store_damage;
mod store_disk;
mod store_key;
mod store_lost;
mod traffic;
mod upgrade;
mod weights;
