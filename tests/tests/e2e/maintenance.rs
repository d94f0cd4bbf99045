//! Maintenance windows (S22).

use godwit_proto::v1;

use crate::harness::{Deployment, Federation, policy};

fn within(seconds: i64) -> v1::MaintainClusterRequest {
    let within = Some(prost_types::Duration { seconds, nanos: 0 });
    v1::MaintainClusterRequest { name: "alpha".to_owned(), within, dry_run: false, drain: None }
}

#[tokio::test]
async fn a_cluster_that_was_announced_to_be_away_is_lost_only_after_its_window() {
    let mut federation = Federation::hasty(&["alpha", "bravo"]).await;
    federation.admin.apply_policy(policy("even", &[("alpha", 1), ("bravo", 1)])).await.unwrap();
    federation.deploy(&Deployment::new("web", 8).policy("even")).await;
    federation.settles("web", &[("alpha", 4), ("bravo", 4)]).await;
    let begun = federation.admin.maintain(within(3600)).await.unwrap();
    let cluster = begun.cluster.unwrap();
    assert_eq!((begun.action.as_str(), cluster.state.as_str()), ("configured", "Maintenance"));
    federation.cluster_mut("alpha").kill();
    federation.event("ClusterSuspect", "alpha").await;
    // The hub forgets nothing of it: silence is no loss after a restart either.
    federation.kill_hub().await;
    federation.restart_hub().await;
    federation.cluster_is("bravo", "Ready").await;
    assert_eq!(federation.admin.cluster("alpha").await.unwrap().state, "Maintenance");
    federation.admin.maintain(within(0)).await.unwrap();
    federation.cluster_is("alpha", "Lost").await;
    let started = federation.event("MaintenanceEnded", "alpha").await.time.unwrap();
    let lost = federation.event("ClusterLost", "alpha").await.time.unwrap();
    assert!(started.seconds <= lost.seconds, "it was lost at {lost:?}, and its window ended at {started:?}");
    let late = federation.admin.maintain(within(60)).await.unwrap_err();
    assert_eq!(late.code(), tonic::Code::FailedPrecondition, "{late}");
    let long = federation.admin.maintain(within(31 * 24 * 3600)).await.unwrap_err();
    assert_eq!(long.code(), tonic::Code::InvalidArgument, "{long}");
}
