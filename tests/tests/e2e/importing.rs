//! What runs already is taken over where it is, and no pod of it is restarted (S34).

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment as Object, DeploymentSpec, ReplicaSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::core::ObjectMeta;
use serde_json::{Value, json};

use crate::harness::{Cluster, Deployment, Federation, policy, wait_for};

/// What must be the same before and after: what is wanted, its ReplicaSets, and each pod.
#[derive(Debug, Clone, PartialEq)]
struct Running {
    spec: DeploymentSpec,
    replica_sets: Vec<String>,
    pods: BTreeMap<String, String>,
}

fn text(text: Option<String>) -> String {
    text.unwrap_or_default()
}

fn identity(metadata: ObjectMeta) -> (String, String) {
    (text(metadata.name), text(metadata.uid))
}

async fn running(cluster: &Cluster) -> Running {
    let object = cluster.deployment("web").await.unwrap();
    let labels = ListParams::default().labels("app=web");
    let pods = cluster.api::<Pod>().list(&labels).await.unwrap().items;
    let sets = cluster.api::<ReplicaSet>().list(&labels).await.unwrap().items;
    Running {
        spec: object.spec,
        replica_sets: sets.into_iter().map(|set| text(set.metadata.name)).collect(),
        pods: pods.into_iter().map(|pod| identity(pod.metadata)).collect(),
    }
}

/// As somebody has run it for years: made with kubectl, and its pods ready.
async fn run_by_hand(cluster: &Cluster, replicas: u32, image: &str, pod: Value) -> Running {
    let yaml = Deployment::new("web", replicas).image(image).yaml();
    let mut object: Value = object_of(&yaml);
    merge(&mut object["spec"]["template"]["spec"], pod);
    let params = PostParams { field_manager: Some("kubectl-create".into()), ..PostParams::default() };
    let object: Object = serde_json::from_value(object).unwrap();
    cluster.api::<Object>().create(&params, &object).await.unwrap();
    wait_for("it to run", async || {
        let status = cluster.deployment("web").await.ok_or("no web")?.status.unwrap_or_default();
        let ready = status.ready_replicas.unwrap_or(0);
        if i64::from(ready) == i64::from(replicas) { Ok(()) } else { Err(format!("{ready} are ready")) }
    })
    .await;
    running(cluster).await
}

fn object_of(yaml: &str) -> Value {
    let parsed = godwit_manifest::parse_application(yaml).unwrap();
    let workload = &parsed.workloads[0];
    let mut object: Value = serde_json::from_str(&workload.manifest).unwrap();
    object["spec"]["replicas"] = json!(workload.replicas);
    object
}

fn merge(into: &mut Value, more: Value) {
    let (Some(into), Value::Object(more)) = (into.as_object_mut(), more) else { return };
    into.extend(more);
}

async fn put<K>(cluster: &Cluster, object: Value)
where
    K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned
        + serde::Serialize,
{
    let object: K = serde_json::from_value(object).unwrap();
    cluster.api::<K>().create(&PostParams::default(), &object).await.unwrap();
}

