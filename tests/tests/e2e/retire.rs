//! Clusters that leave, and others that take their places: nothing is missed meanwhile (S20, S21, S23, S27, S28).

use godwit_proto::v1;
use godwit_proto::v1::replace_cluster_request::By;
use k8s_openapi::api::apps::v1::Deployment as Deployed;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::Api;
use kube::api::PostParams;
use serde_json::json;

use crate::harness::{Builder, Census, Deployment, Federation, policy, wait_for};

/// What waits for nothing that the tests show does not wait.
async fn federation(clusters: &[&str]) -> Federation {
    begun(Builder::new(clusters)).await
}

async fn begun(builder: Builder) -> Federation {
    let timings = [("federation.min_ready", "1s"), ("federation.tombstone_age", "2s")];
    builder.settings(&timings).start().await
}

fn retire(name: &str) -> v1::RetireClusterRequest {
    v1::RetireClusterRequest { name: name.to_owned(), ..v1::RetireClusterRequest::default() }
}

fn replace(name: &str, by: By) -> v1::ReplaceClusterRequest {
    v1::ReplaceClusterRequest { name: name.to_owned(), by: Some(by), ..v1::ReplaceClusterRequest::default() }
}

/// A Deployment of the cluster's own, with two pods.
async fn foreign(federation: &Federation, cluster: &str) {
    let labels = json!({ "app": "legacy" });
    let container = json!({ "name": "main", "image": "registry.example/legacy:1" });
    let deployed: Deployed = serde_json::from_value(json!({
        "metadata": { "name": "legacy" },
        "spec": {
            "replicas": 2,
            "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": { "containers": [container] } }
        }
    }))
    .unwrap();
    let api: Api<Deployed> = federation.cluster(cluster).api();
    api.create(&PostParams::default(), &deployed).await.unwrap();
}

