//! The gate runs what README.md tells readers to run.

use crate::finding::{Finding, expect_at, expect_none};
use crate::repository::Repository;

const GATE: &str = ".ci/run";
const README: &str = "README.md";

/// The gate names its test command once; README.md must show the same command on a line of its own.
fn other_command(repository: &Repository) -> Vec<Finding> {
    let gate = repository.text(GATE).unwrap_or_default();
    let command = gate.lines().enumerate().find_map(|(index, line)| {
        let value = line.strip_prefix("readonly test_command=")?;
        Some((index + 1, value.trim_matches('"')))
    });
    let Some((line, command)) = command else {
        return vec![Finding::new(GATE, 0, "it names no test command", "set `readonly test_command=` in it")];
    };
    let readme = repository.text(README).unwrap_or_default();
    if readme.lines().any(|line| line.trim() == command) {
        return Vec::new();
    }
    let problem = format!("{README} has no line `{command}`");
    vec![Finding::new(GATE, line, problem, "give both files the same command")]
}

#[test]
fn another_command_is_found() {
    let gate = "set -e\nreadonly test_command=\"cargo test -p x\"\n";
    let same = Repository::of(&[(GATE, gate), (README, "```sh\ncargo test -p x\n```\n")]);
    expect_none(&other_command(&same));
    let other = Repository::of(&[(GATE, gate), (README, "run cargo test -p x --all\n")]);
    expect_at(&other_command(&other), &[(GATE, 2)]);
    expect_at(&other_command(&Repository::of(&[(GATE, "")])), &[(GATE, 0)]);
}

#[test]
fn the_gate_runs_the_command_of_the_readme() {
    expect_none(&other_command(Repository::here()));
}
