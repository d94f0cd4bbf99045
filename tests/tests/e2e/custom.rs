//! A custom resource as a workload (S33): divided, moved and held back as everything else, wherever its kind has a scale.

use std::time::Duration;

use godwit_proto::v1;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

use crate::harness::{Builder, Cluster, wait_for};

/// In the last of them the kind has no scale.
const CLUSTERS: [&str; 3] = ["alpha", "bravo", "charlie"];

const SHIPS: &str = r#"
apiVersion: example.com/v1
kind: Fleet
metadata:
  name: ships
  annotations:
    godwit.dev/workload: "true"
    godwit.dev/replicas: "6"
spec:
  image: registry.example/ship:1
"#;

async fn define(cluster: &Cluster, subresources: Value) {
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let definition = json!({
        "metadata": {"name": "fleets.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced",
            "names": {"kind": "Fleet", "plural": "fleets", "singular": "fleet"},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": subresources,
                "schema": {"openAPIV3Schema": open}}]}});
    let definitions: Api<CustomResourceDefinition> = cluster.all();
    let definition = serde_json::from_value(definition).unwrap();
    definitions.create(&PostParams::default(), &definition).await.unwrap();
}

fn scalable() -> Value {
    json!({"status": {}, "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.ships",
        "labelSelectorPath": ".status.selector"}})
}

async fn fleets(cluster: &Cluster) -> Api<DynamicObject> {
    let config = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
    let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
    let resource = ApiResource {
        group: "example.com".to_owned(),
        version: "v1".to_owned(),
        api_version: "example.com/v1".to_owned(),
        kind: "Fleet".to_owned(),
        plural: "fleets".to_owned(),
    };
    Api::namespaced_with(kube::Client::try_from(config).unwrap(), "default", &resource)
}

/// The operator of the kind, as simple as one can be: it makes a ReplicaSet for each fleet.
async fn operate(fleets: Api<DynamicObject>, sets: Api<ReplicaSet>) {
    let params = PatchParams::apply("operator").force();
    loop {
        let all = fleets.list(&Default::default()).await.map(|list| list.items).unwrap_or_default();
        for fleet in all {
            let (name, size) = (fleet.metadata.name.clone().unwrap(), fleet.data["spec"]["size"].clone());
            let labels = json!({"fleet": name});
            let container = json!({"name": "ship", "image": fleet.data["spec"]["image"]});
            let owner = json!({"apiVersion": "example.com/v1", "kind": "Fleet", "name": name,
                "uid": fleet.metadata.uid, "controller": true, "blockOwnerDeletion": true});
            let set = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
                "metadata": {"name": format!("{name}-hulls"), "ownerReferences": [owner]},
                "spec": {"replicas": size, "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}}});
            let made = sets.patch(&format!("{name}-hulls"), &params, &Patch::Apply(&set)).await;
            let ships = made.ok().and_then(|set| set.status).map_or(0, |status| status.replicas);
            let status = json!({"status": {"ships": ships, "selector": format!("fleet={name}")}});
            // What does not succeed now does so at the next look.
            let _ = fleets.patch_status(&name, &PatchParams::default(), &Patch::Merge(status)).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn s33_a_custom_resource_is_placed_by_its_scale_and_moves_with_a_loss() {
    let mut federation =
        Builder::new(&CLUSTERS).hasty().settings(&[("federation.min_ready", "1s")]).start().await;
    let mut operators = Vec::new();
    for (name, subresources) in CLUSTERS.into_iter().zip([scalable(), scalable(), json!({"status": {}})]) {
        let cluster = federation.cluster(name);
        define(cluster, subresources).await;
        operators.push(tokio::spawn(operate(fleets(cluster).await, cluster.api())));
    }
    let request = v1::DeployRequest { manifests: SHIPS.to_owned(), ..v1::DeployRequest::default() };
    federation.admin.deploy(request).await.unwrap();
    federation.settles("Fleet/ships", &[("alpha", 3), ("bravo", 3)]).await;
    let why = federation.must(&["explain", "workload/default/fleet/ships"]).await;
    let lacks = "it lacks the kind Fleet of example.com/v1 with a subresource scale";
    assert!(why.contains("charlie") && why.contains(lacks), "{why}");
    let pods = federation.must(&["get", "pods", "ships"]).await;
    assert_eq!(pods.matches("ships-hulls-").count(), 6, "{pods}");

    federation.kill_hub().await;
    federation.cluster_mut("alpha").kill();
    federation.restart_hub().await;
    federation.cluster_is("alpha", "Lost").await;
    federation.settles("Fleet/ships", &[("alpha", 0), ("bravo", 6)]).await;

    federation.admin.delete("Fleet/ships").await.unwrap();
    let fleets = fleets(federation.cluster("bravo")).await;
    wait_for("the fleet and what it owns to be gone", async || {
        let left = fleets.get_opt("ships").await.map_err(|error| error.to_string())?;
        let sets: Api<ReplicaSet> = federation.cluster("bravo").api();
        let sets = sets.list(&Default::default()).await.map_err(|error| error.to_string())?.items.len();
        if left.is_none() && sets == 0 { Ok(()) } else { Err(format!("{sets} ReplicaSets are left")) }
    })
    .await;
    operators.iter().for_each(tokio::task::JoinHandle::abort);
}
