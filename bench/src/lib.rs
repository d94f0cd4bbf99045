//! Benchmarks, as ratios against a named baseline.
