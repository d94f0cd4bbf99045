//! The walls between packages: what the pure ones may use, and who may depend on whom.

use crate::finding::{Finding, expect_at, expect_none};
use crate::manifest::Kind;
use crate::repository::Repository;
use crate::words::{line_of, places_of, without_comments};

/// The packages whose results depend on their arguments alone, and all that they may depend on. Tests may use more.
pub(crate) const PURE: [(&str, &[&str]); 6] = [
    ("common", &[]),
    ("common/manifest", &["godwit-common", "json-patch", "serde", "serde-saphyr", "serde_json", "thiserror"]),
    ("hub/issuer", &["jsonwebtoken", "serde", "serde_json", "thiserror"]),
    ("hub/planner", &["godwit-common"]),
    ("hub/core", &["godwit-common", "godwit-planner"]),
    ("agent/core", &["godwit-common"]),
];

/// What the standard library offers beyond computing. Clippy refuses most of it by name; this refuses all of it.
const IMPURE_MODULES: [&str; 5] = ["env", "fs", "net", "process", "thread"];
const CLOCKS: [&str; 2] = ["Instant", "SystemTime"];

/// A dependency that only the first list of packages may have; the second may use it too, in tests.
const RESERVED: [(&str, &[&str], &[&str]); 9] = [
    ("kube", &["agent"], &["kubesim", "tests"]),
    ("k8s-openapi", &["agent"], &["kubesim", "tests"]),
    ("redb", &["hub"], &[]),
    // Whoever checks no tokens has nothing of it: the agent shows its own.
    ("jsonwebtoken", &["hub/issuer"], &[]),
    ("godwit-issuer", &["hub", "tests/fuzz"], &[]),
    ("godwit-hub", &["cli", "tests", "tests/fuzz", "bench"], &[]),
    ("godwit-agent", &["cli", "tests", "bench"], &[]),
    ("godwit-hub-core", &["hub", "tests", "tests/fuzz", "tests/sim", "bench"], &[]),
    ("godwit-agent-core", &["agent", "tests", "tests/sim", "bench"], &[]),
];

fn impure_dependencies(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in repository.packages() {
        let Some((folder, allowed)) = PURE.iter().find(|(folder, _)| *folder == package.folder()) else {
            continue;
        };
        for dependency in &package.dependencies {
            if dependency.kind != Kind::Dev && !allowed.contains(&dependency.name.as_str()) {
                let problem = format!("{folder} is pure and may not depend on {}", dependency.name);
                let remedy = "move what needs it to the shell, and hand plain values over";
                findings.push(Finding::new(&package.path, dependency.line, problem, remedy));
            }
        }
    }
    findings
}

fn impure_code(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in repository.with_extension("rs") {
        if !PURE.iter().any(|(folder, _)| path.starts_with(&format!("{folder}/src/"))) {
            continue;
        }
        let code = without_comments(text);
        let mut found = Vec::new();
        for module in IMPURE_MODULES {
            let direct = places_of(&code, &format!("std::{module}"));
            let grouped = groups_of_std(&code)
                .into_iter()
                .filter_map(|(start, group)| places_of(group, module).first().map(|place| start + place));
            found.extend(direct.into_iter().chain(grouped).map(|place| (line_of(&code, place), module)));
        }
        for clock in CLOCKS {
            found.extend(places_of(&code, clock).into_iter().map(|place| (line_of(&code, place), clock)));
        }
        found.sort_unstable();
        findings.extend(found.into_iter().map(|(line, name)| {
            let problem = format!("pure code uses std's {name}");
            Finding::new(
                path,
                line,
                problem,
                "take the value as an argument or an event, or return an effect",
            )
        }));
    }
    findings
}

/// The inside of every `std::{…}`, with the place where it starts.
fn groups_of_std(code: &str) -> Vec<(usize, &str)> {
    const HEAD: &str = "std::{";
    let inside = |(place, _): (usize, &str)| {
        let start = place + HEAD.len();
        let mut depth = 1_usize;
        let end = code[start..].find(|c| {
            depth = match c {
                '{' => depth + 1,
                '}' => depth - 1,
                _ => depth,
            };
            depth == 0
        })?;
        Some((start, &code[start..start + end]))
    };
    code.match_indices(HEAD).filter_map(inside).collect()
}

fn reserved_dependencies(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in repository.packages() {
        for dependency in &package.dependencies {
            let Some((name, users, testers)) = RESERVED.iter().find(|(name, ..)| *name == dependency.name)
            else {
                continue;
            };
            let folder = package.folder();
            let in_tests = dependency.kind == Kind::Dev && testers.contains(&folder);
            if !users.contains(&folder) && !in_tests {
                let problem = format!("{folder} may not depend on {name}, which is for {}", users.join(", "));
                let remedy = "keep this use in one of those packages, and share plain values through common";
                findings.push(Finding::new(&package.path, dependency.line, problem, remedy));
            }
        }
    }
    findings
}

#[test]
fn a_dependency_of_a_pure_package_is_found() {
    let manifest = "[dependencies]\ngodwit-common.workspace = true\ntokio.workspace = true\n\
                    [dev-dependencies]\nproptest.workspace = true\n";
    let repository = Repository::of(&[("hub/core/Cargo.toml", manifest), ("hub/Cargo.toml", manifest)]);
    expect_at(&impure_dependencies(&repository), &[("hub/core/Cargo.toml", 3)]);
}

#[test]
fn impure_code_is_found_however_it_is_imported() {
    let code = "//! Not std::fs.\nuse std::{\n    collections::{BTreeMap, BTreeSet},\n    fs,\n};\n\
                use std::fmt;\nfn f() { std::env::var(\"A\"); Instant::now(); }\nlet fs = 1;\n";
    let repository = Repository::of(&[("common/src/lib.rs", code), ("common/rt/src/lib.rs", code)]);
    let place = "common/src/lib.rs";
    expect_at(&impure_code(&repository), &[(place, 4), (place, 7), (place, 7)]);
}

#[test]
fn a_reserved_dependency_is_found() {
    let manifest = "[dependencies]\nkube.workspace = true\n";
    let in_tests = "[dev-dependencies]\nkube.workspace = true\nredb.workspace = true\n";
    let crossing = "[dependencies]\ngodwit-agent-core.workspace = true\n";
    let repository = Repository::of(&[
        ("agent/Cargo.toml", manifest),
        ("cli/Cargo.toml", manifest),
        ("hub/core/Cargo.toml", crossing),
        ("kubesim/Cargo.toml", in_tests),
    ]);
    let expected = [("cli/Cargo.toml", 2), ("hub/core/Cargo.toml", 2), ("kubesim/Cargo.toml", 3)];
    expect_at(&reserved_dependencies(&repository), &expected);
}

#[test]
fn pure_packages_depend_on_nothing_impure() {
    expect_none(&impure_dependencies(Repository::here()));
}

#[test]
fn pure_packages_contain_nothing_impure() {
    expect_none(&impure_code(Repository::here()));
}

#[test]
fn reserved_dependencies_stay_where_they_belong() {
    expect_none(&reserved_dependencies(Repository::here()));
}

#[test]
fn every_pure_package_exists() {
    for (folder, _) in PURE {
        assert!(
            Repository::here().has(&format!("{folder}/Cargo.toml")),
            "{folder} is listed as pure and is missing"
        );
    }
}
