//! Serving and dialling over real sockets and real TLS, with gRPC's own health service behind it.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

mod dialling;
mod doors;
mod fixture;
mod hostile;
mod identity;
mod reload;
mod stop;
