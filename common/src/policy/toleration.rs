//! Which taints of clusters a policy's workloads put up with, and for how long.

use crate::Taint;
use crate::pod::Toleration;

/// A toleration of a cluster's taint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClusterToleration {
    /// Which taints.
    pub taints: Toleration,
    /// For how many seconds a taint with the effect `NoExecute` is put up with; for ever if absent.
    pub seconds: Option<u32>,
}

impl ClusterToleration {
    /// For how many seconds a taint is tolerated by a list: none when it is not at all, and the last number is the
    /// longest.
    pub fn tolerated(list: &[Self], taint: &Taint) -> Option<Tolerated> {
        let fitting = list.iter().filter(|toleration| toleration.taints.tolerates(taint));
        fitting.map(|toleration| toleration.seconds.map_or(Tolerated::Forever, Tolerated::Seconds)).max()
    }
}

/// For how long a taint is put up with; the longer is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tolerated {
    /// For so many seconds from when it was added.
    Seconds(u32),
    /// For ever.
    Forever,
}
