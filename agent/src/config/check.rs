//! What is wrong with the settings: all of it, at once.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use godwit_common::ObjectKey;
use godwit_common::name::{check_namespace, check_object_name};
use godwit_rt::dial::Endpoint;
use godwit_rt::telemetry::LogFormat;
use godwit_rt::tls::TlsFiles;

use super::layers::{Leaf, Leaves};
use super::{DEFAULTS, Settings};
use crate::cluster::{Impersonated, Impersonation};
use crate::gate::GateSettings;
use crate::identity::{Account, FromHub, Known, Source};

/// The most hubs; a federation has a handful.
const HUBS_MAX: usize = 16;
/// Where a hub takes those without a certificate, unless it is told otherwise.
const ENROLMENT_PORT: u16 = 8444;
/// The longest name of an instance: that of a pod.
const INSTANCE_MAX: usize = 253;

pub(super) fn check(leaves: &Leaves, environment: &[(String, String)]) -> anyhow::Result<Settings> {
    let mut reader = Reader { leaves, mistakes: Vec::new() };
    reader.unknown_keys();
    let variable = |name: &str| {
        let found = environment.iter().find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| value.clone())
    };
    let settings = Settings {
        hubs: reader.hubs(),
        kubeconfig: Some(reader.text("kubeconfig")).filter(|path| !path.is_empty()).map(PathBuf::from),
        namespace: reader.namespace(),
        instance: reader.instance(variable("POD_NAME")),
        node: Some(reader.text("node")).filter(|node| !node.is_empty()).or_else(|| variable("NODE_NAME")),
        identity: reader.identity(),
        health: reader.health(),
        log_filter: reader.text("log.filter"),
        log_format: reader.log_format(),
        dial_cap: reader.duration("link.dial_cap", 100..=60_000),
        lease_duration: reader.duration("lease.duration", 2_000..=120_000),
        lease_renew: reader.duration("lease.renew", 500..=60_000),
        resign_after: reader.duration("lease.resign_after", 100..=60_000),
        report_interval: reader.duration("report.interval", 10..=60_000),
        gate: reader.gate(variable("POD_IP")),
        impersonation: reader.impersonation(),
    };
    // Two renewals must fit, so that one may fail.
    if settings.lease_renew * 2 >= settings.lease_duration {
        let problem =
            format!("it must be less than half of lease.duration, which is {:?}", settings.lease_duration);
        reader.mistake("lease.renew", &problem);
    }
    if reader.mistakes.is_empty() {
        return Ok(settings);
    }
    anyhow::bail!("{}", reader.mistakes.join("\n"))
}

struct Reader<'a> {
    leaves: &'a Leaves,
    mistakes: Vec<String>,
}

