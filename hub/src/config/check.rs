//! Values that can be read, but make no sense.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use godwit_certs::AdminName;
use godwit_common::label;
use godwit_rt::telemetry::LogFormat;
use rustls_pki_types::ServerName;

use super::{ASKS, Access, AuditLog, Authority, Enrolment, Federation, Limits, Settings, Span, Tls, Webhook};
use crate::webhook::check_url;

/// Below this, heartbeats cost more than they tell.
const HEARTBEAT_MIN: Duration = Duration::from_millis(100);
/// What the agents' protocol carries.
const HEARTBEAT_MAX: Duration = Duration::from_secs(3600);
/// What runs under a lease runs on for so long after nobody is in charge any more.
const GATE_LEASE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Beyond any use, and far within what arithmetic on milliseconds holds.
const SPAN_MAX: Duration = Duration::from_secs(365 * 24 * 3600);
/// A small application must fit.
const ADMIN_MESSAGE_BYTES_MIN: u32 = 64 * 1024;
/// A part of a report has up to 1 MiB, and one row of it may come on top.
const AGENT_MESSAGE_BYTES_MIN: u32 = 2 * 1024 * 1024;
/// One message is held in memory as a whole, several times over.
const MESSAGE_BYTES_MAX: u32 = 256 * 1024 * 1024;
/// Renewals come half way, and a handshake with one that has just ended helps nobody.
const VALIDITY_MIN: Duration = Duration::from_secs(10);
/// Below this, an outage of the hub that people hardly notice leaves agents behind that cannot attach any more.
const AGENT_VALIDITY_SHORT: Duration = Duration::from_secs(3600);
/// What an operator without a role may be; a deployer is one of some namespaces.
const UNBOUND: [&str; 4] = ["admin", "operator", "viewer", "none"];
/// Nobody decides within a moment.
const APPROVAL_MIN: Duration = Duration::from_secs(60);
/// Longer than the URLs that audiences usually are.
const AUDIENCE_BYTES_MAX: usize = 200;
/// Semaphores and tables are sized by these.
const COUNT_MAX: u32 = 10_000_000;

