//! The Godwit hub.
