//! Why a TLS configuration cannot be built: always the file, and what to do about it.

use std::io;
use std::path::PathBuf;

use godwit_certs::IdentityError;

/// Why a TLS configuration cannot be built from its files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read the {role} file {}", path.display())]
    Read {
        /// What the file is for.
        role: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is larger than any certificate or key.
    #[error("the {role} file {} is larger than 1 MiB: it must hold PEM", path.display())]
    TooLarge {
        /// What the file is for.
        role: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A file is not what it should be.
    #[error("the {role} file {} cannot be used: {reason}", path.display())]
    Content {
        /// What the file is for.
        role: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The certificate carries no identity.
    #[error("the certificate file {} carries no Godwit identity", path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: IdentityError,
    },
}
