//! The store is gone, or older than what the clusters have seen: the hub says so, and touches nothing (S10).

use std::collections::BTreeSet;
use std::fs;

use godwit_proto::v1;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};

use crate::harness::{Deployment, Federation, Witness, policy, wait_for};

const SHARES: [(&str, u32); 2] = [("alpha", 5), ("bravo", 5)];

async fn running() -> (Federation, Witness) {
    let federation = Federation::of(&["alpha", "bravo"]).await;
    federation.deploy(&Deployment::new("web", 10)).await;
    federation.settles("web", &SHARES).await;
    let witness = Witness::start(federation.clusters(), "web").await;
    (federation, witness)
}

async fn assert_untouched(witness: &Witness, replicas: &[i32]) {
    for (name, _) in SHARES {
        let seen = witness.until(name, *replicas.last().unwrap()).await;
        assert!(!seen.deleted && seen.replicas == replicas, "{name}: {seen:?}");
    }
}

#[tokio::test]
async fn a_new_federation_does_not_take_over_by_itself() {
    let (mut federation, witness) = running().await;
    federation.kill_hub().await;
    fs::remove_file(federation.hub().store()).unwrap();
    for (name, _) in SHARES {
        federation.cluster_mut(name).may_log_errors(0);
    }
    federation.restart_hub().await;
    for (name, _) in SHARES {
        let refused = federation.event("SessionRefused", name).await;
        assert!(refused.message.contains("belongs to federation"), "{refused:?}");
    }
    assert_untouched(&witness, &[5]).await;
}

#[tokio::test]
async fn a_restored_store_commands_nothing_before_an_operator_says_so() {
    let (mut federation, witness) = running().await;
    federation.stop_hub().await;
    let backup = fs::read(federation.hub().store()).unwrap();
    federation.restart_hub().await;
    federation.settles("web", &SHARES).await;
    federation.admin.scale("web", 20).await.unwrap();
    federation.settles("web", &[("alpha", 10), ("bravo", 10)]).await;

    federation.stop_hub().await;
    fs::write(federation.hub().store(), backup).unwrap();
    federation.restart_hub().await;
    let freeze = wait_for("the hub to notice", async || {
        let federation = federation.admin.federation().await.map_err(|error| error.to_string())?;
        federation.freeze.clone().ok_or_else(|| format!("{federation:?}"))
    })
    .await;
    assert_eq!(freeze.cause, "HigherEpoch", "{freeze:?}");
    assert_untouched(&witness, &[5, 10]).await;

    accepted(&federation).await;
    let workload = federation.settles("web", &[("alpha", 10), ("bravo", 10)]).await;
    assert_eq!((workload.replicas, workload.ready), (20, 20), "it is today's truth");
    assert_untouched(&witness, &[5, 10]).await;
}

#[tokio::test]
async fn a_hub_that_has_lost_its_volume_gets_the_federation_back_and_no_pod_notices() {
    let mut federation = Federation::of(&["alpha", "bravo"]).await;
    let even = policy("even", &[("alpha", 1), ("bravo", 1)]);
    federation.admin.apply_policy(even.clone()).await.unwrap();
    federation.deploy(&Deployment::new("web", 10).policy("even")).await;
    federation.settles("web", &SHARES).await;
    let witness = Witness::start(federation.clusters(), "web").await;
    let (before, was) = (pods(&federation).await, federation.admin.federation().await.unwrap());

    federation.kill_hub().await;
    fs::remove_file(federation.hub().store()).unwrap();
    federation.recover_hub().await;
    wait_for("both to tell what they hold", async || {
        let now = federation.admin.federation().await.map_err(|error| error.to_string())?;
        let told =
            now.alarms.iter().any(|alarm| alarm.contains("2 clusters have told what they hold, 1 workloads"));
        if told { Ok(()) } else { Err(format!("{:?}", now.alarms)) }
    })
    .await;
    let refused = federation.admin.release_freeze().await.unwrap_err();
    assert!(refused.message().contains("apply these first: even"), "{refused}");
    federation.admin.apply_policy(even).await.unwrap();
    let refused = federation.admin.scale("web", 12).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition, "{refused}");
    accepted(&federation).await;
    let workload = federation.settles("web", &SHARES).await;
    assert_eq!((workload.replicas, workload.pending, workload.policy.as_str()), (10, 0, "even"));
    let now = federation.admin.federation().await.unwrap();
    assert_eq!((&now.uid, now.alarms.len()), (&was.uid, 0));
    assert!(now.epoch > was.epoch);
    assert_eq!(pods(&federation).await, before, "not one pod was made or ended");
    assert_untouched(&witness, &[5]).await;

    // What it knows of the workload is enough to start it elsewhere, and to know it when it is deployed again.
    let again = federation.deploy(&Deployment::new("web", 10).policy("even")).await;
    assert_eq!((again.revision, again.pending), (1, 0));
    let drain = v1::DrainClusterRequest { name: "alpha".to_owned(), ..v1::DrainClusterRequest::default() };
    federation.admin.drain(drain).await.unwrap();
    federation.cluster_is("alpha", "Drained").await;
    federation.settles("web", &[("bravo", 10)]).await;
}

/// The view is accepted as soon as everybody has told what is there.
async fn accepted(federation: &Federation) {
    wait_for("the view to be accepted", async || {
        federation.admin.release_freeze().await.map_err(|error| error.to_string())
    })
    .await;
}

/// Every pod there is, by its own UID.
async fn pods(federation: &Federation) -> BTreeSet<String> {
    let mut uids = BTreeSet::new();
    for cluster in federation.clusters() {
        let pods: Api<Pod> = cluster.api();
        let all = pods.list(&ListParams::default()).await.unwrap();
        uids.extend(all.items.into_iter().filter_map(|pod| pod.metadata.uid));
    }
    uids
}
