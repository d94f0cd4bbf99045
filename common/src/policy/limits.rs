//! How much a policy may say. Whoever reads one bounds its lists by these before it reads them.

use std::time::Duration;

/// The most entries by cluster, and the most names in one selector: as many as a federation has clusters.
pub const CLUSTERS_MAX: usize = 10_000;
/// The most rules by selector: each is looked at for every cluster.
pub const RULES_MAX: usize = 1_000;
/// The most tiers; more than anyone can order by hand.
pub const TIERS_MAX: usize = 64;
/// The most fallback groups; likewise.
pub const FALLBACK_MAX: usize = 64;
/// The most constraints of a spread: there are no more kinds of groups to nest.
pub const SPREAD_MAX: usize = 4;
/// The most tolerations: as many as a cluster has taints.
pub const TOLERATIONS_MAX: usize = 64;
/// The most selectors of workloads to be near, and to be away from: each is looked up for every placement.
pub const AFFINITY_MAX: usize = 16;
/// The most selectors that order a rollout; more than anyone can order by hand.
pub const ROLLOUT_ORDER_MAX: usize = 64;
/// The longest that a rollout may wait for progress in one cluster.
pub const PROGRESS_DEADLINE_MAX: Duration = Duration::from_secs(24 * 3600);
/// And the shortest: pods take their time.
pub const PROGRESS_DEADLINE_MIN: Duration = Duration::from_secs(1);
/// The most values of any other list.
pub const VALUES_MAX: usize = 1_000;
/// The most rules about what is different in some clusters: each is looked at for every object in every cluster.
pub const OVERRIDES_MAX: usize = 64;
/// The most operations of one of them.
pub const PATCH_MAX: usize = 64;
/// The most that all of them together say, as JSON: it is written on each object.
pub const OVERRIDES_BYTES_MAX: usize = 16 * 1024;
/// The highest priority; the lowest is as far below zero.
pub const PRIORITY_MAX: i32 = 1_000;
/// The longest time that a taint is put up with, 68 years: a Kubernetes `int32`.
pub const TOLERATION_SECONDS_MAX: u32 = i32::MAX as u32;
/// The most ready replicas that a planned step may go below the total: as many as a workload may have.
pub const UNAVAILABLE_MAX: u32 = 1_000_000;
/// The longest silence before a loss. Past an hour a lost cluster is an operator's decision, and no longer a time-out's.
pub const LOST_AFTER_MAX: Duration = Duration::from_secs(3600);
/// The longest time for which a planned shrink lets those who route traffic see it. Past an hour somebody has to confirm
/// it.
pub const GATE_DELAY_MAX: Duration = Duration::from_secs(3600);
/// The shortest and the longest that replicas may not be ready before they are moved: pods need a moment to start, and past
/// a day it is an operator's decision.
pub const UNREADY_AFTER_MIN: Duration = Duration::from_secs(10);
/// See [`UNREADY_AFTER_MIN`].
pub const UNREADY_AFTER_MAX: Duration = Duration::from_secs(24 * 3600);
