//! Other people's clients: buf curl and Python's grpcio call the hub with nothing but its reflection, and kubectl reads a
//! member cluster.

use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::harness::{Deployment, Federation, policy, tool, within};

const SERVICES: [&str; 13] = [
    "godwit.v1.AccessService",
    "godwit.v1.AuthorityService",
    "godwit.v1.ClusterService",
    "godwit.v1.EventService",
    "godwit.v1.FederationService",
    "godwit.v1.MigrationService",
    "godwit.v1.PlacementService",
    "godwit.v1.PlanService",
    "godwit.v1.PodService",
    "godwit.v1.PolicyService",
    "godwit.v1.QuotaService",
    "godwit.v1.RolloutService",
    "godwit.v1.WorkloadService",
];

#[tokio::test]
async fn buf_curl_lists_services_and_deploys() {
    let Some(buf) = tool("GODWIT_TEST_BUF", "buf", &["--version"]) else {
        return;
    };
    let federation = with_policy().await;
    let curl = |rest: &[&str]| {
        let [ca, certificate, key] = federation.admin.files();
        let mut command = Command::new(&buf);
        command.args(["curl", "--protocol", "grpc", "--cacert"]).arg(ca);
        command.arg("--cert").arg(certificate).arg("--key").arg(key).args(rest);
        command.env("HOME", federation.dir());
        command
    };
    let url = federation.admin.url();
    let methods = output(curl(&["--list-methods", &url])).await;
    for service in SERVICES {
        assert!(methods.contains(service), "{service} is not in {methods}");
    }
    assert!(methods.contains("godwit.v1.WorkloadService/Deploy"), "{methods}");

    let request = json!({
        "requestId": "from-buf",
        "manifests": Deployment::new("web", 1).yaml(),
        "replicas": 10,
        "policyName": "even",
    });
    let to = format!("{url}/godwit.v1.WorkloadService/Deploy");
    let answer = output(curl(&["--emit-defaults", "--data", &request.to_string(), &to])).await;
    check_answer(&serde_json::from_str(&answer).unwrap());
    federation.settles("web", &[("alpha", 5), ("bravo", 5)]).await;
    let to = format!("{url}/godwit.v1.WorkloadService/GetRenderedWorkload");
    let answer = output(curl(&["--data", r#"{"name": "web", "clusters": ["bravo"]}"#, &to])).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let manifest = answer["items"][0]["objects"][0]["manifest"].as_str().unwrap_or_default();
    assert!(manifest.contains("\"replicas\":5"), "{answer}");
    let health = output(curl(&["--data", "{}", &format!("{url}/grpc.health.v1.Health/Check")])).await;
    assert!(health.contains("SERVING"), "{health}");
}

#[tokio::test]
async fn python_deploys_by_reflection_alone() {
    let Some(python) = tool("GODWIT_TEST_PYTHON", "python3", &["-c", "import grpc_reflection"]) else {
        return;
    };
    let federation = with_policy().await;
    let manifests = federation.dir().join("web.yaml");
    fs::write(&manifests, Deployment::new("web", 1).yaml()).unwrap();
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/clients/deploy.py"));
    command.arg(federation.hub().address()).args(federation.admin.files());
    command.arg(&manifests).args(["even", "10"]);
    let printed = output(command).await;
    let lines: Vec<&str> = printed.lines().collect();
    for service in SERVICES {
        assert!(lines.contains(&service), "{service} is not in {printed}");
    }
    check_answer(&serde_json::from_str(lines.last().unwrap()).unwrap());
    federation.settles("web", &[("alpha", 5), ("bravo", 5)]).await;
}

#[tokio::test]
async fn kubectl_reads_and_changes_a_cluster() {
    let Some(kubectl) = tool("GODWIT_TEST_KUBECTL", "kubectl", &["version", "--client"]) else {
        return;
    };
    let federation = with_policy().await;
    federation.deploy(&Deployment::new("web", 10).policy("even")).await;
    federation.settles("web", &[("alpha", 5), ("bravo", 5)]).await;
    let run = async |args: &[&str]| {
        let mut command = Command::new(&kubectl);
        command.arg("--kubeconfig").arg(federation.cluster("alpha").kubeconfig()).args(args);
        command.env("HOME", federation.dir());
        output(command).await
    };

    let nodes = run(&["get", "nodes"]).await;
    assert_eq!(nodes.lines().filter(|line| line.contains(" Ready ")).count(), 3, "{nodes}");
    let table = run(&["get", "deployments"]).await;
    let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..2], ["web", "5/5"], "{table}");
    let pods = run(&["get", "pods", "-l", "app=web", "-o", "json"]).await;
    let pods: Value = serde_json::from_str(&pods).unwrap();
    assert_eq!(pods["items"].as_array().unwrap().len(), 5);
    let described = run(&["describe", "deployment", "web"]).await;
    assert!(described.contains("5 desired | 5 updated | 5 total | 5 available"), "{described}");

    let by_hand = federation.dir().join("by-hand.yaml");
    fs::write(&by_hand, Deployment::new("by-hand", 1).yaml()).unwrap();
    run(&["apply", "--validate=false", "-f", by_hand.to_str().unwrap()]).await;
    run(&["scale", "deployment", "by-hand", "--replicas=3"]).await;
    run(&["rollout", "status", "deployment", "by-hand", "--timeout=120s"]).await;
    let scaled = run(&["get", "deployment", "by-hand", "-o", "jsonpath={.status.readyReplicas}"]).await;
    assert_eq!(scaled, "3");
    run(&["delete", "deployment", "by-hand", "--timeout=120s"]).await;
    let left = run(&["get", "deployments", "-o", "name"]).await;
    assert_eq!(
        left.trim(),
        "deployment.apps/web",
        "what is not Godwit's is not its business, and the reverse"
    );
}

async fn with_policy() -> Federation {
    let federation = Federation::of(&["alpha", "bravo"]).await;
    federation.admin.apply_policy(policy("even", &[("alpha", 1), ("bravo", 1)])).await.unwrap();
    federation
}

/// The proto3 JSON that documents promise: counts are numbers, and defaults are there.
fn check_answer(answer: &Value) {
    let reason = |cluster: &str| {
        json!({
            "cluster": cluster,
            "eligible": true,
            "weight": 1,
            "min": 0,
            "room": 10,
            "replicas": 5,
            "reason": "share by weight",
            "remedy": "",
        })
    };
    let expected = json!({
        "namespace": "default",
        "kind": "Deployment",
        "name": "web",
        "action": "created",
        "policy": "even",
        "replicas": 10,
        "placements": [{"cluster": "alpha", "replicas": 5}, {"cluster": "bravo", "replicas": 5}],
        "pending": 0,
        "reasons": [],
        "report": [reason("alpha"), reason("bravo")],
        "revision": "1",
        "rollout": [],
        "clusters": 2,
        "rolloutClusters": 0,
    });
    assert_eq!(answer["workloads"], json!([expected]), "{answer}");
    assert_eq!(answer["dryRun"], json!(false), "{answer}");
}

/// What a command that must succeed prints.
async fn output(mut command: Command) -> String {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = within(&format!("{command:?}"), command.output()).await.unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {complained}{printed}", output.status);
    printed
}