#[tokio::test]
async fn a_cluster_is_retired_by_one_command_over_the_death_of_the_hub() {
    let mut federation = federation(&["alpha", "bravo", "charlie"]).await;
    let even = policy("even", &[("alpha", 1), ("bravo", 1), ("charlie", 1)]);
    federation.admin.apply_policy(even).await.unwrap();
    let settings = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: blue}\n";
    let manifests = Deployment::new("web", 9).policy("even").yaml() + settings;
    let request = v1::DeployRequest { manifests, ..v1::DeployRequest::default() };
    federation.admin.deploy(request).await.unwrap();
    federation.settles("web", &[("alpha", 3), ("bravo", 3), ("charlie", 3)]).await;
    foreign(&federation, "alpha").await;
    let census = Census::begin(&federation, "web");
    let foreseen = v1::RetireClusterRequest { dry_run: true, ..retire("alpha") };
    let foreseen = federation.admin.retire(foreseen).await.unwrap();
    let begun = federation.admin.retire(retire("alpha")).await.unwrap();
    assert_eq!((begun.action.as_str(), &begun.changes), ("configured", &foreseen.changes));
    federation.cluster_is("alpha", "Retiring").await;
    federation.kill_hub().await;
    federation.restart_hub().await;
    wait_for("what is not managed in alpha to be listed", async || {
        let cluster = federation.admin.cluster("alpha").await.map_err(|error| error.to_string())?;
        let found = cluster.unmanaged.ok_or("nothing")?;
        let named = found.first.iter().any(|owner| (owner.kind.as_str(), owner.pods) == ("Deployment", 2));
        if named { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
    // It is told that it was retired, and that is no news to anybody.
    federation.cluster_mut("alpha").may_log_errors(0);
    federation.cluster_leaves("alpha").await;
    assert_eq!(census.least().await, 9, "never fewer than wanted");
    let retired = federation.admin.federation().await.unwrap().retired;
    assert_eq!(retired.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["alpha"]);
    // What was applied is gone there, and nothing else is.
    let alpha = federation.cluster("alpha");
    assert!(alpha.deployment("web").await.is_none());
    assert!(alpha.api::<ConfigMap>().get_opt("settings").await.unwrap().is_none());
    assert!(alpha.deployment("legacy").await.is_some());
    let namespaces: Api<Namespace> = alpha.all();
    assert!(namespaces.get_opt("godwit-system").await.unwrap().is_some(), "namespaces are never removed");
    let bravo = federation.cluster("bravo");
    assert!(bravo.api::<ConfigMap>().get_opt("settings").await.unwrap().is_some(), "others keep it");
    // An agent that starts there is refused.
    let alpha = federation.cluster_mut("alpha");
    alpha.kill_agent(0);
    alpha.start_agent(0);
    alpha.may_log_errors(0);
    alpha.agent_mut(0).line_after("was retired").await;
    assert_eq!(federation.admin.cluster("alpha").await.unwrap_err().code(), tonic::Code::NotFound);
    let undo = v1::RetireClusterRequest { undo: true, ..retire("alpha") };
    federation.admin.retire(undo).await.unwrap();
    let alpha = federation.cluster_mut("alpha");
    alpha.kill_agent(0);
    alpha.start_agent(0);
    federation.cluster_is("alpha", "Ready").await;
}

#[tokio::test]
async fn a_cluster_takes_the_place_of_another_that_policies_name() {
    let mut federation = federation(&["alpha", "bravo", "charlie"]).await;
    federation.admin.apply_policy(policy("pinned", &[("alpha", 2), ("bravo", 1)])).await.unwrap();
    federation.deploy(&Deployment::new("web", 9).policy("pinned")).await;
    federation.settles("web", &[("alpha", 6), ("bravo", 3)]).await;
    let census = Census::begin(&federation, "web");
    let answer = federation.admin.replace(replace("alpha", By::With("charlie".to_owned()))).await.unwrap();
    assert_eq!((answer.action.as_str(), &answer.policies[..]), ("configured", &["pinned".to_owned()][..]));
    federation.cluster_mut("alpha").may_log_errors(0);
    federation.cluster_leaves("alpha").await;
    federation.settles("web", &[("bravo", 3), ("charlie", 6)]).await;
    assert_eq!(census.least().await, 9, "never fewer than wanted");
    let refused = federation.admin.replace(replace("bravo", By::With("bravo".to_owned()))).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused}");
}

#[tokio::test]
async fn a_lost_cluster_that_was_built_anew_is_let_in_by_an_operators_word() {
    let mut federation = begun(Builder::new(&["alpha", "bravo"]).hasty()).await;
    federation.admin.apply_policy(policy("even", &[("alpha", 1), ("bravo", 1)])).await.unwrap();
    federation.deploy(&Deployment::new("web", 8).policy("even")).await;
    federation.settles("web", &[("alpha", 4), ("bravo", 4)]).await;
    let old = federation.admin.cluster("alpha").await.unwrap().uid;
    federation.cluster_mut("alpha").kill();
    federation.cluster_is("alpha", "Lost").await;
    let alpha = federation.cluster_mut("alpha");
    alpha.rebuild().await;
    alpha.start_agent(0);
    alpha.may_log_errors(0);
    let claimant = wait_for("alpha's name to be claimed", async || {
        let cluster = federation.admin.cluster("alpha").await.map_err(|error| error.to_string())?;
        let claimed = !cluster.claimant_uid.is_empty();
        if claimed { Ok(cluster.claimant_uid) } else { Err(format!("{cluster:?}")) }
    })
    .await;
    assert_ne!(claimant, old);
    let wrong = federation.admin.replace(replace("alpha", By::Uid("no-uid".to_owned()))).await.unwrap_err();
    assert_eq!(wrong.code(), tonic::Code::InvalidArgument, "{wrong}");
    federation.admin.replace(replace("alpha", By::Uid(claimant.clone()))).await.unwrap();
    let workload = federation.settles("web", &[("bravo", 8)]).await;
    assert_eq!(workload.possible_over_run, 0, "the old one is gone, by the operator's word");
    // It asks again within a minute or so; nobody waits for that here.
    let alpha = federation.cluster_mut("alpha");
    alpha.kill_agent(0);
    alpha.start_agent(0);
    let cluster = federation.cluster_is("alpha", "Ready").await;
    assert_eq!((cluster.uid, cluster.claimant_uid.as_str()), (claimant, ""));
    federation.admin.scale("web", 12).await.unwrap();
    federation.settles("web", &[("alpha", 4), ("bravo", 8)]).await;
}

#[tokio::test]
async fn two_drains_share_a_budget_and_lead_where_they_say() {
    let federation = federation(&["alpha", "bravo", "charlie", "delta"]).await;
    let even = policy("even", &[("alpha", 1), ("bravo", 1), ("charlie", 1), ("delta", 1)]);
    federation.admin.apply_policy(even).await.unwrap();
    federation.deploy(&Deployment::new("web", 12).policy("even")).await;
    federation.settles("web", &[("alpha", 3), ("bravo", 3), ("charlie", 3), ("delta", 3)]).await;
    let census = Census::begin(&federation, "web");
    for name in ["alpha", "bravo"] {
        let names = vec!["delta".to_owned()];
        let to = Some(v1::ClusterSelector { names, ..v1::ClusterSelector::default() });
        let drain =
            v1::DrainClusterRequest { name: name.to_owned(), to, ..v1::DrainClusterRequest::default() };
        federation.admin.drain(drain).await.unwrap();
    }
    for name in ["alpha", "bravo"] {
        federation.cluster_is(name, "Drained").await;
    }
    federation.settles("web", &[("charlie", 3), ("delta", 9)]).await;
    assert_eq!(census.least().await, 12, "never fewer than wanted");
}
