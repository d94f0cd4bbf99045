//! What must never be committed: private keys, and paths of somebody's own machine.

use crate::finding::{Finding, expect_at, expect_none};
use crate::repository::Repository;

/// Written in two halves, so that this file does not contain them.
const MACHINE_PATHS: [&str; 2] = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];
const KEY_HEAD: &str = concat!("-----BE", "GIN ");
const KEY_TAIL: &str = concat!("PRIVATE", " KEY-----");

fn private_keys(repository: &Repository) -> Vec<Finding> {
    let is_key = |line: &str| line.split_once(KEY_HEAD).is_some_and(|(_, rest)| rest.contains(KEY_TAIL));
    lines_where(
        repository,
        is_key,
        "a private key",
        "remove it from the history too, and mint keys at run time",
    )
}

fn machine_paths(repository: &Repository) -> Vec<Finding> {
    let names_a_machine = |line: &str| {
        MACHINE_PATHS.iter().flat_map(|path| line.match_indices(path)).any(|(place, _)| {
            // `docs/home/` is a path of the repository, not of a machine.
            !line[..place].ends_with(|c: char| c.is_alphanumeric() || "._-~}".contains(c))
        })
    };
    lines_where(
        repository,
        names_a_machine,
        "a path of one machine",
        "derive the path, or take it as a setting",
    )
}

fn lines_where(
    repository: &Repository,
    matches: impl Fn(&str) -> bool,
    problem: &str,
    remedy: &'static str,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in repository.files() {
        let lines = text.lines().enumerate().filter(|(_, line)| matches(line));
        findings.extend(lines.map(|(index, _)| Finding::new(path, index + 1, problem, remedy)));
    }
    findings
}

#[test]
fn a_private_key_is_found() {
    let key = format!("a\n{KEY_HEAD}EC {KEY_TAIL}\n");
    let certificate = format!("{KEY_HEAD}CERTIFICATE-----\n");
    expect_at(&private_keys(&Repository::of(&[("a.pem", &key), ("b.pem", &certificate)])), &[("a.pem", 2)]);
}

#[test]
fn a_machine_path_is_found() {
    for path in MACHINE_PATHS {
        let text = format!("see docs{path}x\nsee {path}x\n");
        expect_at(&machine_paths(&Repository::of(&[("a.md", &text)])), &[("a.md", 2)]);
    }
}

#[test]
fn no_private_key_is_committed() {
    expect_none(&private_keys(Repository::here()));
}

#[test]
fn no_machine_path_is_committed() {
    expect_none(&machine_paths(Repository::here()));
}
