//! IO helpers of the binaries.
