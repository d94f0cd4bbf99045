//! People change in a member what the hub has told it: their policy says whether that is set right, let be, or taken over
//! (S29).

use godwit_proto::v1;
use k8s_openapi::api::apps::v1::Deployment as Object;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use crate::harness::{Builder, Cluster, Deployment, Federation, policy, wait_for, wanted};

/// `kubectl set image`, and `kubectl edit` of the ConfigMap beside it.
async fn edit_by_hand(cluster: &Cluster) {
    let by = |manager: &str| PatchParams { field_manager: Some(manager.into()), ..PatchParams::default() };
    let containers = json!([{ "name": "main", "image": "registry.example/other:7" }]);
    let image = Patch::Strategic(json!({ "spec": { "template": { "spec": { "containers": containers } } } }));
    cluster.api::<Object>().patch("web", &by("kubectl-set"), &image).await.unwrap();
    let data = Patch::Merge(json!({ "data": { "greeting": "bye" } }));
    cluster.api::<ConfigMap>().patch("settings", &by("kubectl-edit"), &data).await.unwrap();
}

/// Waits until a cluster has the image and the greeting.
async fn until_edited(cluster: &Cluster, image: &str, greeting: &str) {
    wait_for(&format!("{image} and {greeting}"), async || {
        let object = cluster.deployment("web").await.ok_or("no web")?;
        let containers = object.spec.template.spec.unwrap_or_default().containers;
        let settings = cluster.api::<ConfigMap>().get("settings").await.map_err(|error| error.to_string())?;
        let found = (containers[0].image.as_deref(), settings.data.as_ref().map(|data| &*data["greeting"]));
        if found == (Some(image), Some(greeting)) { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
}

/// `kubectl scale`.
async fn scale_by_hand(cluster: &Cluster, replicas: u32) {
    let params = PatchParams { field_manager: Some("kubectl".into()), ..PatchParams::default() };
    let patch = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
    cluster.api::<Object>().patch_scale("web", &params, &patch).await.unwrap();
}

fn drifting(drift: &str) -> v1::Policy {
    let mut policy = policy("drifting", &[("alpha", 1), ("bravo", 1)]);
    policy.spec.get_or_insert_default().drift = drift.to_owned();
    policy
}

async fn web(federation: &Federation, what: &str, is: impl Fn(&v1::Workload) -> bool) -> v1::Workload {
    wait_for(what, async || {
        let workload = federation.admin.workload("web").await.map_err(|error| error.to_string())?;
        if is(&workload) { Ok(workload) } else { Err(format!("{workload:?}")) }
    })
    .await
}

fn alpha(workload: &v1::Workload) -> &v1::Placement {
    workload.placements.iter().find(|placement| placement.cluster == "alpha").unwrap()
}

#[tokio::test]
async fn what_is_changed_by_hand_is_let_be_taken_over_or_set_right() {
    // No cluster is lost while its agent starts anew.
    let mut federation = Builder::new(&["alpha", "bravo"]).start().await;
    federation.admin.apply_policy(drifting("observe")).await.unwrap();
    federation.deploy(&Deployment::new("web", 4).policy("drifting")).await;
    federation.settles("web", &[("alpha", 2), ("bravo", 2)]).await;

    scale_by_hand(federation.cluster("alpha"), 5).await;
    let seen =
        web(&federation, "five to be seen", |web| alpha(web).drift == "Scaled" && alpha(web).ready == 5);
    let seen = seen.await;
    assert_eq!((seen.replicas, alpha(&seen).target, alpha(&seen).sent), (4, 2, 2));
    assert!(alpha(&seen).reason.contains("scaled by hand to 5"), "{seen:?}");
    assert_eq!(federation.event("DriftFound", "Deployment default/web").await.rule, "S29");

    // The same under `adopt` is the wish for three more.
    federation.admin.apply_policy(drifting("adopt")).await.unwrap();
    let adopted = federation.settles("web", &[("alpha", 5), ("bravo", 2)]).await;
    assert_eq!((adopted.replicas, adopted.ready), (7, 7));
    assert_eq!(federation.event("NumberAdopted", "Deployment default/web").await.rule, "S29");
    web(&federation, "no drift to be left", |web| alpha(web).drift.is_empty()).await;

    // To delete it is no wish at all; and an agent that starts anew knows that it was there.
    let objects = federation.cluster("alpha").api::<Object>();
    objects.delete("web", &DeleteParams::default()).await.unwrap();
    let gone = |web: &v1::Workload| alpha(web).drift == "Deleted" && alpha(web).observed == 0;
    web(&federation, "it to be seen that it is deleted", gone).await;
    federation.cluster_mut("alpha").kill_agent(0);
    web(&federation, "alpha to be away", |web| !alpha(web).live).await;
    federation.cluster_mut("alpha").start_agent(0);
    let gone = web(&federation, "it to be seen again", gone).await;
    assert_eq!((gone.replicas, alpha(&gone).target), (7, 5), "nothing was taken away, and nothing moved");

    // What the hub wants anew is written.
    federation.admin.apply_policy(drifting("enforce")).await.unwrap();
    let whole = web(&federation, "it to be made again", |web| web.ready == 7).await;
    assert_eq!(alpha(&whole).drift, "");
    scale_by_hand(federation.cluster("alpha"), 1).await;
    wait_for("it to be set right", async || {
        let object = federation.cluster("alpha").deployment("web").await.unwrap();
        if wanted(&object) == 5 { Ok(()) } else { Err(format!("{object:?}")) }
    })
    .await;
}

#[tokio::test]
async fn fields_that_are_changed_by_hand_are_set_right_or_let_be_until_the_hub_says_something_else() {
    let federation = Builder::new(&["alpha", "bravo"]).start().await;
    federation.admin.apply_policy(drifting("enforce")).await.unwrap();
    let settings =
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {greeting: hello}\n";
    let mut request = Deployment::new("web", 4).policy("drifting").request();
    request.manifests.push_str(settings);
    federation.admin.deploy(request.clone()).await.unwrap();
    federation.settles("web", &[("alpha", 2), ("bravo", 2)]).await;
    let cluster = federation.cluster("alpha");
    until_edited(cluster, "registry.example/main:1", "hello").await;
    edit_by_hand(cluster).await;
    until_edited(cluster, "registry.example/main:1", "hello").await;

    federation.admin.apply_policy(drifting("observe")).await.unwrap();
    wait_for("alpha to be told that it is let", async || {
        let alpha = federation.admin.cluster("alpha").await.map_err(|error| error.to_string())?;
        if alpha.accepted_generation == alpha.generation { Ok(()) } else { Err(format!("{alpha:?}")) }
    })
    .await;
    federation.settles("web", &[("alpha", 2), ("bravo", 2)]).await;
    edit_by_hand(cluster).await;
    let edited = |web: &v1::Workload| {
        let reason = &alpha(web).reason;
        let both =
            reason.contains("image (by kubectl-set)") && reason.contains(".data.greeting (by kubectl-edit)");
        alpha(web).drift == "Edited" && both
    };
    let seen = web(&federation, "both to be seen", edited).await;
    assert!(alpha(&seen).reason.contains("ConfigMap default/settings"), "{seen:?}");
    assert_eq!(federation.event("DriftFound", "Deployment default/web").await.rule, "S29");
    until_edited(cluster, "registry.example/other:7", "bye").await;

    // Another revision of both is written over it.
    request.manifests = request.manifests.replace("main:1", "main:2").replace("hello", "good day");
    federation.admin.deploy(request).await.unwrap();
    until_edited(cluster, "registry.example/main:2", "good day").await;
    web(&federation, "no drift to be left", |web| alpha(web).drift.is_empty()).await;
}
