//! What the binaries share of input and output: mutual TLS with hot reload, serving and dialling gRPC, plain pages,
//! health, telemetry, shutdown, files that survive a crash. It knows who a peer is; what the peer may do is never decided here.

mod accept;
pub mod dial;
pub mod health;
pub mod limits;
pub mod plain;
pub mod rates;
mod revocations;
pub mod serve;
pub mod shares;
pub mod shutdown;
mod socket;
pub mod telemetry;
pub mod tls;

// It lives with the certificates because they need it first, and this package already depends on them.
pub use godwit_certs::atomic_file;
pub use revocations::Revocations;
