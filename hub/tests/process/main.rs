//! The hub as a process: real TLS, real sockets, a real store, and agents that speak the protocol.

mod access;
mod agent;
mod audit;
mod deploying;
mod federation;
mod input;
mod lifecycle;
mod limits;
mod marks;
mod metrics;
mod migrating;
mod quotas;
mod roles;
mod routing;
mod skew;
mod watching;
mod webhook;
mod whatif;
