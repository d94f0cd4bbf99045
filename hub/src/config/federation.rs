//! How the federation behaves: the numbers that the machine is built with.

use serde::{Deserialize, Serialize};

use super::{Span, narrow};

/// The rules' own numbers. Durations count on the hub's monotonic clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Federation {
    /// How often an agent gives a sign of life (S2).
    pub heartbeat: Span,
    /// When silence counts as a loss, for policies that do not say (S1). Below 2.5 heartbeats the guard against mass
    /// loss does not hold, and the hub warns.
    pub lost_after: Span,
    /// What an agent's goodbye adds to that, once (S1).
    pub goodbye_grace: Span,
    /// How long a restarted hub waits for each cluster before it decides anything about it (S5).
    pub startup_grace: Span,
    /// How many steps to Suspect, all at once, a cluster may take before it counts as flapping (S4).
    pub flapping_limit: u32,
    /// In which time the weight of such a step halves (S4).
    pub flapping_half_life: Span,
    /// How long a flapping cluster has to be stable before it gets anything new (S4).
    pub flapping_stable: Span,
    /// Up to how long that becomes, doubling with each repetition (S4).
    pub flapping_stable_most: Span,
    /// From this share of the clusters, in percent, their loss is handled one failure domain at a time (S6).
    pub mass_loss_slow_percent: u32,
    /// But not below this many clusters (S6).
    pub mass_loss_slow_least: u32,
    /// From this share of the clusters, in percent, failover freezes (S6).
    pub mass_loss_freeze_percent: u32,
    /// Below this many clusters, only the loss of all of them freezes (S6).
    pub mass_loss_small_fleet: u32,
    /// Over which time clusters that vanished are counted together, and how long the share must stay down for a freeze
    /// to end (S6).
    pub mass_loss_window: Span,
    /// The label whose value clusters have in common that fail together; a cluster without it fails alone (S6).
    pub failure_domain_label: String,
    /// How long replacements must have been ready before a cluster that is drained stops its copies (S20).
    pub min_ready: Span,
    /// Above this share of nodes that are not ready, in percent, a cluster is degraded: it gets nothing new (S3).
    pub degraded_percent: u32,
    /// How long a lease stands under which supervisors let processes run, from when its renewal was sent (S9).
    pub gate_lease: Span,
    /// By how much the clocks of hub, agents and supervisors may differ in their rates, in percent (S9).
    pub gate_drift_percent: u32,
    /// What is waited beyond all that can be counted, before what a lost cluster ran counts as gone (S9).
    pub gate_margin: Span,
    /// How many replicas of a workload go back to a cluster in one step, in percent of its total (S13).
    pub fail_back_percent: u32,
    /// How long there is at least between two such steps (S13).
    pub fail_back_pause: Span,
    /// How long the cluster must have been stable before the first (S13).
    pub fail_back_after: Span,
    /// How many starts may be on their way to one cluster, in percent of its running pods (S7).
    pub pace_percent: u32,
    /// But always this many (S7).
    pub pace_least: u32,
    /// When a start that does not become ready stops counting (S7).
    pub start_window: Span,
    /// When replicas that a cluster cannot schedule lower the estimate of its room for their workload (S17).
    pub unschedulable_after: Span,
    /// How long a lowered estimate lasts, twice as long with each repetition (S3, S17).
    pub lowered_for: Span,
    /// But not longer than this.
    pub lowered_for_max: Span,
    /// How many agents of a cluster keep a stream (S24).
    pub streams_per_cluster: u32,
    /// When an agent that was told to stand by asks again (S24).
    pub standby_retry: Span,
    /// Over which time removals are counted (S27).
    pub removal_window: Span,
    /// By how much a tombstone outlives its last report (S28).
    pub tombstone_age: Span,
    /// How many of a cluster's workloads may be removed in that time without an operator's word, in percent; one may
    /// always (S27).
    pub removal_percent: u32,
    /// How many revisions of a workload are kept, beside those that are still in use (S31).
    pub revisions: u32,
    /// How many events the journal keeps.
    pub journal_entries: u64,
    /// How many answered requests are remembered, so that the same request again gets the same answer.
    pub requests: u32,
    /// And for how long.
    pub request_age: Span,
    /// How many completed migrations are kept.
    pub migrations: u32,
    /// How many retired clusters are remembered, so that they do not join again by themselves (S23).
    pub retired: u32,
    /// The most clusters that the federation takes.
    pub clusters: u32,
    /// The most workloads.
    pub workloads: u32,
    /// The most policies.
    pub policies: u32,
    /// The most quotas.
    pub quotas: u32,
}

