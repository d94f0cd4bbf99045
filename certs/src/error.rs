//! What can go wrong with certificates, keys and their files.

use std::io;
use std::path::PathBuf;

/// Why a certificate could not be made, kept or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file or folder could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The authority's files are there, but cannot be used.
    #[error("the certificate authority in {} cannot be used: {reason}", path.display())]
    Authority {
        /// The certificate or key that is wrong.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A certificate signing request is refused.
    #[error("the certificate signing request is refused: {reason}")]
    Request {
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A hub's certificate needs at least one name that its clients dial.
    #[error(
        "a hub's certificate needs at least one server name: give the DNS names or IP addresses that agents dial"
    )]
    NoServerName,
    /// A server name is neither a DNS name nor an IP address.
    #[error("server name {value:?} is not valid: it must be a DNS name without wildcards, or an IP address")]
    ServerName {
        /// The name as it was given.
        value: String,
    },
    /// The validity does not fit into a certificate.
    #[error("a validity of {days} days is not usable: it must be between one second and 100 years")]
    Validity {
        /// The validity that was asked for.
        days: u64,
    },
    /// The system gave no randomness.
    #[error("the system's random number generator failed")]
    Random,
    /// A key or certificate could not be generated.
    #[error("cannot generate a key or certificate")]
    Generate(#[from] rcgen::Error),
}
