//! The embedded certificate authority, and the identities its certificates carry.
//! It never talks to the network, and it trusts no name that a certificate signing request asks for.

pub mod atomic_file;
mod authority;
mod development;
mod error;
pub mod hex;
mod identity;
mod leaf;
mod ledger;
mod pin;
mod request;
mod revoked;
mod token;

pub use authority::{Authority, CA_VALIDITY, Issued, LEAF_VALIDITY};
pub use development::{Development, TlsFiles, mint_development};
pub use error::Error;
pub use identity::{AdminName, Identity, IdentityError};
pub use leaf::{Fingerprint, Leaf, Serial, SerialError};
pub use ledger::{Beside, Holder, Ledger, LedgerError, OutOfTurn, Signed, Step, seconds};
pub use pin::Pin;
pub use request::KeyRequest;
pub use revoked::Revoked;
pub use token::{JoinToken, LoginToken, LoginTokenError, SECRET_BYTES, TokenError};
