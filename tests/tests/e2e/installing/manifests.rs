//! Reading manifests: those of a kustomization, followed as kustomize follows them, and those of any text.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::process::Command;

use crate::harness::tool;

/// Every kustomization that is there to be applied.
pub(super) const KUSTOMIZATIONS: [&str; 3] = ["hub", "agent", "agent/deployment"];

/// A file or folder below `deploy`.
pub(super) fn deploy(path: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy")).join(path)
}

/// The objects of a kustomization that has resources and nothing else.
pub(super) fn kustomized(path: &str) -> Vec<Value> {
    follow(&deploy("kustomize").join(path))
}

fn follow(folder: &Path) -> Vec<Value> {
    let file = folder.join("kustomization.yaml");
    let [kustomization] = &documents(&fs::read_to_string(&file).unwrap())[..] else {
        panic!("{} is one document", file.display());
    };
    let fields: Vec<&str> = kustomization.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["apiVersion", "kind", "resources"], "what this reader understands");
    let resources = kustomization["resources"].as_array().unwrap();
    let of = |resource: &Value| {
        let path = folder.join(resource.as_str().unwrap());
        if path.is_dir() { follow(&path) } else { documents(&fs::read_to_string(&path).unwrap()) }
    };
    resources.iter().flat_map(of).collect()
}

/// The documents of a YAML text, without those that are empty.
pub(super) fn documents(text: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    documents.into_iter().filter(|document| !document.is_null()).collect()
}

/// What tells an object from the others.
pub(super) fn key(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    format!("{} {}/{}", text(&object["kind"]), text(&metadata["namespace"]), text(&metadata["name"]))
}

/// The objects in the order of their keys.
pub(super) fn sorted(mut objects: Vec<Value>) -> Vec<Value> {
    objects.sort_by_key(key);
    objects
}

/// The one of this kind.
pub(super) fn one<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    let one = found.next().unwrap_or_else(|| panic!("there is no {kind}"));
    assert!(found.next().is_none(), "more than one {kind}");
    one
}

/// The pods' template of a workload.
pub(super) fn template(object: &Value) -> Option<&Value> {
    object["spec"].get("template").filter(|template| template.get("spec").is_some())
}

/// What kustomize makes of a kustomization; nothing where there is no kubectl.
pub(super) async fn kubectl_made(path: &str) -> Option<Vec<Value>> {
    let kubectl = tool("GODWIT_TEST_KUBECTL", "kubectl", &["version", "--client"])?;
    let folder = deploy("kustomize").join(path);
    let output = Command::new(&kubectl).arg("kustomize").arg(folder).output().await.unwrap();
    assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
    Some(documents(&String::from_utf8(output.stdout).unwrap()))
}

#[tokio::test]
async fn kustomize_makes_the_same_of_it() {
    for path in KUSTOMIZATIONS {
        let Some(made) = kubectl_made(path).await else {
            return;
        };
        assert_eq!(sorted(made), sorted(kustomized(path)), "{path}");
    }
}

/// The pods of the two ways to run the agent differ in where they may be, and in nothing else.
#[test]
fn the_agents_pods_are_the_same_in_both_ways() {
    let pods = |path: &str, kind: &str, own: &str| {
        let objects = kustomized(path);
        let mut template = template(one(&objects, kind)).unwrap().clone();
        assert!(template["spec"].as_object_mut().unwrap().remove(own).is_some(), "{kind} has {own}");
        template
    };
    let daemon_set = pods("agent", "DaemonSet", "tolerations");
    assert_eq!(daemon_set, pods("agent/deployment", "Deployment", "topologySpreadConstraints"));
}
