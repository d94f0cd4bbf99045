//! Only the count is Godwit's, and everything else GitOps' (S33). The tool is played by the test: it applies the same manifest
//! in each cluster, with a field manager of its own.

use godwit_proto::v1;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::harness::{Builder, Cluster, Federation, wait_for};

const CLUSTERS: [&str; 3] = ["alpha", "bravo", "charlie"];

/// As it stands in Git: no replicas, but the total over all clusters.
fn manifest() -> serde_json::Value {
    let labels = json!({"app": "web"});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "labels": {"godwit.dev/mode": "scale-only"},
            "annotations": {"godwit.dev/replicas": "6"}},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
            "spec": {"containers": [{"name": "main", "image": "registry.example/web:1"}]}}}})
}

async fn sync(cluster: &Cluster) {
    let params = PatchParams::apply("argocd-controller").force();
    cluster.api::<Deployment>().patch("web", &params, &Patch::Apply(manifest())).await.unwrap();
}

async fn counts(federation: &Federation) -> Vec<Option<i32>> {
    let mut counts = Vec::new();
    for name in CLUSTERS {
        let web = federation.cluster(name).deployment("web").await;
        counts.push(web.and_then(|web| web.spec.replicas));
    }
    counts
}

#[tokio::test]
async fn s33_gitops_keeps_its_objects_and_godwit_their_counts() {
    let federation = Builder::new(&CLUSTERS).settings(&[("federation.min_ready", "1s")]).start().await;
    let request = v1::DeployRequest { manifests: manifest().to_string(), ..v1::DeployRequest::default() };
    federation.admin.deploy(request).await.unwrap();
    let waits = "waits for GitOps to create it";
    wait_for("it to wait for GitOps", async || {
        let web = federation.admin.workload("web").await.map_err(|error| error.to_string())?;
        let told = web.problems.iter().filter(|problem| problem.contains(waits)).count();
        if (web.pending, told) == (6, 3) { Ok(()) } else { Err(format!("{web:?}")) }
    })
    .await;
    assert_eq!(counts(&federation).await, [None; 3]);

    // It comes to two of them; in the third it never does.
    sync(federation.cluster("alpha")).await;
    sync(federation.cluster("bravo")).await;
    federation.settles("web", &[("alpha", 3), ("bravo", 3)]).await;
    let why = federation.must(&["explain", "workload", "web"]).await;
    assert!(why.contains("it lacks Deployment default/web from GitOps"), "{why}");
    let described = federation.must(&["describe", "workload", "web"]).await;
    assert!(described.contains("scale-only: its objects are GitOps' own"), "{described}");

    sync(federation.cluster("alpha")).await;
    federation.admin.scale("web", 8).await.unwrap();
    federation.settles("web", &[("alpha", 4), ("bravo", 4)]).await;
    let drain = v1::DrainClusterRequest { name: "alpha".to_owned(), ..v1::DrainClusterRequest::default() };
    federation.admin.drain(drain).await.unwrap();
    federation.settles("web", &[("bravo", 8)]).await;
    assert_eq!(counts(&federation).await, [Some(0), Some(8), None]);

    // Taken out of Godwit, it stays as it is.
    federation.admin.delete("web").await.unwrap();
    wait_for("every cluster to let go of it", async || {
        let all = federation.admin.workloads().await.map_err(|error| error.to_string())?;
        let held = all.iter().find(|web| !web.deletion_pending_on.is_empty());
        held.map_or(Ok(()), |web| Err(web.deletion_pending_on.join(", ")))
    })
    .await;
    assert_eq!(counts(&federation).await, [Some(0), Some(8), None]);
    let web = federation.cluster("bravo").deployment("web").await.unwrap();
    let managers: Vec<_> = web.metadata.managed_fields.iter().flatten().collect();
    let ours = managers.iter().filter(|entry| entry.manager.as_deref() == Some("godwit"));
    assert!(ours.clone().count() == 1 && ours.into_iter().all(|entry| entry.subresource.is_some()));
}
