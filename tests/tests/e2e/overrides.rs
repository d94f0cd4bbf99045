//! What is different in some clusters: each region its own registry, and a changed rule that rolls out only where it holds.

use godwit_proto::v1;
use k8s_openapi::api::apps::v1::Deployment as Deployed;
use serde_json::{Value, json};
use tonic::Code;

use crate::harness::{Builder, Deployment, Federation, policy, wait_for};

const CLUSTERS: [&str; 3] = ["alpha", "bravo", "charlie"];

/// Images come from there, and pods know where they are, in the clusters of a region.
fn of_region(region: &str, registry: &str) -> v1::Override {
    v1::Override {
        cluster_selector: Some(v1::ClusterSelector {
            match_labels: [("region".to_owned(), region.to_owned())].into(),
            ..v1::ClusterSelector::default()
        }),
        image: Some(v1::ImageOverride { registry: registry.to_owned(), ..v1::ImageOverride::default() }),
        env: [("REGION".to_owned(), region.to_owned())].into(),
        ..v1::Override::default()
    }
}

fn patch(path: &str) -> v1::Override {
    let operation =
        v1::PatchOperation { op: "remove".into(), path: path.into(), ..v1::PatchOperation::default() };
    let kinds = v1::ObjectSelector { kinds: vec!["Deployment".into()], ..v1::ObjectSelector::default() };
    v1::Override { objects: Some(kinds), json_patch: vec![operation], ..v1::Override::default() }
}

fn even(overrides: Vec<v1::Override>) -> v1::Policy {
    let mut even = policy("even", &CLUSTERS.map(|name| (name, 1)));
    even.spec.as_mut().unwrap().overrides = overrides;
    even
}

fn web() -> Deployment<'static> {
    Deployment::new("web", 6).policy("even").image("main:1")
}

/// Alpha and bravo are in the region eu, charlie in us; all of them run two replicas.
async fn federation() -> Federation {
    let federation = Builder::new(&CLUSTERS).settings(&[("federation.min_ready", "1s")]).start().await;
    for (name, region) in [("alpha", "eu"), ("bravo", "eu"), ("charlie", "us")] {
        federation.must(&["label", "cluster", name, &format!("region={region}")]).await;
    }
    let rules = vec![of_region("eu", "eu.example"), of_region("us", "us.example:5000")];
    federation.admin.apply_policy(even(rules)).await.unwrap();
    federation.deploy(&web()).await;
    federation.settles("web", &CLUSTERS.map(|name| (name, 2))).await;
    federation
}

/// The image, and the variable, of `web` in a cluster; and how often its template has changed there.
fn looks(deployed: &Deployed) -> (String, String, i64) {
    let container = &deployed.spec.template.spec.as_ref().unwrap().containers[0];
    let region = container.env.iter().flatten().find(|one| one.name == "REGION");
    let region = region.and_then(|one| one.value.clone()).unwrap_or_default();
    (container.image.clone().unwrap(), region, deployed.metadata.generation.unwrap_or_default())
}

async fn all_look(federation: &Federation) -> Vec<(String, String, i64)> {
    let mut all = Vec::new();
    for cluster in federation.clusters() {
        all.push(looks(&cluster.deployment("web").await.unwrap()));
    }
    all
}

