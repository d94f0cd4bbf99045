//! What the root's Cargo.toml says once is used everywhere: members, dependencies, lints.

use crate::finding::{Finding, expect_at, expect_none};
use crate::manifest::{Kind, Manifest};
use crate::repository::Repository;

fn own_versions(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in repository.packages() {
        for dependency in package.dependencies.iter().filter(|dependency| !dependency.inherited) {
            let problem = format!("{} is not inherited from the workspace", dependency.name);
            let remedy = "declare it in the root's Cargo.toml and write `workspace = true` here";
            findings.push(Finding::new(&package.path, dependency.line, problem, remedy));
        }
    }
    findings
}

fn unused_declarations(repository: &Repository) -> Vec<Finding> {
    let packages = repository.packages();
    let is_used =
        |name: &str| packages.iter().flat_map(|package| &package.dependencies).any(|used| used.name == name);
    let root = Manifest::parse("Cargo.toml", repository.text("Cargo.toml").unwrap_or_default());
    let unused = root
        .dependencies
        .iter()
        .filter(|declared| declared.kind == Kind::Workspace && !is_used(&declared.name));
    let finding = |declared: &crate::manifest::Dependency| {
        let problem = format!("no package uses {}", declared.name);
        Finding::new("Cargo.toml", declared.line, problem, "remove the line, or use the dependency")
    };
    unused.map(finding).collect()
}

fn outsiders(repository: &Repository) -> Vec<Finding> {
    let root = repository.text("Cargo.toml").unwrap_or_default();
    let mut findings = Vec::new();
    for package in repository.packages() {
        if !root.lines().any(|line| line.trim() == format!("\"{}\",", package.folder())) {
            let problem = "the package is not a member of the workspace";
            findings.push(Finding::new(&package.path, 0, problem, "add its folder to the root's `members`"));
        }
        if !package.inherits_lints {
            let problem = "the package does not have the workspace's lints";
            findings.push(Finding::new(&package.path, 0, problem, "add `[lints]` with `workspace = true`"));
        }
    }
    findings
}

#[test]
fn a_version_of_its_own_is_found() {
    let manifest = "[dependencies]\na.workspace = true\nb = \"1\"\n";
    expect_at(&own_versions(&Repository::of(&[("p/Cargo.toml", manifest)])), &[("p/Cargo.toml", 3)]);
}

#[test]
fn a_declaration_that_nobody_uses_is_found() {
    let root = "[workspace.dependencies]\na = \"1\"\nb = { path = \"b\" }\nc = \"1\"\n";
    let manifest = "[dependencies]\na.workspace = true\n[dev-dependencies]\nb.workspace = true\n";
    let repository = Repository::of(&[("Cargo.toml", root), ("p/Cargo.toml", manifest)]);
    expect_at(&unused_declarations(&repository), &[("Cargo.toml", 4)]);
}

#[test]
fn a_package_outside_the_workspace_is_found() {
    let root = "members = [\n    \"p\",\n]\n";
    let lints = "[lints]\nworkspace = true\n";
    let repository = Repository::of(&[("Cargo.toml", root), ("p/Cargo.toml", ""), ("q/Cargo.toml", lints)]);
    expect_at(&outsiders(&repository), &[("p/Cargo.toml", 0), ("q/Cargo.toml", 0)]);
}

#[test]
fn every_dependency_is_inherited() {
    expect_none(&own_versions(Repository::here()));
}

#[test]
fn every_declared_dependency_is_used() {
    expect_none(&unused_declarations(Repository::here()));
}

#[test]
fn every_package_is_a_member_with_the_common_lints() {
    expect_none(&outsiders(Repository::here()));
}
