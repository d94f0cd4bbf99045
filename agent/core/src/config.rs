//! What an agent is told at its start.

use std::sync::Arc;
use std::time::Duration;

/// The settings of an agent; the shell has checked them.
#[derive(Debug, Clone)]
pub struct Config {
    /// The hub's addresses, `host:port`, tried in turn; at least one.
    pub hubs: Vec<Arc<str>>,
    /// This agent within its cluster: its pod's name. It holds the Lease under this name.
    pub instance: Arc<str>,
    /// The build, for people.
    pub build: Arc<str>,
    /// How long a Lease that is not renewed stands, by the clock of whoever watches it (S24).
    pub lease_duration: Duration,
    /// How often the leader renews its Lease.
    pub lease_renew: Duration,
    /// How often a candidate looks at the Lease.
    pub lease_poll: Duration,
    /// Whether pods get a supervisor here where rows say so (S9). The shell has to see to it: it makes the supervisor part
    /// of what it applies, and answers for pods that have one.
    pub supervises: bool,
    /// How long a leader may be without a hub before it gives the Lease back (S24).
    pub resign_after: Duration,
    /// The longest first wait before dialling again; it doubles up to `dial_cap`.
    pub dial_first: Duration,
    /// The longest wait before dialling again (S5 counts on 5 s).
    pub dial_cap: Duration,
    /// How long a connection may take from dialling to the hub's welcome.
    pub dial_limit: Duration,
    /// How long a message may wait to be taken by the transport before the stream counts as dead.
    pub send_stall: Duration,
    /// The least time between two reports.
    pub report_interval: Duration,
    /// How soon a report follows a change of readiness.
    pub report_soon: Duration,
    /// The least time between two reports of which only capacity is news.
    pub capacity_interval: Duration,
    /// How many calls that read or write objects may be under way at once.
    pub calls_in_flight: usize,
    /// How often something that a workload needs, and that is there, is looked for again.
    pub needs_met_interval: Duration,
    /// How often something that a workload needs, and that is missing, is looked for again.
    pub needs_unmet_interval: Duration,
    /// How many checks of needs may be under way at once, beside `calls_in_flight`: they hold up no write.
    pub needs_in_flight: usize,
}

impl Config {
    /// The defaults, for an agent of this name.
    pub fn new(hubs: Vec<Arc<str>>, instance: &str, build: &str) -> Self {
        Self {
            hubs,
            instance: instance.into(),
            build: build.into(),
            lease_duration: Duration::from_secs(15),
            lease_renew: Duration::from_secs(5),
            lease_poll: Duration::from_secs(2),
            supervises: false,
            resign_after: Duration::from_secs(3),
            dial_first: Duration::from_millis(250),
            dial_cap: Duration::from_secs(5),
            dial_limit: Duration::from_secs(10),
            send_stall: Duration::from_secs(10),
            report_interval: Duration::from_millis(150),
            report_soon: Duration::from_millis(20),
            capacity_interval: Duration::from_secs(1),
            calls_in_flight: 16,
            needs_met_interval: Duration::from_secs(60),
            needs_unmet_interval: Duration::from_secs(10),
            needs_in_flight: 8,
        }
    }
}
