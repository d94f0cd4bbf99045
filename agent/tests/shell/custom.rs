//! Custom resources as workloads (S33), on any API server: what their definition says of their scale, and what servers do
//! with it. Their operator is played by the test.

use godwit_agent_core::labels;
use godwit_common::link::{Difference, Status, Targets, Tombstone, Tombstoned, WorkloadTarget};
use godwit_common::{Uid, WorkloadId};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::servers::{Place, on_each_server};
use crate::stage::{self, fence, whole};

/// A group of this test's own, since definitions belong to the whole cluster.
fn group(place: &Place) -> String {
    format!("{}.example.com", place.namespace)
}

fn id(place: &Place) -> WorkloadId {
    WorkloadId::new(&place.namespace, "Fleet", "web").unwrap()
}

async fn define(place: &Place) {
    let group = group(place);
    let object = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let schema =
        json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": object, "status": object}}});
    let scale = json!({"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.ships",
        "labelSelectorPath": ".status.selector"});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("fleets.{group}")},
        "spec": {"group": group, "scope": "Namespaced",
            "names": {"plural": "fleets", "singular": "fleet", "kind": "Fleet", "listKind": "FleetList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema,
                "subresources": {"status": {}, "scale": scale}}]}});
    let definitions = definitions(place);
    let definition = serde_json::from_value(definition).unwrap();
    definitions.create(&PostParams::default(), &definition).await.unwrap();
    // It is served a moment later.
    let fleets = fleets(place);
    let look = || async { fleets.list(&Default::default()).await.ok() };
    place.stage.until("the kind", look).await;
}

fn definitions(place: &Place) -> Api<CustomResourceDefinition> {
    Api::all(place.stage.client.clone())
}

fn fleets(place: &Place) -> Api<DynamicObject> {
    let group = group(place);
    let resource = ApiResource {
        api_version: format!("{group}/v1"),
        group,
        version: "v1".to_owned(),
        kind: "Fleet".to_owned(),
        plural: "fleets".to_owned(),
    };
    Api::namespaced_with(place.stage.client.clone(), &place.namespace, &resource)
}

/// What `spec.replicas` means is this kind's own business: its count is elsewhere.
fn row(place: &Place, revision: u64, replicas: u32) -> WorkloadTarget {
    let api_version = format!("{}/v1", group(place));
    let manifest = json!({
        "apiVersion": api_version, "kind": "Fleet", "metadata": {"name": "web", "namespace": place.namespace},
        "spec": {"replicas": "two of each", "image": format!("web:{revision}"), "size": 99}});
    WorkloadTarget {
        workload: id(place),
        api_version: api_version.into(),
        manifest: Some(manifest.to_string().into()),
        ..stage::deployment(1, revision, replicas)
    }
}

async fn until_fleet(place: &Place, what: &str, is: impl Fn(&DynamicObject) -> bool) -> DynamicObject {
    let fleets = fleets(place);
    let look = || async { fleets.get_opt("web").await.ok()?.filter(|fleet| is(fleet)) };
    place.stage.until(what, look).await
}

async fn scale(place: &Place, manager: &str, replicas: u32) {
    let params = PatchParams { field_manager: Some(manager.into()), ..PatchParams::default() };
    let count = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    fleets(place).patch_scale("web", &params, &count).await.unwrap();
}

/// Where no kubelet is, the test says that its container runs.
async fn run_pod(place: &Place) {
    let pods: Api<Pod> = Api::namespaced(place.stage.client.clone(), &place.namespace);
    let pod = json!({"metadata": {"name": "ship-1", "labels": {"fleet": "web"}},
        "spec": {"containers": [{"name": "web", "image": "web:1"}]}});
    pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
    if place.kubeconfig.is_some() {
        let ready = json!({"type": "Ready", "status": "True"});
        let status = Patch::Merge(json!({"status": {"phase": "Running", "conditions": [ready]}}));
        pods.patch_status("ship-1", &PatchParams::default(), &status).await.unwrap();
    }
}

fn size(fleet: &DynamicObject) -> &Value {
    &fleet.data["spec"]["size"]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_resource_is_told_its_count_where_its_kind_has_it() {
    on_each_server("custom", async |place| {
        define(&place).await;
        let _agent = place.with(vec![], vec![row(&place, 1, 3)]).await;
        let fleet = until_fleet(&place, "the fleet", |fleet| size(fleet) == 3).await;
        assert_eq!(fleet.metadata.labels.unwrap()[labels::UID], Uid(1).to_string());
        assert_eq!(fleet.data["spec"]["replicas"], "two of each");

        // Its operator: what is there, and which pods they are.
        run_pod(&place).await;
        let status = json!({"status": {"ships": 1, "selector": "fleet=web"}});
        fleets(&place).patch_status("web", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
        let runs = |seen: &Status| (seen.replicas, seen.pods, seen.ready, seen.updated_ready) == (3, 1, 1, 1);
        place.stage.hub.until_status(&id(&place), runs).await;

        // Whoever scales it by hand is overruled, and an autoscaler is not.
        scale(&place, "kubectl", 7).await;
        until_fleet(&place, "its count again", |fleet| size(fleet) == 3).await;
        scale(&place, "kube-controller-manager", 5).await;
        let autoscaled = Some(Difference::Autoscaled);
        let left = |seen: &Status| (seen.replicas, seen.difference) == (5, autoscaled);
        place.stage.hub.until_status(&id(&place), left).await;
        place.send(2, vec![], vec![row(&place, 2, 3)]).await;
        let fleet = until_fleet(&place, "the next one", |fleet| fleet.data["spec"]["image"] == "web:2").await;
        assert_eq!(size(&fleet), 5);

        // It stays until its own are gone: that its controllers see to, and the collector of garbage.
        let api_version = row(&place, 1, 0).api_version;
        let what = Tombstoned::Workload { workload: id(&place), api_version };
        let targets = Targets {
            tombstones: vec![Tombstone { uid: Uid(1), what }],
            ..whole(fence(1, 3), vec![], vec![])
        };
        place.stage.hub.send(targets).await;
        let gone = || async {
            match fleets(&place).get_opt("web").await.unwrap() {
                None => Some(()),
                Some(fleet) => {
                    let finalizers = fleet.metadata.finalizers.unwrap_or_default();
                    (place.kubeconfig.is_some() && finalizers == ["foregroundDeletion"]).then_some(())
                }
            }
        };
        place.stage.until("it to be gone, or to wait for what it owns", gone).await;
        let name = format!("fleets.{}", group(&place));
        definitions(&place).delete(&name, &DeleteParams::default()).await.unwrap();
    })
    .await;
}
