//! Layers, their order, and the words for mistakes in them.

use super::*;

#[test]
fn later_layers_win_and_each_value_knows_its_source() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.toml");
    let text = "listen = '127.0.0.1:1'\ndata_dir = '/a'\n[tls]\nca = 'a'\ncertificate = 'b'\nkey = 'c'\n\
                [federation]\nheartbeat = '1s'\nlost_after = '5s'\n";
    std::fs::write(&path, text).unwrap();
    let loaded = load(&Sources {
        file: Some(path.clone()),
        environment: pairs(&[
            ("GODWIT_HUB_DATA_DIR", "/b"),
            ("GODWIT_HUB_FEDERATION__HEARTBEAT", "500ms"),
            ("PATH", "x"),
        ]),
        flags: vec![flag("data_dir", "/c", "--data-dir"), flag("limits.sessions", "7", "--set")],
    })
    .unwrap();
    let settings = &loaded.settings;
    assert_eq!((settings.listen.as_str(), settings.data_dir.as_path()), ("127.0.0.1:1", Path::new("/c")));
    assert_eq!(
        (settings.federation.heartbeat.to_string(), settings.limits.sessions),
        ("500ms".to_owned(), 7)
    );
    let text = loaded.to_toml();
    for line in [
        "data_dir = \"/c\"  # --data-dir".to_owned(),
        "federation.heartbeat = \"500ms\"  # GODWIT_HUB_FEDERATION__HEARTBEAT".to_owned(),
        format!("federation.lost_after = \"5s\"  # {}", path.display()),
        "limits.watches = 1000  # default".to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[test]
fn what_it_prints_can_be_read_again() {
    let first = load(&with(&[("limits.sessions", "7"), ("log.filter", "info,a=\"b\"\\")])).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("printed.toml");
    std::fs::write(&path, first.to_toml()).unwrap();
    let again = load(&Sources { file: Some(path), ..Sources::default() });
    assert_eq!(again.unwrap().settings, first.settings);
}

#[test]
fn every_mistake_is_named_at_once() {
    let mut sources =
        with(&[("listen", "everywhere"), ("limits.sessions", "0"), ("federation.removal_percent", "101")]);
    sources.flags.push(flag("metrics.listen", "9464", "--set"));
    sources.flags.push(flag("federation.degraded_percent", "101", "--set"));
    sources.flags.push(flag("federation.failure_domain_label", "a b", "--set"));
    sources.flags.push(flag("tls.key", "", "--tls-key"));
    sources.environment = pairs(&[
        ("GODWIT_HUB_FEDERATION__HEARTBEAT", "10 parsecs"),
        ("GODWIT_HUB_FEDERATION__CLUSTERS", "-5"),
        ("GODWIT_HUB_HEARTBEAT", "1s"),
        ("GODWIT_HUB_COLOUR", "blue"),
        ("GODWIT_HUB_TLS__CERT", "x"),
    ]);
    let text = load(&sources).unwrap_err().to_string();
    let expected = [
        "listen = \"everywhere\" (from --set): it must be an IP address and a port",
        "metrics.listen = \"9464\" (from --set): it must be an IP address and a port",
        "limits.sessions = \"0\" (from --set): it must be from 1 to",
        "federation.removal_percent = \"101\" (from --set): it is a share in percent",
        "federation.degraded_percent = \"101\" (from --set): it is a share in percent: it must be from 0 to 100",
        "federation.failure_domain_label = \"a b\" (from --set): it must be the key of a label, such as",
        "federation.heartbeat = \"10 parsecs\" (from GODWIT_HUB_FEDERATION__HEARTBEAT): it is not a duration",
        "federation.clusters = \"-5\" (from GODWIT_HUB_FEDERATION__CLUSTERS): it must be",
        "heartbeat = \"1s\" (from GODWIT_HUB_HEARTBEAT): there is no such key; did you mean federation.heartbeat?",
        "colour = \"blue\" (from GODWIT_HUB_COLOUR): there is no such key; the keys are listen",
        "tls.cert = \"x\" (from GODWIT_HUB_TLS__CERT): there is no such key; the keys are tls.ca, tls.certificate, tls.key",
        "tls.key = \"\" (from --tls-key): it is needed: give the PEM file of the certificate's key by tls.key in the \
         file, GODWIT_HUB_TLS__KEY, or --tls-key",
    ];
    for line in expected {
        assert!(text.lines().any(|found| found.starts_with(line)), "{line} is not in\n{text}");
    }
    assert_eq!(text.lines().count(), expected.len(), "{text}");
}

#[test]
fn certificates_are_files_or_the_hub_makes_them_itself() {
    let of = |pairs: &[(&str, &str)]| {
        let flags = pairs.iter().map(|(key, value)| flag(key, value, "--set")).collect();
        load(&Sources { flags, ..Sources::default() })
    };
    let loaded = of(&[("authority.names", "hub.example.com, 10.0.0.1,::1")]).unwrap();
    assert_eq!(loaded.settings.authority.names(), ["hub.example.com", "10.0.0.1", "::1"]);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let short = of(&[("authority.names", "hub"), ("authority.agent_validity", "10m")]).unwrap();
    assert!(short.warnings.iter().any(|warning| warning.contains("authority.agent_validity")));

    let names = ("authority.names", "hub");
    for (settings, line) in [
        (
            &[][..],
            "tls.ca = \"\" (from default): it is needed: give the PEM file of the trusted authorities by tls.ca",
        ),
        (&[names, ("tls.key", "k")], "tls.key = \"k\" (from --set): the hub has its own authority"),
        (
            &[("authority.names", "hub:8443")],
            "authority.names = \"hub:8443\" (from --set): \"hub:8443\" is neither",
        ),
        (
            &[names, ("authority.key", "k")],
            "authority.certificate = \"\" (from default): authority.certificate and",
        ),
        (
            &[("authority.key", "k")],
            "authority.key = \"k\" (from --set): this is the hub's own authority only if",
        ),
        (
            &[names, ("authority.agent_validity", "1s")],
            "authority.agent_validity = \"1s\" (from --set): it must be from",
        ),
        (
            &[names, ("enrolment.listen", "8444")],
            "enrolment.listen = \"8444\" (from --set): it must be an IP address",
        ),
    ] {
        let text = of(settings).unwrap_err().to_string();
        assert!(text.lines().any(|found| found.starts_with(line)), "{line} is not in\n{text}");
    }
}

#[test]
fn a_table_where_a_value_belongs_and_the_reverse() {
    for text in ["tls = 'x'", "listen = { port = 1 }", "listen = ['a']", "data_dir = 5.5", "log = 1"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.toml");
        std::fs::write(&path, text).unwrap();
        let sources = Sources { file: Some(path), ..Sources::default() };
        let error = load(&sources).unwrap_err();
        assert!(matches!(error, ConfigError::Mistakes(_)), "{text}: {error}");
    }
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.toml");
    let sources = Sources { file: Some(path.clone()), ..Sources::default() };
    assert!(matches!(load(&sources), Err(ConfigError::Read { .. })));
    std::fs::write(&path, "listen = \n").unwrap();
    let error = load(&sources).unwrap_err();
    assert!(matches!(&error, ConfigError::Parse { .. }) && error.to_string().contains("hub.toml"), "{error}");
}

#[test]
fn variables_that_kubernetes_makes_for_a_service_are_passed_over() {
    let mut sources = with(&[]);
    sources.environment = pairs(&[
        ("GODWIT_HUB_SERVICE_HOST", "10.0.0.1"),
        ("GODWIT_HUB_SERVICE_PORT_GRPC", "8443"),
        ("GODWIT_HUB_PORT", "tcp://10.0.0.1:8443"),
        ("GODWIT_HUB_PORT_8443_TCP_ADDR", "10.0.0.1"),
    ]);
    assert!(load(&sources).is_ok());
}

#[test]
fn a_loss_faster_than_the_heartbeats_allow_is_warned_of() {
    let loaded = load(&with(&[("federation.lost_after", "3s")])).unwrap();
    assert!(matches!(&loaded.warnings[..], [warning] if warning.contains("below 2.5 heartbeats (5s)")));
    assert!(load(&with(&[])).unwrap().warnings.is_empty());
}

#[test]
fn a_cluster_may_be_degraded_by_one_node() {
    let loaded = load(&with(&[("federation.degraded_percent", "0"), ("federation.quotas", "7")])).unwrap();
    let core = loaded.settings.federation.core();
    assert_eq!((core.degraded_percent, core.quotas), (0, 7));
}

#[test]
fn a_flag_that_is_no_key_is_named() {
    let error = load(&with(&[("a..b", "1")])).unwrap_err().to_string();
    assert!(error.contains("this is not a key"), "{error}");
}

/// The needed settings, and some more.
fn with(more: &[(&str, &str)]) -> Sources {
    let needed = [("tls.ca", "a"), ("tls.certificate", "b"), ("tls.key", "c")];
    Sources {
        flags: needed.iter().chain(more).map(|(key, value)| flag(key, value, "--set")).collect(),
        ..Sources::default()
    }
}

fn flag(key: &str, value: &str, flag: &str) -> (String, String, String) {
    (key.to_owned(), value.to_owned(), flag.to_owned())
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
