//! The layers of the settings, put together by key.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::Context;
use config::{Config, Environment, File, FileFormat, Map, Value, ValueKind};

use super::{DEFAULTS, Sources};

const PREFIX: &str = "GODWIT_AGENT";
const DEFAULT: &str = "default";
/// What the `config` crate says of a value from a variable.
const ENVIRONMENT: &str = "the environment";

/// Every setting as text, by its key.
#[derive(Debug, Clone)]
pub(crate) struct Leaves(pub(super) BTreeMap<String, Leaf>);

/// One setting.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    pub(super) value: String,
    /// Who said so.
    pub(super) source: String,
}

/// As a file, each key with its source.
impl fmt::Display for Leaves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, Leaf { value, source }) in &self.0 {
            writeln!(f, "{key} = {value:?}  # {source}")?;
        }
        Ok(())
    }
}

pub(super) fn merge(sources: &Sources) -> anyhow::Result<Leaves> {
    let mut builder = Config::builder();
    for (key, value) in DEFAULTS {
        builder = builder.set_default(key, value)?;
    }
    if let Some(path) = &sources.file {
        builder = builder.add_source(read(path)?);
    }
    let ours = |(name, _): &&(String, String)| name.starts_with(PREFIX) && !is_service_link(name);
    let variables: Map<String, String> = sources.environment.iter().filter(ours).cloned().collect();
    let environment = Environment::with_prefix(PREFIX).prefix_separator("_").separator("__");
    builder = builder.add_source(environment.source(Some(variables)));
    for (key, value, flag) in &sources.flags {
        let value = Value::new(Some(flag), value.as_str());
        let set = builder.set_override(key, value);
        builder =
            set.with_context(|| format!("{flag} {key}: write KEY=VALUE, such as lease.duration=15s"))?;
    }
    let merged = builder.build().context("the settings cannot be put together")?;
    let mut leaves = BTreeMap::new();
    walk("", &merged.cache, &mut leaves);
    Ok(Leaves(leaves))
}

fn read(path: &Path) -> anyhow::Result<Config> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("the configuration file {shown} cannot be read: check --config"))?;
    let file = Config::builder().add_source(File::from_str(&text, FileFormat::Toml)).build();
    let mut file = file.with_context(|| format!("the configuration file {shown} is not TOML"))?;
    file.cache = mark(file.cache, &shown.to_string());
    Ok(file)
}

/// The crate remembers a file's name only when it reads the file itself, with errors that do not tell a missing file
/// from a mistaken one.
fn mark(value: Value, origin: &String) -> Value {
    let kind = match value.kind {
        ValueKind::Table(table) => {
            let marked = table.into_iter().map(|(key, value)| (key, mark(value, origin)));
            ValueKind::Table(marked.collect())
        }
        kind => kind,
    };
    Value::new(Some(origin), kind)
}

/// Kubernetes gives every pod of a namespace variables about the services there: those of a service that is named
/// `godwit-agent` look like settings, and are none.
fn is_service_link(name: &str) -> bool {
    let rest = name.trim_start_matches(PREFIX).trim_start_matches('_');
    let links = ["PORT", "SERVICE_HOST", "SERVICE_PORT"];
    links.iter().any(|link| rest.starts_with(link))
}

/// Every value that is not a table, by its whole key.
fn walk(prefix: &str, value: &Value, leaves: &mut BTreeMap<String, Leaf>) {
    if let ValueKind::Table(table) = &value.kind {
        for (key, value) in table {
            let dot = if prefix.is_empty() { "" } else { "." };
            walk(&format!("{prefix}{dot}{key}"), value, leaves);
        }
        return;
    }
    let source = match value.origin() {
        None => DEFAULT.to_owned(),
        Some(ENVIRONMENT) => format!("{PREFIX}_{}", prefix.to_uppercase().replace('.', "__")),
        Some(origin) => origin.to_owned(),
    };
    let value = match &value.kind {
        ValueKind::Array(items) => items.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        _ => value.to_string(),
    };
    leaves.insert(prefix.to_owned(), Leaf { value, source });
}
