//! What an operator may tune for the whole federation. Every default is the one of the rule that it belongs to.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use godwit_common::ObjectKey;
use godwit_common::bounds::{Bounds, Totals};
use godwit_common::selector::Labels;

use crate::contract::{Role, Roles, WorkloadSpec};

/// The settings of the machine. Durations count on the hub's own monotonic clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The store is empty, or older than the federation, and an operator has said so: the view is rebuilt from what the
    /// members hold (S10).
    pub recover: bool,
    /// Who may do what beside what is bound; no bindings.
    pub roles: Roles,
    /// Reads the manifests that members have kept.
    pub reader: Reader,
    /// How often an agent gives a sign of life (S2).
    pub heartbeat: Duration,
    /// When silence counts as a loss, for clusters that no policy is in use on, and for policies that do not say (S1).
    pub lost_after: Duration,
    /// What a goodbye adds to that, once (S1).
    pub goodbye_grace: Duration,
    /// How long a restarted hub waits for each cluster (S5).
    pub startup_grace: Duration,
    /// How many steps to Suspect, all at once, a cluster may take before it counts as flapping (S4).
    pub flapping_limit: u32,
    /// In which time the weight of such a step halves (S4).
    pub flapping_half_life: Duration,
    /// How long a flapping cluster has to be stable before it gets anything new (S4).
    pub flapping_stable: Duration,
    /// Up to how long that becomes, doubling with each repetition (S4).
    pub flapping_stable_most: Duration,
    /// From this share of the clusters, in percent, their loss is handled one domain at a time (S6).
    pub mass_loss_slow_percent: u32,
    /// But not below this many clusters (S6).
    pub mass_loss_slow_least: usize,
    /// From this share of the clusters, in percent, failover freezes (S6).
    pub mass_loss_freeze_percent: u32,
    /// Below this many clusters, only the loss of all of them freezes (S6).
    pub mass_loss_small_fleet: usize,
    /// Over which time clusters that vanished are counted together, and how long the share must stay down for a
    /// freeze to end (S6).
    pub mass_loss_window: Duration,
    /// The label whose value clusters have in common that fail together; a cluster without it fails alone (S6).
    pub failure_domain_label: Arc<str>,
    /// How long replacements must have been ready before the copies that they replace stop in a planned move (S20).
    pub min_ready: Duration,
    /// Above this share of nodes that are not ready, in percent, a cluster is degraded: it gets nothing new (S3).
    pub degraded_percent: u32,
    /// How long a lease stands under which supervisors let processes run; from when its renewal was sent (S9).
    pub gate_lease: Duration,
    /// By how much the clocks of hub, agents and supervisors may differ in their rates, in percent (S9).
    pub gate_drift_percent: u32,
    /// What is waited beyond all that can be counted (S9).
    pub gate_margin: Duration,
    /// How many replicas of a workload go back to a cluster in one step, in percent of its total (S13).
    pub fail_back_percent: u32,
    /// How long there is at least between two such steps (S13).
    pub fail_back_pause: Duration,
    /// How long the cluster must have been stable before the first (S13).
    pub fail_back_after: Duration,
    /// How many starts may be on their way to one cluster, in percent of its running pods (S7).
    pub pace_percent: u32,
    /// But always this many (S7).
    pub pace_least: u32,
    /// When a start that does not become ready stops counting (S7): never a silent rate of zero.
    pub start_window: Duration,
    /// When replicas that a cluster cannot schedule lower the estimate of its room for their workload (S17).
    pub unschedulable_after: Duration,
    /// How long a lowered estimate lasts, twice as long with each repetition (S3, S17).
    pub lowered_for: Duration,
    /// But not longer than this.
    pub lowered_for_max: Duration,
    /// How many agents of a cluster keep a stream (S24).
    pub streams_per_cluster: usize,
    /// When an agent that was told to stand by asks again (S24).
    pub standby_retry: Duration,
    /// Over which time removals are counted (S27).
    pub removal_window: Duration,
    /// How many of a cluster's workloads may be removed in that time without an operator's word, in percent; one may
    /// always (S27).
    pub removal_percent: u32,
    /// How many revisions of a workload are kept, beside those that are still in use (S31).
    pub revisions: usize,
    /// How many entries the journal keeps.
    pub journal_entries: u64,
    /// How many answered requests are remembered, and for how long.
    pub requests: usize,
    /// See [`Config::requests`].
    pub request_age: Duration,
    /// How many completed migrations are kept.
    pub migrations: usize,
    /// A tombstone outlives its last report by this: within it a write lands that was sent and not answered, twice what an
    /// API server gives a request by default (S28).
    pub tombstone_age: Duration,
    /// How many retired clusters are remembered, so that they do not join again by themselves (S23).
    pub retired: usize,
    /// The most clusters, workloads and policies that the federation takes.
    pub clusters: usize,
    /// See [`Config::clusters`].
    pub workloads: usize,
    /// See [`Config::clusters`].
    pub policies: usize,
    /// See [`Config::clusters`].
    pub quotas: usize,
}

