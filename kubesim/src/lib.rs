//! A small Kubernetes API server with simulated nodes, scheduler and kubelets.
