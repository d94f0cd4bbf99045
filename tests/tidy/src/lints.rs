//! Clippy reads the nearest clippy.toml and merges nothing, so the files must agree: every pure package has the pure rules,
//! those contain the common ones, and a package below a pure one gets the common ones back.

use crate::finding::{Finding, expect_at, expect_none};
use crate::repository::Repository;
use crate::walls::PURE;

const COMMON_RULES: &str = "clippy.toml";
const PURE_RULES: &str = "common/clippy.toml";
/// It replays the pure packages, so it follows their rules; where it must read a seed or measure, it says so with an `expect`.
const SIMULATOR: &str = "tests/sim";

fn wrong_rules(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in repository.packages() {
        let folder = package.folder();
        let pure = PURE.iter().any(|(pure, _)| *pure == folder) || folder == SIMULATOR;
        let expected = if pure { PURE_RULES } else { COMMON_RULES };
        let nearest = nearest_rules(repository, folder);
        if nearest.and_then(|path| repository.text(path)) != repository.text(expected) {
            let problem = format!(
                "clippy reads {} here, and should read the rules of {expected}",
                nearest.unwrap_or("nothing")
            );
            findings.push(Finding::new(
                &package.path,
                0,
                problem,
                "link to that file as clippy.toml beside this manifest",
            ));
        }
    }
    findings
}

/// The rules that clippy would take for a package: those of the first folder upwards that has any.
fn nearest_rules<'a>(repository: &'a Repository, folder: &str) -> Option<&'a str> {
    let holds = |rules: &&str| {
        let home = rules.trim_end_matches("clippy.toml");
        format!("{folder}/").starts_with(home)
    };
    let all = repository.files().map(|(path, _)| path);
    all.filter(|path| *path == COMMON_RULES || path.ends_with("/clippy.toml"))
        .filter(holds)
        .max_by_key(|path| path.len())
}

fn missing_rules(repository: &Repository) -> Vec<Finding> {
    let pure = repository.text(PURE_RULES).unwrap_or_default();
    let common = repository.text(COMMON_RULES).unwrap_or_default();
    let rules =
        common.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty());
    let missing = rules.filter(|(_, rule)| !pure.lines().any(|line| line == *rule));
    let finding = |(index, rule): (usize, &str)| {
        let problem = format!("{PURE_RULES} does not repeat `{}`", rule.trim());
        Finding::new(COMMON_RULES, index + 1, problem, "copy the line there")
    };
    missing.map(finding).collect()
}

#[test]
fn a_package_with_the_wrong_rules_is_found() {
    let repository = Repository::of(&[
        ("clippy.toml", "common"),
        ("common/clippy.toml", "pure"),
        ("common/Cargo.toml", ""),
        ("common/rt/Cargo.toml", ""),
        ("hub/Cargo.toml", ""),
        ("hub/core/Cargo.toml", ""),
        ("hub/planner/Cargo.toml", ""),
        ("hub/planner/clippy.toml", "pure"),
    ]);
    expect_at(&wrong_rules(&repository), &[("common/rt/Cargo.toml", 0), ("hub/core/Cargo.toml", 0)]);
}

#[test]
fn a_rule_that_is_not_repeated_is_found() {
    let repository =
        Repository::of(&[("clippy.toml", "# A\nb = 1\n\nc = 2\n"), ("common/clippy.toml", "b = 1\nc = 3\n")]);
    expect_at(&missing_rules(&repository), &[("clippy.toml", 4)]);
}

#[test]
fn every_package_has_its_rules() {
    expect_none(&wrong_rules(Repository::here()));
}

#[test]
fn the_pure_rules_contain_the_common_ones() {
    expect_none(&missing_rules(Repository::here()));
}
