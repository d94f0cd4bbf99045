//! Every setting is documented, and every documented setting exists: docs/configuration.md against the sources that
//! define the keys.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{Finding, expect_at, expect_none};
use crate::repository::Repository;

const DOCUMENT: &str = "docs/configuration.md";
const HUB: &str = "hub/src/config/mod.rs";
const AGENT: &str = "agent/src/config/mod.rs";

/// A key and the line that defines or documents it.
type Keys = BTreeMap<String, usize>;

fn disagreements(repository: &Repository) -> Vec<Finding> {
    let text = |path| repository.text(path).unwrap_or_default();
    let (hub, agent) = (hub_keys(text(HUB)), agent_keys(text(AGENT)));
    let document = text(DOCUMENT);
    let pairs = [
        (HUB, hub, documented(document, "## The hub")),
        (AGENT, agent, documented(document, "## The agent")),
    ];
    pairs.iter().flat_map(|(path, defined, documented)| compare(path, defined, documented)).collect()
}

fn compare(path: &str, defined: &Keys, documented: &Keys) -> Vec<Finding> {
    if defined.is_empty() {
        let problem = "no keys are found in it".to_owned();
        let remedy = "let this check read the keys from where they are defined now";
        return vec![Finding::new(path, 0, problem, remedy)];
    }
    let undocumented = defined.iter().filter(|(key, _)| !documented.contains_key(*key));
    let undocumented = undocumented.map(|(key, line)| {
        let problem = format!("{DOCUMENT} does not document {key}");
        Finding::new(path, *line, problem, "add a row for it there")
    });
    let unknown = documented.iter().filter(|(key, _)| !defined.contains_key(*key));
    let unknown = unknown.map(|(key, line)| {
        let problem = format!("{path} defines no key {key}");
        Finding::new(DOCUMENT, *line, problem, "correct the row or remove it")
    });
    undocumented.chain(unknown).collect()
}

/// The fields of `Settings`; one whose type is another struct of the file is a group of keys.
fn hub_keys(code: &str) -> Keys {
    let mut structs: BTreeMap<&str, Vec<(&str, &str, usize)>> = BTreeMap::new();
    let mut open = None;
    for (index, line) in code.lines().enumerate() {
        if let Some(name) = line.strip_prefix("pub struct ").and_then(|rest| rest.strip_suffix(" {")) {
            open = Some(name);
        } else if line == "}" {
            open = None;
        } else if let (Some(name), Some((field, kind))) = (open, field_of(line)) {
            structs.entry(name).or_default().push((field, kind, index + 1));
        }
    }
    let mut keys = Keys::new();
    for (field, kind, line) in structs.get("Settings").into_iter().flatten() {
        match structs.get(kind) {
            None => {
                keys.insert((*field).to_owned(), *line);
            }
            Some(group) => {
                keys.extend(group.iter().map(|(key, _, line)| (format!("{field}.{key}"), *line)));
            }
        }
    }
    keys
}

fn field_of(line: &str) -> Option<(&str, &str)> {
    line.trim().strip_prefix("pub ")?.strip_suffix(',')?.split_once(": ")
}

/// The first texts of the pairs in `DEFAULTS`.
fn agent_keys(code: &str) -> Keys {
    let lines = code.lines().enumerate();
    let inside = lines
        .skip_while(|(_, line)| !line.starts_with("const DEFAULTS"))
        .take_while(|(_, line)| *line != "];");
    let key = |(index, line): (usize, &str)| {
        let key = line.trim().strip_prefix("(\"")?.split('"').next()?;
        Some((key.to_owned(), index + 1))
    };
    inside.filter_map(key).collect()
}

/// The keys in the first column of the tables of one section.
fn documented(document: &str, section: &str) -> Keys {
    let lines = document.lines().enumerate();
    let inside = lines
        .skip_while(|(_, line)| *line != section)
        .skip(1)
        .take_while(|(_, line)| !line.starts_with("## "));
    let key = |(index, line): (usize, &str)| {
        let key = line.strip_prefix("| `")?.split('`').next()?;
        Some((key.to_owned(), index + 1))
    };
    inside.filter_map(key).collect()
}

#[test]
fn a_setting_without_a_row_and_a_row_without_a_setting_are_found() {
    let hub = "pub struct Settings {\n    pub listen: String,\n    pub tls: Tls,\n}\n\
               pub struct Tls {\n    pub ca: PathBuf,\n    pub key: PathBuf,\n}\n";
    let agent = "const DEFAULTS: [(&str, &str); 2] = [\n    (\"hubs\", \"\"),\n    (\"tls.ca\", \"\"),\n];\n(\"x\", \"\")\n";
    let document = "## The hub\n| key |\n| `listen` | a |\n| `tls.ca` | b |\n| `old` | c |\n\
                    ## The agent\n| `hubs` | d |\n## Policies\n| `e` | f |\n";
    let repository = Repository::of(&[(HUB, hub), (AGENT, agent), (DOCUMENT, document)]);
    let expected = [(HUB, 7), (DOCUMENT, 5), (AGENT, 3)];
    expect_at(&disagreements(&repository), &expected);
}

#[test]
fn sources_without_keys_are_found() {
    let repository = Repository::of(&[(HUB, ""), (AGENT, ""), (DOCUMENT, "")]);
    expect_at(&disagreements(&repository), &[(HUB, 0), (AGENT, 0)]);
}

#[test]
fn groups_are_joined_by_a_dot() {
    let keys: BTreeSet<String> =
        hub_keys(Repository::here().text(HUB).unwrap_or_default()).into_keys().collect();
    for key in ["listen", "tls.ca", "federation.heartbeat"] {
        assert!(keys.contains(key), "{key} is missing in {keys:?}");
    }
}

#[test]
fn every_setting_is_documented() {
    expect_none(&disagreements(Repository::here()));
}
