//! What the tests share: federations of real processes, an operator's client, and waiting for conditions.

pub(crate) mod accounts;
mod admin;
mod census;
mod cluster;
mod federation;
mod hub;
mod kubelet;
mod manifest;
mod netns;
mod process;
mod relay;
mod tools;
mod wait;
mod witness;

pub(crate) use admin::Admin;
pub(crate) use census::Census;
pub(crate) use cluster::{Cluster, ClusterSpec, client};
pub(crate) use federation::{Builder, Federation, targets};
pub(crate) use kubelet::Kubelet;
pub(crate) use manifest::{Deployment, policy};
pub(crate) use netns::{Network, Way};
pub(crate) use process::{Process, Signal, program};
pub(crate) use tools::tool;
pub(crate) use wait::{wait_for, within};
pub(crate) use witness::{Witness, is_ready, ready, wanted};
