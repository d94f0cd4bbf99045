//! The layers of the configuration, and the words for what is wrong in them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use config::{Config, Environment, File, FileFormat, Map, Value, ValueKind};

use super::{Settings, check};

/// Where settings come from, besides the defaults.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file.
    pub file: Option<PathBuf>,
    /// The whole environment; what is not Godwit's is passed over.
    pub environment: Vec<(String, String)>,
    /// Key, value, and the flag that said so.
    pub flags: Vec<(String, String, String)>,
}

/// A configuration without mistakes.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What is set.
    pub settings: Settings,
    /// What works, but not as one may think.
    pub warnings: Vec<String>,
    sources: BTreeMap<String, String>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read: check --config", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's own words.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("the configuration file {} is not TOML", .path.display())]
    Parse {
        /// Which.
        path: PathBuf,
        /// Where, and what is wrong there.
        source: config::ConfigError,
    },
    /// The environment cannot be read.
    #[error("the environment cannot be read")]
    Environment {
        /// What is wrong.
        source: config::ConfigError,
    },
    /// Settings are mistaken: every one of them is named.
    #[error("{}", lines(.0))]
    Mistakes(Vec<Mistake>),
}

/// One mistaken setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Which key.
    pub key: String,
    /// Its value as text.
    pub value: String,
    /// Who said so.
    pub source: String,
    /// What is wrong, and the remedy.
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value, source, problem } = self;
        write!(f, "{key} = {value:?} (from {source}): {problem}")
    }
}

/// Puts the layers together and checks the whole.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let defaults =
        Config::try_from(&Settings::default()).map_err(|source| ConfigError::Environment { source })?;
    let known = leaves(&defaults);
    let merged = merge(&defaults, sources)?;
    let mut leaves = leaves(&merged);
    let mut mistakes = Vec::new();
    leaves.retain(|key, leaf| {
        let is_known = known.contains_key(key);
        if !is_known {
            mistakes.push(leaf.mistake(key, unknown(key, &known)));
        }
        is_known
    });
    let settings = read(&mut leaves, &known, &mut mistakes)?;
    let (problems, warnings) = check::check(&settings);
    for (key, problem) in problems {
        // What could not even be read stands at its default now: one mistake is said once.
        if let Some(leaf) = leaves.get(key).filter(|_| mistakes.iter().all(|mistake| mistake.key != key)) {
            mistakes.push(leaf.mistake(key, problem));
        }
    }
    if !mistakes.is_empty() {
        return Err(ConfigError::Mistakes(mistakes));
    }
    let sources = leaves.into_iter().map(|(key, leaf)| (key, leaf.source)).collect();
    Ok(Loaded { settings, warnings, sources })
}

impl Loaded {
    /// The configuration in force as a file, each key with its source.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        // What was just loaded from these very types is serialised again.
        let leaves = Config::try_from(&self.settings).map(|config| leaves(&config)).unwrap_or_default();
        for (key, leaf) in leaves {
            let source = self.sources.get(&key).map_or(DEFAULT, String::as_str);
            let value = match leaf.is_text {
                true => toml_text(&leaf.value),
                false => leaf.value,
            };
            text.push_str(&format!("{key} = {value}  # {source}\n"));
        }
        text
    }
}

/// One value, as far as errors show it.
#[derive(Debug, Clone)]
struct Leaf {
    value: String,
    is_text: bool,
    source: String,
    raw: Value,
}

impl Leaf {
    fn mistake(&self, key: &str, problem: String) -> Mistake {
        Mistake { key: key.to_owned(), value: self.value.clone(), source: self.source.clone(), problem }
    }
}

const DEFAULT: &str = "default";
const PREFIX: &str = "GODWIT_HUB";
/// What the `config` crate says of a value from a variable.
const ENVIRONMENT: &str = "the environment";

fn merge(defaults: &Config, sources: &Sources) -> Result<Config, ConfigError> {
    let mut builder = Config::builder().add_source(defaults.clone());
    if let Some(path) = &sources.file {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.clone(), source })?;
        let file = Config::builder().add_source(File::from_str(&text, FileFormat::Toml)).build();
        let file = file.map_err(|source| ConfigError::Parse { path: path.clone(), source })?;
        builder = builder.add_source(with_origin(file, path));
    }
    let ours = |(name, _): &&(String, String)| name.starts_with(PREFIX) && !is_service_link(name);
    let variables: Map<String, String> = sources.environment.iter().filter(ours).cloned().collect();
    let environment = Environment::with_prefix(PREFIX).prefix_separator("_").separator("__");
    builder = builder.add_source(environment.source(Some(variables)));
    for (key, value, flag) in &sources.flags {
        let value = Value::new(Some(flag), value.as_str());
        builder = builder
            .set_override(key, value)
            .map_err(|_| ConfigError::Mistakes(vec![not_a_key(key, flag)]))?;
    }
    builder.build().map_err(|source| ConfigError::Environment { source })
}

