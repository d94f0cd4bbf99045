//! The store is gone, or older than what the clusters have seen: the hub says so, and touches nothing (S10).

use std::fs;

use crate::harness::{Deployment, Federation, Witness, wait_for};

const SHARES: [(&str, u32); 2] = [("alpha", 5), ("bravo", 5)];

async fn running() -> (Federation, Witness) {
    let federation = Federation::of(&["alpha", "bravo"]).await;
    federation.deploy(&Deployment::new("web", 10)).await;
    federation.settles("web", &SHARES).await;
    let witness = Witness::start(federation.clusters(), "web").await;
    (federation, witness)
}

fn assert_untouched(witness: &Witness, replicas: &[i32]) {
    for (name, _) in SHARES {
        let seen = witness.in_cluster(name);
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
    assert_untouched(&witness, &[5]);
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
    assert_untouched(&witness, &[5, 10]);
}