/// What is wrong, by key; and what works, but not as one may think.
pub(super) fn check(settings: &Settings) -> (Vec<(&'static str, String)>, Vec<String>) {
    let Settings {
        listen,
        data_dir,
        // Its files are read before the store is opened.
        store: _,
        tls,
        authority,
        enrolment,
        access,
        audit,
        log,
        metrics,
        webhook,
        limits,
        federation,
    } = settings;
    let mut found = Findings::default();
    found.refuse_if(
        "listen",
        listen.parse::<SocketAddr>().is_err(),
        "it must be an IP address and a port, such as 0.0.0.0:8443 or [::]:8443",
    );
    found.path("data_dir", data_dir, "the folder of the store");
    found.identity(tls, authority);
    found.enrolment(enrolment);
    found.access(access);
    let AuditLog { file_bytes, files } = audit;
    found.bytes("audit.file_bytes", *file_bytes, ADMIN_MESSAGE_BYTES_MIN);
    found.count("audit.files", *files);
    found.refuse_if("log.format", log.format.parse::<LogFormat>().is_err(), "it must be text or json");
    found.refuse_if(
        "metrics.listen",
        !metrics.listen.is_empty() && metrics.listen.parse::<SocketAddr>().is_err(),
        "it must be an IP address and a port, such as 127.0.0.1:9464, or empty for no metrics",
    );
    found.webhook(webhook);
    found.limits(limits);
    found.federation(federation);
    (found.problems, warnings(settings))
}

fn warnings(settings: &Settings) -> Vec<String> {
    let Settings { authority, access, webhook, federation, .. } = settings;
    let least = federation.core().stream_timeout();
    let mut warnings = Vec::new();
    if !webhook.token_file.as_os_str().is_empty() && webhook.url.starts_with("http:") {
        warnings.push("webhook.token_file is sent in the clear: give webhook.url with https".to_owned());
    }
    if authority.is_set() && authority.agent_validity.0 < AGENT_VALIDITY_SHORT {
        warnings.push(format!(
            "authority.agent_validity = {}: a hub that is away for longer than that finds its agents with certificates that \
             have ended",
            authority.agent_validity
        ));
    }
    if access.unbound == "none" && access.admins().next().is_none() {
        warnings.push(
            "access.unbound = none without access.admins: if no admin is bound, nobody can bind one"
                .to_owned(),
        );
    }
    if federation.lost_after.0 < least {
        warnings.push(format!(
            "federation.lost_after = {} is below 2.5 heartbeats ({}): losses are decided before the guard against mass \
             loss can see them (S6)",
            federation.lost_after,
            Span(least)
        ));
    }
    warnings
}

#[derive(Default)]
struct Findings {
    problems: Vec<(&'static str, String)>,
}

impl Findings {
    /// Certificates are files, or the hub's own authority makes them.
    fn identity(&mut self, tls: &Tls, authority: &Authority) {
        let Tls { ca, certificate, key } = tls;
        let files = [
            ("tls.ca", ca, "the PEM file of the trusted authorities"),
            ("tls.certificate", certificate, "the PEM file of the hub's certificate"),
            ("tls.key", key, "the PEM file of the certificate's key"),
        ];
        for (name, path, what) in files {
            if !authority.is_set() {
                self.path(name, path, what);
            } else if !path.as_os_str().is_empty() {
                let problem =
                    "the hub has its own authority, since authority.names is set: leave out one of the two";
                self.refuse_if(name, true, problem);
            }
        }
        let Authority {
            names: _,
            certificate,
            key,
            next_certificate,
            next_key,
            hub_validity,
            agent_validity,
            admin_validity,
            login_validity,
        } = authority;
        for name in authority.names() {
            let problem = format!("{name:?} is neither a DNS name nor an IP address");
            self.refuse_if("authority.names", ServerName::try_from(name).is_err(), &problem);
        }
        let pairs = [
            [("authority.certificate", certificate), ("authority.key", key)],
            [("authority.next_certificate", next_certificate), ("authority.next_key", next_key)],
        ];
        for pair in pairs {
            let given = pair.iter().filter(|(_, path)| !path.as_os_str().is_empty()).count();
            let [one, other] = pair.map(|(name, _)| name);
            for (name, path) in pair {
                let empty = path.as_os_str().is_empty();
                let problem = format!("{one} and {other} go together: give both, or neither");
                self.refuse_if(name, given == 1 && empty, &problem);
                let problem =
                    "this is the hub's own authority only if authority.names says what the hub is dialled by";
                self.refuse_if(name, !authority.is_set() && !empty, problem);
            }
        }
        let problem = "an authority that the hub has made itself is followed by one that it makes: leave it out, or give \
                       authority.certificate and authority.key too";
        let lonely = certificate.as_os_str().is_empty() && !next_certificate.as_os_str().is_empty();
        self.refuse_if("authority.next_certificate", authority.is_set() && lonely, problem);
        self.span("authority.hub_validity", *hub_validity, VALIDITY_MIN);
        self.span("authority.agent_validity", *agent_validity, VALIDITY_MIN);
        self.span("authority.admin_validity", *admin_validity, VALIDITY_MIN);
        self.span("authority.login_validity", *login_validity, VALIDITY_MIN);
    }

    fn enrolment(&mut self, enrolment: &Enrolment) {
        let Enrolment { listen, renew_expired, audience, approval, approval_within } = enrolment;
        self.refuse_if(
            "enrolment.listen",
            !listen.is_empty() && listen.parse::<SocketAddr>().is_err(),
            "it must be an IP address and a port, such as 0.0.0.0:8444, or empty for no enrolment",
        );
        self.span("enrolment.renew_expired", *renew_expired, Duration::ZERO);
        let printable = audience.bytes().all(|byte| byte.is_ascii_graphic());
        self.refuse_if(
            "enrolment.audience",
            !(1..=AUDIENCE_BYTES_MAX).contains(&audience.len()) || !printable,
            "it must have 1 to 200 printable characters, such as godwit.dev/hub",
        );
        self.refuse_if(
            "enrolment.approval",
            !["none", ASKS].contains(&approval.as_str()),
            "it must be none or operator",
        );
        self.span("enrolment.approval_within", *approval_within, APPROVAL_MIN);
    }

    fn access(&mut self, access: &Access) {
        let known = UNBOUND.contains(&access.unbound.as_str());
        self.refuse_if("access.unbound", !known, "it must be admin, operator, viewer or none");
        for name in access.admins() {
            let problem = name.parse::<AdminName>().err().map(|error| error.to_string());
            self.refuse_if("access.admins", problem.is_some(), &problem.unwrap_or_default());
        }
    }

    fn webhook(&mut self, webhook: &Webhook) {
        let Webhook { url, ca: _, token_file: _, severity, timeout } = webhook;
        if let Some(problem) = check_url(url).err().filter(|_| !url.is_empty()) {
            self.refuse_if("webhook.url", true, problem);
        }
        let known = ["Normal", "Warning"].contains(&severity.as_str());
        self.refuse_if("webhook.severity", !known, "it must be Normal or Warning");
        self.span("webhook.timeout", *timeout, HEARTBEAT_MIN);
    }

    fn limits(&mut self, limits: &Limits) {
        let Limits {
            connections,
            handshakes,
            // Any number will do.
            connections_per_second: _,
            calls_per_second: _,
            messages_per_second: _,
            message_bytes_per_second: _,
            sessions,
            watches,
            admin_message_bytes,
            agent_message_bytes,
            drain_timeout,
        } = limits;
        self.count("limits.connections", *connections);
        self.count("limits.handshakes", *handshakes);
        self.count("limits.sessions", *sessions);
        self.count("limits.watches", *watches);
        self.bytes("limits.admin_message_bytes", *admin_message_bytes, ADMIN_MESSAGE_BYTES_MIN);
        self.bytes("limits.agent_message_bytes", *agent_message_bytes, AGENT_MESSAGE_BYTES_MIN);
        self.span("limits.drain_timeout", *drain_timeout, Duration::ZERO);
    }

    fn federation(&mut self, federation: &Federation) {
        let Federation {
            heartbeat,
            lost_after,
            goodbye_grace,
            startup_grace,
            flapping_limit,
            flapping_half_life,
            flapping_stable,
            flapping_stable_most,
            mass_loss_slow_percent,
            mass_loss_slow_least,
            mass_loss_freeze_percent,
            mass_loss_small_fleet,
            mass_loss_window,
            failure_domain_label,
            min_ready,
            degraded_percent,
            gate_lease,
            gate_drift_percent,
            gate_margin,
            fail_back_percent,
            fail_back_pause,
            fail_back_after,
            pace_percent,
            pace_least,
            start_window,
            unschedulable_after,
            lowered_for,
            lowered_for_max,
            streams_per_cluster,
            standby_retry,
            removal_window,
            tombstone_age,
            removal_percent,
            revisions: _,
            journal_entries: _,
            requests: _,
            request_age: _,
            migrations: _,
            retired: _,
            clusters: _,
            workloads: _,
            policies: _,
            quotas: _,
        } = federation;
        self.refuse_if(
            "federation.heartbeat",
            !(HEARTBEAT_MIN..=HEARTBEAT_MAX).contains(&heartbeat.0),
            "it must be from 100ms to 1h",
        );
        self.span("federation.lost_after", *lost_after, Duration::ZERO);
        self.span("federation.goodbye_grace", *goodbye_grace, Duration::ZERO);
        self.span("federation.startup_grace", *startup_grace, Duration::ZERO);
        self.flapping(*flapping_limit, *flapping_half_life, *flapping_stable, *flapping_stable_most);
        self.percent("federation.mass_loss_slow_percent", *mass_loss_slow_percent);
        self.count("federation.mass_loss_slow_least", *mass_loss_slow_least);
        self.percent("federation.mass_loss_freeze_percent", *mass_loss_freeze_percent);
        self.count("federation.mass_loss_small_fleet", *mass_loss_small_fleet);
        self.span("federation.mass_loss_window", *mass_loss_window, HEARTBEAT_MIN);
        self.label("federation.failure_domain_label", failure_domain_label);
        self.span("federation.min_ready", *min_ready, Duration::ZERO);
        self.share("federation.degraded_percent", *degraded_percent);
        self.gate(heartbeat.0, *gate_lease, *gate_drift_percent, *gate_margin);
        self.fail_back(*fail_back_percent, *fail_back_pause, *fail_back_after);
        self.pace(*pace_percent, *pace_least, *start_window);
        self.estimates(*unschedulable_after, *lowered_for, *lowered_for_max);
        self.count("federation.streams_per_cluster", *streams_per_cluster);
        self.span("federation.standby_retry", *standby_retry, HEARTBEAT_MIN);
        self.removal(*removal_window, *tombstone_age, *removal_percent);
        self.bounds(federation);
    }

    fn estimates(&mut self, unschedulable_after: Span, lowered_for: Span, lowered_for_max: Span) {
        self.span("federation.unschedulable_after", unschedulable_after, HEARTBEAT_MIN);
        self.span("federation.lowered_for", lowered_for, HEARTBEAT_MIN);
        self.span("federation.lowered_for_max", lowered_for_max, HEARTBEAT_MIN);
        let shorter = lowered_for_max.0 < lowered_for.0;
        self.refuse_if("federation.lowered_for_max", shorter, "it must not be below federation.lowered_for");
    }

    fn bounds(&mut self, federation: &Federation) {
        self.count("federation.revisions", federation.revisions);
        let entries = u32::try_from(federation.journal_entries).unwrap_or(u32::MAX);
        self.count("federation.journal_entries", entries);
        self.count("federation.requests", federation.requests);
        self.span("federation.request_age", federation.request_age, HEARTBEAT_MIN);
        self.count("federation.migrations", federation.migrations);
        self.count("federation.retired", federation.retired);
        self.count("federation.clusters", federation.clusters);
        self.count("federation.workloads", federation.workloads);
        self.count("federation.policies", federation.policies);
        self.count("federation.quotas", federation.quotas);
    }

    fn flapping(&mut self, limit: u32, half_life: Span, stable: Span, stable_most: Span) {
        self.count("federation.flapping_limit", limit);
        self.span("federation.flapping_half_life", half_life, HEARTBEAT_MIN);
        self.span("federation.flapping_stable", stable, Duration::ZERO);
        self.span("federation.flapping_stable_most", stable_most, Duration::ZERO);
    }

    /// A percentage that may be zero.
    fn share(&mut self, key: &'static str, percent: u32) {
        self.refuse_if(key, percent > 100, "it is a share in percent: it must be from 0 to 100");
    }

    fn pace(&mut self, percent: u32, least: u32, start_window: Span) {
        self.percent("federation.pace_percent", percent);
        self.count("federation.pace_least", least);
        self.span("federation.start_window", start_window, HEARTBEAT_MIN);
    }

    fn removal(&mut self, window: Span, tombstone_age: Span, percent: u32) {
        self.span("federation.removal_window", window, Duration::ZERO);
        self.span("federation.tombstone_age", tombstone_age, Duration::ZERO);
        self.percent("federation.removal_percent", percent);
    }

    fn gate(&mut self, heartbeat: Duration, lease: Span, drift_percent: u32, margin: Span) {
        self.refuse_if(
            "federation.gate_lease",
            !(heartbeat.saturating_mul(5)..=GATE_LEASE_MAX).contains(&lease.0),
            "it must be from five times federation.heartbeat to 1d: shorter ones end between two renewals",
        );
        self.percent("federation.gate_drift_percent", drift_percent);
        self.span("federation.gate_margin", margin, Duration::from_secs(1));
    }

    fn fail_back(&mut self, percent: u32, pause: Span, after: Span) {
        self.percent("federation.fail_back_percent", percent);
        self.span("federation.fail_back_pause", pause, HEARTBEAT_MIN);
        self.span("federation.fail_back_after", after, Duration::ZERO);
    }

    fn refuse_if(&mut self, key: &'static str, wrong: bool, problem: &str) {
        if wrong {
            self.problems.push((key, problem.to_owned()));
        }
    }

    fn path(&mut self, key: &'static str, path: &Path, what: &str) {
        let flag = key.replace(['.', '_'], "-");
        let variable = key.to_uppercase().replace('.', "__");
        let or = match key.starts_with("tls.") {
            true => {
                "; or let the hub make its certificates itself: authority.names says what it is dialled by"
            }
            false => "",
        };
        let problem =
            format!("it is needed: give {what} by {key} in the file, GODWIT_HUB_{variable}, or --{flag}{or}");
        self.refuse_if(key, path.as_os_str().is_empty(), &problem);
    }

    fn count(&mut self, key: &'static str, value: u32) {
        let fits = (1..=COUNT_MAX).contains(&value);
        self.refuse_if(key, !fits, "it must be from 1 to 10000000");
    }

    fn percent(&mut self, key: &'static str, value: u32) {
        self.refuse_if(
            key,
            !(1..=100).contains(&value),
            "it is a share in percent: it must be from 1 to 100",
        );
    }

    fn label(&mut self, key: &'static str, value: &str) {
        let problem = "it must be the key of a label, such as topology.godwit.dev/failure-domain";
        self.refuse_if(key, label::check_key(value).is_err(), problem);
    }

    fn bytes(&mut self, key: &'static str, value: u32, least: u32) {
        let problem = format!("it must be from {least} ({} KiB) to 268435456 (256 MiB)", least / 1024);
        self.refuse_if(key, !(least..=MESSAGE_BYTES_MAX).contains(&value), &problem);
    }

    fn span(&mut self, key: &'static str, value: Span, least: Duration) {
        let problem = format!("it must be from {} to 365d", Span(least));
        self.refuse_if(key, !(least..=SPAN_MAX).contains(&value.0), &problem);
    }
}
