//! The upgrade of a whole fleet, as docs/operations.md describes it: cluster after cluster is emptied, upgraded and
//! brought back, and no replica is missed (S20 to S23).

use godwit_proto::v1;
use godwit_proto::v1::replace_cluster_request::By;

use crate::harness::{Builder, Census, Deployment, Federation, policy, wait_for};

const CLUSTERS: [&str; 3] = ["alpha", "bravo", "charlie"];

async fn drain(federation: &Federation, name: &str) {
    let request = v1::DrainClusterRequest { name: name.to_owned(), ..v1::DrainClusterRequest::default() };
    federation.admin.drain(request).await.unwrap();
    federation.cluster_is(name, "Drained").await;
}

/// One agent leads the cluster, and what it holds is known.
async fn is_heard(federation: &Federation, name: &str) {
    wait_for(&format!("an agent of {name} to lead"), async || {
        let cluster = federation.admin.cluster(name).await.map_err(|error| error.to_string())?;
        let heard = cluster.agents == 1 && cluster.accepted_generation == cluster.generation;
        if heard && !cluster.leader.is_empty() { Ok(()) } else { Err(format!("{cluster:?}")) }
    })
    .await;
}

async fn ready(federation: &Federation) {
    wait_for("all of web to be ready", async || {
        let workload = federation.admin.workload("web").await.map_err(|error| error.to_string())?;
        if (workload.ready, workload.pending) == (9, 0) { Ok(()) } else { Err(format!("{workload:?}")) }
    })
    .await;
}

#[tokio::test]
async fn a_fleet_is_upgraded_cluster_by_cluster_and_no_replica_is_missed() {
    let mut federation =
        Builder::new(&CLUSTERS).hasty().settings(&[("federation.min_ready", "1s")]).start().await;
    let even: Vec<(&str, u32)> = CLUSTERS.iter().map(|name| (*name, 1)).collect();
    federation.admin.apply_policy(policy("even", &even)).await.unwrap();
    federation.deploy(&Deployment::new("web", 9).policy("even")).await;
    federation.settles("web", &[("alpha", 3), ("bravo", 3), ("charlie", 3)]).await;
    let census = Census::begin(&federation, "web");

    // In place: emptied, its agent replaced, and back.
    drain(&federation, "alpha").await;
    let alpha = federation.cluster_mut("alpha");
    alpha.kill_agent(0);
    alpha.start_agent(0);
    is_heard(&federation, "alpha").await;
    federation.cluster_is("alpha", "Drained").await;
    federation.admin.uncordon("alpha").await.unwrap();
    federation.cluster_is("alpha", "Ready").await;
    ready(&federation).await;

    // Away for longer than its silence would be forgiven, in a window that began when it was empty.
    let within = Some(prost_types::Duration { seconds: 3600, nanos: 0 });
    let window = |within, drain| v1::MaintainClusterRequest {
        name: "bravo".to_owned(),
        within,
        dry_run: false,
        drain,
    };
    federation.admin.maintain(window(within, Some(v1::DrainTerms::default()))).await.unwrap();
    federation.cluster_is("bravo", "Maintenance").await;
    let drained = federation.event("ClusterDrained", "bravo").await.time.unwrap();
    let opened = federation.event("MaintenanceStarted", "bravo").await.time.unwrap();
    assert!((drained.seconds, drained.nanos) <= (opened.seconds, opened.nanos));
    federation.cluster_mut("bravo").kill_agent(0);
    federation.event("ClusterSuspect", "bravo").await;
    federation.kill_hub().await;
    federation.restart_hub().await;
    federation.cluster_is("charlie", "Ready").await;
    federation.cluster_mut("bravo").start_agent(0);
    is_heard(&federation, "bravo").await;
    federation.admin.maintain(window(None, None)).await.unwrap();
    let bravo = federation.cluster_is("bravo", "Ready").await;
    assert_eq!((bravo.drain, bravo.cordoned), (None, false), "the drain ends with its window");
    ready(&federation).await;

    // Built anew under its name.
    drain(&federation, "charlie").await;
    census.leave("charlie");
    let charlie = federation.cluster_mut("charlie");
    charlie.kill();
    charlie.rebuild().await;
    let uid = charlie.uid().await;
    federation.event("ClusterSuspect", "charlie").await;
    let request = v1::ReplaceClusterRequest {
        name: "charlie".to_owned(),
        by: Some(By::Uid(uid.clone())),
        ..v1::ReplaceClusterRequest::default()
    };
    federation.admin.replace(request).await.unwrap();
    federation.cluster_mut("charlie").start_agent(0);
    is_heard(&federation, "charlie").await;
    let charlie = federation.cluster_is("charlie", "Drained").await;
    assert_eq!(charlie.uid, uid);
    census.join(federation.cluster("charlie"));
    federation.admin.uncordon("charlie").await.unwrap();
    federation.cluster_is("charlie", "Ready").await;

    // What policies do not bring back by themselves.
    federation.admin.rebalance().await.unwrap();
    federation.settles("web", &[("alpha", 3), ("bravo", 3), ("charlie", 3)]).await;
    assert_eq!(census.least().await, 9, "never fewer than wanted");
}
