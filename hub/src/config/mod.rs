//! The configuration: what an operator sets, checked as a whole before anything is opened or bound.
//!
//! Defaults come first, then the file (`--config`, TOML), then the environment (`GODWIT_HUB_LISTEN`; two underscores
//! stand for a dot, as in `GODWIT_HUB_TLS__CA`), then flags (`--listen`, or `--set KEY=VALUE` for any key).

mod check;
mod load;
mod span;

use std::path::PathBuf;
use std::time::Duration;

use godwit_hub_core::{Role, Roles};
use godwit_rt::limits::{ADMIN_MESSAGE_BYTES_MAX, AGENT_MESSAGE_BYTES_MAX, ServerLimits};
use serde::{Deserialize, Serialize};

use crate::store::{KeyError, Keys};

pub use load::{ConfigError, Loaded, Mistake, Sources, load};
pub use span::{Span, SpanError};

/// Everything that can be set. The names are those of the keys: `tls.ca` is `ca` under `[tls]` in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The address, with its port, on which agents and operators connect. Port 0 takes any free one.
    pub listen: String,
    /// The folder of the store. It is made if it is not there; one hub at a time may use it.
    pub data_dir: PathBuf,
    /// How the store is kept.
    pub store: StoreKeys,
    /// Who the hub is, and whom it trusts, where certificates come from elsewhere.
    pub tls: Tls,
    /// The same, where the hub has an authority of its own.
    pub authority: Authority,
    /// How agents come by their certificates from it.
    pub enrolment: Enrolment,
    /// What operators may do of whom nothing else is said.
    pub access: Access,
    /// What is written down of what operators do.
    pub audit: AuditLog,
    /// What the hub says about itself.
    pub log: Log,
    /// What the hub measures.
    pub metrics: Metrics,
    /// Whom the hub tells of events.
    pub webhook: Webhook,
    /// What the hub takes from its peers.
    pub limits: Limits,
    /// How the federation behaves.
    pub federation: Federation,
}

/// Keys under which the store is kept. Each is a file with 64 hexadecimal digits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreKeys {
    /// The key of all that is written; empty: the store is in the clear. A store that is under another one is written anew at
    /// the start.
    pub key_file: PathBuf,
    /// Those under which it may have been until now, separated by commas.
    pub former_key_files: String,
}

impl StoreKeys {
    /// Reads them.
    pub(crate) fn keys(&self) -> Result<Keys, KeyError> {
        let current = (!self.key_file.as_os_str().is_empty()).then_some(self.key_file.as_path());
        let former = self.former_key_files.split(',').map(str::trim).filter(|file| !file.is_empty());
        Keys::read(current, &former.map(PathBuf::from).collect::<Vec<_>>())
    }
}

/// Certificates, as PEM files. They are read again when they change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// The authorities whose certificates are accepted from agents and operators.
    pub ca: PathBuf,
    /// The hub's certificate, with any intermediate ones after it.
    pub certificate: PathBuf,
    /// The private key of that certificate.
    pub key: PathBuf,
}

/// The hub's own authority, which signs its certificate, its agents' and its operators'. It is there if `names` are set, in
/// the place of everything under `tls`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Authority {
    /// What agents and operators dial: the hub's DNS names and IP addresses, separated by commas.
    pub names: String,
    /// The authority's certificate, as a PEM file; empty: one is made in `data_dir` at the first start.
    pub certificate: PathBuf,
    /// The private key of that certificate.
    pub key: PathBuf,
    /// The certificate of the authority that is to take its place, where that is given, as a PEM file.
    pub next_certificate: PathBuf,
    /// The private key of that certificate.
    pub next_key: PathBuf,
    /// How long the hub's own certificate lasts; it is renewed half way.
    pub hub_validity: Span,
    /// How long an agent's certificate lasts; agents renew it half way.
    pub agent_validity: Span,
    /// How long an operator's certificate lasts that is made with `--issue-admin`.
    pub admin_validity: Span,
    /// How long the certificate of an operator lasts who logs in; `godwit` renews it half way.
    pub login_validity: Span,
}

/// A listener of its own, to which callers may come without a certificate. It is there if the hub has an authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Enrolment {
    /// The address, with its port. Port 0 takes any free one; empty is none, and then nobody enrols.
    pub listen: String,
    /// For how long after its end an agent's certificate may still be renewed.
    pub renew_expired: Span,
    /// Whom the tokens of agents' service accounts have to be meant for: what their projected volumes say.
    pub audience: String,
    /// Who is asked before a cluster joins with a token that is made from now on: `none`, or `operator`.
    pub approval: String,
    /// How long an operator has for that.
    pub approval_within: Span,
}

impl Enrolment {
    /// Whether an operator is asked about every cluster.
    pub(crate) fn asks(&self) -> bool {
        self.approval == ASKS
    }
}

/// What `enrolment.approval` says where somebody is asked.
pub(crate) const ASKS: &str = "operator";

/// Roles beside those that are bound with `godwit role bind`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Access {
    /// What an operator is to whom no role is bound: `admin`, `operator`, `viewer`, or `none` for nobody.
    pub unbound: String,
    /// The names of operators who are admins whatever is bound, separated by commas: with their certificates one gets in again.
    pub admins: String,
}

/// The audit log, in files beside the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditLog {
    /// How long a file may become, in bytes, before another is begun.
    pub file_bytes: u32,
    /// How many files there are at most; the oldest is dropped.
    pub files: u32,
}

/// Log lines go to standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `text` for people, or `json` for machines.
    pub format: String,
    /// A level (`error`, `warn`, `info`, `debug`, `trace`), or a list such as `info,godwit_hub=debug`.
    pub filter: String,
}

