//! Files that a user names: applications, policies and quotas, told apart and checked before anything is sent.

mod policy;
mod quota;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use godwit_manifest::{
    Application, MAX_TEXT_BYTES, ManifestErrors, parse_application_in, parse_policies, parse_quotas, separate,
};
use godwit_proto::v1;

use crate::error::Error;

/// Files that one command reads: more is a mistaken folder.
const FILES_MAX: usize = 1_000;
/// Folders within folders.
const DEPTH_MAX: usize = 16;
/// What files of manifests end with.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// One file, or standard input.
#[derive(Debug)]
pub(crate) struct Source {
    /// What errors call it.
    pub(crate) label: String,
    /// What it holds.
    pub(crate) text: String,
}

/// Everything in the files of one command.
#[derive(Debug)]
pub(crate) struct Documents {
    /// The policies.
    pub(crate) policies: Vec<v1::Policy>,
    /// The quotas.
    pub(crate) quotas: Vec<v1::Quota>,
    /// The applications: one for each file that holds one.
    pub(crate) applications: Vec<SourceApplication>,
}

/// The application of one file.
#[derive(Debug)]
pub(crate) struct SourceApplication {
    /// The file.
    pub(crate) label: String,
    /// Its text, in which everything else is blank: line numbers are those of the file.
    pub(crate) text: String,
    /// What it means.
    pub(crate) application: Application,
}

/// Reads files, folders, and standard input for `-`.
pub(crate) fn read(paths: &[PathBuf], recursive: bool) -> Result<Vec<Source>, Error> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = files.len();
            list(path, if recursive { DEPTH_MAX } else { 0 }, &mut files)?;
            if files.len() == before {
                let error =
                    Error::failed(format!("{}: there is no .yaml, .yml or .json file in it", path.display()));
                return Err(if recursive {
                    error
                } else {
                    error.with_hint("-R looks into folders below it too")
                });
            }
        } else {
            files.push(path.clone());
        }
    }
    files.iter().map(|path| read_one(path)).collect()
}

/// Reads one file, or standard input for `-`.
pub(crate) fn read_one(path: &Path) -> Result<Source, Error> {
    let is_stdin = path == Path::new("-");
    let label = if is_stdin { "standard input".to_owned() } else { path.display().to_string() };
    let bytes = if is_stdin { bounded(io::stdin().lock()) } else { File::open(path).and_then(bounded) };
    let bytes = bytes.map_err(|error| Error::failed(format!("{label}: {error}")))?;
    if bytes.len() > MAX_TEXT_BYTES {
        let mib = MAX_TEXT_BYTES / (1024 * 1024);
        return Err(Error::failed(format!("{label}: it is larger than {mib} MiB; divide it")));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::failed(format!("{label}: it is not text: byte {at} is not UTF-8"))
    })?;
    Ok(Source { label, text })
}

/// Tells policies, quotas and applications apart, and checks all. All mistakes in all files are reported together. `namespace`
/// is that of objects which name none.
pub(crate) fn sort(sources: Vec<Source>, namespace: &str) -> Result<Documents, Error> {
    let mut documents = Documents { policies: Vec::new(), quotas: Vec::new(), applications: Vec::new() };
    let mut mistakes = Vec::new();
    for source in sources {
        if let Err(errors) = sort_one(&source, namespace, &mut documents) {
            mistakes.extend(in_file(&source.label, &errors));
        }
    }
    mistakes.extend(given_twice(&documents));
    if mistakes.is_empty() {
        return Ok(documents);
    }
    Err(Error::failed(mistakes.join("\n")).with_hint("nothing was sent to the hub"))
}

fn sort_one(source: &Source, namespace: &str, documents: &mut Documents) -> Result<(), ManifestErrors> {
    let separated = separate(&source.text)?;
    if let Some(text) = &separated.policies {
        documents.policies.extend(parse_policies(text)?.iter().map(policy::to_message));
    }
    if let Some(text) = &separated.quotas {
        documents.quotas.extend(parse_quotas(text)?.iter().map(quota::to_message));
    }
    // A text without any document is an application without a workload: its parser says so.
    let has_own = separated.policies.is_some() || separated.quotas.is_some();
    let text = match separated.application {
        None if has_own => return Ok(()),
        None => source.text.clone(),
        Some(text) => text,
    };
    let application = parse_application_in(&text, namespace)?;
    documents.applications.push(SourceApplication { label: source.label.clone(), text, application });
    Ok(())
}

/// Each mistake as compilers say it: `web.yaml:10:3: Deployment web: ...`.
pub(crate) fn in_file(label: &str, errors: &ManifestErrors) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for error in errors.errors() {
        let mut line = label.to_owned();
        if let Some(position) = error.position {
            line.push_str(&format!(":{}:{}", position.line, position.column));
        } else if let Some(document) = error.document {
            line.push_str(&format!(": document {document}"));
        }
        for part in [&error.object, &error.field] {
            if !part.is_empty() {
                line.push_str(&format!(": {part}"));
            }
        }
        lines.push(format!("{line}: {}; {}", error.problem, error.remedy));
    }
    if errors.more() > 0 {
        lines.push(format!("{label}: and {} more mistakes", errors.more()));
    }
    lines
}

