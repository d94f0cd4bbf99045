//! The fence `gate` (S9) over real processes: hub, agents, and the supervisors that the agents put into pods. The simulated
//! API server runs no pods, so a [`Kubelet`] of the tests' own does, with the commands that were applied.

use std::fs;
use std::path::Path;
use std::time::Duration;

use godwit_gate::lease::Lease;
use godwit_proto::v1;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};

use crate::harness::{Builder, Federation, Kubelet, Signal, wait_for};

/// A lease of 5 s, 1 s to end, and a margin in which the test can look before the hub counts on the end.
const SETTINGS: [(&str, &str); 2] = [("federation.gate_lease", "5s"), ("federation.gate_margin", "12s")];
/// It does not care about SIGTERM.
const SCRIPT: &str = "trap '' TERM; echo $$ > $RUNS; while :; do sleep 0.05; done";

fn once(name: &str, fence: &str) -> v1::Policy {
    let spec =
        v1::PolicySpec { mode: "at_most".to_owned(), fence: fence.to_owned(), ..v1::PolicySpec::default() };
    v1::Policy { name: name.to_owned(), spec: Some(spec), workloads: 0 }
}

fn manifest(policy: &str, command: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata:
  name: single
  annotations:
    godwit.dev/policy: {policy}
spec:
  replicas: 1
  strategy: {{type: Recreate}}
  selector:
    matchLabels: {{app: single}}
  template:
    metadata:
      labels: {{app: single}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: registry.example/main:1
{command}          resources:
            requests: {{cpu: 50m, memory: 16Mi}}
"
    )
}

fn deploy(policy: &str, script: Option<&str>) -> v1::DeployRequest {
    let command = script.map_or(String::new(), |script| {
        format!("          command: [sh, -c]\n          args: [{}]\n", serde_json::json!(script))
    });
    v1::DeployRequest { manifests: manifest(policy, &command), ..v1::DeployRequest::default() }
}

async fn federation(agents: usize, settings: &[(&str, &str)]) -> Federation {
    let builder = Builder::new(&["alpha", "bravo"]).hasty().settings(&SETTINGS).settings(settings);
    let federation = builder.each(|spec| (spec.gate, spec.agents) = (true, agents)).start().await;
    federation.admin.apply_policy(once("once", "gate")).await.unwrap();
    federation
}

/// Where the one replica is placed.
async fn place(federation: &Federation) -> String {
    wait_for("the replica to be ready somewhere", async || {
        let workload = federation.admin.workload("single").await.map_err(|error| error.to_string())?;
        let ready = workload.placements.iter().find(|row| row.ready == 1 && row.live);
        ready.map(|row| row.cluster.clone()).ok_or_else(|| format!("{workload:?}"))
    })
    .await
}

#[tokio::test]
async fn s9_a_cluster_that_is_cut_off_ends_its_copy_by_itself_and_the_next_one_starts_then() {
    let mut federation = federation(1, &[]).await;
    let kubelet = Kubelet::start(federation.clusters().map(|cluster| (cluster, 0)), federation.dir());
    federation.admin.deploy(deploy("once", Some(SCRIPT))).await.unwrap();
    let first = place(&federation).await;
    let second = if first == "alpha" { "bravo" } else { "alpha" };
    let process = kubelet.process_in(&first).await;
    // The hub believes in supervisors when it has seen them.
    wait_for("the fence to be bounded in time", async || {
        let workload = federation.admin.workload("single").await.map_err(|error| error.to_string())?;
        match &workload.gate {
            Some(gate) if gate.pods == 1 && gate.unsupervised.is_empty() => Ok(()),
            gate => Err(format!("{gate:?}")),
        }
    })
    .await;

    // Neither an agent nor an API server is there any more.
    federation.cluster(&first).signal(Signal::Stop);
    federation.event("ClusterLost", &first).await;
    let reasons = federation.admin.workload("single").await.unwrap().pending_reasons;
    assert!(reasons.iter().any(|reason| reason.contains("unfenced")), "{reasons:?}");
    federation.event("ClusterFenced", &first).await;
    assert!(!process.is_alive(), "the hub counts on it");
    assert_ne!(kubelet.process_in(second).await, process);

    // What was frozen comes back, with its pod, and does not start it again.
    federation.cluster(&first).signal(Signal::Continue);
    federation.cluster_is(&first, "Ready").await;
    wait_for("the old pod to be gone", async || {
        let pods: Api<Pod> = federation.cluster(&first).api();
        let pods = pods.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        if pods.items.is_empty() { Ok(()) } else { Err(format!("{} are left", pods.items.len())) }
    })
    .await;
    assert_eq!(place(&federation).await, second);
    assert_eq!(kubelet.most_at_once(), 1, "it never ran twice");
    federation.cluster_mut(&first).may_log_errors(0);
}

#[tokio::test]
async fn s9_the_agent_of_a_node_gets_leases_from_the_one_that_leads_and_from_the_next() {
    // Long enough for another agent to take over.
    let mut federation = federation(2, &[("federation.gate_lease", "60s")]).await;
    let mut nodes = Vec::new();
    for cluster in federation.clusters() {
        nodes.push((cluster, 1 - cluster.leader().await));
    }
    let kubelet = Kubelet::start(nodes.iter().copied(), federation.dir());
    federation.admin.deploy(deploy("once", Some(SCRIPT))).await.unwrap();
    let first = place(&federation).await;
    let process = kubelet.process_in(&first).await;
    let (cluster, node) = *nodes.iter().find(|(cluster, _)| cluster.name() == first).unwrap();
    let leases = cluster.leases(node);
    let before = until(&leases);
    federation.cluster_mut(&first).kill_agent(1 - node);
    // What it had answered may be written yet; more comes from the next one only.
    wait_for("the lease to be renewed by the next one", async || {
        let now = until(&leases);
        if now > before + Duration::from_secs(8) { Ok(()) } else { Err(format!("{now:?} after {before:?}")) }
    })
    .await;
    assert!(process.is_alive() && kubelet.most_at_once() == 1);
}

/// When the one lease in a folder ends.
fn until(leases: &Path) -> Duration {
    let mut folders = fs::read_dir(leases).unwrap().map(|entry| entry.unwrap().path());
    let lease = folders.find(|path| path.is_dir()).unwrap().join("lease");
    Lease::read(&fs::read(lease).unwrap()).unwrap().until
}

#[tokio::test]
async fn s9_what_cannot_have_a_supervisor_is_refused_by_name() {
    let federation = federation(1, &[]).await;
    let refused = federation.admin.deploy(deploy("once", None)).await.unwrap_err();
    let message = refused.message();
    assert!(message.contains("spec.template.spec.containers[main].command: it is missing"), "{message}");
    assert!(message.contains("or choose the fence confirm"), "{message}");
}
