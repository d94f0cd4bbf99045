//! Deterministic simulation of hub and agents.