fn not_a_key(key: &str, flag: &str) -> Mistake {
    Mistake {
        key: key.to_owned(),
        value: String::new(),
        source: flag.to_owned(),
        problem: "this is not a key: write --set KEY=VALUE, such as --set federation.heartbeat=1s".to_owned(),
    }
}

/// Kubernetes gives every pod of a namespace variables about the services there: those of a service that is named
/// `godwit-hub` look like settings of the hub, and are none.
fn is_service_link(name: &str) -> bool {
    let rest = name.trim_start_matches(PREFIX).trim_start_matches('_');
    rest == "PORT"
        || rest.starts_with("PORT_")
        || rest.starts_with("SERVICE_HOST")
        || rest.starts_with("SERVICE_PORT")
}

/// The crate knows where a value of a file comes from only when it reads the file itself, with errors that do not
/// tell a missing file from a mistaken one.
fn with_origin(file: Config, path: &Path) -> Config {
    fn mark(value: Value, origin: &String) -> Value {
        let kind = match value.kind {
            ValueKind::Table(table) => {
                ValueKind::Table(table.into_iter().map(|(key, value)| (key, mark(value, origin))).collect())
            }
            kind => kind,
        };
        Value::new(Some(origin), kind)
    }
    let mut file = file;
    file.cache = mark(file.cache, &path.display().to_string());
    file
}

/// Every value that is not a table, by its whole key. An empty table has no value, and says nothing.
fn leaves(config: &Config) -> BTreeMap<String, Leaf> {
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
        let leaf = Leaf {
            value: value.to_string(),
            is_text: matches!(value.kind, ValueKind::String(_)),
            source,
            raw: value.clone(),
        };
        leaves.insert(prefix.to_owned(), leaf);
    }
    let mut found = BTreeMap::new();
    walk("", &config.cache, &mut found);
    found
}

/// Turns values into settings. A value that does not fit is noted, and the default put in its place, so that all
/// mistakes come to light at once.
fn read(
    leaves: &mut BTreeMap<String, Leaf>,
    known: &BTreeMap<String, Leaf>,
    mistakes: &mut Vec<Mistake>,
) -> Result<Settings, ConfigError> {
    // Each round mends one key, so there are at most as many as keys.
    for _ in 0..=known.len() {
        let mut builder = Config::builder();
        for (key, leaf) in leaves.iter() {
            builder = builder
                .set_override(key, leaf.raw.clone())
                .map_err(|source| ConfigError::Environment { source })?;
        }
        let config = builder.build().map_err(|source| ConfigError::Environment { source })?;
        let error = match config.try_deserialize() {
            Ok(settings) => return Ok(settings),
            Err(error) => error,
        };
        let (key, problem) = explain(&error);
        let Some(default) = known.get(&key) else {
            return Err(ConfigError::Environment { source: error });
        };
        if let Some(leaf) = leaves.insert(key.clone(), default.clone()) {
            mistakes.push(leaf.mistake(&key, problem));
        }
    }
    Err(ConfigError::Mistakes(std::mem::take(mistakes)))
}

/// The key of the value that does not fit, and what is wrong with it.
fn explain(error: &config::ConfigError) -> (String, String) {
    match error {
        config::ConfigError::Type { key, expected, .. } => {
            (key.clone().unwrap_or_default(), format!("it must be {expected}"))
        }
        config::ConfigError::At { error, key, .. } => (key.clone().unwrap_or_default(), error.to_string()),
        other => (String::new(), other.to_string()),
    }
}

fn unknown(key: &str, known: &BTreeMap<String, Leaf>) -> String {
    let last = key.rsplit('.').next().unwrap_or(key);
    let alike = known.keys().find(|known| known.rsplit('.').next() == Some(last));
    match alike {
        Some(alike) => format!("there is no such key; did you mean {alike}?"),
        None => {
            let group = key.split('.').next().unwrap_or(key);
            let inside = |known: &&String| known.split('.').next() == Some(group);
            let mut keys: Vec<&str> = known.keys().filter(inside).map(String::as_str).collect();
            if keys.is_empty() {
                keys = vec![
                    "listen",
                    "data_dir",
                    "tls.*",
                    "authority.*",
                    "enrolment.*",
                    "log.*",
                    "metrics.*",
                    "webhook.*",
                    "limits.*",
                    "federation.*",
                ];
            }
            format!("there is no such key; the keys are {}", keys.join(", "))
        }
    }
}

fn lines(mistakes: &[Mistake]) -> String {
    let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// A TOML basic string.
fn toml_text(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests;
