//! The wire and stored formats of Godwit: generated from `godwit/**/*.proto`, never written by hand. The conversions
//! between the agent's messages and the machines' own values check everything that comes in from the wire.

pub mod agent;
pub mod json;

/// The generated code, as it is.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used, clippy::too_many_lines)]
mod generated {
    /// `godwit.v1`: agents and operators.
    pub mod v1 {
        tonic::include_proto!("godwit.v1");
    }

    /// `godwit.store`: what the hub keeps.
    pub mod store {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("godwit.store.v1");
        }
    }
}

pub use generated::{store, v1};

/// Every descriptor of the protocol, comments included: what server reflection serves.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
