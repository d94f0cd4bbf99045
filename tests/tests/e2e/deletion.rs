//! Deleting waits for nobody, and is forgotten by nobody (S27, S28).

use godwit_common::Uid;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, ListParams, PostParams};
use tonic::Code;

use crate::harness::{Deployment, Federation, wait_for};

#[tokio::test]
async fn a_cluster_that_was_away_deletes_on_return() {
    let mut federation = Federation::hasty(&["alpha", "bravo"]).await;
    federation.deploy(&Deployment::new("web", 10)).await;
    federation.deploy(&Deployment::new("other", 4)).await;
    federation.settles("web", &[("alpha", 5), ("bravo", 5)]).await;
    federation.settles("other", &[("alpha", 2), ("bravo", 2)]).await;

    federation.cluster_mut("bravo").kill_agent(0);
    federation.cluster_is("bravo", "Lost").await;
    federation.admin.delete("web").await.unwrap();
    let ending = wait_for("only bravo to hold it", async || {
        let workload = federation.admin.workload("web").await.map_err(|error| error.to_string())?;
        if workload.deletion_pending_on == ["bravo"] { Ok(workload) } else { Err(format!("{workload:?}")) }
    })
    .await;
    assert!(ending.deleting);
    assert!(federation.cluster("alpha").deployment("web").await.is_none());
    assert!(federation.cluster("bravo").deployment("web").await.is_some(), "nobody could tell bravo");

    federation.cluster_mut("bravo").start_agent(0);
    wait_for("the end to be confirmed", async || match federation.admin.workload("web").await {
        Err(status) if status.code() == Code::NotFound => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    for cluster in federation.clusters() {
        assert!(cluster.deployment("web").await.is_none(), "{}", cluster.name());
        let pods: Api<Pod> = cluster.api();
        let left = pods.list(&ListParams::default().labels("app=web")).await.unwrap().items;
        assert_eq!(left.len(), 0, "{}: gone means its pods too", cluster.name());
        assert!(cluster.deployment("other").await.is_some(), "{}: nothing else goes", cluster.name());
    }
}

#[tokio::test]
async fn what_no_workload_explains_is_listed_and_kept() {
    let federation = Federation::of(&["alpha", "bravo"]).await;
    federation.deploy(&Deployment::new("web", 10)).await;
    federation.settles("web", &[("alpha", 5), ("bravo", 5)]).await;
    assert_eq!(federation.must(&["get", "orphans"]).await, "");

    // As if it were from a life that this hub knows nothing of.
    let bravo = federation.cluster("bravo");
    let mut stray = bravo.deployment("web").await.unwrap();
    let labels = stray.metadata.labels.unwrap();
    let of = |key: &str| if key.ends_with("-uid") { Uid(77).to_string() } else { labels[key].clone() };
    let labels = labels.keys().map(|key| (key.clone(), of(key))).collect();
    let (name, annotations) = (Some("stray".to_owned()), stray.metadata.annotations);
    stray.metadata = ObjectMeta { name, annotations, labels: Some(labels), ..ObjectMeta::default() };
    stray.spec.selector.match_labels = Some([("app".to_owned(), "stray".to_owned())].into());
    stray.spec.template.metadata.as_mut().unwrap().labels = stray.spec.selector.match_labels.clone();
    bravo.api().create(&PostParams::default(), &stray).await.unwrap();
    federation.event("OrphanFound", "bravo").await;
    let shown = wait_for("its pods to be counted", async || {
        let shown = federation.must(&["get", "orphans"]).await;
        if shown.contains("5/5") { Ok(shown) } else { Err(shown) }
    })
    .await;
    let words = shown.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect::<Vec<_>>();
    assert_eq!(words[0], ["CLUSTER", "NAMESPACE", "NAME", "READY", "REVISION"]);
    assert_eq!(words[1..], [["bravo", "default", "deployment/stray", "5/5", "1"]]);
    assert_eq!(federation.must(&["get", "orphans", "alpha"]).await, "");
    assert_eq!(federation.must(&["get", "orphans", "-n", "shop"]).await, "");
    let nowhere = federation.godwit(&["get", "orphans", "zulu"]).await;
    let says = String::from_utf8_lossy(&nowhere.stderr).into_owned();
    assert!(says.contains("cluster zulu is not a member"), "{says}");
    assert!(bravo.deployment("stray").await.is_some(), "absence is no deletion");
}