/// Metrics for Prometheus, over plain HTTP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// The address, with its port, of a listener of their own. Port 0 takes any free one; empty is none.
    pub listen: String,
}

/// Where events are posted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhook {
    /// The address; empty is none.
    pub url: String,
    /// The authorities whose certificates are accepted from it, as a PEM file; empty: those that the system trusts.
    pub ca: PathBuf,
    /// A file with a token that is sent along as a bearer's. It is read again each time.
    pub token_file: PathBuf,
    /// `Normal` for all events, `Warning` for those that somebody should look at.
    pub severity: String,
    /// How long an answer may take.
    pub timeout: Span,
}

/// Bounds: what exceeds them is refused (RESOURCE_EXHAUSTED, or OUT_OF_RANGE for the size of a message) or closed, and the
/// hub lives on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections at once. Each costs a file descriptor and some 30 KiB.
    pub connections: u32,
    /// TLS handshakes at once: they cost the most CPU, so after an outage they queue.
    pub handshakes: u32,
    /// Connections a second from one address, counted before TLS. Of this and the next three, 20 seconds' worth can be had at
    /// once, and 0 bounds nothing.
    pub connections_per_second: u32,
    /// Calls a second of one operator, or of one cluster's agents.
    pub calls_per_second: u32,
    /// Messages a second that are read from one cluster's agents. What comes faster waits in their connections.
    pub messages_per_second: u32,
    /// Bytes of them a second.
    pub message_bytes_per_second: u32,
    /// Agents' streams at once.
    pub sessions: u32,
    /// Watches of operators at once, over all services.
    pub watches: u32,
    /// The largest message that the admin services take, in bytes.
    pub admin_message_bytes: u32,
    /// The largest message that is taken from an agent, in bytes.
    pub agent_message_bytes: u32,
    /// How long a stop waits for streams to end before it cuts them.
    pub drain_timeout: Span,
}

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

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:8443".to_owned(),
            data_dir: PathBuf::from("/var/lib/godwit-hub"),
            store: StoreKeys::default(),
            tls: Tls::default(),
            authority: Authority::default(),
            enrolment: Enrolment::default(),
            access: Access::default(),
            audit: AuditLog::default(),
            log: Log::default(),
            metrics: Metrics::default(),
            webhook: Webhook::default(),
            limits: Limits::default(),
            federation: Federation::default(),
        }
    }
}

impl Default for Authority {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            names: String::new(),
            certificate: PathBuf::new(),
            key: PathBuf::new(),
            next_certificate: PathBuf::new(),
            next_key: PathBuf::new(),
            hub_validity: Span(DAY),
            agent_validity: Span(DAY),
            admin_validity: Span(90 * DAY),
            login_validity: Span(7 * DAY),
        }
    }
}

impl Authority {
    /// Whether there is one.
    pub fn is_set(&self) -> bool {
        !self.names.is_empty()
    }

    /// What the hub is dialled by.
    pub fn names(&self) -> Vec<String> {
        let names = self.names.split(',').map(str::trim);
        names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }
}

impl Default for Enrolment {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:8444".to_owned(),
            renew_expired: Span(Duration::from_secs(30 * 24 * 3600)),
            audience: "godwit.dev/hub".to_owned(),
            approval: "none".to_owned(),
            approval_within: Span(Duration::from_secs(24 * 3600)),
        }
    }
}

impl Default for Access {
    fn default() -> Self {
        Self { unbound: Role::Admin.to_string(), admins: String::new() }
    }
}

impl Access {
    /// The names, as they are written.
    pub fn admins(&self) -> impl Iterator<Item = &str> {
        self.admins.split(',').map(str::trim).filter(|name| !name.is_empty())
    }

    /// What the machine is built with.
    pub fn roles(&self) -> Roles {
        let admins = self.admins().map(Into::into).collect();
        Roles { unbound: self.unbound.parse().ok(), admins, ..Roles::default() }
    }
}

impl Default for AuditLog {
    fn default() -> Self {
        Self { file_bytes: 64 << 20, files: 16 }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: "text".to_owned(), filter: "info".to_owned() }
    }
}

impl Default for Webhook {
    fn default() -> Self {
        Self {
            url: String::new(),
            ca: PathBuf::new(),
            token_file: PathBuf::new(),
            severity: "Warning".to_owned(),
            timeout: Span(Duration::from_secs(10)),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let server = ServerLimits::default();
        Self {
            connections: narrow(server.connections_max),
            handshakes: narrow(server.handshakes_max),
            connections_per_second: server.connections_per_second,
            calls_per_second: 100,
            messages_per_second: 500,
            message_bytes_per_second: narrow(AGENT_MESSAGE_BYTES_MAX),
            sessions: narrow(server.connections_max),
            watches: 1_000,
            admin_message_bytes: narrow(ADMIN_MESSAGE_BYTES_MAX),
            agent_message_bytes: narrow(AGENT_MESSAGE_BYTES_MAX),
            drain_timeout: Span(server.drain_timeout),
        }
    }
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

impl Limits {
    /// What the transport is built with.
    pub fn server(&self) -> ServerLimits {
        ServerLimits {
            connections_max: self.connections as usize,
            handshakes_max: self.handshakes as usize,
            connections_per_second: self.connections_per_second,
            drain_timeout: self.drain_timeout.0,
            ..ServerLimits::default()
        }
    }
}

/// Defaults are far below the limit of 32 bits, which settings keep so that they read alike on every machine.
fn narrow(default: usize) -> u32 {
    u32::try_from(default).unwrap_or(u32::MAX)
}
