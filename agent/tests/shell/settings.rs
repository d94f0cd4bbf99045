//! The command line of the real binary.

use std::process::{Command, Output};

fn agent(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_godwit-agent"));
    command.env_clear().args(args).output().unwrap()
}

const VALID: [&str; 8] =
    ["--hub", "hub:8443", "--tls-ca", "ca.pem", "--tls-certificate", "agent.pem", "--tls-key", "agent.key"];

#[test]
fn the_settings_can_be_checked_and_shown() {
    let mut args = VALID.to_vec();
    args.push("--check-config");
    let output = agent(&args);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(shown.contains("hubs = \"hub:8443\"  # --hub"), "{shown}");
    assert!(shown.contains("lease.duration = \"15s\"  # default"), "{shown}");
}

#[test]
fn every_mistake_is_said_at_once_and_ends_with_two() {
    let output = agent(&["--namespace", "Not_A_Name", "--log-format", "xml"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    for key in ["hubs", "tls.ca", "tls.certificate", "tls.key", "namespace", "log.format"] {
        assert!(said.contains(&format!("{key} = ")), "{key} is missing in:\n{said}");
    }
    assert_eq!(agent(&["--no-such-flag"]).status.code(), Some(2));
    assert_eq!(agent(&["--help"]).status.code(), Some(0));
}

#[test]
fn a_missing_certificate_is_a_failure_that_names_the_file() {
    let output = agent(&VALID);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("ca.pem") || said.contains("agent.pem"), "{said}");
}