/// One file cannot say a thing twice; neither can two files.
fn given_twice(documents: &Documents) -> Vec<String> {
    let mut mistakes = Vec::new();
    let mut workloads = BTreeMap::new();
    for source in &documents.applications {
        for workload in &source.application.workloads {
            if let Some(first) = workloads.insert(workload.id.clone(), &source.label) {
                mistakes.push(format!(
                    "{}: {} is in {first} already; remove one of the two",
                    source.label, workload.id
                ));
            }
        }
    }
    let mut policies = BTreeMap::new();
    for policy in &documents.policies {
        if policies.insert(&policy.name, ()).is_some() {
            mistakes.push(format!("policy {} is in two files; remove one of the two", policy.name));
        }
    }
    let mut quotas = BTreeMap::new();
    for quota in &documents.quotas {
        if quotas.insert(&quota.namespace, ()).is_some() {
            let namespace = &quota.namespace;
            mistakes
                .push(format!("the quota of namespace {namespace} is in two files; remove one of the two"));
        }
    }
    mistakes
}

fn list(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let wrong = |error: io::Error| Error::failed(format!("{}: {error}", folder.display()));
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(wrong)? {
        entries.push(entry.map_err(wrong)?.path());
    }
    entries.sort();
    for path in entries {
        let known = path.extension().is_some_and(|own| EXTENSIONS.iter().any(|extension| own == *extension));
        if path.is_dir() {
            if depth > 0 {
                list(&path, depth - 1, files)?;
            }
        } else if known {
            files.push(path);
        }
        if files.len() > FILES_MAX {
            return Err(Error::failed(format!(
                "{}: there are more than {FILES_MAX} files; name a smaller folder",
                folder.display()
            )));
        }
    }
    Ok(())
}

/// One byte more than is taken, so that the caller can tell.
fn bounded(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MAX_TEXT_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: &str = "\
apiVersion: godwit.dev/v1
kind: Policy
metadata: {name: even}
spec: {default: {weight: 1}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web}]}
";

    fn source(label: &str, text: &str) -> Source {
        Source { label: label.to_owned(), text: text.to_owned() }
    }

    fn mistakes(sources: Vec<Source>) -> String {
        match sort(sources, "default") {
            Err(Error::Failed { message, .. }) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn policies_and_applications_are_told_apart() {
        let documents = sort(vec![source("web.yaml", WEB)], "default").expect("both are good");
        assert_eq!(documents.policies.len(), 1);
        assert_eq!(documents.policies[0].name, "even");
        assert_eq!(documents.applications.len(), 1);
        assert!(!documents.applications[0].text.contains("Policy"));
        assert_eq!(documents.applications[0].application.workloads[0].replicas, 3);
    }

    #[test]
    fn mistakes_point_into_the_file_and_all_are_reported() {
        let bad = WEB.replace("replicas: 3", "replicas: -3");
        let said = mistakes(vec![source("a.yaml", &bad), source("b.yaml", ""), source("c.yaml", "kind: [")]);
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 3, "{said}");
        assert!(lines[0].starts_with("a.yaml:10:") && lines[0].contains("spec.replicas"), "{said}");
        assert!(lines[1].starts_with("b.yaml: "), "{said}");
        assert!(lines[2].starts_with("c.yaml:"), "{said}");
    }

    #[test]
    fn the_same_thing_in_two_files_is_refused() {
        let said = mistakes(vec![source("a.yaml", WEB), source("b.yaml", WEB)]);
        assert!(said.contains("b.yaml: Deployment default/web is in a.yaml already"), "{said}");
        assert!(said.contains("policy even is in two files"), "{said}");
        let quota =
            "apiVersion: godwit.dev/v1\nkind: Quota\nmetadata: {name: shop}\nspec: {hard: {replicas: 3}}\n";
        let said = mistakes(vec![source("a.yaml", quota), source("b.yaml", quota)]);
        assert_eq!(said, "the quota of namespace shop is in two files; remove one of the two");
    }

    #[test]
    fn folders_are_read_in_order_and_deeper_ones_on_request() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("deeper")).unwrap();
        for name in ["b.yml", "a.yaml", "notes.txt", "deeper/c.json"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let texts = |recursive| {
            let sources = read(&[folder.path().to_owned()], recursive).unwrap();
            sources.into_iter().map(|source| source.text).collect::<Vec<_>>()
        };
        assert_eq!(texts(false), ["a.yaml", "b.yml"]);
        assert_eq!(texts(true), ["a.yaml", "b.yml", "deeper/c.json"]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let reason = |path: &Path| match read(&[path.to_owned()], false) {
            Err(Error::Failed { message, .. }) => message,
            other => panic!("{other:?}"),
        };
        assert!(reason(folder.path()).contains("there is no .yaml"));
        assert!(reason(&folder.path().join("x.yaml")).contains("x.yaml: No such file"));
        let path = folder.path().join("bytes.yaml");
        fs::write(&path, b"ab\xff").unwrap();
        assert!(reason(&path).contains("byte 2 is not UTF-8"));
        fs::write(&path, vec![b' '; MAX_TEXT_BYTES + 1]).unwrap();
        assert!(reason(&path).contains("larger than 4 MiB"));
    }
}
