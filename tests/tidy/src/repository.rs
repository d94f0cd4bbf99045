//! The files that the checks read: those that git tracks, or the whole tree when git cannot say.

use crate::manifest::Manifest;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// Path, relative to the root and with forward slashes, to text.
pub(crate) struct Repository {
    files: BTreeMap<String, String>,
}

impl Repository {
    /// The repository that this package is part of.
    pub(crate) fn here() -> &'static Repository {
        static HERE: OnceLock<Repository> = OnceLock::new();
        HERE.get_or_init(|| {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
            let paths = tracked(&root).unwrap_or_else(|| walk(&root));
            let files = paths.into_iter().filter_map(|path| {
                // A tracked file that was removed from the work tree, or a link to a directory, has no text.
                let bytes = fs::read(root.join(&path)).ok()?;
                Some((path, String::from_utf8_lossy(&bytes).into_owned()))
            });
            Repository { files: files.collect() }
        })
    }

    /// A repository in memory, on which a check shows that it finds what it is for.
    pub(crate) fn of(files: &[(&str, &str)]) -> Repository {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        Repository { files: files.collect() }
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    pub(crate) fn with_extension(&self, extension: &str) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(move |(path, _)| {
            Path::new(path).extension().is_some_and(|found| found.to_str() == Some(extension))
        })
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether the path names a file, or a folder that holds one.
    pub(crate) fn has(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        path.is_empty()
            || self.files.contains_key(path)
            || self.files.keys().any(|file| file.starts_with(&folder))
    }

    /// Every package of the workspace. The root's own manifest is not one, and nor is one with a workspace of its own.
    pub(crate) fn packages(&self) -> Vec<Manifest> {
        let manifests = self.files().filter(|(path, _)| path.ends_with("/Cargo.toml"));
        let manifests = manifests.filter(|(_, text)| !text.lines().any(|line| line == "[workspace]"));
        manifests.map(|(path, text)| Manifest::parse(path, text)).collect()
    }
}

fn tracked(root: &Path) -> Option<Vec<String>> {
    let output = Command::new("git").arg("-C").arg(root).args(["ls-files", "-z"]).output().ok()?;
    let names = String::from_utf8(output.stdout).ok()?;
    let names: Vec<String> = names.split_terminator('\0').map(str::to_owned).collect();
    (output.status.success() && !names.is_empty()).then_some(names)
}

fn walk(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(root.join(&folder)).expect("a folder that was just listed can be read");
        for entry in entries.flatten() {
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            match is_folder {
                true if [".git", ".godwit", "target"].contains(&name.as_str()) => {}
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    found
}

#[test]
fn walking_finds_what_git_tracks() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let walked = walk(&root);
    for path in ["Cargo.toml", ".ci/run", "tests/tidy/src/repository.rs"] {
        assert!(walked.iter().any(|found| found == path), "{path} is missing from {walked:?}");
    }
    assert!(!walked.iter().any(|path| path.starts_with("target/") || path.starts_with(".git/")));
}
