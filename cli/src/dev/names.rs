//! What the clusters of a development federation are called.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use godwit_common::ClusterName;
use serde::Deserialize;

use crate::error::Error;
use crate::input;

/// The first ones have names that are easily said and told apart.
const SPOKEN: [&str; 10] =
    ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett"];
/// The longest name.
const NAME_MAX: usize = 63;

/// The names of so many simulated clusters: `alpha`, `bravo`, ..., then `c11`, `c12`, ...
pub(super) fn simulated(count: usize) -> Result<Vec<ClusterName>, Error> {
    let name = |index: usize| match SPOKEN.get(index) {
        Some(name) => (*name).to_owned(),
        None => format!("c{}", index + 1),
    };
    let names: Result<_, _> = (0..count).map(|index| name(index).parse()).collect();
    names.map_err(Error::failed)
}

/// The names of real clusters: those of their kubeconfigs' current contexts, or of the files.
pub(super) fn of_kubeconfigs(paths: &[PathBuf]) -> Result<Vec<ClusterName>, Error> {
    let mut names = Vec::new();
    let mut taken = BTreeSet::new();
    for path in paths {
        let text = input::read_one(path)?.text;
        let context = current_context(&text)
            .map_err(|reason| Error::failed(format!("{}: {reason}", path.display())))?;
        let candidates = [context, stem(path)].into_iter().flatten();
        let mut candidates = candidates.filter_map(|text| sanitised(&text));
        let name = candidates.find(|name| !taken.contains(name)).ok_or_else(|| {
            Error::failed(format!("{}: no name is left for this cluster", path.display()))
                .with_hint("name the file, or its current context, unlike the others")
        })?;
        taken.insert(name.clone());
        names.push(name);
    }
    Ok(names)
}

#[derive(Deserialize)]
struct Kubeconfig {
    #[serde(rename = "current-context")]
    current_context: Option<String>,
}

fn current_context(text: &str) -> Result<Option<String>, String> {
    let config: Kubeconfig = serde_saphyr::from_str(text)
        .map_err(|error| format!("it is not a kubeconfig: {}", error.without_snippet()))?;
    Ok(config.current_context)
}

fn stem(path: &Path) -> Option<String> {
    Some(path.file_stem()?.to_string_lossy().into_owned())
}

/// What is left of a text as a cluster's name: lower case, dashes for everything else. `hub` names the hub.
fn sanitised(text: &str) -> Option<ClusterName> {
    let lower = text.to_lowercase();
    let letters = lower.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    let name: String = letters.collect();
    let name: String = name.trim_matches('-').chars().take(NAME_MAX).collect();
    let name = name.trim_end_matches('-');
    name.parse().ok().filter(|_| name != super::HUB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simulated_clusters_have_spoken_names_first() {
        let names = simulated(12).unwrap();
        let names: Vec<&str> = names.iter().map(ClusterName::as_str).collect();
        assert_eq!((names[0], names[9], names[10], names[11]), ("alpha", "juliett", "c11", "c12"));
    }

    #[test]
    fn real_clusters_are_named_by_context_or_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let named = "current-context: admin@Kind_East\nclusters: []\n";
        let paths = [file("a.yaml", named), file("west.yaml", named), file("north.conf", "apiVersion: v1\n")];
        let names = of_kubeconfigs(&paths).unwrap();
        let names: Vec<&str> = names.iter().map(ClusterName::as_str).collect();
        assert_eq!(names, ["admin-kind-east", "west", "north"]);
        assert!(of_kubeconfigs(&[file("x.yaml", "- 1\n")]).is_err());
        assert!(of_kubeconfigs(&[file("hub", "{}")]).is_err());
    }
}
