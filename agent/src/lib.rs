//! The Godwit agent.
