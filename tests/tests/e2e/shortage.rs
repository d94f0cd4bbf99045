//! Shortage: priorities, quotas, and whether a loss would be survived (S14, S15, S16).

use godwit_proto::v1;

use crate::harness::{Builder, Deployment, Federation, policy, wait_for};

/// Clusters of one node that runs eight of the tests' pods; one more is what the node itself needs.
async fn narrow(clusters: &[&str]) -> Federation {
    let small = |spec: &mut crate::harness::ClusterSpec| {
        spec.nodes = 1;
        spec.node_pods = 8;
    };
    Builder::new(clusters).each(small).start().await
}

fn ranked(name: &str, priority: i32, preemptible: bool) -> v1::Policy {
    let mut policy = policy(name, &[]);
    let spec = policy.spec.as_mut().unwrap();
    (spec.priority, spec.preemptible) = (priority, preemptible);
    policy
}

async fn placed(federation: &Federation, name: &str) -> (u32, u32) {
    let workload = federation.admin.workload(name).await.unwrap();
    (workload.placements.iter().map(|placement| placement.ready).sum(), workload.pending)
}

#[tokio::test]
async fn a_higher_priority_gets_room_from_a_lower_one_and_its_pods_run() {
    let federation = narrow(&["alpha", "bravo"]).await;
    federation.admin.apply_policy(ranked("low", -1, true)).await.unwrap();
    federation.admin.apply_policy(ranked("high", 10, false)).await.unwrap();
    federation.deploy(&Deployment::new("batch", 16).policy("low")).await;
    federation.settles("batch", &[("alpha", 8), ("bravo", 8)]).await;
    federation.deploy(&Deployment::new("web", 6).policy("high")).await;
    wait_for("web to run in the place of batch", async || {
        let (web, batch) = (placed(&federation, "web").await, placed(&federation, "batch").await);
        if (web, batch) == ((6, 0), (10, 6)) { Ok(()) } else { Err(format!("web {web:?} batch {batch:?}")) }
    })
    .await;
    let batch = federation.admin.workload("batch").await.unwrap();
    assert!(!batch.pending_reasons.is_empty());
    let migrations = federation.admin.migrations().await.unwrap();
    assert!(migrations.iter().any(|one| one.cause == "Preemption"), "{migrations:?}");
}

#[tokio::test]
async fn a_quota_holds_back_what_is_new_and_lets_it_go_when_it_is_raised() {
    let federation = Federation::of(&["alpha", "bravo"]).await;
    federation.admin.apply_policy(policy("even", &[("alpha", 1), ("bravo", 1)])).await.unwrap();
    federation.admin.quota(6).await.unwrap();
    let web = federation.deploy(&Deployment::new("web", 10).policy("even")).await;
    assert_eq!(web.pending, 4);
    assert_eq!(web.reasons, ["quota of namespace default: replicas"]);
    federation.settles("web", &[("alpha", 3), ("bravo", 3)]).await;
    let raised = federation.admin.quota(20).await.unwrap();
    assert_eq!((raised.action.as_str(), raised.changes.len()), ("configured", 1));
    federation.settles("web", &[("alpha", 5), ("bravo", 5)]).await;
    let used = raised.quota.unwrap().used.unwrap();
    assert_eq!(used.replicas, Some(10));
}

#[tokio::test]
async fn every_cluster_knows_whether_its_loss_would_be_survived() {
    let federation = narrow(&["alpha", "bravo"]).await;
    federation.admin.apply_policy(policy("even", &[("alpha", 1), ("bravo", 1)])).await.unwrap();
    federation.deploy(&Deployment::new("web", 12).policy("even")).await;
    federation.settles("web", &[("alpha", 6), ("bravo", 6)]).await;
    let short = |unplaced: u64| {
        let federation = &federation;
        async move {
            wait_for("what a loss would leave without a place", async || {
                let cluster = federation.admin.cluster("alpha").await.map_err(|error| error.to_string())?;
                match cluster.survival {
                    Some(survival) if survival.unplaced == unplaced => Ok(survival),
                    other => Err(format!("{other:?}")),
                }
            })
            .await
        }
    };
    let survival = short(4).await;
    assert_eq!((survival.workloads, survival.examples[0].name.as_str()), (1, "web"));
    federation.event("SurvivabilityLost", "alpha").await;
    federation.admin.scale("web", 8).await.unwrap();
    short(0).await;
    federation.event("SurvivabilityRegained", "alpha").await;
}
