//! The network between a cluster and the hub is cut and healed: packets are lost, and nobody is told (S1, S8, S11, S12).

use crate::harness::{Builder, Deployment, Network, ready, wait_for, wanted};

#[tokio::test]
async fn a_partitioned_cluster_is_replaced_and_gives_way_on_return() {
    if let Some(problem) = Network::missing() {
        // No tool gives these rights to whoever runs the tests without them.
        println!("skipped: network namespaces: {problem}");
        return;
    }
    let federation =
        Builder::new(&["alpha", "bravo", "charlie"]).hasty().behind_a_cable("alpha").start().await;
    federation.deploy(&Deployment::new("web", 30)).await;
    federation.settles("web", &[("alpha", 10), ("bravo", 10), ("charlie", 10)]).await;
    let before = federation.cluster("alpha").deployment("web").await.unwrap();

    federation.cable().cut();
    federation.event("ClusterSuspect", "alpha").await;
    federation.event("ClusterLost", "alpha").await;
    let workload = federation.settles("web", &[("bravo", 15), ("charlie", 15)]).await;
    assert_eq!((workload.pending, workload.possible_over_run), (0, 10));

    federation.cable().heal();
    wait_for("alpha's surplus to be gone", async || {
        let workload = federation.admin.workload("web").await.map_err(|error| error.to_string())?;
        let gone = workload.possible_over_run == 0 && workload.placements.iter().all(|row| row.live);
        if gone { Ok(()) } else { Err(format!("{workload:?}")) }
    })
    .await;
    federation.settles("web", &[("bravo", 15), ("charlie", 15)]).await;
    // A Deployment's status follows its pods, which the hub counts.
    let after = wait_for("alpha itself to have none", async || {
        let after = federation.cluster("alpha").deployment("web").await.ok_or("there is none")?;
        if (wanted(&after), ready(&after)) == (0, 0) { Ok(after) } else { Err(format!("{:?}", after.status)) }
    })
    .await;
    assert_eq!(after.metadata.uid, before.metadata.uid, "the object outlived the partition");
}
