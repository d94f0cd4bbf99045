//! The wire and stored formats of Godwit: generated from `godwit/**/*.proto`, never written by hand. The conversions
//! between the messages and the machines' own values check everything that comes in from the wire.

pub mod agent;
mod field;
pub mod json;
pub mod policy;
pub mod quota;

pub use field::FieldError;

/// The generated code, as it is.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used, clippy::too_many_lines)]
mod generated {
    /// `godwit.v1`: agents and operators.
    pub mod v1 {
        tonic::include_proto!("godwit.v1");
    }

    /// `godwit.agents`: what agents of one cluster ask each other.
    pub mod agents {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("godwit.agents.v1");
        }
    }

    /// `godwit.store`: what the hub keeps.
    pub mod store {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("godwit.store.v1");
        }
    }
}

pub use generated::{agents, store, v1};

/// The descriptors of the API and of all that it imports, comments included: what server reflection serves.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost_reflect::DescriptorPool;

    use super::*;

    #[test]
    fn the_description_is_of_the_api_alone() {
        let pool = DescriptorPool::decode(DESCRIPTORS).expect("valid descriptors");
        let packages: BTreeSet<String> = pool.files().map(|file| file.package_name().to_owned()).collect();
        assert_eq!(packages.into_iter().collect::<Vec<_>>(), ["godwit.v1", "google.protobuf"]);
    }
}