async fn service_and_settings(cluster: &Cluster) {
    put::<Service>(
        cluster,
        json!({"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}),
    )
    .await;
    put::<ConfigMap>(cluster, json!({"metadata": {"name": "settings"}, "data": {"greeting": "hello"}})).await;
}

/// Over both, without moving anything.
async fn with_policy(federation: &Federation) {
    federation.admin.apply_policy(policy("even", &[("alpha", 1), ("bravo", 1)])).await.unwrap();
}

async fn refused(federation: &Federation, args: &[&str], words: &[&str]) {
    let ran = federation.godwit(args).await;
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(!ran.status.success(), "{args:?}: {ran:?}");
    for word in words {
        assert!(said.contains(word), "{args:?} does not say {word:?}: {said}");
    }
    assert!(federation.admin.workload("web").await.is_err(), "nothing of it is done");
}

#[tokio::test]
async fn what_runs_is_taken_over_with_the_pods_that_it_has() {
    let federation = Federation::of(&["alpha", "bravo"]).await;
    with_policy(&federation).await;
    let (alpha, bravo) = (federation.cluster("alpha"), federation.cluster("bravo"));
    let env = json!({"volumes": [{"name": "settings", "configMap": {"name": "settings"}}]});
    for cluster in [alpha, bravo] {
        service_and_settings(cluster).await;
    }
    let before =
        [run_by_hand(alpha, 3, "main:1", env.clone()).await, run_by_hand(bravo, 5, "main:1", env).await];
    let import = ["import", "--cluster", "alpha,bravo", "web", "--policy", "even"];
    let foreseen = federation.must(&[&import[..], &["--dry-run"]].concat()).await;
    assert!(foreseen.contains("deployment/web imported (dry run): 3 alpha, 5 bravo"), "{foreseen}");
    assert!(
        foreseen.contains("left as it is: ConfigMap default/settings, Service default/web"),
        "{foreseen}"
    );
    for cluster in [alpha, bravo] {
        let object = cluster.deployment("web").await.unwrap();
        assert!(!object.metadata.labels.unwrap_or_default().contains_key("godwit.dev/managed"));
    }
    assert!(federation.admin.workload("web").await.is_err(), "a dry run is none");
    let said = federation.must(&[&import[..], &["--with-dependents"]].concat()).await;
    assert!(said.contains("goes along: ConfigMap default/settings, Service default/web"), "{said}");
    let web = federation.settles("web", &[("alpha", 3), ("bravo", 5)]).await;
    assert_eq!((web.replicas, web.revision), (8, 1));
    assert_eq!(federation.event("Imported", "Deployment default/web").await.rule, "S34");
    wait_for("all of it to be Godwit's", async || {
        for cluster in [alpha, bravo] {
            let object = cluster.deployment("web").await.unwrap().metadata;
            let service = cluster.api::<Service>().get("web").await.unwrap().metadata;
            let settings = cluster.api::<ConfigMap>().get("settings").await.unwrap().metadata;
            for metadata in [object, service, settings] {
                if !metadata.labels.clone().unwrap_or_default().contains_key("godwit.dev/managed") {
                    return Err(format!("{metadata:?}"));
                }
            }
        }
        Ok(())
    })
    .await;
    assert_eq!([running(alpha).await, running(bravo).await], before, "the same template, and the same pods");

    // Again, it changes nothing; and it is a workload as any other.
    let again = federation.must(&import).await;
    assert!(again.contains("deployment/web unchanged: 3 alpha, 5 bravo"), "{again}");
    federation.must(&["scale", "deployment/web", "--replicas", "10"]).await;
    let scaled = federation.settles("web", &[("alpha", 5), ("bravo", 5)]).await;
    assert_eq!(scaled.replicas, 10);
    federation.must(&["drain", "cluster", "alpha"]).await;
    federation.settles("web", &[("bravo", 10)]).await;
    let [_, before] = before;
    let after = running(bravo).await;
    assert!(before.pods.iter().all(|(name, uid)| after.pods.get(name) == Some(uid)), "{after:?}");
}

#[tokio::test]
async fn what_differs_is_named_and_rolls_from_the_cluster_that_is_right() {
    let federation = Federation::of(&["alpha", "bravo"]).await;
    with_policy(&federation).await;
    let (alpha, bravo) = (federation.cluster("alpha"), federation.cluster("bravo"));
    let before = run_by_hand(alpha, 2, "main:2", json!({})).await;
    run_by_hand(bravo, 2, "main:1", json!({})).await;
    let import = ["import", "--cluster", "alpha,bravo", "web", "--policy", "even"];
    let words = ["containers[main].image", "main:2\" in alpha", "main:1\" in bravo", "--from"];
    refused(&federation, &import, &words).await;
    let from = [&import[..], &["--from", "alpha"]].concat();
    refused(&federation, &from, &["kubectl-create", "--force-conflicts"]).await;
    let said = federation.must(&[&from[..], &["--force-conflicts"]].concat()).await;
    assert!(said.contains("revision 2 goes to bravo"), "{said}");
    wait_for("bravo to have what is right", async || {
        let object = bravo.deployment("web").await.unwrap();
        let image = text(object.spec.template.spec.unwrap_or_default().containers[0].image.clone());
        if image.ends_with("main:2") { Ok(()) } else { Err(image) }
    })
    .await;
    federation.settles("web", &[("alpha", 2), ("bravo", 2)]).await;
    assert_eq!(running(alpha).await, before, "the cluster that is right has what it had");
}

#[tokio::test]
async fn what_cannot_be_taken_over_is_refused_before_anything_is_touched() {
    let mut federation = Federation::of(&["alpha", "bravo"]).await;
    with_policy(&federation).await;
    let only = ["import", "--cluster", "alpha", "web", "--policy", "even"];
    refused(&federation, &only, &["is in namespace default of alpha"]).await;
    let unknown = ["import", "--cluster", "alpha,delta", "web"];
    refused(&federation, &unknown, &["cluster delta is not a member"]).await;
    refused(&federation, &["import", "--cluster", "alpha", "job/web"], &["Job cannot be imported"]).await;
    let alpha = federation.cluster("alpha");
    run_by_hand(alpha, 3, "main:1", json!({})).await;

    // Where the policy wants it elsewhere, it says so; a dry run shows it.
    let mut always = policy("even", &[("bravo", 1)]);
    always.spec.get_or_insert_default().rebalance = "always".into();
    federation.admin.apply_policy(always).await.unwrap();
    refused(&federation, &only, &["web in alpha goes from 3 to 0", "--allow-moves"]).await;
    let foreseen = federation.godwit(&[&only[..], &["--dry-run"]].concat()).await;
    let said = String::from_utf8_lossy(&foreseen.stderr).into_owned();
    assert!(foreseen.status.success() && said.contains("needs --allow-moves"), "{said}");
    with_policy(&federation).await;

    // Somebody else makes it, or thinks that it is his.
    let patch = |metadata: Value| Patch::Merge(json!({"metadata": metadata}));
    let params = PatchParams::default();
    let owner = json!({"apiVersion": "example.com/v1", "kind": "Rollout", "name": "web", "controller": true,
        "uid": "00000000-0000-0000-0000-000000000001"});
    let owned = patch(json!({"ownerReferences": [owner], "finalizers": ["example.com/keep"]}));
    alpha.api::<Object>().patch("web", &params, &owned).await.unwrap();
    refused(&federation, &only, &["belongs to Rollout web"]).await;
    let helm = json!({"ownerReferences": null, "finalizers": null, "annotations": {"meta.helm.sh/release-name": "shop"}});
    alpha.api::<Object>().patch("web", &params, &patch(helm)).await.unwrap();
    let warned = federation.godwit(&[&only[..], &["--dry-run"]].concat()).await;
    assert!(String::from_utf8_lossy(&warned.stderr).contains("Helm release shop"), "{warned:?}");

    // A cluster that is silent cannot say what it has.
    let bravo = federation.cluster_mut("bravo");
    bravo.kill_agent(0);
    wait_for("bravo to be silent", async || {
        let bravo = federation.admin.cluster("bravo").await.map_err(|error| error.to_string())?;
        if bravo.state == "Ready" { Err(bravo.state) } else { Ok(()) }
    })
    .await;
    let both = ["import", "--cluster", "alpha,bravo", "web", "--policy", "even"];
    refused(&federation, &both, &["no agent of bravo"]).await;
}

#[tokio::test]
async fn an_autoscaler_comes_along_with_bounds_that_make_up_what_the_clusters_had() {
    let federation = Federation::of(&["alpha", "bravo"]).await;
    with_policy(&federation).await;
    for (name, replicas, max) in [("alpha", 2, 4), ("bravo", 4, 8)] {
        let cluster = federation.cluster(name);
        run_by_hand(cluster, replicas, "main:1", json!({})).await;
        let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
        let spec = json!({"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": max});
        put::<HorizontalPodAutoscaler>(cluster, json!({"metadata": {"name": "web"}, "spec": spec})).await;
    }
    let import = ["import", "--cluster", "alpha,bravo", "web", "--policy", "even", "--with-dependents"];
    federation.must(&import).await;
    federation.settles("web", &[("alpha", 2), ("bravo", 4)]).await;
    wait_for("the bounds to be shares of 12", async || {
        let mut shares = Vec::new();
        for name in ["alpha", "bravo"] {
            let scaler = federation.cluster(name).api::<HorizontalPodAutoscaler>().get("web").await.unwrap();
            let managed = scaler.metadata.labels.unwrap_or_default().contains_key("godwit.dev/managed");
            shares.push((managed, scaler.spec.max_replicas));
        }
        if shares == [(true, 4), (true, 8)] { Ok(()) } else { Err(format!("{shares:?}")) }
    })
    .await;
}
