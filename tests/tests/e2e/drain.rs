//! Draining a cluster: nothing is missed meanwhile, whatever dies (S20, S21, S22, S23).

use godwit_proto::v1;

use crate::harness::{Builder, Census, Deployment, Federation, policy, wait_for};

/// Replacements count at once after a second: the tests do not wait for what they do not show.
async fn federation(clusters: &[&str]) -> Federation {
    begun(Builder::new(clusters), clusters).await
}

async fn begun(builder: Builder, clusters: &[&str]) -> Federation {
    let federation = builder.settings(&[("federation.min_ready", "1s")]).start().await;
    let even: Vec<(&str, u32)> = clusters.iter().map(|name| (*name, 1)).collect();
    federation.admin.apply_policy(policy("even", &even)).await.unwrap();
    federation
}

fn drain(name: &str) -> v1::DrainClusterRequest {
    v1::DrainClusterRequest { name: name.to_owned(), ..v1::DrainClusterRequest::default() }
}

async fn drained(federation: &Federation, name: &str) -> v1::Cluster {
    federation.cluster_is(name, "Drained").await
}

#[tokio::test]
async fn a_drain_misses_nothing_and_a_drained_cluster_can_leave() {
    let mut federation = federation(&["alpha", "bravo", "charlie"]).await;
    federation.deploy(&Deployment::new("web", 9).policy("even")).await;
    federation.settles("web", &[("alpha", 3), ("bravo", 3), ("charlie", 3)]).await;
    let census = Census::begin(&federation, "web");
    let rehearsal = v1::DrainClusterRequest { dry_run: true, ..drain("alpha") };
    let foreseen = federation.admin.drain(rehearsal).await.unwrap();
    let begun = federation.admin.drain(drain("alpha")).await.unwrap();
    assert_eq!((begun.action.as_str(), &begun.changes), ("configured", &foreseen.changes));
    drained(&federation, "alpha").await;
    let workload = federation.admin.workload("web").await.unwrap();
    let left = workload.placements.iter().find(|placement| placement.cluster == "alpha").unwrap();
    assert_eq!((workload.ready, workload.pending, left.observed), (9, 0, 0));
    assert_eq!(census.least().await, 9, "never fewer than wanted");
    let migrations = federation.admin.migrations().await.unwrap();
    assert!(migrations.iter().any(|one| one.cause == "Drain" && one.cluster == "alpha"), "{migrations:?}");
    let delete = || v1::DeleteClusterRequest { name: "alpha".to_owned(), force: false };
    let refused = federation.admin.delete_cluster(delete()).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition, "{refused}");
    federation.cluster_mut("alpha").kill_agent(0);
    federation.cluster_is("alpha", "Suspect").await;
    federation.admin.delete_cluster(delete()).await.unwrap();
    assert_eq!(federation.admin.cluster("alpha").await.unwrap_err().code(), tonic::Code::NotFound);
}

#[tokio::test]
async fn a_drain_goes_on_after_the_hub_and_an_agent_were_killed() {
    let mut federation = federation(&["alpha", "bravo"]).await;
    federation.deploy(&Deployment::new("web", 12).policy("even")).await;
    federation.settles("web", &[("alpha", 6), ("bravo", 6)]).await;
    federation.admin.drain(drain("alpha")).await.unwrap();
    federation.kill_hub().await;
    federation.cluster_mut("alpha").kill_agent(0);
    federation.restart_hub().await;
    federation.cluster_mut("alpha").start_agent(0);
    drained(&federation, "alpha").await;
    wait_for("web to run in bravo", async || {
        let workload = federation.admin.workload("web").await.map_err(|error| error.to_string())?;
        if (workload.ready, workload.pending) == (12, 0) { Ok(()) } else { Err(format!("{workload:?}")) }
    })
    .await;
}

#[tokio::test]
async fn a_drained_cluster_that_dies_is_replaced_without_waiting() {
    let clusters = ["alpha", "bravo"];
    let mut federation = begun(Builder::new(&clusters).hasty(), &clusters).await;
    federation.deploy(&Deployment::new("web", 12).policy("even")).await;
    federation.settles("web", &[("alpha", 6), ("bravo", 6)]).await;
    federation.admin.drain(drain("alpha")).await.unwrap();
    let pause = v1::DrainClusterRequest { order: v1::DrainOrder::Pause.into(), ..drain("alpha") };
    federation.admin.drain(pause).await.unwrap();
    federation.cluster_mut("alpha").kill();
    federation.cluster_is("alpha", "Lost").await;
    wait_for("bravo to run all of web", async || {
        let workload = federation.admin.workload("web").await.map_err(|error| error.to_string())?;
        if workload.ready == 12 { Ok(()) } else { Err(format!("{workload:?}")) }
    })
    .await;
    let refused = federation.admin.drain(drain("alpha")).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition, "{refused}");
}

#[tokio::test]
async fn what_is_wrong_with_a_drain_is_named() {
    let federation = federation(&["alpha"]).await;
    let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    for (request, code, says) in [
        (drain("zulu"), tonic::Code::NotFound, "cluster zulu is not a member"),
        (
            v1::DrainClusterRequest { within: seconds(0), ..drain("alpha") },
            tonic::Code::InvalidArgument,
            "within: it is out of range: 1 s to 30 days",
        ),
        (
            v1::DrainClusterRequest { within: seconds(-5), ..drain("alpha") },
            tonic::Code::InvalidArgument,
            "within: it is out of range: 1 s to 30 days",
        ),
        (
            v1::DrainClusterRequest { max_surge_percent: Some(101), ..drain("alpha") },
            tonic::Code::InvalidArgument,
            "max_surge_percent: 101 is out of range: 1 to 100",
        ),
        (
            v1::DrainClusterRequest { to: Some(v1::ClusterSelector::default()), ..drain("alpha") },
            tonic::Code::InvalidArgument,
            "to: it chooses every cluster",
        ),
        (
            v1::DrainClusterRequest { order: 77, ..drain("alpha") },
            tonic::Code::InvalidArgument,
            "order: 77 is not known",
        ),
        (
            v1::DrainClusterRequest { order: v1::DrainOrder::Pause.into(), force: true, ..drain("alpha") },
            tonic::Code::InvalidArgument,
            "order: within, max_surge_percent, force and to are for starting only",
        ),
        (
            v1::DrainClusterRequest { order: v1::DrainOrder::Cancel.into(), ..drain("alpha") },
            tonic::Code::FailedPrecondition,
            "cluster alpha is not drained",
        ),
    ] {
        let status = federation.admin.drain(request).await.unwrap_err();
        assert_eq!(status.code(), code, "{status}");
        assert!(status.message().starts_with(says), "{says:?} does not begin {status}");
    }
}
