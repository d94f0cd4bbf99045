//! The parts of a Cargo.toml that the checks look at, read line by line: our manifests are plain enough for that.

/// When a dependency is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Dev,
    Build,
    /// Declared for all packages in the root's `[workspace.dependencies]`.
    Workspace,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) kind: Kind,
    pub(crate) inherited: bool,
}

#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) inherits_lints: bool,
}

impl Manifest {
    pub(crate) fn parse(path: &str, text: &str) -> Manifest {
        let mut manifest = Manifest {
            path: path.to_owned(),
            name: String::new(),
            dependencies: Vec::new(),
            inherits_lints: false,
        };
        let mut section = String::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.split(" #").next().unwrap_or(line).trim();
            if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = header.to_owned();
                manifest.open_section(&section, index + 1);
            } else if let Some((key, value)) = line.split_once('=') {
                manifest.read_entry(&section, key.trim(), value.trim(), index + 1);
            }
        }
        manifest
    }

    /// The folder of the package, as it is written in the workspace's list of members.
    pub(crate) fn folder(&self) -> &str {
        self.path.strip_suffix("/Cargo.toml").unwrap_or("")
    }

    /// `[dependencies.name]` opens a dependency of its own.
    fn open_section(&mut self, section: &str, line: usize) {
        if let Some((table, name)) = section.rsplit_once('.')
            && let Some(kind) = kind_of(table)
        {
            self.dependencies.push(Dependency { name: name.to_owned(), line, kind, inherited: false });
        }
    }

    fn read_entry(&mut self, section: &str, key: &str, value: &str, line: usize) {
        match (section, key) {
            ("package", "name") => self.name = value.trim_matches('"').to_owned(),
            ("lints", "workspace") => self.inherits_lints = value == "true",
            _ => {}
        }
        let is_name = |name: &str| name.chars().all(|c| c.is_alphanumeric() || "-_".contains(c));
        if let Some(kind) = kind_of(section) {
            let (name, field) = key.split_once('.').unwrap_or((key, ""));
            if is_name(name) {
                let inherited = field == "workspace" || value.contains("workspace = true");
                self.dependencies.push(Dependency { name: name.to_owned(), line, kind, inherited });
            }
        } else if section.rsplit_once('.').is_some_and(|(table, _)| kind_of(table).is_some())
            && key == "workspace"
            && let Some(dependency) = self.dependencies.last_mut()
        {
            dependency.inherited = value == "true";
        }
    }
}

fn kind_of(section: &str) -> Option<Kind> {
    if section == "workspace.dependencies" {
        return Some(Kind::Workspace);
    }
    // `[target.'cfg(unix)'.dependencies]` counts like `[dependencies]`.
    let table = if section.starts_with("target.") { section.rsplit('.').next()? } else { section };
    match table {
        "dependencies" => Some(Kind::Normal),
        "dev-dependencies" => Some(Kind::Dev),
        "build-dependencies" => Some(Kind::Build),
        _ => None,
    }
}

#[test]
fn every_way_to_write_a_dependency_is_read() {
    let text = r#"
[package]
name = "sample"
[lints]
workspace = true
[dependencies]
one.workspace = true
two = { workspace = true, features = [
    "x",
] }
three = "1.0" # by hand
[target.'cfg(unix)'.dependencies]
four.workspace = true
[dev-dependencies.five]
workspace = true
[build-dependencies]
six = { version = "1" }
[profile.dev.package.seven]
opt-level = 2
"#;
    let manifest = Manifest::parse("a/sample/Cargo.toml", text);
    assert_eq!((manifest.name.as_str(), manifest.folder()), ("sample", "a/sample"));
    assert!(manifest.inherits_lints);
    let read: Vec<_> = manifest.dependencies.iter().map(|d| (d.name.as_str(), d.kind, d.inherited)).collect();
    let expected = [
        ("one", Kind::Normal, true),
        ("two", Kind::Normal, true),
        ("three", Kind::Normal, false),
        ("four", Kind::Normal, true),
        ("five", Kind::Dev, true),
        ("six", Kind::Build, false),
    ];
    assert_eq!(read, expected);
}
