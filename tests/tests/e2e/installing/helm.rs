//! The charts say what the kustomizations say, and what their values change.

use std::path::PathBuf;

use serde_json::{Value, json};
use tokio::process::Command;

use super::manifests::{deploy, documents, key, kubectl_made, kustomized, one, sorted, template};
use crate::harness::tool;

/// What the charts are rendered with, besides what single tests say.
pub(super) const VARIANTS: [(&str, &str); 5] = [
    ("godwit-hub", "{}"),
    (
        "godwit-hub",
        r#"{"service": {"type": "LoadBalancer", "annotations": {"a/b": "c"}}, "storage": {"size": "1Gi", "className": "fast"},
            "imagePullSecrets": [{"name": "pull"}], "nodeSelector": {"disk": "ssd"}, "tolerations": [{"operator": "Exists"}],
            "priorityClass": {"create": false, "name": "high"}, "networkPolicy": {"enabled": false}}"#,
    ),
    ("godwit-agent", "{}"),
    ("godwit-agent", r#"{"kind": "Deployment"}"#),
    (
        "godwit-agent",
        r#"{"kind": "Deployment", "replicas": 1, "hubs": ["a.example.com:1", "b.example.com:2"], "rbac": {"objects": false, "inquiries": false},
            "settings": {"log.filter": "info,godwit_agent=debug", "lease.duration": "30s"}, "image": {"tag": "7"},
            "imagePullSecrets": [{"name": "pull"}], "nodeSelector": {"disk": "ssd"}}"#,
    ),
];

/// A chart's objects; nothing where there is no Helm.
pub(super) async fn rendered(chart: &str, values: &str) -> Option<Vec<Value>> {
    let output = run(&engine()?, chart, values).await;
    assert!(output.status.success(), "{chart}: {}", String::from_utf8_lossy(&output.stderr));
    Some(documents(&String::from_utf8(output.stdout).unwrap()))
}

/// Helm's engine comes as a Python package.
fn engine() -> Option<PathBuf> {
    tool("GODWIT_TEST_PYTHON", "python3", &["-c", "import helm_python"])
}

async fn run(python: &PathBuf, chart: &str, values: &str) -> std::process::Output {
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/clients/helm.py"));
    command.arg(deploy("helm").join(chart)).arg(values).output().await.unwrap()
}

/// Without what Helm adds of its own: its labels, and the annotation that restarts pods when settings change.
fn without_helms_own(mut object: Value) -> Value {
    let labels = object["metadata"]["labels"].as_object_mut().unwrap();
    for own in ["helm.sh/chart", "app.kubernetes.io/managed-by"] {
        assert!(labels.remove(own).is_some(), "{own}");
    }
    if template(&object).is_some() {
        let metadata = object["spec"]["template"]["metadata"].as_object_mut().unwrap();
        let annotations = metadata.remove("annotations").unwrap();
        let names: Vec<&str> = annotations.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["checksum/config"]);
    }
    object
}

#[tokio::test]
async fn helm_and_kustomize_say_the_same() {
    for (chart, values, kustomization) in [
        ("godwit-hub", "{}", "hub"),
        ("godwit-agent", "{}", "agent"),
        ("godwit-agent", r#"{"kind": "Deployment"}"#, "agent/deployment"),
    ] {
        let Some(objects) = rendered(chart, values).await else {
            return;
        };
        let objects = sorted(objects.into_iter().map(without_helms_own).collect());
        let mut expected = sorted(kustomized(kustomization));
        // The namespace of a release is Helm's own business.
        expected.retain(|object| object["kind"] != "Namespace");
        let keys = |objects: &[Value]| objects.iter().map(key).collect::<Vec<_>>();
        assert_eq!(keys(&objects), keys(&expected), "{chart}");
        for (object, expected) in objects.iter().zip(&expected) {
            assert_eq!(object, expected, "{chart}: {}", key(expected));
        }
    }
}

/// Supervisors in pods take more than the restricted level, so that the checks of the other variants are not for them.
const WITH_GATE: &str = r#"{"gate": {"enabled": true, "image": "godwit-agent:0.1.0"}}"#;

#[tokio::test]
async fn helm_and_kustomize_say_the_same_of_supervisors() {
    let (Some(objects), Some(expected)) =
        (rendered("godwit-agent", WITH_GATE).await, kubectl_made("agent-gate").await)
    else {
        return;
    };
    let sorted_by_name = |mut object: Value| {
        for list in
            ["/env", "/ports", "/volumeMounts"].map(|list| format!("/spec/template/spec/containers/0{list}"))
        {
            if let Some(list) = object.pointer_mut(&list).and_then(Value::as_array_mut) {
                list.sort_by_key(|one| one["name"].to_string());
            }
        }
        if let Some(list) = object.pointer_mut("/spec/template/spec/volumes").and_then(Value::as_array_mut) {
            list.sort_by_key(|one| one["name"].to_string());
        }
        object
    };
    let objects = sorted(objects.into_iter().map(without_helms_own).map(sorted_by_name).collect());
    let mut expected = sorted(expected.into_iter().map(sorted_by_name).collect());
    let namespace = expected.iter().find(|object| object["kind"] == "Namespace").unwrap();
    assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "privileged");
    expected.retain(|object| object["kind"] != "Namespace");
    for (object, expected) in objects.iter().zip(&expected) {
        assert_eq!(object, expected, "{}", key(expected));
    }
    assert_eq!(objects.len(), expected.len());
    let pod = &template(one(&objects, "DaemonSet")).unwrap()["spec"];
    let security = &pod["containers"][0]["securityContext"];
    assert_eq!((&security["runAsUser"], &security["capabilities"]), (&json!(0), &json!({"drop": ["ALL"]})));
}