async fn images_are(federation: &Federation, expected: [&str; 3]) {
    wait_for(&format!("the images {expected:?}"), async || {
        let found: Vec<String> = all_look(federation).await.into_iter().map(|(image, ..)| image).collect();
        if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
}

#[tokio::test]
async fn each_region_has_its_registry_and_a_changed_rule_rolls_out_only_there() {
    let mut federation = federation().await;
    let before = all_look(&federation).await;
    let expected =
        [("eu.example/main:1", "eu"), ("eu.example/main:1", "eu"), ("us.example:5000/main:1", "us")];
    let found: Vec<(&str, &str)> = before.iter().map(|(image, region, _)| (&**image, &**region)).collect();
    assert_eq!(found, expected);
    // The members keep what was handed over, and what is different here beside it.
    let notes = federation.cluster("alpha").deployment("web").await.unwrap().metadata.annotations.unwrap();
    assert!(notes["godwit.dev/manifest"].contains("registry.example/main:1"), "{notes:?}");
    assert!(notes["godwit.dev/overrides"].contains("eu.example"), "{notes:?}");

    let rules = vec![of_region("eu", "eu2.example"), of_region("us", "us.example:5000")];
    federation.admin.apply_policy(even(rules)).await.unwrap();
    images_are(&federation, ["eu2.example/main:1", "eu2.example/main:1", "us.example:5000/main:1"]).await;
    wait_for("the rollout to be over", async || {
        let workload = federation.admin.workload("web").await.map_err(|error| error.to_string())?;
        let rollout = workload.rollout.unwrap();
        let over = (rollout.revision, rollout.state.as_str()) == (2, "Completed");
        if over { Ok(()) } else { Err(format!("{rollout:?}")) }
    })
    .await;
    assert_eq!(all_look(&federation).await[2], before[2], "nothing has changed in charlie");

    // Everything is durable, and an agent that starts anew finds it as it is.
    federation.kill_hub().await;
    federation.restart_hub().await;
    let after = all_look(&federation).await;
    federation.must(&["label", "cluster", "charlie", "region=eu"]).await;
    images_are(&federation, ["eu2.example/main:1"; 3]).await;
    assert_eq!(all_look(&federation).await[..2], after[..2], "and nobody else was written");
}

#[tokio::test]
async fn what_does_not_fit_is_refused_by_object_and_cluster_or_is_told() {
    let federation = federation().await;
    let refused = federation.admin.apply_policy(even(vec![patch("/spec/nothing")])).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let says = "policy even: Deployment default/web in cluster alpha: the override cannot be carried out: jsonPatch \
                remove /spec/nothing: ";
    assert!(refused.message().starts_with(says), "{refused}");
    let refused = federation.admin.apply_policy(even(vec![patch("/spec/replicas")])).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(
        refused.message().contains("overrides[0].json_patch[0].path: /spec/replicas is each cluster's"),
        "{refused}"
    );
    // It holds nowhere, until a cluster has that label.
    let mut nowhere = patch("/spec/nothing");
    nowhere.cluster_selector = of_region("moon", "moon.example").cluster_selector;
    federation.admin.apply_policy(even(vec![nowhere])).await.unwrap();
    federation.must(&["label", "cluster", "charlie", "region=moon"]).await;
    wait_for("the problem to be told", async || {
        let workload = federation.admin.workload("web").await.map_err(|error| error.to_string())?;
        let is_told = |problem: &String| {
            problem.contains("charlie") && problem.contains("jsonPatch remove /spec/nothing")
        };
        if workload.problems.iter().any(is_told) { Ok(()) } else { Err(format!("{:?}", workload.problems)) }
    })
    .await;
    wait_for("what runs to go on", async || {
        let status =
            federation.cluster("charlie").deployment("web").await.unwrap().status.unwrap_or_default();
        if status.ready_replicas == Some(2) { Ok(()) } else { Err(format!("{status:?}")) }
    })
    .await;
}

const APPLICATION: &str = r#"
apiVersion: v1
kind: Secret
metadata:
  name: login
stringData:
  password: hunter2
---
"#;

#[tokio::test]
async fn what_each_cluster_gets_is_shown_before_it_is_deployed_and_afterwards() {
    let federation = federation().await;
    let file = federation.dir().join("web.yaml");
    std::fs::write(&file, format!("{APPLICATION}{}", web().yaml())).unwrap();
    let file = file.to_str().unwrap();
    let render = async |args: &[&str]| {
        let args: Vec<&str> = ["render"].iter().chain(args).chain(&["-o", "json"]).copied().collect();
        let printed = federation.must(&args).await;
        serde_json::from_str::<Value>(&printed).unwrap()["items"].clone()
    };
    let image = |item: &Value| item.pointer("/spec/template/spec/containers/0/image").cloned().unwrap();
    let before = render(&["-f", file, "--cluster", "charlie", "--cluster", "alpha"]).await;
    assert_eq!((&before[0]["cluster"], &before[1]["cluster"]), (&json!("charlie"), &json!("alpha")));
    assert_eq!(image(&before[0]["objects"][1]), "us.example:5000/main:1");
    assert_eq!(before[0]["objects"][1]["spec"].get("replicas"), None, "the planner says how many");
    let plain = render(&["-f", file, "--policy", "default", "--cluster", "alpha"]).await;
    assert_eq!(image(&plain[0]["objects"][1]), "registry.example/main:1");

    federation.must(&["apply", "-f", file]).await;
    let after = render(&["workload", "web"]).await;
    let clusters: Vec<&str> =
        after.as_array().unwrap().iter().filter_map(|one| one["cluster"].as_str()).collect();
    assert_eq!(clusters, CLUSTERS);
    let [secret, deployment] = [&after[1]["objects"][0], &after[1]["objects"][1]];
    assert_eq!(
        (&secret["kind"], &secret["stringData"]),
        (&json!("Secret"), &json!({"password": "(hidden)"}))
    );
    assert_eq!((image(deployment), &deployment["spec"]["replicas"]), (json!("eu.example/main:1"), &json!(2)));
    // It is what the cluster has.
    let has = federation.cluster("bravo").deployment("web").await.unwrap();
    assert_eq!(looks(&has).0, "eu.example/main:1");
    let yaml = federation.must(&["render", "workload", "web", "--cluster", "charlie"]).await;
    assert!(yaml.starts_with("---\n# cluster charlie\n") && !yaml.contains("hunter2"), "{yaml}");
    let refused = federation.godwit(&["render", "workload", "web", "--cluster", "nowhere"]).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("is not in cluster nowhere"), "{said}");
}
