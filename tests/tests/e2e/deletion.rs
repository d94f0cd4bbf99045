//! Deleting waits for nobody, and is forgotten by nobody (S27, S28).

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use tonic::Code;

use crate::harness::{Deployment, Federation, wait_for};

#[tokio::test]
async fn a_cluster_that_was_away_deletes_on_return() {
    let mut federation = Federation::of(&["alpha", "bravo"]).await;
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