impl Default for Federation {
    /// The defaults are the machine's own.
    fn default() -> Self {
        let core = godwit_hub_core::Config::default();
        Self {
            heartbeat: Span(core.heartbeat),
            lost_after: Span(core.lost_after),
            goodbye_grace: Span(core.goodbye_grace),
            startup_grace: Span(core.startup_grace),
            flapping_limit: core.flapping_limit,
            flapping_half_life: Span(core.flapping_half_life),
            flapping_stable: Span(core.flapping_stable),
            flapping_stable_most: Span(core.flapping_stable_most),
            mass_loss_slow_percent: core.mass_loss_slow_percent,
            mass_loss_slow_least: narrow(core.mass_loss_slow_least),
            mass_loss_freeze_percent: core.mass_loss_freeze_percent,
            mass_loss_small_fleet: narrow(core.mass_loss_small_fleet),
            mass_loss_window: Span(core.mass_loss_window),
            failure_domain_label: core.failure_domain_label.to_string(),
            min_ready: Span(core.min_ready),
            degraded_percent: core.degraded_percent,
            gate_lease: Span(core.gate_lease),
            gate_drift_percent: core.gate_drift_percent,
            gate_margin: Span(core.gate_margin),
            fail_back_percent: core.fail_back_percent,
            fail_back_pause: Span(core.fail_back_pause),
            fail_back_after: Span(core.fail_back_after),
            pace_percent: core.pace_percent,
            pace_least: core.pace_least,
            start_window: Span(core.start_window),
            unschedulable_after: Span(core.unschedulable_after),
            lowered_for: Span(core.lowered_for),
            lowered_for_max: Span(core.lowered_for_max),
            streams_per_cluster: narrow(core.streams_per_cluster),
            standby_retry: Span(core.standby_retry),
            removal_window: Span(core.removal_window),
            tombstone_age: Span(core.tombstone_age),
            removal_percent: core.removal_percent,
            revisions: narrow(core.revisions),
            journal_entries: core.journal_entries,
            requests: narrow(core.requests),
            request_age: Span(core.request_age),
            migrations: narrow(core.migrations),
            retired: narrow(core.retired),
            clusters: narrow(core.clusters),
            workloads: narrow(core.workloads),
            policies: narrow(core.policies),
            quotas: narrow(core.quotas),
        }
    }
}

impl Federation {
    /// What the machine is built with.
    pub fn core(&self) -> godwit_hub_core::Config {
        godwit_hub_core::Config {
            heartbeat: self.heartbeat.0,
            lost_after: self.lost_after.0,
            goodbye_grace: self.goodbye_grace.0,
            startup_grace: self.startup_grace.0,
            flapping_limit: self.flapping_limit,
            flapping_half_life: self.flapping_half_life.0,
            flapping_stable: self.flapping_stable.0,
            flapping_stable_most: self.flapping_stable_most.0,
            mass_loss_slow_percent: self.mass_loss_slow_percent,
            mass_loss_slow_least: self.mass_loss_slow_least as usize,
            mass_loss_freeze_percent: self.mass_loss_freeze_percent,
            mass_loss_small_fleet: self.mass_loss_small_fleet as usize,
            mass_loss_window: self.mass_loss_window.0,
            failure_domain_label: self.failure_domain_label.as_str().into(),
            min_ready: self.min_ready.0,
            degraded_percent: self.degraded_percent,
            gate_lease: self.gate_lease.0,
            gate_drift_percent: self.gate_drift_percent,
            gate_margin: self.gate_margin.0,
            fail_back_percent: self.fail_back_percent,
            fail_back_pause: self.fail_back_pause.0,
            fail_back_after: self.fail_back_after.0,
            pace_percent: self.pace_percent,
            pace_least: self.pace_least,
            start_window: self.start_window.0,
            unschedulable_after: self.unschedulable_after.0,
            lowered_for: self.lowered_for.0,
            lowered_for_max: self.lowered_for_max.0,
            streams_per_cluster: self.streams_per_cluster as usize,
            standby_retry: self.standby_retry.0,
            removal_window: self.removal_window.0,
            tombstone_age: self.tombstone_age.0,
            removal_percent: self.removal_percent,
            revisions: self.revisions as usize,
            journal_entries: self.journal_entries,
            requests: self.requests as usize,
            request_age: self.request_age.0,
            migrations: self.migrations as usize,
            retired: self.retired as usize,
            clusters: self.clusters as usize,
            workloads: self.workloads as usize,
            policies: self.policies as usize,
            quotas: self.quotas as usize,
            ..godwit_hub_core::Config::default()
        }
    }
}