/// How manifests are read that are kept. Each must depend on its arguments alone.
#[derive(Clone, Copy)]
pub struct Reader {
    /// A workload's, as a deployment does.
    pub workload: Read,
    /// What of an object's are totals over all clusters (S29).
    pub totals: ReadTotals,
    /// An object's manifest with other totals in place of its own.
    pub with_totals: WithTotals,
    /// The labels that a workload's pods get.
    pub pod_labels: ReadPodLabels,
    /// Whether what is different about an object in a cluster can be carried out.
    pub overrides: CheckOverrides,
    /// Whether two of an object are the same but for bounds in whole numbers, which are each cluster's own.
    pub alike: Alike,
}

/// Reads the manifest of a workload, and those of the objects that it was deployed with.
pub type Read = fn(&ObjectKey, &Arc<str>, &[Arc<str>]) -> Result<WorkloadSpec, String>;

/// See [`Reader::totals`].
pub type ReadTotals = fn(&ObjectKey, &str) -> Option<Totals>;

/// See [`Reader::with_totals`].
pub type WithTotals = fn(&ObjectKey, &Arc<str>, Bounds) -> Arc<str>;

/// See [`Reader::pod_labels`].
pub type ReadPodLabels = fn(&str) -> Labels;

/// See [`Reader::overrides`]; with the manifest, and what is different.
pub type CheckOverrides = fn(&ObjectKey, &str, &str) -> Result<(), String>;

/// See [`Reader::alike`].
pub type Alike = fn(&ObjectKey, &str, &str) -> bool;

impl Reader {
    /// One that reads workloads alone: no object has any totals, every change fits, and only what is the same is alike.
    pub fn of_workloads(workload: Read) -> Self {
        Self {
            workload,
            totals: |_, _| None,
            with_totals: |_, manifest, _| Arc::clone(manifest),
            pod_labels: |_| Labels::default(),
            overrides: |_, _, _| Ok(()),
            alike: |_, one, other| one == other,
        }
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}

impl PartialEq for Reader {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::fn_addr_eq(self.workload, other.workload)
            && std::ptr::fn_addr_eq(self.totals, other.totals)
            && std::ptr::fn_addr_eq(self.with_totals, other.with_totals)
            && std::ptr::fn_addr_eq(self.pod_labels, other.pod_labels)
            && std::ptr::fn_addr_eq(self.overrides, other.overrides)
            && std::ptr::fn_addr_eq(self.alike, other.alike)
    }
}

impl Eq for Reader {}

impl Default for Config {
    fn default() -> Self {
        Self {
            recover: false,
            roles: Roles { unbound: Some(Role::Admin), ..Roles::default() },
            reader: Reader::of_workloads(|_, _, _| Err("this hub does not read manifests".to_owned())),
            heartbeat: Duration::from_secs(2),
            lost_after: Duration::from_secs(10),
            goodbye_grace: Duration::from_secs(15),
            startup_grace: Duration::from_secs(30),
            flapping_limit: 3,
            flapping_half_life: Duration::from_secs(600),
            flapping_stable: Duration::from_secs(60),
            flapping_stable_most: Duration::from_secs(3600),
            mass_loss_slow_percent: 20,
            mass_loss_slow_least: 3,
            mass_loss_freeze_percent: 55,
            mass_loss_small_fleet: 5,
            mass_loss_window: Duration::from_secs(60),
            failure_domain_label: "topology.godwit.dev/failure-domain".into(),
            min_ready: Duration::from_secs(10),
            degraded_percent: 20,
            gate_lease: Duration::from_secs(60),
            gate_drift_percent: 1,
            gate_margin: Duration::from_secs(5),
            fail_back_percent: 10,
            fail_back_pause: Duration::from_secs(60),
            fail_back_after: Duration::from_secs(600),
            pace_percent: 25,
            pace_least: 50,
            start_window: Duration::from_secs(60),
            unschedulable_after: Duration::from_secs(60),
            lowered_for: Duration::from_secs(300),
            lowered_for_max: Duration::from_secs(3600),
            streams_per_cluster: 3,
            standby_retry: Duration::from_secs(30),
            removal_window: Duration::from_secs(600),
            removal_percent: 30,
            revisions: 10,
            journal_entries: 10_000,
            requests: 10_000,
            request_age: Duration::from_secs(24 * 3600),
            migrations: 1_000,
            tombstone_age: Duration::from_secs(120),
            retired: 1_000,
            clusters: 10_000,
            workloads: 1_000_000,
            policies: 10_000,
            quotas: 10_000,
        }
    }
}

impl Config {
    /// After this silence a stream is dead, closed or not (S1): 2.5 heartbeats.
    pub fn stream_timeout(&self) -> Duration {
        self.heartbeat * 5 / 2
    }

    /// After this silence a cluster counts as vanished (S6): 1.5 heartbeats.
    pub fn vanished_after(&self) -> Duration {
        self.heartbeat * 3 / 2
    }
}