/// Whoever writes in another's name needs a right over that name, and no right to write.
#[tokio::test]
async fn helm_and_kustomize_say_the_same_of_impersonation() {
    let values = r#"{"impersonate": {"serviceAccount": "godwit-deployer"}}"#;
    let (Some(objects), Some(mut expected)) =
        (rendered("godwit-agent", values).await, kubectl_made("agent-impersonating").await)
    else {
        return;
    };
    expected.retain(|object| object["kind"] != "Namespace");
    let objects = sorted(objects.into_iter().map(without_helms_own).collect());
    let expected = sorted(expected);
    assert_eq!(objects.len(), expected.len());
    for (object, expected) in objects.iter().zip(&expected) {
        assert_eq!(object, expected, "{}", key(expected));
    }
    let rules = objects.iter().filter(|object| object["kind"] == "ClusterRole");
    let rules: Vec<&Value> = rules.flat_map(|role| role["rules"].as_array().into_iter().flatten()).collect();
    let with = |verb: &str| {
        let has = |rule: &&&Value| rule["verbs"].as_array().unwrap().contains(&json!(verb));
        rules.iter().filter(has).copied().cloned().collect::<Vec<Value>>()
    };
    for verb in ["create", "patch", "delete"] {
        assert!(with(verb).is_empty(), "{verb}");
    }
    let one = json!({"apiGroups": [""], "resources": ["serviceaccounts"], "resourceNames": ["godwit-deployer"],
        "verbs": ["impersonate"]});
    assert_eq!(with("impersonate"), [one]);
}

#[tokio::test]
async fn values_reach_what_they_are_for() {
    let (chart, values) = VARIANTS[4];
    let Some(agent) = rendered(chart, values).await else {
        return;
    };
    let settings = &one(&agent, "ConfigMap")["data"];
    assert_eq!(settings["GODWIT_AGENT_HUBS"], "a.example.com:1,b.example.com:2");
    assert_eq!(settings["GODWIT_AGENT_LEASE__DURATION"], "30s");
    assert_eq!(settings["GODWIT_AGENT_LOG__FORMAT"], "json", "what is not named stays");
    let pod = &template(one(&agent, "Deployment")).unwrap()["spec"];
    assert_eq!(pod["containers"][0]["image"], "godwit-agent:7");
    assert_eq!(pod["nodeSelector"], json!({"disk": "ssd"}));
    assert!(
        agent.iter().all(|object| object["kind"] != "PodDisruptionBudget"),
        "it would hold up every drain"
    );
    for gone in ["godwit-agent-objects", "godwit-agent-inquiries"] {
        assert!(agent.iter().all(|object| object["metadata"]["name"] != gone), "{gone}");
    }

    let (chart, values) = VARIANTS[1];
    let hub = rendered(chart, values).await.unwrap();
    let types: Vec<&Value> = hub
        .iter()
        .filter(|object| object["kind"] == "Service")
        .map(|object| &object["spec"]["type"])
        .collect();
    assert_eq!(types, ["LoadBalancer", "ClusterIP"], "metrics stay inside");
    let hub_set = one(&hub, "StatefulSet");
    let claim = &hub_set["spec"]["volumeClaimTemplates"][0]["spec"];
    assert_eq!(
        (&claim["storageClassName"], &claim["resources"]["requests"]["storage"]),
        (&json!("fast"), &json!("1Gi"))
    );
    assert_eq!(template(hub_set).unwrap()["spec"]["priorityClassName"], "high");
    for gone in ["PriorityClass", "NetworkPolicy"] {
        assert!(hub.iter().all(|object| object["kind"] != gone), "{gone}");
    }
}

#[tokio::test]
async fn values_that_are_misspelt_are_refused() {
    let Some(python) = engine() else {
        return;
    };
    for (values, named) in [
        (r#"{"hub": ["x:1"]}"#, "hub"),
        (r#"{"hubs": []}"#, "hubs"),
        (r#"{"hubs": ["https://x:1/"]}"#, "hubs"),
        (r#"{"kind": "ReplicaSet"}"#, "kind"),
        (r#"{"settings": {"Log.Filter": "x"}}"#, "Log.Filter"),
        (r#"{"networkPolicy": {"ports": [0]}}"#, "ports"),
        (r#"{"gate": {"enabled": true}}"#, "gate.image"),
        (r#"{"gate": {"enabled": true, "image": "x"}, "kind": "Deployment"}"#, "it takes kind DaemonSet"),
        (r#"{"gate": {"directory": "leases"}}"#, "directory"),
        (r#"{"impersonate": {"serviceAccount": "No One"}}"#, "serviceAccount"),
    ] {
        let output = run(&python, "godwit-agent", values).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(named), "{values}: {said}");
    }
}
