//! The embedded certificate authority, and the identities its certificates carry.
//! It never talks to the network, and it trusts no name that a certificate signing request asks for.

pub mod atomic_file;
mod authority;
mod development;
mod error;
mod identity;
mod leaf;

pub use authority::{Authority, CA_VALIDITY, Issued, LEAF_VALIDITY};
pub use development::{Development, TlsFiles, mint_development};
pub use error::Error;
pub use identity::{AdminName, Identity, IdentityError};
pub use leaf::{Fingerprint, Leaf};
