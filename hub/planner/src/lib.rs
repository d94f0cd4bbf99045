//! Divides replicas over clusters.
