//! The settings: the file first, then the environment (`GODWIT_AGENT_TLS__CA` sets `tls.ca`), then flags. All of them
//! are checked before anything is opened, and every mistake is named with its key, its value and where it came from.

mod check;
mod layers;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use godwit_rt::telemetry::LogFormat;

use crate::cluster::Impersonation;
use crate::gate::GateSettings;
use crate::identity::Source;

pub(crate) use layers::Leaves;

/// Every key with its default.
const DEFAULTS: [(&str, &str); 31] = [
    // The hubs' addresses, HOST:PORT: a list, or separated by commas.
    ("hubs", ""),
    // The credentials of the cluster; empty: those of the pod that the agent runs in.
    ("kubeconfig", ""),
    // The namespace of the agent's own objects.
    ("namespace", "godwit-system"),
    // The agent's name within its cluster; empty: POD_NAME, or else host and process.
    ("instance", ""),
    // The node that the agent runs on; empty: NODE_NAME.
    ("node", ""),
    ("tls.ca", ""),
    ("tls.certificate", ""),
    ("tls.key", ""),
    // Where health is served; empty: nowhere.
    ("health.listen", ""),
    // Where the agent keeps a certificate that it gets from the hub; empty: it has files.
    ("identity.directory", ""),
    // The Secret, in the agent's namespace, by which the cluster's other agents come in; empty: each needs a token.
    ("identity.secret", ""),
    // The join token, for the first one.
    ("identity.join_token_file", ""),
    // The token of the agent's service account, from a projected volume: by it later agents of the cluster come in.
    ("identity.service_account_token_file", ""),
    // The name of the cluster, and the SHA-256 of the public key of the hub's authority: empty if the join token says them.
    ("identity.cluster", ""),
    ("identity.authority_pin", ""),
    // How often it is looked whether the cluster still signs with the same keys.
    ("identity.issuer_check", "1m"),
    // Where the hubs take those without a certificate; empty: at port 8444 of their hosts.
    ("identity.enrolment", ""),
    ("log.filter", "info"),
    ("log.format", "text"),
    ("link.dial_cap", "5s"),
    ("lease.duration", "15s"),
    ("lease.renew", "5s"),
    ("lease.resign_after", "3s"),
    ("report.interval", "150ms"),
    // The folder of the node in which leases are kept for its pods; empty: pods get no supervisor.
    ("gate.directory", ""),
    // The image that supervisors are copied from.
    ("gate.image", ""),
    // Where the cluster's other agents ask what may run.
    ("gate.listen", "0.0.0.0:8445"),
    // The IP address by which they find this one; empty: POD_IP, or else that of gate.listen.
    ("gate.address", ""),
    // The ServiceAccount, in each namespace, in whose name applications' objects are written; empty: the agent's own.
    ("impersonate.service_account", ""),
    // Namespaces that are written to in the agent's own name all the same: a list, or separated by commas.
    ("impersonate.except", ""),
    // The account for what is in no namespace, NAMESPACE/NAME; empty: that is refused.
    ("impersonate.cluster_account", ""),
];

/// Checked settings.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) hubs: Vec<String>,
    pub(crate) kubeconfig: Option<PathBuf>,
    pub(crate) namespace: String,
    pub(crate) instance: String,
    pub(crate) node: Option<String>,
    pub(crate) identity: Source,
    pub(crate) health: Option<SocketAddr>,
    pub(crate) log_filter: String,
    pub(crate) log_format: LogFormat,
    pub(crate) dial_cap: Duration,
    pub(crate) lease_duration: Duration,
    pub(crate) lease_renew: Duration,
    pub(crate) resign_after: Duration,
    pub(crate) report_interval: Duration,
    /// None: pods get no supervisor here.
    pub(crate) gate: Option<GateSettings>,
    /// None: applications' objects are written in the agent's own name.
    pub(crate) impersonation: Option<Impersonation>,
}

