//! Workloads of which only the count is Godwit's (S33), on any API server. GitOps is played by the test: it applies its
//! manifest with another field manager, as Argo CD and Flux do, and again and again.

use godwit_common::link::{Status, Targets, Tombstone, Tombstoned, Up, WorkloadTarget};
use godwit_common::{Need, ObjectKey, Uid, WorkloadId};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::servers::{Place, on_each_server};
use crate::stage::{self, fence, whole};

fn id(place: &Place) -> WorkloadId {
    WorkloadId::new(&place.namespace, "Deployment", "web").unwrap()
}

fn own(place: &Place) -> Need {
    Need::Given(ObjectKey::new("apps/v1", "Deployment", &place.namespace, "web").unwrap())
}

fn row(place: &Place, replicas: u32) -> WorkloadTarget {
    let manifest = json!({"metadata": {"name": "web", "namespace": place.namespace}});
    WorkloadTarget {
        workload: id(place),
        manifest: Some(manifest.to_string().into()),
        needs: vec![own(place)],
        scale_only: true,
        ..stage::deployment(1, 1, replicas)
    }
}

fn deployments(place: &Place) -> Api<Deployment> {
    Api::namespaced(place.stage.client.clone(), &place.namespace)
}

/// What stands in Git says nothing of replicas.
async fn sync(place: &Place, image: &str) {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place.namespace}});
    let params = PatchParams::apply("argocd-controller").force();
    let namespaces: Api<Namespace> = Api::all(place.stage.client.clone());
    namespaces.patch(&place.namespace, &params, &Patch::Apply(&namespace)).await.unwrap();
    let labels = json!({"app": "web"});
    let manifest = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "labels": {"godwit.dev/mode": "scale-only"}},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
            "spec": {"containers": [{"name": "web", "image": image}]}}}});
    deployments(place).patch("web", &params, &Patch::Apply(&manifest)).await.unwrap();
}

async fn until(place: &Place, what: &str, is: impl Fn(&Deployment) -> bool) -> Deployment {
    let look = || async { deployments(place).get_opt("web").await.ok()?.filter(|web| is(web)) };
    place.stage.until(what, look).await
}

fn count(web: &Deployment) -> Option<i32> {
    web.spec.replicas
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_count_of_what_gitops_makes_is_written() {
    on_each_server("scaled", async |place| {
        let _agent = place.with(vec![], vec![row(&place, 3)]).await;
        let waits = |seen: &Status| &*seen.problem == "waits for GitOps to create it" && !seen.exists;
        place.stage.hub.until_status(&id(&place), waits).await;
        assert!(deployments(&place).get_opt("web").await.unwrap().is_none());

        sync(&place, "web:1").await;
        let web = until(&place, "its count", |web| count(web) == Some(3)).await;
        let ours = web.metadata.managed_fields.unwrap().into_iter();
        // An API server does not even note who was the first to say a count in this way.
        let ours: Vec<_> = ours.filter(|entry| entry.manager.as_deref() == Some("godwit")).collect();
        assert!(ours.is_empty(), "{ours:?}");
        assert!(
            web.metadata.annotations.unwrap_or_default().keys().all(|key| !key.starts_with("godwit.dev/"))
        );
        place.stage.hub.until_status(&id(&place), |seen| (seen.uid, seen.replicas) == (Uid(1), 3)).await;

        // What is synced again, changed or not, leaves the count alone; what is scaled by hand is set right.
        sync(&place, "web:1").await;
        sync(&place, "web:2").await;
        let web = until(&place, "the new image", |web| {
            web.spec.template.spec.as_ref().unwrap().containers[0].image.as_deref() == Some("web:2")
        })
        .await;
        assert_eq!(count(&web), Some(3));
        let nine = Patch::Merge(json!({"spec": {"replicas": 9}}));
        deployments(&place).patch_scale("web", &PatchParams::default(), &nine).await.unwrap();
        let web = until(&place, "its count again", |web| count(web) == Some(3)).await;
        let ours = web.metadata.managed_fields.unwrap().into_iter();
        for entry in ours.filter(|entry| entry.manager.as_deref() == Some("godwit")) {
            assert_eq!(entry.subresource.as_deref(), Some("scale"));
            assert_eq!(entry.fields_v1.unwrap().0, json!({"f:spec": {"f:replicas": {}}}));
        }

        let what = Tombstoned::Scaled { workload: id(&place), api_version: "apps/v1".into() };
        let targets = Targets {
            tombstones: vec![Tombstone { uid: Uid(1), what }],
            ..whole(fence(1, 2), vec![], vec![])
        };
        place.stage.hub.send(targets).await;
        let removed = |up: &Up| matches!(up, Up::Report(report) if report.removed.contains(&Uid(1)));
        place.stage.hub.until_up("the end of it", removed).await;
        let web = deployments(&place).get("web").await.unwrap();
        assert_eq!((count(&web), web.metadata.deletion_timestamp), (Some(3), None), "it stays as it is");
    })
    .await;
}
