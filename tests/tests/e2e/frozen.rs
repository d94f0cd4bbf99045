//! A cluster falls silent without closing anything, as a frozen host does, and wakes up (S1, S11, S27).

use crate::harness::{Deployment, Federation, Signal, Witness, wait_for};

#[tokio::test]
async fn silence_is_noticed_and_waking_up_does_no_harm() {
    let federation = Federation::hasty(&["alpha", "bravo"]).await;
    federation.deploy(&Deployment::new("web", 10)).await;
    federation.settles("web", &[("alpha", 5), ("bravo", 5)]).await;
    let witness = Witness::start(federation.clusters(), "web").await;

    federation.cluster("alpha").signal(Signal::Stop);
    let suspect = federation.event("ClusterSuspect", "alpha").await;
    let lost = federation.event("ClusterLost", "alpha").await;
    assert!(suspect.sequence < lost.sequence);
    let workload = federation.settles("web", &[("bravo", 10)]).await;
    assert_eq!(workload.possible_over_run, 5);

    federation.cluster("alpha").signal(Signal::Continue);
    federation.cluster_is("alpha", "Ready").await;
    let workload = wait_for("the surplus to be gone", async || {
        let workload = federation.admin.workload("web").await.map_err(|error| error.to_string())?;
        let gone = workload.placements.iter().all(|row| row.live && row.observed == row.target);
        if gone { Ok(workload) } else { Err(format!("{workload:?}")) }
    })
    .await;
    assert_eq!((workload.ready, workload.possible_over_run), (10, 0));
    let alpha = witness.until("alpha", 0).await;
    assert!(!alpha.deleted, "{alpha:?}");
    assert!(witness.least().ready >= 10, "{}", witness.least());
}
