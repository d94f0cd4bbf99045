//! `deploy/`: what is said there of Kubernetes is true of Kubernetes, of Helm and kustomize alike, and of our programs.

mod applied;
mod helm;
mod images;
mod manifests;
mod rules;
mod running;
mod typed;
