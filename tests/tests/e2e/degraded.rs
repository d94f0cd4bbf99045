//! A cluster with trouble of its own: it keeps what it has, and gets nothing new (S3).

use crate::harness::{Deployment, Federation, Signal, wait_for};

/// The agent's stream lives on while its API server hangs.
#[tokio::test]
async fn a_cluster_whose_api_server_hangs_is_degraded_until_it_answers() {
    let federation = Federation::of(&["alpha", "bravo"]).await;
    federation.deploy(&Deployment::new("web", 6)).await;
    federation.settles("web", &[("alpha", 3), ("bravo", 3)]).await;

    federation.cluster("alpha").signal_api_server(Signal::Stop);
    let noted = federation.event("ClusterDegraded", "alpha").await;
    assert_eq!(noted.rule, "S3");
    assert!(noted.message.contains("cannot reach the API server"), "{noted:?}");
    federation.admin.scale("web", 10).await.unwrap();
    wait_for("the growth to go to bravo alone", async || {
        let workload = federation.admin.workload("web").await.map_err(|error| error.to_string())?;
        let of =
            |name: &str| workload.placements.iter().find(|one| one.cluster == name).map(|one| one.target);
        match (of("alpha"), of("bravo")) {
            (Some(3), Some(7)) => Ok(()),
            _ => Err(format!("{workload:?}")),
        }
    })
    .await;
    let alpha = federation.admin.cluster("alpha").await.unwrap();
    assert!(!alpha.degraded.is_empty(), "it is still connected: {alpha:?}");

    federation.cluster("alpha").signal_api_server(Signal::Continue);
    federation.event("ClusterRecovered", "alpha").await;
    federation.settles("web", &[("alpha", 3), ("bravo", 7)]).await;
}
