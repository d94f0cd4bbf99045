//! Certificates and identities.
