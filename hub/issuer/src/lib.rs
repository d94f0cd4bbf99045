//! What a cluster says of its pods: the keys of its service-account issuer, and the tokens that these sign. It reads no clock,
//! file or network, and knows no cluster: which keys are a cluster's own, and what somebody may do who shows such a token, is
//! for others to say.

mod issuer;
mod keys;
mod token;

pub use issuer::{Issuer, IssuerError, URL_BYTES_MAX};
pub use keys::{KEYS_BYTES_MAX, KEYS_MAX, Keys, KeysError};
pub use token::{Expected, LEEWAY_SECS, LIFETIME_SECS_MAX, Proven, TOKEN_BYTES_MAX, TokenError};
