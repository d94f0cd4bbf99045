//! Every setting is documented, and every documented setting exists: docs/configuration.md against the sources that
//! define the keys.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{Finding, expect_at, expect_none};
use crate::repository::Repository;

const DOCUMENT: &str = "docs/configuration.md";
/// The hub's settings are the structs of this folder, the agent's a table in one file.
const HUB: &str = "hub/src/config/";
const AGENT: &str = "agent/src/config/mod.rs";

/// A key, and the file and the line that define or document it.
type Keys<'a> = BTreeMap<String, (&'a str, usize)>;

fn disagreements(repository: &Repository) -> Vec<Finding> {
    let text = |path| repository.text(path).unwrap_or_default();
    let (hub, agent) = (hub_keys(repository), agent_keys(text(AGENT)));
    let document = text(DOCUMENT);
    let pairs = [
        (HUB, hub, documented(document, "## The hub")),
        (AGENT, agent, documented(document, "## The agent")),
    ];
    pairs.iter().flat_map(|(path, defined, documented)| compare(path, defined, documented)).collect()
}

fn compare(path: &str, defined: &Keys<'_>, documented: &Keys<'_>) -> Vec<Finding> {
    if defined.is_empty() {
        let problem = "no keys are found in it".to_owned();
        let remedy = "let this check read the keys from where they are defined now";
        return vec![Finding::new(path, 0, problem, remedy)];
    }
    let undocumented = defined.iter().filter(|(key, _)| !documented.contains_key(*key));
    let undocumented = undocumented.map(|(key, (file, line))| {
        let problem = format!("{DOCUMENT} does not document {key}");
        Finding::new(file, *line, problem, "add a row for it there")
    });
    let unknown = documented.iter().filter(|(key, _)| !defined.contains_key(*key));
    let unknown = unknown.map(|(key, (file, line))| {
        let problem = format!("{path} defines no key {key}");
        Finding::new(file, *line, problem, "correct the row or remove it")
    });
    undocumented.chain(unknown).collect()
}

/// The fields of `Settings`; one whose type is another struct of the folder is a group of keys.
fn hub_keys(repository: &Repository) -> Keys<'_> {
    let mut structs: BTreeMap<&str, Vec<Field<'_>>> = BTreeMap::new();
    for (path, code) in repository.with_extension("rs").filter(|(path, _)| path.starts_with(HUB)) {
        let mut open = None;
        for (index, line) in code.lines().enumerate() {
            if let Some(name) = line.strip_prefix("pub struct ").and_then(|rest| rest.strip_suffix(" {")) {
                open = Some(name);
            } else if line == "}" {
                open = None;
            } else if let (Some(open), Some((name, kind))) = (open, field_of(line)) {
                structs.entry(open).or_default().push(Field { name, kind, place: (path, index + 1) });
            }
        }
    }
    let mut keys = Keys::new();
    for Field { name, kind, place } in structs.get("Settings").into_iter().flatten() {
        match structs.get(kind) {
            None => {
                keys.insert((*name).to_owned(), *place);
            }
            Some(group) => {
                keys.extend(group.iter().map(|field| (format!("{name}.{}", field.name), field.place)));
            }
        }
    }
    keys
}

/// A field of a struct, with its type and its place.
struct Field<'a> {
    name: &'a str,
    kind: &'a str,
    place: (&'a str, usize),
}

fn field_of(line: &str) -> Option<(&str, &str)> {
    line.trim().strip_prefix("pub ")?.strip_suffix(',')?.split_once(": ")
}

/// The first texts of the pairs in `DEFAULTS`.
fn agent_keys(code: &str) -> Keys<'static> {
    let lines = code.lines().enumerate();
    let inside = lines
        .skip_while(|(_, line)| !line.starts_with("const DEFAULTS"))
        .take_while(|(_, line)| *line != "];");
    let key = |(index, line): (usize, &str)| {
        let key = line.trim().strip_prefix("(\"")?.split('"').next()?;
        Some((key.to_owned(), (AGENT, index + 1)))
    };
    inside.filter_map(key).collect()
}

/// The keys in the first column of the tables of one section.
fn documented(document: &str, section: &str) -> Keys<'static> {
    let lines = document.lines().enumerate();
    let inside = lines
        .skip_while(|(_, line)| *line != section)
        .skip(1)
        .take_while(|(_, line)| !line.starts_with("## "));
    let key = |(index, line): (usize, &str)| {
        let key = line.strip_prefix("| `")?.split('`').next()?;
        Some((key.to_owned(), (DOCUMENT, index + 1)))
    };
    inside.filter_map(key).collect()
}

#[test]
fn a_setting_without_a_row_and_a_row_without_a_setting_are_found() {
    let hub = "pub struct Settings {\n    pub listen: String,\n    pub tls: Tls,\n}\n";
    let tls = "pub struct Tls {\n    pub ca: PathBuf,\n    pub key: PathBuf,\n}\n";
    let [hub_file, tls_file] = ["mod", "tls"].map(|name| format!("{HUB}{name}.rs"));
    let agent = "const DEFAULTS: [(&str, &str); 2] = [\n    (\"hubs\", \"\"),\n    (\"tls.ca\", \"\"),\n];\n(\"x\", \"\")\n";
    let document = "## The hub\n| key |\n| `listen` | a |\n| `tls.ca` | b |\n| `old` | c |\n\
                    ## The agent\n| `hubs` | d |\n## Policies\n| `e` | f |\n";
    let repository =
        Repository::of(&[(&hub_file, hub), (&tls_file, tls), (AGENT, agent), (DOCUMENT, document)]);
    let expected = [(&*tls_file, 3), (DOCUMENT, 5), (AGENT, 3)];
    expect_at(&disagreements(&repository), &expected);
}

#[test]
fn sources_without_keys_are_found() {
    let repository = Repository::of(&[(AGENT, ""), (DOCUMENT, "")]);
    expect_at(&disagreements(&repository), &[(HUB, 0), (AGENT, 0)]);
}

#[test]
fn groups_are_joined_by_a_dot() {
    let keys: BTreeSet<String> = hub_keys(Repository::here()).into_keys().collect();
    for key in ["listen", "tls.ca", "federation.heartbeat"] {
        assert!(keys.contains(key), "{key} is missing in {keys:?}");
    }
}

#[test]
fn every_setting_is_documented() {
    expect_none(&disagreements(Repository::here()));
}