impl Reader<'_> {
    fn mistake(&mut self, key: &str, problem: &str) {
        let (value, source) = match self.leaves.0.get(key) {
            Some(Leaf { value, source }) => (value.as_str(), source.as_str()),
            None => ("", "default"),
        };
        self.mistakes.push(format!("{key} = {value:?} (from {source}): {problem}"));
    }

    fn unknown_keys(&mut self) {
        let keys: Vec<&str> = DEFAULTS.iter().map(|(key, _)| *key).collect();
        let unknown = self.leaves.0.keys().filter(|key| !keys.contains(&key.as_str()));
        for key in unknown.cloned().collect::<Vec<_>>() {
            self.mistake(&key, &format!("there is no such key; the keys are {}", keys.join(", ")));
        }
    }

    fn text(&self, key: &str) -> String {
        self.leaves.0.get(key).map(|leaf| leaf.value.clone()).unwrap_or_default()
    }

    /// Files, or what it takes to get a certificate from the hub.
    fn identity(&mut self) -> Source {
        let text = |key: &str| Some(self.text(key)).filter(|text| !text.is_empty());
        let [directory, secret, token, enrolment] =
            ["identity.directory", "identity.secret", "identity.join_token_file", "identity.enrolment"]
                .map(text);
        let files = ["tls.ca", "tls.certificate", "tls.key"].map(|key| (key, text(key)));
        let Some(directory) = directory else {
            let others = [
                ("identity.service_account_token_file", text("identity.service_account_token_file")),
                ("identity.secret", secret),
                ("identity.join_token_file", token),
                ("identity.enrolment", enrolment),
            ];
            for (key, value) in others {
                if value.is_some() {
                    self.mistake(
                        key,
                        "it takes a folder to keep the certificate in: set identity.directory, too",
                    );
                }
            }
            return Source::Files(TlsFiles {
                ca: self.file("tls.ca"),
                certificate: self.file("tls.certificate"),
                key: self.file("tls.key"),
            });
        };
        for (key, value) in files {
            if value.is_some() {
                let problem = "the certificate comes from the hub, since identity.directory is set: leave out one of the two";
                self.mistake(key, problem);
            }
        }
        let account = self.account(token.is_some());
        let hubs = self.endpoints("hubs");
        let enrolment = match enrolment {
            Some(_) => {
                let given = self.endpoints("identity.enrolment");
                if given.is_empty() || given.len() > HUBS_MAX {
                    self.mistake(
                        "identity.enrolment",
                        "name them as HOST:PORT, such as hub.example.com:8444",
                    );
                }
                given
            }
            None => hubs.iter().filter_map(enrolment_of).collect(),
        };
        if secret.as_ref().is_some_and(|name| ObjectKey::new("v1", "Secret", "x", name).is_err()) {
            self.mistake("identity.secret", "it must be the name of a Secret, such as godwit-agent-identity");
        }
        let (directory, token) = (directory.into(), token.map(Into::into));
        Source::Hub(FromHub { directory, secret, account, token, enrolment, hubs })
    }

    /// The service account by which this agent may come in, if it is to. What it knows of its cluster and of the hub it knows
    /// from these settings, or from the join token.
    fn account(&mut self, has_join_token: bool) -> Option<Account> {
        let text = |key: &str| Some(self.text(key)).filter(|text| !text.is_empty());
        let [token, cluster, pin] =
            ["identity.service_account_token_file", "identity.cluster", "identity.authority_pin"].map(text);
        let named = [("identity.cluster", cluster.is_some()), ("identity.authority_pin", pin.is_some())];
        let check = self.duration("identity.issuer_check", 1_000..=3_600_000);
        let Some(token) = token else {
            for (key, _) in named.into_iter().filter(|(_, is_set)| *is_set) {
                self.mistake(key, "it is for agents that come in by their service account: set identity.service_account_token_file, too");
            }
            return None;
        };
        let known = match (cluster, pin) {
            (Some(cluster), Some(pin)) => {
                let (cluster, authority) = (cluster.parse(), pin.parse());
                if let Err(error) = &cluster {
                    self.mistake("identity.cluster", &format!("{error}"));
                }
                if authority.is_err() {
                    self.mistake(
                        "identity.authority_pin",
                        "it must be the 64 hexadecimal digits at the end of a join token",
                    );
                }
                cluster.ok().zip(authority.ok()).map(|(cluster, authority)| Known { cluster, authority })
            }
            (None, None) if has_join_token => None,
            (None, None) => {
                self.mistake(
                    "identity.service_account_token_file",
                    "whose hub it may be shown to is unknown: set identity.cluster and identity.authority_pin, or \
                     identity.join_token_file, which says both",
                );
                None
            }
            (Some(_), None) => {
                self.mistake(
                    "identity.authority_pin",
                    "it goes along with identity.cluster: set both, or none",
                );
                None
            }
            (None, Some(_)) => {
                self.mistake(
                    "identity.cluster",
                    "it goes along with identity.authority_pin: set both, or none",
                );
                None
            }
        };
        Some(Account { token: token.into(), known, check })
    }

    /// Those addresses of a list that are some.
    fn endpoints(&self, key: &str) -> Vec<Endpoint> {
        let text = self.text(key);
        text.split(',').filter_map(|hub| format!("https://{}", hub.trim()).parse().ok()).collect()
    }

    fn hubs(&mut self) -> Vec<String> {
        let text = self.text("hubs");
        let hubs: Vec<String> =
            text.split(',').map(str::trim).filter(|hub| !hub.is_empty()).map(Into::into).collect();
        if hubs.is_empty() || hubs.len() > HUBS_MAX {
            let problem = format!("name 1 to {HUBS_MAX} hubs as HOST:PORT, such as hub.example.com:8443");
            self.mistake("hubs", &problem);
        }
        for hub in &hubs {
            if format!("https://{hub}").parse::<Endpoint>().is_err() {
                let problem = format!("{hub:?} is not HOST:PORT, such as hub.example.com:8443");
                self.mistake("hubs", &problem);
            }
        }
        hubs
    }

    fn namespace(&mut self) -> String {
        let namespace = self.text("namespace");
        if namespace.is_empty() || ObjectKey::new("v1", "ConfigMap", &namespace, "x").is_err() {
            self.mistake("namespace", "it must be the name of a Kubernetes namespace, such as godwit-system");
        }
        namespace
    }

    fn instance(&mut self, pod: Option<String>) -> String {
        let instance = match self.text("instance") {
            name if name.is_empty() => pod.unwrap_or_else(host_and_process),
            name => name,
        };
        if instance.len() > INSTANCE_MAX || instance.chars().any(char::is_control) {
            self.mistake("instance", "it must be at most 253 characters, without control characters");
        }
        instance
    }

    fn file(&mut self, key: &str) -> PathBuf {
        let path = self.text(key);
        if path.is_empty() {
            self.mistake(
                key,
                "name a PEM file; or let the agent get its certificate from the hub: set identity.directory",
            );
        }
        path.into()
    }

    fn health(&mut self) -> Option<SocketAddr> {
        let text = self.text("health.listen");
        let address = (!text.is_empty()).then(|| text.parse());
        address.and_then(|address| {
            if address.is_err() {
                let problem = "it must be an IP address and a port, such as 0.0.0.0:8081, or empty";
                self.mistake("health.listen", problem);
            }
            address.ok()
        })
    }

    /// What it takes to put supervisors into pods: a folder and an image, or nothing of it.
    fn gate(&mut self, pod_ip: Option<String>) -> Option<GateSettings> {
        let [directory, image] = ["gate.directory", "gate.image"].map(|key| self.text(key));
        if directory.is_empty() {
            if !image.is_empty() {
                self.mistake("gate.image", "there is nowhere to keep leases: set gate.directory, too");
            }
            return None;
        }
        let directory = PathBuf::from(directory);
        if !directory.is_absolute() || directory.parent().is_none() {
            self.mistake("gate.directory", "it must be a folder of the node, such as /run/godwit/leases");
        }
        if image.is_empty() || image.contains(char::is_whitespace) {
            self.mistake(
                "gate.image",
                "name the image that supervisors are copied from: that of the agent has one",
            );
        }
        let listen = self.text("gate.listen").parse::<SocketAddr>().ok();
        let given = Some(self.text("gate.address")).filter(|text| !text.is_empty());
        let address = given.or(pod_ip).map(|text| text.parse::<IpAddr>());
        let Some(listen) = listen else {
            self.mistake("gate.listen", "it must be an IP address and a port, such as 0.0.0.0:8445");
            return None;
        };
        let unknown = match &address {
            Some(Err(_)) => true,
            Some(Ok(address)) => address.is_unspecified(),
            None => listen.ip().is_unspecified(),
        };
        if unknown {
            let problem =
                "name the IP address by which the cluster's other agents reach this one, or set POD_IP";
            self.mistake("gate.address", problem);
        }
        Some(GateSettings { directory, image, listen, address: address.and_then(Result::ok) })
    }

    /// In whose name applications' objects are written, if it is another's.
    fn impersonation(&mut self) -> Option<Impersonation> {
        let [account, except, cluster] =
            ["impersonate.service_account", "impersonate.except", "impersonate.cluster_account"]
                .map(|key| self.text(key));
        if account.is_empty() {
            for (key, value) in [("impersonate.except", &except), ("impersonate.cluster_account", &cluster)] {
                if !value.is_empty() {
                    self.mistake(key, "nobody is impersonated: set impersonate.service_account, too");
                }
            }
            return None;
        }
        if check_object_name(&account).is_err() {
            self.mistake("impersonate.service_account", "name a ServiceAccount, such as godwit-deployer");
        }
        let except: BTreeSet<String> =
            except.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        if except.iter().any(|name| check_namespace(name).is_err()) {
            self.mistake("impersonate.except", "name namespaces, such as platform,monitoring");
        }
        let named = cluster.split_once('/').filter(|(namespace, name)| {
            check_namespace(namespace).is_ok() && check_object_name(name).is_ok()
        });
        let cluster_account = named
            .map(|(namespace, name)| Impersonated { namespace: namespace.to_owned(), name: name.to_owned() });
        if cluster_account.is_none() && !cluster.is_empty() {
            self.mistake(
                "impersonate.cluster_account",
                "name a ServiceAccount as NAMESPACE/NAME, such as platform/godwit-deployer",
            );
        }
        Some(Impersonation { account, except, cluster_account })
    }

    fn log_format(&mut self) -> LogFormat {
        self.text("log.format").parse().unwrap_or_else(|_| {
            self.mistake("log.format", "it must be text or json");
            LogFormat::default()
        })
    }

    fn duration(&mut self, key: &str, bounds_ms: RangeInclusive<u64>) -> Duration {
        let ms = milliseconds(&self.text(key)).filter(|ms| bounds_ms.contains(ms));
        let ms = ms.unwrap_or_else(|| {
            let [least, most] = [*bounds_ms.start(), *bounds_ms.end()].map(Duration::from_millis);
            self.mistake(
                key,
                &format!("it must be a duration from {least:?} to {most:?}, such as 500ms, 15s or 1m"),
            );
            let default = DEFAULTS.iter().find(|(known, _)| *known == key);
            default.and_then(|(_, value)| milliseconds(value)).unwrap_or(*bounds_ms.start())
        });
        Duration::from_millis(ms)
    }
}

/// The usual port for enrolment at the same host.
fn enrolment_of(hub: &Endpoint) -> Option<Endpoint> {
    let host = hub.host();
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    format!("https://{host}:{ENROLMENT_PORT}").parse().ok()
}

fn milliseconds(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_ms)
}

/// Unique enough outside a cluster, where nobody gives a pod's name.
fn host_and_process() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => "agent",
        host => host,
    };
    format!("{host}-{}", std::process::id())
}
