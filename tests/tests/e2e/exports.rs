//! Services that other clusters see: a ServiceExport goes beside them where the members have its kind, and nothing fails where
//! they have not (S33).

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;

use crate::harness::{Cluster, Deployment, Federation, policy, wait_for};

const SERVICES: &str = "
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: taken}
spec: {selector: {app: web}, ports: [{port: 81}]}
---
";

async fn define(cluster: &Cluster) {
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let definition = json!({
        "metadata": {"name": "serviceexports.multicluster.x-k8s.io"},
        "spec": {"group": "multicluster.x-k8s.io", "scope": "Namespaced",
            "names": {"kind": "ServiceExport", "plural": "serviceexports", "singular": "serviceexport"},
            "versions": [{"name": "v1alpha1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": open}}]}});
    let definitions: Api<CustomResourceDefinition> = cluster.all();
    let definition = serde_json::from_value(definition).unwrap();
    definitions.create(&PostParams::default(), &definition).await.unwrap();
}

fn resource() -> ApiResource {
    ApiResource {
        group: "multicluster.x-k8s.io".to_owned(),
        version: "v1alpha1".to_owned(),
        api_version: "multicluster.x-k8s.io/v1alpha1".to_owned(),
        kind: "ServiceExport".to_owned(),
        plural: "serviceexports".to_owned(),
    }
}

async fn exports(cluster: &Cluster) -> Api<DynamicObject> {
    let config = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
    let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
    Api::namespaced_with(kube::Client::try_from(config).unwrap(), "default", &resource())
}

/// The exports of a cluster, each with whether it is Godwit's.
async fn are(exports: &Api<DynamicObject>) -> Vec<(String, bool)> {
    let list = exports.list(&Default::default()).await.unwrap();
    let managed = |one: &DynamicObject| {
        one.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key("godwit.dev/managed"))
    };
    list.items.iter().map(|one| (one.metadata.name.clone().unwrap(), managed(one))).collect()
}

async fn become_so(exports: &Api<DynamicObject>, expected: &[(&str, bool)]) {
    wait_for(&format!("the exports {expected:?}"), async || {
        let found = are(exports).await;
        let same = found.iter().map(|(name, ours)| (name.as_str(), *ours)).eq(expected.iter().copied());
        if same { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
}

#[tokio::test]
async fn a_service_is_exported_where_members_have_the_kind_and_nothing_fails_where_not() {
    let federation = Federation::of(&["alpha", "bravo"]).await;
    define(federation.cluster("alpha")).await;
    let alpha = exports(federation.cluster("alpha")).await;
    let by_hand = DynamicObject::new("taken", &resource());
    alpha.create(&PostParams::default(), &by_hand).await.unwrap();
    let mut even = policy("even", &[("alpha", 1), ("bravo", 1)]);
    even.spec.as_mut().unwrap().export_services = true;
    federation.admin.apply_policy(even.clone()).await.unwrap();
    let file = federation.dir().join("web.yaml");
    std::fs::write(&file, format!("{SERVICES}{}", Deployment::new("web", 4).policy("even").yaml())).unwrap();
    federation.must(&["apply", "-f", file.to_str().unwrap()]).await;
    federation.settles("web", &[("alpha", 2), ("bravo", 2)]).await;
    // What somebody made by hand is not touched, and told; so is that bravo has no such kind.
    become_so(&alpha, &[("taken", false), ("web", true)]).await;
    wait_for("what is wrong to be told", async || {
        let problems = federation.admin.workload("web").await.map_err(|error| error.to_string())?.problems;
        let told = |cluster: &str, what: &str| {
            problems.iter().any(|problem| problem.contains(cluster) && problem.contains(what))
        };
        let all = told("alpha", "ServiceExport default/taken") && told("bravo", "ServiceExport default/");
        if all { Ok(()) } else { Err(format!("{problems:?}")) }
    })
    .await;
    // A drain leaves it as long as the workload may come back.
    federation.must(&["drain", "cluster", "alpha", "--wait"]).await;
    assert_eq!(are(&alpha).await, [("taken".to_owned(), false), ("web".to_owned(), true)]);
    even.spec.as_mut().unwrap().export_services = false;
    federation.admin.apply_policy(even).await.unwrap();
    become_so(&alpha, &[("taken", false)]).await;
    federation.settles("web", &[("bravo", 4)]).await;
}