/// Where settings come from, besides the defaults.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    pub(crate) file: Option<PathBuf>,
    /// The whole environment; what is not the agent's is passed over.
    pub(crate) environment: Vec<(String, String)>,
    /// Key, value, and the flag that said so.
    pub(crate) flags: Vec<(String, String, String)>,
}

/// Puts the layers together and checks the whole. The leaves are for printing.
pub(crate) fn load(sources: &Sources) -> anyhow::Result<(Settings, Leaves)> {
    let leaves = layers::merge(sources)?;
    let settings = check::check(&leaves, &sources.environment)?;
    Ok((settings, leaves))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid() -> Vec<(String, String, String)> {
        let flags = [
            ("hubs", "hub-a:8443,hub-b:8443"),
            ("tls.ca", "ca.pem"),
            ("tls.certificate", "agent.pem"),
            ("tls.key", "agent.key"),
        ];
        flags.map(|(key, value)| (key.into(), value.into(), "--set".into())).into()
    }

    fn with(edit: impl FnOnce(&mut Sources)) -> anyhow::Result<(Settings, Leaves)> {
        let mut sources = Sources { flags: valid(), ..Sources::default() };
        edit(&mut sources);
        load(&sources)
    }

    #[test]
    fn supervisors_take_a_folder_an_image_and_an_address_that_others_reach() {
        let with_gate = |settings: &[(&str, &str)], pod_ip: Option<&str>| {
            with(|sources| {
                let pod_ip = pod_ip.map(|ip| ("POD_IP".to_owned(), ip.to_owned()));
                sources.environment.extend(pod_ip);
                settings.iter().for_each(|(key, value)| flag(sources, key, value));
            })
        };
        let whole = [("gate.directory", "/run/godwit/leases"), ("gate.image", "agent:1")];
        let (settings, _) = with_gate(&whole, Some("10.0.0.7")).unwrap();
        let gate = settings.gate.unwrap();
        assert_eq!(gate.address, Some("10.0.0.7".parse().unwrap()));
        assert_eq!((gate.image.as_str(), gate.listen.port()), ("agent:1", 8445));
        assert_eq!(with_gate(&[], Some("10.0.0.7")).unwrap().0.gate, None, "nobody has asked for it");
        for (settings, mistake) in [
            (&whole[..1], "gate.image = \"\" (from default): name the image"),
            (&whole[1..], "gate.image = \"agent:1\" (from --set): there is nowhere to keep leases"),
            (&whole[..], "gate.address = \"\" (from default): name the IP address"),
            (
                &[("gate.directory", "leases")],
                "gate.directory = \"leases\" (from --set): it must be a folder",
            ),
            (
                &[whole[0], whole[1], ("gate.listen", "8445")],
                "gate.listen = \"8445\" (from --set): it must be",
            ),
            (
                &[whole[0], whole[1], ("gate.address", "node-1")],
                "gate.address = \"node-1\" (from --set): name",
            ),
        ] {
            let error = with_gate(settings, None).unwrap_err().to_string();
            assert!(error.contains(mistake), "{settings:?}: {error}");
        }
    }

    #[test]
    fn whoever_is_impersonated_has_a_name_and_nothing_else_is_said_without() {
        let with_these = |settings: &[(&str, &str)]| {
            with(|sources| settings.iter().for_each(|(key, value)| flag(sources, key, value)))
        };
        assert_eq!(with_these(&[]).unwrap().0.impersonation, None);
        let account = ("impersonate.service_account", "godwit-deployer");
        let except = ("impersonate.except", "platform, monitoring");
        let cluster = ("impersonate.cluster_account", "platform/godwit");
        let how = with_these(&[account, except, cluster]).unwrap().0.impersonation.unwrap();
        assert_eq!((how.account.as_str(), how.except.len()), ("godwit-deployer", 2));
        assert_eq!(how.cluster_account.unwrap().namespace, "platform");
        for (settings, mistake) in [
            (
                &[except][..],
                "impersonate.except = \"platform, monitoring\" (from --set): nobody is impersonated",
            ),
            (&[("impersonate.service_account", "No One")], "impersonate.service_account = \"No One\""),
            (&[account, ("impersonate.except", "A,b")], "impersonate.except = \"A,b\" (from --set): name"),
            (
                &[account, ("impersonate.cluster_account", "godwit")],
                "name a ServiceAccount as NAMESPACE/NAME",
            ),
        ] {
            let error = with_these(settings).unwrap_err().to_string();
            assert!(error.contains(mistake), "{settings:?}: {error}");
        }
    }

    fn flag(sources: &mut Sources, key: &str, value: &str) {
        sources.flags.push((key.into(), value.into(), "--set".into()));
    }

    #[test]
    fn later_layers_win() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("agent.toml");
        std::fs::write(&file, "hubs = ['x:1', 'y:2']\nnamespace = 'file'\n[log]\nfilter = 'debug'\n")
            .unwrap();
        let environment = vec![
            ("GODWIT_AGENT_NAMESPACE".to_owned(), "env".to_owned()),
            ("GODWIT_AGENT_LEASE__DURATION".to_owned(), "30s".to_owned()),
            ("POD_NAME".to_owned(), "agent-x".to_owned()),
            ("GODWIT_AGENT_SERVICE_HOST".to_owned(), "10.0.0.1".to_owned()),
        ];
        let mut flags = valid();
        flags.remove(0);
        let sources = Sources { file: Some(file), environment, flags };
        let (settings, leaves) = load(&sources).unwrap();
        assert_eq!(settings.hubs, ["x:1", "y:2"]);
        assert_eq!((settings.namespace.as_str(), settings.log_filter.as_str()), ("env", "debug"));
        assert_eq!(
            (settings.lease_duration, settings.instance.as_str()),
            (Duration::from_secs(30), "agent-x")
        );
        let shown = leaves.to_string();
        assert!(shown.contains("namespace = \"env\"  # GODWIT_AGENT_NAMESPACE"), "{shown}");
        assert!(shown.contains("tls.ca = \"ca.pem\"  # --set"), "{shown}");
    }

    #[test]
    fn every_mistake_is_named_at_once_with_its_key_value_and_source() {
        let error = with(|sources| {
            flag(sources, "hubs", "nowhere");
            flag(sources, "lease.duration", "soon");
            flag(sources, "log.format", "xml");
            flag(sources, "health.listen", "8081");
            flag(sources, "tls.key", "");
            flag(sources, "lease.reniew", "5s");
            sources.environment = vec![("GODWIT_AGENT_NAMESPACE".into(), "Not_A_Name".into())];
        });
        let text = format!("{:#}", error.unwrap_err());
        for part in [
            "hubs = \"nowhere\" (from --set)",
            "lease.duration = \"soon\" (from --set)",
            "log.format = \"xml\" (from --set)",
            "health.listen = \"8081\" (from --set)",
            "tls.key = \"\" (from --set)",
            "lease.reniew = \"5s\" (from --set): there is no such key",
            "namespace = \"Not_A_Name\" (from GODWIT_AGENT_NAMESPACE)",
        ] {
            assert!(text.contains(part), "{part} is missing in:\n{text}");
        }
    }

    #[test]
    fn the_certificate_is_in_files_or_comes_from_the_hub() {
        let of = |pairs: &[(&str, &str)]| {
            let flags = pairs.iter().map(|(key, value)| ((*key).into(), (*value).into(), "--set".into()));
            load(&Sources { flags: flags.collect(), ..Sources::default() })
                .map(|(settings, _)| settings.identity)
        };
        let (hubs, directory) = (("hubs", "hub-a:9443,[::1]:8443"), ("identity.directory", "/var/lib/agent"));
        let Ok(Source::Hub(from)) = of(&[hubs, directory]) else { panic!("it comes from the hub") };
        let shown = |endpoints: &[godwit_rt::dial::Endpoint]| -> Vec<String> {
            endpoints.iter().map(ToString::to_string).collect()
        };
        assert_eq!(shown(&from.hubs), ["https://hub-a:9443", "https://[::1]:8443"]);
        assert_eq!(shown(&from.enrolment), ["https://hub-a:8444", "https://[::1]:8444"]);
        let given = of(&[hubs, directory, ("identity.enrolment", "door:1")]);
        assert!(matches!(given, Ok(Source::Hub(from)) if shown(&from.enrolment) == ["https://door:1"]));

        for (more, line) in [
            (&[("tls.key", "k")][..], "tls.key = \"k\" (from --set): the certificate comes from the hub"),
            (&[("identity.secret", "Not A Name")], "identity.secret = \"Not A Name\" (from --set)"),
            (&[("identity.enrolment", "nowhere")], "identity.enrolment = \"nowhere\" (from --set)"),
        ] {
            let error = of(&[&[hubs, directory], more].concat()).unwrap_err().to_string();
            assert!(error.contains(line), "{line} is not in\n{error}");
        }
        let error = of(&[hubs, ("identity.join_token_file", "t")]).unwrap_err().to_string();
        assert!(error.contains("set identity.directory, too"), "{error}");
        assert!(
            error.contains("tls.ca = \"\" (from default): name a PEM file; or let the agent get"),
            "{error}"
        );
    }

    #[test]
    fn whoever_comes_by_a_service_account_knows_the_cluster_and_the_hub() {
        let of = |pairs: &[(&str, &str)]| {
            let base = [("hubs", "hub-a:8443"), ("identity.directory", "/var/lib/agent")];
            let flags = base.iter().chain(pairs);
            let flags = flags.map(|(key, value)| ((*key).into(), (*value).into(), "--set".into()));
            load(&Sources { flags: flags.collect(), ..Sources::default() })
                .map(|(settings, _)| settings.identity)
        };
        let pin = "0f".repeat(32);
        let file = ("identity.service_account_token_file", "t");
        let (cluster, authority) = (("identity.cluster", "east"), ("identity.authority_pin", pin.as_str()));
        let Ok(Source::Hub(from)) = of(&[file, cluster, authority]) else { panic!("it is enough") };
        let known = from.account.unwrap().known.unwrap();
        assert_eq!((known.cluster.as_str(), known.authority.to_string()), ("east", pin.clone()));
        let Ok(Source::Hub(from)) = of(&[file, ("identity.join_token_file", "j")]) else {
            panic!("so is that")
        };
        assert_eq!(from.account.unwrap().known, None, "the join token says it");

        for (pairs, line) in [
            (&[file][..], "whose hub it may be shown to is unknown"),
            (&[file, cluster], "identity.authority_pin = \"\" (from default): it goes along with"),
            (&[file, authority], "identity.cluster = \"\" (from default): it goes along with"),
            (&[cluster], "set identity.service_account_token_file, too"),
            (&[file, ("identity.cluster", "East"), authority], "identity.cluster = \"East\" (from --set)"),
            (&[file, cluster, ("identity.authority_pin", "0f")], "64 hexadecimal digits"),
            (&[file, cluster, authority, ("identity.issuer_check", "0s")], "identity.issuer_check = \"0s\""),
        ] {
            let error = of(pairs).unwrap_err().to_string();
            assert!(error.contains(line), "{line} is not in\n{error}");
        }
    }

    #[test]
    fn numbers_outside_their_bounds_are_refused() {
        for (key, value) in [
            ("lease.duration", "1s"),
            ("lease.renew", "14s"),
            ("link.dial_cap", "2h"),
            ("report.interval", "0s"),
            ("lease.resign_after", "99999999999999999999s"),
        ] {
            let error = with(|sources| flag(sources, key, value)).unwrap_err();
            assert!(format!("{error:#}").contains(key), "{error:#}");
        }
    }

    #[test]
    fn files_that_cannot_be_used_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing.toml");
        let error = with(|sources| sources.file = Some(missing)).unwrap_err();
        assert!(format!("{error:#}").contains("missing.toml"));
        let broken = folder.path().join("broken.toml");
        std::fs::write(&broken, "hubs = [").unwrap();
        let error = with(|sources| sources.file = Some(broken)).unwrap_err();
        assert!(format!("{error:#}").contains("broken.toml"));
    }
}
