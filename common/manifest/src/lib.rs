//! Kubernetes manifests and policies, parsed and validated.
